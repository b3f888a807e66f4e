/**
 * One client's connection: bytes in, requests in order, replies out. All frames of a read event are
 * handled in one go and answered with one write.
 *
 * Order: a session's replies leave in the order of its requests, and each request sees what those
 * before it did. So a request goes straight to its handler only while nothing is unanswered; behind
 * an unanswered one, writes are still proposed at once (pipelining), but reads wait in `#unanswered`
 * and run when it is their turn, between the writes around them.
 *
 * Bounds: a client that does not read its replies, or has too many requests outstanding, is not read
 * from; nothing is dropped. One whose watch events pile up beyond the bound is closed.
 */
import { Ring } from '../base/ring.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { ErrorCode } from '../protocol/errors.js';
import { FrameDecoder } from '../protocol/frame.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, Reader } from '../protocol/reader.js';
import { Writer } from '../protocol/writer.js';
import type { Session } from '../session/session.js';
import type { AclId, Caller } from '../txn/authorize.js';
import { Watcher } from '../watch/watch-table.js';
import type { ClientPort } from './client-port.js';
import { authenticate } from './authenticate.js';
import { fourLetterWordOf } from './commands/four-letter-words.js';
import { handshake, writeConnectResponse } from './handshake.js';
import { ParkedFrame, PendingWrite, type Unanswered, type WriteWaiter } from './pending.js';
import { isClientWrite, isRead, shortName } from './operations.js';
import type { Listing } from './listing.js';
import { answerRead } from './reads.js';
import { answerWrite } from './write-replies.js';

/** Requests one connection may have unanswered: the chunk that crossed the limit is still kept. */
const UNANSWERED_MAX = 1 << 20;
/** A turn stops answering a connection when this much of its output waits for the network. */
const OUTPUT_BYTES_MAX = 1024 * 1024;
const NOTIFICATION_XID = -1;
const PING_XID = -2;

export class ClientConnection extends Watcher implements SocketHandler, WriteWaiter {
  readonly port: ClientPort;
  readonly socket: Socket;
  readonly establishedMs: number;
  session: Session | null = null;
  /** What the client proposed, within the server's bounds. */
  timeoutMs = 0;
  /** The client's handshake had the readOnly field, so the reply must have it too. */
  knowsReadOnly = true;
  caller: Caller;
  /** In the port's list of those with output to send. */
  isDirty = false;
  packetsReceived = 0;
  packetsSent = 0;
  lastOp = 'NA';
  lastXid = -1;
  lastZxidHigh = 0;
  lastZxidLow = 0;
  /** Monotonic; 0 before the first reply. */
  lastResponseMs = 0;
  latencyMinMs = -1;
  latencyMaxMs = 0;
  latencyLastMs = 0;
  latencySumMs = 0;
  latencyCount = 0;
  readonly #decoder: FrameDecoder;
  readonly #reader = new Reader();
  readonly #unanswered = new Ring<Unanswered>(UNANSWERED_MAX);
  #phase: 'first-bytes' | 'handshake' | 'open' | 'closing' | 'closed' = 'first-bytes';
  readonly #firstBytes: number[] = [];
  #out: Writer | null = null;
  /** A list of children under way: all other output is held back until it has left. */
  #listing: Listing | null = null;
  #held: Writer | null = null;
  #isPaused = false;
  #isContinuing = false;
  #receivedMs = 0;

  constructor(port: ClientPort, socket: Socket, nowMs: number) {
    super();
    this.port = port;
    this.socket = socket;
    this.establishedMs = nowMs;
    this.caller = { authIds: [{ scheme: 'ip', id: socket.remoteAddress }] };
    this.#decoder = new FrameDecoder(port.frameBytesMax);
  }

  get outstandingCount(): number {
    return this.#unanswered.size;
  }

  get isReading(): boolean {
    return !this.#isPaused && !this.isClosed;
  }

