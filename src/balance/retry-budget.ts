/**
 * Bounds what retries add to the load. "Three tries each" multiplies the load by three at the very
 * moment when everything fails, and keeps the servers down. A budget (Finagle's) lets retries be a fixed
 * part of the requests instead, plus a few per second, so that a client with little to do can retry too.
 *
 * At any retry, those of the last `ttlMs` are at most ratio times the requests of that time plus
 * minPerSecond * ttl: requests pay in, retries take out, what is older is forgotten, in ten slices.
 */
export interface RetryBudgetOptions {
  /** Retries per request: 0.2 adds at most a fifth to the load. */
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly ttlMs: number;
}

export const retryBudgetDefaults: RetryBudgetOptions = {
  ratio: 0.2,
  minPerSecond: 10,
  ttlMs: 10_000,
};

const SLICES = 10;

export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  readonly #sliceMs: number;
  readonly #deposits = new Float64Array(SLICES);
  readonly #withdrawals = new Float64Array(SLICES);
  /** Number of the slice that is filled now, counted from the start of time. */
  #slice = 0;

  constructor(options: Partial<RetryBudgetOptions> = {}) {
    this.#options = { ...retryBudgetDefaults, ...options };
    this.#sliceMs = this.#options.ttlMs / SLICES;
  }

  /** A request (not a retry) has begun. */
  deposit(nowMs: number): void {
    this.#advance(nowMs);
    this.#deposits[this.#slice % SLICES]! += 1;
  }

  /** True: there may be one retry now, and it has been paid. */
  withdraw(nowMs: number): boolean {
    if (this.balance(nowMs) < 1) return false;
    this.#withdrawals[this.#slice % SLICES]! += 1;
    return true;
  }

  /** So many retries there may be now. */
  balance(nowMs: number): number {
    this.#advance(nowMs);
    const { ratio, minPerSecond, ttlMs } = this.#options;
    const reserve = (minPerSecond * ttlMs) / 1000;
    // 1e-9: five deposits of a fifth are one
    return reserve + ratio * sum(this.#deposits) - sum(this.#withdrawals) + 1e-9;
  }

  #advance(nowMs: number): void {
    const slice = Math.max(this.#slice, Math.floor(nowMs / this.#sliceMs));
    const passed = Math.min(SLICES, slice - this.#slice);
    for (let i = 1; i <= passed; i++) {
      const at = (this.#slice + i) % SLICES;
      this.#deposits[at] = 0;
      this.#withdrawals[at] = 0;
    }
    if (passed === SLICES) {
      this.#deposits.fill(0);
      this.#withdrawals.fill(0);
    }
    this.#slice = slice;
  }
}

function sum(values: Float64Array): number {
  let all = 0;
  for (const value of values) all += value;
  return all;
}
