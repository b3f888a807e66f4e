import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RetryBudget } from './retry-budget.js';

test('at any retry those of the last ttl are no more than the ratio and the reserve allow', () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 3000 }),
    requests: fc.nat({ max: 8 }),
    retries: fc.nat({ max: 30 }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 60 }),
      fc.constantFrom(0, 0.1, 0.2, 1),
      fc.constantFrom(0, 1, 5),
      (steps, ratio, minPerSecond) => {
        const ttlMs = 10_000;
        const sliceMs = 1000;
        const budget = new RetryBudget({ ratio, minPerSecond, ttlMs });
        const requests: number[] = [];
        const retries: number[] = [];
        let now = 5;
        const within = (times: readonly number[], sinceMs: number): number =>
          times.filter((time) => time > sinceMs).length;
        for (const { afterMs, requests: begun, retries: wanted } of steps) {
          now += afterMs;
          for (let i = 0; i < begun; i++) {
            budget.deposit(now);
            requests.push(now);
          }
          for (let i = 0; i < wanted && budget.withdraw(now); i++) {
            retries.push(now);
            // time is kept in slices: what lies just outside the ttl may still count as paid in
            const paid = within(requests, now - ttlMs - sliceMs);
            const most = ratio * paid + (minPerSecond * ttlMs) / 1000;
            assert.ok(within(retries, now - ttlMs + sliceMs) <= most + 1e-6);
          }
        }
      },
    ),
  );
});

test('an idle client has its few a second, and no hoard', () => {
  const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 1, ttlMs: 10_000 });
  const withdrawn = (nowMs: number): number => {
    let count = 0;
    while (budget.withdraw(nowMs)) count++;
    return count;
  };
  assert.equal(withdrawn(0), 10);
  assert.equal(withdrawn(5_000), 0);
  assert.equal(withdrawn(1_000_000), 10);
});

test('five requests pay for one retry', () => {
  const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 0 });
  for (let i = 0; i < 4; i++) budget.deposit(0);
  assert.equal(budget.withdraw(0), false);
  budget.deposit(1);
  assert.equal(budget.withdraw(1), true);
  assert.equal(budget.withdraw(1), false);
});
