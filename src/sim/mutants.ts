/**
 * Bugs put back in, to prove that the simulator finds them: each one is a lie told to the server (or
 * by it) at one of its ports, or a part of it replaced while it runs. No production code knows of
 * them. A mutant that survives is a hole in the checks.
 *
 * Each is named after what a server with that bug would do. The seed is one that is known to kill it;
 * when the simulator or the server change, another one may be needed, so more are tried before a
 * mutant counts as alive.
 */
import { DiskError, type Disk, type DiskFile, type OpenMode } from '../ports/disk.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { OpCode } from '../protocol/opcodes.js';
import type { ServerWorld } from '../server/server-world.js';
import type { Server } from '../server/server.js';
import { sessionPassword } from '../session/session-id.js';
import { ForwardingDisk, ForwardingFile, ForwardingSocket, wrapAccepted } from './forwarding.js';
import { proberAddress } from './prober.js';
import type { Sabotage } from './sim-server.js';

export interface Mutant {
  readonly name: string;
  /** One that kills it. */
  readonly seed: number;
  /** Made anew for each run: some count. */
  make(): Sabotage;
}

// ------------------------------------------------------------------ disks that lie

function onDisk(wrap: (disk: Disk) => Disk): Sabotage {
  return { wrapWorld: (world) => ({ ...world, disk: wrap(world.disk) }) };
}

/** Wraps the files whose names begin so. */
function onFiles(prefix: string, wrap: (file: DiskFile, disk: Disk) => DiskFile): Sabotage {
  class Wrapping extends ForwardingDisk {
    override openNow(path: string, mode: OpenMode): DiskFile {
      const file = this.inner.openNow(path, mode);
      return nameOf(path).startsWith(prefix) ? wrap(file, this.inner) : file;
    }
  }
  return onDisk((disk) => new Wrapping(disk));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

class FlushLies extends ForwardingFile {
  override flush(done: (error: DiskError | null) => void): void {
    done(null);
  }
}

class FlushTooEarly extends ForwardingFile {
  override flush(done: (error: DiskError | null) => void): void {
    done(null);
    this.inner.flush(() => undefined);
  }
}

class SyncLies extends ForwardingFile {
  override sync(): Promise<void> {
    return Promise.resolve();
  }

  override syncNow(): void {
    // says that it is done, and does nothing
  }
}

class DirectorySyncLies extends ForwardingDisk {
  override syncDirectoryNow(): void {
    // says that it is done, and does nothing
  }

  override syncDirectory(): Promise<void> {
    return Promise.resolve();
  }
}

class WritesGetLost extends ForwardingFile {
  #count = 0;

  override writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    if (++this.#count % 20 !== 0) super.writeNow(bytes, start, end, position);
  }
}

/** Recovery reads, and does not mend: neither cut nor made sure of. */
class NothingMended extends ForwardingFile {
  override truncateNow(): void {
    // what was torn stays
  }

  override syncNow(): void {
    // and what was only in the cache stays there
  }
}

/** Purging takes the newest log as well. */
class PurgesTooMuch extends ForwardingDisk {
  override async unlink(path: string): Promise<void> {
    await super.unlink(path);
    if (!nameOf(path).startsWith('log.')) return;
    const directory = path.slice(0, path.lastIndexOf('/'));
    const logs = this.inner.listNow(directory).filter(({ name }) => name.startsWith('log.'));
    const newest = logs
      .map(({ name }) => name)
      .sort((a, b) => b.length - a.length || (a < b ? 1 : -1))[0];
    if (newest !== undefined) this.inner.unlinkNow(`${directory}/${newest}`);
  }
}

// ------------------------------------------------------------------ servers that say the wrong thing

type Frames = Uint8Array[];

const NOTIFICATION_XID = -1;

function xidOf(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset).getInt32(4);
}

const isEvent = (frame: Uint8Array): boolean => xidOf(frame) === NOTIFICATION_XID;
const isReply = (frame: Uint8Array): boolean => xidOf(frame) > 0;

/** Rewrites the frames of each write, the first one of a connection (its handshake) excepted. */
class Rewriting extends ForwardingSocket {
  readonly #rewrite: (frames: Frames) => Frames;
  #isGreeted = false;

  constructor(inner: Socket, rewrite: (frames: Frames) => Frames) {
    super(inner);
    this.#rewrite = rewrite;
  }

