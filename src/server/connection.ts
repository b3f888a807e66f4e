/**
 * One client's connection: bytes in, requests in order, replies out. All frames of a read event are
 * handled in one go and answered with one write.
 *
 * Order: a session's replies leave in the order of its requests, and each request sees what those
 * before it did. So a request goes straight to its handler only while nothing is unanswered; behind
 * an unanswered one, writes are still proposed at once (pipelining), but reads wait in `unanswered`
 * and run when it is their turn, between the writes around them.
 *
 * Bounds: a client that does not read its replies, or has too many requests outstanding, is not read
 * from; nothing is dropped. One whose watch events pile up beyond the bound is closed.
 */
import type { Socket, SocketHandler } from '../ports/network.js';
import { ErrorCode } from '../protocol/errors.js';
import { FrameDecoder } from '../protocol/frame.js';
import { isClientWrite, OpCode } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import { SpecialXid } from '../protocol/xid.js';
import type { Writer } from '../protocol/writer.js';
import type { Session } from '../session/session.js';
import type { Caller } from '../txn/authorize.js';
import { Watcher } from '../watch/watch-table.js';
import type { Attach } from './attach.js';
import { callerOf } from './authenticate.js';
import type { ClientPort } from './client-port.js';
import { fourLetterWordOf } from './commands/four-letter-words.js';
import { ConnectionFigures } from './connection-figures.js';
import { answerContinuation } from './continuation-requests.js';
import { onConnectRequest } from './handshake.js';
import { asksForEphemeral } from './local-sessions.js';
import { isRead, shortName } from './operations.js';
import { Output } from './output.js';
import { ParkedFrame, PendingWrite, type WriteWaiter } from './pending.js';
import { answerRead } from './reads.js';
import type { DigestMd5Login } from './sasl/digest-md5-login.js';
import { onAuth, onSasl } from './signing-in.js';
import { UnansweredRequests } from './unanswered.js';
import { answerWrite } from './write-replies.js';

/** A turn stops answering a connection when this much of its output waits for the network. */
const OUTPUT_BYTES_MAX = 1024 * 1024;
const HEADER_BYTES = 8;

export class ClientConnection extends Watcher implements SocketHandler, WriteWaiter {
  readonly port: ClientPort;
  readonly socket: Socket;
  readonly output: Output;
  readonly figures = new ConnectionFigures();
  readonly unanswered: UnansweredRequests;
  readonly establishedMs: number;
  session: Session | null = null;
  /** What the client proposed, within the server's bounds. */
  timeoutMs = 0;
  /** The client's handshake had the readOnly field, so the reply must have it too. */
  knowsReadOnly = true;
  /** Null: its client is as Apache's are. */
  attach: Attach | null = null;
  /** Whoever shows a lower generation comes too late to have its session. */
  claim = 0n;
  /** Called once when all output has left. */
  whenDrained: (() => void) | null = null;
  /** It has sent closeSession: the reply to that ends it. */
  asksToEnd = false;
  caller: Caller;
  /** Its login by SASL, from its first token on. */
  login: DigestMd5Login | null = null;
  readonly #decoder: FrameDecoder;
  readonly #reader = new Reader();
  #phase: 'first-bytes' | 'handshake' | 'open' | 'closing' | 'closed' = 'first-bytes';
  readonly #firstBytes: number[] = [];
  #isPaused = false;
  #isContinuing = false;
  #receivedMs = 0;

  constructor(port: ClientPort, socket: Socket, nowMs: number) {
    super();
    this.port = port;
    this.socket = socket;
    this.output = new Output(port, socket, this.figures);
    this.unanswered = new UnansweredRequests(port);
    this.establishedMs = nowMs;
    this.caller = callerOf(socket, port.authentication);
    this.#decoder = new FrameDecoder(port.frameBytesMax);
  }

  get outstandingCount(): number {
    return this.unanswered.size;
  }

  get isReading(): boolean {
    return !this.#isPaused && !this.isClosed;
  }

  /** It is not read from because the server has no room, not because it does not read. */
  get isHeldBack(): boolean {
    return this.#isPaused && !this.isClosed && this.output.waitingBytes <= OUTPUT_BYTES_MAX;
  }

  get isClosed(): boolean {
    return this.#phase === 'closed' || this.#phase === 'closing';
  }

