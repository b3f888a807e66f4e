import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TxnBatch } from '../protocol/txn-batch.js';
import { CommittedLog } from './committed-log.js';
import { Leader } from './leader.js';
import { Learner } from './learner.js';
import { majorityQuorum } from './quorum.js';
import type { Ready } from './ready.js';

const EPOCH = 5;

function drain(role: { takeReady(): Ready | null }): Ready[] {
  const readys: Ready[] = [];
  for (let next = role.takeReady(); next !== null; next = role.takeReady()) readys.push(next);
  return readys;
}

function settle(role: { takeReady(): Ready | null; persisted(seq: number): void }): Ready[] {
  const all: Ready[] = [];
  for (let readys = drain(role); readys.length > 0; readys = drain(role)) {
    all.push(...readys);
    for (const { seq, persist } of readys) if (persist !== null) role.persisted(seq);
  }
  return all;
}

const said = (readys: readonly Ready[]): string[] =>
  readys.flatMap(({ messages, messagesAfterPersist }) =>
    [...messages, ...messagesAfterPersist].map((message) =>
      'link' in message
        ? `${message.kind} ${message.link}`
        : `${message.kind} ${message.links.join()}`,
    ),
  );
const results = (readys: readonly Ready[]): Ready['results'][number][] =>
  readys.flatMap((ready) => [...ready.results]);

/** Server 1 leads; links 12, 13 … are those of servers 2, 3 … */
function leading(voters: readonly number[], learners: readonly number[]): Leader {
  const quorum = majorityQuorum(voters, 0n);
  const leader = new Leader({
    sid: 1,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: 4,
    currentEpoch: 4,
    lastLogged: { high: 4, low: 9 },
    committedLog: new CommittedLog(500, () => undefined),
    quorums: () => [quorum],
    nowMs: 0,
  });
  for (const sid of learners) {
    leader.onLearnerInfo(10 + sid, { sid, isObserver: false, acceptedEpoch: 4 }, 0);
  }
  settle(leader);
  for (const sid of learners) leader.onAckEpoch(10 + sid, 4, { high: 4, low: 9 }, 0);
  settle(leader);
  for (const sid of learners) leader.onAck(10 + sid, EPOCH, 0, 0);
  settle(leader);
  assert.equal(leader.isServing, true);
  return leader;
}

function record(batch: TxnBatch, high: number, low: number): void {
  const writer = batch.begin();
  writer.writeLongParts(0, 1);
  writer.writeInt(0);
  writer.writeLongParts(high, low);
  writer.writeLongParts(0, 0);
  writer.writeInt(-1);
  writer.writeInt(-101);
  batch.finish();
}

function propose(leader: Leader, count: number): void {
  const batch = new TxnBatch();
  for (let i = 0; i < count; i++) {
    record(batch, EPOCH, leader.nextZxidLow());
    leader.proposed();
  }
  leader.handOver(batch);
}

test('a configuration is committed by a quorum of the old and of the new one', () => {
  const leader = leading([1, 2, 3], [2, 3, 4, 5]);
  leader.reconfigure({ quorum: majorityQuorum([1, 4, 5], 1n), keepsLeader: true });
  propose(leader, 1);
  settle(leader);
  leader.onAck(12, EPOCH, 1, 0);
  leader.onAck(13, EPOCH, 1, 0);
  assert.deepEqual(said(settle(leader)), [], 'nobody of the new one but this server has it');
  assert.equal(leader.committedLow, 0);
  leader.onAck(14, EPOCH, 1, 0);
  const readys = settle(leader);
  assert.deepEqual(said(readys), ['commitAndActivate 12,13,14,15']);
  assert.deepEqual(results(readys), [{ kind: 'activated', high: EPOCH, low: 1, leader: 1 }]);
});

test('what was proposed before a configuration needs the old quorum alone, what follows both', () => {
  const leader = leading([1, 2, 3], [2, 3, 4]);
  propose(leader, 1);
  settle(leader);
  leader.reconfigure({ quorum: majorityQuorum([1, 4], 1n), keepsLeader: true });
  propose(leader, 2);
  settle(leader);
  leader.onAck(12, EPOCH, 3, 0);
  assert.deepEqual(said(settle(leader)), ['commit 12,13,14']);
  assert.equal(leader.committedLow, 1);
  leader.onAck(14, EPOCH, 3, 0);
  assert.deepEqual(said(settle(leader)), ['commitAndActivate 12,13,14', 'commit 12,13,14']);
  assert.equal(leader.committedLow, 3);
});

