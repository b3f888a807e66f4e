/**
 * What watches would have told while nobody held them: the events that are remembered, one after the
 * other, against the watches of one connection, by the rules by which they are told live (watches.ts).
 * A change is told once, by its path or by a recursive watch above it; a one-shot watch is spent,
 * whether or not its holder may see the znode; a deletion is told to who watches the children, too.
 */
import type { WatchLists } from '../../protocol/continuation.js';
import { EventType } from '../../protocol/events.js';
import {
  extendPathHash,
  finishPathHash,
  PATH_HASH_SEED,
  pathHashOf,
} from '../../protocol/paths.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import {
  EntryAt,
  EventKind,
  eventCountIn,
  eventWords,
  hasAclsIn,
  kindIn,
  pathAtIn,
  pathLengthIn,
} from './entry.js';
import type { EntryRing } from './entry-ring.js';

export type Tell = (type: number, path: string, zxidHigh: number, zxidLow: number) => void;

/** A watch on a path: in which of the lists it is. */
const Mode = { data: 1, exist: 2, child: 4, persistent: 8, recursive: 16 } as const;
const ONE_SHOT_DATA = Mode.data | Mode.exist;
const ANY_DATA = ONE_SHOT_DATA | Mode.persistent | Mode.recursive;
const ANY_CHILD = Mode.child | Mode.persistent;

const FILTER_BITS = 16;
const FILTER_MASK = (1 << FILTER_BITS) - 1;
const SLASH = 0x2f;
const OPEN_SLOT = 0;

export class CatchingUp {
  readonly #modes = new Map<string, number>();
  /** One bit for each hash that a watched path may have. */
  readonly #filter = new Int32Array(1 << (FILTER_BITS - 5));
  #hasChild = false;
  #hasRecursive = false;
  #isSpent = false;
  #mayHear: (slot: number) => boolean = () => false;
  #tell: Tell = () => undefined;
  #zxidHigh = 0;
  #zxidLow = 0;

  /** From an entry on, -1: there is none. `mayHear` asks the ACL of that slot. */
  run(
    ring: EntryRing,
    from: number,
    lists: WatchLists,
    mayHear: (slot: number) => boolean,
    tell: Tell,
  ): WatchLists {
    if (from < 0) return lists;
    this.#mayHear = mayHear;
    this.#tell = tell;
    this.#gather(lists);
    try {
      for (let entry = from; entry >= 0; entry = ring.next(entry)) this.#entry(ring, entry);
      return this.#left(lists);
    } finally {
      this.#modes.clear();
      this.#mayHear = () => false;
      this.#tell = () => undefined;
    }
  }

