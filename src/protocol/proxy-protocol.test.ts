import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressMatches, formatAddress, parseAddress } from './ip-address.js';
import {
  encodeProxyHeader,
  readProxyHeader,
  type ProxiedConnection,
  type ProxyHeaderReading,
} from './proxy-protocol.js';

function read(bytes: Uint8Array | string): ProxyHeaderReading {
  const given = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
  return readProxyHeader(given, 0, given.length);
}

const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);
const port = fc.integer({ min: 0, max: 65_535 });
const connections: fc.Arbitrary<ProxiedConnection> = fc
  .tuple(address, address, port, port)
  .map(([from, to, sourcePort, destinationPort]) => ({
    sourceAddress: formatAddress(from),
    destinationAddress: formatAddress(to),
    sourcePort,
    destinationPort,
  }));

test('what is written is read again, in either version, one byte at a time', () => {
  fc.assert(
    fc.property(connections, fc.constantFrom(1, 2), (connection, version) => {
      const header = encodeProxyHeader(version, connection);
      for (let end = 0; end < header.length; end++) {
        assert.equal(readProxyHeader(header, 0, end).kind, 'incomplete');
      }
      const rest = Uint8Array.of(...[9, 9], ...header, ...[1, 2, 3]);
      assert.deepEqual(readProxyHeader(rest, 2, rest.length), {
        kind: 'header',
        bytesLength: header.length,
        connection,
      });
    }),
  );
});

test('addresses are what they were, however they were written', () => {
  fc.assert(
    fc.property(address, (bytes) => {
      const parsed = parseAddress(formatAddress(bytes));
      const isMapped = bytes.length === 16 && parsed?.length === 4;
      assert.deepEqual(parsed, isMapped ? bytes.slice(12) : bytes);
    }),
  );
  const text = (groups: string): string => formatAddress(parseAddress(groups) ?? new Uint8Array(0));
  assert.equal(text('0:0:0:0:0:0:0:1'), '::1');
  assert.equal(text('2001:db8:0:0:1:0:0:1'), '2001:db8::1:0:0:1');
  assert.equal(text('0:0:0:0:0:ffff:a00:1'), '10.0.0.1');
  assert.ok(addressMatches('10.1.2.3', '10.0.0.0/8'));
});

test('a sender that speaks for itself says so, and its own address stands', () => {
  for (const version of [1, 2] as const) {
    const header = encodeProxyHeader(version, null);
    assert.deepEqual(read(header), {
      kind: 'header',
      bytesLength: header.length,
      connection: null,
    });
  }
  assert.equal(read('PROXY UNKNOWN ffff::1 whatever 1 2\r\n').kind, 'header');
});

test('the lines of other proxies are understood', () => {
  assert.deepEqual(read('PROXY TCP4 192.0.2.7 192.0.2.8 4711 2181\r\nrest'), {
    kind: 'header',
    bytesLength: 42,
    connection: {
      sourceAddress: '192.0.2.7',
      destinationAddress: '192.0.2.8',
      sourcePort: 4711,
      destinationPort: 2181,
    },
  });
});

test('what vendors add behind the addresses of version 2 is passed over', () => {
  const header = encodeProxyHeader(2, {
    sourceAddress: '::2',
    destinationAddress: '::1',
    sourcePort: 5,
    destinationPort: 6,
  });
  const longer = Uint8Array.of(...header, 0x04, 0, 2, 7, 7);
  longer[15] = (longer[15] ?? 0) + 5;
  const reading = read(longer);
  assert.equal(reading.kind === 'header' && reading.bytesLength, longer.length);
  assert.equal(reading.kind === 'header' && reading.connection?.sourceAddress, '::2');
});

test('clients of ZooKeeper are not taken for headers', () => {
  for (const first of ['ruok', 'srvr', '\0\0\0\x2d', 'PROXx', '\r\n\r\r']) {
    assert.equal(read(first).kind, 'absent', JSON.stringify(first));
  }
  assert.equal(read('P').kind, 'incomplete');
  assert.equal(read('').kind, 'incomplete');
});

test('what begins as a header and is none is malformed', () => {
  const bad = [
    'PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3.4 ::1 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 70000\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n',
    'PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n',
    `PROXY ${'x'.repeat(200)}`,
  ];
  for (const line of bad) assert.equal(read(line).kind, 'malformed', line);
  const header = encodeProxyHeader(2, null);
  const changed = (at: number, to: number): Uint8Array => {
    const copy = header.slice();
    copy[at] = to;
    return copy;
  };
  assert.equal(read(changed(12, 0x31)).kind, 'malformed');
  assert.equal(read(changed(14, 0xff)).kind, 'malformed');
  const short = encodeProxyHeader(2, {
    sourceAddress: '1.1.1.1',
    destinationAddress: '1.1.1.1',
    sourcePort: 1,
    destinationPort: 1,
  });
  short[15] = 4;
  assert.equal(read(short).kind, 'malformed');
});

test('no bytes whatever make it throw', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom('PROXY ', '\r\n\r\n\0\r\nQUIT\n'),
      (tail, head) => {
        read(Uint8Array.of(...Buffer.from(head, 'latin1'), ...tail));
      },
    ),
  );
});
