import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { adler32 } from './adler32.js';
import { OpCode } from './opcodes.js';
import { Reader } from './reader.js';
import { TxnHeader } from './records.js';
import { TxnBatch } from './txn-batch.js';
import { makeZxid } from './zxid.js';

function put(batch: TxnBatch, zxid: bigint, body: Uint8Array): void {
  const writer = batch.begin();
  const [clientId, cxid, time, type] = [1n, 2, 3n, OpCode.error] as const;
  TxnHeader.write(writer, { clientId, cxid, zxid, time, type });
  writer.writeBytes(body, 0, body.length);
  batch.finish();
}

test('a batch is log records back to back, and knows where each payload lies', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 });
  const batch = new TxnBatch();
  fc.assert(
    fc.property(bodies, (some) => {
      batch.reset();
      some.forEach((body, i) => put(batch, makeZxid(0xfffffff0, i + 0xfffffff0), body));
      assert.equal(batch.count, some.length);
      const reader = new Reader(batch.bytes, 0, batch.length);
      some.forEach((body, i) => {
        const checksum = reader.readLong();
        const length = reader.readInt();
        assert.equal(length, 32 + body.length);
        assert.equal(batch.payloadStart(i), reader.pos);
        assert.equal(batch.payloadEnd(i), reader.pos + length);
        assert.equal(checksum, BigInt(adler32(batch.bytes, reader.pos, reader.pos + length)));
        assert.deepEqual(batch.bytes.slice(reader.pos + 32, reader.pos + length), body);
        assert.equal(batch.zxidHigh(i), 0xfffffff0);
        assert.equal(batch.zxidLow(i), (i + 0xfffffff0) >>> 0);
        reader.skip(length);
        assert.equal(batch.bytes[reader.pos], 0x42);
        reader.skip(1);
      });
      assert.equal(reader.remaining, 0);
    }),
  );
});

test('a batch outgrows its first buffer and its first index', () => {
  const batch = new TxnBatch();
  const body = new Uint8Array(1000).fill(7);
  for (let i = 1; i <= 1000; i++) put(batch, makeZxid(1, i), body);
  assert.equal(batch.count, 1000);
  assert.equal(batch.length, 1000 * (12 + 32 + 1000 + 1));
  assert.equal(batch.zxidLow(999), 1000);
  assert.equal(batch.payloadEnd(999), batch.length - 1);
});

test('a huge batch does not keep its buffer', () => {
  const batch = new TxnBatch();
  put(batch, 1n, new Uint8Array(9 << 20));
  batch.reset();
  assert.ok(batch.bytes.length < 1 << 20);
  put(batch, 2n, new Uint8Array(10));
  assert.equal(batch.zxidLow(0), 2);
});

test('a cancelled record leaves nothing behind', () => {
  const batch = new TxnBatch();
  put(batch, 1n, Uint8Array.of(1));
  const { length } = batch;
  batch.begin().writeLong(5n);
  batch.cancel();
  assert.equal(batch.length, length);
  assert.equal(batch.count, 1);
  put(batch, 2n, Uint8Array.of(2));
  assert.equal(batch.payloadStart(1), length + 12);
});

test('misuse is an assertion', () => {
  const batch = new TxnBatch();
  assert.throws(() => batch.finish(), /a record is open/);
  assert.throws(() => batch.cancel(), /a record is open/);
  assert.throws(() => batch.payloadStart(0), /has such a record/);
  batch.begin().writeInt(1);
  assert.throws(() => batch.finish(), /transaction header/);
  assert.throws(() => batch.begin(), /finished or cancelled/);
  assert.throws(() => batch.reset(), /no record is open/);
});
