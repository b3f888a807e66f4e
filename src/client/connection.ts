/**
 * One connection to one server, from its first byte to its last. It writes what it is given in the
 * order it is given, one write a turn, and matches answers to calls by that order, which is all the
 * protocol promises and all that is needed: the oldest call without an answer is the one that the
 * next answer belongs to. Whatever else a server sends is a violation and ends the connection. It
 * decides nothing about sessions and time: it notes when things happened, and its owner judges.
 */
import { Ring } from '../base/ring.js';
import type { Clock } from '../ports/clock.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { ErrorCode } from '../protocol/errors.js';
import { FrameDecoder } from '../protocol/frame.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, Reader } from '../protocol/reader.js';
import { ConnectResponse } from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { SpecialXid } from '../protocol/xid.js';
import { ProtocolViolationError, RequestTimeoutError, zkErrorOf } from './errors.js';
import { RequestState, type Request } from './request.js';
import type { ServerAddress } from './types.js';

/** What a connection tells. Never from inside a call to it, save for `onAnswered`. */
export interface ConnectionOwner {
  /** The first answer; the connection sends nothing but what it is told until it is `open`. */
  onConnectResponse(connection: Connection, response: ConnectResponse): void;
  onNotification(type: number, path: string, zxid: bigint): void;
  /** To the oldest setWatches or auth without an answer. */
  onSpecialReply(connection: Connection, xid: number, error: number): void;
  /** The next number for a call. */
  takeXid(): number;
  /** Once after `expectWord`: the server has answered something that was sent after it. */
  onWord(connection: Connection): void;
  /** The server does not know the operation; it may close the connection next. */
  onUnimplemented(connection: Connection, opCode: number): void;
  /** Once. `cause` null: the server closed it without a word. */
  onClosed(connection: Connection, cause: Error | null): void;
}

/** More calls than this wait for the answers of those before them. */
const IN_FLIGHT_MAX = 65_536;
/** One write is not much longer than this. */
const WRITE_BYTES_MAX = 1 << 20;
/** A buffer that grew beyond this for a large call is let go after it. */
const KEPT_BUFFER_BYTES_MAX = 256 * 1024;

export class Connection implements SocketHandler {
  readonly server: ServerAddress;
  readonly #owner: ConnectionOwner;
  readonly #clock: Clock;
  readonly #socket: Socket;
  /** Calls that wait to be sent; the owner's, they outlive a connection. */
  readonly #waiting: Ring<Request>;
  readonly #inFlight = new Ring<Request>(IN_FLIGHT_MAX);
  readonly #decoder: FrameDecoder;
  readonly #reader = new Reader();
  #writer = new Writer(4096);
  #isOpen = false;
  #isGreeted = false;
  #isClosed = false;
  #isDone = false;
  #isRetiring = false;
  #isFlushPlanned = false;
  #mustDrain = false;
  #cause: Error | null = null;
  /** When the pings were sent that have no answer yet: one, and one more after a stall. */
  readonly #pings: number[] = [];
  #wordFromMs = Infinity;
  #zxidHigh = 0;
  #zxidLow = 0;
  /** The server is known to have been there at this time: something sent then was answered. */
  heardOfMs: number;
  /** When something was last sent that will be answered. */
  sentAtMs: number;
  /** How many answers came after the handshake. */
  answers = 0;

