import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TxnBatch } from '../protocol/txn-batch.js';
import { CommittedLog } from './committed-log.js';
import { chooseSync, type ZxidPair } from './sync-choice.js';

const at = (high: number, low: number): ZxidPair => ({ high, low });

/** A batch of records with the zxids (epoch, from) … (epoch, to). */
function batchOf(epoch: number, from: number, to: number): TxnBatch {
  const batch = new TxnBatch();
  for (let low = from; low <= to; low++) {
    const writer = batch.begin();
    writer.writeLongParts(0, 1);
    writer.writeInt(0);
    writer.writeLongParts(epoch, low);
    writer.writeLongParts(0, 0);
    writer.writeInt(-1);
    writer.writeInt(-101);
    batch.finish();
  }
  return batch;
}

function logOf(
  ...runs: readonly (readonly [epoch: number, from: number, to: number])[]
): CommittedLog {
  const log = new CommittedLog(1000, () => undefined);
  for (const [epoch, from, to] of runs) {
    const batch = batchOf(epoch, from, to);
    log.push({ batch, from: 0, to: batch.count });
  }
  return log;
}

test('who has what the leader has gets an empty DIFF', () => {
  assert.deepEqual(chooseSync(at(2, 5), at(2, 5), logOf([2, 1, 5])), {
    kind: 'diff',
    from: at(2, 5),
  });
  assert.deepEqual(chooseSync(at(0, 0), at(0, 0), logOf()), { kind: 'diff', from: at(0, 0) });
});

test('who lacks what is in memory gets it from there', () => {
  const log = logOf([1, 7, 9], [2, 1, 5]);
  assert.deepEqual(chooseSync(at(1, 8), at(2, 5), log), { kind: 'diff', from: at(1, 8) });
  assert.deepEqual(chooseSync(at(2, 3), at(2, 5), log), { kind: 'diff', from: at(2, 3) });
});

test('who lacks more gets it from the disk, if that reaches', () => {
  assert.deepEqual(chooseSync(at(1, 6), at(2, 5), logOf([1, 7, 9], [2, 1, 5])), {
    kind: 'log',
    from: at(1, 6),
  });
  assert.deepEqual(chooseSync(at(1, 6), at(2, 5), logOf()), { kind: 'log', from: at(1, 6) });
});

test('who has more than was committed cuts it off, within its epoch only', () => {
  const log = logOf([1, 7, 9], [2, 1, 5]);
  assert.deepEqual(chooseSync(at(2, 8), at(2, 5), log), { kind: 'trunc', to: at(2, 5) });
  assert.deepEqual(chooseSync(at(1, 11), at(2, 5), log), { kind: 'trunc', to: at(1, 9) });
  // epoch 3 was led by nobody here: how the learner got into it is not in this history
  assert.deepEqual(chooseSync(at(3, 1), at(2, 5), log), { kind: 'snap' });
  assert.deepEqual(chooseSync(at(2, 8), at(2, 5), logOf()), { kind: 'trunc', to: at(2, 5) });
});

test('an epoch that has begun and has no transaction is not cut off', () => {
  const log = logOf([1, 7, 9], [3, 1, 5]);
  assert.deepEqual(chooseSync(at(2, 0), at(3, 5), log), { kind: 'diff', from: at(1, 9) });
  assert.deepEqual(chooseSync(at(4, 0), at(3, 5), log), { kind: 'snap' });
});

test('what is committed has no hole, and is let go of when there is enough of it', () => {
  const released: TxnBatch[] = [];
  const log = new CommittedLog(4, (batch) => released.push(batch));
  const [first, second, third] = [batchOf(1, 1, 3), batchOf(1, 4, 6), batchOf(2, 1, 2)];
  log.push({ batch: first, from: 0, to: 3 });
  assert.throws(() => {
    log.push({ batch: third, from: 1, to: 2 });
    log.push({ batch: batchOf(2, 4, 4), from: 0, to: 1 });
  }, /without a hole/);
  const good = new CommittedLog(4, (batch) => released.push(batch));
  good.push({ batch: first, from: 0, to: 3 });
  good.push({ batch: second, from: 0, to: 1 });
  good.push({ batch: second, from: 1, to: 3 });
  good.push({ batch: third, from: 0, to: 2 });
  good.trim();
  assert.deepEqual(released, [first]);
  assert.equal(good.count, 4);
  assert.deepEqual([good.firstHigh, good.firstLow], [1, 5]);
  const seen: string[] = [];
  good.forEachAfter(1, 5, ({ batch, from, to }) => {
    for (let i = from; i < to; i++) seen.push(`${batch.zxidHigh(i)}/${batch.zxidLow(i)}`);
  });
  assert.deepEqual(seen, ['1/6', '2/1', '2/2']);
  assert.deepEqual(good.floor(1, 9), at(1, 6));
  assert.equal(good.floor(1, 3), null);
});
