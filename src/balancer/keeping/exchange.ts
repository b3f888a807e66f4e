/**
 * What passes between one client and its server, and what is to be remembered of it: requests that
 * have no answer, watches, credentials, and up to where the client has been told what happened. It knows
 * no sockets: bytes come in, what the client is to get goes to the outlet.
 */
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { MalformedError, Reader } from '../../protocol/reader.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import { SpecialXid } from '../../protocol/xid.js';
import { beginFrame, endFrame } from './connect-frames.js';
import { Credentials } from './credentials.js';
import { Delivered, eventKey } from './delivered.js';
import { bitsSpentBy, flagsOfRequest, noteWatchAnswer } from './effects.js';
import { RequestFlag, type InFlight } from './in-flight.js';
import type { Keeping } from './keeping.js';
import type { MaskMode, SessionView } from './keeping-types.js';
import type { ExecutedWrite } from './masking.js';
import type { Outlet } from './outlet.js';
import type { Recovering } from './recovery.js';
import { int32At } from './request-facts.js';
import { Picture } from './picture.js';
import { askForPicture } from './survey.js';
import { WatchLedger, type LastingWatches } from './watch-ledger.js';

const REQUEST_BYTES_MIN = 12;
const REPLY_BYTES_MIN = 20;
const EVENT_BYTES_MIN = 32;
/** Operations of the extension, by their upper half: the balancer's, never a client's. */
const CONTINUATION_OPS = 0x5a42;

const NOTHING: readonly never[] = [];

export class Exchange implements Recovering, LastingWatches {
  readonly delivered = new Delivered();
  inFlight: InFlight | null = null;
  ledger: WatchLedger | null = null;
  credentials: Credentials | null = null;
  /** The client or its server has said the last word: when the server hangs up, that is the end. */
  endsWithServer = false;
  /** Something was to be written since this was last looked at. */
  hasWritten = false;
  requestCount = 0;
  /** Writes of the session's clients before this one have it or a lower one; 0n: no server has said. */
  attachZxid = 0n;
  /** Something was answered since this was last looked at. */
  hasAnswer = false;
  /** When the last answered question came; the connection to its server may be younger. */
  askedMs = 0;
  /** The znodes that lasting watches are about; null: they are not kept in mind. */
  picture: Picture | null = null;
  /** The server could not tell what lasting watches missed, and that is to be made good. */
  #isPictured = false;
  readonly #session: SessionView;
  readonly #keeping: Keeping;
  readonly #outlet: Outlet;
  /** Requests of the client to set its watches again that are under way. */
  #settings = 0;
  /** While there are some: what fired at once instead of being set by the first of them, by path. */
  #told: Map<string, number> | null = null;

  constructor(session: SessionView, keeping: Keeping, outlet: Outlet) {
    this.#session = session;
    this.#keeping = keeping;
    this.#outlet = outlet;
  }

  get mask(): MaskMode {
    return this.#keeping.settings.mask;
  }

  get authFrames(): readonly Uint8Array[] {
    return this.credentials?.frames ?? NOTHING;
  }

  /** Some of the watches that the client was setting again have fired, and the rest may not be set. */
  get isHalfSet(): boolean {
    return this.#told !== null && this.#told.size > 0;
  }

  // ------------------------------------------------------------------ requests

