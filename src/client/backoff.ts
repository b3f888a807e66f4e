/**
 * How long to wait before the next round of attempts: twice as long after each that failed, up to a
 * bound, each pause shortened at random by up to a half, so that thousands of clients whose server
 * came back do not all come at once.
 */
export interface BackoffBounds {
  readonly minMs: number;
  readonly maxMs: number;
}

export const backoffDefault: BackoffBounds = { minMs: 100, maxMs: 10_000 };

export class Backoff {
  readonly #bounds: BackoffBounds;
  readonly #random: () => number;
  #failures = 0;

  constructor(bounds: BackoffBounds, random: () => number) {
    this.#bounds = bounds;
    this.#random = random;
  }

  /** The pause before the next attempt. */
  nextMs(): number {
    const { minMs, maxMs } = this.#bounds;
    const wholeMs = Math.min(maxMs, minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return wholeMs * (1 - this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
