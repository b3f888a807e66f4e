/**
 * Each in turn, whatever its weight (weighted-round-robin.ts looks at weights and at slow starts). The
 * first turn is drawn by lot, so that clients that start at once do not all begin with the same one.
 */
import type { PickRequest, Policy } from '../policy.js';
import type { Target } from '../target.js';

export class RoundRobin implements Policy {
  #targets: readonly Target[] = [];
  /** Null: nobody had a turn yet. */
  #next: number | null = null;

  update(targets: readonly Target[]): void {
    const due = this.#next === null ? undefined : this.#targets[this.#next];
    this.#targets = targets;
    if (due === undefined) return;
    // ids are in order: whoever would have been next, or the one after it
    const at = targets.findIndex(({ id }) => id >= due.id);
    this.#next = at < 0 ? 0 : at;
  }

  pick({ random, excluded }: PickRequest): Target | null {
    const count = this.#targets.length;
    if (count === 0) return null;
    const first = this.#next ?? Math.min(count - 1, Math.floor(random() * count));
    for (let i = 0; i < count; i++) {
      const at = (first + i) % count;
      const target = this.#targets[at]!;
      if (excluded?.has(target) === true) continue;
      this.#next = (at + 1) % count;
      return target;
    }
    return null;
  }

  onLoad(): void {
    // in turn, whatever the load
  }
}
