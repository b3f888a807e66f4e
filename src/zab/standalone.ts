/**
 * ZAB with a quorum of one and the epoch policy `inherit`: no discovery, no NEWLEADER, no epoch
 * bump, no epoch files. The zxid on disk goes on as a plain 64-bit counter, as Apache's standalone
 * server has it, so the low half may carry into the high one.
 *
 * It is still the protocol's loop: a proposal is counted (by the only voter) when its batch is
 * durable here, is committed by that, and only then is handed out to be applied. The server runs the
 * same code with an ensemble around it; only this role differs.
 */
import { assert } from '../base/assert.js';
import { Ring } from '../base/ring.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { Outbox, readyToPersist } from './outbox.js';
import { persistBatch, type Ready } from './ready.js';

/** Batches that may wait for the disk at a time: one being flushed, one being filled. */
const BATCHES_IN_FLIGHT_MAX = 16;

export class Standalone {
  /** Highest zxid given to a proposal, as unsigned halves. */
  #proposedHigh: number;
  #proposedLow: number;
  #seq = 0;
  readonly #flushing = new Ring<{ seq: number; batch: TxnBatch }>(BATCHES_IN_FLIGHT_MAX);
  readonly #out = new Outbox();
  #filled: TxnBatch | null = null;

  readonly #flushesMax: () => number;

  /** `flushesMax`: how many batches may be on their way to the disk at once. */
  constructor(lastZxidHigh: number, lastZxidLow: number, flushesMax = (): number => 1) {
    this.#flushesMax = flushesMax;
    this.#proposedHigh = lastZxidHigh >>> 0;
    this.#proposedLow = lastZxidLow >>> 0;
  }

  get proposedHigh(): number {
    return this.#proposedHigh;
  }

  get proposedLow(): number {
    return this.#proposedLow;
  }

  /** The zxid that the next proposal must carry. */
  nextZxidHigh(): number {
    return this.#proposedLow === 0xffffffff ? (this.#proposedHigh + 1) >>> 0 : this.#proposedHigh;
  }

  nextZxidLow(): number {
    return (this.#proposedLow + 1) >>> 0;
  }

  /** A transaction with the next zxid was added to the batch that is being filled. */
  proposed(): void {
    const high = this.nextZxidHigh();
    this.#proposedLow = this.nextZxidLow();
    this.#proposedHigh = high;
  }

  /** Whether `handOver` may be called. Group commit: while that many flush, the next batch fills. */
  get isAccepting(): boolean {
    const isRoom = this.#flushing.size < Math.min(this.#flushesMax(), BATCHES_IN_FLIGHT_MAX);
    return this.#filled === null && isRoom && this.#out.isEmpty;
  }

  /** The batch is complete: its transactions are proposed as one group. */
  handOver(batch: TxnBatch): void {
    assert(this.isAccepting, 'one batch at a time is handed over');
    assert(batch.count > 0, 'an empty batch has nothing to agree on');
    const last = batch.count - 1;
    assert(batch.zxidLow(last) === this.#proposedLow, 'a batch ends with the last proposed zxid');
    assert(batch.zxidHigh(last) === this.#proposedHigh, 'a batch ends with the last proposed zxid');
    this.#filled = batch;
  }

  /** What to do next, or null when only the disk or a client can bring something new. */
  takeReady(): Ready | null {
    if (!this.#out.isEmpty) return this.#out.take(++this.#seq);
    const batch = this.#filled;
    if (batch === null) return null;
    this.#filled = null;
    const seq = ++this.#seq;
    this.#flushing.push({ seq, batch });
    return readyToPersist(seq, persistBatch(batch), null);
  }

  /** The batch of that Ready is durable here, which makes it committed: one is a quorum of one. */
  persisted(seq: number): void {
    const oldest = this.#flushing.shift();
    assert(oldest !== undefined && oldest.seq === seq, 'flushes end in the order they began');
    this.#out.commit({ batch: oldest.batch, from: 0, to: oldest.batch.count });
  }
}
