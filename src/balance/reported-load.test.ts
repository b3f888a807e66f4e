import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportedLoad } from './reported-load.js';

test('who reports twice as much gets half as much, within bounds', () => {
  const load = new ReportedLoad();
  const rates = { a: 1000, b: 2000, c: 0 };
  for (let second = 0; second <= 60; second++) {
    for (const [id, rate] of Object.entries(rates)) load.report(id, rate * second, second * 1000);
  }
  const ids = Object.keys(rates);
  const factor = (id: string): number => load.factor(id, ids);
  assert.ok(Math.abs(factor('a') / factor('b') - 2) < 0.01);
  assert.equal(factor('c'), 4);
});

test('one report, or a server that was started anew, says nothing yet', () => {
  const load = new ReportedLoad();
  load.report('a', 1_000_000, 0);
  assert.equal(load.factor('a', ['a', 'b']), 1);
  load.report('a', 1_001_000, 1_000);
  load.report('b', 0, 0);
  load.report('b', 1_000, 1_000);
  load.report('a', 5, 2_000);
  assert.ok(Math.abs(load.factor('a', ['a', 'b']) - 1) < 0.01);
  load.forget('a');
  assert.equal(load.factor('a', ['a', 'b']), 1);
});

test('idle servers are alike', () => {
  const load = new ReportedLoad();
  for (const [id, count] of [
    ['a', 0.1],
    ['b', 0],
  ] as const) {
    load.report(id, 0, 0);
    load.report(id, count, 1_000);
  }
  assert.ok(Math.abs(load.factor('a', ['a', 'b']) - 1) < 0.1);
});
