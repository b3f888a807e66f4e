/** One client's connection at a server that a test has made up, with all that it may ask. */
import {
  AttachStatus,
  ContinuationCapability,
  ContinuationOp,
  Fate,
  readAttachRequest,
  readCatchUp,
  readFateRequest,
  writeAttachResponse,
  writeFates,
  type AttachRequest,
  type WatchLists,
  type WriteFate,
} from '../../protocol/continuation.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { ErrorCode } from '../../protocol/errors.js';
import { EventType } from '../../protocol/events.js';
import { FrameDecoder } from '../../protocol/frame.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import { SetWatches, SetWatches2 } from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import type { FakeSession, FakeTxn } from './fake-ensemble.fixture.js';
import type { FakeServer } from './fake-server.fixture.js';
import { happeningsOf } from './fake-tree.fixture.js';
import { FakeWatches, type FakeKind } from './fake-watches.fixture.js';

const NO_BODY = new Uint8Array(0);
const KINDS: readonly FakeKind[] = ['data', 'exist', 'child', 'persistent', 'recursive'];
const HEADER_BYTES = 8;

interface Waiting {
  readonly xid: number;
  readonly op: number;
  readonly body: Uint8Array;
  answer: { readonly zxid: bigint; readonly error: number; readonly body: Uint8Array } | null;
  /** A sync: answered when so much is applied. */
  barrier: number | null;
  /** On its way to the leader; what waits behind a sync is not. */
  isForwarded: boolean;
}

export class FakeConnection implements SocketHandler {
  readonly server: FakeServer;
  readonly socket: Socket;
  readonly watches = new FakeWatches();
  /** Operations that came, in order, and their numbers. */
  readonly ops: number[] = [];
  readonly xids: number[] = [];
  session: FakeSession | null = null;
  attach: AttachRequest | null = null;
  lastZxidSeen = 0n;
  isOpen = true;
  readonly #decoder = new FrameDecoder(1 << 26);
  readonly #queue: Waiting[] = [];
  #hasGreeted = false;
  readonly #batches: WatchLists[] = [];

