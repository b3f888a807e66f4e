import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommittedLog } from './committed-log.js';
import { Leader } from './leader.js';
import { drain, follow, newLeader, propose, said, settle } from './leader.fixture.js';
import { Learner } from './learner.js';
import { majorityQuorum } from './quorum.js';
import { TxnBatch } from '../protocol/txn-batch.js';

/** Three servers, 2 and 3 following over links 7 and 8. */
function established(): Leader {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  follow(leader, 8, 3);
  assert.ok(leader.isServing);
  return leader;
}

test('the successor has everything before it is told, the others hear once it has let go', () => {
  const leader = established();
  propose(leader, 2);
  settle(leader);
  assert.ok(leader.beginHandOver(3, 9n, 0));
  assert.equal(leader.isAccepting, false, 'nothing new is proposed');
  leader.onAck(7, leader.epoch, 2, 0);
  assert.deepEqual(said(settle(leader)), ['commit 7,8'], 'committed by a quorum without it');
  leader.onAck(8, leader.epoch, 1, 0);
  assert.deepEqual(said(settle(leader)), []);
  leader.onAck(8, leader.epoch, 2, 0);
  assert.deepEqual(said(settle(leader)), ['handOver 8']);
  assert.deepEqual(leader.succession, {
    leader: 3,
    round: 9n,
    zxid: { high: leader.epoch, low: 2 },
  });
  assert.equal(leader.isStopped, false);
  leader.onLinkDown(8);
  assert.deepEqual(said(settle(leader)), ['handOver 7']);
  leader.onLinkDown(7);
  const [last] = drain(leader);
  assert.equal(last?.stop, 'leadership is handed over to 3');
});

test('a successor that does not keep up is not waited for, and leading goes on', () => {
  const leader = established();
  propose(leader, 1);
  settle(leader);
  leader.onAck(7, leader.epoch, 1, 0);
  settle(leader);
  assert.ok(leader.beginHandOver(3, 9n, 0));
  leader.tick(24);
  assert.ok(leader.isHandingOver);
  leader.tick(25);
  assert.equal(leader.isHandingOver, false);
  assert.equal(leader.succession, null);
  assert.ok(leader.isAccepting);
  propose(leader, 1);
});

test('a successor that is gone before it was told changes nothing either', () => {
  const leader = established();
  propose(leader, 1);
  settle(leader);
  leader.beginHandOver(3, 9n, 0);
  leader.onLinkDown(8);
  assert.equal(leader.isHandingOver, false);
  assert.ok(leader.isServing);
});

test('from the word to the successor on the role ends, heard or not', () => {
  const leader = established();
  leader.beginHandOver(2, 9n, 0);
  assert.deepEqual(said(settle(leader)), ['handOver 7']);
  leader.tick(25);
  const [last] = drain(leader);
  assert.equal(last?.stop, 'leadership is handed over to 2');
});

test('only to a voter that is up to date', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  leader.onLearnerInfo(8, { sid: 3, isObserver: false, acceptedEpoch: 4 }, 0);
  leader.onLearnerInfo(9, { sid: 4, isObserver: false, acceptedEpoch: 4 }, 0);
  settle(leader);
  for (const sid of [1, 3, 4, 5]) assert.equal(leader.beginHandOver(sid, 9n, 0), false);
  assert.equal(leader.isHandingOver, false);
});

test('who synchronised with everything and has acknowledged no proposal can succeed', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 3);
  settle(leader);
  leader.onAck(7, leader.epoch, 3, 0);
  settle(leader);
  follow(leader, 8, 3);
  assert.ok(leader.beginHandOver(3, 9n, 0));
  assert.deepEqual(said(settle(leader)), ['handOver 8']);
});

test('a successor that finds no quorum within a tick leaves it to an election', () => {
  const quorum = majorityQuorum([1, 2, 3], 0n);
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
    discoveryLimitMs: 100,
    nowMs: 0,
  });
  leader.tick(99);
  assert.equal(leader.isStopped, false);
  leader.tick(100);
  assert.ok(leader.isStopped);
});

test('a learner that finds nobody where it was sent leaves it to an election', () => {
  const learner = new Learner({
    isObserver: false,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: 4,
    currentEpoch: 4,
    lastLogged: { high: 4, low: 9 },
    committedLog: new CommittedLog(500, () => undefined),
    takeBatch: () => new TxnBatch(),
    discoveryLimitMs: 100,
    nowMs: 0,
  });
  learner.tick(100);
  assert.equal(learner.isStopped, false);
  learner.tick(101);
  assert.ok(learner.isStopped);
  assert.equal(learner.succession, null);
});
