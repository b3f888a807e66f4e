/**
 * Applies committed transactions to this server's state, in order: the tree, and which sessions live.
 * It is the same for every role and also while none is entered; who waits for a transaction's reply
 * is the role's to know.
 */
import { OpCode } from '../protocol/opcodes.js';
import { zxidOfParts } from '../protocol/zxid.js';
import type { Session } from '../session/session.js';
import type { SessionTracker } from '../session/tracker.js';
import type { Tree } from '../tree/tree.js';
import type { CommittedRange } from '../zab/ready.js';
import type { RecentHistory } from './recent/recent-history.js';

export interface ApplierEvents {
  /** In apply order, before the transaction's own reply: sessions that exist or are gone now. */
  onSessionCreated(session: Session): void;
  onSessionClosed(sessionId: bigint): void;
  /** The tree is not what its leader foresaw: a bug, or memory that changed by itself. */
  onDigestMismatch(zxidHigh: number, zxidLow: number): void;
}

export interface ApplierFigures {
  /** All of it, which began at `startMs` by the monotonic clock. */
  applied(range: CommittedRange, startMs: number): void;
}

/** Offsets in a transaction's header. */
const CLIENT_ID_AT = 0;
const TYPE_AT = 28;
const TIMEOUT_AT = 32;

export class Applier {
  readonly tree: Tree;
  readonly sessions: SessionTracker;
  /** Of what is applied here. */
  readonly recent: RecentHistory;
  readonly #nowMs: () => number;
  /** Null: nobody is served. */
  events: ApplierEvents | null = null;
  /** Likewise. */
  figures: ApplierFigures | null = null;
  /** The transaction being applied: what watch events carry. */
  zxidHigh = 0;
  zxidLow = 0;

  constructor(tree: Tree, sessions: SessionTracker, recent: RecentHistory, nowMs: () => number) {
    this.tree = tree;
    this.sessions = sessions;
    this.recent = recent;
    this.#nowMs = nowMs;
  }

  /** `onEach` is called after each transaction. */
  apply(range: CommittedRange, onEach: (index: number) => void): void {
    const startMs = this.#nowMs();
    for (let i = range.from; i < range.to; i++) {
      this.#applyOne(range, i);
      onEach(i);
    }
    this.figures?.applied(range, startMs);
  }

  #applyOne({ batch }: CommittedRange, index: number): void {
    const { bytes } = batch;
    const start = batch.payloadStart(index);
    this.zxidHigh = batch.zxidHigh(index);
    this.zxidLow = batch.zxidLow(index);
    const type = intAt(bytes, start + TYPE_AT);
    if (type === OpCode.createSession) {
      const id = longAt(bytes, start + CLIENT_ID_AT);
      const session =
        this.sessions.get(id) ??
        this.sessions.track(id, intAt(bytes, start + TIMEOUT_AT), this.#nowMs());
      session.isEstablished = true;
      session.learnGeneration(zxidOfParts(this.zxidHigh, this.zxidLow));
      this.events?.onSessionCreated(session);
    }
    this.tree.apply(bytes, start, batch.payloadEnd(index));
    if (this.tree.digestVerdict === 'different') {
      // nobody is served yet: still within a snapshot that a leader sent (see DigestWatch)
      if (this.events === null) this.tree.digests.clear();
      else this.events.onDigestMismatch(this.zxidHigh, this.zxidLow);
    }
    if (type === OpCode.closeSession) {
      const id = longAt(bytes, start + CLIENT_ID_AT);
      this.sessions.remove(id);
      this.events?.onSessionClosed(id);
    }
  }
}

export function intAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

/** Signed. */
export function longAt(bytes: Uint8Array, at: number): bigint {
  return (BigInt(intAt(bytes, at)) << 32n) | BigInt(intAt(bytes, at + 4) >>> 0);
}
