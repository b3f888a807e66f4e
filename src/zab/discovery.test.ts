import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drain, newLeader, said, settle } from './leader.fixture.js';

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

test('no epoch without a quorum that promises it in time', () => {
  const waiting = newLeader([1, 2, 3]);
  waiting.tick(1000);
  assert.match(settle(waiting)[0]?.stop ?? '', /no quorum in time, waiting for discovery/);
  const unpromised = newLeader([1, 2, 3]);
  unpromised.onLearnerInfo(7, { sid: 2, isObserver: false, acceptedEpoch: 4 }, 600);
  settle(unpromised);
  unpromised.tick(1599);
  assert.equal(unpromised.isStopped, false, 'the promises have their own time');
  unpromised.tick(1600);
  assert.match(settle(unpromised).at(-1)?.stop ?? '', /waiting for promising/);
});
