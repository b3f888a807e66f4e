import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TxnBatch } from '../protocol/txn-batch.js';
import { CommittedLog } from './committed-log.js';
import { Learner, type LearnerOptions } from './learner.js';
import type { Ready } from './ready.js';

const link = 7;

function newLearner(options: Partial<LearnerOptions> = {}): Learner {
  return new Learner({
    isObserver: false,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: 4,
    currentEpoch: 4,
    lastLogged: { high: 4, low: 9 },
    committedLog: new CommittedLog(500, () => undefined),
    takeBatch: () => new TxnBatch(),
    nowMs: 0,
    ...options,
  });
}

function drain(learner: Learner): Ready[] {
  const readys: Ready[] = [];
  for (let next = learner.takeReady(); next !== null; next = learner.takeReady()) readys.push(next);
  return readys;
}

/** The disk does everything at once. */
function settle(learner: Learner): Ready[] {
  const all: Ready[] = [];
  for (let readys = drain(learner); readys.length > 0; readys = drain(learner)) {
    all.push(...readys);
    for (const { seq, persist } of readys) if (persist !== null) learner.persisted(seq);
  }
  return all;
}

/** What is said, in order; acknowledgements with their counters. */
function said(readys: readonly Ready[]): string[] {
  return readys.flatMap(({ messages, messagesAfterPersist }) =>
    [...messages, ...messagesAfterPersist].map((message) => {
      if (message.kind === 'ack') return `ack ${message.fromLow}-${message.toLow}`;
      return message.kind === 'ackEpoch' ? `ackEpoch ${message.currentEpoch}` : message.kind;
    }),
  );
}

const applied = (readys: readonly Ready[]): number =>
  readys.flatMap((ready) => ready.committed).reduce((sum, { from, to }) => sum + to - from, 0);
const reasonOf = (readys: readonly Ready[]): string => readys.at(-1)?.stop ?? '';

function propose(learner: Learner, high: number, low: number): void {
  const batch = new TxnBatch();
  const writer = batch.begin();
  writer.writeLongParts(0, 1);
  writer.writeInt(0);
  writer.writeLongParts(high, low);
  writer.writeLongParts(0, 0);
  writer.writeInt(-1);
  batch.finish();
  learner.onProposal(batch.bytes, batch.payloadStart(0), batch.payloadEnd(0), 0);
}

/** Up to the acknowledgement of NEWLEADER, of epoch 5, by an empty DIFF. */
function synchronised(options: Partial<LearnerOptions> = {}): Learner {
  const learner = newLearner(options);
  learner.onLinkUp(link, 0);
  learner.onLeaderInfo(5, 0);
  settle(learner);
  learner.onDiff(0);
  learner.onNewLeader(5, 0);
  settle(learner);
  return learner;
}

function following(options: Partial<LearnerOptions> = {}): Learner {
  const learner = synchronised(options);
  learner.onUpToDate(0);
  assert.ok(settle(learner).some(({ start }) => start !== null));
  return learner;
}

test('phase 1: the promise is durable before it is given, with the end of the own history', () => {
  const learner = newLearner();
  learner.onLinkUp(link, 0);
  assert.deepEqual(said(drain(learner)), ['learnerInfo']);
  learner.onLeaderInfo(6, 0);
  const [ready, ...rest] = drain(learner);
  assert.deepEqual(rest, []);
  assert.equal(ready?.persist?.acceptedEpoch, 6);
  assert.deepEqual(said([ready]), []);
  learner.persisted(ready.seq);
  assert.deepEqual(said(drain(learner)), ['ackEpoch 4']);
});

test('phase 1: who has lost its history gives an Apache leader no promise that it would count', () => {
  for (const isApache of [true, false]) {
    const learner = newLearner({ isWithoutVote: true });
    learner.onLinkUp(link, 0);
    learner.onLeaderInfo(6, 0, isApache);
    const readys = settle(learner);
    assert.ok(readys.some(({ persist }) => persist?.acceptedEpoch === 6));
    assert.deepEqual(said(readys), ['learnerInfo', isApache ? 'ackEpoch -1' : 'ackEpoch 4']);
  }
});

test('phase 1: an older epoch is not followed, one promised before is no new promise', () => {
  const refusing = newLearner();
  refusing.onLinkUp(link, 0);
  refusing.onLeaderInfo(3, 0);
  assert.match(reasonOf(settle(refusing)), /older than the accepted one/);
  const again = newLearner();
  again.onLinkUp(link, 0);
  again.onLeaderInfo(4, 0);
  const readys = settle(again);
  assert.deepEqual(said(readys), ['learnerInfo', 'ackEpoch -1']);
  assert.ok(readys.every(({ persist }) => persist === null));
});

test('phase 2: the epoch is acknowledged behind the history that belongs to it', () => {
  const learner = newLearner();
  learner.onLinkUp(link, 0);
  learner.onLeaderInfo(5, 0);
  settle(learner);
  learner.onDiff(0);
  propose(learner, 4, 10);
  learner.onCommit(4, 10, 0);
  const [history, ...none] = drain(learner);
  assert.deepEqual(none, [], 'nothing is said or applied while it is written');
  assert.equal(history?.persist?.beginEpoch, 5);
  assert.equal(history.persist.batch?.count, 1);
  assert.equal(history.persist.finishEpoch, false);
  learner.onNewLeader(5, 0);
  assert.deepEqual(drain(learner), [], 'one step behind the other');
  learner.persisted(history.seq);
  const readys = drain(learner);
  assert.equal(applied(readys), 1);
  const finish = readys.find(({ persist }) => persist !== null);
  assert.equal(finish?.persist?.finishEpoch, true);
  assert.deepEqual(said(readys), []);
  learner.persisted(finish.seq);
  assert.deepEqual(said(drain(learner)), ['ackEpochStart']);
});

