import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Writer } from '../writer.js';
import { HelloDecoder, namelessObserver, writeHello, type Hello } from './hello.js';

type Outcome = Hello | 'malformed' | 'more';

const addresses = [
  { host: 'zk1.example', port: 3888 },
  { host: '2001:db8::1', port: 3889 },
];

function encode(isMulti: boolean, told = addresses): Uint8Array {
  const out = new Writer(8);
  writeHello(out, 2, told, isMulti);
  return out.take();
}

/** A hello with this text in place of the addresses. */
function withText(text: string, version = -65536n, length?: number): Uint8Array {
  const out = new Writer();
  out.writeLong(version);
  out.writeLong(2n);
  out.writeString(text);
  if (length !== undefined) out.patchInt(16, length);
  return out.take();
}

/** One outcome, whole and byte by byte; `consumed` never goes beyond the hello. */
function decode(bytes: Uint8Array): Outcome {
  const decoder = new HelloDecoder();
  const whole = decoder.push(bytes, 0, bytes.length);
  const bytewise = new HelloDecoder();
  let outcome: Outcome = 'more';
  for (let i = 0; i < bytes.length && outcome === 'more'; i++) {
    outcome = bytewise.push(bytes, i, i + 1);
    if (outcome !== 'more') assert.equal(decoder.consumed, i + 1);
  }
  assert.deepEqual(outcome, whole);
  return whole;
}

test('one address is told, or all of them', () => {
  assert.deepEqual(decode(encode(false)), { sid: 2n, addresses: addresses.slice(0, 1) });
  assert.deepEqual(decode(encode(true)), { sid: 2n, addresses });
  assert.deepEqual(encode(false, [{ host: '::1', port: 1 }]), withText('[::1]:1'));
  assert.deepEqual(encode(true, [{ host: 'a', port: 1 }]), withText('a:1', -65535n));
});

test('what follows a hello is left to the frames', () => {
  const hello = encode(true);
  const decoder = new HelloDecoder();
  const bytes = Uint8Array.from([0, ...hello, 7, 7]);
  assert.deepEqual(decoder.push(bytes, 1, bytes.length), { sid: 2n, addresses });
  assert.equal(decoder.consumed, 1 + hello.length);
});

test('a hello is not ready before its last byte', () => {
  for (const hello of [encode(false), encode(true)]) {
    for (let length = 0; length < hello.length; length++) {
      assert.equal(decode(hello.slice(0, length)), 'more');
    }
  }
});

test('before V1 a hello was the bare number', () => {
  assert.deepEqual(decode(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 5)), { sid: 5n, addresses: [] });
  assert.deepEqual(decode(Uint8Array.of(0x7f, 255, 255, 255, 255, 255, 255, 255)), {
    sid: namelessObserver,
    addresses: [],
  });
});

test('an address that means every address tells nothing', () => {
  for (const host of ['0.0.0.0', '[::]', '[0:0:0:0:0:0:0:0]']) {
    assert.deepEqual(decode(withText(`${host}:3888`)), { sid: 2n, addresses: [] });
  }
  assert.deepEqual(decode(withText('0.0.0.0:1|a:2|', -65535n)), {
    sid: 2n,
    addresses: [{ host: 'a', port: 2 }],
  });
});

for (const [what, bytes] of [
  ['an unknown version', withText('a:1', -65534n)],
  ['no addresses', withText('')],
  ['a negative length', withText('a:1', -65536n, -1)],
  ['more than 2048 bytes', withText('a:1', -65536n, 2049)],
  ['no port', withText('a')],
  ['an empty port', withText('a:')],
  ['a port that is too large', withText('a:65536')],
  ['a port that is no number', withText('a:b')],
  ['two ports', withText('a:1:2')],
  ['an unclosed bracket', withText('[::1:1')],
  ['an empty host', withText(':1')],
  ['an empty address among others', withText('a:1||b:2', -65535n)],
] as const) {
  test(`refused: ${what}`, () => {
    assert.equal(decode(bytes), 'malformed');
  });
}

test('the longest hello is taken, and arbitrary bytes never throw', () => {
  const host = 'h'.repeat(2046);
  assert.deepEqual(decode(withText(`${host}:1`)), { sid: 2n, addresses: [{ host, port: 1 }] });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
      const outcome = decode(Uint8Array.from([...withText('a:1').slice(0, 7), ...tail]));
      assert.ok(outcome === 'malformed' || outcome === 'more' || outcome.sid >= -(2n ** 63n));
    }),
  );
});
