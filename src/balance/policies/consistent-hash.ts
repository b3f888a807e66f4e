/**
 * The same key goes to the same target, and when one of n targets goes, only its keys move: about one
 * in n. Each target has `pointsPerWeight` points per unit of weight on a ring; a key belongs to the
 * next point clockwise. Weights count as stated: slow starts and subsets would move keys.
 *
 * With `loadFactor` (say 1.25) the loads are bounded (Mirrokni, Thorup, Zadimoghaddam): no target has
 * more than that times its fair part of what is pending; a key whose target is full goes on to the next
 * one. Off by default: two requests for one key at the same time may then go to two targets.
 *
 * A request without a key goes to a point drawn by lot.
 */
import { hash32, mix32 } from '../hash.js';
import type { PickRequest, Policy } from '../policy.js';
import type { Target } from '../target.js';

export interface ConsistentHashOptions {
  readonly pointsPerWeight: number;
  /** Null: a key stays at its target whatever its load. */
  readonly loadFactor: number | null;
}

export const consistentHashDefaults: ConsistentHashOptions = {
  pointsPerWeight: 160,
  loadFactor: null,
};

/** All points of a ring; beyond it each target gets half as many, as often as needed. */
const POINTS_MAX = 1 << 18;
/** A point as one number that sorts by place, then by target: place * 2^20 + index. */
const INDEX_BITS = 0x10_0000;

export class ConsistentHash implements Policy {
  readonly #options: ConsistentHashOptions;
  #targets: readonly Target[] = [];
  #points: Float64Array = new Float64Array(0);
  #madeOf = '';
  #weight = 0;
  #pending = 0;

  constructor(options: Partial<ConsistentHashOptions> = {}) {
    this.#options = { ...consistentHashDefaults, ...options };
  }

  update(targets: readonly Target[]): void {
    const madeOf = targets.map(({ id, weight }) => `${id}\0${weight}`).join('\0\0');
    this.#targets = targets;
    this.#pending = targets.reduce((sum, { pending }) => sum + pending, 0);
    if (madeOf === this.#madeOf) return;
    this.#madeOf = madeOf;
    this.#weight = targets.reduce((sum, { weight }) => sum + weight, 0);
    this.#points = pointsOf(targets, this.#options.pointsPerWeight);
  }

  pick({ keyHash, random, excluded }: PickRequest): Target | null {
    const points = this.#points;
    const place = keyHash ?? Math.floor(random() * 0x1_0000_0000);
    const first = firstAt(points, place * INDEX_BITS);
    let overloaded: Target | null = null;
    for (let i = 0; i < points.length; i++) {
      const target = this.#targets[points[(first + i) % points.length]! % INDEX_BITS]!;
      if (excluded?.has(target) === true) continue;
      if (!this.#isFull(target)) return target;
      overloaded ??= target;
    }
    return overloaded;
  }

  onLoad(_target: Target, change: 1 | -1): void {
    this.#pending += change;
  }

  #isFull(target: Target): boolean {
    const { loadFactor } = this.#options;
    if (loadFactor === null) return false;
    const part = ((this.#pending + 1) * target.weight) / this.#weight;
    return target.pending >= Math.ceil(loadFactor * part);
  }
}

function pointsOf(targets: readonly Target[], pointsPerWeight: number): Float64Array {
  let perWeight = pointsPerWeight;
  const count = (target: Target): number => Math.max(1, Math.round(target.weight * perWeight));
  const total = (): number => targets.reduce((sum, target) => sum + count(target), 0);
  while (total() > POINTS_MAX && perWeight > 1e-12) perWeight /= 2;
  const points = new Float64Array(total());
  let at = 0;
  for (const [index, target] of targets.entries()) {
    const own = hash32(target.id);
    for (let i = 0; i < count(target); i++) {
      points[at++] = mix32(own + Math.imul(i, 0x9e3779b9)) * INDEX_BITS + index;
    }
  }
  return points.sort();
}

/** Index of the first point at or after `place`; the ring closes behind the last. */
function firstAt(points: Float64Array, place: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (points[middle]! >= place) high = middle;
    else low = middle + 1;
  }
  return low === points.length ? 0 : low;
}
