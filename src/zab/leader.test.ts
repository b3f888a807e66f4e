import assert from 'node:assert/strict';
import { test } from 'node:test';
import { committed, drain, follow, newLeader, propose, said, settle } from './leader.fixture.js';

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
