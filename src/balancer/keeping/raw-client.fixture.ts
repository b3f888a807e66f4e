/** A client without a will of its own: it sends what it is told to, and remembers what it gets. */
import type { Socket, SocketHandler } from '../../ports/network.js';
import { FrameDecoder } from '../../protocol/frame.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import { Writer } from '../../protocol/writer.js';
import type { Timeline } from '../../sim/clock.js';

export type Received =
  | { readonly kind: 'welcome'; readonly sessionId: bigint; readonly timeoutMs: number }
  | {
      readonly kind: 'reply';
      readonly xid: number;
      readonly zxid: bigint;
      readonly error: number;
      readonly body: Uint8Array;
      readonly atMs: number;
    }
  | { readonly kind: 'event'; readonly zxid: bigint; readonly type: number; readonly path: string };

export interface RawGreeting {
  readonly lastZxidSeen?: bigint;
  readonly timeoutMs?: number;
  readonly sessionId?: bigint;
  readonly password?: Uint8Array;
  /** Null: a client from before 3.4. */
  readonly readOnly?: boolean | null;
  /** Appended behind it. */
  readonly trailer?: Uint8Array;
}

const PASSWORD_BYTES = 16;

export class RawClient implements SocketHandler {
  readonly inbox: Received[] = [];
  sessionId = 0n;
  timeoutMs = 0;
  password: Uint8Array = new Uint8Array(PASSWORD_BYTES);
  /** Of the welcome, as it came. */
  welcomeBytes = 0;
  isReadOnly: boolean | null = null;
  isClosed = false;
  closedAtMs = 0;
  nextXid = 1;
  readonly #timeline: Timeline;
  readonly #decoder = new FrameDecoder(1 << 26);
  #socket: Socket | null = null;
  #isWelcome = false;
  #isPinging = false;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  join(socket: Socket): SocketHandler {
    this.#socket = socket;
    return this;
  }

  get socket(): Socket {
    if (this.#socket === null) throw new Error('not connected');
    return this.#socket;
  }

  get replies(): Extract<Received, { kind: 'reply' }>[] {
    return this.inbox.filter((one) => one.kind === 'reply');
  }

  get events(): Extract<Received, { kind: 'event' }>[] {
    return this.inbox.filter((one) => one.kind === 'event');
  }

  /** What came, shortly: `1:0` for a reply to 1, `3@/a` for an event. */
  get story(): string[] {
    return this.inbox.map((one) => {
      if (one.kind === 'welcome') return 'welcome';
      return one.kind === 'reply' ? `${one.xid}:${one.error}` : `${one.type}@${one.path}`;
    });
  }

  replyTo(xid: number): Extract<Received, { kind: 'reply' }> | null {
    return this.replies.find((reply) => reply.xid === xid) ?? null;
  }

  greet(greeting: RawGreeting): void {
    const { sessionId = 0n, password = this.password, timeoutMs = 6000 } = greeting;
    this.frame((out) => {
      out.writeInt(0);
      out.writeLong(greeting.lastZxidSeen ?? 0n);
      out.writeInt(timeoutMs);
      out.writeLong(sessionId);
      out.writeBuffer(password);
      if (greeting.readOnly !== null) out.writeBool(greeting.readOnly ?? false);
      const { trailer } = greeting;
      if (trailer !== undefined) out.writeBytes(trailer, 0, trailer.length);
    });
  }

  /** Returns the number that it was given. */
  request(op: number, write?: (out: Writer) => void, xid = this.nextXid++): number {
    this.frame((out) => {
      out.writeInt(xid);
      out.writeInt(op);
      write?.(out);
    });
    return xid;
  }

  getData(path: string, watch = false): number {
    return this.request(OpCode.getData, (out) => pathAndFlag(out, path, watch));
  }

  exists(path: string, watch = false): number {
    return this.request(OpCode.exists, (out) => pathAndFlag(out, path, watch));
  }

  getChildren(path: string, watch = false): number {
    return this.request(OpCode.getChildren, (out) => pathAndFlag(out, path, watch));
  }

  setData(path: string, data: string): number {
    return this.request(OpCode.setData, (out) => {
      out.writeString(path);
      out.writeString(data);
      out.writeInt(-1);
    });
  }

  create(path: string, data = ''): number {
    return this.request(OpCode.create, (out) => {
      out.writeString(path);
      out.writeString(data);
      out.writeInt(0);
      out.writeInt(0);
    });
  }

  delete(path: string): number {
    return this.request(OpCode.delete, (out) => {
      out.writeString(path);
      out.writeInt(-1);
    });
  }

  addWatch(path: string, isRecursive: boolean): number {
    return this.request(OpCode.addWatch, (out) => {
      out.writeString(path);
      out.writeInt(isRecursive ? 1 : 0);
    });
  }

  removeWatches(path: string, type: number): number {
    return this.request(OpCode.removeWatches, (out) => {
      out.writeString(path);
      out.writeInt(type);
    });
  }

  sync(path = '/'): number {
    return this.request(OpCode.sync, (out) => out.writeString(path));
  }

  ping(): void {
    this.request(OpCode.ping, undefined, -2);
  }

  auth(scheme: string, id: string): void {
    const write = (out: Writer): void => {
      out.writeInt(0);
      out.writeString(scheme);
      out.writeString(id);
    };
    this.request(OpCode.auth, write, -4);
  }

  /** As clients do while they have nothing else to say. */
  keepPinging(everyMs: number): void {
    this.#isPinging = true;
    const next = (): void => {
      if (this.isClosed || !this.#isPinging) return;
      this.ping();
      this.#timeline.after(everyMs, next);
    };
    next();
  }

  stopPinging(): void {
    this.#isPinging = false;
  }

  frame(write: (out: Writer) => void): void {
    const out = new Writer();
    out.writeInt(0);
    write(out);
    out.patchInt(0, out.pos - 4);
    this.raw(out.take());
  }

  raw(bytes: Uint8Array): void {
    this.socket.write(bytes, 0, bytes.length);
  }

  close(): void {
    this.isClosed = true;
    this.socket.end();
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.#decoder.push(bytes, start, end, (frame, from, to) => {
      this.#onFrame(new Reader(frame.slice(from, to)));
      return true;
    });
  }

  onDrain(): void {
    // it sends little
  }

  onClose(): void {
    this.isClosed = true;
    this.closedAtMs = this.#timeline.nowMs;
  }

  #onFrame(reader: Reader): void {
    if (!this.#isWelcome) {
      this.#isWelcome = true;
      this.welcomeBytes = reader.remaining;
      reader.readInt();
      this.timeoutMs = reader.readInt();
      this.sessionId = reader.readLong();
      this.password = reader.readBuffer() ?? this.password;
      this.isReadOnly = reader.remaining > 0 ? reader.readBool() : null;
      const { sessionId, timeoutMs } = this;
      this.inbox.push({ kind: 'welcome', sessionId, timeoutMs });
      return;
    }
    const xid = reader.readInt();
    const zxid = reader.readLong();
    const error = reader.readInt();
    if (xid === -1) {
      const type = reader.readInt();
      reader.readInt();
      this.inbox.push({ kind: 'event', zxid, type, path: reader.readString() ?? '' });
      return;
    }
    const body = reader.bytes.slice(reader.pos, reader.end);
    this.inbox.push({ kind: 'reply', xid, zxid, error, body, atMs: this.#timeline.nowMs });
  }
}

function pathAndFlag(out: Writer, path: string, flag: boolean): void {
  out.writeString(path);
  out.writeBool(flag);
}
