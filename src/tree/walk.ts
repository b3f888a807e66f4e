/**
 * Reading more of the tree than fits into one step of the event loop. The readers below begin at a
 * moment Z0, go on in slices while transactions are applied in between, and hold a pin meanwhile, so
 * that what they stand on stays.
 *
 * A TreeWalk is what a snapshot is written from. It is fuzzy: each znode is met as it is then, and
 * replaying the transactions after Z0 makes a whole of it. Parents come before their children; what
 * was created after Z0 is left out, the replay creates it; an ACL is given as of Z0, because the list
 * of ACLs is written first and must know it.
 *
 * A ChildListing and a DescendantCount are exact: what there was at Z0, whatever became of it.
 */
import { assert } from '../base/assert.js';
import { compareParts } from '../protocol/zxid.js';
import type { AclTable } from './acl-table.js';
import type { AclWitness } from './changes.js';
import type { Bystander, Graveyard, Pin } from './graveyard.js';
import {
  F_DEAD,
  NO_NODE,
  ROOT,
  W_ACL,
  W_CHILDREN,
  W_CZXID,
  W_PARENT,
  type NodeId,
  type NodeStore,
} from './node-store.js';
import type { Siblings } from './siblings.js';

export interface WalkParts {
  readonly nodes: NodeStore;
  readonly siblings: Siblings;
  readonly graveyard: Graveyard;
  readonly acls: AclTable;
  readonly aclWitnesses: Set<AclWitness>;
  /** Called when a reader is done and what it held can go. */
  readonly afterClose: () => void;
  /** Z0. */
  readonly zxidHigh: number;
  readonly zxidLow: number;
  /**
   * The highest czxid in the tree. Z0, or beyond it where a fuzzy snapshot was loaded and the log that
   * belongs to it was lost: what it brought is part of the tree all the same.
   */
  readonly czxidHigh: number;
  readonly czxidLow: number;
}

function createdBy(parts: WalkParts, id: NodeId): boolean {
  const { nodes, czxidHigh, czxidLow } = parts;
  const high = nodes.get(id, W_CZXID);
  return compareParts(high, nodes.get(id, W_CZXID + 1), czxidHigh, czxidLow) <= 0;
}

/** A place in the depth-first order of all znodes at and below `top`, the dead ones among them. */
class Place implements Bystander {
  readonly #parts: WalkParts;
  readonly #top: NodeId;
  /** After this znode and, unless it descends, after all below it. */
  #at: NodeId = NO_NODE;
  #descends = false;

  constructor(parts: WalkParts, top: NodeId) {
    this.#parts = parts;
    this.#top = top;
  }

