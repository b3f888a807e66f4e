import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeUtf8, encodeUtf8, encodeUtf8Into, utf8Length } from './utf8.js';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** Whole characters of all lengths, so that the well-formed paths are taken often. */
const wellFormed = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'grapheme-ascii', minLength: 1 }),
    fc.string({ unit: 'binary' }),
  ),
});

test('well-formed text is decoded as TextDecoder does, at any offset', () => {
  fc.assert(
    fc.property(wellFormed, fc.nat(9), (text, offset) => {
      const bytes = new Uint8Array([...new Uint8Array(offset), ...encoder.encode(text), 0x41]);
      assert.equal(decodeUtf8(bytes, offset, bytes.length - 1), text);
    }),
  );
});

test('malformed bytes are decoded as TextDecoder does, but for encoded surrogates', () => {
  const byte = fc.constantFrom(
    0x41,
    0x7f,
    0x80,
    0xbf,
    0xc1,
    0xc3,
    0xe0,
    0xe2,
    0xef,
    0xf0,
    0xf4,
    0xf8,
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 60 }), (some) => {
      const bytes = Uint8Array.from(some);
      assert.equal(decodeUtf8(bytes, 0, bytes.length), decoder.decode(bytes));
    }),
    { numRuns: 1000 },
  );
  const surrogate = Uint8Array.of(0xed, 0xa0, 0x80);
  assert.equal(decodeUtf8(surrogate, 0, 3), '\ufffd');
});

test('each length of ASCII text is decoded', () => {
  const text = '/0123456789abcdefghijklmnopqrstuvwxyz'.repeat(4);
  const bytes = encoder.encode(text);
  for (let length = 0; length <= text.length; length++) {
    assert.equal(decodeUtf8(bytes, 0, length), text.slice(0, length));
  }
});

test('text is encoded as TextEncoder does, measured exactly', () => {
  fc.assert(
    fc.property(wellFormed, (text) => {
      const expected = encoder.encode(text);
      assert.deepEqual(encodeUtf8(text), expected);
      assert.equal(utf8Length(text), expected.length);
    }),
  );
});

test('lone surrogates are written as question marks', () => {
  assert.deepEqual(encodeUtf8('a\ud83db\ude00'), encoder.encode('a?b?'));
  assert.deepEqual(encodeUtf8('\ude00\ud83d\ude00\ud83d'), encoder.encode('?\u{1f600}?'));
});

test('encoding starts where it is told and says where it ended', () => {
  const bytes = new Uint8Array(8).fill(0xff);
  assert.equal(encodeUtf8Into('\u00e9!', bytes, 2), 5);
  assert.deepEqual([...bytes], [0xff, 0xff, 0xc3, 0xa9, 0x21, 0xff, 0xff, 0xff]);
});
