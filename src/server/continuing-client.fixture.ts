/**
 * A client that takes its session from server to server, frame by frame as a test tells it, over real
 * sockets: what a proxy does that hides the loss of a server.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  ContinuationOp,
  readAttachResponse,
  readFates,
  writeAttachRequest,
  writeCatchUp,
  writeFateRequest,
  type AttachRequest,
  type AttachResponse,
  type WatchLists,
  type WriteFate,
} from '../protocol/continuation.js';
import { FrameDecoder } from '../protocol/frame.js';
import { OpCode } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import { ConnectRequest, ConnectResponse, ReplyHeader, WatcherEvent } from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';

export const everything = 7;

export interface Reply {
  readonly zxid: bigint;
  readonly error: number;
  readonly body: Uint8Array;
}

export interface Event {
  readonly type: number;
  readonly path: string;
  readonly zxid: bigint;
}

/** Where a session stands. */
export interface Standing {
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  readonly attach: AttachResponse | null;
}

export const noLists: WatchLists = {
  data: [],
  exist: [],
  child: [],
  persistent: [],
  recursive: [],
};

export class ContinuingClient {
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder(1 << 28);
  #standing: Standing | null = null;
  readonly #replies = new Map<number, Reply>();
  /** In the order of arrival, with what was answered among them as xids. */
  readonly heard: (Event | number)[] = [];
  isClosed = false;
  #wake: () => void = () => undefined;

  /** `block` null: as Apache's clients. `session` null: a new one. */
  static async attach(
    port: number,
    session: Standing | null,
    block: AttachRequest | null,
    options: { readonly alongside?: readonly Uint8Array[]; readonly timeoutMs?: number } = {},
  ): Promise<ContinuingClient> {
    const socket = connect({ host: '127.0.0.1', port });
    await once(socket, 'connect');
    const client = new ContinuingClient(socket);
    const out = new Writer();
    ConnectRequest.write(out, {
      ...{ protocolVersion: 0, lastZxidSeen: 0n, timeOut: options.timeoutMs ?? 30_000 },
      ...{ sessionId: session?.sessionId ?? 0n, readOnly: false },
      passwd: session?.password ?? new Uint8Array(16),
    });
    if (block !== null) writeAttachRequest(out, block);
    // in one segment, as far as the kernel goes
    socket.cork();
    socket.write(framed(out.take()));
    for (const frame of options.alongside ?? []) socket.write(frame);
    socket.uncork();
    await client.until(() => client.#standing !== null || client.isClosed);
    return client;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Uint8Array) => {
      this.#decoder.push(chunk, 0, chunk.length, this.#onFrame);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  get standing(): Standing {
    assert.ok(this.#standing !== null, 'the server closed instead of answering');
    return this.#standing;
  }

  /** Of its response. */
  get granted(): AttachResponse {
    const { attach } = this.standing;
    assert.ok(attach !== null, 'nothing was granted');
    return attach;
  }

  get hasSession(): boolean {
    return this.standing.sessionId !== 0n;
  }

  get events(): Event[] {
    return this.heard.filter((one) => typeof one !== 'number');
  }

  post(xid: number, op: number, write: (out: Writer) => void = () => undefined): void {
    this.#socket.write(requestOf(xid, op, write));
  }

  async call(xid: number, op: number, write?: (out: Writer) => void): Promise<Reply> {
    this.post(xid, op, write);
    return await this.reply(xid);
  }

  async reply(xid: number): Promise<Reply> {
    await this.until(() => this.#replies.has(xid) || this.isClosed);
    const reply = this.#replies.get(xid);
    assert.ok(reply !== undefined, `closed before the reply to ${xid}`);
    this.#replies.delete(xid);
    return reply;
  }

  hasReply(xid: number): boolean {
    return this.#replies.has(xid);
  }

  async create(xid: number, path: string, flags = 0): Promise<Reply> {
    return await this.call(xid, OpCode.create, createBody(path, flags));
  }

  /** Behind a sync, as it must be asked. */
  async fates(xid: number, since: bigint, cxids: readonly number[]): Promise<WriteFate[]> {
    this.post(xid, OpCode.sync, (out) => {
      out.writeString('/');
    });
    const { error, body } = await this.call(xid + 1, ContinuationOp.fate, (out) => {
      writeFateRequest(out, since, cxids);
    });
    assert.equal(error, 0);
    return readFates(new Reader().reset(body, 0, body.length));
  }

  /** The error code. */
  async catchUp(
    xid: number,
    since: bigint,
    lists: Partial<WatchLists>,
    hasMore = false,
  ): Promise<number> {
    const { error } = await this.call(xid, ContinuationOp.catchUp, (out) => {
      writeCatchUp(out, since, { ...noLists, ...lists }, hasMore);
    });
    return error;
  }

  async untilClosed(): Promise<void> {
    await this.until(() => this.isClosed);
  }

  async until(isThere: () => boolean): Promise<void> {
    while (!isThere()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): boolean => {
    const reader = new Reader().reset(bytes.slice(start, end));
    if (this.#standing === null) {
      const { sessionId, passwd } = ConnectResponse.read(reader);
      const attach = readAttachResponse(reader);
      this.#standing = { sessionId, password: passwd ?? new Uint8Array(16), attach };
      return true;
    }
    const { xid, zxid, err: error } = ReplyHeader.read(reader);
    if (xid === -1) {
      const { type, path } = WatcherEvent.read(reader);
      this.heard.push({ type, path: path ?? '', zxid });
      return true;
    }
    this.heard.push(xid);
    this.#replies.set(xid, { zxid, error, body: reader.bytes.slice(reader.pos, reader.end) });
    return true;
  };
}

export function requestOf(
  xid: number,
  op: number,
  write: (out: Writer) => void = () => undefined,
): Uint8Array {
  const out = new Writer();
  out.writeInt(xid);
  out.writeInt(op);
  write(out);
  return framed(out.take());
}

export function createBody(path: string, flags = 0): (out: Writer) => void {
  return (out) => {
    out.writeString(path);
    out.writeBuffer(new Uint8Array(0));
    out.writeInt(1);
    out.writeInt(31);
    out.writeString('world');
    out.writeString('anyone');
    out.writeInt(flags);
  };
}

function framed(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + bytes.length);
  new DataView(frame.buffer).setInt32(0, bytes.length);
  frame.set(bytes, 4);
  return frame;
}