  override write(bytes: Uint8Array, start: number, end: number): boolean {
    const frames: Frames = [];
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let at = start; at < end;) {
      const next = at + 4 + view.getInt32(at);
      frames.push(bytes.slice(at, next));
      at = next;
    }
    const greeting = this.#isGreeted ? [] : frames.splice(0, 1);
    this.#isGreeted = true;
    for (const frame of [...greeting, ...this.#rewrite(frames)]) {
      this.inner.write(frame, 0, frame.length);
    }
    return true;
  }
}

function onFrames(make: () => (frames: Frames) => Frames): Sabotage {
  return {
    wrapWorld: (world) => ({
      ...world,
      network: wrapAccepted(world.network, (socket) => {
        const isText = socket.remoteAddress === proberAddress;
        return isText ? socket : new Rewriting(socket, make());
      }),
    }),
  };
}

/** Does something to every n-th frame of a kind. */
function everyNth(
  n: number,
  isMeant: (frame: Uint8Array) => boolean,
  change: (frame: Uint8Array) => Frames,
): () => (frames: Frames) => Frames {
  return () => {
    let count = 0;
    return (frames) =>
      frames.flatMap((frame) => (isMeant(frame) && ++count % n === 0 ? change(frame) : [frame]));
  };
}

function withZxid(frame: Uint8Array, change: (zxid: bigint) => bigint): Uint8Array {
  const copy = frame.slice();
  const view = new DataView(copy.buffer);
  view.setBigInt64(8, change(view.getBigInt64(8)));
  return copy;
}

/** The first two neighbours for which it holds change places. */
function swapped(frames: Frames, mustSwap: (a: Uint8Array, b: Uint8Array) => boolean): Frames {
  for (let i = 0; i + 1 < frames.length; i++) {
    const [a, b] = [frames[i]!, frames[i + 1]!];
    if (mustSwap(a, b)) return [...frames.slice(0, i), b, a, ...frames.slice(i + 2)];
  }
  return frames;
}

/** Takes a buffer back that it has given away. */
class BufferStolen extends ForwardingSocket {
  override write(bytes: Uint8Array, start: number, end: number): boolean {
    this.inner.write(bytes, start, end);
    return true;
  }
}

// ------------------------------------------------------------------ servers that do not listen

const CONNECT_REQUEST_BYTES = 48;
const SESSION_AT = 20;
const PASSWORD_AT = 32;

/** Puts the right password into every handshake. */
function knowingPasswords(handler: SocketHandler): SocketHandler {
  let held: number[] | null = [];
  return {
    onData(bytes, start, end) {
      if (held === null) {
        handler.onData(bytes, start, end);
        return;
      }
      held.push(...bytes.subarray(start, end));
      if (held.length < CONNECT_REQUEST_BYTES) return;
      const all = Uint8Array.from(held);
      held = null;
      const sessionId = new DataView(all.buffer).getBigInt64(SESSION_AT);
      if (sessionId !== 0n) all.set(sessionPassword(sessionId), PASSWORD_AT);
      handler.onData(all, 0, all.length);
    },
    onDrain: () => handler.onDrain(),
    onClose: (error) => handler.onClose(error),
  };
}

const PING_BYTES = 12;

/** Pings do not count as a sign of life. */
function deafToPings(handler: SocketHandler): SocketHandler {
  return {
    onData(bytes, start, end) {
      const isPing = end - start === PING_BYTES && bytes[end - 1] === OpCode.ping;
      if (!isPing) handler.onData(bytes, start, end);
    },
    onDrain: () => handler.onDrain(),
    onClose: (error) => handler.onClose(error),
  };
}

function onHandlers(wrap: (handler: SocketHandler) => SocketHandler): Sabotage {
  return {
    wrapWorld: (world: ServerWorld) => ({
      ...world,
      network: wrapAccepted(world.network, (socket) => socket, wrap),
    }),
  };
}

// ------------------------------------------------------------------ parts replaced

function onServer(change: (server: Server) => void): Sabotage {
  return { onStarted: change };
}

function expireEarly({ sessions }: Server): void {
  const expire = sessions.expire.bind(sessions);
  sessions.expire = (nowMs, lateMs, onExpired) => {
    expire(nowMs + 1200, lateMs, onExpired);
  };
}

function neverExpire({ sessions }: Server): void {
  sessions.expire = () => undefined;
}

function reviveClosed({ sessions }: Server): void {
  sessions.remove = (id) => {
    const session = sessions.get(id);
    if (session !== undefined) session.isClosing = false;
    return session;
  };
}

const TYPE_AT = 28;

function keepEphemerals({ tree }: Server): void {
  const apply = tree.apply.bind(tree);
  tree.apply = (bytes, start, end) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    if (view.getInt32(start + TYPE_AT) !== OpCode.closeSession) return apply(bytes, start, end);
    tree.setLastZxid(view.getInt32(start + 12), view.getInt32(start + 16));
    return 0;
  };
}

