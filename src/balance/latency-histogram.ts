/**
 * The latencies of the last while, for "later than 95 of 100 usually are": when a hedged request is sent
 * a second time. Buckets grow by a fifth each, so that a quantile is off by at most that from a
 * microsecond to an hour; what is older than a window counts half, a quarter, and so on.
 */
const GROWTH = 1.2;
const LEAST_MS = 0.001;
const BUCKETS = 120;

export class LatencyHistogram {
  readonly #windowMs: number;
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #fadedMs: number | null = null;

  constructor(windowMs = 30_000) {
    this.#windowMs = windowMs;
  }

  observe(latencyMs: number, nowMs: number): void {
    this.#fade(nowMs);
    const at = Math.ceil(Math.log(Math.max(latencyMs, LEAST_MS) / LEAST_MS) / Math.log(GROWTH));
    this.#counts[Math.min(BUCKETS - 1, at)]! += 1;
    this.#total += 1;
  }

  /** How many it speaks of; old ones count less. */
  get weight(): number {
    return this.#total;
  }

  /** At least so much of `quantile` (0 to 1) of all; null: nothing was measured. */
  quantileMs(quantile: number): number | null {
    if (this.#total <= 0) return null;
    let left = quantile * this.#total;
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#counts[i]!;
      if (left <= 1e-9) return LEAST_MS * GROWTH ** i;
    }
    return LEAST_MS * GROWTH ** (BUCKETS - 1);
  }

  #fade(nowMs: number): void {
    this.#fadedMs ??= nowMs;
    const windows = Math.floor((nowMs - this.#fadedMs) / this.#windowMs);
    if (windows < 1) return;
    this.#fadedMs += windows * this.#windowMs;
    const keep = windows > 30 ? 0 : 0.5 ** windows;
    this.#total *= keep;
    for (let i = 0; i < BUCKETS; i++) this.#counts[i]! *= keep;
  }
}
