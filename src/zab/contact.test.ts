import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drain, follow, newLeader, said, settle } from './leader.fixture.js';

test('without a quorum that follows the role ends', () => {
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

test('who is not heard for syncLimit is dropped, and with it the quorum', () => {
  const leader = newLeader([1, 2, 3]);
  for (const sid of [2, 3]) follow(leader, sid, sid);
  leader.onHeard(3, 400);
  leader.tick(501);
  assert.deepEqual(said(drain(leader)), ['close 2', 'ping 3']);
  assert.ok(leader.isServing);
  leader.tick(901);
  const [ready] = drain(leader);
  assert.match(ready?.stop ?? '', /fewer than a quorum/);
});

test('whoever follows is pinged twice a tick', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  assert.equal(leader.deadlineMs, 50);
  leader.tick(49);
  assert.deepEqual(said(drain(leader)), []);
  leader.tick(50);
  assert.deepEqual(said(drain(leader)), ['ping 7']);
  assert.equal(leader.deadlineMs, 100);
});
