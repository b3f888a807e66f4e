/**
 * A rate with room for bursts: tokens come in at the rate, up to as many as the bucket holds, and each
 * request takes one out. Two numbers and no timer, so that there can be one for each client.
 */
export interface RateOptions {
  readonly perSecond: number;
  /** How many may come at once after a pause; a second's worth unless given. */
  readonly burst?: number;
}

export class TokenBucket {
  readonly #perMs: number;
  readonly #size: number;
  #tokens: number;
  #filledMs: number;

  /** Full at first. */
  constructor({ perSecond, burst }: RateOptions, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#size = Math.max(1, burst ?? perSecond);
    this.#tokens = this.#size;
    this.#filledMs = nowMs;
  }

  /** False: there is none left. */
  take(nowMs: number): boolean {
    const filled = this.#tokens + (nowMs - this.#filledMs) * this.#perMs;
    this.#filledMs = nowMs;
    this.#tokens = Math.min(this.#size, filled);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
