/**
 * Millions of znodes share a handful of ACLs, so a znode has a small number and the table has the
 * list. Lists are found by their encoded bytes: a transaction's ACL is compared where it lies, and an
 * object for it is made only when somebody asks.
 *
 * An id is what snapshots say: counted up from 1, never used again for another list as long as the
 * process lives. A slot is where the list is kept here, and is used again once nobody refers to it
 * and nobody holds the table. The null ACL of a transaction is the open one: id -1, slot 0, never
 * listed.
 *
 * A snapshot of Apache's may name an ACL that its own table lacks: the table is written first, and a
 * znode created meanwhile comes with an id from later. The transactions after the snapshot repair it.
 * Such an id is kept as missing; it never becomes the name of another list, and whoever asks for its
 * list gets an error instead of somebody else's rights.
 */
import { assert } from '../base/assert.js';
import { ACLs, type ACL } from '../protocol/records.js';
import { Perms } from '../protocol/perms.js';
import { Reader } from '../protocol/reader.js';
import { Writer } from '../protocol/writer.js';
import { equalBytes } from './bytes.js';
import { ShardedMap } from './sharded-map.js';
import { TreeLoadError } from './errors.js';

export type Acl = ACL;

export const OPEN_ACL_ID = -1;
export const OPEN_SLOT = 0;

const OPEN_ACL: readonly Acl[] = Object.freeze([
  Object.freeze({
    perms: Perms.all,
    id: Object.freeze({ scheme: 'world', id: 'anyone' }),
  }),
]);

/** The same, when a transaction says it: what nearly every znode has. */
const OPEN_BYTES = encodedOf(OPEN_ACL);

const NO_BYTES = new Uint8Array(0);
const NO_SLOT = -1;

const SlotState = { free: 0, listed: 1, missing: 2 } as const;
type SlotState = (typeof SlotState)[keyof typeof SlotState];

export class AclTable {
  /** All by slot. */
  readonly #ids: number[] = [OPEN_ACL_ID];
  readonly #encoded: Uint8Array[] = [NO_BYTES];
  readonly #decoded: (readonly Acl[] | null)[] = [OPEN_ACL];
  readonly #uses: number[] = [0];
  readonly #hashes: number[] = [0];
  /** The next slot whose list has the same hash. */
  readonly #sameHash: number[] = [NO_SLOT];
  readonly #states: SlotState[] = [SlotState.listed];

  readonly #byHash = new ShardedMap<number>();
  readonly #byId = new ShardedMap<number>();
  readonly #freeSlots: number[] = [];
  /** Slots that went out of use while the table was held; some may be in use again. */
  readonly #unused: number[] = [];
  #holds = 0;
  #size = 0;
  #lastId = 0;
  #lastInterned = OPEN_SLOT;
  /** Of the open list where it is listed. */
  #listedOpen = OPEN_SLOT;

  /** Lists in use; the open one is not counted. */
  get size(): number {
    return this.#size;
  }

  /** The list of an id. Throws TreeLoadError for an id that no list is known for. */
  get(id: number): readonly Acl[] {
    return this.aclsIn(this.slotOf(id));
  }

