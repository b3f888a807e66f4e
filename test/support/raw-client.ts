/**
 * A client that does exactly what a test tells it, at the level of frames: any connect request, any
 * op code with any bytes, requests without waiting for replies, half-closed sockets. It never pings,
 * retries or reconnects by itself, and it keeps everything the server sent in the order of arrival.
 */
import { connect, type Socket } from 'node:net';
import { OpCode, Reader, Writer } from 'zabra/protocol';
import type { Address } from './four-letter.js';

export interface ConnectFields {
  protocolVersion: number;
  lastZxidSeen: bigint;
  timeoutMs: number;
  sessionId: bigint;
  password: Uint8Array | null;
  /** undefined: the byte is left out, as clients before 3.4 do. */
  readOnly: boolean | undefined;
}

export interface ConnectReply {
  readonly protocolVersion: number;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  /** undefined: the reply ends before it. */
  readonly readOnly: boolean | undefined;
}

export interface Reply {
  readonly xid: number;
  readonly zxid: bigint;
  readonly err: number;
  /** What follows the header. */
  readonly body: Uint8Array;
  /** Position among all frames of this connection after the handshake, from 0. */
  readonly at: number;
}

/** Everything after the handshake is one of these. */
export type Received = { readonly reply: Reply } | { readonly event: WatchEvent };

export interface WatchEvent {
  readonly type: number;
  readonly state: number;
  readonly path: string;
  readonly zxid: bigint;
  readonly at: number;
}

export const xids = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const;

/** A request's body: bytes as they are, or a function that writes them. */
export type Body = Uint8Array | ((writer: Writer) => void) | undefined;

export function bytesOf(body: Body): Uint8Array {
  if (body === undefined) return new Uint8Array(0);
  if (body instanceof Uint8Array) return body;
  const writer = new Writer();
  body(writer);
  return writer.take();
}

export function framed(payload: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(4 + payload.length);
  frame.writeInt32BE(payload.length, 0);
  frame.set(payload, 4);
  return frame;
}

export function connectBytes(fields: ConnectFields): Uint8Array {
  return bytesOf((writer) => {
    writer.writeInt(fields.protocolVersion);
    writer.writeLong(fields.lastZxidSeen);
    writer.writeInt(fields.timeoutMs);
    writer.writeLong(fields.sessionId);
    writer.writeBuffer(fields.password);
    if (fields.readOnly !== undefined) writer.writeBool(fields.readOnly);
  });
}

interface Waiter {
  readonly isReady: () => boolean;
  readonly done: () => void;
}

/** The default of every wait: long for a server, short for a person. */
export const patienceMs = 10_000;

export class RawClient {
  readonly address: Address;
  readonly #socket: Socket;
  #input: Buffer = Buffer.alloc(0);
  #awaitsHandshake = false;
  #handshake: ConnectReply | null = null;
  #handshakeBytes: Uint8Array = new Uint8Array(0);
  #frames = 0;
  readonly #replies: Reply[] = [];
  readonly #events: WatchEvent[] = [];
  #eventsTaken = 0;
  #arrived: Received[] = [];
  #nextXid = 1;
  #closed = false;
  #waiters: Waiter[] = [];