  get hasUnanswered(): boolean {
    return this.#unanswered.size > 0;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
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
    if (this.#phase === 'closing' || this.#phase === 'closed') return;
    if (this.session !== null) this.port.touch(this.session, this.#receivedMs);
    const verdict = from < end ? this.#decoder.push(bytes, from, end, this.#onFrame) : 'ok';
    if (verdict !== 'ok') {
      this.port.onBadFrame(this, verdict);
      this.close();
      return;
    }
    this.#throttle();
    this.flush();
  }

  onDrain(): void {
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
      this.packetsReceived++;
      this.port.stats.packetsReceived++;
      const rest = this.#reader.reset(bytes, at, end);
      this.port.answerWord(word, rest.remaining >= 8 ? rest.readLong() : null, this);
      return end;
    }
    this.#phase = 'handshake';
    const verdict = this.#decoder.push(first, 0, 4, this.#onFrame);
    if (verdict !== 'ok') {
      this.port.onBadFrame(this, verdict);
      this.close();
    }
    return at;
  }

  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): boolean => {
    this.packetsReceived++;
    this.port.stats.packetsReceived++;
    if (this.#phase === 'handshake') this.#onConnectRequest(bytes, start, end);
    else if (this.#phase === 'open') this.#onRequest(bytes, start, end);
    return this.#phase === 'open';
  };

  #onConnectRequest(bytes: Uint8Array, start: number, end: number): void {
    this.#phase = 'open';
    let outcome;
    try {
      outcome = handshake(this.port, this, this.#reader.reset(bytes, start, end), this.#receivedMs);
    } catch (problem) {
      if (!(problem instanceof MalformedError)) throw problem;
      this.close();
      return;
    }
    switch (outcome.kind) {
      case 'refused':
        this.close();
        return;
      case 'invalid':
        writeConnectResponse(this.beginOut(), this, null);
        this.endAfterFlush();
        return;
      case 'resumed':
        this.session = outcome.session;
        writeConnectResponse(this.beginOut(), this, outcome.session);
        return;
      case 'creating':
        this.session = outcome.session;
        this.#unanswered.push(outcome.pending);
    }
  }

  #onRequest(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < 8) {
      this.close();
      return;
    }
    const type = this.#reader.reset(bytes, start + 4, end).readInt();
    if (type === OpCode.auth) this.#onAuth(bytes, start, end);
    else if (isClientWrite(type)) this.#propose(type, bytes, start, end);
    else if (this.#mustWait()) this.#park(bytes, start, end);
    else this.#answer(type, bytes, start, end, this.caller, this.#receivedMs);
  }

  #mustWait(): boolean {
    return (
      this.#unanswered.size > 0 ||
      this.#listing !== null ||
      this.#outputWaiting() > OUTPUT_BYTES_MAX
    );
  }