  next(): NodeId {
    const { nodes, siblings } = this.#parts;
    if (this.#at === NO_NODE) return this.#top;
    if (this.#descends) {
      const child = siblings.firstOfAll(this.#at);
      if (child !== NO_NODE) return child;
    }
    for (let node = this.#at; node !== this.#top; node = nodes.get(node, W_PARENT)) {
      const sibling = siblings.nextOfAll(node);
      if (sibling !== NO_NODE) return sibling;
    }
    return NO_NODE;
  }

  moveTo(id: NodeId, descends: boolean): void {
    this.#at = id;
    this.#descends = descends;
  }

  /** Behind all siblings of a znode that is too young: those after it are younger still. */
  leaveSiblingsOf(id: NodeId): void {
    this.moveTo(this.#parts.nodes.get(id, W_PARENT), false);
  }

  /** A znode that had died before Z0 is freed underfoot: a step back. */
  beforeFree(id: NodeId): void {
    if (id !== this.#at) return;
    const previous = this.#parts.siblings.previousOfAll(id);
    if (previous === NO_NODE) this.moveTo(this.#parts.nodes.get(id, W_PARENT), true);
    else this.moveTo(previous, false);
  }
}

export class TreeWalk implements AclWitness {
  /** Z0. */
  readonly zxidHigh: number;
  readonly zxidLow: number;
  /** How many lists `aclEntries` yields. */
  readonly aclCount: number;

  readonly #parts: WalkParts;
  readonly #place: Place;
  readonly #pin: Pin;
  readonly #lastAclId: number;
  /** Slots as of Z0, of znodes whose ACL was replaced and that are still to come. */
  readonly #aclsBefore = new Map<NodeId, number>();
  #isOpen = true;

  constructor(parts: WalkParts) {
    this.#parts = parts;
    this.zxidHigh = parts.zxidHigh;
    this.zxidLow = parts.zxidLow;
    this.#place = new Place(parts, ROOT);
    this.#pin = parts.graveyard.pin();
    parts.graveyard.join(this.#place);
    parts.acls.hold();
    parts.aclWitnesses.add(this);
    this.#lastAclId = parts.acls.lastId;
    this.aclCount = parts.acls.countUpTo(this.#lastAclId);
  }

  /** The ACL lists as of Z0, encoded as a vector of ACL each; to be taken as slowly as one likes. */
  aclEntries(): IterableIterator<readonly [id: number, encoded: Uint8Array]> {
    return this.#parts.acls.entriesUpTo(this.#lastAclId);
  }

  /** The id of the znode's ACL as of Z0. For the visitor, about the znode that it is given. */
  aclId(id: NodeId): number {
    const { acls, nodes } = this.#parts;
    return acls.idOf(this.#aclsBefore.get(id) ?? nodes.get(id, W_ACL));
  }

  /**
   * Looks at up to `budgetNodes` znodes, among them some to be left out, and gives the others to
   * `visit`, which must not change the tree. True: there is more. However many znodes are created
   * meanwhile, the walk does not chase them.
   */
  step(visit: (id: NodeId) => void, budgetNodes: number): boolean {
    assert(this.#isOpen, 'a walk that was closed goes no further');
    const { nodes, acls } = this.#parts;
    const place = this.#place;
    for (let left = budgetNodes; left > 0; left--) {
      const id = place.next();
      if (id === NO_NODE) return false;
      const isDead = nodes.hasFlag(id, F_DEAD);
      if (isDead ? !createdBy(this.#parts, id) : !this.#wasThere(id)) {
        place.leaveSiblingsOf(id);
        continue;
      }
      place.moveTo(id, !isDead);
      if (isDead) continue;
      visit(id);
      const slot = this.#aclsBefore.get(id);
      if (slot === undefined) continue;
      this.#aclsBefore.delete(id);
      acls.release(slot);
    }
    return place.next() !== NO_NODE;
  }

  /** Ends the walk, finished or not. May be called twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { acls, aclWitnesses, graveyard, afterClose } = this.#parts;
    aclWitnesses.delete(this);
    for (const slot of this.#aclsBefore.values()) acls.release(slot);
    this.#aclsBefore.clear();
    acls.unhold();
    graveyard.leave(this.#place);
    graveyard.unpin(this.#pin);
    afterClose();
  }

  beforeAclChange(id: NodeId, slot: number): void {
    if (this.#aclsBefore.has(id) || !this.#wasThere(id)) return;
    this.#parts.acls.retain(slot);
    this.#aclsBefore.set(id, slot);
  }

  /** An ACL younger than Z0 gives a znode away even where its czxid does not. */
  #wasThere(id: NodeId): boolean {
    return createdBy(this.#parts, id) && this.aclId(id) <= this.#lastAclId;
  }
}

export class ChildListing implements Bystander {
  /** How many children there were at Z0, and so how many will be visited. */
  readonly count: number;
  readonly #parts: WalkParts;
  readonly #parent: NodeId;
  readonly #pin: Pin;
  /** The last child that was looked at, NO_NODE before the first. */
  #at: NodeId = NO_NODE;
  #left: number;
  #isOpen = true;

  constructor(parts: WalkParts, parent: NodeId) {
    this.#parts = parts;
    this.#parent = parent;
    this.count = parts.nodes.get(parent, W_CHILDREN);
    this.#left = this.count;
    this.#pin = parts.graveyard.pin();
    parts.graveyard.join(this);
  }

  /**
   * Looks at up to `budgetNodes` children and gives those of Z0 to `visit`, the eldest first. One that
   * was deleted since still has its name, and nothing else. True: there is more.
   *
   * Younger children come after all of these, so that counting them off is enough.
   */
  step(visit: (id: NodeId) => void, budgetNodes: number): boolean {
    const { nodes, siblings, graveyard } = this.#parts;
    for (let budget = budgetNodes; budget > 0 && this.#left > 0; budget--) {
      const at = this.#at;
      const id = at === NO_NODE ? siblings.firstOfAll(this.#parent) : siblings.nextOfAll(at);
      this.#at = id;
      if (nodes.hasFlag(id, F_DEAD) && !graveyard.diedSince(id, this.#pin)) continue;
      this.#left--;
      visit(id);
    }
    return this.#left > 0;
  }

  /** Ends the listing, finished or not. May be called twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#left = 0;
    this.#parts.graveyard.leave(this);
    this.#parts.graveyard.unpin(this.#pin);
    this.#parts.afterClose();
  }

  beforeFree(id: NodeId): void {
    if (id === this.#at) this.#at = this.#parts.siblings.previousOfAll(id);
  }
}

/** How many znodes there were below one at Z0. */
export class DescendantCount {
  /** Final when `step` has returned false. */
  count = 0;
  readonly #parts: WalkParts;
  readonly #place: Place;
  readonly #pin: Pin;
  #isOpen = true;

  constructor(parts: WalkParts, top: NodeId) {
    this.#parts = parts;
    this.#place = new Place(parts, top);
    this.#place.moveTo(top, true);
    this.#pin = parts.graveyard.pin();
    parts.graveyard.join(this.#place);
  }

  /** Looks at up to `budgetNodes` znodes. True: there is more. */
  step(budgetNodes: number): boolean {
    assert(this.#isOpen, 'a count that was closed goes no further');
    const { nodes, graveyard } = this.#parts;
    for (let left = budgetNodes; left > 0; left--) {
      const id = this.#place.next();
      if (id === NO_NODE) return false;
      if (!createdBy(this.#parts, id)) {
        this.#place.leaveSiblingsOf(id);
        continue;
      }
      const wasThere = !nodes.hasFlag(id, F_DEAD) || graveyard.diedSince(id, this.#pin);
      this.#place.moveTo(id, wasThere);
      if (wasThere) this.count++;
    }
    return this.#place.next() !== NO_NODE;
  }

  /** Ends the count, finished or not. May be called twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#parts.graveyard.leave(this.#place);
    this.#parts.graveyard.unpin(this.#pin);
    this.#parts.afterClose();
  }
}
