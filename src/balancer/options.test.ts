import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionError, readOptions } from './options.js';

const least = { listen: '127.0.0.1:2181', servers: 'a:2181,b:2181' };

function problemsOf(given: object): readonly string[] {
  try {
    readOptions({ ...least, ...given });
  } catch (error) {
    assert.ok(error instanceof OptionError);
    return error.problems;
  }
  return [];
}

test('a place to listen and servers are enough', () => {
  assert.deepEqual(readOptions(least), { ...least, listen: [least.listen] });
  assert.throws(() => readOptions({}), /listen: is missing; servers: is missing/);
});

test('the options of a large site are taken as they are', () => {
  const given = {
    listen: [
      '127.0.0.1:2181',
      { address: '0.0.0.0:2281', tls: true },
      { address: ':2182', readOnly: true, proxyProtocol: { trusted: ['10.0.0.0/8'] } },
    ],
    servers: [{ address: 'a:2181', zone: 'eu/west', weight: 2 }, { address: 'b:2181' }],
    tls: { keyStore: '/etc/tls.pem' },
    upstreamTls: true,
    outliers: false,
    registry: { path: '/zabra/balancers' },
    words: ['*'],
    guards: {
      perAddress: { connections: 60, rate: { perSecond: 1000, burst: 2000 } },
      perClass: { batch: { rate: { perSecond: 100 } } },
      paths: [{ prefix: '/secret', ops: ['read', 'setACL'], action: 'deny' }],
    },
    origins: [{ addresses: '10.1.0.0/16', class: 'batch', zone: 'eu/east' }],
    classes: { weights: { batch: 0.5 } },
    control: false,
  };
  assert.deepEqual(problemsOf(given), []);
});

test('what cannot be meant is told with its place', () => {
  assert.deepEqual(
    problemsOf({
      policy: 'consistent-hash',
      subset: 'rwp',
      guards: { perAdress: {}, paths: [{ prefix: '/a/' }], denyOps: ['fly'] },
      origins: [{ addresses: ['10.0.0.0/99'] }],
    }),
    [
      'policy: expected one of random, round-robin, weighted-round-robin, least-connections, p2c-ewma, auto',
      'subset: expected one of all, deterministic, rw, rw-p, auto',
      'guards.perAdress: there is no such option; there are connections, perAddress, perIdentity, perClass, paths, denyOps',
      'guards.paths.prefix: expected an absolute path',
      'guards.denyOps: expected the name of an operation, read or write',
      'origins.addresses: expected an address, or a network like 10.0.0.0/8',
    ],
  );
});

test('what does not go together is told too', () => {
  const listen = [{ address: ':1', tls: true, proxyProtocol: { trusted: ['10.0.0.1'] } }];
  assert.deepEqual(problemsOf({ listen }), [
    'listen[0]: a listener with TLS needs tls.keyStore',
    'listen[0]: PROXY headers stand before the encryption, and are read on plain listeners only',
  ]);
  assert.match(problemsOf({ scope: 'ensemble', registry: false })[0] ?? '', /^scope: /);
  assert.match(problemsOf({ tls: { keyStore: 'a', clientAuth: 'need' } })[0] ?? '', /trustStore/);
  assert.match(problemsOf({ position: { index: 2, count: 2 } })[0] ?? '', /^position\.index/);
  const thresholds = { latencyThresholdsMs: { getdata: 1, nothing: 2 } };
  assert.match(problemsOf({ metrics: thresholds })[0] ?? '', /nothing: there is no such/);
});