  /** For `open` and for subclasses; the socket is connected. */
  constructor(address: Address, socket: Socket) {
    this.address = address;
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
      this.#takeFrames();
      this.#wake();
    });
    socket.on('error', () => {
      // 'close' follows, and being closed is all that a test can see of it
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** A TCP connection and nothing else. */
  static async open<T extends RawClient>(
    this: new (address: Address, socket: Socket) => T,
    address: Address,
    /** Where nobody answers and nobody refuses; 0: as long as the system tries. */
    waitMs = 0,
  ): Promise<T> {
    const socket = connect({ host: address.host, port: address.port, allowHalfOpen: true });
    const timer =
      waitMs === 0 ? undefined : setTimeout(() => socket.destroy(new Error('no answer')), waitMs);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    }).finally(() => {
      clearTimeout(timer);
    });
    socket.setNoDelay(true);
    const client = new this(address, socket);
    socket.on('end', () => {
      // the server has finished; what it sent before has been read
      socket.end();
    });
    return client;
  }

  // -- sending ------------------------------------------------------------------------------

  /** Bytes as they are, without a length in front. */
  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  sendFrame(payload: Uint8Array): void {
    this.sendBytes(framed(payload));
  }

  /** Sends one request and does not wait; returns its xid (the next one when not given). */
  post(op: number, body?: Body, xid?: number): number {
    const used = xid ?? this.takeXid();
    this.sendFrame(requestBytes(used, op, body));
    return used;
  }

  takeXid(): number {
    return this.#nextXid++;
  }

  /** Half-close: the server reads the end of the stream and may still answer. */
  end(): void {
    this.#socket.end();
  }

  /** Drops the connection; the session stays behind until it expires. */
  destroy(): void {
    this.#socket.resetAndDestroy();
    this.#closed = true;
  }

  /** Stops reading, as a client that has hung does. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  // -- the session --------------------------------------------------------------------------

  /** Sends a ConnectRequest; null when the server closes instead of answering. */
  async handshake(fields: Partial<ConnectFields> = {}): Promise<ConnectReply | null> {
    return await this.handshakeWith(
      connectBytes({
        protocolVersion: fields.protocolVersion ?? 0,
        lastZxidSeen: fields.lastZxidSeen ?? 0n,
        timeoutMs: fields.timeoutMs ?? 30_000,
        sessionId: fields.sessionId ?? 0n,
        password: fields.password === undefined ? new Uint8Array(16) : fields.password,
        readOnly: 'readOnly' in fields ? fields.readOnly : false,
      }),
    );
  }

  /** The same with a body of the test's own making. */
  async handshakeWith(payload: Uint8Array): Promise<ConnectReply | null> {
    const answer = this.expectHandshake();
    this.sendFrame(payload);
    return await answer;
  }

  /** The next frame will be a connect response; the test sends the request by itself. */
  async expectHandshake(): Promise<ConnectReply | null> {
    this.#awaitsHandshake = true;
    await this.#until(() => this.#handshake !== null || this.#closed, 'an answer to the handshake');
    return this.#handshake;
  }

  get session(): ConnectReply {
    if (this.#handshake === null) throw new Error('no session yet');
    return this.#handshake;
  }

  get hasSession(): boolean {
    return this.#handshake !== null && this.#handshake.sessionId !== 0n;
  }

  /** The connect response as it came. */
  get handshakeBytes(): Uint8Array {
    return this.#handshakeBytes;
  }

  /** A client that was connected before goes on counting where it stopped. */
  continueFrom(earlier: RawClient): void {
    this.#nextXid = earlier.#nextXid;
  }

  /** closeSession: waits for the reply and for the server to close. */
  async close(waitMs = patienceMs): Promise<void> {
    if (this.#closed) return;
    this.post(OpCode.closeSession);
    await this.untilClosed(waitMs);
  }

  // -- receiving ----------------------------------------------------------------------------

  /** One request, its reply. */
  async call(op: number, body?: Body, xid?: number): Promise<Reply> {
    return await this.reply(this.post(op, body, xid));
  }

  /** The first reply with that xid that no one has taken yet. */
  async reply(xid: number, waitMs = patienceMs): Promise<Reply> {
    const found = (): Reply | undefined => this.#replies.find((reply) => reply.xid === xid);
    await this.#until(() => found() !== undefined || this.#closed, `a reply to xid ${xid}`, waitMs);
    const reply = found();
    if (reply === undefined) throw new ClosedError(`closed before the reply to xid ${xid}`);
    this.#replies.splice(this.#replies.indexOf(reply), 1);
    return reply;
  }

  /** Replies that no one has taken yet, in order of arrival. */
  get replies(): readonly Reply[] {
    return this.#replies;
  }

  async ping(): Promise<Reply> {
    return await this.call(OpCode.ping, undefined, xids.ping);
  }

  /** The next event in order of arrival. */
  async event(waitMs = patienceMs): Promise<WatchEvent> {
    await this.#until(
      () => this.#events.length > this.#eventsTaken || this.#closed,
      'a watch event',
      waitMs,
    );
    const event = this.#events[this.#eventsTaken];
    if (event === undefined) throw new ClosedError('closed before a watch event came');
    this.#eventsTaken += 1;
    return event;
  }

  /**
   * All events that are on their way: the answer to a ping comes after every event of a change that
   * has already been answered to anybody.
   */
  async pendingEvents(): Promise<WatchEvent[]> {
    await this.ping();
    const pending = this.#events.slice(this.#eventsTaken);
    this.#eventsTaken = this.#events.length;
    return pending;
  }

  /** Everything that has arrived since the last call, in order; replies stay to be awaited. */
  takeArrived(): Received[] {
    const arrived = this.#arrived;
    this.#arrived = [];
    return arrived;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  async untilClosed(waitMs = patienceMs): Promise<void> {
    await this.#until(() => this.#closed, 'the server to close the connection', waitMs);
  }

  async #until(isReady: () => boolean, what: string, waitMs = patienceMs): Promise<void> {
    if (isReady()) return;
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        isReady,
        done: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(new Error(`waited ${waitMs} ms in vain for ${what}`));
      }, waitMs);
      this.#waiters.push(waiter);
    });
  }

  #wake(): void {
    const ready = this.#waiters.filter((waiter) => waiter.isReady());
    this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter));
    for (const waiter of ready) waiter.done();
  }

  #takeFrames(): void {
    let start = 0;
    while (this.#input.length - start >= 4) {
      const length = this.#input.readInt32BE(start);
      if (this.#input.length - start - 4 < length) break;
      this.#take(new Uint8Array(this.#input.subarray(start + 4, start + 4 + length)));
      start += 4 + length;
    }
    this.#input = this.#input.subarray(start);
  }

  #take(frame: Uint8Array): void {
    const reader = new Reader().reset(frame, 0, frame.length);
    if (this.#awaitsHandshake) {
      this.#awaitsHandshake = false;
      this.#handshakeBytes = frame;
      this.#handshake = {
        protocolVersion: reader.readInt(),
        timeoutMs: reader.readInt(),
        sessionId: reader.readLong(),
        password: reader.readBuffer() ?? new Uint8Array(0),
        readOnly: reader.remaining > 0 ? reader.readBool() : undefined,
      };
      return;
    }
    const at = this.#frames++;
    const header = { xid: reader.readInt(), zxid: reader.readLong(), err: reader.readInt(), at };
    if (header.xid === xids.notification) {
      const type = reader.readInt();
      const state = reader.readInt();
      const path = reader.readString() ?? '';
      const event: WatchEvent = { type, state, path, zxid: header.zxid, at };
      this.#events.push(event);
      this.#arrived.push({ event });
    } else {
      const reply: Reply = { ...header, body: frame.slice(reader.pos) };
      this.#replies.push(reply);
      this.#arrived.push({ reply });
    }
  }
}

/** The connection ended where a test waited for something on it. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError';
}

export function requestBytes(xid: number, op: number, body?: Body): Uint8Array {
  return bytesOf((writer) => {
    writer.writeInt(xid);
    writer.writeInt(op);
    const rest = bytesOf(body);
    writer.writeBytes(rest, 0, rest.length);
  });
}
