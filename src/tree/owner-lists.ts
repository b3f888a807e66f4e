/**
 * Which znodes end with a session, and which are containers or have a time to live: all told by the
 * ephemeralOwner of the znode, so one mechanism keeps them, a ring per owner through the znodes
 * themselves. A session with a hundred thousand ephemerals costs eight bytes for each and no table
 * that would have to grow. The links lie in front of the name in the znode's slot; the many znodes
 * that nobody owns do without.
 *
 * A session's entry stays when its last ephemeral is deleted, until the session ends: `dump` lists it.
 */
import { assert } from '../base/assert.js';
import type { Arena } from './arena.js';
import { NO_NODE, OwnerKind, W_SLOT, type NodeId, type NodeStore } from './node-store.js';
import { ShardedMap } from './sharded-map.js';

/** Two links of four bytes. */
export const LINK_BYTES = 8;

const TTL_MARK = 0xff00_0000;
const FEATURE_MASK = 0x00ff_ff00;
const CONTAINER_HIGH = 0x8000_0000;

export interface OwnerRules {
  /** `zookeeper.extendedTypesEnabled`: without it, an owner that means a TTL is a session's id. */
  readonly extendedTypes: boolean;
  /** `zookeeper.emulate353TTLNodes`: every negative owner is a TTL, as 3.5.3 had it. */
  readonly emulate353Ttl: boolean;
}

export function ownerKindOf(high: number, low: number, rules: OwnerRules): OwnerKind {
  const h = high >>> 0;
  const isContainer = h === CONTAINER_HIGH && low === 0;
  if (rules.extendedTypes) {
    if (rules.emulate353Ttl && h >= CONTAINER_HIGH && !isContainer) return OwnerKind.ttl;
    if ((h & TTL_MARK) >>> 0 === TTL_MARK && (h & FEATURE_MASK) === 0) return OwnerKind.ttl;
  }
  if (isContainer) return OwnerKind.container;
  return h === 0 && low === 0 ? OwnerKind.none : OwnerKind.session;
}

/** The owner that says "a container". */
export const CONTAINER_OWNER_HIGH = CONTAINER_HIGH | 0;

/** The upper half of the owner that says "a time to live"; its lower byte holds bits 32 to 39. */
export function ttlOwnerHigh(ttlHigh: number): number {
  return TTL_MARK | ttlHigh;
}

/** Milliseconds, from the halves of a TTL's owner. */
export function ttlOfOwner(high: number, low: number): number {
  return (high & 0xff) * 0x1_0000_0000 + (low >>> 0);
}

interface OwnerList {
  readonly high: number;
  readonly low: number;
  head: NodeId;
  count: number;
  /** Another session whose id shares this one's key. */
  sameKey: OwnerList | undefined;
}

/** Where somebody is who goes through a list while it changes. */
interface Cursor {
  /** The znode given last, NO_NODE before the first. */
  at: NodeId;
}

function emptyList(high: number, low: number): OwnerList {
  return { high, low, head: NO_NODE, count: 0, sameKey: undefined };
}

export class OwnerLists {
  readonly #nodes: NodeStore;
  readonly #arena: Arena;
  readonly #sessions = new ShardedMap<OwnerList>();
  readonly #containers = emptyList(0, 0);
  readonly #ttls = emptyList(0, 0);
  readonly #cursors = new Set<Cursor>();
  #ephemeralCount = 0;

  constructor(nodes: NodeStore, arena: Arena) {
    this.#nodes = nodes;
    this.#arena = arena;
  }

  get ephemeralCount(): number {
    return this.#ephemeralCount;
  }

  /** The znode's slot has room for the links. */
  add(id: NodeId, kind: OwnerKind, high: number, low: number): void {
    const list = this.#listOf(kind, high, low) ?? this.#openSession(high, low);
    if (kind === OwnerKind.session) this.#ephemeralCount++;
    list.count++;
    const head = list.head;
    if (head === NO_NODE) {
      list.head = id;
      this.#setNext(id, id);
      this.#setPrev(id, id);
      return;
    }
    const last = this.#prev(head);
    this.#setNext(last, id);
    this.#setPrev(id, last);
    this.#setNext(id, head);
    this.#setPrev(head, id);
  }