test('a restart would begin with the configuration before anybody is told of it', () => {
  const leader = leading([1, 2, 3], [2, 3]);
  leader.reconfigure({ quorum: majorityQuorum([1, 2], 1n), keepsLeader: true });
  propose(leader, 2);
  const saving = drain(leader).find(({ persist }) => persist !== null);
  assert.equal(saving?.persist?.config, 'seen', 'before its own acknowledgement');
  leader.persisted(saving.seq);
  leader.onAck(12, EPOCH, 2, 0);
  const [activating, ...more] = drain(leader);
  assert.equal(activating?.persist?.config, 'inForce');
  assert.deepEqual(more, []);
  assert.deepEqual(said([activating]), []);
  // decided is decided: who is gone now has it, and the new quorum needs nobody else
  leader.onLinkDown(13);
  leader.persisted(activating.seq);
  assert.deepEqual(said(drain(leader)), ['commitAndActivate 12,13', 'commit 12']);
});

test('from then on the new quorum alone decides', () => {
  const leader = leading([1, 2, 3], [2, 3, 4]);
  leader.reconfigure({ quorum: majorityQuorum([1, 4], 1n), keepsLeader: true });
  propose(leader, 1);
  settle(leader);
  for (const link of [12, 14]) leader.onAck(link, EPOCH, 1, 0);
  settle(leader);
  propose(leader, 1);
  settle(leader);
  leader.onAck(12, EPOCH, 2, 0);
  leader.onAck(13, EPOCH, 2, 0);
  assert.equal(leader.committedLow, 1, 'they vote no more');
  leader.onAck(14, EPOCH, 2, 0);
  settle(leader);
  assert.equal(leader.committedLow, 2);
});

test('a leader that the configuration leaves out names who has most, and commits no more', () => {
  const leader = leading([1, 2, 3], [2, 3]);
  leader.reconfigure({ quorum: majorityQuorum([2, 3], 1n), keepsLeader: false });
  propose(leader, 3);
  settle(leader);
  leader.onAck(13, EPOCH, 2, 0);
  leader.onAck(12, EPOCH, 1, 0);
  const readys = settle(leader);
  assert.deepEqual(results(readys), [{ kind: 'activated', high: EPOCH, low: 1, leader: 3 }]);
  leader.onAck(12, EPOCH, 3, 0);
  leader.onAck(13, EPOCH, 3, 0);
  settle(leader);
  assert.equal(leader.committedLow, 1);
});

test('who comes between the decision and the telling is told the whole after it', () => {
  const leader = leading([1, 2, 3], [2]);
  leader.reconfigure({ quorum: majorityQuorum([1, 2], 1n), keepsLeader: true });
  propose(leader, 1);
  settle(leader);
  leader.onAck(12, EPOCH, 1, 0);
  const [activating] = drain(leader);
  leader.onLearnerInfo(13, { sid: 3, isObserver: false, acceptedEpoch: 4 }, 0);
  leader.onAckEpoch(13, 4, { high: 4, low: 9 }, 0);
  assert.deepEqual(said(drain(leader)), ['leaderInfo 13']);
  leader.persisted(activating?.seq ?? 0);
  const told = said(drain(leader));
  assert.deepEqual(told.slice(0, 2), ['commitAndActivate 12', 'sync 13']);
});

test('while one is under way the quorum of both must follow', () => {
  const leader = leading([1, 2, 3], [2, 3, 4]);
  assert.equal(leader.hasQuorumOf(majorityQuorum([1, 4, 5], 1n)), true);
  assert.equal(leader.hasQuorumOf(majorityQuorum([4, 5, 6], 1n)), false);
  leader.reconfigure({ quorum: majorityQuorum([1, 4], 1n), keepsLeader: true });
  assert.equal(leader.isReconfiguring, true);
  leader.onLinkDown(14);
  leader.tick(60);
  assert.match(settle(leader).at(-1)?.stop ?? '', /fewer than a quorum/);
});

test('a leader that begins with two configurations needs both quorums from the first step', () => {
  const quorums = [majorityQuorum([1, 2, 3], 1n), majorityQuorum([1, 4, 5], 2n)];
  const leader = new Leader({
    sid: 1,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: 4,
    currentEpoch: 4,
    lastLogged: { high: 4, low: 9 },
    committedLog: new CommittedLog(500, () => undefined),
    quorums: () => quorums,
    nowMs: 0,
  });
  leader.onLearnerInfo(12, { sid: 2, isObserver: false, acceptedEpoch: 4 }, 0);
  assert.deepEqual(drain(leader), []);
  leader.onLearnerInfo(14, { sid: 4, isObserver: false, acceptedEpoch: 4 }, 0);
  assert.equal(drain(leader)[0]?.persist?.acceptedEpoch, 5);
});

/** Server 1 leads alone in the configuration in force, and with server 2 in the one proposed. */
function undecided(isApache: boolean): Leader {
  const quorums = [majorityQuorum([1], 1n), majorityQuorum([1, 2], 2n)];
  const leader = new Leader({
    sid: 1,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: 4,
    currentEpoch: 4,
    lastLogged: { high: 4, low: 9 },
    committedLog: new CommittedLog(500, () => undefined),
    quorums: () => quorums,
    nowMs: 0,
  });
  leader.onLearnerInfo(19, { sid: 9, isObserver: true, acceptedEpoch: 30 }, 0);
  assert.deepEqual(drain(leader), [], 'who votes in neither is not waited for, nor heard');
  leader.onLearnerInfo(12, { sid: 2, isObserver: true, acceptedEpoch: 6, isApache }, 0);
  return leader;
}

