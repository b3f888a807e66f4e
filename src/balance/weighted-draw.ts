/**
 * Draws targets with probabilities in proportion to their shares: a running sum and a binary search,
 * or one multiplication where all are equal. Built when the targets change, drawn from without
 * allocation.
 */
import { present } from '../base/assert.js';
import type { Target } from './target.js';

/** Draws that hit an excluded target before the rest is looked through one by one. */
const TRIES = 4;

export class WeightedDraw {
  #targets: readonly Target[] = [];
  #sums = new Float64Array(0);
  #total = 0;
  #isEven = true;

  update(targets: readonly Target[]): void {
    this.#targets = targets;
    if (this.#sums.length < targets.length) this.#sums = new Float64Array(2 * targets.length);
    const first = targets[0]?.share;
    this.#total = 0;
    this.#isEven = true;
    for (const [index, { share }] of targets.entries()) {
      this.#total += share;
      this.#sums[index] = this.#total;
      if (share !== first) this.#isEven = false;
    }
  }

  /** `fraction` in [0, 1) decides. There must be targets. */
  draw(fraction: number): Target {
    return present(this.#targets[this.#indexAt(fraction)], 'a draw lies within the sums');
  }

  /** As `draw`, but neither `other` nor any of `excluded`; null where there are no more. */
  drawExcept(
    random: () => number,
    excluded: ReadonlySet<Target> | null,
    other: Target | null = null,
  ): Target | null {
    if (this.#targets.length === 0) return null;
    const isOut = (target: Target): boolean => target === other || excluded?.has(target) === true;
    for (let i = 0; i < TRIES; i++) {
      const target = this.draw(random());
      if (!isOut(target)) return target;
    }
    let rest = 0;
    for (const target of this.#targets) if (!isOut(target)) rest += target.share;
    let left = random() * rest;
    let last: Target | null = null;
    for (const target of this.#targets) {
      if (isOut(target)) continue;
      last = target;
      left -= target.share;
      if (left < 0) break;
    }
    return last;
  }

  #indexAt(fraction: number): number {
    const last = this.#targets.length - 1;
    if (this.#isEven || this.#total <= 0) {
      return Math.min(last, Math.floor(fraction * this.#targets.length));
    }
    const sums = this.#sums;
    const wanted = fraction * this.#total;
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
