import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MalformedError, Reader } from './reader.js';
import { Writer } from './writer.js';

const int = (value: number): Uint8Array => {
  const writer = new Writer();
  writer.writeInt(value);
  return writer.take();
};

test('what a writer wrote, a reader reads', () => {
  const long = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
  const content = fc.option(fc.uint8Array({ maxLength: 100 }));
  const text = fc.option(fc.string({ unit: 'binary', maxLength: 50 }));
  const writer = new Writer(1);
  const reader = new Reader();
  fc.assert(
    fc.property(fc.integer(), long, fc.boolean(), content, text, (i, l, b, c, s) => {
      writer.reset();
      writer.writeInt(i);
      writer.writeUint32(i >>> 0);
      writer.writeLong(l);
      writer.writeLongParts(Number(l >> 32n), Number(BigInt.asUintN(32, l)));
      writer.writeBool(b);
      writer.writeBuffer(c);
      writer.writeString(s);
      reader.reset(writer.bytes, 0, writer.pos);
      assert.equal(reader.readInt(), i);
      assert.equal(reader.readUint32(), i >>> 0);
      assert.equal(reader.readLong(), l);
      assert.equal(reader.readLong(), l);
      assert.equal(reader.readBool(), b);
      assert.deepEqual(reader.readBuffer(), c);
      assert.equal(reader.readString(), s);
      assert.equal(reader.remaining, 0);
    }),
  );
});

test('a reader of a range sees nothing beyond it', () => {
  const bytes = new Uint8Array(20);
  const reads = [
    (r: Reader) => r.readInt(),
    (r: Reader) => r.readUint32(),
    (r: Reader) => r.readLong(),
    (r: Reader) => r.readBool(),
    (r: Reader) => r.readBuffer(),
    (r: Reader) => r.readString(),
    (r: Reader) => r.readCount(1),
    (r: Reader) => r.skip(1),
  ];
  for (const read of reads) {
    assert.throws(() => read(new Reader(bytes, 10, 10)), MalformedError);
    read(new Reader(bytes, 10, 18));
  }
});

test('lengths that are negative, or longer than what is there, are malformed', () => {
  for (const length of [-2, -0x80000000, 1, 0x7fffffff]) {
    const reader = new Reader(int(length));
    assert.throws(() => reader.readBuffer(), MalformedError);
    assert.throws(() => reader.reset(int(length)).readString(), MalformedError);
  }
  assert.equal(new Reader(int(-1)).readBuffer(), null);
  assert.equal(new Reader(int(-1)).readString(), null);
  assert.deepEqual(new Reader(int(0)).readBuffer(), new Uint8Array(0));
  assert.throws(() => new Reader(int(0)).skip(-1), MalformedError);
});

test('a count is null, empty or bounded by what remains', () => {
  assert.equal(new Reader(int(-1)).readCount(4), -1);
  assert.equal(new Reader(int(-7)).readCount(4), 0);
  assert.equal(new Reader(int(0)).readCount(4), 0);
  const twoInts = Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0);
  assert.equal(new Reader(twoInts).readCount(4), 2);
  assert.throws(() => new Reader(twoInts).readCount(5), MalformedError);
  assert.throws(() => new Reader(int(0x7fffffff)).readCount(0x7fffffff), MalformedError);
});

test('a buffer is copied, a view is not', () => {
  const bytes = Uint8Array.of(0, 0, 0, 2, 7, 8, 9);
  const reader = new Reader(bytes);
  assert.equal(reader.readBufferView(), 2);
  assert.deepEqual([reader.viewStart, reader.viewEnd, reader.pos], [4, 6, 6]);
  const copy = reader.reset(bytes).readBuffer();
  bytes.fill(0);
  assert.deepEqual(copy, Uint8Array.of(7, 8));
  assert.equal(new Reader(int(-1)).readBufferView(), -1);
});

test('a reader pointed at a part of a larger memory reads from there', () => {
  const memory = new Uint8Array(64);
  const part = memory.subarray(30, 40);
  part.set([0, 0, 1, 0], 2);
  assert.equal(new Reader(part, 2).readInt(), 256);
  assert.equal(new Reader().reset(part, 2).readInt(), 256);
});
