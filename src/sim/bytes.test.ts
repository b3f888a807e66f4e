import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Blocks, copyInto, sameBytes } from './bytes.js';

const bytesFrom = (first: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => first + 31 * i);

test('copies stay what they were, whatever becomes of the source and of their neighbours', () => {
  const blocks = new Blocks();
  const made = [];
  for (let i = 0; i < 500; i++) {
    const length = i % 7 === 0 ? 5000 + i : (i * 37) % 900;
    const source = bytesFrom(i, length + 2);
    made.push({
      view: blocks.view(source, 1, length + 1),
      piece: blocks.copy(source, 1, length + 1),
    });
    source.fill(0);
  }
  for (const [i, { view, piece }] of made.entries()) {
    const due = bytesFrom(i, view.length + 2).subarray(1, view.length + 1);
    assert.equal(view.length, i % 7 === 0 ? 5000 + i : (i * 37) % 900);
    assert.deepEqual(view.slice(), due.slice());
    assert.deepEqual(piece.bytes.slice(piece.start, piece.end), due.slice());
  }
});

test('short and long ranges are copied to where they belong, and nothing else is touched', () => {
  for (const length of [0, 1, 59, 60, 61, 400]) {
    const into = new Uint8Array(500).fill(7);
    copyInto(into, 50, bytesFrom(1, 450), 10, 10 + length);
    assert.deepEqual(into.slice(50, 50 + length), bytesFrom(1, 450).slice(10, 10 + length));
    assert.ok(into.subarray(0, 50).every((byte) => byte === 7));
    assert.ok(into.subarray(50 + length).every((byte) => byte === 7));
  }
});

test('bytes are the same when length and content are', () => {
  assert.ok(sameBytes(bytesFrom(1, 9), bytesFrom(1, 9)));
  assert.ok(!sameBytes(bytesFrom(1, 9), bytesFrom(1, 8)));
  assert.ok(!sameBytes(bytesFrom(1, 9), bytesFrom(2, 9)));
  assert.ok(sameBytes(new Uint8Array(0), new Uint8Array(0)));
});
