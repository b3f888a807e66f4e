/**
 * The one with the least pending for its share. Among equals, and so all the time in an idle set, turns
 * are given by share: each turn puts a target back by 1 / share, and who is furthest in front is next.
 * A heap with places: O(log n) for each request that starts or ends, O(1) to see who is next.
 *
 * Good where requests differ in length and targets do not; a target that fails at once looks idle,
 * which is what the detection of outliers is for.
 */
import type { PickRequest, Policy } from '../policy.js';
import type { Target } from '../target.js';

export class LeastConnections implements Policy {
  #heap: Target[] = [];
  #places = new Map<Target, number>();
  /** How far back each has been put by its turns. */
  #turns = new Map<Target, number>();
  /** Of the last turn; null: there was none yet. */
  #turn: number | null = null;

  update(targets: readonly Target[]): void {
    const before = this.#turns;
    const turn = this.#turn ?? 0; // a newcomer has nothing to catch up
    this.#turns = new Map(targets.map((target) => [target, before.get(target) ?? turn]));
    this.#heap = [...targets];
    this.#places = new Map(this.#heap.map((target, at) => [target, at]));
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  pick({ random, excluded }: PickRequest): Target | null {
    if (this.#turn === null) this.#shuffleTurns(random);
    const target = this.#least(excluded);
    if (target === null) return null;
    const turn = this.#turns.get(target) ?? 0;
    this.#turn = Math.max(this.#turn ?? 0, turn);
    this.#turns.set(target, turn + 1 / target.share);
    this.#settle(target);
    return target;
  }

  onLoad(target: Target): void {
    this.#settle(target);
  }

  #least(excluded: ReadonlySet<Target> | null): Target | null {
    const first = this.#heap[0] ?? null;
    if (first === null || excluded?.has(first) !== true) return first;
    let least: Target | null = null;
    for (const target of this.#heap) {
      if (excluded.has(target)) continue;
      if (least === null || this.#isBefore(target, least)) least = target;
    }
    return least;
  }

  /** Clients that start at once do not all begin with the same one. */
  #shuffleTurns(random: () => number): void {
    for (const target of this.#heap) this.#turns.set(target, random() / target.share);
    this.update([...this.#heap]);
  }

  #isBefore(a: Target, b: Target): boolean {
    const difference = a.pending * b.share - b.pending * a.share;
    if (difference !== 0) return difference < 0;
    return (this.#turns.get(a) ?? 0) < (this.#turns.get(b) ?? 0);
  }

  #settle(target: Target): void {
    const at = this.#places.get(target);
    if (at === undefined) return; // not among those to choose from now
    this.#sink(this.#rise(at));
  }

  #rise(from: number): number {
    const heap = this.#heap;
    const target = heap[from]!;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(target, heap[above]!)) break;
      this.#put(at, heap[above]!);
      at = above;
    }
    this.#put(at, target);
    return at;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const target = heap[from]!;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && this.#isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (!this.#isBefore(heap[below]!, target)) break;
      this.#put(at, heap[below]!);
      at = below;
    }
    this.#put(at, target);
  }

  #put(at: number, target: Target): void {
    this.#heap[at] = target;
    this.#places.set(target, at);
  }
}
