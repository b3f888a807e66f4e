import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader } from './reader.js';
import { Writer } from './writer.js';

test('a writer grows as needed and keeps what it has', () => {
  const writer = new Writer(1);
  for (let i = 0; i < 1000; i++) writer.writeInt(i);
  const reader = new Reader(writer.take());
  for (let i = 0; i < 1000; i++) assert.equal(reader.readInt(), i);
  assert.equal(reader.remaining, 0);
});

test('bytes of any length are written without a length', () => {
  const source = Uint8Array.from({ length: 200 }, (_, i) => i);
  for (const length of [0, 1, 40, 41, 150]) {
    const writer = new Writer(1);
    writer.writeBool(true);
    writer.writeBytes(source, 10, 10 + length);
    assert.deepEqual(writer.take(), Uint8Array.of(1, ...source.subarray(10, 10 + length)));
  }
});

test('long strings are written as short ones are', () => {
  for (const text of ['a'.repeat(10_000), '\u00e9'.repeat(5000), '\u65e5'.repeat(4097)]) {
    const writer = new Writer(1);
    writer.writeString(text);
    assert.equal(new Reader(writer.take()).readString(), text);
    assert.equal(writer.pos, 4 + new TextEncoder().encode(text).length);
  }
});

test('an int may be patched once it is written, and only then', () => {
  const writer = new Writer();
  writer.writeInt(0);
  writer.writeInt(2);
  writer.patchInt(0, -5);
  assert.equal(new Reader(writer.take()).readInt(), -5);
  assert.throws(() => writer.patchInt(5, 1), /written/);
});

test('after a reset the next bytes start anew, and what was taken stays', () => {
  const writer = new Writer();
  writer.writeInt(1);
  const taken = writer.take();
  writer.reset();
  writer.writeInt(2);
  assert.deepEqual(taken, Uint8Array.of(0, 0, 0, 1));
  assert.deepEqual(writer.take(), Uint8Array.of(0, 0, 0, 2));
});