  aclsIn(slot: number): readonly Acl[] {
    const decoded = this.#decoded[slot];
    if (decoded !== null && decoded !== undefined) return decoded;
    if (this.#states[slot] !== SlotState.listed) {
      throw new TreeLoadError(`no ACL is known for the id ${this.#ids[slot] ?? 'of no slot'}`);
    }
    const acls = Object.freeze(ACLs.read(new Reader(this.#encoded[slot])) ?? []);
    this.#decoded[slot] = acls;
    return acls;
  }

  /** Whether the list allows everything to everybody. */
  isOpen(slot: number): boolean {
    return slot === OPEN_SLOT || slot === this.#listedOpen;
  }

  /** The list as a transaction has it: a vector of ACL. Not to be changed. */
  encodedIn(slot: number): Uint8Array {
    return this.#encoded[slot]!;
  }

  idOf(slot: number): number {
    return this.#ids[slot]!;
  }

  slotOf(id: number): number {
    if (id === OPEN_ACL_ID) return OPEN_SLOT;
    const slot = this.#byId.get(id);
    if (slot === undefined) throw new TreeLoadError(`no ACL is known for the id ${id}`);
    return slot;
  }

  /** The slot of the list encoded in [start, end), with one more use. Nothing at all is the null ACL. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return OPEN_SLOT;
    const last = this.#lastInterned;
    if (last !== OPEN_SLOT && this.#equals(last, bytes, start, end)) {
      this.#use(last);
      return last;
    }
    const hash = hashOf(bytes, start, end);
    let slot = this.#byHash.get(hash) ?? NO_SLOT;
    while (slot !== NO_SLOT && !this.#equals(slot, bytes, start, end)) slot = this.#sameHash[slot]!;
    if (slot === NO_SLOT) slot = this.#add(++this.#lastId, bytes.slice(start, end), hash);
    this.#use(slot);
    this.#lastInterned = slot;
    return slot;
  }

  retain(slot: number): void {
    if (slot !== OPEN_SLOT) this.#use(slot);
  }

  release(slot: number): void {
    if (slot === OPEN_SLOT) return;
    const uses = this.#uses[slot]! - 1;
    assert(uses >= 0, 'an ACL is released as often as it was retained');
    this.#uses[slot] = uses;
    if (uses > 0) return;
    this.#size--;
    if (this.#holds > 0) this.#unused.push(slot);
    else this.#remove(slot);
  }

  /** From here to `unhold` every list stays, used or not: a snapshot is naming ids. */
  hold(): void {
    this.#holds++;
  }

  unhold(): void {
    assert(this.#holds > 0, 'the ACL table is held');
    this.#holds--;
  }

  /** Drops up to `budget` lists that went out of use while the table was held. */
  reclaim(budget: number): void {
    if (this.#holds > 0) return;
    for (let left = budget; left > 0; left--) {
      const slot = this.#unused.pop();
      if (slot === undefined) return;
      if (this.#uses[slot] === 0 && this.#states[slot] !== SlotState.free) this.#remove(slot);
    }
  }

  /** The highest id so far; lists added from now on have higher ones. */
  get lastId(): number {
    return this.#lastId;
  }

  /** How many lists `entriesUpTo(lastId)` will yield as long as the table is held. */
  countUpTo(lastId: number): number {
    let count = 0;
    for (let slot = 1; slot < this.#ids.length; slot++) if (this.#isListed(slot, lastId)) count++;
    return count;
  }

  /** Every list with an id up to `lastId`, one at a time: the table may grow between two of them. */
  *entriesUpTo(lastId: number): IterableIterator<readonly [id: number, encoded: Uint8Array]> {
    for (let slot = 1; slot < this.#ids.length; slot++) {
      if (this.#isListed(slot, lastId)) yield [this.#ids[slot]!, this.#encoded[slot]!];
    }
  }

  /** A list of a snapshot, under the snapshot's id, not yet used by anybody. */
  load(id: number, acls: readonly Acl[]): void {
    if (id === OPEN_ACL_ID) return;
    if (this.#byId.has(id)) throw new TreeLoadError(`the ACL id ${id} is listed twice`);
    const encoded = encodedOf(acls);
    this.#add(id, encoded, hashOf(encoded, 0, encoded.length));
    this.#lastId = Math.max(this.#lastId, id);
  }

  /** The slot for an id that a loaded znode has, known or missing, with one more use. */
  retainId(id: number): number {
    if (id === OPEN_ACL_ID) return OPEN_SLOT;
    let slot = this.#byId.get(id);
    if (slot === undefined) {
      slot = this.#newSlot(id, NO_BYTES, 0);
      this.#states[slot] = SlotState.missing;
      this.#lastId = Math.max(this.#lastId, id);
    }
    this.#use(slot);
    return slot;
  }

  /** Ids that znodes have and no list is known for. */
  missingIds(): number[] {
    return this.#ids.filter((_, slot) => {
      return this.#states[slot] === SlotState.missing && this.#uses[slot]! > 0;
    });
  }

  /** After loading: lists that no znode turned out to have. */
  dropUnused(): void {
    for (let slot = 1; slot < this.#ids.length; slot++) {
      if (this.#uses[slot] === 0 && this.#states[slot] !== SlotState.free) this.#remove(slot);
    }
  }

  #isListed(slot: number, lastId: number): boolean {
    return this.#states[slot] === SlotState.listed && this.#ids[slot]! <= lastId;
  }

  #use(slot: number): void {
    const uses = this.#uses[slot]!;
    this.#uses[slot] = uses + 1;
    if (uses === 0) this.#size++;
  }

  #add(id: number, encoded: Uint8Array, hash: number): number {
    const slot = this.#newSlot(id, encoded, hash);
    this.#sameHash[slot] = this.#byHash.get(hash) ?? NO_SLOT;
    this.#byHash.set(hash, slot);
    return slot;
  }

  #newSlot(id: number, encoded: Uint8Array, hash: number): number {
    const slot = this.#freeSlots.pop() ?? this.#ids.length;
    this.#ids[slot] = id;
    this.#encoded[slot] = encoded;
    this.#decoded[slot] = null;
    this.#uses[slot] = 0;
    this.#hashes[slot] = hash;
    this.#sameHash[slot] = NO_SLOT;
    this.#states[slot] = SlotState.listed;
    this.#byId.set(id, slot);
    if (this.#equals(slot, OPEN_BYTES, 0, OPEN_BYTES.length)) this.#listedOpen = slot;
    return slot;
  }

  #remove(slot: number): void {
    if (this.#states[slot] === SlotState.listed) this.#unlink(slot);
    this.#byId.delete(this.#ids[slot]!);
    this.#encoded[slot] = NO_BYTES;
    this.#decoded[slot] = null;
    this.#states[slot] = SlotState.free;
    if (this.#lastInterned === slot) this.#lastInterned = OPEN_SLOT;
    if (this.#listedOpen === slot) this.#listedOpen = OPEN_SLOT;
    this.#freeSlots.push(slot);
  }

  #unlink(slot: number): void {
    const hash = this.#hashes[slot]!;
    const after = this.#sameHash[slot]!;
    let at = this.#byHash.get(hash) ?? NO_SLOT;
    if (at === slot) {
      if (after === NO_SLOT) this.#byHash.delete(hash);
      else this.#byHash.set(hash, after);
      return;
    }
    while (this.#sameHash[at] !== slot) at = this.#sameHash[at]!;
    this.#sameHash[at] = after;
  }

  #equals(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    const encoded = this.#encoded[slot]!;
    return encoded.length === end - start && equalBytes(encoded, 0, bytes, start, end - start);
  }
}

function encodedOf(acls: readonly Acl[]): Uint8Array {
  const writer = new Writer();
  ACLs.write(writer, acls);
  return writer.take();
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}
