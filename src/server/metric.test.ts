import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CounterFamily, Double, PercentileSummary, Summary, SummaryFamily } from './metric.js';
import type { MetricEntry } from './metric.js';
import { ServerMetrics } from './metrics.js';

function plain(entries: Iterable<MetricEntry>): Record<string, unknown> {
  return Object.fromEntries(
    [...entries].map(([name, value]) => [name, value instanceof Double ? value.value : value]),
  );
}

test('a summary before its first value is all zero', () => {
  assert.deepEqual(plain(new Summary('x').entries()), {
    avg_x: 0,
    min_x: 0,
    max_x: 0,
    cnt_x: 0,
    sum_x: 0,
  });
});

test('a summary knows the smallest, the largest, how many and the sum', () => {
  const summary = new Summary('x');
  for (const value of [5, 3, 9]) summary.add(value);
  const expected = { avg_x: 5.6667, min_x: 3, max_x: 9, cnt_x: 3, sum_x: 17 };
  assert.deepEqual(plain(summary.entries()), expected);
  summary.reset();
  summary.add(7);
  assert.equal(summary.min, 7);
});

/** Interpolated between ranks of the sorted list, as Apache's library does. */
function exactPercentile(values: readonly number[], quantile: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = quantile * (sorted.length + 1);
  const rank = Math.floor(position);
  const at = (index: number): number =>
    sorted[Math.min(Math.max(index, 0), sorted.length - 1)] ?? 0;
  if (rank < 1) return at(0);
  if (rank >= sorted.length) return at(sorted.length - 1);
  return at(rank - 1) + (position - rank) * (at(rank) - at(rank - 1));
}

test('percentiles are exact for small values and within 1/32 for large ones', () => {
  const values = fc.array(fc.oneof(fc.nat({ max: 63 }), fc.nat({ max: 0x7fffffff })), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(
    fc.property(values, (sample) => {
      const summary = new PercentileSummary('x');
      for (const value of sample) summary.add(value);
      for (const quantile of [0.5, 0.95, 0.99, 0.999]) {
        const [ours, exact] = [summary.percentile(quantile), exactPercentile(sample, quantile)];
        const tolerance = sample.every((value) => value < 64) ? 1e-9 : exact / 32 + 1e-9;
        assert.ok(Math.abs(ours - exact) <= tolerance, `${quantile}: ${ours} for ${exact}`);
      }
    }),
  );
});

test('odd values spoil nothing', () => {
  const summary = new PercentileSummary('x');
  for (const value of [-5, 0.4, 2 ** 40, NaN]) summary.add(value);
  assert.equal(summary.count, 4);
  assert.ok(summary.percentile(0.5) >= -5);
});

test('families name their members by key, and do not grow without end', () => {
  const family = new SummaryFamily('read_per_namespace');
  family.of('app')?.add(3);
  assert.equal(plain(family.entries())['cnt_app_read_per_namespace'], 1);
  const counters = new CounterFamily('x');
  for (let i = 0; i < 5000; i++) counters.of(`n${i}`)?.add(1);
  assert.equal([...counters.entries()].length, 1000);
  assert.equal(counters.of('one-more'), undefined);
});

test('a reset clears every figure', () => {
  const metrics = new ServerMetrics();
  metrics.fsyncTimeMs.add(3);
  metrics.updateLatencyMs.add(3);
  metrics.bytesReceivedCount.value += 7;
  metrics.reset();
  assert.ok(Object.values(plain(metrics.entries())).every((value) => value === 0));
});