  constructor(server: FakeServer, socket: Socket) {
    this.server = server;
    this.socket = socket;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.#decoder.push(bytes, start, end, (frame, from, to) => {
      if (!this.isOpen) return false;
      const copy = frame.slice(from, to);
      if (this.#hasGreeted) this.#onRequest(copy);
      else this.#onGreeting(new Reader(copy));
      return true;
    });
  }

  onDrain(): void {
    // it sends little
  }

  onClose(): void {
    this.isOpen = false;
    const index = this.server.connections.indexOf(this);
    if (index >= 0) this.server.connections.splice(index, 1);
  }

  hangUp(): void {
    this.isOpen = false;
    this.socket.end();
    this.onClose();
  }

  send(write: (out: Writer) => void): void {
    if (!this.isOpen) return;
    const out = new Writer();
    out.writeInt(0);
    write(out);
    out.patchInt(0, out.pos - 4);
    this.socket.write(out.take(), 0, out.pos);
  }

  sendEvent(zxid: bigint, type: number, path: string): void {
    this.send((out) => {
      out.writeInt(-1);
      out.writeLong(zxid);
      out.writeInt(0);
      out.writeInt(type);
      out.writeInt(3);
      out.writeString(path);
    });
  }

  reply(xid: number, zxid: bigint, error: number, body: Uint8Array = NO_BODY): void {
    this.send((out) => {
      out.writeInt(xid);
      out.writeLong(zxid);
      out.writeInt(error);
      out.writeBytes(body, 0, body.length);
    });
  }

  // ------------------------------------------------------------------ the session

  #onGreeting(reader: Reader): void {
    this.#hasGreeted = true;
    const { server } = this;
    const { ensemble } = server;
    if (server.isSilent) return;
    reader.readInt();
    this.lastZxidSeen = reader.readLong();
    const timeoutMs = server.timeoutMs ?? reader.readInt();
    if (server.timeoutMs !== null) reader.readInt();
    const id = reader.readLong();
    const password = reader.readBuffer();
    const hasFlag = reader.remaining > 0;
    if (hasFlag) reader.readBool();
    this.attach = readAttachRequest(reader);
    if (this.lastZxidSeen > server.zxid) {
      this.hangUp();
      return;
    }
    // to the leader and back
    server.forward(() => {
      const session =
        id === 0n ? ensemble.createSession(timeoutMs, this) : this.#resume(id, password);
      const zxid = ensemble.zxid;
      ensemble.timeline.after(ensemble.delay(), () => {
        this.session = typeof session === 'string' ? null : session;
        this.#welcome(session, timeoutMs, hasFlag, zxid);
        this.drain();
      });
    });
  }

  #resume(id: bigint, password: Uint8Array | null): FakeSession | 'gone' | 'superseded' {
    const { ensemble, isApache } = this.server;
    const session = ensemble.sessions.get(id);
    const isRight = session?.password.every((byte, i) => byte === password?.[i]) === true;
    if (session?.isOpen !== true || !isRight) return 'gone';
    const generation = isApache ? 0n : (this.attach?.generation ?? 0n);
    return ensemble.attach(session, generation, this) ?? 'superseded';
  }

  #welcome(
    session: FakeSession | 'gone' | 'superseded',
    timeoutMs: number,
    hasFlag: boolean,
    zxid: bigint,
  ): void {
    const { isApache, isGlobal, isReadOnly, givesAnother } = this.server;
    const isThere = typeof session !== 'string';
    this.send((out) => {
      out.writeInt(0);
      out.writeInt(isThere ? timeoutMs : 0);
      out.writeLong(isThere ? session.id + (givesAnother ? 1n : 0n) : 0n);
      out.writeBuffer(isThere ? session.password : new Uint8Array(16));
      if (hasFlag) out.writeBool(isReadOnly);
      if (isApache || this.attach === null) return;
      const { fate, catchUp, global } = ContinuationCapability;
      writeAttachResponse(out, {
        capabilities: fate | catchUp | (isGlobal ? global : 0),
        status: session === 'superseded' ? AttachStatus.superseded : AttachStatus.ok,
        generation: isThere ? session.generation : 0n,
        zxid,
      });
    });
    if (!isThere) this.hangUp();
  }

  // ------------------------------------------------------------------ requests

  #onRequest(frame: Uint8Array): void {
    const reader = new Reader(frame);
    const xid = reader.readInt();
    const op = reader.readInt();
    const body = frame.slice(HEADER_BYTES);
    this.ops.push(op);
    this.xids.push(xid);
    const { server } = this;
    const isExtension = op === ContinuationOp.fate || op === ContinuationOp.catchUp;
    if (server.poison.has(op) || (isExtension && server.isApache)) {
      this.hangUp();
      return;
    }
    if (server.isSilent) return;
    if (op === OpCode.auth) {
      this.#onAuth(xid, reader);
      return;
    }
    this.#queue.push({ xid, op, body, answer: null, barrier: null, isForwarded: false });
    this.#forward();
    this.drain();
  }

  /** In order, up to the next sync and with it. */
  #forward(): void {
    const { ensemble } = this.server;
    for (const waiting of this.#queue) {
      const { xid, op, body } = waiting;
      if (!waiting.isForwarded) {
        waiting.isForwarded = true;
        if (op === OpCode.closeSession) {
          this.server.forward(() => {
            ensemble.closeSession(this, xid);
          });
        } else if (isWrite(op)) {
          this.server.forward(() => {
            ensemble.propose(this, xid, op, body);
          });
        } else if (op === OpCode.sync) {
          this.server.forward(() => {
            waiting.barrier = ensemble.log.length;
            this.drain();
          });
        }
      }
      if (op === OpCode.sync) return;
    }
  }

  /** Answered before what waits, as Apache does. */
  #onAuth(xid: number, reader: Reader): void {
    reader.readInt();
    const isRefused = this.server.refusedSchemes.has(reader.readString() ?? '');
    this.reply(xid, 0n, isRefused ? ErrorCode.authFailed : 0);
    if (isRefused) this.hangUp();
  }

  onApplied(txn: FakeTxn): void {
    const waiting = this.#queue.find(
      ({ xid, op, answer }) => xid === txn.cxid && isWrite(op) && answer === null,
    );
    if (waiting === undefined) return;
    waiting.answer = { zxid: txn.zxid, error: txn.error, body: txn.body };
  }

  /** Answers what can be answered, in order. */
  drain(): void {
    if (this.session === null || !this.isOpen) return;
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      if (isWrite(head.op)) {
        if (head.answer === null) return;
        this.reply(head.xid, head.answer.zxid, head.answer.error, head.answer.body);
        if (head.op === OpCode.closeSession) this.hangUp();
      } else if (head.op === OpCode.sync) {
        if (head.barrier === null || this.server.applied < head.barrier) return;
        this.#answer(head);
      } else this.#answer(head);
      this.#queue.shift();
      if (head.op === OpCode.sync) this.#forward();
    }
  }

  #answer({ xid, op, body }: Waiting): void {
    const { tree, zxid } = this.server;
    const reader = new Reader(body);
    switch (op) {
      case OpCode.ping:
        this.reply(-2, zxid, 0);
        return;
      case OpCode.sasl:
        this.reply(xid, zxid, 0, new Uint8Array(4));
        return;
      case ContinuationOp.fate:
        this.#answerFates(xid, reader);
        return;
      case ContinuationOp.catchUp:
        this.#answerCatchUp(xid, reader);
        return;
      case OpCode.setWatches:
      case OpCode.setWatches2:
        this.#setWatches(op, reader);
        this.reply(xid, zxid, 0);
        return;
      case OpCode.addWatch: {
        const path = reader.readString() ?? '';
        this.watches.add(reader.readInt() === 1 ? 'recursive' : 'persistent', path);
        this.reply(xid, zxid, 0, new Uint8Array(4));
        return;
      }
      case OpCode.removeWatches: {
        const path = reader.readString() ?? '';
        const wasHeld = this.watches.remove(path, reader.readInt());
        this.reply(xid, zxid, wasHeld ? 0 : ErrorCode.noWatcher);
        return;
      }
    }
    const path = reader.readString() ?? '';
    if (this.server.hidden.has(path) && tree.has(path) && op !== OpCode.exists) {
      this.reply(xid, zxid, ErrorCode.noAuth);
      return;
    }
    const { error, body: answer } = tree.read(op, path);
    if (op !== OpCode.sync && reader.readBool()) this.#watch(op, path, error);
    this.reply(xid, zxid, error, answer);
  }

  #watch(op: number, path: string, error: number): void {
    const isChild = op === OpCode.getChildren || op === OpCode.getChildren2;
    if (error === 0) this.watches.add(isChild ? 'child' : 'data', path);
    else if (op === OpCode.exists) this.watches.add('exist', path);
  }

  #answerFates(xid: number, reader: Reader): void {
    const { ensemble, applied, coversFrom, zxid } = this.server;
    const { since, cxids } = readFateRequest(reader);
    const known = ensemble.log.slice(0, applied).filter((txn) => {
      const isOurs = txn.sessionId === this.session?.id && txn.error !== ErrorCode.sessionMoved;
      return isOurs && txn.zxid > since && txn.zxid >= coversFrom;
    });
    const fates = cxids.map((cxid): WriteFate => {
      const txn = known.find((one) => one.cxid === cxid);
      if (txn === undefined) return { cxid, fate: since < coversFrom ? Fate.unknown : Fate.never };
      const { zxid: at, error, body } = txn;
      return { cxid, fate: Fate.executed, zxid: at, error, body };
    });
    const out = new Writer();
    writeFates(out, fates);
    this.reply(xid, zxid, 0, out.take());
  }

  #answerCatchUp(xid: number, reader: Reader): void {
    const { ensemble, applied, coversFrom, zxid } = this.server;
    const { hasMore, since, lists } = readCatchUp(reader);
    this.#batches.push(lists);
    if (hasMore) {
      this.reply(xid, zxid, this.server.refusesParts ? ErrorCode.dataInconsistency : 0);
      return;
    }
    const all = this.#batches.splice(0);
    if (since < coversFrom) {
      this.reply(xid, zxid, ErrorCode.dataInconsistency);
      return;
    }
    for (const one of all) {
      for (const kind of KINDS) for (const path of one[kind]) this.watches.add(kind, path);
    }
    for (const txn of ensemble.log.slice(0, applied)) {
      if (txn.zxid <= since) continue;
      for (const happening of happeningsOf(txn.changes)) {
        if (this.watches.fire(happening)) {
          this.sendEvent(txn.zxid, happening.type, happening.path);
        }
      }
    }
    this.reply(xid, zxid, 0);
  }

  /** As Apache does: what happened in between is guessed from what is there now. */
  #setWatches(op: number, reader: Reader): void {
    const codec = op === OpCode.setWatches ? SetWatches : SetWatches2;
    const request: SetWatches & Partial<SetWatches2> = codec.read(reader);
    const { tree } = this.server;
    const seen = request.relativeZxid;
    for (const path of request.dataWatches ?? []) {
      const mzxid = tree.mzxidOf(path ?? '');
      if (mzxid === null) this.sendEvent(-1n, EventType.nodeDeleted, path ?? '');
      else if (mzxid > seen) this.sendEvent(-1n, EventType.nodeDataChanged, path ?? '');
      else this.watches.add('data', path ?? '');
    }
    for (const path of request.existWatches ?? []) {
      if (tree.has(path ?? '')) this.sendEvent(-1n, EventType.nodeCreated, path ?? '');
      else this.watches.add('exist', path ?? '');
    }
    for (const path of request.childWatches ?? []) {
      const pzxid = tree.pzxidOf(path ?? '');
      if (pzxid === null) this.sendEvent(-1n, EventType.nodeDeleted, path ?? '');
      else if (pzxid > seen) this.sendEvent(-1n, EventType.nodeChildrenChanged, path ?? '');
      else this.watches.add('child', path ?? '');
    }
    for (const path of request.persistentWatches ?? []) this.watches.add('persistent', path ?? '');
    for (const path of request.persistentRecursiveWatches ?? []) {
      this.watches.add('recursive', path ?? '');
    }
  }
}

function isWrite(op: number): boolean {
  switch (op) {
    case OpCode.create:
    case OpCode.delete:
    case OpCode.setData:
    case OpCode.multi:
    case OpCode.closeSession:
      return true;
    default:
      return false;
  }
}