  constructor(
    server: ServerAddress,
    socket: Socket,
    owner: ConnectionOwner,
    clock: Clock,
    waiting: Ring<Request>,
    maxReplyBytes: number,
  ) {
    this.server = server;
    this.#socket = socket;
    this.#owner = owner;
    this.#clock = clock;
    this.#waiting = waiting;
    this.#decoder = new FrameDecoder(maxReplyBytes);
    this.heardOfMs = clock.monotonicMs();
    this.sentAtMs = this.heardOfMs;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The newest that an answer here has told; 0n: none yet. */
  get lastZxid(): bigint {
    return (BigInt(this.#zxidHigh) << 32n) | BigInt(this.#zxidLow);
  }

  get oldestInFlight(): Request | undefined {
    return this.#inFlight.peek();
  }

  get isPingUnanswered(): boolean {
    return this.#pings.length > 0;
  }

  /** The bytes of one packet without its length, behind those that were sent before. */
  sendPacket(write: (writer: Writer) => void): void {
    if (this.#isClosed) return;
    const start = this.#beginPacket();
    write(this.#writer);
    this.#endPacket(start);
    this.sentAtMs = this.#clock.monotonicMs();
    this.#planFlush();
  }

  /** From now on the calls that wait are sent. */
  open(): void {
    this.#isOpen = true;
    this.#planFlush();
  }

  /** A call has been put among those that wait. */
  wake(): void {
    if (this.#isOpen) this.#planFlush();
  }

  /** A call past those that wait: for what comes before the connection is open. */
  sendFirst(request: Request): void {
    if (this.#isClosed) return;
    this.sentAtMs = this.#clock.monotonicMs();
    this.#send(request, this.sentAtMs);
    this.#planFlush();
  }

  ping(): void {
    if (this.#isDone || this.#isClosed) return;
    this.sendPacket((writer) => {
      writer.writeInt(SpecialXid.ping);
      writer.writeInt(OpCode.ping);
    });
    this.#pings.push(this.sentAtMs);
  }

  /** Asks to be told by `onWord`. */
  expectWord(): void {
    this.#wordFromMs = this.#clock.monotonicMs();
    this.ping();
  }

  /** Sends no more calls, and closes when those that were sent have been answered. */
  retire(): void {
    this.#isOpen = false;
    this.#isRetiring = true;
    if (this.#inFlight.size === 0) this.destroy(null);
  }

  /** Sends what there is, then closes. */
  end(): void {
    this.#flush();
    this.#socket.end();
  }

  /** Closes at once. `cause` is what the owner is told, and those whose calls have no answer. */
  destroy(cause: Error | null): void {
    if (this.#isDone || this.#isClosed) return;
    this.#isDone = true;
    this.#cause = cause;
    this.#socket.destroy();
  }

  /**
   * Calls that have waited for `limitMs` since they were made fail, their answers will be dropped;
   * 0: there is no limit. Returns when the next one's time is up.
   */
  sweep(nowMs: number, limitMs: number): number {
    if (limitMs === 0) return Infinity;
    for (let i = 0; ; i++) {
      const request = this.#inFlight.at(i);
      if (request === undefined) return Infinity;
      if (request.state === RequestState.settled) continue;
      if (request.calledAtMs + limitMs > nowMs) return request.calledAtMs + limitMs;
      const timeout = new RequestTimeoutError(request.shownPath);
      if (request.operation.isWrite) request.failUnanswered(timeout);
      else request.fail(timeout);
    }
  }

  /** Takes the calls that were sent and have no answer, in the order of sending. */
  takeInFlight(): Request[] {
    const taken: Request[] = [];
    for (let next = this.#inFlight.shift(); next !== undefined; next = this.#inFlight.shift()) {
      taken.push(next);
    }
    return taken;
  }

  // ------------------------------------------------------------------ sending

  #planFlush(): void {
    if (this.#isFlushPlanned || this.#mustDrain || this.#isClosed) return;
    this.#isFlushPlanned = true;
    this.#clock.soon(this.#flushPlanned);
  }

  readonly #flushPlanned = (): void => {
    this.#isFlushPlanned = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#isClosed || this.#mustDrain) return;
    if (this.#isOpen && this.#waiting.size > 0) {
      this.sentAtMs = this.#clock.monotonicMs();
      while (this.#waiting.size > 0 && !this.#inFlight.isFull) {
        const request = this.#waiting.shift();
        if (request?.state === RequestState.waiting) this.#send(request, this.sentAtMs);
        if (this.#writer.pos >= WRITE_BYTES_MAX && !this.#write()) return;
      }
    }
    if (this.#writer.pos > 0) this.#write();
  }

  #send(request: Request, nowMs: number): void {
    const xid = this.#owner.takeXid();
    request.xid = xid;
    request.sentAtMs = nowMs;
    request.state = RequestState.sent;
    this.#inFlight.push(request);
    const start = this.#beginPacket();
    this.#writer.writeInt(xid);
    this.#writer.writeInt(request.operation.opCode);
    request.operation.write(this.#writer, request);
    this.#endPacket(start);
  }

  #beginPacket(): number {
    const start = this.#writer.pos;
    this.#writer.writeInt(0);
    return start;
  }

  #endPacket(start: number): void {
    this.#writer.patchInt(start, this.#writer.pos - start - 4);
  }

  /** False: no more until the socket has drained. */
  #write(): boolean {
    const writer = this.#writer;
    const isFree = this.#socket.write(writer.bytes, 0, writer.pos);
    if (isFree && writer.bytes.length <= KEPT_BUFFER_BYTES_MAX) {
      writer.reset();
      return true;
    }
    this.#writer = new Writer(4096);
    if (!isFree && this.#socket.pendingBytes > WRITE_BYTES_MAX) this.#mustDrain = true;
    return !this.#mustDrain;
  }

  onDrain(): void {
    this.#mustDrain = false;
    this.#flush();
  }

  // ------------------------------------------------------------------ receiving

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isDone) return;
    const status = this.#decoder.push(bytes, start, end, this.#onFrame);
    if (status === 'ok') return;
    const length = this.#decoder.refusedLength;
    const limit = status === 'tooLong' ? ', more than maxReplyBytes allows' : '';
    this.#violate(`an answer of ${length} bytes${limit}`);
  }

  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): boolean => {
    const reader = this.#reader.reset(bytes, start, end);
    try {
      if (this.#isGreeted) this.#onReply(reader);
      else this.#onGreeting(reader);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#violate(error.message);
    }
    // who was told may have closed the connection
    return !this.#isDone;
  };

  #onGreeting(reader: Reader): void {
    this.#isGreeted = true;
    const response = ConnectResponse.read(reader);
    this.heardOfMs = this.sentAtMs;
    this.#owner.onConnectResponse(this, response);
  }

  #onReply(reader: Reader): void {
    const xid = reader.readInt();
    const zxidHigh = reader.readInt();
    const zxidLow = reader.readUint32();
    const error = reader.readInt();
    if (xid > 0) {
      this.#noteZxid(zxidHigh, zxidLow);
      this.#onAnswer(xid, error, reader);
    } else if (xid === SpecialXid.notification) {
      const zxid = (BigInt(zxidHigh) << 32n) | BigInt(zxidLow);
      const type = reader.readInt();
      reader.readInt();
      this.#owner.onNotification(type, reader.readString() ?? '', zxid);
    } else if (xid === SpecialXid.ping) {
      this.#noteZxid(zxidHigh, zxidLow);
      const sentAtMs = this.#pings.shift();
      if (sentAtMs === undefined) this.#violate('an answer to a ping that was not sent');
      else this.#hear(sentAtMs);
    } else if (xid === SpecialXid.setWatches || xid === SpecialXid.auth) {
      this.#owner.onSpecialReply(this, xid, error);
    } else {
      this.#violate(`an answer with the number ${xid}`);
    }
  }

  #onAnswer(xid: number, error: number, reader: Reader): void {
    const request = this.#inFlight.peek();
    if (request?.xid !== xid) {
      const wanted = request === undefined ? 'none is' : `${request.xid} is`;
      this.#violate(`an answer to call ${xid} where ${wanted} waited for`);
      return;
    }
    const { operation } = request;
    // read before the call is taken off: what cannot be read has not been answered
    const value = error === 0 ? operation.read(reader, request) : undefined;
    this.#inFlight.shift();
    this.#hear(request.sentAtMs);
    if (this.#isRetiring && this.#inFlight.size === 0) this.destroy(null);
    if (this.#waiting.size > 0) this.#planFlush();
    if (request.state === RequestState.settled) return;
    if (error === ErrorCode.ok) {
      request.onAnswer?.(error);
      request.succeed(value);
      return;
    }
    if (error === ErrorCode.unimplemented) this.#owner.onUnimplemented(this, operation.opCode);
    const standsFor = operation.readError?.(error, request);
    request.onAnswer?.(error);
    if (standsFor !== undefined) request.succeed(standsFor);
    else request.fail(zkErrorOf(error, request.shownPath));
  }

  #hear(sentAtMs: number): void {
    this.answers++;
    if (sentAtMs > this.heardOfMs) this.heardOfMs = sentAtMs;
    if (sentAtMs < this.#wordFromMs) return;
    this.#wordFromMs = Infinity;
    this.#owner.onWord(this);
  }

  #noteZxid(high: number, low: number): void {
    if (high < this.#zxidHigh || high < 0) return;
    if (high === this.#zxidHigh && low <= this.#zxidLow) return;
    this.#zxidHigh = high;
    this.#zxidLow = low;
  }

  #violate(what: string): void {
    const { host, port } = this.server;
    this.destroy(new ProtocolViolationError(`${host}:${port} sent what is no answer: ${what}`));
  }

  onClose(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#owner.onClosed(this, this.#cause ?? error);
  }
}
