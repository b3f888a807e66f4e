/**
 * Deleted znodes wait here as long as somebody may stand on them. A walk of the tree in slices, or a
 * long list of children sent piece by piece, begins with a pin; what dies after that keeps its record,
 * its name and its place among its siblings until the pin is gone. The dead are ordered by their
 * death, so pins that overlap without end (one snapshot after another) still let the oldest go.
 *
 * Freeing is done a few at a time, by whoever has a moment: never a million in one step.
 */
import { assert } from '../base/assert.js';
import { NO_NODE, W_CHILDREN, W_MZXID, type NodeId, type NodeStore } from './node-store.js';

/** What a dead znode's fields serve for. */
const W_NEXT_DEAD = W_CHILDREN;
const W_DEATH = W_MZXID;

/** A moment in the order of deaths: what died later is still there for the holder. */
export type Pin = number;

/** Somebody who stands on a znode and must step aside before it is freed. */
export interface Bystander {
  beforeFree(id: NodeId): void;
}

export class Graveyard {
  readonly #nodes: NodeStore;
  readonly #free: (id: NodeId) => void;
  readonly #bystanders = new Set<Bystander>();
  /** Ascending, since each is taken at a later moment. */
  readonly #pins: Pin[] = [];
  #deaths = 0;
  #first: NodeId = NO_NODE;
  #last: NodeId = NO_NODE;
  #size = 0;

  constructor(nodes: NodeStore, free: (id: NodeId) => void) {
    this.#nodes = nodes;
    this.#free = free;
  }

  /** The dead that are not freed yet. */
  get size(): number {
    return this.#size;
  }

  /** Whether what dies now may be freed at once. */
  get isIdle(): boolean {
    return this.#size === 0 && this.#pins.length === 0;
  }

  pin(): Pin {
    this.#pins.push(this.#deaths);
    return this.#deaths;
  }

  unpin(pin: Pin): void {
    const at = this.#pins.indexOf(pin);
    assert(at >= 0, 'a pin is released once');
    this.#pins.splice(at, 1);
  }

  join(bystander: Bystander): void {
    this.#bystanders.add(bystander);
  }

  leave(bystander: Bystander): void {
    this.#bystanders.delete(bystander);
  }

  add(id: NodeId): void {
    const nodes = this.#nodes;
    const death = ++this.#deaths;
    nodes.set(id, W_DEATH, Math.floor(death / 0x1_0000_0000));
    nodes.set(id, W_DEATH + 1, death | 0);
    nodes.set(id, W_NEXT_DEAD, NO_NODE);
    if (this.#last === NO_NODE) this.#first = id;
    else nodes.set(this.#last, W_NEXT_DEAD, id);
    this.#last = id;
    this.#size++;
  }

  /** Whether a dead znode was alive when the pin was taken. */
  diedSince(id: NodeId, pin: Pin): boolean {
    return this.#deathOf(id) > pin;
  }

  /** Frees up to `budget` of the dead that nobody may stand on any more. */
  reclaim(budget: number): void {
    const oldest = this.#pins[0];
    for (let left = budget; left > 0 && this.#first !== NO_NODE; left--) {
      const id = this.#first;
      if (oldest !== undefined && this.#deathOf(id) > oldest) return;
      this.#first = this.#nodes.get(id, W_NEXT_DEAD);
      if (this.#first === NO_NODE) this.#last = NO_NODE;
      this.#size--;
      if (this.#bystanders.size > 0) this.#warn(id);
      this.#free(id);
    }
  }

  #warn(id: NodeId): void {
    for (const bystander of this.#bystanders) bystander.beforeFree(id);
  }

  #deathOf(id: NodeId): number {
    const nodes = this.#nodes;
    return nodes.get(id, W_DEATH) * 0x1_0000_0000 + (nodes.get(id, W_DEATH + 1) >>> 0);
  }
}
