/**
 * Finds the targets that answer worse than the others, and takes them out for a while. A health check
 * asks a target how it is; this looks at what it does. The rules and their names are Envoy's:
 *
 * - consecutiveErrors: so many in a row, and it is ejected at once.
 * - success rate: at the end of each interval, those whose rate lies `successRateStdevFactor` standard
 *   deviations below the mean. Only among at least `successRateMinimumHosts` targets that had
 *   `successRateRequestVolume` requests each.
 * - failure percentage: at the end of each interval, those that failed so many of a hundred.
 *
 * An ejection lasts `baseEjectionTimeMs` times the number of ejections lately, at most
 * `maxEjectionTimeMs`; each interval without one takes one off that number. Never more than
 * `maxEjectionPercent` of the targets are out at once, but one always may be. (Envoy's default of that
 * is 10; it has active health checks beside it. Here ejection is what takes dead ones out, so it is 50,
 * where the panic threshold begins.)
 */
import type { Target } from './target.js';

export interface OutlierOptions {
  readonly consecutiveErrors: number;
  readonly intervalMs: number;
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionTimeMs: number;
  readonly maxEjectionPercent: number;
  readonly successRateMinimumHosts: number;
  readonly successRateRequestVolume: number;
  /** In standard deviations. */
  readonly successRateStdevFactor: number;
  readonly failurePercentageThreshold: number;
  readonly failurePercentageMinimumHosts: number;
  readonly failurePercentageRequestVolume: number;
}

export const outlierDefaults: OutlierOptions = {
  consecutiveErrors: 5,
  intervalMs: 10_000,
  baseEjectionTimeMs: 30_000,
  maxEjectionTimeMs: 300_000,
  maxEjectionPercent: 50,
  successRateMinimumHosts: 5,
  successRateRequestVolume: 100,
  successRateStdevFactor: 1.9,
  failurePercentageThreshold: 85,
  failurePercentageMinimumHosts: 5,
  failurePercentageRequestVolume: 50,
};

export type EjectionReason = 'consecutive-errors' | 'success-rate' | 'failure-percentage';

/** Told when it happens, from inside the call that made it happen. */
export type OnEjection = (target: Target, reason: EjectionReason | null) => void;

export class OutlierDetection {
  readonly #options: OutlierOptions;
  readonly #onEjection: OnEjection;
  #sweepMs: number | null = null;

  /** `onEjection` with a reason: ejected; with null: back again. */
  constructor(options: OutlierOptions, onEjection: OnEjection) {
    this.#options = options;
    this.#onEjection = onEjection;
  }

  /** One request to `target`, one of `all`, has ended. */
  count(target: Target, isSuccess: boolean, all: readonly Target[], nowMs: number): void {
    const { record } = target;
    if (isSuccess) {
      record.successes++;
      record.consecutiveErrors = 0;
      return;
    }
    record.failures++;
    record.consecutiveErrors++;
    if (record.consecutiveErrors < this.#options.consecutiveErrors) return;
    this.#eject(target, 'consecutive-errors', all, nowMs);
  }

  /**
   * Lets back in whose time is over and judges the interval, if it has ended. To be called at
   * `nextMs`, or a little later.
   */
  advance(all: readonly Target[], nowMs: number): void {
    for (const target of all) {
      const { record } = target;
      if (record.ejectedUntilMs === null || nowMs < record.ejectedUntilMs) continue;
      this.pardon(target, nowMs);
    }
    this.#sweepMs ??= nowMs + this.#options.intervalMs;
    if (nowMs < this.#sweepMs) return;
    this.#sweepMs = nowMs + this.#options.intervalMs;
    this.#judge(all, nowMs);
    for (const { record } of all) {
      record.successes = 0;
      record.failures = 0;
      if (!record.isEjected && record.ejections > 0) record.ejections--;
    }
  }

  /** Lets it back in before its time: what it was ejected for is known to be over. */
  pardon(target: Target, nowMs: number): void {
    const { record } = target;
    record.consecutiveErrors = 0;
    if (!record.isEjected) return;
    record.ejectedUntilMs = null;
    target.startedMs = nowMs;
    this.#onEjection(target, null);
  }

  /** When there is something to do again. */
  nextMs(all: readonly Target[]): number {
    let next = this.#sweepMs ?? 0;
    for (const { record } of all) {
      if (record.ejectedUntilMs !== null) next = Math.min(next, record.ejectedUntilMs);
    }
    return next;
  }

  #judge(all: readonly Target[], nowMs: number): void {
    const options = this.#options;
    const rated = withVolume(all, options.successRateRequestVolume);
    if (rated.length > 0 && rated.length >= options.successRateMinimumHosts) {
      const rates = rated.map(({ record }) => rateOf(record));
      const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
      const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
      const least = mean - options.successRateStdevFactor * Math.sqrt(variance);
      for (const target of rated) {
        if (rateOf(target.record) < least) this.#eject(target, 'success-rate', all, nowMs);
      }
    }
    const failing = withVolume(all, options.failurePercentageRequestVolume);
    if (failing.length < options.failurePercentageMinimumHosts) return;
    for (const target of failing) {
      const failed = 1 - rateOf(target.record);
      if (failed * 100 >= options.failurePercentageThreshold) {
        this.#eject(target, 'failure-percentage', all, nowMs);
      }
    }
  }

  #eject(target: Target, reason: EjectionReason, all: readonly Target[], nowMs: number): void {
    const { record } = target;
    if (record.isEjected) return;
    const options = this.#options;
    const ejected = all.reduce((sum, other) => sum + (other.record.isEjected ? 1 : 0), 0);
    const most = Math.max(1, Math.floor((all.length * options.maxEjectionPercent) / 100));
    if (ejected >= most) return;
    record.ejections++;
    const lastsMs = options.baseEjectionTimeMs * record.ejections;
    record.ejectedUntilMs = nowMs + Math.min(lastsMs, options.maxEjectionTimeMs);
    this.#onEjection(target, reason);
  }
}

function withVolume(all: readonly Target[], volume: number): Target[] {
  return all.filter(
    ({ record }) => !record.isEjected && record.successes + record.failures >= Math.max(1, volume),
  );
}

function rateOf(record: { readonly successes: number; readonly failures: number }): number {
  return record.successes / (record.successes + record.failures);
}
