/**
 * Who watches what, and what fires. Apache keeps two tables, one for data and existence and one for
 * children, and their difference is visible (removal by type, the order of events), so we do too.
 *
 * Applying a transaction must not cost a string or a map lookup when nobody watches: both tables
 * share the tree's path hash and count watched paths per hash slot. `mayFire(hash)` is one array
 * read; only where it says so does the caller build the path. Recursive watches are asked for along
 * the ancestors, and only while at least one exists.
 *
 * A watcher hears of one change once, even if several of its watches match it: the change carries a
 * stamp, and a watcher remembers the last one it was told.
 */
import { pathHashOf } from '../protocol/paths.js';

/** Ways to watch a path; a watcher may hold several on one path at a time (ZOOKEEPER-4466). */
export const WatchMode = { standard: 1, persistent: 2, persistentRecursive: 4 } as const;
export type WatchModeBit = (typeof WatchMode)[keyof typeof WatchMode];
export const ANY_MODE = 7;

/** A connection, as the tables see it. The fields belong to them. */
export class Watcher {
  /** Modes held per path, one map for each table. */
  readonly dataPaths = new Map<string, number>();
  readonly childPaths = new Map<string, number>();
  lastStamp = 0;
}

const FILTER_SLOTS = 1 << 16;

export class WatchTable<W extends Watcher = Watcher> {
  readonly #kind: 'dataPaths' | 'childPaths';
  readonly #byPath = new Map<string, Map<W, number>>();
  /** How many watched paths hash into each slot. */
  readonly #filter = new Uint32Array(FILTER_SLOTS);
  #recursiveCount = 0;
  #watchCount = 0;

  constructor(kind: 'data' | 'child') {
    this.#kind = kind === 'data' ? 'dataPaths' : 'childPaths';
  }

  /** Pairs of watcher and path. */
  get size(): number {
    return this.#watchCount;
  }

  get pathCount(): number {
    return this.#byPath.size;
  }

  get hasRecursive(): boolean {
    return this.#recursiveCount > 0;
  }

  /** False: nobody watches a path with this hash. True: perhaps. */
  mayFire(hash: number): boolean {
    return this.#filter[hash & (FILTER_SLOTS - 1)] !== 0;
  }

  add(path: string, watcher: W, mode: WatchModeBit): void {
    let watchers = this.#byPath.get(path);
    if (watchers === undefined) {
      watchers = new Map();
      this.#byPath.set(path, watchers);
      this.#count(path, 1);
    }
    const before = watchers.get(watcher) ?? 0;
    this.#set(path, watchers, watcher, before, before | mode);
  }

  holds(path: string, watcher: W, modes: number): boolean {
    return ((watcher[this.#kind].get(path) ?? 0) & modes) !== 0;
  }

  /** True when the watcher held one of `modes` on this path; it does not any more. */
  remove(path: string, watcher: W, modes: number): boolean {
    const watchers = this.#byPath.get(path);
    const before = watchers?.get(watcher) ?? 0;
    if (watchers === undefined || (before & modes) === 0) return false;
    this.#set(path, watchers, watcher, before, before & ~modes);
    return true;
  }

  removeWatcher(watcher: W): void {
    for (const path of [...watcher[this.#kind].keys()]) this.remove(path, watcher, ANY_MODE);
  }

  /**
   * Tells every watcher of `path` itself, spending its standard watches. A watcher whose `lastStamp`
   * is already `stamp` has heard of this change: its watch is spent, it is not told again.
   */
  fire(path: string, stamp: number, tell: (watcher: W) => void): void {
    const watchers = this.#byPath.get(path);
    if (watchers === undefined) return;
    for (const [watcher, modes] of watchers) {
      if ((modes & WatchMode.standard) !== 0) {
        this.#set(path, watchers, watcher, modes, modes & ~WatchMode.standard);
      }
      if (watcher.lastStamp === stamp) continue;
      watcher.lastStamp = stamp;
      tell(watcher);
    }
  }

  /** Tells the recursive watchers of `path`, an ancestor of what changed. */
  fireRecursive(path: string, stamp: number, tell: (watcher: W) => void): void {
    const watchers = this.#byPath.get(path);
    if (watchers === undefined) return;
    for (const [watcher, modes] of watchers) {
      if ((modes & WatchMode.persistentRecursive) === 0 || watcher.lastStamp === stamp) continue;
      watcher.lastStamp = stamp;
      tell(watcher);
    }
  }

  /** Paths with their watchers: what wchp shows. */
  byPath(): IterableIterator<[string, ReadonlyMap<W, number>]> {
    return this.#byPath.entries();
  }

  #set(path: string, watchers: Map<W, number>, watcher: W, before: number, after: number): void {
    if (before === after) return;
    const recursive = WatchMode.persistentRecursive;
    if ((before & recursive) !== (after & recursive)) {
      this.#recursiveCount += (after & recursive) !== 0 ? 1 : -1;
    }
    if (after !== 0) {
      if (before === 0) this.#watchCount++;
      watchers.set(watcher, after);
      watcher[this.#kind].set(path, after);
      return;
    }
    this.#watchCount--;
    watchers.delete(watcher);
    watcher[this.#kind].delete(path);
    if (watchers.size === 0) {
      this.#byPath.delete(path);
      this.#count(path, -1);
    }
  }

  #count(path: string, by: number): void {
    const slot = pathHashOf(path) & (FILTER_SLOTS - 1);
    this.#filter[slot] = (this.#filter[slot] ?? 0) + by;
  }
}
