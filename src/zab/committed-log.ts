/**
 * The most recent committed transactions, kept in memory so that a server that was away for a moment
 * is brought up to date without reading the disk. They stay in the batches in which they were
 * proposed: nothing is copied. Gapless within an epoch, and between epochs it goes on with the first
 * transaction of the next (ZOOKEEPER-4925: a hole here would be passed on to everybody who
 * synchronises from it), which is asserted at each push.
 */
import { assert, present } from '../base/assert.js';
import { Ring } from '../base/ring.js';
import type { TxnBatch } from '../protocol/txn-batch.js';

/** A run of records in one batch, `to` exclusive. */
export interface TxnRange {
  readonly batch: TxnBatch;
  readonly from: number;
  readonly to: number;
}

/** Ranges at a time; one holds at least one transaction. */
const RANGES_MAX = 1 << 24;

export class CommittedLog {
  readonly #countMin: number;
  readonly #release: (batch: TxnBatch) => void;
  readonly #ranges = new Ring<TxnRange>(RANGES_MAX);
  #count = 0;
  #lastHigh = 0;
  #lastLow = 0;

  /** Keeps at least `countMin` of them once there were so many (`commitLogCount`). */
  constructor(countMin: number, release: (batch: TxnBatch) => void) {
    this.#countMin = countMin;
    this.#release = release;
  }

  get count(): number {
    return this.#count;
  }

  /** The oldest; 0 when it is empty. */
  get firstHigh(): number {
    const first = this.#ranges.peek();
    return first === undefined ? 0 : first.batch.zxidHigh(first.from);
  }

  get firstLow(): number {
    const first = this.#ranges.peek();
    return first === undefined ? 0 : first.batch.zxidLow(first.from);
  }

  get lastHigh(): number {
    return this.#lastHigh;
  }

  get lastLow(): number {
    return this.#lastLow;
  }

  /** Committed just now, in order. Its batch is given back when none of its records is needed. */
  push(range: TxnRange): void {
    assert(range.to > range.from, 'a range holds a transaction');
    const high = range.batch.zxidHigh(range.from);
    const low = range.batch.zxidLow(range.from);
    if (this.#count > 0) {
      const goesOn = high === this.#lastHigh ? low === this.#lastLow + 1 : high > this.#lastHigh;
      assert(goesOn, 'what is committed follows what was committed before, without a hole');
    }
    this.#ranges.push(range);
    this.#count += range.to - range.from;
    this.#lastHigh = range.batch.zxidHigh(range.to - 1);
    this.#lastLow = range.batch.zxidLow(range.to - 1);
  }

  /** Lets go of what is beyond the count. Only when everything pushed has been applied. */
  trim(): void {
    for (;;) {
      const oldest = this.#ranges.peek();
      if (oldest === undefined) return;
      const size = oldest.to - oldest.from;
      if (this.#count - size < this.#countMin) return;
      this.#ranges.shift();
      this.#count -= size;
      // a batch may be committed in pieces: it is free with its last one
      if (oldest.to === oldest.batch.count) this.#release(oldest.batch);
    }
  }

  /** Forgets everything: what follows does not continue it. */
  clear(): void {
    for (let range = this.#ranges.shift(); range !== undefined; range = this.#ranges.shift()) {
      if (range.to === range.batch.count) this.#release(range.batch);
    }
    this.#count = 0;
    this.#lastHigh = 0;
    this.#lastLow = 0;
  }

  /** Calls `visit` with the runs of transactions above the zxid, in order. */
  forEachAfter(high: number, low: number, visit: (range: TxnRange) => void): void {
    for (let i = 0; i < this.#ranges.size; i++) {
      const range = present(this.#ranges.at(i), 'it is within the size');
      const { batch, to } = range;
      if (!isAbove(batch.zxidHigh(to - 1), batch.zxidLow(to - 1), high, low)) continue;
      let from = range.from;
      while (!isAbove(batch.zxidHigh(from), batch.zxidLow(from), high, low)) from++;
      visit(from === range.from ? range : { batch, from, to });
    }
  }

  /** The last transaction at or below the zxid, or null when there is none. */
  floor(high: number, low: number): { readonly high: number; readonly low: number } | null {
    let found: { readonly high: number; readonly low: number } | null = null;
    for (let i = 0; i < this.#ranges.size; i++) {
      const { batch, from, to } = present(this.#ranges.at(i), 'it is within the size');
      if (isAbove(batch.zxidHigh(from), batch.zxidLow(from), high, low)) break;
      let at = to - 1;
      while (isAbove(batch.zxidHigh(at), batch.zxidLow(at), high, low)) at--;
      found = { high: batch.zxidHigh(at), low: batch.zxidLow(at) };
    }
    return found;
  }
}

/** Of zxids in halves. */
export function isAbove(high: number, low: number, thanHigh: number, thanLow: number): boolean {
  return high === thanHigh ? low > thanLow : high > thanHigh;
}
