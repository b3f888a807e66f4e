/**
 * What somebody has been told about a subtree, and so what to tell next. Whatever comes in, in
 * whatever order servers and gaps make of it, what goes out is a history that can be true: nothing is
 * created twice, nothing changes that is not there, a parent is created before its children and
 * deleted after them.
 */
import { parentOf } from '../../protocol/paths.js';
import type { Stat, WatchEvent, WatchEventType } from '../types.js';

/** A znode as far as it is known: 0n and -1 stand for what is not. */
export interface Known {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly pzxid: bigint;
  readonly version: number;
  readonly cversion: number;
}

export const UNKNOWN: Known = { czxid: 0n, mzxid: 0n, pzxid: 0n, version: -1, cversion: -1 };

export function knownOf({ czxid, mzxid, pzxid, version, cversion }: Stat): Known {
  return { czxid, mzxid, pzxid, version, cversion };
}

/** What is known after an event of the server; null: it is not there. */
export function knownAfter(before: Known | null, { type, zxid = 0n }: WatchEvent): Known | null {
  const known = before ?? UNKNOWN;
  switch (type) {
    case 'created':
      return { czxid: zxid, mzxid: zxid, pzxid: zxid, version: 0, cversion: 0 };
    case 'deleted':
      return null;
    case 'changed':
      return { ...known, mzxid: zxid, version: after(known.version) };
    case 'children':
      return { ...known, pzxid: zxid, cversion: after(known.cversion) };
    case 'gap':
      return before;
  }
}

function after(version: number): number {
  return version < 0 ? -1 : version + 1;
}

/** Whether these are known to be two znodes, one after the other under one path. */
export function isAnother(before: Known, now: Known): boolean {
  return before.czxid !== 0n && now.czxid !== 0n && before.czxid !== now.czxid;
}

/**
 * What was told of by an event without a zxid, and not looked at since, may be another znode by now or
 * the same: then a change is told, because to be told once too often does no harm.
 */
export function hasChangedData(before: Known, now: Known): boolean {
  if (now.version < 0) return false;
  if (before.mzxid === 0n) return true;
  return now.mzxid === 0n ? before.version !== now.version : before.mzxid !== now.mzxid;
}

export function hasChangedChildren(before: Known, now: Known): boolean {
  if (now.cversion < 0) return false;
  if (before.pzxid === 0n) return true;
  return now.pzxid === 0n ? before.cversion !== now.cversion : before.pzxid !== now.pzxid;
}

const NONE: ReadonlySet<string> = new Set();

export class Ledger {
  readonly root: string;
  readonly #emit: (event: WatchEvent) => void;
  readonly #known = new Map<string, Known>();
  readonly #below = new Map<string, Set<string>>();
  /** While true, nothing is told; what is entered counts as known to the other side. */
  isSilent = false;

  constructor(root: string, emit: (event: WatchEvent) => void) {
    this.root = root;
    this.#emit = emit;
  }

  get size(): number {
    return this.#known.size;
  }

  get(path: string): Known | undefined {
    return this.#known.get(path);
  }

  has(path: string): boolean {
    return this.#known.has(path);
  }

  paths(): IterableIterator<string> {
    return this.#known.keys();
  }

  /** Paths of the children that are known. */
  childrenOf(path: string): ReadonlySet<string> {
    return this.#below.get(path) ?? NONE;
  }

  /** Everything known below a path, parents first. */
  descendantsOf(path: string): string[] {
    const found = [...this.childrenOf(path)];
    for (const one of found) found.push(...this.childrenOf(one));
    return found;
  }

  /** Whether the path is the root or below it. */
  covers(path: string): boolean {
    const { root } = this;
    if (path === root) return true;
    return root === '/'
      ? path.startsWith('/')
      : path.startsWith(root) && path.charCodeAt(root.length) === SLASH;
  }

  /** An event of the server, in its turn. */
  apply(event: WatchEvent): void {
    const { type, path, zxid } = event;
    if (!this.covers(path)) return;
    const before = this.#known.get(path);
    const now = knownAfter(before ?? null, event);
    if (type === 'gap') this.gap();
    else if (type === 'deleted') this.deleted(path, zxid);
    else if (now === null) return;
    else if (type === 'created' || before === undefined) {
      // a change of what was not known to be there: it must have been created unseen
      this.created(path, now, type === 'created' ? zxid : undefined);
    } else {
      this.#known.set(path, now);
      this.#tell(type, path, zxid);
    }
  }

  /** Tells of it, and before it of whatever must have happened first. */
  created(path: string, known: Known, zxid: bigint | undefined): void {
    if (this.#known.has(path)) this.deleted(path, undefined);
    if (path !== this.root) {
      const parent = parentOf(path);
      if (!this.#known.has(parent)) this.created(parent, UNKNOWN, undefined);
      const siblings = this.#below.get(parent);
      if (siblings === undefined) this.#below.set(parent, new Set([path]));
      else siblings.add(path);
    }
    this.#known.set(path, known);
    this.#tell('created', path, zxid);
  }

  /** With everything below it, from the bottom up; nothing when it is not known to be there. */
  deleted(path: string, zxid: bigint | undefined): void {
    if (!this.#known.has(path)) return;
    for (const one of this.descendantsOf(path).reverse()) this.#remove(one, undefined);
    this.#remove(path, zxid);
  }

  changed(path: string, known: Known, zxid: bigint | undefined): void {
    this.#known.set(path, known);
    this.#tell('changed', path, zxid);
  }

  childrenChanged(path: string, known: Known, zxid: bigint | undefined): void {
    this.#known.set(path, known);
    this.#tell('children', path, zxid);
  }

  /** What was told before says no longer what is there: it must be read anew. */
  gap(): void {
    this.#tell('gap', this.root, undefined);
  }

  /** Something more is known of a znode that is there; that is nothing to tell. */
  note(path: string, known: Known): void {
    if (this.#known.has(path)) this.#known.set(path, known);
  }

  #remove(path: string, zxid: bigint | undefined): void {
    this.#known.delete(path);
    this.#below.delete(path);
    if (path !== this.root) {
      const parent = parentOf(path);
      const siblings = this.#below.get(parent);
      siblings?.delete(path);
      if (siblings?.size === 0) this.#below.delete(parent);
    }
    this.#tell('deleted', path, zxid);
  }

  #tell(type: WatchEventType, path: string, zxid: bigint | undefined): void {
    if (this.isSilent) return;
    this.#emit(zxid === undefined || zxid === 0n ? { type, path } : { type, path, zxid });
  }
}

const SLASH = 0x2f;
