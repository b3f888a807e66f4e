/**
 * The watches that a client holds at its server, by kind, as its requests and their answers tell: what
 * another server must be asked to watch instead. A server keeps at most one watch of a kind for a path
 * and connection, so one bit each is all there is to know.
 */
import type { WatchLists } from '../../protocol/continuation.js';
import { EventType, WatcherType } from '../../protocol/events.js';
import { setWatchesBytes } from '../../protocol/limits.js';
import { utf8Length } from '../../protocol/utf8.js';

export const WatchBit = {
  /** Of a znode that was there. */
  data: 1,
  /** Of one that was not: left by `exists` that was answered with NoNode. */
  exist: 2,
  child: 4,
  persistent: 8,
  recursive: 16,
} as const;

const ONE_SHOT_DATA = WatchBit.data | WatchBit.exist;
const LASTING = WatchBit.persistent | WatchBit.recursive;

interface Lists {
  readonly data: string[];
  readonly exist: string[];
  readonly child: string[];
  readonly persistent: string[];
  readonly recursive: string[];
}

/** Hears of watches that last. */
export interface LastingWatches {
  /** Which of WatchBit.persistent and WatchBit.recursive are held at the path now. */
  onLasting(path: string, bits: number): void;
}

export class WatchLedger {
  /** Who wants to know of each change of a lasting watch. */
  listener: LastingWatches | null = null;
  readonly #bitsOf = new Map<string, number>();
  /** Of paths with a lasting watch. */
  #lastingCount = 0;
  #count = 0;
  #oneShotCount = 0;

  /** Pairs of path and kind. */
  get size(): number {
    return this.#count;
  }

  /** Some last: persistent or recursive ones. */
  get hasLasting(): boolean {
    return this.#lastingCount > 0;
  }

  get hasOneShot(): boolean {
    return this.#oneShotCount > 0;
  }

  get isEmpty(): boolean {
    return this.#bitsOf.size === 0;
  }

  add(path: string, bits: number): void {
    const before = this.#bitsOf.get(path) ?? 0;
    this.#set(path, before, before | bits);
  }

  /** An event was delivered: the watches that waited for it are spent. */
  onEvent(type: number, path: string): void {
    switch (type) {
      case EventType.nodeCreated:
      case EventType.nodeDataChanged:
      case EventType.dataWatchRemoved:
        this.#clear(path, ONE_SHOT_DATA);
        return;
      case EventType.nodeDeleted:
        this.#clear(path, ONE_SHOT_DATA | WatchBit.child);
        return;
      case EventType.nodeChildrenChanged:
      case EventType.childWatchRemoved:
        this.#clear(path, WatchBit.child);
        return;
      case EventType.persistentWatchRemoved:
        this.#clear(path, LASTING);
    }
  }

  /** removeWatches of that type was answered with success. */
  remove(path: string, watcherType: number): void {
    switch (watcherType) {
      case WatcherType.children:
        this.#clear(path, WatchBit.child);
        return;
      case WatcherType.data:
        this.#clear(path, ONE_SHOT_DATA);
        return;
      case WatcherType.any:
        this.#clear(path, ONE_SHOT_DATA | WatchBit.child | LASTING);
        return;
      case WatcherType.persistent:
        this.#clear(path, WatchBit.persistent);
        return;
      case WatcherType.persistentRecursive:
        this.#clear(path, WatchBit.recursive);
    }
  }

  /** Everything held, in parts of at most 128 KiB of paths (but at least one path each). */
  batches(): WatchLists[] {
    const batches: WatchLists[] = [];
    let lists: Lists | null = null;
    let byteCount = 0;
    for (const [path, bits] of this.#bitsOf) {
      const pathBytes = (4 + utf8Length(path)) * bitCount(bits);
      if (lists === null || byteCount + pathBytes > setWatchesBytes) {
        lists = { data: [], exist: [], child: [], persistent: [], recursive: [] };
        batches.push(lists);
        byteCount = 0;
      }
      byteCount += pathBytes;
      if ((bits & WatchBit.data) !== 0) lists.data.push(path);
      if ((bits & WatchBit.exist) !== 0) lists.exist.push(path);
      if ((bits & WatchBit.child) !== 0) lists.child.push(path);
      if ((bits & WatchBit.persistent) !== 0) lists.persistent.push(path);
      if ((bits & WatchBit.recursive) !== 0) lists.recursive.push(path);
    }
    return batches;
  }

  #clear(path: string, bits: number): void {
    const before = this.#bitsOf.get(path);
    if (before !== undefined) this.#set(path, before, before & ~bits);
  }

  #set(path: string, before: number, after: number): void {
    if (before === after) return;
    this.#count += bitCount(after) - bitCount(before);
    this.#oneShotCount += bitCount(after & ~LASTING) - bitCount(before & ~LASTING);
    if ((before & LASTING) === 0 && (after & LASTING) !== 0) this.#lastingCount++;
    if ((before & LASTING) !== 0 && (after & LASTING) === 0) this.#lastingCount--;
    if (after === 0) this.#bitsOf.delete(path);
    else this.#bitsOf.set(path, after);
    const { listener } = this;
    if (listener !== null && ((before ^ after) & LASTING) !== 0) {
      listener.onLasting(path, after & LASTING);
    }
  }
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
