/**
 * `auto` among policies: power of two choices by peak EWMA where servers answer unevenly, and least
 * connections where they do not. By latency where all are alike, chance decides who looks faster, and
 * sessions, which stay where they are put, follow chance; by number where one is slow, the slow one gets
 * as many as the others. Each decision comes with its reason.
 */
import type { PolicyName } from './policies.js';

export interface AutoPolicyOptions {
  readonly lookMs: number;
  /** Uneven: the slowest takes so many times as long as the fastest. */
  readonly ratio: number;
  /** And so much longer: three times a tenth of a millisecond is nothing. */
  readonly differenceMs: number;
  /** Even again: less than this for `evenAfterMs`. */
  readonly evenRatio: number;
  readonly evenAfterMs: number;
}

export const autoPolicyDefaults: AutoPolicyOptions = {
  lookMs: 2_000,
  ratio: 2,
  differenceMs: 2,
  evenRatio: 1.3,
  evenAfterMs: 30_000,
};

export interface PolicyDecision {
  readonly policy: PolicyName;
  readonly reason: string;
}

export class AutoPolicy {
  readonly #options: AutoPolicyOptions;
  #policy: PolicyName = 'least-connections';
  #lookMs = -Infinity;
  #unevenMs = -Infinity;

  constructor(options: Partial<AutoPolicyOptions> = {}) {
    this.#options = { ...autoPolicyDefaults, ...options };
  }

  get policy(): PolicyName {
    return this.#policy;
  }

  /** The mean latency of each that was measured lately. Null: it stays as it is. */
  look(latenciesMs: readonly number[], nowMs: number): PolicyDecision | null {
    const { lookMs, ratio, differenceMs, evenRatio, evenAfterMs } = this.#options;
    if (nowMs < this.#lookMs + lookMs) return null;
    this.#lookMs = nowMs;
    if (latenciesMs.length < 2) return null;
    const slowest = Math.max(...latenciesMs);
    const fastest = Math.min(...latenciesMs);
    const isApart = slowest - fastest >= differenceMs;
    const text = `${slowest.toFixed(1)} ms at the slowest, ${fastest.toFixed(1)} ms at the fastest`;
    if (isApart && slowest >= fastest * evenRatio) this.#unevenMs = nowMs;
    if (isApart && slowest >= fastest * ratio) return this.#decide('p2c-ewma', `uneven: ${text}`);
    if (nowMs - this.#unevenMs < evenAfterMs) return null;
    return this.#decide('least-connections', `even: ${text}`);
  }

  #decide(policy: PolicyName, reason: string): PolicyDecision | null {
    if (policy === this.#policy) return null;
    this.#policy = policy;
    return { policy, reason };
  }
}
