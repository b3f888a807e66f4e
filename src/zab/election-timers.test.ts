import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ElectionTimers } from './election-timers.js';

function newTimers(): ElectionTimers {
  const timers = new ElectionTimers({
    finalizeWaitMs: 200,
    minIntervalMs: 100,
    maxIntervalMs: 300,
  });
  timers.proposed(0);
  return timers;
}

test('a vote is repeated at intervals that double, until there may be news', () => {
  const timers = newTimers();
  const repeats: number[] = [];
  for (let i = 0; i < 4; i++) {
    const atMs = timers.deadlineMs;
    assert.ok(timers.mustRepeat(atMs));
    timers.repeated(atMs);
    repeats.push(atMs);
  }
  assert.deepEqual(repeats, [100, 300, 600, 900]);
  timers.expectNews(910);
  assert.equal(timers.deadlineMs, 1010);
});

test('while a quorum agrees nothing is repeated, and the wait is begun once', () => {
  const timers = newTimers();
  assert.equal(timers.agreed(50), false);
  assert.equal(timers.deadlineMs, 250);
  assert.equal(timers.agreed(249), false);
  assert.equal(timers.agreed(250), true);
  timers.disagreed(260);
  assert.equal(timers.deadlineMs, 360, 'it is repeated again');
});

test('a candidate that is lost may return; whoever stands may resign', () => {
  const timers = newTimers();
  timers.candidateLost(10);
  assert.equal(timers.mustRetreat(109), false);
  assert.equal(timers.mustRetreat(110), true);
  timers.candidateReturned();
  assert.equal(timers.mustRetreat(110), false);
  timers.standUntil(40);
  assert.ok(timers.isStanding);
  assert.equal(timers.mustResign(40), true);
  timers.stop();
  assert.equal(timers.deadlineMs, Infinity);
  assert.equal(timers.isStanding, false);
});
