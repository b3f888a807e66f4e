/**
 * A session without a network: the server's own program asks through the same pipeline as any
 * client, byte for byte, so what it sees is what clients see.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { FrameDecoder } from '../protocol/frame.js';
import { OpCode, opName } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import {
  ConnectRequest,
  ConnectResponse,
  ReplyHeader,
  requestCodecOf,
  responseCodecOf,
} from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import type { Caller } from '../txn/authorize.js';
import type { ClientPort } from './client-port.js';
import { ClientConnection } from './connection.js';

export interface LocalRequest {
  /** A number of `OpCode`. */
  readonly op: number;
  /** The operation's request record, as `zabra/protocol` defines it. */
  readonly body: object;
}

export interface Reply {
  readonly zxid: bigint;
  /** 0, or an error code of the protocol. */
  readonly error: number;
  /** The operation's response record; null when there was an error or the operation has none. */
  readonly body: unknown;
}

const PING_XID = -2;
const NOTIFICATION_XID = -1;
const REPLY_BYTES_MAX = 0x7fffffff;

export class LocalSession implements Socket {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 0;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 0;
  readonly pendingBytes = 0;
  readonly #clock: Clock;
  readonly #handler: SocketHandler;
  readonly #decoder = new FrameDecoder(REPLY_BYTES_MAX);
  readonly #reader = new Reader();
  readonly #waiting = new Map<
    number,
    { op: number; resolve: (reply: Reply) => void; reject: (error: Error) => void }
  >();
  #connected: { resolve: (session: LocalSession) => void; reject: (error: Error) => void } | null =
    null;
  #xid = 0;
  #timeoutMs = 0;
  #ping: Timer | null = null;
  #isClosed = false;

  /** `caller`: whom it asks as; absent: whoever reaches the port on this machine. */
  static open(
    port: ClientPort,
    clock: Clock,
    timeoutMs: number,
    caller: Caller | null = null,
  ): Promise<LocalSession> {
    return new Promise((resolve, reject) => {
      const session = new LocalSession(port, clock);
      if (caller !== null && session.#handler instanceof ClientConnection) {
        session.#handler.caller = caller;
      }
      session.#connected = { resolve, reject };
      const writer = new Writer();
      writer.writeInt(0);
      ConnectRequest.write(writer, {
        protocolVersion: 0,
        lastZxidSeen: 0n,
        timeOut: timeoutMs,
        sessionId: 0n,
        passwd: new Uint8Array(16),
        readOnly: false,
      });
      session.#send(writer);
    });
  }

  private constructor(port: ClientPort, clock: Clock) {
    this.#clock = clock;
    this.#handler = port.accept(this);
  }

  request({ op, body }: LocalRequest): Promise<Reply> {
    if (this.#isClosed) return Promise.reject(new Error('the local session is closed'));
    const codec = requestCodecOf(op);
    if (codec === undefined)
      return Promise.reject(new TypeError(`${opName(op)} is no client request`));
    const writer = new Writer();
    const xid = ++this.#xid;
    writer.writeInt(0);
    writer.writeInt(xid);
    writer.writeInt(op);
    codec.write(writer, body);
    return new Promise((resolve, reject) => {
      this.#waiting.set(xid, { op, resolve, reject });
      this.#send(writer);
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.request({ op: OpCode.closeSession, body: {} });
    this.destroy();
  }

  // ------------------------------------------------------------------ the socket the server sees

  write(bytes: Uint8Array, start: number, end: number): boolean {
    this.#decoder.push(bytes, start, end, (frame, from, to) => {
      this.#onFrame(frame, from, to);
      return true;
    });
    return true;
  }

  pause(): void {
    // there is no stream to stop: callers are promises that simply resolve later
  }

  resume(): void {
    // see pause
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#ping?.cancel();
    const error = new Error('the local session was closed by the server');
    this.#connected?.reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#clock.soon(() => {
      this.#handler.onClose(null);
    });
  }

  #send(writer: Writer): void {
    writer.patchInt(0, writer.pos - 4);
    this.#handler.onData(writer.bytes, 0, writer.pos);
  }

  #onFrame(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, start, end);
    if (this.#connected !== null) {
      const { resolve } = this.#connected;
      this.#connected = null;
      this.#timeoutMs = ConnectResponse.read(reader).timeOut;
      this.#pingLater();
      resolve(this);
      return;
    }
    const { xid, zxid, err } = ReplyHeader.read(reader);
    if (xid === PING_XID || xid === NOTIFICATION_XID) return;
    const waiting = this.#waiting.get(xid);
    if (waiting === undefined) return;
    this.#waiting.delete(xid);
    const codec = err === 0 && reader.remaining > 0 ? responseCodecOf(waiting.op) : undefined;
    waiting.resolve({ zxid, error: err, body: codec === undefined ? null : codec.read(reader) });
  }

  #pingLater(): void {
    this.#ping = this.#clock.after(this.#timeoutMs / 3, () => {
      const writer = new Writer();
      writer.writeInt(0);
      writer.writeInt(PING_XID);
      writer.writeInt(OpCode.ping);
      this.#send(writer);
      this.#pingLater();
    });
  }
}