  /**
   * bytes[start, end): a request with its length, lent until the requests in flight are sealed.
   * `answersPings`: there is no server to answer them now, and the session cannot have expired. A text
   * says why the client's connection cannot go on.
   */
  onRequest(
    bytes: Uint8Array,
    start: number,
    end: number,
    nowMs: number,
    answersPings: boolean,
  ): string | null {
    if (end - start < REQUEST_BYTES_MIN) return 'a request without a header';
    const op = int32At(bytes, start + 8);
    const flags = flagsOfRequest(op, bytes, start, end);
    this.requestCount++;
    if (this.#keeping.hooks.onRequest !== undefined) {
      const error = this.#keeping.hooks.onRequest(this.#session, op, bytes, start + 4, end);
      if (error !== 0) {
        const inFlight = (this.inFlight ??= this.#keeping.inFlights.take());
        inFlight.addLocal(int32At(bytes, start + 4), op, error, nowMs);
        this.#settle(inFlight);
        return null;
      }
    }
    if ((flags & (RequestFlag.write | RequestFlag.special)) !== 0) {
      if ((flags & RequestFlag.write) !== 0) this.hasWritten = true;
      if (op === OpCode.ping && answersPings) {
        this.#replyLocally(SpecialXid.ping, ErrorCode.ok);
        return null;
      }
      if (op === OpCode.sasl) this.#credentialsHeld().noteSasl();
      if (op === OpCode.setWatches || op === OpCode.setWatches2) {
        this.#settings++;
        this.#told ??= new Map();
      }
      if (op >>> 16 === CONTINUATION_OPS) return 'an operation that is not a client’s';
    }
    this.inFlight ??= this.#keeping.inFlights.take();
    this.inFlight.add(bytes, start, end, flags, nowMs);
    return null;
  }

  /** Gives back what nothing needs any more. */
  release(): void {
    const { inFlight } = this;
    if (inFlight === null || inFlight.size > 0) return;
    this.inFlight = null;
    this.#keeping.inFlights.give(inFlight);
  }

  // ------------------------------------------------------------------ answers

  /**
   * bytes[start, end): an answer or an event with its length, lent until the outlet is flushed. A text
   * says what is wrong with it.
   */
  onFrame(bytes: Uint8Array, start: number, end: number, heardMs: number): string | null {
    if (end - start < REPLY_BYTES_MIN) return 'an answer without a header';
    const xid = int32At(bytes, start + 4);
    if (xid === SpecialXid.notification) {
      // without a zxid though nobody is setting watches: then events are not to be told from each other
      if (this.picture !== null && this.#told === null && int32At(bytes, start + 8) < 0) {
        this.picture.spoil();
      }
      this.deliverEvent(bytes, start, end);
      return null;
    }
    const { inFlight } = this;
    if (inFlight === null || inFlight.sentCount === 0) {
      return `an answer to ${xid}, which nobody asked`;
    }
    const seq = inFlight.head;
    if (inFlight.xidOf(seq) !== xid) {
      return this.#onOutOfTurn(inFlight, xid, bytes, start, end, heardMs);
    }
    const flags = inFlight.flagsOf(seq);
    this.askedMs = inFlight.cameMsOf(seq);
    this.hasAnswer = true;
    const error = int32At(bytes, start + 16);
    if ((flags & (RequestFlag.watch | RequestFlag.special)) !== 0) {
      if ((flags & RequestFlag.own) !== 0) return this.#onSurvey(inFlight, bytes, start, end);
      this.#onMeaning(inFlight, seq, error);
    }
    // it hangs up on who has not logged in, as any other server would
    if (error === ErrorCode.sessionClosedRequireSaslAuth) this.endsWithServer = true;
    this.#deliver(bytes, start, end);
    if (this.#keeping.hooks.onReply !== undefined) {
      this.#tell(inFlight, seq, heardMs, bytes, start, end);
    }
    inFlight.pop();
    if (inFlight.size > 0) this.#settle(inFlight);
    return null;
  }

  deliverEvent(bytes: Uint8Array, start: number, end: number): void {
    const type = int32At(bytes, start + 20);
    const high = int32At(bytes, start + 8);
    const low = int32At(bytes, start + 12) >>> 0;
    const { ledger } = this;
    if (ledger === null && this.#told === null) this.delivered.onEvent(high, low, null);
    else {
      const path = end - start < EVENT_BYTES_MIN ? '' : decodeUtf8(bytes, start + 32, end);
      if (high < 0 && this.#told !== null) {
        this.#told.set(path, (this.#told.get(path) ?? 0) | bitsSpentBy(type));
      }
      const key = ledger?.hasLasting === true ? eventKey(type, path) : null;
      this.delivered.onEvent(high, low, key);
      this.picture?.onEvent(type, path);
      ledger?.onEvent(type, path);
      if (ledger?.isEmpty === true) this.ledger = null;
    }
    this.#outlet.add(bytes, start, end);
    this.#keeping.hooks.onEvent?.(this.#session, type, end - start - 4);
  }

  deliverExecuted(write: ExecutedWrite): void {
    const { inFlight } = this;
    if (inFlight === null) return;
    const { seq, zxid, error, body } = write;
    if (inFlight.opOf(seq) === OpCode.closeSession) this.endsWithServer = true;
    this.#answer(inFlight, seq, zxid, error, body, 0, body.length);
  }

  /** Another server has done what the sync is for. */
  deliverSync(seq: number, zxid: bigint): void {
    const { inFlight } = this;
    if (inFlight === null) return;
    const pathAt = inFlight.startOf(seq) + REQUEST_BYTES_MIN;
    const pathEnd = pathAt + 4 + int32At(inFlight.bytes, pathAt);
    this.#answer(inFlight, seq, zxid, ErrorCode.ok, inFlight.bytes, pathAt, pathEnd);
  }

  /** With bytes[from, to) as its body, as the server would have that was asked. */
  #answer(
    inFlight: InFlight,
    seq: number,
    zxid: bigint,
    error: number,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const out = this.#outlet.begin();
    const start = beginFrame(out);
    out.writeInt(inFlight.xidOf(seq));
    out.writeLong(zxid);
    out.writeInt(error);
    out.writeBytes(bytes, from, to);
    endFrame(out, start);
    this.delivered.onReply(int32At(out.bytes, start + 8), int32At(out.bytes, start + 12) >>> 0);
    const nowMs = this.#keeping.world.clock.monotonicMs();
    this.#tell(inFlight, seq, nowMs, out.bytes, start, out.pos);
    inFlight.markAnswered(seq);
    this.#settle(inFlight);
  }

  /** The server is gone: pings and questions of ours that are under way are nobody else's. */
  answerPings(): void {
    const { inFlight } = this;
    if (inFlight === null) return;
    for (let seq = inFlight.head; seq < inFlight.sentEnd; seq++) {
      const all = inFlight.flagsOf(seq);
      if ((all & RequestFlag.own) !== 0) inFlight.markAnswered(seq);
      const flags = all & (RequestFlag.special | RequestFlag.answered | RequestFlag.own);
      if (flags !== RequestFlag.special || inFlight.opOf(seq) !== OpCode.ping) continue;
      this.#replyLocally(SpecialXid.ping, ErrorCode.ok);
      inFlight.markAnswered(seq);
    }
    this.#settle(inFlight);
  }

  /**
   * The session is gone, and its end is all that the client waits for: it is told that it has ended.
   * False: it waits for something else too.
   */
  answerEnd(): boolean {
    const { inFlight } = this;
    if (inFlight === null || inFlight.size === 0) return false;
    const seq = inFlight.head;
    if (seq >= inFlight.sentEnd || inFlight.opOf(seq) !== OpCode.closeSession) return false;
    this.#replyLocally(inFlight.xidOf(seq), ErrorCode.ok);
    return true;
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    const high = int32At(bytes, start + 8);
    if (high >= 0) this.delivered.onReply(high, int32At(bytes, start + 12) >>> 0);
    this.#outlet.add(bytes, start, end);
  }

  #tell(
    inFlight: InFlight,
    seq: number,
    nowMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const latencyMs = Math.max(0, nowMs - inFlight.cameMsOf(seq));
    const error = int32At(bytes, start + 16);
    const op = inFlight.opOf(seq);
    this.#keeping.hooks.onReply?.(this.#session, op, latencyMs, end - start - 4, error);
  }

