/**
 * One server's state as connections meet it: they submit requests, and hear of the transactions that
 * came of them when these are applied. How a request becomes a transaction is the role's: whoever
 * leads prepares and proposes it (`proposing-replica.ts`), a learner sends it to the leader
 * (`ensemble/forwarding-replica.ts`).
 */
import { assert } from '../base/assert.js';
import { OpCode } from '../protocol/opcodes.js';
import { OWN_CLIENTS, type Session } from '../session/session.js';
import type { SessionTracker } from '../session/tracker.js';
import type { Tree } from '../tree/tree.js';
import { WriteRequest } from '../txn/preparer.js';
import { zxidOfParts, type Zxid } from '../protocol/zxid.js';
import type { Applier } from './applier.js';
import type { Attached, Verdict } from './attach.js';
import type { LocalSessions } from './local-sessions.js';
import { PendingWrite } from './pending.js';
import type { PipelineFigures } from './pipeline-figures.js';

export abstract class Replica {
  readonly tree: Tree;
  readonly sessions: SessionTracker;
  readonly applier: Applier;
  /** The record to fill for the next `submit`; one, reused. */
  readonly request = new WriteRequest();
  /** Null: nobody counts. */
  figures: PipelineFigures | null = null;
  /** Null: every session is the ensemble's. */
  localSessions: LocalSessions | null = null;
  /** Where zxids alone do not tell later generations of sessions from those that are forgotten. */
  protected readonly generationFloor: bigint = 0n;
  /** Whether the session lives cannot be known here and now: its client must try another server. */
  readonly mustRefuse: (session: bigint) => boolean = () => false;

  constructor(applier: Applier) {
    this.applier = applier;
    this.tree = applier.tree;
    this.sessions = applier.sessions;
  }

  /** Requests submitted and not yet applied. */
  abstract get outstandingCount(): number;

  /**
   * Takes `request` in. False: its bytes make no sense, and `pending` will not be heard of again.
   * Otherwise `pending` is told when its transaction has been applied.
   */
  abstract submit(pending: PendingWrite): boolean;

  /** Resolves when nothing is outstanding any more (nothing new may be submitted meanwhile). */
  abstract idle(): Promise<void>;

  /** Whether a sync must be submitted; otherwise everything acknowledged to anybody is applied here. */
  abstract get mustSync(): boolean;

  /** Whether sessions are this server's to judge: to expire them, and to say that one is unknown. */
  abstract get ownsSessions(): boolean;

  /** Whether sessions can move from and to this server unnoticed (`protocol/continuation.ts`). */
  get grantsContinuation(): boolean {
    return this.ownsSessions;
  }

  /** Nothing is written: there is no quorum, and only clients that said they can bear it are served. */
  get isReadOnly(): boolean {
    return false;
  }

  /** The session's client was heard. */
  touch(session: Session, nowMs: number): void {
    if (session.locality === 'here') this.localSessions?.tracker.touch(session, nowMs);
    else this.sessions.touch(session, nowMs);
  }

  /** A session of this server's own becomes one of the ensemble's; what it asks next comes behind. */
  upgrade(session: Session, nowMs: number): void {
    this.localSessions?.tracker.release(session);
    session.locality = 'global';
    this.sessions.adopt(session, nowMs);
    session.moveTo(OWN_CLIENTS);
    this.proposeSession(session, new PendingWrite(null, OpCode.createSession, 0, nowMs));
  }

  proposeSession(session: Session, pending: PendingWrite): void {
    const { request } = this;
    request.op = OpCode.createSession;
    request.cxid = 0;
    request.session = session;
    request.sessionHigh = session.idHigh;
    request.sessionLow = session.idLow;
    const { timeoutMs: ms } = session;
    request.bytes = Uint8Array.of(ms >>> 24, ms >>> 16, ms >>> 8, ms);
    request.start = 0;
    request.end = 4;
    const isProposed = this.submit(pending);
    assert(isProposed, 'four bytes are a timeout');
  }

  /** Asks whether a session lives, where that is for another to say; `shown` as for `attach`. */
  revalidate(
    _session: bigint,
    _timeoutMs: number,
    _shown: bigint,
    done: (verdict: Verdict) => void,
  ): void {
    done({ kind: 'invalid' });
  }

  /**
   * A client takes up a session that is this server's to judge; `shown`: the generation that it shows,
   * or 0n. Null: a later client has it.
   */
  attach(session: Session, shown: bigint): Attached | null {
    const zxid = this.proposedZxid;
    const floor = zxid > this.generationFloor ? zxid : this.generationFloor;
    return session.attach(shown, floor) ? { generation: session.generation, zxid } : null;
  }

  /** The last transaction that is known to be under way. */
  protected get proposedZxid(): Zxid {
    return zxidOfParts(this.tree.lastZxidHigh, this.tree.lastZxidLow);
  }

  /** Ends a session: by its client, by expiry, or by the operator. */
  closeSession(session: Session, pending: PendingWrite, cxid: number): void {
    const { request } = this;
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
}
