import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, percentile, summarize } from '../../bench/statistics.js';

test('a median is the middle value, or the mean of the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([100, 20, 3, 1]), 11.5);
  assert.equal(median([7]), 7);
  assert.throws(() => median([]), RangeError);
});

test('a summary leaves the values as they were and knows how far they spread', () => {
  const values = [3, 1, 2];
  assert.deepEqual(summarize(values), { median: 2, min: 1, max: 3, count: 3 });
  assert.deepEqual(values, [3, 1, 2]);
  assert.equal(summarize([]), null);
});

test('a percentile counts what was counted, in whatever order and pieces it comes', () => {
  const counted = [
    [50, 1],
    [10, 500],
    [20, 498],
    [10, 400],
    [900, 1],
  ] as const;
  assert.equal(percentile(counted, 0.5), 10);
  assert.equal(percentile(counted, 0.9), 20);
  assert.equal(percentile(counted, 0.999), 50);
  assert.equal(percentile(counted, 1), 900);
  assert.equal(percentile([[5, 0]], 0.5), null);
});