  /** Credentials are answered at once, before what was asked earlier. */
  #onOutOfTurn(
    inFlight: InFlight,
    xid: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    heardMs: number,
  ): string | null {
    for (let seq = inFlight.head; seq < inFlight.sentEnd; seq++) {
      const flags = inFlight.flagsOf(seq) & (RequestFlag.special | RequestFlag.answered);
      if (flags !== RequestFlag.special || inFlight.xidOf(seq) !== xid) continue;
      this.#onMeaning(inFlight, seq, int32At(bytes, start + 16));
      this.#deliver(bytes, start, end);
      this.#tell(inFlight, seq, heardMs, bytes, start, end);
      inFlight.markAnswered(seq);
      return null;
    }
    return `an answer to ${xid} out of turn`;
  }

  #onMeaning(inFlight: InFlight, seq: number, error: number): void {
    const op = inFlight.opOf(seq);
    if (error === ErrorCode.unimplemented) this.endsWithServer = true;
    switch (op) {
      case OpCode.ping:
        return;
      case OpCode.closeSession:
        this.endsWithServer = true;
        return;
      case OpCode.sasl:
        if (error !== 0) this.endsWithServer = true;
        return;
      case OpCode.auth:
        if (error !== 0) this.endsWithServer = true;
        else this.#credentialsHeld().add(frameOf(inFlight, seq));
        return;
    }
    const ledger = this.ledger ?? this.#newLedger();
    const start = inFlight.startOf(seq);
    noteWatchAnswer(ledger, op, error, inFlight.bytes, start, inFlight.endOf(seq), this.#told);
    if (op === OpCode.setWatches || op === OpCode.setWatches2) {
      this.#told = --this.#settings > 0 ? new Map() : null;
    }
    this.ledger = ledger.isEmpty ? null : ledger;
  }

  // ------------------------------------------------------------------ lasting watches

  /** Another server has the session from now on. */
  serve(isZabra: boolean): void {
    this.#isPictured = !isZabra && this.#keeping.settings.relistPersistent;
    if (!this.#isPictured) this.forgetPicture();
    if (this.ledger !== null) this.ledger.listener = this.#isPictured ? this : null;
  }

  forgetPicture(): void {
    this.picture?.clear();
    this.picture = null;
  }

  onLasting(path: string, bits: number): void {
    const { settings, pictures } = this.#keeping;
    this.picture ??= new Picture(settings.relistNodesMax, pictures);
    this.picture.watch(path, bits);
    if (this.picture.isIdle) this.forgetPicture();
  }

  /** Asks for znodes below lasting watches that are not known yet. True: there is something to send. */
  survey(nowMs: number): boolean {
    const { picture } = this;
    if (picture === null) return false;
    const inFlight = (this.inFlight ??= this.#keeping.inFlights.take());
    return askForPicture(picture, inFlight, this.#keeping.writers, nowMs);
  }

  #newLedger(): WatchLedger {
    const ledger = new WatchLedger();
    if (this.#isPictured) ledger.listener = this;
    return ledger;
  }

  /** Everything up to the answer has been told, as by any other answer. */
  #onSurvey(inFlight: InFlight, bytes: Uint8Array, start: number, end: number): string | null {
    const high = int32At(bytes, start + 8);
    if (high >= 0) this.delivered.onReply(high, int32At(bytes, start + 12) >>> 0);
    inFlight.pop();
    if (inFlight.size > 0) this.#settle(inFlight);
    try {
      this.picture?.onChildren(
        int32At(bytes, start + 16),
        new Reader(bytes, start + REPLY_BYTES_MIN, end),
      );
    } catch (problem) {
      if (!(problem instanceof MalformedError)) throw problem;
      return 'a listing that cannot be read';
    }
    return null;
  }

  #credentialsHeld(): Credentials {
    this.credentials ??= new Credentials();
    return this.credentials;
  }

  /** Takes off the head what needs no server's answer any more. */
  #settle(inFlight: InFlight): void {
    while (inFlight.size > 0) {
      const flags = inFlight.flagsOf(inFlight.head);
      if ((flags & (RequestFlag.local | RequestFlag.answered)) === 0) return;
      const local = inFlight.localOf(inFlight.head);
      if (local !== null) this.#replyLocally(local.xid, local.error);
      inFlight.pop();
    }
  }

  #replyLocally(xid: number, error: number): void {
    const out = this.#outlet.begin();
    const start = beginFrame(out);
    out.writeInt(xid);
    out.writeLongParts(this.delivered.high, this.delivered.low);
    out.writeInt(error);
    endFrame(out, start);
  }
}

function frameOf(inFlight: InFlight, seq: number): Uint8Array {
  return inFlight.bytes.slice(inFlight.startOf(seq), inFlight.endOf(seq));
}
