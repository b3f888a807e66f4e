/**
 * What a connection still owes an answer for, oldest first. A session's replies come in the order of
 * its requests, and a request sees what those before it did: so a read behind an unanswered write
 * waits here, in the same queue as the write.
 */
import type { PreparedMulti } from '../txn/multi.js';
import type { Caller } from '../txn/authorize.js';

/** A proposed transaction, until it is applied. */
export class PendingWrite {
  readonly kind = 'write';
  /** Null once the connection is gone: the transaction goes on, nobody waits for its reply. */
  connection: WriteWaiter | null;
  readonly op: number;
  readonly xid: number;
  readonly receivedMs: number;
  error = 0;
  /** When the leader refuses it, its client is told this instead: what only this server knows. */
  refusal = 0;
  resultPath = '';
  multi: PreparedMulti | null = null;
  /** Its encoded reply, when it was applied before requests ahead of it could be answered. */
  reply: Uint8Array | null = null;
  /** Bytes it counts among the large requests. */
  weight = 0;
  /** Nothing behind it is submitted before it is answered. */
  isBarrier = false;

  constructor(connection: WriteWaiter | null, op: number, xid: number, receivedMs: number) {
    this.connection = connection;
    this.op = op;
    this.xid = xid;
    this.receivedMs = receivedMs;
  }
}

/** A frame that could not be answered when it came, kept as a copy. */
export class ParkedFrame {
  readonly kind = 'frame';
  readonly bytes: Uint8Array;
  readonly caller: Caller;
  readonly receivedMs: number;
  /** Bytes it counts among the large requests. */
  readonly weight: number;
  /** Its session had ended when it came. */
  readonly hasEnded: boolean;
  /** It is to be submitted when its turn comes: a sync before it is unanswered. */
  readonly isHeld: boolean;

  constructor(
    bytes: Uint8Array,
    caller: Caller,
    receivedMs: number,
    weight: number,
    hasEnded: boolean,
    isHeld: boolean,
  ) {
    this.bytes = bytes;
    this.caller = caller;
    this.receivedMs = receivedMs;
    this.weight = weight;
    this.hasEnded = hasEnded;
    this.isHeld = isHeld;
  }
}

export type Unanswered = PendingWrite | ParkedFrame;

/** Who is told that a transaction has been applied. */
export interface WriteWaiter {
  onApplied(pending: PendingWrite, zxidHigh: number, zxidLow: number): void;
}