test('an observer that a proposed configuration makes a voter is heard, until it is decided', () => {
  const leader = undecided(false);
  const promise = drain(leader).find(({ persist }) => persist !== null);
  assert.equal(promise?.persist?.acceptedEpoch, 7, 'above what it has promised');
  leader.persisted(promise.seq);
  assert.deepEqual(said(settle(leader)), ['leaderInfo 19', 'leaderInfo 12']);
  leader.onAckEpoch(12, 4, { high: 4, low: 9 }, 0);
  assert.deepEqual(said(settle(leader)), ['sync 12', 'newLeader 12']);
  assert.equal(leader.isServing, false, 'it does not have the configuration yet');
  leader.onAck(12, 7, 0, 0);
  assert.deepEqual(said(settle(leader)), ['upToDate 12']);
  assert.equal(leader.isServing, true);
  // what follows it is told of as an observer: it comes again as the voter that it is
  leader.tick(60);
  assert.match(settle(leader).at(-1)?.stop ?? '', /fewer than a quorum/);
});

test('an observer that knows more than the leader is no voice for it', () => {
  const leader = undecided(false);
  settle(leader);
  leader.onAckEpoch(12, 4, { high: 4, low: 10 }, 0);
  assert.deepEqual(said(settle(leader)), ['close 12']);
  leader.onAckEpoch(19, 4, { high: 4, low: 9 }, 0);
  assert.deepEqual(said(settle(leader)), [], 'and nobody else is');
});

test('an observer that promised the epoch before, or has lost its history, is no voice', () => {
  for (const [currentEpoch, low] of [
    [-1, 9],
    [0, 0],
  ] as const) {
    const leader = undecided(false);
    settle(leader);
    leader.onAckEpoch(12, currentEpoch, { high: low === 0 ? 0 : 4, low }, 0);
    const isWiped = currentEpoch === 0;
    // all voters have promised: then nothing can be overlooked
    assert.deepEqual(said(settle(leader)), isWiped ? ['sync 12'] : []);
  }
});

test("Apache's observer acknowledges what it has not logged: it is sent a snapshot, which it saves", () => {
  const leader = undecided(true);
  settle(leader);
  leader.onAckEpoch(12, 4, { high: 4, low: 9 }, 0);
  const [message] = settle(leader).flatMap((ready) => ready.messagesAfterPersist);
  assert.deepEqual(message, { kind: 'sync', link: 12, choice: { kind: 'snap' } });
  leader.streamed(12, { high: 4, low: 9 });
  assert.deepEqual(said(settle(leader)), ['newLeader 12']);
  leader.onAck(12, 7, 0, 0);
  settle(leader);
  assert.equal(leader.isServing, true);
});

// ---------------------------------------------------------------------- learners

function following(): Learner {
  const learner = new Learner({
    isObserver: false,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: EPOCH - 1,
    currentEpoch: EPOCH - 1,
    lastLogged: { high: 4, low: 9 },
    committedLog: new CommittedLog(500, () => undefined),
    takeBatch: () => new TxnBatch(),
    nowMs: 0,
  });
  learner.onLinkUp(7, 0);
  learner.onLeaderInfo(EPOCH, 0);
  settle(learner);
  learner.onDiff(0);
  learner.onNewLeader(EPOCH, 0);
  settle(learner);
  learner.onUpToDate(0);
  settle(learner);
  return learner;
}

function offer(learner: Learner, low: number): void {
  const batch = new TxnBatch();
  record(batch, EPOCH, low);
  learner.onProposal(batch.bytes, batch.payloadStart(0), batch.payloadEnd(0), 0);
}

test('a learner saves what is proposed before it acknowledges it', () => {
  const learner = following();
  learner.onConfigSeen();
  offer(learner, 1);
  const [ready, ...more] = drain(learner);
  assert.equal(ready?.persist?.config, 'seen');
  assert.equal(ready.persist.batch?.count, 1);
  assert.deepEqual(more, [], 'nothing overtakes it');
  learner.persisted(ready.seq);
  assert.deepEqual(said(drain(learner)), ['ack 7']);
});

test('a learner activates what was committed when it has applied it', () => {
  const learner = following();
  learner.onConfigSeen();
  offer(learner, 1);
  learner.onCommitAndActivate(EPOCH, 1, 3, 0);
  const readys = settle(learner);
  assert.deepEqual(results(readys), [{ kind: 'activated', high: EPOCH, low: 1, leader: 3 }]);
  const activating = readys.find((ready) => ready.results.length > 0);
  assert.equal(activating?.committed.length, 1, 'in the same step, behind it');
});