  #gather({ data, exist, child, persistent, recursive }: WatchLists): void {
    this.#filter.fill(0);
    this.#isSpent = false;
    this.#hasChild = child.length + persistent.length > 0;
    this.#hasRecursive = recursive.length > 0;
    this.#add(data, Mode.data);
    this.#add(exist, Mode.exist);
    this.#add(child, Mode.child);
    this.#add(persistent, Mode.persistent);
    this.#add(recursive, Mode.recursive);
  }

  #add(paths: readonly string[], mode: number): void {
    for (const path of paths) {
      this.#modes.set(path, (this.#modes.get(path) ?? 0) | mode);
      const bit = pathHashOf(path) & FILTER_MASK;
      this.#filter[bit >>> 5] = this.#filter[bit >>> 5]! | (1 << (bit & 31));
    }
  }

  #left(lists: WatchLists): WatchLists {
    if (!this.#isSpent) return lists;
    const { data, exist, child, persistent, recursive } = lists;
    const of = (paths: readonly string[], mode: number): readonly string[] =>
      paths.filter((path) => ((this.#modes.get(path) ?? 0) & mode) !== 0);
    return {
      data: of(data, Mode.data),
      exist: of(exist, Mode.exist),
      child: of(child, Mode.child),
      persistent,
      recursive,
    };
  }

  #mayBe(hash: number): boolean {
    const bit = hash & FILTER_MASK;
    return (this.#filter[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  #entry(ring: EntryRing, entry: number): void {
    const { words } = ring;
    this.#zxidHigh = words[entry + EntryAt.zxidHigh]!;
    this.#zxidLow = words[entry + EntryAt.zxidLow]!;
    let at = entry + EntryAt.events;
    for (let left = eventCountIn(words[entry + EntryAt.shape]!); left > 0; left--) {
      this.#event(ring, at);
      at += eventWords(words[at]!);
    }
  }

  #event({ words, bytes }: EntryRing, at: number): void {
    const head = words[at]!;
    const kind = kindIn(head);
    const start = (at + pathAtIn(head)) << 2;
    const end = start + pathLengthIn(head);
    const isHeard = this.#spendAt(kind, words[at + 1]!, bytes, start, end);
    if (isHeard || (this.#hasRecursive && this.#isBelowRecursive(bytes, start, end))) {
      this.#sayOf(typeOf(kind), bytes, start, end, hasAclsIn(head) ? words[at + 2]! : OPEN_SLOT);
    }
    if (kind === EventKind.dataChanged || !this.#hasChild) return;
    let slash = end - 1;
    while (bytes[slash] !== SLASH) slash--;
    const hash = finishPathHash(extendPathHash(PATH_HASH_SEED, bytes, start, slash));
    if (!this.#mayBe(hash)) return;
    // the root is its slash
    const parentEnd = slash === start ? start + 1 : slash;
    const parent = decodeUtf8(bytes, start, parentEnd);
    const modes = this.#modes.get(parent) ?? 0;
    if ((modes & ANY_CHILD) === 0) return;
    this.#spend(parent, modes, Mode.child);
    const slot = hasAclsIn(head) ? words[at + 3]! : OPEN_SLOT;
    this.#sayOf(EventType.nodeChildrenChanged, bytes, start, parentEnd, slot);
  }

  /** True: a watch on the path itself hears it. */
  #spendAt(kind: number, hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.#mayBe(hash)) return false;
    const path = decodeUtf8(bytes, start, end);
    const modes = this.#modes.get(path) ?? 0;
    const isDeleted = kind === EventKind.deleted;
    this.#spend(path, modes, isDeleted ? ONE_SHOT_DATA | Mode.child : ONE_SHOT_DATA);
    return (modes & (isDeleted ? ANY_DATA | ANY_CHILD : ANY_DATA)) !== 0;
  }

  #spend(path: string, modes: number, spent: number): void {
    if ((modes & spent) === 0) return;
    this.#modes.set(path, modes & ~spent);
    this.#isSpent = true;
  }

  /** Of paths above this one. */
  #isBelowRecursive(bytes: Uint8Array, start: number, end: number): boolean {
    let state = PATH_HASH_SEED;
    let from = start;
    for (let at = start; at < end; at++) {
      if (bytes[at] !== SLASH) continue;
      state = extendPathHash(state, bytes, from, at);
      from = at;
      if (!this.#mayBe(finishPathHash(state))) continue;
      const above = decodeUtf8(bytes, start, at === start ? start + 1 : at);
      if (((this.#modes.get(above) ?? 0) & Mode.recursive) !== 0 && end - start > 1) return true;
    }
    return false;
  }

  #sayOf(type: number, bytes: Uint8Array, start: number, end: number, slot: number): void {
    if (!this.#mayHear(slot)) return;
    this.#tell(type, decodeUtf8(bytes, start, end), this.#zxidHigh >>> 0, this.#zxidLow >>> 0);
  }
}

function typeOf(kind: number): number {
  switch (kind) {
    case EventKind.created:
      return EventType.nodeCreated;
    case EventKind.deleted:
      return EventType.nodeDeleted;
    default:
      return EventType.nodeDataChanged;
  }
}
