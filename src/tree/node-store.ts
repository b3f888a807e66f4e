/**
 * A znode is an int. Its fixed-size part (links, hash, stat) is a record of 27 words in a segment of
 * many; names and data lie in the arena. A class instance per znode would cost four times the memory
 * and, at some millions of znodes, seconds of garbage collection; a typed array costs the collector
 * nothing. Segments, because doubling one big array would stop the server for 70 ms.
 *
 * The stat is kept in its persisted form, word by word, so that encoding it is fifteen stores.
 */
import { assert } from '../base/assert.js';

/** 0 is none, 1 is the root. */
export type NodeId = number;

export const NO_NODE = 0;
export const ROOT = 1;

const SEGMENT_BITS = 14;
const SEGMENT_NODES = 1 << SEGMENT_BITS;
const SEGMENT_MASK = SEGMENT_NODES - 1;

/** Words of a record. */
export const W_PARENT = 0;
/** Head of the circular list of children in creation order; its W_PREV is the youngest. */
export const W_FIRST_CHILD = 1;
export const W_NEXT = 2;
export const W_PREV = 3;
/** Living children. A dead znode links the one that died after it here. */
export const W_CHILDREN = 4;
export const W_HASH = 5;
/** The next znode in the same bucket of the index; of a free record, the next free one. */
export const W_HASH_NEXT = 6;
/** CRC-32 of the path and the data. A dead znode: the last of the run of dead ones it begins. */
export const W_CRC = 7;
/** Slot in the ACL table. A dead znode: the first of the run of dead ones it ends. */
export const W_ACL = 8;
/** Where name and data lie in the arena. */
export const W_SLOT = 9;
/** Bytes of data, -1 for null. */
export const W_DATA_LENGTH = 10;
/** Bytes of the name in the lower half, flags in the upper one. */
export const W_NAME = 11;
/** From here on the words of the persisted stat, in its order. */
export const W_STAT = 12;
export const W_CZXID = 12;
/** Of a dead znode: its place in the order of deaths. */
export const W_MZXID = 14;
export const W_CTIME = 16;
export const W_MTIME = 18;
export const W_VERSION = 20;
export const W_CVERSION = 21;
export const W_AVERSION = 22;
export const W_OWNER = 23;
export const W_PZXID = 25;
const RECORD_WORDS = 27;

export const STAT_WORDS = 15;

/** Deleted while somebody walks the tree: still linked among its siblings, found by nobody. */
export const F_DEAD = 1 << 16;
/** The arena slot begins with the two links of the list of its owner. */
export const F_OWNED = 1 << 17;
/** The data is too long for the arena and lies in an array of its own. */
export const F_BIG_DATA = 1 << 18;
/** The name is too long for the arena. */
export const F_LONG_NAME = 1 << 19;
/** `/zookeeper`. */
export const F_PROC = 1 << 20;
/** Below `/zookeeper`: left out of the digest. */
export const F_SYSTEM = 1 << 21;
/** Has a quota. */
export const F_QUOTA = 1 << 22;
/** A record that holds no znode. */
export const F_FREE = 1 << 23;
/** The kind of owner: two bits. */
export const KIND_SHIFT = 24;
export const NAME_LENGTH_MASK = 0xffff;

/** What ephemeralOwner says about a znode. */
export const OwnerKind = { none: 0, session: 1, container: 2, ttl: 3 } as const;
export type OwnerKind = (typeof OwnerKind)[keyof typeof OwnerKind];

export class NodeStore {
  readonly #segments: Int32Array[] = [];
  #freeHead = NO_NODE;
  #nextFresh = ROOT;
  /** Records that hold a znode, dead ones included. */
  used = 0;

  /** The segment that holds the record; the record begins at `offsetOf(id)` in it. */
  segmentOf(id: NodeId): Int32Array {
    return this.#segments[id >>> SEGMENT_BITS]!;
  }

  offsetOf(id: NodeId): number {
    return (id & SEGMENT_MASK) * RECORD_WORDS;
  }

  get(id: NodeId, word: number): number {
    return this.#segments[id >>> SEGMENT_BITS]![(id & SEGMENT_MASK) * RECORD_WORDS + word]!;
  }

  set(id: NodeId, word: number, value: number): void {
    this.#segments[id >>> SEGMENT_BITS]![(id & SEGMENT_MASK) * RECORD_WORDS + word] = value;
  }

  hasFlag(id: NodeId, flag: number): boolean {
    return (this.get(id, W_NAME) & flag) !== 0;
  }

  setFlag(id: NodeId, flag: number): void {
    this.set(id, W_NAME, this.get(id, W_NAME) | flag);
  }

  clearFlag(id: NodeId, flag: number): void {
    this.set(id, W_NAME, this.get(id, W_NAME) & ~flag);
  }

  kindOf(id: NodeId): OwnerKind {
    return ((this.get(id, W_NAME) >>> KIND_SHIFT) & 3) as OwnerKind;
  }

  /** A record of zeros. */
  allocate(): NodeId {
    this.used++;
    const recycled = this.#freeHead;
    if (recycled !== NO_NODE) {
      this.#freeHead = this.get(recycled, W_HASH_NEXT);
      const at = this.offsetOf(recycled);
      this.segmentOf(recycled).fill(0, at, at + RECORD_WORDS);
      return recycled;
    }
    const id = this.#nextFresh++;
    assert(id > 0 && id < 0x7fffffff, 'a tree holds fewer than 2^31 znodes');
    if (id >>> SEGMENT_BITS >= this.#segments.length) {
      this.#segments.push(new Int32Array(SEGMENT_NODES * RECORD_WORDS));
    }
    return id;
  }

  free(id: NodeId): void {
    assert(!this.hasFlag(id, F_FREE), 'a record is freed once');
    this.used--;
    this.set(id, W_NAME, F_FREE);
    this.set(id, W_HASH_NEXT, this.#freeHead);
    this.#freeHead = id;
  }

  /** Whether the number is a znode at all, living or dead. */
  holds(id: NodeId): boolean {
    return id > NO_NODE && id < this.#nextFresh && !this.hasFlag(id, F_FREE);
  }
}
