/**
 * A subtree, always at hand: the data and stats of all its znodes as they were told last, and what
 * becomes of them.
 *
 * Guarantee: what is here was there. No znode is ever followed by an older state of itself; a znode is
 * told after its parent was, and goes before its parent does. When nothing changes any more and there is
 * a connection, this is soon equal to what is there. Znodes are read one by one, so together they need
 * not be what was there at any one moment. Several changes in quick succession may be told as one.
 * On SUSPENDED: it stays as it was, and may be old.
 * On LOST: it stays as it was; in the new session the differences are told.
 * Znode layout: any; nothing is written.
 * Interoperates with: everything (Curator's TreeCache, CuratorCache and kazoo's TreeCache are its like).
 *
 * Memory: for each znode its path, stat and data (without data: `data: false`), and for events that
 * wait while many znodes are read at most three for each znode that is or was there.
 */
import { Emitter } from '../client/emitter.js';
import { NoAuthError, NoNodeError } from '../client/errors.js';
import type { Stat, WatchEvent, ZkClient } from '../client/types.js';
import { isNewer, type CachedNode } from './node-cache.js';
import { nameOf, parentOf } from './parents.js';
import { acrossSessions, asError, untilEvent, within, type WaitOptions } from './patience.js';

export interface TreeCacheOptions {
  /** Whether to keep the data of each znode; true unless given. Without, `data` is empty. */
  readonly data?: boolean;
}

export interface TreeCacheEvents {
  added: [node: CachedNode];
  changed: [node: CachedNode, previous: CachedNode];
  removed: [node: CachedNode];
  /** Once: everything that was there at the start has been told. */
  initialized: [];
  /** It cannot be followed, and this is given up. */
  error: [problem: Error];
}

/** An event and, where there is something to read, what was read for it. */
interface Step {
  readonly event: WatchEvent;
  /** Null: there was none, or none that may be read. */
  readonly reading: Promise<CachedNode | null> | null;
}

/** Reads under way at the same time. */
const readingMax = 256;

export class TreeCache implements AsyncDisposable {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #withData: boolean;
  readonly #listeners = new Emitter<TreeCacheEvents>();
  readonly #stop = new AbortController();
  readonly #nodes = new Map<string, CachedNode>();
  readonly #children = new Map<string, Set<string>>();
  /** What was removed while events wait whose reads may be older: those are not to bring it back. */
  readonly #removed = new Map<string, Stat>();
  #isListed = false;
  #isInitialized = false;
  #isStarted = false;
  #problem: Error | null = null;

  constructor(client: ZkClient, path: string, options: TreeCacheOptions = {}) {
    this.path = path;
    this.#client = client;
    this.#withData = options.data ?? true;
  }

  on<E extends keyof TreeCacheEvents>(
    name: E,
    listener: (...args: TreeCacheEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  /** Resolves when everything that was there is here. */
  async start(options: WaitOptions = {}): Promise<void> {
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#run().catch((problem: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#problem = asError(problem);
        this.#listeners.emit('error', this.#problem);
      });
    }
    await within(this.#client, options, `reading the tree ${this.path}`, async (signal) => {
      if (this.#problem !== null) throw this.#problem;
      if (this.#isInitialized) return;
      await untilEvent(signal, (wake, fail) => {
        const off = [this.on('initialized', wake), this.on('error', fail)];
        return () => {
          for (const unsubscribe of off) unsubscribe();
        };
      });
    });
  }

  get isInitialized(): boolean {
    return this.#isInitialized;
  }

  /** How many znodes are here. */
  get size(): number {
    return this.#nodes.size;
  }

  get(path: string): CachedNode | undefined {
    return this.#nodes.get(path);
  }

  /** By name; none when there is no such znode. */
  children(path: string): Map<string, CachedNode> {
    const children = new Map<string, CachedNode>();
    for (const child of this.#children.get(path) ?? []) {
      const node = this.#nodes.get(child);
      if (node !== undefined) children.set(nameOf(child), node);
    }
    return children;
  }

  /** All of them, parents before children. */
  [Symbol.iterator](): IterableIterator<CachedNode> {
    return this.#nodes.values();
  }

