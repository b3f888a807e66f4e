import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEnsemble, parseEnsembleServer } from './ensemble-config.js';

function serverOf(value: string): unknown {
  const reading = parseEnsembleServer(1, value);
  return reading.ok ? reading.server : reading.reason;
}

test('the forms of a server line', () => {
  const address = { host: 'h', quorumPort: 2888, electionPort: 3888 };
  const plain = { sid: 1, addresses: [address], role: 'participant', client: null };
  assert.deepEqual(serverOf('h:2888:3888'), plain);
  assert.deepEqual(serverOf('h:2888:3888:participant'), plain);
  assert.deepEqual(serverOf('h:2888:3888:Observer'), { ...plain, role: 'observer' });
  assert.deepEqual(serverOf('h:2888:3888;2181'), {
    ...plain,
    client: { host: '0.0.0.0', port: 2181 },
  });
  assert.deepEqual(serverOf('h:2888:3888:participant;10.0.0.1:2181'), {
    ...plain,
    client: { host: '10.0.0.1', port: 2181 },
  });
  assert.deepEqual(serverOf('[2001:db8::1]:2888:3888;[::1]:2181'), {
    ...plain,
    addresses: [{ ...address, host: '2001:db8::1' }],
    client: { host: '::1', port: 2181 },
  });
});

test('several addresses of one server', () => {
  const reading = parseEnsembleServer(1, 'a:2888:3888|b:2889:3889:observer;2181');
  assert.ok(reading.ok);
  assert.deepEqual(
    reading.server.addresses.map((address) => address.host),
    ['a', 'b'],
  );
  assert.equal(reading.server.role, 'observer');
});

test('what is no server line is told why', () => {
  for (const [value, reason] of [
    ['h:2888', /not of the form/],
    ['h', /not of the form/],
    [':2888:3888', /not of the form/],
    ['h:2888:3888:participant:x', /not of the form/],
    ['h:2888:3888;1;2', /not of the form/],
    ['[::1:2888:3888', /not of the form/],
    ['h:2888:2888', /must differ/],
    ['h:0:3888', /not between 1 and 65535/],
    ['h:2888:70000', /not between 1 and 65535/],
    ['h:2888:3888;x', /client port/],
    ['h:2888:3888:leader', /neither 'participant' nor 'observer'/],
    ['a:1:2:observer|b:1:2:participant', /one role/],
  ] as const) {
    assert.match(String(serverOf(value)), reason, value);
  }
});

function problemsOf(settings: Record<string, string>): string[] {
  const problems: string[] = [];
  const entries = Object.entries(settings).map(([key, value]) => ({ key, value }));
  parseEnsemble(entries, (_entry, message) => problems.push(message));
  return problems;
}

const three = {
  'server.1': 'a:2888:3888',
  'server.2': 'b:2888:3888',
  'server.3': 'c:2888:3888',
  initLimit: '5',
  syncLimit: '2',
};

test('groups and weights', () => {
  assert.deepEqual(problemsOf({ ...three, 'group.1': '1:2', 'group.2': '3', 'weight.1': '2' }), []);
  assert.deepEqual(problemsOf({ ...three, 'group.1': '1:2', 'group.2': '2' }), [
    'group.2: server 2 is in two groups',
    'server.3: is in no group, though there are groups',
  ]);
  assert.deepEqual(problemsOf({ ...three, 'weight.1': 'heavy' }), [
    "weight.1: 'heavy' is not a number",
  ]);
});

test('an ensemble needs its limits, a standalone server does not', () => {
  assert.deepEqual(problemsOf({ 'server.1': 'a:2888:3888' }), []);
  assert.deepEqual(problemsOf({ 'server.1': 'a:2888:3888', 'server.2': 'b:2888:3888' }), [
    'initLimit is not set, and an ensemble needs it',
    'syncLimit is not set, and an ensemble needs it',
  ]);
});

test('standalone mode forbidden needs a server; an observer needs voters', () => {
  assert.deepEqual(problemsOf({ standaloneEnabled: 'false' }), [
    'standaloneEnabled=false needs at least one server.N that may vote',
  ]);
  assert.deepEqual(problemsOf({ 'server.1': 'a:1:2:observer' }), [
    'observers need an ensemble of at least two servers that may vote',
  ]);
});

test('several addresses must be switched on', () => {
  const two = { ...three, 'server.1': 'a:2888:3888|a2:2888:3888' };
  assert.deepEqual(problemsOf(two), ['server.1: several addresses need multiAddress.enabled=true']);
  assert.deepEqual(problemsOf({ ...two, 'multiAddress.enabled': 'true' }), []);
});

test('sessions of one server, an oracle, a port for observers', () => {
  const read = (settings: Record<string, string>): ReturnType<typeof parseEnsemble> =>
    parseEnsemble(
      Object.entries(settings).map(([key, value]) => ({ key, value })),
      (entry, message) => assert.fail(`${entry?.key ?? ''}: ${message}`),
    );
  const initial = read({});
  assert.equal(initial.localSessionsEnabled, false);
  assert.equal(initial.localSessionsUpgradingEnabled, false);
  assert.equal(initial.oraclePath, null);
  assert.equal(initial.observerMasterPort, 0);
  const given = read({
    localSessionsEnabled: 'True',
    localSessionsUpgradingEnabled: 'true',
    oraclePath: '/run/oracle',
    observerMasterPort: '2191',
  });
  assert.equal(given.localSessionsEnabled, true);
  assert.equal(given.localSessionsUpgradingEnabled, true);
  assert.equal(given.oraclePath, '/run/oracle');
  assert.equal(given.observerMasterPort, 2191);
  assert.equal(read({ observerMasterPort: '-1' }).observerMasterPort, 0);
  assert.deepEqual(problemsOf({ observerMasterPort: '70000', localSessionsEnabled: 'yes' }), [
    "localSessionsEnabled: 'yes' is neither 'true' nor 'false'",
    "observerMasterPort: '70000' is not a port",
  ]);
});