const NUM_CHILDREN_END = 60;

function miscountChildren({ tree }: Server): void {
  const statInto = tree.statInto.bind(tree);
  tree.statInto = (id, out, pos) => {
    statInto(id, out, pos);
    const at = pos + NUM_CHILDREN_END - 1;
    out[at] = (out[at] ?? 0) ^ (tree.numChildren(id) > 2 ? 1 : 0);
  };
}

function forgetDeletions({ tree }: Server): void {
  const told = tree.listener;
  tree.listener = {
    onChange(kind, node, parent) {
      if (kind !== 'deleted') told?.onChange(kind, node, parent);
    },
  };
}

export const mutants: readonly Mutant[] = [
  {
    name: 'flush says it is done and does nothing',
    seed: 1,
    make: () => onFiles('log.', (file) => new FlushLies(file)),
  },
  {
    name: 'acknowledges before the flush has ended',
    seed: 1,
    make: () => onFiles('log.', (file) => new FlushTooEarly(file)),
  },
  {
    name: 'logs are begun without fsync',
    seed: 1,
    make: () => onFiles('log.', (file) => new SyncLies(file)),
  },
  {
    name: 'snapshots are not synced',
    seed: 1,
    make: () => onFiles('.snapshot', (file) => new SyncLies(file)),
  },
  {
    name: 'directories are not synced',
    seed: 1,
    make: () => onDisk((disk) => new DirectorySyncLies(disk)),
  },
  {
    name: 'writes to the log get lost',
    seed: 1,
    make: () => onFiles('log.', (file) => new WritesGetLost(file)),
  },
  {
    name: 'recovery mends nothing',
    seed: 4,
    make: () => onFiles('log.', (file) => new NothingMended(file)),
  },
  {
    name: 'purging takes a log that is needed',
    seed: 1,
    make: () => onDisk((disk) => new PurgesTooMuch(disk)),
  },
  {
    name: 'replies change places',
    seed: 1,
    make: () => onFrames(() => (frames) => swapped(frames, (a, b) => isReply(a) && isReply(b))),
  },
  {
    name: 'events come after the reply that shows them',
    seed: 1,
    make: () => onFrames(() => (frames) => swapped(frames, (a, b) => isEvent(a) && isReply(b))),
  },
  { name: 'a reply is lost', seed: 1, make: () => onFrames(everyNth(20, isReply, () => [])) },
  {
    name: 'a reply shows an earlier zxid',
    seed: 1,
    make: () => onFrames(everyNth(20, isReply, (frame) => [withZxid(frame, (zxid) => zxid - 1n)])),
  },
  {
    name: 'a reply shows a zxid to come',
    seed: 1,
    make: () => onFrames(everyNth(20, isReply, (frame) => [withZxid(frame, (zxid) => zxid + 1n)])),
  },
  { name: 'an event is lost', seed: 2, make: () => onFrames(everyNth(5, isEvent, () => [])) },
  {
    name: 'an event comes twice',
    seed: 2,
    make: () => onFrames(everyNth(5, isEvent, (frame) => [frame, frame])),
  },
  {
    name: 'an event shows the wrong zxid',
    seed: 2,
    make: () => onFrames(everyNth(5, isEvent, (frame) => [withZxid(frame, (zxid) => zxid - 1n)])),
  },
  {
    name: 'a buffer is used again before it has left',
    seed: 8,
    make: () => ({
      wrapWorld: (world) => ({
        ...world,
        network: wrapAccepted(world.network, (socket) => new BufferStolen(socket)),
      }),
    }),
  },
  { name: 'passwords are not checked', seed: 7, make: () => onHandlers(knowingPasswords) },
  { name: 'pings do not keep sessions alive', seed: 9, make: () => onHandlers(deafToPings) },
  { name: 'sessions expire before their time', seed: 1, make: () => onServer(expireEarly) },
  { name: 'sessions never expire', seed: 1, make: () => onServer(neverExpire) },
  { name: 'a closed session lives on', seed: 1, make: () => onServer(reviveClosed) },
  { name: 'ephemerals outlive their session', seed: 1, make: () => onServer(keepEphemerals) },
  { name: 'stats count children wrong', seed: 1, make: () => onServer(miscountChildren) },
  { name: 'nobody is told of deletions', seed: 2, make: () => onServer(forgetDeletions) },
  {
    name: 'ACLs are ignored',
    seed: 1,
    make: () => ({ wrapConfig: (config) => ({ ...config, skipAcl: true }) }),
  },
];