  remove(id: NodeId, kind: OwnerKind, high: number, low: number): void {
    const list = this.#listOf(kind, high, low);
    assert(list !== undefined && list.count > 0, 'an owned znode is in the list of its owner');
    if (kind === OwnerKind.session) this.#ephemeralCount--;
    list.count--;
    const next = this.#next(id);
    const prev = this.#prev(id);
    if (this.#cursors.size > 0) this.#stepBack(id, list.head === id ? NO_NODE : prev);
    if (next === id) {
      list.head = NO_NODE;
      return;
    }
    this.#setNext(prev, next);
    this.#setPrev(next, prev);
    if (list.head === id) list.head = next;
  }

  /** The eldest ephemeral of the session. */
  firstOf(high: number, low: number): NodeId {
    return this.#sessionOf(high, low)?.head ?? NO_NODE;
  }

  countOf(high: number, low: number): number {
    return this.#sessionOf(high, low)?.count ?? 0;
  }

  /**
   * In the order of `add`, here and below. The tree may change between two of them: what is deleted is
   * left out, what is new comes at the end. To be gone through to the end, or closed with `return`.
   */
  ephemeralsOf(high: number, low: number): IterableIterator<NodeId> {
    return this.#members(this.#sessionOf(high, low));
  }

  containers(): IterableIterator<NodeId> {
    return this.#members(this.#containers);
  }

  ttls(): IterableIterator<NodeId> {
    return this.#members(this.#ttls);
  }

  /** Ids of sessions that own or owned ephemerals, as signed 64-bit values. */
  *sessions(): IterableIterator<bigint> {
    for (const first of this.#sessions.values()) {
      for (let list: OwnerList | undefined = first; list; list = list.sameKey) {
        yield (BigInt(list.high) << 32n) | BigInt(list.low >>> 0);
      }
    }
  }

  get sessionCount(): number {
    let count = 0;
    for (const first of this.#sessions.values()) {
      for (let list: OwnerList | undefined = first; list; list = list.sameKey) count++;
    }
    return count;
  }

  /** The session has ended and owns nothing any more. */
  dropSession(high: number, low: number): void {
    const key = keyOf(high, low);
    const first = this.#sessions.get(key);
    const rest: OwnerList[] = [];
    for (let list = first; list; list = list.sameKey) {
      if (list.high === (high | 0) && list.low === (low | 0)) {
        assert(list.count === 0, 'a session that has ended owns nothing');
      } else {
        rest.push(list);
      }
    }
    if (first === undefined) return;
    rest.forEach((list, i) => (list.sameKey = rest[i + 1]));
    if (rest[0] === undefined) this.#sessions.delete(key);
    else this.#sessions.set(key, rest[0]);
  }

  *#members(list: OwnerList | undefined): IterableIterator<NodeId> {
    if (list === undefined) return;
    const cursor: Cursor = { at: NO_NODE };
    this.#cursors.add(cursor);
    try {
      for (;;) {
        const next = cursor.at === NO_NODE ? list.head : this.#next(cursor.at);
        if (next === NO_NODE || (next === list.head && cursor.at !== NO_NODE)) return;
        cursor.at = next;
        yield next;
      }
    } finally {
      this.#cursors.delete(cursor);
    }
  }

  #stepBack(id: NodeId, to: NodeId): void {
    for (const cursor of this.#cursors) if (cursor.at === id) cursor.at = to;
  }

  #listOf(kind: OwnerKind, high: number, low: number): OwnerList | undefined {
    if (kind === OwnerKind.container) return this.#containers;
    return kind === OwnerKind.ttl ? this.#ttls : this.#sessionOf(high, low);
  }

  #sessionOf(high: number, low: number): OwnerList | undefined {
    let list = this.#sessions.get(keyOf(high, low));
    while (list !== undefined && (list.high !== (high | 0) || list.low !== (low | 0))) {
      list = list.sameKey;
    }
    return list;
  }

  #openSession(high: number, low: number): OwnerList {
    const key = keyOf(high, low);
    const list = emptyList(high | 0, low | 0);
    list.sameKey = this.#sessions.get(key);
    this.#sessions.set(key, list);
    return list;
  }

  #next(id: NodeId): NodeId {
    const ref = this.#nodes.get(id, W_SLOT);
    return this.#arena.wordsOf(ref)[this.#arena.wordOffsetOf(ref)]!;
  }

  #setNext(id: NodeId, next: NodeId): void {
    const ref = this.#nodes.get(id, W_SLOT);
    this.#arena.wordsOf(ref)[this.#arena.wordOffsetOf(ref)] = next;
  }

  #prev(id: NodeId): NodeId {
    const ref = this.#nodes.get(id, W_SLOT);
    return this.#arena.wordsOf(ref)[this.#arena.wordOffsetOf(ref) + 1]!;
  }

  #setPrev(id: NodeId, prev: NodeId): void {
    const ref = this.#nodes.get(id, W_SLOT);
    this.#arena.wordsOf(ref)[this.#arena.wordOffsetOf(ref) + 1] = prev;
  }
}

/** Session ids count up in their lower half and differ in their upper one by server and time. */
function keyOf(high: number, low: number): number {
  return (Math.imul(high, 0x85ebca6b) ^ low) | 0;
}
