/**
 * A tree, a server on it and a client's connection to it, in memory and in slow motion: requests wait
 * until the server is told to take the next one, answers and events wait on the wire until the client
 * is told to read the next one, and the connection can be cut between any two of these steps. What a
 * client would keep (the book of watches, setting them again) is the real thing.
 */
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import { join, parentOf } from '../../protocol/paths.js';
import type { Clock, Timer } from '../../ports/clock.js';
import type { ClientState, Stat, Watcher } from '../types.js';
import { WatchBook } from './watch-book.js';
import type { Answer, WatchHost } from './watch-host.js';

type Node = {
  -readonly [K in keyof Stat]: Stat[K];
};

interface Call {
  /** Done at the server; returns what reading the answer does. */
  readonly serve: () => () => void;
  readonly fail: (error: ZkError) => void;
}

/** The truth: what is there, and everything that ever happened. */
export class FakeTree {
  readonly nodes = new Map<string, Node>();
  /** `type path zxid`, as events would say it. */
  readonly history: string[] = [];
  zxid = 100n;
  onChange: (type: number, path: string, zxid: bigint) => void = () => undefined;

  constructor() {
    this.nodes.set('/', this.#fresh(0n));
  }

  #fresh(zxid: bigint): Node {
    return {
      ...{ czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: 0, mtime: 0 },
      ...{ version: 0, cversion: 0, aversion: 0, ephemeralOwner: 0n },
      ...{ dataLength: 0, numChildren: 0 },
    };
  }

  childrenOf(path: string): string[] {
    const names: string[] = [];
    for (const one of this.nodes.keys()) {
      if (one !== '/' && parentOf(one) === path) names.push(one.slice(one.lastIndexOf('/') + 1));
    }
    return names;
  }

  create(path: string): boolean {
    const parent = this.nodes.get(parentOf(path));
    if (parent === undefined || this.nodes.has(path)) return false;
    const zxid = ++this.zxid;
    this.nodes.set(path, this.#fresh(zxid));
    parent.pzxid = zxid;
    parent.cversion++;
    parent.numChildren++;
    this.#tell(EventType.nodeCreated, 'created', path);
    this.#tell(EventType.nodeChildrenChanged, 'children', parentOf(path));
    return true;
  }

  set(path: string): boolean {
    const node = this.nodes.get(path);
    if (node === undefined) return false;
    node.mzxid = ++this.zxid;
    node.version++;
    this.#tell(EventType.nodeDataChanged, 'changed', path);
    return true;
  }

  delete(path: string): boolean {
    const parent = this.nodes.get(parentOf(path));
    if (path === '/' || parent === undefined || !this.nodes.has(path)) return false;
    if (this.childrenOf(path).length > 0) return false;
    parent.pzxid = ++this.zxid;
    parent.cversion++;
    parent.numChildren--;
    this.nodes.delete(path);
    this.#tell(EventType.nodeDeleted, 'deleted', path);
    this.#tell(EventType.nodeChildrenChanged, 'children', parentOf(path));
    return true;
  }

  #tell(type: number, name: string, path: string): void {
    this.history.push(`${name} ${path} ${this.zxid}`);
    this.onChange(type, path, this.zxid);
  }
}

export interface FakeHostOptions {
  readonly isOld?: boolean;
  /** As servers before 3.9: events do not say which change they are of. */
  readonly hidesZxids?: boolean;
}

