/**
 * Which znodes there are below a client's lasting watches (persistent, persistent recursive), as the
 * client has been told. Kept, where the operator wants it, at servers that cannot tell later what a watch
 * missed (Apache's): when such a server is lost, the next one is asked for the same znodes, and what is
 * different is told (relisting.ts). Otherwise the client would have to see the loss.
 *
 * It holds paths alone. When a znode was changed need not be remembered: everything up to
 * `Delivered.base` has been told, so whatever a server dates later has not. What a server cannot show is
 * what is no more; that is what the paths are for. So the healthy path costs one listing of the subtree,
 * when the watch has been accepted, through the session's own connection, and after that one operation
 * on a set for each event.
 *
 * A znode that the client may not read is not in it: a server would tell nothing of it either.
 */
import { ErrorCode, errorName } from '../../protocol/errors.js';
import { EventType } from '../../protocol/events.js';
import { join, parentOf } from '../../protocol/paths.js';
import type { Reader } from '../../protocol/reader.js';
import { WatchBit } from './watch-ledger.js';

/** Questions that are under way at a time: enough to fill the line, too few to delay the client's. */
const ASKED_AT_ONCE = 32;
const STRING_BYTES_MIN = 4;

/** Znodes that all pictures of one balancer may hold together. */
export class PictureBudget {
  #left: number;

  constructor(nodesMax: number) {
    this.#left = nodesMax;
  }

  /** False: there is no room for one more. */
  take(): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    return true;
  }

  give(count: number): void {
    this.#left += count;
  }

  get left(): number {
    return this.#left;
  }
}

export class Picture {
  readonly #budget: PictureBudget;
  readonly #nodesMax: number;
  readonly #paths = new Set<string>();
  /** WatchBit.persistent, WatchBit.recursive, or both. */
  readonly #watched = new Map<string, number>();
  /** Whose children are still to be asked for. */
  #toAsk: string[] = [];
  /** Under way, in order. */
  #asked: string[] = [];
  #fault: string | null = null;

  constructor(nodesMax: number, budget: PictureBudget) {
    this.#nodesMax = nodesMax;
    this.#budget = budget;
  }

  /** No lasting watch is left. */
  get isIdle(): boolean {
    return this.#watched.size === 0;
  }

  get size(): number {
    return this.#paths.size;
  }

  get nodesMax(): number {
    return this.#nodesMax;
  }

  /** Why the loss of the server could not be made good with it; null: it could. */
  get obstacle(): string | null {
    if (this.#fault !== null) return this.#fault;
    const isWhole = this.#toAsk.length === 0 && this.#asked.length === 0;
    return isWhole ? null : 'what its persistent watches are about is not known yet';
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  paths(): Iterable<string> {
    return this.#paths;
  }

  /** Where there are watches, whether there is a znode or not. */
  roots(): Iterable<string> {
    return this.#watched.keys();
  }

  /** Children's comings and goings at this path are told too. */
  hearsChildren(path: string): boolean {
    return ((this.#watched.get(path) ?? 0) & WatchBit.persistent) !== 0;
  }

  isBelowRecursive(path: string): boolean {
    for (let at = path; ; at = parentOf(at)) {
      if (((this.#watched.get(at) ?? 0) & WatchBit.recursive) !== 0) return true;
      if (at === '/') return false;
    }
  }

  covers(path: string): boolean {
    return this.#watched.has(path) || this.isBelowRecursive(path);
  }

  /** The lasting watches at that path have changed. */
  watch(path: string, bits: number): void {
    const before = this.#watched.get(path) ?? 0;
    if (before === bits) return;
    if (bits === 0) this.#watched.delete(path);
    else this.#watched.set(path, bits);
    if ((before & ~bits) !== 0) this.#prune();
    if (bits !== 0 && this.#fault === null) this.#toAsk.push(path);
  }

  /** An event was told. */
  onEvent(type: number, path: string): void {
    switch (type) {
      case EventType.nodeCreated:
      case EventType.nodeDataChanged:
        // of one that was hidden until now the first word may be a change
        if (!this.#paths.has(path) && this.covers(path)) this.add(path);
        return;
      case EventType.nodeDeleted:
        this.remove(path);
    }
  }

  add(path: string): void {
    if (this.#fault !== null || this.#paths.has(path)) return;
    if (this.#paths.size >= this.#nodesMax || !this.#budget.take()) this.failForSize();
    else this.#paths.add(path);
  }

  remove(path: string): void {
    if (this.#paths.delete(path)) this.#budget.give(1);
  }

  /** The server does not say when what it tells of has happened. */
  spoil(): void {
    this.#fail('its server tells events without their zxids');
  }

  failForSize(): void {
    this.#fail('its persistent watches are about too many znodes');
  }

  /** Everything is forgotten. */
  clear(): void {
    this.#budget.give(this.#paths.size);
    this.#paths.clear();
    this.#watched.clear();
    this.#toAsk = [];
    this.#asked = [];
  }

  // ------------------------------------------------------------------ the first listing

  get wantsToAsk(): boolean {
    return this.#toAsk.length > 0 && this.#asked.length < ASKED_AT_ONCE;
  }

  /** The znode whose children are to be asked for now; null: none, or enough are. */
  nextToAsk(): string | null {
    while (this.#asked.length < ASKED_AT_ONCE) {
      const path = this.#toAsk.pop();
      if (path === undefined) return null;
      if (!this.covers(path)) continue;
      this.#asked.push(path);
      return path;
    }
    return null;
  }

  /** The oldest question has its answer; all events before it have been told. Throws MalformedError. */
  onChildren(error: number, reader: Reader): void {
    const path = this.#asked.shift();
    if (path === undefined || this.#fault !== null || !this.covers(path)) return;
    if (error === ErrorCode.noNode || error === ErrorCode.noAuth) {
      this.remove(path);
      return;
    }
    if (error !== ErrorCode.ok) {
      this.#fail(`a listing for its persistent watches was refused with ${errorName(error)}`);
      return;
    }
    this.add(path);
    if (!this.isBelowRecursive(path)) return;
    const count = reader.readCount(STRING_BYTES_MIN);
    if (this.#paths.size + this.#toAsk.length + count > this.#nodesMax) {
      this.failForSize();
      return;
    }
    for (let i = 0; i < count; i++) this.#toAsk.push(join(path, reader.readString() ?? ''));
  }

  /** For as long as there are these watches; what was kept makes room for others. */
  #fail(fault: string): void {
    this.#fault ??= fault;
    this.#budget.give(this.#paths.size);
    this.#paths.clear();
    this.#toAsk = [];
  }

  #prune(): void {
    for (const path of this.#paths) if (!this.covers(path)) this.remove(path);
  }
}
