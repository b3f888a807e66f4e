/**
 * The arithmetic of the benchmark: medians over rounds, percentiles over counted latencies. Pure, so
 * that a wrong figure in the report is never a wrong formula.
 */

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** The middle of the values; the mean of the two in the middle when they are even in number. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('the median of nothing');
  const sorted = [...values].sort((left, right) => left - right);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}

/** Null when there is nothing to summarize. */
export function summarize(values: readonly number[]): Summary | null {
  if (values.length === 0) return null;
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    count: values.length,
  };
}

/** One value and how often it was seen. */
export type Counted = readonly [value: number, count: number];

/**
 * The smallest value that more than the fraction `q` of all are not above (as the load generator
 * computes its own); null when nothing was counted.
 */
export function percentile(counted: Iterable<Counted>, q: number): number | null {
  const sorted = [...counted].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  const wanted = Math.floor(total * q);
  let seen = 0;
  for (const [value, count] of sorted) {
    seen += count;
    if (seen > wanted) return value;
  }
  return sorted.at(-1)?.[0] ?? null;
}
