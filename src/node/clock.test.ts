import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeClock } from './clock.js';

test('nothing runs before its time, whatever fraction of a millisecond that is', async () => {
  const early: number[] = [];
  const one = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const dueMs = nodeClock.monotonicMs() + delayMs;
      nodeClock.after(delayMs, () => {
        if (nodeClock.monotonicMs() < dueMs) early.push(nodeClock.monotonicMs() - dueMs);
        resolve();
      });
    });
  // begun at all kinds of moments, while others wake the process
  const rounds = async (first: number): Promise<void> => {
    for (let round = 0; round < 10; round++) await one(first + 0.37 * round);
  };
  await Promise.all(Array.from({ length: 50 }, (_, i) => rounds(i / 10)));
  assert.deepEqual(early, []);
});

test('what is cancelled does not run, also when it was almost due', async () => {
  let ran = 0;
  const timers = Array.from({ length: 50 }, (_, i) => nodeClock.after(i / 10, () => ran++));
  for (const timer of timers) timer.cancel();
  await new Promise<void>((resolve) => {
    nodeClock.after(10, resolve);
  });
  assert.equal(ran, 0);
});
