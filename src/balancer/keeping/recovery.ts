/**
 * The conversation with a server that has just accepted a session which was elsewhere: credentials,
 * what became of the writes that nobody heard an answer to, and the watches with everything they
 * missed. What the client is owed is delivered on the way, merged by zxid: an event comes after the
 * answers to writes before it. When it is done, what has no answer is asked again, in order.
 *
 * A server that has not granted the extension gets nothing of it. There the watches can only be set as
 * a client itself would, which misses what a znode went through in between; what lasting ones missed is
 * found out by looking at their znodes again, where that is wanted (relisting.ts).
 */
import {
  readFates,
  writeCatchUp,
  writeFateRequest,
  type WatchLists,
} from '../../protocol/continuation.js';
import { ContinuationOp } from '../../protocol/continuation.js';
import { ErrorCode, errorName } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import { SetWatches, SetWatches2 } from '../../protocol/records.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import { SpecialXid } from '../../protocol/xid.js';
import type { Writer } from '../../protocol/writer.js';
import { beginFrame, endFrame } from './connect-frames.js';
import { eventKey, type Delivered, type SkippedEvents } from './delivered.js';
import type { InFlight } from './in-flight.js';
import type { MaskMode } from './keeping-types.js';
import { planMasking, unansweredWrites, type ExecutedWrite } from './masking.js';
import { obstacleToSetting } from './obstacles.js';
import { OwnXid } from './own-xid.js';
import type { Picture } from './picture.js';
import { Relisting } from './relisting.js';
import { int32At } from './request-facts.js';
import type { WatchLedger } from './watch-ledger.js';

const REPLY_HEADER_BYTES = 20;
/** Of an event's frame: type, state, length of the path, path. */
const EVENT_TYPE_AT = 20;
const EVENT_PATH_AT = 32;

/** The session that is being brought. */
export interface Recovering {
  readonly inFlight: InFlight | null;
  readonly ledger: WatchLedger | null;
  readonly delivered: Delivered;
  /** Writes of the session's clients before this one have it or a lower one. */
  readonly attachZxid: bigint;
  /** Frames with which the client showed its credentials, lengths first. */
  readonly authFrames: readonly Uint8Array[];
  readonly mask: MaskMode;
  /** The znodes that its lasting watches are about; null: they are not kept in mind. */
  readonly picture: Picture | null;
  deliverEvent(bytes: Uint8Array, start: number, end: number): void;
  deliverExecuted(write: ExecutedWrite): void;
  /** Answers a sync: everything up to the zxid has been told. */
  deliverSync(seq: number, zxid: bigint): void;
}

export type RecoveryStep =
  | 'more'
  | 'done'
  /** This server will not do; another may. */
  | { readonly lost: string }
  /** It cannot be hidden from the client. `isForgotten`: by this server; another may remember more. */
  | { readonly obstacle: string; readonly isForgotten?: true };

export class Recovery {
  readonly #session: Recovering;
  readonly #isZabra: boolean;
  /** Answers that are still to come. */
  #auths = 0;
  #syncs = 0;
  #fates = 0;
  #catchUps = 0;
  #setWatches = 0;
  #skipped: SkippedEvents | null = null;
  #relisting: Relisting | null = null;
  #executed: readonly ExecutedWrite[] = [];
  #executedCount = 0;
  /** Of so many of them the syncs in front have been answered. */
  #syncedCount = 0;
  /** What is to be said because an answer asked for it. */
  readonly #say: (write: (out: Writer) => void) => void;

  constructor(session: Recovering, isZabra: boolean, say: (write: (out: Writer) => void) => void) {
    this.#session = session;
    this.#isZabra = isZabra;
    this.#say = say;
  }

  start(): RecoveryStep {
    const { inFlight, ledger, authFrames } = this.#session;
    const writes = inFlight === null ? [] : unansweredWrites(inFlight);
    const watches = ledger === null || ledger.isEmpty ? null : ledger;
    if (!this.#isZabra) {
      if (writes.length > 0) return { obstacle: 'a write has no answer' };
      const obstacle = watches === null ? null : obstacleToSetting(watches, this.#session);
      if (obstacle !== null) return { obstacle };
    }
    if (authFrames.length + writes.length === 0 && watches === null) return 'done';
    this.#say((out) => {
      for (const frame of authFrames) {
        out.writeBytes(frame, 0, frame.length);
        this.#auths++;
      }
      if (inFlight !== null && writes.length > 0) this.#askFates(out, inFlight, writes);
      if (watches === null) return;
      if (this.#isZabra) this.#askCatchUp(out, watches);
      else this.#askSetWatches(out, watches);
    });
    return 'more';
  }

