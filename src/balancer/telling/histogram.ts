/** Values by the buckets that Prometheus wants: how many were at most so large. Adding allocates nothing. */
export class Histogram {
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  count = 0;
  sum = 0;
  max = 0;

  /** `bounds`: ascending. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length);
  }

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value > this.max) this.max = value;
    const { bounds } = this;
    for (let i = 0; i < bounds.length; i++) {
      if (value > bounds[i]!) continue;
      this.#counts[i]!++;
      return;
    }
  }

  /** Of each bound, how many were not above it. */
  cumulative(): number[] {
    let sum = 0;
    return [...this.#counts].map((count) => (sum += count));
  }
}

/** As Envoy's, in milliseconds. */
export const latencyBoundsMs: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
];
