/**
 * The replica of a learner: what clients ask to be written goes to the leader, and is answered when
 * the transaction that came of it is applied here. Which one that is, its header tells: the session
 * and the number that the client gave its request.
 */
import { present } from '../../base/assert.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import type { Session } from '../../session/session.js';
import { isWellFormed } from '../../txn/well-formed.js';
import type { CommittedRange } from '../../zab/ready.js';
import { intAt, longAt, type Applier } from '../applier.js';
import type { Verdict } from '../attach.js';
import type { PendingWrite } from '../pending.js';
import { Replica } from '../replica.js';
import { readOutcome } from './outcome.js';

/** The way to the leader. */
export interface Forwarder {
  forward(request: Replica['request']): void;
  /** `shown`: the generation that the client shows, or 0n. */
  revalidate(session: bigint, timeoutMs: number, shown: bigint): void;
  /** The leader tells of generations. */
  readonly grantsContinuation: boolean;
}

interface SyncWait {
  readonly pending: PendingWrite;
  /** Null: the leader has not answered. Then what was committed by its answer. */
  until: { readonly high: number; readonly low: number } | null;
}

export class ForwardingReplica extends Replica {
  readonly #forwarder: Forwarder;
  readonly #reader = new Reader();
  readonly #waiting = new Map<bigint, PendingWrite[]>();
  readonly #syncs: SyncWait[] = [];
  readonly #revalidations = new Map<bigint, ((verdict: Verdict) => void)[]>();
  #touched = new Set<Session>();
  #count = 0;
  #whenIdle: (() => void) | null = null;

  constructor(applier: Applier, forwarder: Forwarder) {
    super(applier);
    this.#forwarder = forwarder;
  }

  override get outstandingCount(): number {
    return this.#count;
  }

  override get mustSync(): boolean {
    return true;
  }

  override get ownsSessions(): boolean {
    return false;
  }

  override submit(pending: PendingWrite): boolean {
    const { request } = this;
    const body = this.#reader.reset(request.bytes, request.start, request.end);
    if (!isWellFormed(pending.op, body)) return false;
    this.figures?.forwarded(this.#count);
    this.#forwarder.forward(request);
    this.#count++;
    if (pending.op === OpCode.sync) {
      this.#reader.reset(request.bytes, request.start, request.end);
      pending.resultPath = this.#reader.readString() ?? '';
      this.#syncs.push({ pending, until: null });
      return true;
    }
    const session = (BigInt(request.sessionHigh | 0) << 32n) | BigInt(request.sessionLow >>> 0);
    const waiting = this.#waiting.get(session);
    if (waiting === undefined) this.#waiting.set(session, [pending]);
    else waiting.push(pending);
    return true;
  }

  /** The leader answered the oldest sync; everything up to the zxid was committed before. */
  onSynced(high: number, low: number): void {
    const wait = this.#syncs.find(({ until }) => until === null);
    if (wait === undefined) return;
    wait.until = { high, low };
    this.#answerSyncs();
  }

  override touch(session: Session, nowMs: number): void {
    super.touch(session, nowMs);
    if (session.locality !== 'here') this.#touched.add(session);
  }

  /** Sessions heard since the last call: the leader must know. */
  takeTouched(): Set<Session> {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  override get grantsContinuation(): boolean {
    return this.#forwarder.grantsContinuation;
  }

  override revalidate(
    session: bigint,
    timeoutMs: number,
    shown: bigint,
    done: (verdict: Verdict) => void,
  ): void {
    const waiting = this.#revalidations.get(session);
    if (waiting === undefined) this.#revalidations.set(session, [done]);
    else waiting.push(done);
    this.#forwarder.revalidate(session, timeoutMs, shown);
  }

  onRevalidated(session: bigint, verdict: Verdict): void {
    const waiting = this.#revalidations.get(session);
    const done = waiting?.shift();
    if (waiting?.length === 0) this.#revalidations.delete(session);
    done?.(verdict);
  }

  override idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  apply(range: CommittedRange): void {
    const { applier } = this;
    applier.apply(range, (index) => {
      if (this.#count === 0) return;
      this.#tell(range, index);
      this.#answerSyncs();
    });
    if (this.#count === 0 && this.#whenIdle !== null) {
      const idle = this.#whenIdle;
      this.#whenIdle = null;
      idle();
    }
  }

  #tell({ batch }: CommittedRange, index: number): void {
    const start = batch.payloadStart(index);
    const session = longAt(batch.bytes, start);
    const waiting = this.#waiting.get(session);
    const pending = waiting?.[0];
    // another number: the session asked for it over another server
    if (waiting === undefined || pending === undefined) return;
    if (pending.xid !== intAt(batch.bytes, start + 8)) return;
    waiting.shift();
    if (waiting.length === 0) this.#waiting.delete(session);
    this.#count--;
    readOutcome(pending, batch.bytes, start, batch.payloadEnd(index));
    if (pending.error !== 0 && pending.refusal !== 0) pending.error = pending.refusal;
    const { zxidHigh, zxidLow } = this.applier;
    pending.connection?.onApplied(pending, zxidHigh, zxidLow);
  }

  #answerSyncs(): void {
    for (;;) {
      const oldest = this.#syncs[0];
      if (oldest?.until == null) return;
      const { high, low } = oldest.until;
      const { lastZxidHigh, lastZxidLow } = this.tree;
      const isThere = lastZxidHigh === high ? lastZxidLow >= low : lastZxidHigh > high;
      if (!isThere) return;
      const { pending } = present(this.#syncs.shift(), 'it was there');
      this.#count--;
      pending.connection?.onApplied(pending, lastZxidHigh, lastZxidLow);
    }
  }
}
