/**
 * Where to run fdatasync. On the event loop it costs its own time, in the pool a trip through two
 * threads on top: where the disk answers in 50 us the trip is most of a small write's latency, where
 * it answers in 5 ms the loop must never wait for it. In between it depends on what is flushed: a
 * write that came alone is answered a quarter sooner by a loop that waits 150 us for it, a batch of
 * many means that others are waiting for the loop.
 *
 * So: by a moving average of what it took inline, always, for small flushes only, or never. From
 * "never" it comes back carefully: after a run of quick flushes in the pool one is tried inline, and
 * a single slow one (a stall of 2 ms moves the average by 250 us) sends it away again.
 */

/** Up to this average the loop waits for every flush. */
const alwaysMsMax = 0.1;
/** Up to this one for small flushes. */
const smallMsMax = 0.25;
/** A handful of writes. */
const smallBytesMax = 2048;
/** A flush in the pool is measured with its trip, so "quick" is a little more there. */
const poolMsMax = 0.35;
/** That many quick ones in a row before the loop is risked again. */
const poolRunBeforeInline = 32;
const weight = 1 / 8;

export class FsyncPlacement {
  #averageMs = 0;
  #isAway = false;
  #quickRun = 0;

  /** Of those that ran inline. */
  get averageMs(): number {
    return this.#averageMs;
  }

  /** Whether a flush of so many bytes runs on the loop. */
  isInline(byteCount: number): boolean {
    if (this.#isAway) return false;
    return this.#averageMs <= alwaysMsMax || byteCount <= smallBytesMax;
  }

  /** What the flush took that was placed by the answer of `isInline` just before. */
  record(ms: number, wasInline: boolean): void {
    if (wasInline) {
      this.#averageMs += (ms - this.#averageMs) * weight;
      if (this.#averageMs <= smallMsMax) return;
      this.#isAway = true;
      this.#quickRun = 0;
      return;
    }
    if (!this.#isAway) return;
    this.#quickRun = ms <= poolMsMax ? this.#quickRun + 1 : 0;
    if (this.#quickRun < poolRunBeforeInline) return;
    this.#isAway = false;
    // neither trusted for every flush at once, nor gone again at the first that is a little slow
    this.#averageMs = (alwaysMsMax + smallMsMax) / 2;
  }
}
