/**
 * By lot, in proportion to the shares. Needs no memory and no agreement: a thousand clients that start
 * at once spread at once. Single targets get bursts, though: of n requests to n targets, the busiest
 * gets about log n / log log n.
 */
import type { PickRequest, Policy } from '../policy.js';
import type { Target } from '../target.js';
import { WeightedDraw } from '../weighted-draw.js';

export class RandomPolicy implements Policy {
  readonly #draw = new WeightedDraw();

  update(targets: readonly Target[]): void {
    this.#draw.update(targets);
  }

  pick({ random, excluded }: PickRequest): Target | null {
    return this.#draw.drawExcept(random, excluded);
  }

  onLoad(): void {
    // by lot, whatever the load
  }
}
