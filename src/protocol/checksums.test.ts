import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 as zlibCrc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { adler32 } from './adler32.js';
import { crc32 } from './crc32.js';

/** A zlib stream ends with the Adler-32 of its content. */
const zlibAdler32 = (bytes: Uint8Array): number =>
  deflateSync(bytes, { level: 0 }).readUInt32BE(deflateSync(bytes, { level: 0 }).length - 4);

const checksums = [
  ['adler32', adler32, zlibAdler32],
  ['crc32', crc32, (bytes: Uint8Array) => zlibCrc32(bytes)],
] as const;

for (const [name, ours, theirs] of checksums) {
  test(`${name} is zlib's, for ranges of any length at any offset`, () => {
    const range = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.nat(20));
    fc.assert(
      fc.property(range, ([bytes, start]) => {
        const from = Math.min(start, bytes.length);
        assert.equal(ours(bytes, from, bytes.length), theirs(bytes.subarray(from)));
      }),
    );
  });

  test(`${name} of the largest sums does not overflow`, () => {
    const bytes = new Uint8Array(100_000).fill(0xff);
    assert.equal(ours(bytes, 0, bytes.length), theirs(bytes));
    assert.equal(ours(bytes, 0, 3840), theirs(bytes.subarray(0, 3840)));
  });

  test(`${name} continues from what came before`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, at) => {
        const cut = Math.min(at, bytes.length);
        const first = ours(bytes, 0, cut);
        assert.equal(ours(bytes, cut, bytes.length, first), theirs(bytes));
      }),
    );
  });
}
