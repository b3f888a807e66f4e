import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TxnBatch } from '../protocol/txn-batch.js';
import { CommittedLog } from './committed-log.js';
import { LearnerLog } from './learner-log.js';
import { Outbox } from './outbox.js';
import { nothingToPersist } from './ready.js';

const lastLogged = { high: 1, low: 5 };

function logged(): { readonly log: LearnerLog; readonly out: Outbox } {
  const out = new Outbox();
  const committedLog = new CommittedLog(10, () => undefined);
  return {
    log: new LearnerLog({ lastLogged, committedLog, takeBatch: () => new TxnBatch() }, out),
    out,
  };
}

/** Only its header: session, cxid, zxid, time, type. */
function take(log: LearnerLog, high: number, low: number): boolean {
  const record = new Uint8Array(36);
  const view = new DataView(record.buffer);
  view.setInt32(12, high);
  view.setInt32(16, low);
  return log.take(record, 0, record.length);
}

function applied({ out }: { readonly out: Outbox }): number[] {
  return out.takeCommitted().flatMap(({ batch, from, to }) => {
    return Array.from({ length: to - from }, (_, i) => batch.zxidLow(from + i));
  });
}

test('a record is applied once it is both durable and committed, in either order', () => {
  const { log, out } = logged();
  assert.ok(take(log, 1, 6));
  assert.ok(take(log, 1, 7));
  assert.ok(log.takeReady(1) !== null);
  assert.equal(log.commitTo(1, 6), null);
  log.maybeAdvance();
  assert.deepEqual(applied({ out }), []);
  log.persisted(1);
  log.advance();
  assert.deepEqual(applied({ out }), [6]);
  assert.equal(log.commitTo(1, 7), null);
  log.maybeAdvance();
  assert.deepEqual(applied({ out }), [7]);
});

test('there is no hole in what is taken', () => {
  assert.equal(take(logged().log, 1, 7), false);
  assert.equal(take(logged().log, 1, 5), false);
  assert.equal(take(logged().log, 2, 2), false);
  assert.equal(take(logged().log, 2, 1), true);
});

test('nothing is committed twice, or before it was taken', () => {
  const { log } = logged();
  assert.notEqual(log.commitTo(1, 5), null);
  assert.notEqual(log.commitTo(1, 6), null);
  assert.deepEqual(log.committed, lastLogged);
});

test('a step waits for all records before it, and all after it wait for the step', () => {
  const { log } = logged();
  take(log, 1, 6);
  assert.ok(log.takeReady(1) !== null);
  let hasFollowed = false;
  log.step({ ...nothingToPersist, beginEpoch: 2 }, () => {
    hasFollowed = true;
  });
  log.step({ ...nothingToPersist, finishEpoch: true }, null);
  assert.equal(log.isBusy, true);
  assert.equal(log.takeReady(2), null);
  log.persisted(1);
  const step = log.takeReady(2);
  assert.equal(step?.persist?.beginEpoch, 2);
  assert.equal(step.persist.finishEpoch, true);
  take(log, 2, 1);
  assert.equal(log.takeReady(3), null);
  const { then } = log.persisted(2);
  assert.equal(hasFollowed, false);
  then?.();
  assert.equal(hasFollowed, true);
  assert.equal(log.isBusy, false);
  assert.equal(log.takeReady(3)?.persist?.batch?.count, 1);
});

test('at the end everything that is on the disk is applied, committed or not', () => {
  const { log, out } = logged();
  take(log, 1, 6);
  take(log, 1, 7);
  log.takeReady(1);
  assert.throws(() => {
    log.handOutRest();
  }, /no flush is under way/);
  log.persisted(1);
  log.handOutRest();
  assert.deepEqual(applied({ out }), [6, 7]);
});