  /** bytes[start, end): an answer or an event, its length first. */
  onFrame(bytes: Uint8Array, start: number, end: number): RecoveryStep {
    if (end - start < REPLY_HEADER_BYTES) return { lost: 'an answer without a header' };
    const xid = int32At(bytes, start + 4);
    if (xid === SpecialXid.notification) return this.#onEvent(bytes, start, end);
    const error = int32At(bytes, start + 16);
    const step = this.#onAnswer(xid, error, bytes, start + REPLY_HEADER_BYTES, end);
    if (step !== 'more' || this.#awaited > 0) return step;
    if (this.#relisting !== null && !this.#hasListed(this.#relisting, bytes, start)) return 'more';
    this.#deliverRest();
    return 'done';
  }

  get #awaited(): number {
    return this.#auths + this.#syncs + this.#fates + this.#catchUps + this.#setWatches;
  }

  #onAnswer(
    xid: number,
    error: number,
    bytes: Uint8Array,
    bodyStart: number,
    end: number,
  ): RecoveryStep {
    switch (xid) {
      case SpecialXid.auth:
        if (this.#auths === 0) break;
        this.#auths--;
        return error === 0 ? 'more' : { obstacle: 'its credentials were refused elsewhere' };
      case OwnXid.sync:
        if (this.#syncs === 0) break;
        this.#syncs--;
        return error === 0 ? 'more' : { lost: `sync failed with ${errorName(error)}` };
      case OwnXid.fate:
        if (this.#fates === 0) break;
        this.#fates--;
        if (error !== 0) return { lost: `fates were refused with ${errorName(error)}` };
        return this.#onFates(new Reader(bytes, bodyStart, end));
      case OwnXid.catchUp:
        if (this.#catchUps === 0) break;
        this.#catchUps--;
        return this.#onCatchUp(error);
      case SpecialXid.setWatches:
        if (this.#setWatches === 0) break;
        this.#setWatches--;
        return error === 0 ? 'more' : { lost: `watches were refused with ${errorName(error)}` };
      case OwnXid.survey:
        return this.#relisting?.onAnswer(error, new Reader(bytes, bodyStart, end)) ?? 'more';
    }
    return { lost: `an answer with the number ${xid}, which nothing has` };
  }

  #onFates(reader: Reader): RecoveryStep {
    const { inFlight } = this.#session;
    if (inFlight === null) return 'more';
    const plan = planMasking(inFlight, readFates(reader));
    if ('obstacle' in plan) return plan;
    this.#executed = plan.executed;
    return 'more';
  }

  #onCatchUp(error: number): RecoveryStep {
    if (error === 0) return 'more';
    if (error !== ErrorCode.dataInconsistency) {
      return { lost: `watches were refused with ${errorName(error)}` };
    }
    const { ledger, mask } = this.#session;
    const isLossy = mask === 'best-effort' && ledger?.hasLasting === false;
    if (!isLossy) return { obstacle: 'what its watches missed is forgotten', isForgotten: true };
    if (this.#catchUps > 0) return 'more';
    this.#say((out) => this.#askSetWatches(out, ledger));
    return 'more';
  }

  #onEvent(bytes: Uint8Array, start: number, end: number): RecoveryStep {
    if (end - start < EVENT_PATH_AT) return { lost: 'an event without a path' };
    if (this.#relisting !== null) {
      this.#relisting.onEvent(bytes, start, end);
      return 'more';
    }
    const high = int32At(bytes, start + 8);
    const low = int32At(bytes, start + 12) >>> 0;
    if (high >= 0) {
      const zxid = (BigInt(high) << 32n) | BigInt(low);
      for (;;) {
        const write = this.#executed[this.#executedCount];
        if (write === undefined || write.zxid > zxid) break;
        if (write.zxid === zxid) {
          // a write's own events come before its answer, and behind those of what was asked before it
          this.#deliverSyncs(write);
          break;
        }
        this.#deliverNext(write);
      }
    }
    if (this.#skipped !== null) {
      const path = decodeUtf8(bytes, start + EVENT_PATH_AT, end);
      const key = eventKey(int32At(bytes, start + EVENT_TYPE_AT), path);
      if (this.#skipped.takes(high, low, key)) return 'more';
    }
    this.#session.deliverEvent(bytes, start, end);
    return 'more';
  }

  /** All else has been answered: are the znodes below lasting watches known, too? */
  #hasListed(relisting: Relisting, bytes: Uint8Array, start: number): boolean {
    if (!relisting.hasBegun) {
      const zxidLow = BigInt(int32At(bytes, start + 12) >>> 0);
      relisting.begin((BigInt(int32At(bytes, start + 8)) << 32n) | zxidLow);
    }
    if (relisting.isDone) relisting.deliver();
    else if (relisting.wantsToAsk) this.#say((out) => relisting.ask(out));
    return relisting.isDone;
  }

  #deliverRest(): void {
    for (;;) {
      const write = this.#executed[this.#executedCount];
      if (write === undefined) return;
      this.#deliverNext(write);
    }
  }

  #deliverNext(write: ExecutedWrite): void {
    this.#deliverSyncs(write);
    this.#executedCount++;
    this.#session.deliverExecuted(write);
  }

  /** Of the last moment before the write: all that is older was told, and none of its own. */
  #deliverSyncs(write: ExecutedWrite): void {
    if (this.#syncedCount > this.#executedCount) return;
    this.#syncedCount = this.#executedCount + 1;
    for (const seq of write.syncs) this.#session.deliverSync(seq, write.zxid - 1n);
  }

  #askFates(out: Writer, inFlight: InFlight, cxids: readonly number[]): void {
    let start = beginFrame(out);
    out.writeInt(OwnXid.sync);
    out.writeInt(OpCode.sync);
    out.writeString('/');
    endFrame(out, start);
    this.#syncs++;
    start = beginFrame(out);
    out.writeInt(OwnXid.fate);
    out.writeInt(ContinuationOp.fate);
    // the client's numbers may be those of another client that had the session before it
    const seen = (BigInt(inFlight.sinceHigh) << 32n) | BigInt(inFlight.sinceLow);
    const { attachZxid } = this.#session;
    writeFateRequest(out, seen > attachZxid ? seen : attachZxid, cxids);
    endFrame(out, start);
    this.#fates++;
  }

