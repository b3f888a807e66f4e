/** A client as guards see it: what it asks is judged, and what it is told passes by whoever counts. */
import assert from 'node:assert/strict';
import type { Clock } from '../../ports/clock.js';
import type { Socket } from '../../ports/network.js';
import { EventType, KeeperState } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { Codec } from '../../protocol/records/codec.js';
import {
  AddWatchRequest,
  AuthPacket,
  GetDataRequest,
  RemoveWatchesRequest,
  SetDataRequest,
} from '../../protocol/records/requests.js';
import { Writer } from '../../protocol/writer.js';
import type { SessionView } from '../keeping/keeping-types.js';
import type { GuardedConnection, Guards } from './guards.js';

const timeless: Clock = {
  wallMs: () => 0,
  monotonicMs: () => 0,
  after: () => ({ cancel: () => undefined }),
  soon: () => undefined,
};

/** Takes everything, and remembers nothing. */
export class QuietSocket implements Socket {
  readonly remoteAddress = '10.0.0.1';
  readonly remotePort = 4711;
  readonly localAddress = '10.0.0.9';
  readonly localPort = 2181;
  readonly pendingBytes = 0;
  isPaused = false;
  isDestroyed = false;

  write(): boolean {
    return true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.isDestroyed = true;
  }

  destroy(): void {
    this.isDestroyed = true;
  }
}

export class GuardedClient {
  readonly connection: GuardedConnection;
  readonly #guards: Guards;
  readonly #out: Socket | null;
  #xid = 0;

  constructor(guards: Guards, address = '10.0.0.1', isReadOnly = false, className = 'default') {
    this.#guards = guards;
    const admitted = guards.admit(address, isReadOnly, className);
    assert.ok(typeof admitted === 'object', 'admitted');
    this.connection = admitted;
    this.#out = guards.stand(new QuietSocket(), admitted, timeless);
    // what a session begins with is no answer
    this.#tell((frame) => {
      frame.writeLong(0n);
      frame.writeLong(0n);
      frame.writeInt(0);
    });
  }

  /** What the client gets for it: 0, nothing yet. Its xid is `lastXid`. */
  ask<T>(op: number, codec: Codec<T>, body: T, xid = ++this.#xid): number {
    const out = new Writer();
    out.writeLong(-1n); // it does not lie at the beginning of the bytes
    out.writeInt(xid);
    out.writeInt(op);
    codec.write(out, body);
    const bytes = out.take();
    const session = { timeoutMs: 30_000 } as unknown as SessionView;
    const error = this.#guards.judge(this.connection, session, op, bytes, 8, bytes.length);
    if (error !== 0) this.answer(error, xid);
    return error;
  }

  get lastXid(): number {
    return this.#xid;
  }

  /** The server, or the balancer itself, has answered. */
  answer(error = 0, xid = this.#xid): void {
    this.#tell((frame) => {
      frame.writeInt(xid);
      frame.writeLong(5n);
      frame.writeInt(error);
    });
  }

  event(type: number, path: string, zxid = 5n): void {
    this.#tell((frame) => {
      frame.writeInt(-1);
      frame.writeLong(zxid);
      frame.writeInt(0);
      frame.writeInt(type);
      frame.writeInt(KeeperState.syncConnected);
      frame.writeString(path);
    });
  }

  /** A watch is asked for, and set: 0. */
  watch(path: string, error = 0): number {
    const verdict = this.get(path, true);
    if (verdict === 0) this.answer(error);
    return verdict;
  }

  get(path: string, watch = false): number {
    return this.ask(OpCode.getData, GetDataRequest, { path, watch });
  }

  set(path: string, bytes = 0): number {
    const data = new Uint8Array(bytes);
    return this.ask(OpCode.setData, SetDataRequest, { path, data, version: -1 });
  }

  addWatch(path: string, mode: number): number {
    return this.ask(OpCode.addWatch, AddWatchRequest, { path, mode });
  }

  removeWatches(path: string, type: number): number {
    return this.ask(OpCode.removeWatches, RemoveWatchesRequest, { path, type });
  }

  changed(path: string): void {
    this.event(EventType.nodeDataChanged, path);
  }

  login(scheme: string, proof: string, error = 0): string | null {
    const auth = new TextEncoder().encode(proof);
    assert.equal(this.ask(OpCode.auth, AuthPacket, { type: 0, scheme, auth }, -4), 0);
    return this.#guards.onAuthAnswered(this.connection, error);
  }

  #tell(write: (frame: Writer) => void): void {
    const frame = new Writer();
    write(frame);
    const body = frame.take();
    const out = new Writer();
    out.writeInt(body.length);
    out.writeBytes(body, 0, body.length);
    const bytes = out.take();
    this.#out?.write(bytes, 0, bytes.length);
  }
}
