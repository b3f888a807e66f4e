/**
 * How many targets a subset needs: as many as keep the load of each, what is pending there on average,
 * within a band (Finagle's: 0.5 to 2). Few targets mean warm connections; too few mean queues. The load
 * is smoothed, and the width changes by one at a time, because a width that follows each burst makes and
 * drops connections all the time.
 */
export interface LoadBandOptions {
  readonly minAperture: number;
  readonly lowLoad: number;
  readonly highLoad: number;
  /** Loads older than this hardly count. */
  readonly smoothMs: number;
}

export const loadBandDefaults: LoadBandOptions = {
  minAperture: 2,
  lowLoad: 0.5,
  highLoad: 2,
  smoothMs: 5_000,
};

/** Looks at the load so often within the time it is smoothed over. */
const LOOKS = 10;

export class LoadBand {
  readonly #options: LoadBandOptions;
  #wanted: number;
  #load: number | null = null;
  #atMs = 0;

  constructor(options: LoadBandOptions) {
    this.#options = options;
    this.#wanted = options.minAperture;
  }

  /** So many targets are wanted now. */
  get wanted(): number {
    return this.#wanted;
  }

  /** When it wants to look again. */
  get nextMs(): number {
    return this.#load === null ? 0 : this.#atMs + this.#options.smoothMs / LOOKS;
  }

  /** `pending` at `size` targets in use, of `count` that there are. True: another number is wanted. */
  look(pending: number, size: number, count: number, nowMs: number): boolean {
    if (nowMs < this.nextMs) return false;
    const { smoothMs, lowLoad, highLoad, minAperture } = this.#options;
    const load = pending / Math.max(1, size);
    const keep = this.#load === null ? 0 : Math.exp(-(nowMs - this.#atMs) / smoothMs);
    this.#load = load * (1 - keep) + (this.#load ?? 0) * keep;
    this.#atMs = nowMs;
    const before = this.#wanted;
    if (this.#load > highLoad) this.#wanted++;
    else if (this.#load < lowLoad) this.#wanted--;
    this.#wanted = Math.max(minAperture, Math.min(this.#wanted, Math.max(minAperture, count)));
    return this.#wanted !== before;
  }
}
