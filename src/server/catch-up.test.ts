import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WatchLists } from '../protocol/continuation.js';
import { CatchUp } from './catch-up.js';

const lists = (given: Partial<WatchLists>): WatchLists => ({
  ...{ data: [], exist: [], child: [], persistent: [], recursive: [] },
  ...given,
});

test('all parts count as one', () => {
  const catchUp = new CatchUp(100);
  catchUp.add({ since: 5n, lists: lists({ data: ['/a'], child: ['/c'] }) }, 40);
  catchUp.add({ since: 5n, lists: lists({ data: ['/b'], recursive: ['/r'] }) }, 60);
  assert.equal(catchUp.isRefused, false);
  assert.deepEqual(catchUp.lists, lists({ data: ['/a', '/b'], child: ['/c'], recursive: ['/r'] }));
});

test('too much, or parts that do not belong together, are refused with all that comes behind', () => {
  for (const [since, byteCount] of [
    [5n, 61],
    [6n, 1],
  ] as const) {
    const catchUp = new CatchUp(100);
    catchUp.add({ since: 5n, lists: lists({ data: ['/a'] }) }, 40);
    catchUp.add({ since, lists: lists({ data: ['/b'] }) }, byteCount);
    catchUp.add({ since: 5n, lists: lists({ data: ['/c'] }) }, 1);
    assert.equal(catchUp.isRefused, true);
    assert.deepEqual(catchUp.lists, lists({}), 'nothing is kept of it');
  }
});
