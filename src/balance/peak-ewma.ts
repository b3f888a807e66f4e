/**
 * How long a target takes, as Finagle's peak EWMA sees it: a moving average that jumps to every peak at
 * once and forgets it slowly. A plain average needs many slow answers to notice a slow target; a
 * balancer that waits for them sends it those many.
 *
 * A failure never makes a target look faster than it looked: one that refuses within a millisecond
 * would otherwise attract everything. Long polls (watches) are no latencies: do not tell them.
 */

/** Load of a target about which nothing is known while something is on its way to it. */
const UNKNOWN_COST_MS = 1e6;

export class PeakEwma {
  readonly #decayMs: number;
  #costMs = 0;
  #atMs = 0;

  /** After `decayMs` without a peak, a third of it is left. */
  constructor(decayMs: number) {
    this.#decayMs = decayMs;
  }

  observe(latencyMs: number, nowMs: number): void {
    if (latencyMs > this.#costMs) {
      this.#costMs = latencyMs;
    } else {
      const keep = this.#keep(nowMs);
      this.#costMs = latencyMs * (1 - keep) + this.#costMs * keep;
    }
    this.#atMs = Math.max(this.#atMs, nowMs);
  }

  observeFailure(latencyMs: number, nowMs: number): void {
    this.observe(Math.max(latencyMs, this.#costMs), nowMs);
  }

  /** It took at least so long: nobody waited for the end. */
  observeAtLeast(latencyMs: number, nowMs: number): void {
    if (latencyMs > this.costMs(nowMs)) this.observe(latencyMs, nowMs);
  }

  /** Falls while nothing is measured, so that a target once slow is tried again. */
  costMs(nowMs: number): number {
    return this.#costMs === 0 ? 0 : this.#costMs * this.#keep(nowMs);
  }

  /** What one more request would have to wait for. */
  load(pending: number, nowMs: number): number {
    if (this.#costMs === 0) return pending === 0 ? 0 : UNKNOWN_COST_MS + pending;
    return this.costMs(nowMs) * (pending + 1);
  }

  #keep(nowMs: number): number {
    return Math.exp(-Math.max(0, nowMs - this.#atMs) / this.#decayMs);
  }
}
