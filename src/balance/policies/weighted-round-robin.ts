/**
 * Smooth weighted round robin, as nginx made it known: over any full cycle each target gets exactly its
 * share, and the turns of a heavy one are spread among those of the others (5, 1, 1 gives a a b a c a a).
 * Naively, a heavy target gets its turns in a row, which is a burst.
 *
 * Every target collects its share at each pick; who has collected most is taken and pays the total of
 * all shares back. That is one addition per target and pick, over typed arrays: some microseconds for a
 * thousand targets. (A heap of deadlines would be O(log n), but bunches: a a a b c a a.)
 */
import type { PickRequest, Policy } from '../policy.js';
import type { Target } from '../target.js';

export class WeightedRoundRobin implements Policy {
  #targets: readonly Target[] = [];
  #shares = new Float64Array(0);
  #collected = new Float64Array(0);

  update(targets: readonly Target[]): void {
    const before = new Map(this.#targets.map((target, i) => [target, this.#collected[i] ?? 0]));
    this.#targets = targets;
    this.#shares = Float64Array.from(targets, ({ share }) => share);
    this.#collected = Float64Array.from(targets, (target) => before.get(target) ?? 0);
  }

  pick({ excluded }: PickRequest): Target | null {
    const shares = this.#shares;
    const collected = this.#collected;
    const isOut = excluded === null || excluded.size === 0 ? null : excluded;
    let total = 0;
    let best = -1;
    let most = -Infinity;
    for (let i = 0; i < shares.length; i++) {
      if (isOut?.has(this.#targets[i]!) === true) continue;
      const share = shares[i]!;
      const has = collected[i]! + share;
      total += share;
      collected[i] = has;
      if (has > most) {
        most = has;
        best = i;
      }
    }
    if (best < 0) return null;
    collected[best] = most - total;
    return this.#targets[best] ?? null;
  }

  onLoad(): void {
    // in turn, whatever the load
  }
}
