/**
 * Children hang together in a ring in the order of their creation; the parent has the first, whose
 * predecessor is the youngest. A deleted znode stays in the ring while somebody walks the tree: the
 * walker may stand on it. So that readers of the living do not pay for the dead, a run of dead
 * neighbours knows its far end: its first links its last and its last its first, which takes constant
 * time to keep up and one step to skip, however many there are.
 */
import {
  F_DEAD,
  NO_NODE,
  W_ACL,
  W_CHILDREN,
  W_CRC,
  W_FIRST_CHILD,
  W_NEXT,
  W_PARENT,
  W_PREV,
  type NodeId,
  type NodeStore,
} from './node-store.js';

/** What a dead znode's fields serve for. */
const W_RUN_LAST = W_CRC;
const W_RUN_FIRST = W_ACL;

export class Siblings {
  readonly #nodes: NodeStore;

  constructor(nodes: NodeStore) {
    this.#nodes = nodes;
  }

  /** A new youngest child. */
  append(parent: NodeId, id: NodeId): void {
    const nodes = this.#nodes;
    const first = nodes.get(parent, W_FIRST_CHILD);
    nodes.set(id, W_PARENT, parent);
    nodes.set(parent, W_CHILDREN, nodes.get(parent, W_CHILDREN) + 1);
    if (first === NO_NODE) {
      nodes.set(parent, W_FIRST_CHILD, id);
      nodes.set(id, W_NEXT, id);
      nodes.set(id, W_PREV, id);
      return;
    }
    const last = nodes.get(first, W_PREV);
    nodes.set(last, W_NEXT, id);
    nodes.set(id, W_PREV, last);
    nodes.set(id, W_NEXT, first);
    nodes.set(first, W_PREV, id);
  }

  /** Takes a living child out of the ring. Only while no child in the tree is dead. */
  remove(id: NodeId): void {
    const parent = this.#nodes.get(id, W_PARENT);
    this.#nodes.set(parent, W_CHILDREN, this.#nodes.get(parent, W_CHILDREN) - 1);
    this.#unlink(id);
  }

  /** Marks a living child dead and leaves it in the ring. Its CRC and ACL are gone after this. */
  kill(id: NodeId): void {
    const nodes = this.#nodes;
    const parent = nodes.get(id, W_PARENT);
    nodes.set(parent, W_CHILDREN, nodes.get(parent, W_CHILDREN) - 1);
    nodes.setFlag(id, F_DEAD);
    const head = nodes.get(parent, W_FIRST_CHILD);
    let first = id;
    let last = id;
    if (id !== head) {
      const prev = nodes.get(id, W_PREV);
      if (nodes.hasFlag(prev, F_DEAD)) first = nodes.get(prev, W_RUN_FIRST);
    }
    const next = nodes.get(id, W_NEXT);
    if (next !== head && nodes.hasFlag(next, F_DEAD)) last = nodes.get(next, W_RUN_LAST);
    this.#setRun(first, last);
  }

  /** Takes a dead child out of the ring. */
  bury(id: NodeId): void {
    const nodes = this.#nodes;
    const head = nodes.get(nodes.get(id, W_PARENT), W_FIRST_CHILD);
    const prev = nodes.get(id, W_PREV);
    const next = nodes.get(id, W_NEXT);
    const begins = id === head || !nodes.hasFlag(prev, F_DEAD);
    const ends = next === head || !nodes.hasFlag(next, F_DEAD);
    if (begins && !ends) this.#setRun(next, nodes.get(id, W_RUN_LAST));
    else if (ends && !begins) this.#setRun(nodes.get(id, W_RUN_FIRST), prev);
    this.#unlink(id);
  }

  /** The eldest living child. */
  first(parent: NodeId): NodeId {
    const nodes = this.#nodes;
    const head = nodes.get(parent, W_FIRST_CHILD);
    if (head === NO_NODE || !nodes.hasFlag(head, F_DEAD)) return head;
    const after = nodes.get(nodes.get(head, W_RUN_LAST), W_NEXT);
    return after === head ? NO_NODE : after;
  }

  /** The next younger living sibling of a child that lives or has died since. */
  next(id: NodeId): NodeId {
    const nodes = this.#nodes;
    const head = nodes.get(nodes.get(id, W_PARENT), W_FIRST_CHILD);
    let next = nodes.get(id, W_NEXT);
    if (next === head) return NO_NODE;
    if (!nodes.hasFlag(next, F_DEAD)) return next;
    // inside a run the links to its ends are stale
    if (nodes.hasFlag(id, F_DEAD)) {
      while (next !== head && nodes.hasFlag(next, F_DEAD)) next = nodes.get(next, W_NEXT);
    } else {
      next = nodes.get(nodes.get(next, W_RUN_LAST), W_NEXT);
    }
    return next === head ? NO_NODE : next;
  }

  /** The next living znode in depth-first order at and below `top`, after `id`. */
  nextBelow(id: NodeId, top: NodeId): NodeId {
    const child = this.first(id);
    if (child !== NO_NODE) return child;
    for (let node = id; node !== top; node = this.#nodes.get(node, W_PARENT)) {
      const next = this.next(node);
      if (next !== NO_NODE) return next;
    }
    return NO_NODE;
  }

  /** The eldest child, dead or alive. */
  firstOfAll(parent: NodeId): NodeId {
    return this.#nodes.get(parent, W_FIRST_CHILD);
  }

  /** The next younger sibling, dead or alive. */
  nextOfAll(id: NodeId): NodeId {
    const next = this.#nodes.get(id, W_NEXT);
    const head = this.#nodes.get(this.#nodes.get(id, W_PARENT), W_FIRST_CHILD);
    return next === head ? NO_NODE : next;
  }

  /** The next elder sibling, dead or alive. */
  previousOfAll(id: NodeId): NodeId {
    const head = this.#nodes.get(this.#nodes.get(id, W_PARENT), W_FIRST_CHILD);
    return id === head ? NO_NODE : this.#nodes.get(id, W_PREV);
  }

  #setRun(first: NodeId, last: NodeId): void {
    this.#nodes.set(first, W_RUN_LAST, last);
    this.#nodes.set(last, W_RUN_FIRST, first);
  }

  #unlink(id: NodeId): void {
    const nodes = this.#nodes;
    const parent = nodes.get(id, W_PARENT);
    const next = nodes.get(id, W_NEXT);
    if (next === id) {
      nodes.set(parent, W_FIRST_CHILD, NO_NODE);
      return;
    }
    const prev = nodes.get(id, W_PREV);
    nodes.set(prev, W_NEXT, next);
    nodes.set(next, W_PREV, prev);
    if (nodes.get(parent, W_FIRST_CHILD) === id) nodes.set(parent, W_FIRST_CHILD, next);
  }
}
