import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionThrottle, type ConnectionThrottleOptions } from './connection-throttle.js';

const options: ConnectionThrottleOptions = {
  tokens: 2,
  fillTimeMs: 10,
  fillCount: 1,
  freezeTimeMs: -1,
  dropIncrease: 0.5,
  dropDecrease: 0.25,
  decreaseRatio: 0,
  isWeighted: false,
  newSessionWeight: 3,
  resumeWeight: 2,
};

test('without tokens configured everybody is admitted', () => {
  const throttle = new ConnectionThrottle({ ...options, tokens: 0 }, 0, () => 0);
  for (let i = 0; i < 100; i++) assert.equal(throttle.admits(false, 0), true);
});

test('the bucket empties, and fills with time up to its size', () => {
  const throttle = new ConnectionThrottle(options, 0, () => 0);
  assert.deepEqual(
    [0, 0, 0].map((now) => throttle.admits(false, now)),
    [true, true, false],
  );
  assert.equal(throttle.admits(false, 11), true);
  assert.equal(throttle.admits(false, 12), false);
  assert.deepEqual(
    [500, 500, 500].map((now) => throttle.admits(true, now)),
    [true, true, false],
  );
});

test('weights make a new session dearer than a resumed one', () => {
  const throttle = new ConnectionThrottle({ ...options, isWeighted: true }, 0, () => 0);
  assert.equal(throttle.admits(false, 0), false, 'three tokens of two');
  assert.equal(throttle.admits(true, 0), true);
  assert.equal(throttle.admits(true, 0), false);
});

test('an empty bucket raises the drop chance, a full one lowers it again', () => {
  const blue = { ...options, freezeTimeMs: 5, fillTimeMs: 1000 };
  const throttle = new ConnectionThrottle(blue, 0, () => 0.4);
  throttle.admits(false, 0);
  throttle.admits(false, 0);
  assert.equal(throttle.admits(false, 6), false);
  assert.equal(throttle.dropChance, 0.5);
  assert.equal(throttle.admits(false, 5000), true, 'full again, and the dice above the chance');
  assert.equal(throttle.dropChance, 0.25);
});
