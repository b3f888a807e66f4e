/**
 * Limits how fast sessions are opened and resumed, so that a storm of reconnecting clients is served
 * at a rate instead of all failing together. A token bucket, and above it BLUE (Feng et al., 2002):
 * while the bucket stays empty, handshakes are refused with a slowly rising probability before they
 * even reach the bucket. Off unless configured.
 */
export interface ConnectionThrottleOptions {
  /** Size of the bucket; 0: no throttling. */
  readonly tokens: number;
  readonly fillTimeMs: number;
  readonly fillCount: number;
  /** How long a drop probability stands before it is looked at again; -1: no BLUE. */
  readonly freezeTimeMs: number;
  readonly dropIncrease: number;
  readonly dropDecrease: number;
  /** The probability falls once at most this share of the bucket is in use. */
  readonly decreaseRatio: number;
  readonly isWeighted: boolean;
  readonly newSessionWeight: number;
  readonly resumeWeight: number;
}

export class ConnectionThrottle {
  readonly #options: ConnectionThrottleOptions;
  readonly #fraction: () => number;
  #tokens: number;
  #filledMs: number;
  #frozenMs: number;
  #dropChance = 0;

  constructor(options: ConnectionThrottleOptions, nowMs: number, fraction: () => number) {
    this.#options = options;
    this.#fraction = fraction;
    this.#tokens = options.tokens;
    this.#filledMs = nowMs;
    this.#frozenMs = nowMs;
  }

  /** Tokens that are missing from a full bucket. */
  get deficit(): number {
    return this.#options.tokens - this.#tokens;
  }

  get dropChance(): number {
    return this.#dropChance;
  }

  /** False: refuse this handshake; the client comes again later, or elsewhere. */
  admits(isResuming: boolean, nowMs: number): boolean {
    const { tokens, isWeighted, resumeWeight, newSessionWeight, freezeTimeMs } = this.#options;
    if (tokens <= 0) return true;
    this.#fill(nowMs);
    if (freezeTimeMs !== -1 && !this.#passesBlue(nowMs)) return false;
    const weight = isResuming ? resumeWeight : newSessionWeight;
    const needed = isWeighted ? weight : 1;
    if (this.#tokens < needed) return false;
    this.#tokens -= needed;
    return true;
  }

  #fill(nowMs: number): void {
    const { tokens, fillTimeMs, fillCount } = this.#options;
    const elapsedMs = nowMs - this.#filledMs;
    if (elapsedMs <= fillTimeMs) return;
    const filled = Math.floor((elapsedMs / fillTimeMs) * fillCount);
    this.#tokens = Math.min(tokens, this.#tokens + filled);
    this.#filledMs = nowMs;
  }

  #passesBlue(nowMs: number): boolean {
    const { tokens, freezeTimeMs, dropIncrease, dropDecrease, decreaseRatio } = this.#options;
    if (nowMs - this.#frozenMs > freezeTimeMs) {
      if (this.deficit === tokens) this.#dropChance = Math.min(1, this.#dropChance + dropIncrease);
      else if (this.deficit <= Math.round(tokens * decreaseRatio)) {
        this.#dropChance = Math.max(0, this.#dropChance - dropDecrease);
      }
      this.#frozenMs = nowMs;
    }
    return this.#dropChance === 0 || this.#fraction() >= this.#dropChance;
  }
}