  /** Follows no more; what is here stays. */
  close(): void {
    this.#stop.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #run(): Promise<void> {
    const stop = this.#stop.signal;
    const watching = this.#client.watch(this.path, {
      recursive: true,
      initial: true,
      signal: stop,
      onListed: () => {
        this.#isListed = true;
        if (steps.length === 0) wake();
      },
    });
    const events = watching[Symbol.asyncIterator]();
    const steps: Step[] = [];
    let wake: () => void = () => undefined;
    let next = events.next();
    for (;;) {
      // as many as are there already, so that their reads are under way together
      while (steps.length < readingMax) {
        const settled = await Promise.race([next, nothingYet]);
        if (settled === undefined) break;
        if (settled.done === true) return;
        steps.push(this.#begin(settled.value));
        next = events.next();
      }
      const step = steps.shift();
      if (step !== undefined) {
        await this.#finish(step);
        continue;
      }
      this.#removed.clear();
      if (this.#isListed) this.#initialize();
      const listed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await Promise.race([next, listed]);
    }
  }

  #initialize(): void {
    if (this.#isInitialized) return;
    this.#isInitialized = true;
    this.#listeners.emit('initialized');
  }

  #begin(event: WatchEvent): Step {
    const isRead = event.type === 'created' || event.type === 'changed';
    const reading = isRead ? this.#read(event.path) : null;
    // it is awaited in its turn
    reading?.catch(() => undefined);
    return { event, reading };
  }

  async #read(path: string): Promise<CachedNode | null> {
    const client = this.#client;
    try {
      return await acrossSessions(client, undefined, async () => {
        if (this.#withData) return { path, ...(await client.getData(path)) };
        const stat = await client.exists(path);
        return stat === null ? null : { path, data: Buffer.alloc(0), stat };
      });
    } catch (problem) {
      if (problem instanceof NoNodeError || problem instanceof NoAuthError) return null;
      throw problem;
    }
  }

  async #finish({ event, reading }: Step): Promise<void> {
    if (event.type === 'deleted') {
      const known = this.#nodes.get(event.path);
      // of an earlier one of that name: this one is there
      const isOther = known !== undefined && event.zxid !== undefined;
      if (isOther && event.zxid < known.stat.czxid) return;
      this.#remove(event.path);
      return;
    }
    if (reading === null) return;
    const node = await reading;
    // gone already: that will be told
    if (node === null || this.#stop.signal.aborted) return;
    this.#put(node);
  }

  #put(node: CachedNode): void {
    const { path, stat } = node;
    const known = this.#nodes.get(path);
    if (known !== undefined && isSameNode(known.stat, stat)) {
      if (!isNewer(stat, known.stat)) return;
      this.#nodes.set(path, node);
      this.#listeners.emit('changed', node, known);
      return;
    }
    if (known !== undefined) {
      if (!isNewer(stat, known.stat)) return;
      this.#remove(path);
    }
    const removed = this.#removed.get(path);
    if (removed !== undefined && isNewer(removed, stat)) return;
    // its parent is gone already, and so is it: that will be told
    if (path !== this.path && !this.#nodes.has(parentOf(path))) return;
    this.#nodes.set(path, node);
    if (path !== this.path) {
      const siblings = this.#children.get(parentOf(path)) ?? new Set();
      siblings.add(path);
      this.#children.set(parentOf(path), siblings);
    }
    this.#listeners.emit('added', node);
  }

  #remove(path: string): void {
    for (const child of [...(this.#children.get(path) ?? [])]) this.#remove(child);
    const node = this.#nodes.get(path);
    if (node === undefined) return;
    this.#nodes.delete(path);
    this.#removed.set(path, node.stat);
    this.#children.delete(path);
    const siblings = this.#children.get(parentOf(path));
    siblings?.delete(path);
    if (siblings?.size === 0) this.#children.delete(parentOf(path));
    this.#listeners.emit('removed', node);
  }
}

const nothingYet = Promise.resolve(undefined);

function isSameNode(a: Stat, b: Stat): boolean {
  return a.czxid === b.czxid;
}
