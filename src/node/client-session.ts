/**
 * A client's session with one server, for the questions that tools ask: what belongs to the ensemble,
 * and that it be changed. A session that ends with its connection, and never comes back; it is over
 * within its timeout, so nobody pings.
 */
import type { Network, Socket, SocketHandler } from '../ports/network.js';
import { ErrorCode } from '../protocol/errors.js';
import { FrameDecoder } from '../protocol/frame.js';
import { OpCode, opName } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import {
  AuthPacket,
  ConnectRequest,
  ConnectResponse,
  ReplyHeader,
  requestCodecOf,
  responseCodecOf,
} from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { SpecialXid } from '../protocol/xid.js';

const SESSION_TIMEOUT_MS = 40_000;
const FRAME_BYTES_MAX = 16 * 1024 * 1024;

export interface ClientReply {
  readonly error: number;
  /** The operation's response record; null when there was an error or the operation has none. */
  readonly body: unknown;
}

interface Waiter {
  readonly op: number;
  resolve(reply: ClientReply): void;
  reject(error: Error): void;
}

export class ClientSession implements SocketHandler {
  readonly #where: string;
  readonly #timeoutMs: number;
  readonly #decoder = new FrameDecoder(FRAME_BYTES_MAX);
  readonly #waiting = new Map<number, Waiter>();
  #socket: Socket | null = null;
  #opened: { resolve(): void; reject(error: Error): void } | null = null;
  #xid = 0;
  #isOver = false;

  /** Rejects when the server does not answer in time, or serves nobody now. */
  static async open(
    network: Network,
    address: { readonly host: string; readonly port: number; readonly timeoutMs: number },
  ): Promise<ClientSession> {
    const session = new ClientSession(`${address.host}:${address.port}`, address.timeoutMs);
    const opened = session.#within(
      new Promise<void>((resolve, reject) => {
        session.#opened = { resolve, reject };
      }),
    );
    try {
      session.#socket = await network.connect(address, (socket) => {
        session.#socket = socket;
        return session;
      });
      session.#greet();
      await opened;
      return session;
    } catch (problem) {
      opened.catch(() => undefined);
      session.#end('is closed');
      throw problem;
    }
  }

  private constructor(where: string, timeoutMs: number) {
    this.#where = where;
    this.#timeoutMs = timeoutMs;
  }

  /** False: the server does not believe it, and has closed the connection. */
  async auth(scheme: string, shown: string): Promise<boolean> {
    const answered = this.#expect(SpecialXid.auth, OpCode.auth);
    const writer = framed(SpecialXid.auth, OpCode.auth);
    AuthPacket.write(writer, { type: 0, scheme, auth: new TextEncoder().encode(shown) });
    this.#send(writer);
    const { error } = await answered;
    return error === ErrorCode.ok;
  }

  /** Rejects when the connection ends before there is an answer: it is not known what became of it. */
  async request(op: number, body: object): Promise<ClientReply> {
    const codec = requestCodecOf(op);
    if (codec === undefined) throw new TypeError(`${opName(op)} is no client request`);
    const xid = ++this.#xid;
    const answered = this.#expect(xid, op);
    const writer = framed(xid, op);
    codec.write(writer, body);
    this.#send(writer);
    return await answered;
  }

  /** The session is over, too. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    const xid = ++this.#xid;
    const answered = this.#expect(xid, OpCode.closeSession);
    this.#send(framed(xid, OpCode.closeSession));
    // a server that was taken out answers nobody any more
    await answered.catch(() => undefined);
    this.#end('is closed');
  }

  // ------------------------------------------------------------------ the socket

  onData(bytes: Uint8Array, start: number, end: number): void {
    try {
      this.#decoder.push(bytes, start, end, (frame, from, to) => {
        this.#onFrame(new Reader().reset(frame, from, to));
        return true;
      });
    } catch (problem) {
      const reason = problem instanceof Error ? problem.message : String(problem);
      this.#end(`is no ZooKeeper server: ${reason}`);
    }
  }

  onDrain(): void {
    // a few hundred bytes are all that is ever sent
  }

  onClose(): void {
    this.#end('serves nobody now');
  }

  #onFrame(reader: Reader): void {
    if (this.#opened !== null) {
      const { sessionId } = ConnectResponse.read(reader);
      if (sessionId === 0n) this.#end('refuses a session');
      else this.#opened.resolve();
      this.#opened = null;
      return;
    }
    const { xid, err } = ReplyHeader.read(reader);
    const waiter = this.#waiting.get(xid);
    if (waiter === undefined) return;
    this.#waiting.delete(xid);
    const codec = err === 0 && reader.remaining > 0 ? responseCodecOf(waiter.op) : undefined;
    waiter.resolve({ error: err, body: codec === undefined ? null : codec.read(reader) });
  }

  #greet(): void {
    const writer = new Writer();
    writer.writeInt(0);
    ConnectRequest.write(writer, {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeOut: SESSION_TIMEOUT_MS,
      sessionId: 0n,
      passwd: new Uint8Array(16),
      readOnly: false,
    });
    this.#send(writer);
  }

  #expect(xid: number, op: number): Promise<ClientReply> {
    if (this.#isOver) return Promise.reject(new Error(`${this.#where}: the session is over`));
    return this.#within(
      new Promise((resolve, reject) => {
        this.#waiting.set(xid, { op, resolve, reject });
      }),
    );
  }

  /** Rejects when there is no answer in time; then nothing is known of the connection any more. */
  async #within<T>(answer: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#end('does not answer');
    }, this.#timeoutMs);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  #send(writer: Writer): void {
    writer.patchInt(0, writer.pos - 4);
    this.#socket?.write(writer.bytes, 0, writer.pos);
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const error = new Error(`${this.#where} ${reason}`);
    this.#opened?.reject(error);
    this.#opened = null;
    for (const waiter of this.#waiting.values()) waiter.reject(error);
    this.#waiting.clear();
    this.#socket?.destroy();
  }
}

function framed(xid: number, op: number): Writer {
  const writer = new Writer();
  writer.writeInt(0);
  writer.writeInt(xid);
  writer.writeInt(op);
  return writer;
}
