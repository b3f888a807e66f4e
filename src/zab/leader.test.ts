import assert from 'node:assert/strict';
import { test } from 'node:test';
import { committed, drain, follow, newLeader, propose, said, settle } from './leader.fixture.js';

test('phase 1: the epoch is above all of a quorum, and is told only when it is durable', () => {
  const leader = newLeader([1, 2, 3]);
  assert.deepEqual(drain(leader), []);
  leader.onLearnerInfo(7, { sid: 2, isObserver: false, acceptedEpoch: 6 }, 0);
  const [ready, ...rest] = drain(leader);
  assert.deepEqual(rest, []);
  assert.equal(ready?.persist?.acceptedEpoch, 7);
  assert.deepEqual(said([ready]), []);
  leader.persisted(ready.seq);
  assert.deepEqual(said(drain(leader)), ['leaderInfo 7']);
});

test('phase 1: who knows more than this leader is not led by it', () => {
  for (const [epoch, low] of [
    [4, 10],
    [5, 0],
  ] as const) {
    const leader = newLeader([1, 2, 3]);
    leader.onLearnerInfo(7, { sid: 2, isObserver: false, acceptedEpoch: 4 }, 0);
    settle(leader);
    leader.onAckEpoch(7, epoch, { high: 4, low }, 0);
    assert.deepEqual(said(settle(leader)), ['close 7']);
    assert.equal(leader.isServing, false);
  }
});

test('phase 2: the history is a quorum’s before anybody is served', () => {
  const leader = newLeader([1, 2, 3]);
  const readys = follow(leader, 7, 2);
  assert.deepEqual(said(readys), ['leaderInfo 7', 'sync 7', 'newLeader 7', 'upToDate 7']);
  const persists = readys.flatMap(({ persist }) => (persist === null ? [] : [persist]));
  assert.deepEqual(
    persists.map(({ acceptedEpoch, beginEpoch, finishEpoch }) => [
      acceptedEpoch,
      beginEpoch,
      finishEpoch,
    ]),
    [
      [5, null, false],
      [null, 5, true],
    ],
  );
  assert.equal(leader.isServing, true);
});

test('phase 3: a proposal leaves before the own flush and is committed after it and a quorum', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 2);
  const proposing = drain(leader);
  assert.deepEqual(said(proposing), ['propose 7']);
  leader.onAck(7, 5, 1, 0);
  leader.onAck(7, 5, 2, 0);
  assert.equal(committed(drain(leader)), 0, 'not on its own disk');
  leader.persisted(proposing.at(-1)?.seq ?? 0);
  const done = drain(leader);
  assert.equal(committed(done), 2);
  assert.deepEqual(said(done), ['commit 7']);
});

test('phase 3: the own flush alone commits nothing', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 1);
  assert.equal(committed(settle(leader)), 0);
  leader.onAck(7, 5, 1, 0);
  assert.equal(committed(settle(leader)), 1);
});

test('an acknowledgement ends with its connection', () => {
  const leader = newLeader([1, 2, 3, 4, 5]);
  const links = [7, 8];
  for (const link of links) {
    leader.onLearnerInfo(link, { sid: link - 5, isObserver: false, acceptedEpoch: 4 }, 0);
  }
  settle(leader);
  for (const link of links) leader.onAckEpoch(link, 4, { high: 4, low: 9 }, 0);
  settle(leader);
  for (const link of links) leader.onAck(link, leader.epoch, 0, 0);
  settle(leader);
  assert.equal(leader.isServing, true);
  const epoch = leader.epoch;
  propose(leader, 1);
  settle(leader);
  leader.onAck(7, epoch, 1, 0);
  leader.onLinkDown(7);
  leader.onAck(8, epoch, 1, 0);
  assert.equal(committed(settle(leader)), 0, 'server 2 may have cut off what it acknowledged');
});

test('a sync is answered after a quorum’s echo and what was proposed before it', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 1);
  settle(leader);
  leader.requestSync(99);
  assert.deepEqual(said(drain(leader)), ['ping 7']);
  leader.onPong(7, 0);
  assert.deepEqual(
    settle(leader).flatMap(({ results }) => results),
    [],
  );
  leader.onAck(7, 5, 1, 0);
  assert.deepEqual(
    settle(leader).flatMap(({ results }) => results),
    [{ kind: 'synced', token: 99 }],
  );
});

test('without a quorum that follows the role ends; so it does when none comes in time', () => {
  const waiting = newLeader([1, 2, 3]);
  waiting.tick(1000);
  assert.match(settle(waiting)[0]?.stop ?? '', /no quorum in time/);
  const left = newLeader([1, 2, 3]);
  follow(left, 7, 2);
  left.onLinkDown(7);
  assert.match(settle(left).at(-1)?.stop ?? '', /fewer than a quorum/);
  const deserted = newLeader([1, 2, 3]);
  for (const sid of [2, 3]) follow(deserted, sid, sid);
  deserted.onLinkDown(3);
  assert.equal(deserted.isStopped, false, 'two of three are left');
  deserted.onLinkDown(2);
  assert.ok(deserted.isStopped);
});

test('older releases acknowledge history before NEWLEADER (ZOOKEEPER-4685): it counts for nothing', () => {
  const leader = newLeader([1, 2, 3]);
  leader.onLearnerInfo(7, { sid: 2, isObserver: false, acceptedEpoch: 4 }, 0);
  settle(leader);
  leader.onAckEpoch(7, 4, { high: 4, low: 5 }, 0);
  settle(leader);
  for (const link of leader.links()) {
    if (link.phase === 'streaming') leader.streamed(link.id, { high: 4, low: 9 });
  }
  settle(leader);
  for (const low of [6, 7, 8, 9]) leader.onAck(7, 4, low, 0);
  assert.deepEqual(said(settle(leader)), []);
  assert.equal(leader.isServing, false);
  leader.onAck(7, 5, 0, 0);
  assert.deepEqual(said(settle(leader)), ['upToDate 7']);
  leader.onAck(7, 4, 9, 0);
  const batch = propose(leader, 1);
  const readys = settle(leader);
  assert.equal(committed(readys), 0, 'an older acknowledgement is none of this proposal');
  assert.equal(batch.count, 1);
});

test('a voter that has promised a later epoch gets one, instead of being left out for ever', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  assert.equal(leader.isServing, true);
  leader.onLearnerInfo(8, { sid: 3, isObserver: true, acceptedEpoch: 6 }, 0);
  settle(leader);
  assert.equal(leader.isServing, true, 'an observer is no part of a quorum');
  leader.onLearnerInfo(9, { sid: 3, isObserver: false, acceptedEpoch: 6 }, 0);
  const [ready] = drain(leader);
  assert.match(ready?.stop ?? '', /has promised epoch 6/);
  assert.equal(leader.isServing, false);
  assert.equal(leader.epochFloor, 6, 'the next one is above it');
});

test('an epoch that no election led to ends nothing: that file is damaged', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  leader.onLearnerInfo(9, { sid: 3, isObserver: false, acceptedEpoch: 0x7fffffff }, 0);
  const readys = drain(leader);
  assert.ok(readys.every(({ stop }) => stop === null));
  assert.ok(leader.isServing);
  assert.deepEqual(
    [...leader.links()].map(({ sid }) => sid),
    [2],
  );
});
