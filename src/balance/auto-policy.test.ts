import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AutoPolicy } from './auto-policy.js';

test('even latencies: least-connections, as at the start', () => {
  const auto = new AutoPolicy();
  for (let now = 0; now < 120_000; now += 2_000) assert.equal(auto.look([3, 3.2, 2.9], now), null);
  assert.equal(auto.policy, 'least-connections');
});

test('one slow server: p2c-ewma at once, with the reason; even for a while: back', () => {
  const auto = new AutoPolicy();
  const decision = auto.look([2, 9, 2.1], 0);
  assert.deepEqual(decision, {
    policy: 'p2c-ewma',
    reason: 'uneven: 9.0 ms at the slowest, 2.0 ms at the fastest',
  });
  for (let now = 2_000; now < 30_000; now += 2_000)
    assert.equal(auto.look([2, 2.2, 2.1], now), null);
  assert.deepEqual(auto.look([2, 2.2, 2.1], 30_000), {
    policy: 'least-connections',
    reason: 'even: 2.2 ms at the slowest, 2.0 ms at the fastest',
  });
});

test('tenths of a millisecond are nothing, whatever their ratio', () => {
  const auto = new AutoPolicy();
  assert.equal(auto.look([0.1, 0.9], 0), null);
});

test('between the two thresholds it stays as it is, either way', () => {
  const auto = new AutoPolicy();
  assert.equal(auto.look([10, 16], 0), null);
  assert.equal(auto.look([10, 25], 2_000)?.policy, 'p2c-ewma');
  for (let now = 4_000; now < 200_000; now += 2_000) assert.equal(auto.look([10, 16], now), null);
  assert.equal(auto.policy, 'p2c-ewma');
});

test('one alone is not uneven', () => {
  assert.equal(new AutoPolicy().look([500], 0), null);
});
