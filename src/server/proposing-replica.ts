/**
 * The replica of a server that leads, itself alone or an ensemble: requests are prepared into
 * transactions as they arrive, everything of a turn is proposed as one batch, and applied in order
 * once it is committed.
 *
 * Group commit is a property of the loop: while a flush is under way the next batch fills; when it
 * ends, the next begins at once. No timers, no waiting for company.
 */
import { assert, present } from '../base/assert.js';
import { Ring } from '../base/ring.js';
import type { Clock } from '../ports/clock.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { OWN_CLIENTS } from '../session/session.js';
import { Reader } from '../protocol/reader.js';
import type { Zxid } from '../protocol/zxid.js';
import type { PrepareOptions } from '../txn/context.js';
import { Preparer } from '../txn/preparer.js';
import { isWellFormed } from '../txn/well-formed.js';
import type { CommittedRange } from '../zab/ready.js';
import type { Applier } from './applier.js';
import type { PendingWrite } from './pending.js';
import { Replica } from './replica.js';

/** Who gives out zxids and takes batches. */
export interface Proposer {
  nextZxidHigh(): number;
  nextZxidLow(): number;
  /** A transaction with the next zxid was added to the batch that is being filled. */
  proposed(): void;
  readonly isAccepting: boolean;
  handOver(batch: TxnBatch): void;
}

/** Transactions proposed and not yet applied; the outstanding limit stops clients far below. */
const PENDING_MAX = 1 << 24;

export class ProposingReplica extends Replica {
  readonly #clock: Clock;
  readonly #proposer: Proposer;
  readonly #preparer: Preparer;
  readonly #pump: () => void;
  readonly #takeBatch: () => TxnBatch;
  readonly #pending = new Ring<PendingWrite>(PENDING_MAX);
  #filling: TxnBatch;
  #isTurnScheduled = false;
  #whenIdle: (() => void) | null = null;
  /** Asked of a leader by its own clients. */
  readonly onSync: ((pending: PendingWrite) => void) | null;
  /** Of a server that is alone: answered when so many of its transactions have been applied. */
  readonly #syncs: { readonly pending: PendingWrite; readonly behind: number }[] = [];
  #proposedCount = 0;
  #appliedCount = 0;
  protected override readonly generationFloor: bigint;

  constructor(
    applier: Applier,
    parts: {
      readonly clock: Clock;
      readonly proposer: Proposer;
      readonly prepare: PrepareOptions;
      /** At the end of a turn that prepared something. */
      readonly pump: () => void;
      readonly takeBatch: () => TxnBatch;
      readonly onSync: ((pending: PendingWrite) => void) | null;
      readonly generationFloor?: bigint;
    },
  ) {
    super(applier);
    this.#clock = parts.clock;
    this.#proposer = parts.proposer;
    this.#preparer = new Preparer(applier.tree, parts.prepare);
    this.#pump = parts.pump;
    this.#takeBatch = parts.takeBatch;
    this.onSync = parts.onSync;
    this.generationFloor = parts.generationFloor ?? 0n;
    this.#filling = parts.takeBatch();
  }

  override get outstandingCount(): number {
    return this.#pending.size;
  }

  override get mustSync(): boolean {
    return this.onSync !== null || this.#pending.size > 0;
  }

  override get ownsSessions(): boolean {
    return true;
  }

  protected override get proposedZxid(): Zxid {
    const next =
      (BigInt(this.#proposer.nextZxidHigh()) << 32n) + BigInt(this.#proposer.nextZxidLow());
    return next - 1n;
  }

  override submit(pending: PendingWrite): boolean {
    if (pending.op === OpCode.sync) return this.#sync(pending);
    const { session } = this.request;
    if (session !== null && pending.connection !== null && !session.isServedBy(OWN_CLIENTS)) {
      this.submitFailure(pending, ErrorCode.sessionMoved);
      return true;
    }
    this.#address();
    const startMs = this.figures?.startOfPreparing(this.#filling.count === 0) ?? 0;
    if (this.#preparer.prepare(this.request, this.#filling) === 'malformed') return false;
    this.figures?.prepared(pending.op, pending.receivedMs, startMs);
    this.#propose(pending);
    return true;
  }

  /** Proposes that the request failed: somebody elsewhere waits to hear of it. */
  submitFailure(pending: PendingWrite, error: number): void {
    this.#address();
    const startMs = this.figures?.startOfPreparing(this.#filling.count === 0) ?? 0;
    this.#preparer.fail(this.request, this.#filling, error);
    this.figures?.prepared(pending.op, pending.receivedMs, startMs);
    this.#propose(pending);
  }

  #address(): void {
    const { request } = this;
    request.nowMs = this.#clock.wallMs();
    request.zxidHigh = this.#proposer.nextZxidHigh();
    request.zxidLow = this.#proposer.nextZxidLow();
  }

  #sync(pending: PendingWrite): boolean {
    const { bytes, start, end } = this.request;
    const reader = new Reader().reset(bytes, start, end);
    if (!isWellFormed(OpCode.sync, reader)) return false;
    reader.reset(bytes, start, end);
    pending.resultPath = reader.readString() ?? '';
    if (this.onSync !== null) this.onSync(pending);
    else this.#syncs.push({ pending, behind: this.#proposedCount });
    return true;
  }

  #propose(pending: PendingWrite): void {
    this.#proposer.proposed();
    pending.error = this.#preparer.error;
    pending.resultPath = this.#preparer.resultPath;
    pending.multi = this.#preparer.multi;
    this.#pending.push(pending);
    this.#proposedCount++;
    this.#scheduleTurn();
  }

  override idle(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** Gives the gathered batch to the proposer, if it takes one now. */
  handOver(): void {
    if (this.#filling.count === 0 || !this.#proposer.isAccepting) return;
    const batch = this.#filling;
    this.#filling = this.#takeBatch();
    this.#proposer.handOver(batch);
  }

  apply(range: CommittedRange): void {
    const { applier } = this;
    applier.apply(range, () => {
      const pending = present(this.#pending.shift(), 'every proposal has its pending record');
      this.#preparer.applied();
      pending.connection?.onApplied(pending, applier.zxidHigh, applier.zxidLow);
      this.#appliedCount++;
      if (this.#syncs.length > 0) this.#answerSyncs();
    });
    if (this.#pending.size === 0 && this.#whenIdle !== null) {
      const idle = this.#whenIdle;
      this.#whenIdle = null;
      idle();
    }
  }

  #answerSyncs(): void {
    for (;;) {
      const oldest = this.#syncs[0];
      if (oldest === undefined || oldest.behind > this.#appliedCount) return;
      this.#syncs.shift();
      const { pending } = oldest;
      pending.connection?.onApplied(pending, this.tree.lastZxidHigh, this.tree.lastZxidLow);
    }
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    this.#clock.soon(() => {
      assert(this.#isTurnScheduled, 'a turn is scheduled once');
      this.#isTurnScheduled = false;
      this.#pump();
    });
  }
}