export class FakeHost implements WatchHost {
  readonly tree: FakeTree;
  readonly book = new WatchBook((watcher, event) => watcher(event));
  state: ClientState = 'connected';
  connectionCount = 1;
  /** There is a connection; in doubt it is there, and the state is 'suspended'. */
  #isAttached = true;
  /** Whether the server knows persistent watches, and whether the client has heard that it does not. */
  isOld: boolean;
  hasPersistentWatches = true;
  lastZxid = 0n;
  readonly #hidesZxids: boolean;
  readonly #listeners = new Set<(state: ClientState, previous: ClientState) => void>();
  #calls: Call[] = [];
  #wire: { readonly read: () => void; readonly lost: (() => void) | null }[] = [];
  #timers: { run: () => void; isCancelled: boolean }[] = [];
  /** What the server holds for this connection. */
  #data = new Set<string>();
  #child = new Set<string>();
  #persistent = new Set<string>();
  #recursive = new Set<string>();
  readonly clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    after: (_delayMs, run): Timer => {
      const timer = { run, isCancelled: false };
      this.#timers.push(timer);
      return { cancel: () => void (timer.isCancelled = true) };
    },
    soon: (run) => void this.#timers.push({ run, isCancelled: false }),
  };

  constructor(tree: FakeTree, { isOld = false, hidesZxids = false }: FakeHostOptions = {}) {
    this.tree = tree;
    this.isOld = isOld;
    this.#hidesZxids = hidesZxids;
    tree.onChange = (type, path, zxid) => this.#onChange(type, path, zxid);
  }

  // ------------------------------------------------------------------ what the client offers

  on(_name: 'state', listener: (state: ClientState, previous: ClientState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ask(op: 'exists' | 'getChildren', path: string, watcher: Watcher | null, answer: Answer): void {
    this.#calls.push({
      fail: (error) => answer(error, null, []),
      serve: () => {
        const node = this.tree.nodes.get(path);
        const stat = node === undefined ? null : { ...node };
        const children = stat === null ? [] : this.tree.childrenOf(path);
        if (watcher !== null) {
          if (op === 'exists') this.#data.add(path);
          else if (stat !== null) this.#child.add(path);
        }
        const zxid = this.tree.zxid;
        return () => {
          this.#note(zxid);
          const code = stat === null ? ErrorCode.noNode : ErrorCode.ok;
          if (watcher !== null) this.book.addByRead(op, code, path, watcher);
          if (stat === null && op === 'getChildren') {
            answer(new ZkError(ErrorCode.noNode, path), null, []);
          } else answer(null, stat, op === 'exists' ? [] : children);
        };
      },
    });
  }

  /** What somebody else of the same client reads: everything at one moment, in its turn. */
  snapshot(answer: (error: ZkError | null, nodes: ReadonlyMap<string, Stat>) => void): void {
    this.#calls.push({
      fail: (error) => {
        answer(error, new Map());
      },
      serve: () => {
        const nodes = new Map([...this.tree.nodes].map(([path, node]) => [path, { ...node }]));
        const { zxid } = this.tree;
        return () => {
          this.#note(zxid);
          answer(null, nodes);
        };
      },
    });
  }

  addServerWatch(
    path: string,
    isRecursive: boolean,
    watcher: Watcher,
    answer: (error: ZkError | null) => void,
  ): void {
    this.#calls.push({
      fail: answer,
      serve: () => {
        if (this.isOld) {
          return () => {
            this.hasPersistentWatches = false;
            // what was sent behind it is lost; what the answer brings about is not sent any more
            const sent = this.#calls.splice(0);
            answer(new ZkError(ErrorCode.unimplemented, path));
            const unsent = this.#calls.splice(0);
            this.#calls = sent;
            this.drop();
            this.#calls.unshift(...unsent);
          };
        }
        (isRecursive ? this.#recursive : this.#persistent).add(path);
        const { zxid } = this.tree;
        return () => {
          this.#note(zxid);
          this.book.add(isRecursive ? 'recursive' : 'persistent', path, watcher);
          answer(null);
        };
      },
    });
  }

  removeServerWatch(path: string, isRecursive: boolean, watcher: Watcher): Promise<void> {
    this.book.removeFromList(isRecursive ? 'recursive' : 'persistent', path, watcher);
    return Promise.resolve();
  }

  keepWatcher(watcher: Watcher): void {
    this.book.keep(watcher);
  }

  forgetWatcher(path: string, watcher: Watcher): void {
    this.book.remove(path, 'any', watcher);
  }

  // ------------------------------------------------------------------ what the test does

  get callCount(): number {
    return this.#calls.length;
  }

  get wireLength(): number {
    return this.#wire.length;
  }

  /** The server takes the next request. */
  serve(): boolean {
    if (!this.#isAttached) return false;
    const call = this.#calls.shift();
    if (call === undefined) return false;
    const lost = (): void => call.fail(new ZkError(ErrorCode.connectionLoss));
    this.#wire.push({ read: call.serve(), lost });
    return true;
  }

  /** The client reads the next packet. */
  deliver(): boolean {
    const packet = this.#wire.shift();
    packet?.read();
    return packet !== undefined;
  }

  /** Until nothing moves. */
  settle(): void {
    for (let i = 0; i < 100_000; i++) {
      if (this.serve() || this.deliver()) continue;
      const timer = this.#timers.shift();
      if (timer === undefined) return;
      if (!timer.isCancelled) timer.run();
    }
    throw new Error('it never comes to rest');
  }

  /**
   * What is on the wire is lost. The requests that the server has not taken were sent and fail, or
   * were not and wait for the next connection.
   */
  drop(areSent = true): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    const wire = this.#wire;
    this.#wire = [];
    for (const set of [this.#data, this.#child, this.#persistent, this.#recursive]) set.clear();
    const calls = areSent ? this.#calls.splice(0) : [];
    for (const { lost } of wire) lost?.();
    for (const call of calls) call.fail(new ZkError(ErrorCode.connectionLoss));
    this.#setState('suspended');
  }

  /** No word for long: nobody knows whether the connection still works, what comes is read. */
  doubt(): void {
    if (this.#isAttached) this.#setState('suspended');
  }

  /** Attaches again: with the watches set as a client does, before anything else. Ends a doubt. */
  reconnect(): void {
    if (this.#isAttached) {
      this.#setState('connected');
      return;
    }
    for (const { op, request } of this.book.registrations(this.lastZxid)) {
      if (op === OpCode.setWatches2) {
        if (this.isOld) {
          // the server would hang up; the client comes again without them
          this.hasPersistentWatches = false;
          this.book.dropPersistent();
          this.reconnect();
          return;
        }
        for (const path of request.persistentWatches ?? []) this.#persistent.add(path ?? '');
        for (const path of request.persistentRecursiveWatches ?? [])
          this.#recursive.add(path ?? '');
      }
      this.#setOneShots(request.relativeZxid, request);
    }
    this.#isAttached = true;
    this.connectionCount++;
    this.#setState('connected');
  }

  /** The session is over while the connection was gone. */
  expire(): void {
    this.drop();
    this.book.lost();
    this.#setState('lost');
  }

  close(): void {
    const previous = this.state;
    this.state = 'closed';
    for (const listener of [...this.#listeners]) listener('closed', previous);
  }

  #setOneShots(
    seen: bigint,
    watches: {
      readonly dataWatches: readonly (string | null)[] | null;
      readonly existWatches: readonly (string | null)[] | null;
      readonly childWatches: readonly (string | null)[] | null;
    },
  ): void {
    const { nodes } = this.tree;
    for (const path of watches.dataWatches ?? []) {
      const node = nodes.get(path ?? '');
      if (node === undefined) this.#send(EventType.nodeDeleted, path ?? '', -1n);
      else if (node.mzxid > seen) this.#send(EventType.nodeDataChanged, path ?? '', -1n);
      else this.#data.add(path ?? '');
    }
    for (const path of watches.existWatches ?? []) {
      if (nodes.has(path ?? '')) this.#send(EventType.nodeCreated, path ?? '', -1n);
      else this.#data.add(path ?? '');
    }
    for (const path of watches.childWatches ?? []) {
      const node = nodes.get(path ?? '');
      if (node === undefined) this.#send(EventType.nodeDeleted, path ?? '', -1n);
      else if (node.pzxid > seen) this.#send(EventType.nodeChildrenChanged, path ?? '', -1n);
      else this.#child.add(path ?? '');
    }
  }

  #onChange(type: number, path: string, zxid: bigint): void {
    if (!this.#isAttached) return;
    let isDue = this.#persistent.has(path);
    if (type === EventType.nodeChildrenChanged) {
      if (this.#child.delete(path)) isDue = true;
    } else {
      if (this.#data.delete(path)) isDue = true;
      if (type === EventType.nodeDeleted && this.#child.delete(path)) isDue = true;
      for (let at = path; ; at = parentOf(at)) {
        if (this.#recursive.has(at)) isDue = true;
        if (at === '/') break;
      }
    }
    if (isDue) this.#send(type, path, this.#hidesZxids ? -1n : zxid);
  }

  #send(type: number, path: string, zxid: bigint): void {
    this.#wire.push({ read: () => this.book.dispatch(type, path, zxid), lost: null });
  }

  /** An answer has told it. */
  #note(zxid: bigint): void {
    if (zxid > this.lastZxid) this.lastZxid = zxid;
  }

  #setState(state: ClientState): void {
    const previous = this.state;
    if (state === previous) return;
    this.state = state;
    for (const listener of [...this.#listeners]) listener(state, previous);
  }
}

/** Paths to play with: three levels of two names below `/r`, and a sibling that is not watched. */
export const playground: readonly string[] = ['/r', '/other'].flatMap((root) => [
  root,
  ...['a', 'b'].flatMap((one) => [
    join(root, one),
    ...['c', 'd'].map((two) => join(join(root, one), two)),
  ]),
]);
