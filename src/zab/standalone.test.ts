import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present } from '../base/assert.js';
import { Standalone } from './standalone.js';
import { TxnBatch } from '../protocol/txn-batch.js';

function batchOf(zab: Standalone, count: number): TxnBatch {
  const batch = new TxnBatch();
  for (let i = 0; i < count; i++) {
    const writer = batch.begin();
    writer.writeLongParts(0, 1);
    writer.writeInt(0);
    writer.writeLongParts(zab.nextZxidHigh(), zab.nextZxidLow());
    writer.writeLongParts(0, 0);
    writer.writeInt(-1);
    writer.writeInt(-101);
    batch.finish();
    zab.proposed();
  }
  return batch;
}

test('nothing is committed before it is durable', () => {
  const zab = new Standalone(0, 0);
  assert.equal(zab.takeReady(), null);
  const batch = batchOf(zab, 3);
  zab.handOver(batch);
  const ready = present(zab.takeReady(), 'a batch was handed over');
  assert.equal(ready.persist?.batch, batch);
  assert.deepEqual(ready.committed, []);
  assert.equal(zab.takeReady(), null);
  assert.equal(zab.isAccepting, false);
  zab.persisted(ready.seq);
  const next = present(zab.takeReady(), 'it is durable');
  assert.equal(next.persist, null);
  assert.deepEqual(next.committed, [{ batch, from: 0, to: 3 }]);
  assert.equal(zab.isAccepting, true);
});

test('the counter carries into the epoch half as a plain 64-bit number', () => {
  const zab = new Standalone(5, 0xfffffffe);
  zab.handOver(batchOf(zab, 2));
  assert.equal(zab.proposedHigh, 6);
  assert.equal(zab.proposedLow, 0);
});

test('a batch that does not end with the proposed zxid is a bug, caught at once', () => {
  const zab = new Standalone(0, 0);
  const batch = batchOf(zab, 1);
  zab.proposed();
  assert.throws(() => {
    zab.handOver(batch);
  }, /last proposed/);
});

test('flushes that end out of order are a bug, caught at once', () => {
  const zab = new Standalone(0, 0);
  zab.handOver(batchOf(zab, 1));
  zab.takeReady();
  assert.throws(() => {
    zab.persisted(99);
  }, /order/);
});