  // ------------------------------------------------------------------ bytes in

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.#receivedMs = this.port.nowMs();
    this.port.metrics.bytesReceivedCount.value += end - start;
    let from = start;
    if (this.#phase === 'first-bytes') from = this.#takeFirstBytes(bytes, start, end);
    if (this.isClosed) return;
    if (this.session !== null) this.port.touch(this.session, this.#receivedMs);
    const verdict = from < end ? this.#decoder.push(bytes, from, end, this.#onFrame) : 'ok';
    if (verdict !== 'ok') {
      this.port.onBadFrame(this, verdict);
      this.endAfterFlush();
      return;
    }
    this.#throttle();
    this.flush();
  }

  onDrain(): void {
    const { whenDrained } = this;
    this.whenDrained = null;
    whenDrained?.();
    if (this.isClosed) return;
    this.#drainUnanswered();
    this.#throttle();
    this.flush();
  }

  onClose(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#forget();
    this.port.onClosed(this);
  }

  /** The first four bytes are a frame's length or a four-letter word. */
  #takeFirstBytes(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#firstBytes.length < 4) this.#firstBytes.push(bytes[at++] ?? 0);
    if (this.#firstBytes.length < 4) return at;
    const first = Uint8Array.from(this.#firstBytes);
    const word = fourLetterWordOf(this.#reader.reset(first, 0, 4).readUint32());
    if (word !== null) {
      this.#phase = 'closing';
      this.#countPacket();
      const rest = this.#reader.reset(bytes, at, end);
      this.port.answerWord(word, rest.remaining >= 8 ? rest.readLong() : null, this);
      return end;
    }
    this.#phase = 'handshake';
    const verdict = this.#decoder.push(first, 0, 4, this.#onFrame);
    if (verdict !== 'ok') {
      this.port.onBadFrame(this, verdict);
      this.endAfterFlush();
    }
    return at;
  }

  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): boolean => {
    this.#countPacket();
    if (this.#phase === 'handshake') {
      this.#phase = 'open';
      onConnectRequest(this, this.#reader.reset(bytes, start, end), this.#receivedMs);
    } else if (this.#phase === 'open') this.#onRequest(bytes, start, end);
    return this.#phase === 'open';
  };

  #countPacket(): void {
    this.figures.packetsReceived++;
    this.port.stats.packetsReceived++;
  }

  #onRequest(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < HEADER_BYTES) {
      this.endAfterFlush();
      return;
    }
    const { admission } = this.port;
    const weight = admission.weigh(end - start);
    if (weight === null) {
      this.port.onTooLarge(this, end - start);
      this.endAfterFlush();
      return;
    }
    const reader = this.#reader.reset(bytes, start, end);
    const xid = reader.readInt();
    const type = reader.readInt();
    if (type === OpCode.auth) onAuth(this, xid, reader);
    else if (type === OpCode.sasl) onSasl(this, xid, reader);
    else if (!admission.knows(this.caller)) this.#refuseUnknown(xid);
    else if (this.#isSubmitted(type)) {
      // what is asked after a sync happens after it, and so does what waits behind that
      if (this.unanswered.mustHold(type)) {
        this.#park(bytes, start, end, weight, true);
        return;
      }
      const pending = this.#submit(type, xid, weight, bytes, start, end);
      if (pending !== null) {
        this.unanswered.push(pending);
        // a leader that is alone answers a sync at once
        if (pending.reply !== null) this.#drainUnanswered();
        return;
      }
      if (this.#mustWait()) {
        this.#park(bytes, start, end, weight, false);
        return;
      }
      this.#reply(xid, ErrorCode.marshallingError);
    } else if (this.#mustWait()) {
      // what waits before a session's end may yet make it one that the ensemble must hear of
      this.#park(bytes, start, end, weight, type === OpCode.closeSession);
      return;
    } else this.#answer(type, bytes, start, end, this.caller, this.#receivedMs, this.#hasEnded());
    admission.release(weight);
  }

  /** Goes through the replica instead of being answered from what is here. */
  #isSubmitted(type: number): boolean {
    // the end of a session that nobody else knows is nobody else's business
    if (type === OpCode.closeSession) return this.session?.locality !== 'here';
    const { replica } = this.port;
    // a write is a write to a server that takes none, whoever may ask for it
    if (type === OpCode.deleteContainer) return replica.isReadOnly;
    return isClientWrite(type) || (type === OpCode.sync && replica.mustSync);
  }

