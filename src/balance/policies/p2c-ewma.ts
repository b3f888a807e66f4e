/**
 * Power of two choices by peak EWMA: two are drawn by share, and the one with less to wait for is taken,
 * where that is its latency times what is pending there. Two draws are nearly as good as looking at all
 * (Mitzenmacher), and unlike "the best of all" they do not send every client to the same one.
 *
 * Do not tell it the latencies of long polls: they would look like the slowest of all.
 */
import type { PickRequest, Policy } from '../policy.js';
import type { Target } from '../target.js';
import { WeightedDraw } from '../weighted-draw.js';

export class P2cEwma implements Policy {
  readonly #draw = new WeightedDraw();

  update(targets: readonly Target[]): void {
    this.#draw.update(targets);
  }

  pick({ random, excluded, nowMs }: PickRequest): Target | null {
    const first = this.#draw.drawExcept(random, excluded);
    if (first === null) return null;
    const second = this.#draw.drawExcept(random, excluded, first);
    if (second === null) return first;
    return loadOf(second, nowMs) < loadOf(first, nowMs) ? second : first;
  }

  onLoad(): void {
    // `pending` is looked at when it is drawn
  }
}

function loadOf(target: Target, nowMs: number): number {
  return target.latency.load(target.pending, nowMs) / target.share;
}