  #park(bytes: Uint8Array, start: number, end: number): void {
    this.port.parkedCount++;
    this.#unanswered.push(new ParkedFrame(bytes.slice(start, end), this.caller, this.#receivedMs));
  }

  #propose(type: number, bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, start, end);
    const xid = reader.readInt();
    const pending = new PendingWrite(this, type, xid, this.#receivedMs);
    const { replica } = this.port;
    const request = replica.request;
    request.op = type;
    request.cxid = xid;
    request.session = this.session;
    request.sessionHigh = this.session?.idHigh ?? 0;
    request.sessionLow = this.session?.idLow ?? 0;
    request.caller = this.caller;
    request.bytes = bytes;
    request.start = type === OpCode.closeSession ? end : start + 8;
    request.end = end;
    if (replica.submit(pending)) {
      this.#unanswered.push(pending);
      return;
    }
    pending.error = ErrorCode.marshallingError;
    this.port.onMalformed(this, type);
    if (this.#mustWait()) this.#park(bytes, start, end);
    else this.#reply(xid, ErrorCode.marshallingError);
  }

  /** Authentication acts at once, also ahead of unanswered requests: as Apache's does. */
  #onAuth(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, start, end);
    const xid = reader.readInt();
    reader.readInt();
    let ids: AclId[] | null;
    try {
      ids = authenticate(this.port, reader);
    } catch (problem) {
      if (!(problem instanceof MalformedError)) throw problem;
      this.close();
      return;
    }
    const out = this.beginReply(xid, 0, 0, ids === null ? ErrorCode.authFailed : ErrorCode.ok);
    this.endReply(out);
    if (ids === null) {
      this.port.stats.authFailedCount++;
      this.endAfterFlush();
      return;
    }
    const known = new Set(this.caller.authIds.map((id) => `${id.scheme}:${id.id}`));
    const fresh = ids.filter((id) => !known.has(`${id.scheme}:${id.id}`));
    this.caller = { authIds: [...this.caller.authIds, ...fresh] };
  }

  /** Everything that is not a write: answered now, from what has been applied. */
  #answer(
    type: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    caller: Caller,
    receivedMs: number,
  ): void {
    const reader = this.#reader.reset(bytes, start, end);
    const xid = reader.readInt();
    reader.readInt();
    if (type === OpCode.ping) {
      this.#reply(PING_XID, ErrorCode.ok);
    } else if (isRead(type)) {
      answerRead(this, type, xid, reader, caller);
    } else if (isClientWrite(type)) {
      this.#reply(xid, ErrorCode.marshallingError);
    } else {
      this.#refuse(type, xid);
      return;
    }
    this.#account(type, xid, receivedMs);
  }

  /** What no client may send: UNIMPLEMENTED, then close. */
  #refuse(type: number, xid: number): void {
    this.port.onRefused(this, type);
    this.endReply(this.beginReply(xid, 0xffffffff, 0xffffffff, ErrorCode.unimplemented));
    this.endAfterFlush();
  }

  // ------------------------------------------------------------------ answers out

  onApplied(pending: PendingWrite, zxidHigh: number, zxidLow: number): void {
    if (this.isClosed) return;
    if (this.#unanswered.peek() !== pending) {
      // reads before it are held up by this client's own slowness: its answer waits behind them
      pending.reply = this.#encodeAside(() => answerWrite(this, pending, zxidHigh, zxidLow));
      return;
    }
    this.#unanswered.shift();
    answerWrite(this, pending, zxidHigh, zxidLow);
    this.#account(pending.op, pending.xid, pending.receivedMs);
    if (pending.op === OpCode.closeSession) this.endAfterFlush();
    this.#drainUnanswered();
  }

  /** What `encode` writes to this connection, as bytes that are not yet on their way. */
  #encodeAside(encode: () => void): Uint8Array {
    const out = this.#out;
    const held = this.#held;
    const aside = new Writer();
    if (this.#listing === null) this.#out = aside;
    else this.#held = aside;
    encode();
    this.#out = out;
    this.#held = held;
    return aside.take();
  }

  /** Answers what waits at the head, up to the next write that is still outstanding. */
  #drainUnanswered(): void {
    for (;;) {
      const head = this.#unanswered.peek();
      if (head === undefined || this.isClosed) return;
      if (head.kind === 'write') {
        if (head.reply === null) return;
        this.#unanswered.shift();
        this.beginOut().writeBytes(head.reply, 0, head.reply.length);
        this.#account(head.op, head.xid, head.receivedMs);
        if (head.op === OpCode.closeSession) this.endAfterFlush();
        continue;
      }
      if (this.#listing !== null || this.#outputWaiting() > OUTPUT_BYTES_MAX) return;
      this.#unanswered.shift();
      this.port.parkedCount--;
      const { bytes } = head;
      const type = this.#reader.reset(bytes, 4, bytes.length).readInt();
      this.#answer(type, bytes, 0, bytes.length, head.caller, head.receivedMs);
    }
  }

  /** The reply just begun is not made now but by a listing, which calls `finishListing`. */
  awaitListing(listing: Listing): void {
    if (this.#out !== null) this.#out.pos = this.#replyStart;
    this.#listing = listing;
  }

  finishListing(reply: Writer): void {
    this.flush();
    this.#listing = null;
    const held = this.#held;
    this.#held = null;
    this.packetsSent++;
    this.port.stats.onSent(reply.pos);
    this.socket.write(reply.bytes, 0, reply.pos);
    if (held !== null) {
      this.port.markDirty(this);
      this.#out = held;
    }
    this.#drainUnanswered();
    this.#throttle();
    this.flush();
  }

  #reply(xid: number, error: number): void {
    this.endReply(this.beginReply(xid, this.port.zxidHigh, this.port.zxidLow, error));
  }

  /** The buffer of this turn's output. */
  beginOut(): Writer {
    if (this.#listing !== null) {
      this.#held ??= this.port.buffers.take();
      return this.#held;
    }
    if (this.#out === null) {
      // before the buffer is taken: this may flush, and must not flush what is about to be written
      this.port.markDirty(this);
      this.#out = this.port.buffers.take();
    }
    return this.#out;
  }

  /** Writes a reply's header behind a length to be patched by `endReply`. */
  beginReply(xid: number, zxidHigh: number, zxidLow: number, error: number): Writer {
    const out = this.beginOut();
    this.#replyStart = out.pos;
    out.writeInt(0);
    out.writeInt(xid);
    out.writeLongParts(zxidHigh, zxidLow);
    out.writeInt(error);
    this.lastZxidHigh = zxidHigh;
    this.lastZxidLow = zxidLow;
    return out;
  }
  #replyStart = 0;

  /** Drops what was written since `beginReply`, and says `error` instead. */
  failReply(out: Writer, error: number): void {
    out.pos = this.#replyStart + 20;
    out.patchInt(this.#replyStart + 16, error);
  }

  /** Says `error` in the header and keeps the body. */
  patchError(out: Writer, error: number): void {
    out.patchInt(this.#replyStart + 16, error);
  }

  endReply(out: Writer): void {
    const length = out.pos - this.#replyStart - 4;
    out.patchInt(this.#replyStart, length);
    this.packetsSent++;
    this.port.stats.onSent(length);
    this.port.metrics.responseBytes.value += length;
  }

  sendEvent(type: number, path: string, zxidHigh: number, zxidLow: number): void {
    if (this.isClosed) return;
    if (this.#outputWaiting() > this.port.eventBytesMax) {
      this.port.onSlowConsumer(this);
      this.destroy();
      return;
    }
    const out = this.beginReply(NOTIFICATION_XID, zxidHigh, zxidLow, ErrorCode.ok);
    out.writeInt(type);
    out.writeInt(3);
    out.writeString(path);
    this.port.metrics.watchBytes.value += out.pos - this.#replyStart;
    this.endReply(out);
  }

  flush(): void {
    const out = this.#out;
    if (out === null) return;
    this.#out = null;
    if (this.#phase === 'closed' || out.pos === 0) {
      this.port.buffers.give(out);
      return;
    }
    if (!this.socket.write(out.bytes, 0, out.pos)) return;
    this.port.buffers.give(out);
    // the network took it all at once, so no drain will come: what waited for room goes on next turn
    if (this.#unanswered.peek()?.kind === 'frame') this.#continueSoon();
  }

  #continueSoon(): void {
    if (this.#isContinuing) return;
    this.#isContinuing = true;
    this.port.soon(() => {
      this.#isContinuing = false;
      if (!this.isClosed) this.onDrain();
    });
  }

  #outputWaiting(): number {
    return this.socket.pendingBytes + (this.#out?.pos ?? 0) + (this.#held?.pos ?? 0);
  }

  /** Reads on only while this client's answers leave and the server has room for requests. */
  #throttle(): void {
    const mustPause =
      this.#outputWaiting() > OUTPUT_BYTES_MAX ||
      (this.#unanswered.size > 0 && this.port.isOverloaded);
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
    this.lastOp = shortName(type);
    this.lastXid = xid;
    this.lastResponseMs = nowMs;
    this.latencyLastMs = latencyMs;
    this.latencySumMs += latencyMs;
    this.latencyCount++;
    if (latencyMs > this.latencyMaxMs) this.latencyMaxMs = latencyMs;
    if (this.latencyMinMs < 0 || latencyMs < this.latencyMinMs) this.latencyMinMs = latencyMs;
    this.port.stats.onAnswered(latencyMs);
    const { metrics } = this.port;
    if (isClientWrite(type)) metrics.updateLatencyMs.add(latencyMs);
    else metrics.readLatencyMs.add(latencyMs);
  }

  resetStats(): void {
    this.packetsReceived = 0;
    this.packetsSent = 0;
    this.latencyMinMs = -1;
    this.latencyMaxMs = 0;
    this.latencyLastMs = 0;
    this.latencySumMs = 0;
    this.latencyCount = 0;
    this.lastOp = 'NA';
    this.lastXid = -1;
    this.lastZxidHigh = 0;
    this.lastZxidLow = 0;
  }

  // ------------------------------------------------------------------ the end

  /** Sends what is encoded, then closes; nothing more is read or answered. */
  endAfterFlush(): void {
    if (this.isClosed) return;
    this.flush();
    this.#phase = 'closing';
    this.#forget();
    this.socket.end();
  }

  /** Closes now; what the kernel has not taken is lost. */
  close(): void {
    this.endAfterFlush();
  }

  destroy(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closing';
    this.#forget();
    this.socket.destroy();
  }

  #forget(): void {
    for (
      let entry = this.#unanswered.shift();
      entry !== undefined;
      entry = this.#unanswered.shift()
    ) {
      if (entry.kind === 'frame') this.port.parkedCount--;
      else entry.connection = null;
    }
    this.#listing?.cancel();
    this.#listing = null;
    this.#held = null;
    if (this.#out !== null) this.port.buffers.give(this.#out);
    this.#out = null;
    this.port.forget(this);
  }
}
