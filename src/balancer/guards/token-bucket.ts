/**
 * A rate with room for bursts: tokens come in at the rate, up to as many as the bucket holds, and each
 * request takes one out. Two numbers and no timer, so that there can be one for each client. Who may
 * wait takes a token that has not come yet, and waits until it has: so all who wait come in turn.
 */
export interface RateOptions {
  readonly perSecond: number;
  /** How many may come at once after a pause; a second's worth unless given. */
  readonly burst?: number;
  /** A request is held up to so long before it is refused; 0 unless given: it is refused at once. */
  readonly waitMs?: number;
}

export class TokenBucket {
  readonly #perMs: number;
  readonly #size: number;
  /** Below 0: so many have been taken before they came. */
  #tokens: number;
  #filledMs: number;

  /** Full at first. */
  constructor({ perSecond, burst }: RateOptions, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#size = Math.max(1, burst ?? perSecond);
    this.#tokens = this.#size;
    this.#filledMs = nowMs;
  }

  /** How long to wait, 0 where there is a token now; null: longer than `waitMs`, and none is taken. */
  take(nowMs: number, waitMs: number): number | null {
    const filled = this.#tokens + (nowMs - this.#filledMs) * this.#perMs;
    this.#filledMs = nowMs;
    this.#tokens = Math.min(this.#size, filled);
    const delayMs = this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMs;
    if (delayMs > 0 && delayMs > waitMs) return null;
    this.#tokens -= 1;
    return delayMs;
  }
}
