/** Targets for tests of policies, by their weights. */
import { SeededRandom } from '../base/random.js';
import type { PickRequest } from './policy.js';
import { Target } from './target.js';

export function targetsOf(weights: readonly number[]): Target[] {
  return weights.map(
    (weight, index) => new Target({ id: `t${String(index).padStart(3, '0')}`, weight }, 10_000),
  );
}

export function dice(seed: number): () => number {
  const random = new SeededRandom(seed);
  return () => random.fraction();
}

export function requestOf(options: Partial<PickRequest> = {}): PickRequest {
  return { nowMs: 0, random: dice(1), keyHash: null, excluded: null, ...options };
}
