/**
 * A target that has just come gets little at first: its caches are cold, its code is not compiled yet,
 * and by least load it would be sent everything. Envoy's formula:
 *
 *   weight * max(minWeightPercent / 100, timeFactor ^ (1 / aggression))
 *
 * where timeFactor is the part of the window that has passed. Aggression 1 grows linearly, more grows
 * faster at the beginning.
 */
export interface SlowStartOptions {
  readonly windowMs: number;
  readonly aggression: number;
  readonly minWeightPercent: number;
}

export const slowStartDefaults: Omit<SlowStartOptions, 'windowMs'> = {
  aggression: 1,
  minWeightPercent: 10,
};

/** The weight changes so often within the window: each change is a step of 1 to 2 percent. */
const STEPS = 64;

/** What a weight is to be multiplied with `ageMs` after the start: rises from least to 1. */
export function slowStartFactor(options: SlowStartOptions, ageMs: number): number {
  if (ageMs >= options.windowMs) return 1;
  const timeFactor = Math.max(0, ageMs) / options.windowMs;
  return Math.max(options.minWeightPercent / 100, timeFactor ** (1 / options.aggression));
}

/** How long a factor may be used before it is to be computed again. */
export function slowStartStepMs(options: SlowStartOptions): number {
  return options.windowMs / STEPS;
}