  #askCatchUp(out: Writer, ledger: WatchLedger): void {
    const { delivered } = this.#session;
    this.#skipped = delivered.toSkip();
    const batches = ledger.batches();
    batches.forEach((lists, index) => {
      const start = beginFrame(out);
      out.writeInt(OwnXid.catchUp);
      out.writeInt(ContinuationOp.catchUp);
      writeCatchUp(out, delivered.base, lists, index < batches.length - 1);
      endFrame(out, start);
      this.#catchUps++;
    });
  }

  #askSetWatches(out: Writer, ledger: WatchLedger): void {
    const { delivered, picture } = this.#session;
    const { hasLasting } = ledger;
    if (hasLasting && picture !== null) this.#relisting = new Relisting(this.#session, picture);
    for (const lists of ledger.batches()) {
      const start = beginFrame(out);
      out.writeInt(SpecialXid.setWatches);
      out.writeInt(hasLasting ? OpCode.setWatches2 : OpCode.setWatches);
      const request = requestOf(delivered.base, lists);
      // the older operation is known to older servers, too
      if (hasLasting) SetWatches2.write(out, request);
      else SetWatches.write(out, request);
      endFrame(out, start);
      this.#setWatches++;
    }
  }
}

function requestOf(relativeZxid: bigint, lists: WatchLists): SetWatches2 {
  return {
    relativeZxid,
    dataWatches: lists.data,
    existWatches: lists.exist,
    childWatches: lists.child,
    persistentWatches: lists.persistent,
    persistentRecursiveWatches: lists.recursive,
  };
}
