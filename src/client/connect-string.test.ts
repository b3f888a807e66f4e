import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError } from './arguments.js';
import {
  parseConnectString,
  parseServer,
  printConnectString,
  type ConnectString,
} from './connect-string.js';

function parsed(text: string): string {
  const { servers, srvName, root } = parseConnectString(text);
  const where = srvName ?? servers.map(({ host, port }) => `${host}|${port}`).join(' ');
  return root === '' ? where : `${where} ${root}`;
}

test('hosts, ports, addresses and a chroot', () => {
  assert.equal(parsed('h1'), 'h1|2181');
  assert.equal(
    parsed('H1:1,h-2.example.COM.,127.0.0.1:65535'),
    'h1|1 h-2.example.com.|2181 127.0.0.1|65535',
  );
  assert.equal(parsed(' h1 ,\n h2:2182 / '), 'h1|2181 h2|2182');
  assert.equal(parsed('h1/app/x'), 'h1|2181 /app/x');
  assert.equal(parsed('h1/'), 'h1|2181');
  assert.equal(parsed('[::1]:2182,[FE80::1%Ether0]/a'), '::1|2182 fe80::1%Ether0|2181 /a');
  assert.equal(parsed('[::ffff:10.0.0.1]'), '::ffff:10.0.0.1|2181');
  assert.equal(parsed('[1:2:3:4:5:6:7:8]'), '1:2:3:4:5:6:7:8|2181');
  assert.equal(parsed('höst_1'), 'höst_1|2181');
});

test('a name in the DNS instead of a list', () => {
  assert.equal(parsed('dns-srv://_zk._tcp.Example.com/app'), '_zk._tcp.example.com /app');
  assert.equal(parsed(' DNS-SRV://zk.example.com'), 'zk.example.com');
});

test('each fault is refused with its place', () => {
  const faults: readonly (readonly [string, number, RegExp])[] = [
    ['', 0, /no server is named/],
    ['  ', 0, /no server is named/],
    ['/app', 0, /no server is named/],
    ['h1,', 3, /comma/],
    [',h1', 0, /comma/],
    ['h1,,h2', 3, /comma/],
    ['h1,h2,/a', 6, /comma/],
    ['h1,h2:2181, H2', 12, /twice/],
    [':2181', 0, /no host/],
    ['h1:', 3, /port/],
    ['h1:0', 3, /port/],
    ['h1:65536', 3, /port/],
    ['h1:21a1', 3, /port/],
    ['h1: 21', 3, /port/],
    ['h1,::1:2181', 3, /brackets/],
    ['h1,[::1', 3, /not closed/],
    ['[1.2.3.4]', 1, /not an IPv6/],
    ['[::1::2]', 1, /not an IPv6/],
    ['[1:2:3:4:5:6:7]', 1, /not an IPv6/],
    ['[12345::]', 1, /not an IPv6/],
    ['[::1]2181', 5, /after the bracket/],
    ['h1,h 2', 4, /does not hold/],
    ['h1;h2', 2, /does not hold/],
    ['a..b', 1, /empty part/],
    ['.a', 0, /empty part/],
    ['x'.repeat(300), 253, /253/],
    ['h1/a//b', 5, /chroot/],
    ['h1/a/', 4, /chroot/],
    ['h1/a/../b', 6, /chroot/],
    ['dns-srv://', 10, /expected a name/],
    ['dns-srv:///app', 10, /expected a name/],
    ['dns-srv://a,b', 11, /one name/],
    ['dns-srv://a:2181', 11, /one name/],
  ];
  for (const [text, position, reason] of faults) {
    assert.throws(
      () => parseConnectString(text),
      (error) => {
        assert.ok(error instanceof ArgumentError, text);
        assert.equal(error.what, 'connectString');
        assert.match(error.reason, reason, text);
        assert.equal(error.position, position, text);
        return true;
      },
      text,
    );
  }
  assert.throws(() => parseConnectString(undefined), /expected a string/);
});

test('one server alone', () => {
  assert.deepEqual(parseServer('[::1]:5'), { host: '::1', port: 5 });
  assert.deepEqual(parseServer('h'), { host: 'h', port: 2181 });
  assert.throws(() => parseServer('a:b:c'), /brackets/);
});

const label = fc.stringMatching(/^[a-z0-9_][a-z0-9_-]{0,9}$/);
const hostName = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const server = fc.record({
  host: fc.oneof(hostName, fc.ipV6(), fc.ipV4()),
  port: fc.integer({ min: 1, max: 65535 }),
});
const root = fc
  .array(fc.stringMatching(/^[a-zA-Z0-9:,]{1,6}$/), { maxLength: 3 })
  .map((names) => names.map((name) => `/${name}`).join(''));
const connectString: fc.Arbitrary<ConnectString> = fc.oneof(
  fc.record({
    servers: fc.uniqueArray(server, {
      minLength: 1,
      maxLength: 5,
      selector: ({ host, port }) => `${host.toLowerCase()} ${port}`,
    }),
    srvName: fc.constant(null),
    root,
  }),
  fc.record({ servers: fc.constant([]), srvName: hostName, root }),
);

test('what is printed parses to the same', () => {
  fc.assert(
    fc.property(connectString, (value) => {
      const text = printConnectString(value);
      const again = parseConnectString(text);
      const lower = value.servers.map(({ host, port }) => ({ host: host.toLowerCase(), port }));
      assert.deepEqual(again, { ...value, servers: lower });
    }),
  );
});

test('nothing but ArgumentError is thrown, and positions lie within the text', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[ha1:,./[\] -]{0,20}$/),
    fc.tuple(connectString, fc.nat(40), fc.string({ maxLength: 2 })).map(([value, at, more]) => {
      const good = printConnectString(value);
      return good.slice(0, at) + more + good.slice(at + 1);
    }),
  );
  fc.assert(
    fc.property(text, (one) => {
      try {
        const value = parseConnectString(one);
        assert.deepEqual(parseConnectString(printConnectString(value)), value);
      } catch (error) {
        assert.ok(error instanceof ArgumentError, String(error));
        assert.ok(error.position >= 0 && error.position <= one.length);
      }
    }),
    { numRuns: 1000 },
  );
});
