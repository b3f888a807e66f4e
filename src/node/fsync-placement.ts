/**
 * Where to run fdatasync. On the event loop it costs its own time, in the pool a trip through two
 * threads on top: where the disk answers in 50 us the trip is most of a small write's latency, where
 * it answers in 5 ms the loop must never wait for it. So: inline while a moving average of what it
 * took stays small, in the pool otherwise. From the pool it comes back carefully: after a run of
 * quick flushes one is tried inline, and a single slow one (a stall of 1 ms moves the average by
 * 125 us) sends it away again.
 */

/** Above this average the loop does not wait for the disk. */
const inlineAverageMsMax = 0.1;
/** A flush in the pool is measured with its trip, so "quick" is a little more there. */
const poolAverageMsMax = 0.2;
/** That many quick ones in a row before the loop is risked again. */
const poolRunBeforeInline = 32;
const weight = 1 / 8;

export class FsyncPlacement {
  #inline = true;
  #averageMs = 0;
  #quickRun = 0;

  get inline(): boolean {
    return this.#inline;
  }

  get averageMs(): number {
    return this.#averageMs;
  }

  /** What the flush took that was placed by the answer of `inline` just before. */
  record(ms: number, wasInline: boolean): void {
    this.#averageMs += (ms - this.#averageMs) * weight;
    if (wasInline) {
      if (this.#averageMs <= inlineAverageMsMax) return;
      this.#inline = false;
      this.#quickRun = 0;
      return;
    }
    this.#quickRun = ms <= poolAverageMsMax ? this.#quickRun + 1 : 0;
    if (this.#quickRun < poolRunBeforeInline) return;
    this.#inline = true;
    this.#averageMs = 0;
  }
}
