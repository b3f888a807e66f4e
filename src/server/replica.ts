/**
 * One server's state, and the loop that changes it: requests are prepared into transactions as they
 * arrive, everything of a turn is proposed, persisted with one flush, applied in order, and answered.
 * This is the only place that executes a Ready, so "persist, then speak" is kept here or nowhere.
 *
 * Group commit is a property of the loop: while a flush is under way the next batch fills; when it
 * ends, the next begins at once. No timers, no waiting for company.
 */
import { assert, present } from '../base/assert.js';
import { Ring } from '../base/ring.js';
import type { Clock } from '../ports/clock.js';
import { OpCode } from '../protocol/opcodes.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import type { Session } from '../session/session.js';
import type { SessionTracker } from '../session/tracker.js';
import type { Tree } from '../tree/tree.js';
import { Preparer, WriteRequest } from '../txn/preparer.js';
import type { PrepareOptions } from '../txn/context.js';
import { Standalone } from '../zab/standalone.js';
import type { CommittedRange, Ready } from '../zab/ready.js';
import type { PendingWrite } from './pending.js';

/** The part of the storage that the loop needs. */
export interface Log {
  append(batch: TxnBatch): void;
  /** Calls `done` when all that was appended is durable; never, if the disk failed. */
  flush(done: () => void): void;
}

export interface ReplicaEvents {
  /** In apply order, before the transaction's own reply: sessions that exist or are gone now. */
  onSessionCreated(session: Session): void;
  onSessionClosed(sessionId: bigint): void;
  /** The tree is not what its leader foresaw: a bug, or memory that changed by itself. */
  onDigestMismatch(zxidHigh: number, zxidLow: number): void;
  /** After a batch has been applied and its replies encoded: send them. */
  onTurnEnd(appliedCount: number): void;
}

/** Transactions proposed and not yet applied; the outstanding limit stops clients far below. */
const PENDING_MAX = 1 << 24;
const CLIENT_ID_AT = 0;
const TYPE_AT = 28;

export class Replica {
  readonly tree: Tree;
  readonly sessions: SessionTracker;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #events: ReplicaEvents;
  readonly #zab: Standalone;
  readonly #preparer: Preparer;
  readonly #request = new WriteRequest();
  readonly #pending = new Ring<PendingWrite>(PENDING_MAX);
  readonly #spare: TxnBatch[] = [new TxnBatch()];
  #filling = new TxnBatch();
  #isTurnScheduled = false;
  #isPumping = false;
  #whenIdle: (() => void) | null = null;
  /** The transaction being applied: what watch events carry. */
  applyingHigh = 0;
  applyingLow = 0;

  constructor(parts: {
    tree: Tree;
    sessions: SessionTracker;
    clock: Clock;
    log: Log;
    events: ReplicaEvents;
    prepare: PrepareOptions;
  }) {
    this.tree = parts.tree;
    this.sessions = parts.sessions;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#events = parts.events;
    this.#zab = new Standalone(parts.tree.lastZxidHigh, parts.tree.lastZxidLow);
    this.#preparer = new Preparer(parts.tree, parts.prepare);
  }

  /** Transactions proposed and not yet applied. */
  get outstandingCount(): number {
    return this.#pending.size;
  }

  /** The record to fill for the next `submit`; one, reused. */
  get request(): WriteRequest {
    return this.#request;
  }

  /**
   * Prepares and proposes `request`. False: its bytes make no sense, nothing was proposed and
   * `pending` will not be heard of again. Otherwise `pending` is told when it has been applied.
   */
  submit(pending: PendingWrite): boolean {
    const request = this.#request;
    request.nowMs = this.#clock.wallMs();
    request.zxidHigh = this.#zab.nextZxidHigh();
    request.zxidLow = this.#zab.nextZxidLow();
    if (this.#preparer.prepare(request, this.#filling) === 'malformed') return false;
    this.#zab.proposed();
    pending.error = this.#preparer.error;
    pending.resultPath = this.#preparer.resultPath;
    pending.multi = this.#preparer.multi;
    this.#pending.push(pending);
    this.#scheduleTurn();
    return true;
  }

  /** Ends a session: by its client, by expiry, or by the operator. */
  closeSession(session: Session, pending: PendingWrite, cxid: number): void {
    const request = this.#request;
    request.op = OpCode.closeSession;
    request.cxid = cxid;
    request.session = session;
    request.sessionHigh = session.idHigh;
    request.sessionLow = session.idLow;
    request.start = 0;
    request.end = 0;
    const isProposed = this.submit(pending);
    assert(isProposed, 'closing a session reads no bytes that could be malformed');
  }

  /** Resolves when nothing is outstanding any more (nothing new may be submitted meanwhile). */
  idle(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    this.#clock.soon(() => {
      this.#isTurnScheduled = false;
      this.#pump();
    });
  }

  /** Executes Readys until only the disk or a client can bring something new. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (;;) {
      if (this.#filling.count > 0 && this.#zab.isAccepting) {
        this.#zab.handOver(this.#filling);
        this.#filling = this.#spare.pop() ?? new TxnBatch();
      }
      const ready = this.#zab.takeReady();
      if (ready === null) break;
      this.#execute(ready);
    }
    this.#isPumping = false;
  }

  #execute(ready: Ready): void {
    if (ready.persist !== null) {
      this.#log.append(ready.persist);
      this.#log.flush(() => {
        this.#zab.persisted(ready.seq);
        this.#pump();
      });
    }
    if (ready.committed !== null) this.#apply(ready.committed);
  }

  #apply(range: CommittedRange): void {
    const { batch } = range;
    for (let i = range.from; i < range.to; i++) {
      const pending = present(this.#pending.shift(), 'every proposal has its pending record');
      this.#applyOne(batch, i);
      this.#preparer.applied();
      pending.connection?.onApplied(pending, this.applyingHigh, this.applyingLow);
    }
    batch.reset();
    this.#spare.push(batch);
    this.#events.onTurnEnd(range.to - range.from);
    if (this.#pending.size === 0 && this.#whenIdle !== null) {
      const idle = this.#whenIdle;
      this.#whenIdle = null;
      idle();
    }
  }

  #applyOne(batch: TxnBatch, index: number): void {
    const start = batch.payloadStart(index);
    this.applyingHigh = batch.zxidHigh(index);
    this.applyingLow = batch.zxidLow(index);
    const type = intAt(batch.bytes, start + TYPE_AT);
    if (type === OpCode.createSession) {
      const session = this.sessions.get(longAt(batch.bytes, start + CLIENT_ID_AT));
      if (session !== undefined) {
        session.isEstablished = true;
        this.#events.onSessionCreated(session);
      }
    }
    this.tree.apply(batch.bytes, start, batch.payloadEnd(index));
    if (this.tree.digestVerdict === 'different')
      this.#events.onDigestMismatch(this.applyingHigh, this.applyingLow);
    if (type === OpCode.closeSession) {
      const id = longAt(batch.bytes, start + CLIENT_ID_AT);
      this.sessions.remove(id);
      this.#events.onSessionClosed(id);
    }
  }
}

function intAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

function longAt(bytes: Uint8Array, at: number): bigint {
  return join(intAt(bytes, at), intAt(bytes, at + 4));
}

/** As a signed number. */
function join(high: number, low: number): bigint {
  return (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
}
