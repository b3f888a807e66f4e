import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Writer } from '../writer.js';
import { readNotification, writeNotification, type Notification } from './notification.js';

const sample: Notification = {
  state: 'leading',
  leader: 3n,
  zxid: 0x7_0000_0005n,
  electionEpoch: 9n,
  peerEpoch: 8n,
  version: 2,
  config: 'server.1=a:1:2:participant\nversion=0',
};

function encode(notification: Notification): Uint8Array {
  const out = new Writer(8);
  writeNotification(out, notification);
  return out.take();
}

const read = (bytes: Uint8Array): Notification | null => readNotification(bytes, 0, bytes.length);

const anyLong = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

test('a notification comes back as it was sent', () => {
  const any: fc.Arbitrary<Notification> = fc.record(
    {
      state: fc.constantFrom('looking', 'following', 'leading', 'observing'),
      leader: anyLong,
      zxid: anyLong,
      electionEpoch: anyLong,
      peerEpoch: anyLong,
      version: fc.constant(2),
      config: fc.string({ unit: 'grapheme' }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(any, fc.nat(5), (notification, at) => {
      const body = encode(notification);
      const framed = Uint8Array.from([...new Uint8Array(at), ...body, 1, 2, 3]);
      assert.deepEqual(readNotification(framed, at, at + body.length), notification);
    }),
  );
});

test('what nobody sends is written as the current layout without a configuration', () => {
  assert.deepEqual(read(encode({ ...sample, version: 0, config: null })), {
    ...sample,
    config: '',
  });
});

test('bytes after the configuration are for later releases', () => {
  assert.deepEqual(read(Uint8Array.from([...encode(sample), 1, 2, 3])), sample);
});

test('the oldest layout: the epoch is that of the zxid', () => {
  assert.deepEqual(read(encode(sample).slice(0, 28)), {
    ...sample,
    peerEpoch: 7n,
    version: 0,
    config: null,
  });
});

test('the older layout: whatever follows the epoch, there is no configuration', () => {
  assert.deepEqual(read(encode(sample).slice(0, 40)), { ...sample, version: 0, config: null });
});

test('a version before configurations', () => {
  const body = encode(sample);
  body[39] = 1;
  assert.deepEqual(read(body), { ...sample, version: 1, config: null });
});

test('cut short anywhere else it is none', () => {
  const body = encode(sample);
  for (let length = 0; length < body.length; length++) {
    if (length === 28 || length === 40) continue;
    assert.equal(read(body.slice(0, length)), null, `${length} bytes`);
  }
});

test('an unknown state, and lengths that cannot be', () => {
  for (const [at, value] of [
    [3, 4],
    [0, 0x80],
    [40, 0xff],
    [40, 0x7f],
    [43, 200],
  ] as const) {
    const body = encode(sample);
    body[at] = value;
    assert.equal(read(body), null, `byte ${at} = ${value}`);
  }
});

test('arbitrary bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      const notification = read(bytes);
      assert.ok(notification === null || bytes.length >= 28);
    }),
  );
});