  #hasEnded(): boolean {
    return this.session === null || this.session.isClosing;
  }

  #mustWait(): boolean {
    const { output } = this;
    return this.unanswered.size > 0 || output.isListing || output.waitingBytes > OUTPUT_BYTES_MAX;
  }

  #park(bytes: Uint8Array, start: number, end: number, weight: number, isHeld: boolean): void {
    const frame = bytes.slice(start, end);
    const ended = this.#hasEnded();
    this.unanswered.park(
      new ParkedFrame(frame, this.caller, this.#receivedMs, weight, ended, isHeld),
    );
  }

  /** Null: it could not be read, and nothing will come of it. */
  #submit(
    type: number,
    xid: number,
    weight: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): PendingWrite | null {
    const pending = new PendingWrite(this, type, xid, this.#receivedMs);
    pending.weight = weight;
    pending.isBarrier = type === OpCode.sync;
    const { replica } = this.port;
    const { session } = this;
    if (session?.locality === 'here' && !session.isClosing) {
      if (asksForEphemeral(type, bytes, start + HEADER_BYTES, end)) this.#upgrade(session, pending);
    }
    const request = replica.request;
    request.op = type;
    request.cxid = xid;
    request.session = this.session;
    request.sessionHigh = this.session?.idHigh ?? 0;
    request.sessionLow = this.session?.idLow ?? 0;
    request.caller = this.caller;
    request.bytes = bytes;
    request.start = type === OpCode.closeSession ? end : start + HEADER_BYTES;
    request.end = end;
    if (!replica.submit(pending)) {
      this.port.onMalformed(this, type);
      return null;
    }
    if (type === OpCode.closeSession) this.asksToEnd = true;
    return pending;
  }

  /** A session that is to own an ephemeral must be known to the whole ensemble. */
  #upgrade(session: Session, pending: PendingWrite): void {
    const { replica } = this.port;
    if (replica.localSessions?.canUpgrade === true) replica.upgrade(session, this.#receivedMs);
    else pending.refusal = ErrorCode.ephemeralOnLocalSession;
  }

  /** At once, or behind the replies to what is unanswered. */
  replyInTurn(op: number, xid: number, answer: () => void): void {
    if (this.unanswered.size > 0) this.replyBehind(op, xid, answer);
    else answer();
  }

  /** What `answer` writes leaves behind the replies to what is unanswered. */
  replyBehind(op: number, xid: number, answer: () => void): void {
    const answered = new PendingWrite(null, op, xid, this.#receivedMs);
    answered.reply = this.output.aside(answer);
    this.unanswered.push(answered);
  }

  /** Everything that is not a write: answered now, from what has been applied. */
  #answer(
    type: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    caller: Caller,
    receivedMs: number,
    hasEnded: boolean,
  ): void {
    const reader = this.#reader.reset(bytes, start, end);
    const xid = reader.readInt();
    reader.skip(HEADER_BYTES - 4);
    if (type === OpCode.ping) this.#reply(SpecialXid.ping, ErrorCode.ok);
    else if (type === OpCode.closeSession) this.#closeLocalSession(xid);
    else if (isRead(type)) answerRead(this, type, xid, reader, caller, hasEnded);
    else if (isClientWrite(type)) this.#reply(xid, ErrorCode.marshallingError);
    else if (this.attach?.answers(type) === true) {
      answerContinuation(this, type, xid, reader, hasEnded);
    } else {
      this.#refuse(type, xid);
      return;
    }
    this.#account(type, xid, receivedMs);
  }

  #closeLocalSession(xid: number): void {
    this.#reply(xid, ErrorCode.ok);
    this.endAfterFlush();
    if (this.session !== null) this.port.replica.localSessions?.end(this.session);
  }

  /** What no client may send: UNIMPLEMENTED, then close. */
  #refuse(type: number, xid: number): void {
    this.port.onRefused(this, type);
    this.output.reply(xid, 0xffffffff, 0xffffffff, ErrorCode.unimplemented);
    this.endAfterFlush();
  }

  /** Who must say who it is and has not. */
  #refuseUnknown(xid: number): void {
    this.output.reply(xid, 0, 0, ErrorCode.sessionClosedRequireSaslAuth);
    this.endAfterFlush();
  }

  // ------------------------------------------------------------------ answers out

  onApplied(pending: PendingWrite, zxidHigh: number, zxidLow: number): void {
    if (this.isClosed) return;
    if (this.unanswered.peek() !== pending) {
      // reads before it are held up by this client's own slowness: its answer waits behind them
      pending.reply = this.output.aside(() => answerWrite(this, pending, zxidHigh, zxidLow));
      return;
    }
    if (pending.error === ErrorCode.sessionMoved) {
      // its client is served elsewhere: whoever is at the other end is not to be answered
      this.endAfterFlush();
      return;
    }
    answerWrite(this, pending, zxidHigh, zxidLow);
    this.#answered(pending);
    this.#drainUnanswered();
  }

  #answered(pending: PendingWrite): void {
    this.unanswered.shift();
    this.#account(pending.op, pending.xid, pending.receivedMs);
    if (pending.op === OpCode.closeSession) this.endAfterFlush();
  }

  /** Answers what waits at the head, up to the next write that is still outstanding. */
  #drainUnanswered(): void {
    for (;;) {
      const head = this.unanswered.peek();
      if (head === undefined || this.isClosed) return;
      if (head.kind === 'write') {
        if (head.reply === null) return;
        this.output.begin().writeBytes(head.reply, 0, head.reply.length);
        this.#answered(head);
        continue;
      }
      if (this.output.isListing || this.output.waitingBytes > OUTPUT_BYTES_MAX) return;
      if (head.isHeld && this.#submitParked(head)) continue;
      this.unanswered.shift();
      const { bytes, caller, receivedMs, hasEnded } = head;
      const type = this.#reader.reset(bytes, 4, bytes.length).readInt();
      this.#answer(type, bytes, 0, bytes.length, caller, receivedMs, hasEnded);
    }
  }

  /** What waited behind a sync goes its way, and is waited for at the head. False: it has none to go. */
  #submitParked(frame: ParkedFrame): boolean {
    const { bytes, weight } = frame;
    const reader = this.#reader.reset(bytes, 0, bytes.length);
    const xid = reader.readInt();
    const type = reader.readInt();
    this.unanswered.letGo();
    if (!this.#isSubmitted(type)) return false;
    const pending = this.#submit(type, xid, weight, bytes, 0, bytes.length);
    if (pending === null) return false;
    this.unanswered.replaceFrame(pending);
    return true;
  }

  /** A long answer is complete: it leaves, and behind it what waited. */
  finishListing(reply: Writer): void {
    this.output.finishListing(reply);
    this.onDrain();
  }

  sendEvent(type: number, path: string, zxidHigh: number, zxidLow: number): void {
    if (this.isClosed) return;
    if (this.output.waitingBytes > this.port.eventBytesMax) {
      this.port.onSlowConsumer(this);
      this.destroy();
      return;
    }
    this.output.event(type, path, zxidHigh, zxidLow);
  }

  flush(): void {
    if (!this.output.flush()) return;
    // the network took it all at once, so no drain will come: what waited for room goes on next turn
    if (this.unanswered.peek()?.kind === 'frame') this.#continueSoon();
  }

  #continueSoon(): void {
    if (this.#isContinuing) return;
    this.#isContinuing = true;
    this.port.soon(() => {
      this.#isContinuing = false;
      if (!this.isClosed) this.onDrain();
    });
  }

  #reply(xid: number, error: number): void {
    this.output.reply(xid, this.port.zxidHigh, this.port.zxidLow, error);
  }

  /** Reads on only while this client's answers leave and the server has room for requests. */
  #throttle(): void {
    const mustPause =
      this.output.waitingBytes > OUTPUT_BYTES_MAX ||
      (this.unanswered.size > 0 && this.port.isOverloaded);
    if (mustPause === this.#isPaused || this.isClosed) return;
    this.#isPaused = mustPause;
    if (mustPause) {
      this.port.onPaused(this);
      this.socket.pause();
    } else this.socket.resume();
  }

  /** The server has room again. */
  unthrottle(): void {
    this.#throttle();
  }

  #account(type: number, xid: number, receivedMs: number): void {
    const nowMs = this.port.nowMs();
    const latencyMs = Math.max(0, nowMs - receivedMs);
    this.figures.onAnswered(shortName(type), xid, latencyMs, nowMs);
    this.port.stats.onAnswered(latencyMs);
    const { updateLatencyMs, readLatencyMs } = this.port.metrics;
    (isClientWrite(type) ? updateLatencyMs : readLatencyMs).add(latencyMs);
    if (isClientWrite(type)) this.port.figures.answeredWrite(latencyMs);
  }

  // ------------------------------------------------------------------ the end

  /** Sends what is encoded, then closes; nothing more is read or answered. */
  endAfterFlush(): void {
    if (this.isClosed) return;
    this.output.flush();
    this.#phase = 'closing';
    this.#forget();
    // a client that does not read would keep what is pending, and its place, as long as it likes
    if (this.socket.pendingBytes > 0) this.port.linger(this);
    this.socket.end();
  }

  /** Closes at once; what the kernel has not taken is lost. */
  destroy(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closing';
    this.#forget();
    this.socket.destroy();
  }

  #forget(): void {
    this.unanswered.clear();
    this.output.close();
    this.port.forget(this);
  }
}