test('phase 2: what is to be cut off is cut, and memory follows', () => {
  const learner = newLearner();
  learner.onLinkUp(link, 0);
  learner.onLeaderInfo(5, 0);
  settle(learner);
  learner.onTrunc({ high: 4, low: 7 }, 0);
  learner.onNewLeader(5, 0);
  const [cut] = settle(learner).filter(({ persist }) => persist !== null);
  assert.deepEqual(cut?.persist?.truncateTo, { high: 4, low: 7 });
  assert.equal(cut.rebase, 'reload');
  const beyond = newLearner();
  beyond.onLinkUp(link, 0);
  beyond.onLeaderInfo(5, 0);
  settle(beyond);
  beyond.onTrunc({ high: 4, low: 12 }, 0);
  assert.match(reasonOf(settle(beyond)), /cut off what is not there/);
});

test('phase 2: what is proposed before UPTODATE is acknowledged after it (ZOOKEEPER-4646)', () => {
  const learner = synchronised();
  propose(learner, 5, 1);
  assert.deepEqual(said(settle(learner)), []);
  learner.onUpToDate(0);
  const readys = settle(learner);
  assert.deepEqual(said(readys), ['ackEpochStart', 'ack 1-1']);
});

test('phase 3: acknowledged when durable, applied when committed as well, in either order', () => {
  const learner = following();
  propose(learner, 5, 1);
  propose(learner, 5, 2);
  const [first] = drain(learner);
  assert.equal(first?.persist?.batch?.count, 2);
  learner.onCommit(5, 1, 0);
  assert.equal(applied(drain(learner)), 0, 'a commit that overtakes the own disk waits for it');
  learner.persisted(first.seq);
  const readys = drain(learner);
  assert.deepEqual(said(readys), ['ack 1-2']);
  assert.equal(applied(readys), 1);
  learner.onCommit(5, 2, 0);
  assert.equal(applied(drain(learner)), 1);
});

test('phase 3: a hole in what is proposed ends the role, so do commits that make no sense', () => {
  for (const [act, reason] of [
    [(one: Learner) => propose(one, 5, 2), /does not follow/],
    [(one: Learner) => propose(one, 6, 2), /does not follow/],
    [(one: Learner) => one.onCommit(5, 1, 0), /never proposed here/],
    [(one: Learner) => one.onCommit(4, 9, 0), /what was committed/],
    [(one: Learner) => one.onDiff(0), /DIFF while broadcast/],
  ] as const) {
    const learner = following();
    act(learner);
    assert.match(reasonOf(settle(learner)), reason);
  }
});

test('an observer applies what it is informed of, once it is on its disk, and acknowledges nothing', () => {
  const learner = following({ isObserver: true });
  const batch = new TxnBatch();
  const writer = batch.begin();
  writer.writeLongParts(0, 1);
  writer.writeInt(0);
  writer.writeLongParts(5, 1);
  writer.writeLongParts(0, 0);
  writer.writeInt(-1);
  batch.finish();
  learner.onInform(batch.bytes, batch.payloadStart(0), batch.payloadEnd(0), 0);
  const readys = settle(learner);
  assert.equal(applied(readys), 1);
  assert.deepEqual(said(readys), []);
});

test('at the end of the role memory follows the disk: what is logged is applied, committed or not', () => {
  const learner = following();
  propose(learner, 5, 1);
  propose(learner, 5, 2);
  learner.onCommit(5, 1, 0);
  assert.equal(applied(settle(learner)), 1);
  learner.onLinkDown('gone');
  assert.match(reasonOf(settle(learner)), /gone/);
  assert.equal(
    learner.takeRest().reduce((sum, { from, to }) => sum + to - from, 0),
    1,
  );
});

test('what was committed in the turn in which the role ends is applied, with the rest', () => {
  const learner = following();
  propose(learner, 5, 1);
  settle(learner);
  learner.onCommit(5, 1, 0);
  learner.onHandOver({ leader: 3, round: 9n, zxid: { high: 5, low: 1 } }, 0);
  const readys = settle(learner);
  assert.equal(applied(readys), 0, 'nothing follows the end of a role');
  assert.equal(
    learner.takeRest().reduce((sum, { from, to }) => sum + to - from, 0),
    1,
  );
});

test('a silent leader is left after syncLimit, or sooner where that is wanted', () => {
  const patient = following();
  patient.tick(500);
  assert.equal(patient.isStopped, false);
  patient.tick(501);
  assert.ok(patient.isStopped);
  const quick = following({ silenceLimitMs: 200 });
  quick.tick(200);
  assert.equal(quick.isStopped, false);
  quick.tick(201);
  assert.match(reasonOf(settle(quick)), /the leader is silent/);
});

test('HANDOVER ends the role and names who leads next', () => {
  const learner = following();
  const succession = { leader: 3, round: 9n, zxid: { high: 5, low: 0 } };
  learner.onHandOver(succession, 0);
  assert.match(reasonOf(settle(learner)), /handed over to 3/);
  assert.deepEqual(learner.succession, succession);
});

test('whoever is let go after ACKEPOCH, and before anything comes of it, was refused', () => {
  const learner = newLearner();
  learner.onLinkUp(link, 0);
  learner.onLeaderInfo(5, 0);
  settle(learner);
  assert.equal(learner.wasRefused, false);
  learner.onLinkDown('closed');
  assert.equal(learner.wasRefused, true);
  const later = synchronised();
  later.onLinkDown('closed');
  assert.equal(later.wasRefused, false);
});
