/**
 * The kinds of figures a server keeps, shaped as Apache's are so that `mntr` reads the same:
 * counters, summaries (avg, min, max, cnt, sum), summaries with percentiles, and families of these
 * by a key. They sit on the hot path, so an update is a few additions to plain fields, allocates
 * nothing, and never fails.
 *
 * Percentiles come from a histogram with buckets of one up to 64 and of 1/32 of the value above.
 * Apache keeps a random sample of 4096 values; a histogram sees every value and needs no dice.
 */

/** A number that Java would print as a double: 0.0, 1.875, 1.0E7. */
export class Double {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

type MetricValue = number | bigint | Double;
export type MetricEntry = readonly [name: string, value: MetricValue];

export class Counter {
  readonly name: string;
  value = 0;

  constructor(name: string) {
    this.name = name;
  }

  add(amount: number): void {
    this.value += amount;
  }

  reset(): void {
    this.value = 0;
  }

  *entries(): Generator<MetricEntry> {
    yield [this.name, this.value];
  }
}

export class Summary {
  readonly name: string;
  count = 0;
  sum = 0;
  /** Meaningless while count is 0. */
  #min = 0;
  #max = 0;

  constructor(name: string) {
    this.name = name;
  }

  add(value: number): void {
    if (this.count === 0 || value < this.#min) this.#min = value;
    if (this.count === 0 || value > this.#max) this.#max = value;
    this.count++;
    this.sum += value;
  }

  /** The same value so many times. */
  addMany(value: number, count: number): void {
    if (count <= 0) return;
    this.add(value);
    this.count += count - 1;
    this.sum += value * (count - 1);
  }

  get min(): number {
    return this.count === 0 ? 0 : this.#min;
  }

  get max(): number {
    return this.count === 0 ? 0 : this.#max;
  }

  /** To four decimals. */
  get avg(): number {
    return this.count === 0 ? 0 : Math.round((this.sum / this.count) * 10_000) / 10_000;
  }

  reset(): void {
    this.count = 0;
    this.sum = 0;
    this.#min = 0;
    this.#max = 0;
  }

  *entries(): Generator<MetricEntry> {
    const { name } = this;
    yield [`avg_${name}`, new Double(this.avg)];
    yield [`min_${name}`, Math.trunc(this.min)];
    yield [`max_${name}`, Math.trunc(this.max)];
    yield [`cnt_${name}`, this.count];
    yield [`sum_${name}`, Math.trunc(this.sum)];
  }
}

const exactBuckets = 64;
const bucketsPerDoubling = 32;
/** Values from 2^6 up to 2^31. */
const bucketCount = exactBuckets + 25 * bucketsPerDoubling;

export class PercentileSummary extends Summary {
  /** Allocated with the first value: most of these stay at 0 on a standalone server. */
  #buckets: Uint32Array | null = null;

  override add(value: number): void {
    super.add(value);
    this.#buckets ??= new Uint32Array(bucketCount);
    this.#buckets[bucketOf(value)]!++;
  }

  override addMany(value: number, count: number): void {
    super.addMany(value, count);
    if (count > 1) this.#buckets![bucketOf(value)]! += count - 1;
  }

  override reset(): void {
    super.reset();
    this.#buckets?.fill(0);
  }

  /** Between the two values around the rank, as a sorted list of all values would have it. */
  percentile(quantile: number): number {
    if (this.count === 0) return 0;
    const position = quantile * (this.count + 1);
    const rank = Math.floor(position);
    const lower = this.#valueOfRank(Math.min(Math.max(rank, 1), this.count));
    if (rank < 1 || rank >= this.count) return lower;
    return lower + (position - rank) * (this.#valueOfRank(rank + 1) - lower);
  }

  override *entries(): Generator<MetricEntry> {
    yield* super.entries();
    yield [`p50_${this.name}`, Math.round(this.percentile(0.5))];
    yield [`p95_${this.name}`, Math.round(this.percentile(0.95))];
    yield [`p99_${this.name}`, Math.round(this.percentile(0.99))];
    yield [`p999_${this.name}`, Math.round(this.percentile(0.999))];
  }

  /** The `rank`-th smallest value, from 1; within its bucket the smallest one possible. */
  #valueOfRank(rank: number): number {
    const buckets = this.#buckets;
    if (buckets === null) return 0;
    let seen = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      seen += buckets[bucket]!;
      if (seen >= rank) return Math.min(Math.max(startOfBucket(bucket), this.min), this.max);
    }
    return this.max;
  }
}

function bucketOf(value: number): number {
  if (!(value >= 1)) return 0;
  const whole = Math.min(Math.trunc(value), 0x7fffffff);
  if (whole < exactBuckets) return whole;
  const exponent = 31 - Math.clz32(whole);
  return exactBuckets + (exponent - 6) * bucketsPerDoubling + ((whole >>> (exponent - 5)) & 31);
}

function startOfBucket(bucket: number): number {
  if (bucket < exactBuckets) return bucket;
  const beyond = bucket - exactBuckets;
  const exponent = 6 + Math.floor(beyond / bucketsPerDoubling);
  return 2 ** exponent + (beyond % bucketsPerDoubling) * 2 ** (exponent - 5);
}

/** How many keys a family keeps apart; what comes later is not counted. */
const familyMax = 1000;

/** Figures by key, made when a key first appears: `<kind>_<key>_<name>` in mntr. */
class Family<M extends { reset(): void; entries(): Iterable<MetricEntry> }> {
  readonly #make: (name: string) => M;
  readonly #name: string;
  readonly #members = new Map<string, M>();

  constructor(name: string, make: (name: string) => M) {
    this.#name = name;
    this.#make = make;
  }

  /** Undefined when there are too many keys. */
  of(key: string): M | undefined {
    let member = this.#members.get(key);
    if (member === undefined && this.#members.size < familyMax) {
      member = this.#make(`${key}_${this.#name}`);
      this.#members.set(key, member);
    }
    return member;
  }

  reset(): void {
    for (const member of this.#members.values()) member.reset();
  }

  *entries(): Generator<MetricEntry> {
    for (const member of this.#members.values()) yield* member.entries();
  }
}

export class CounterFamily extends Family<Counter> {
  constructor(name: string) {
    super(name, (full) => new Counter(full));
  }
}

export class SummaryFamily extends Family<Summary> {
  constructor(name: string) {
    super(name, (full) => new Summary(full));
  }
}

export class PercentileFamily extends Family<PercentileSummary> {
  constructor(name: string) {
    super(name, (full) => new PercentileSummary(full));
  }
}

/** As Java's Double.toString. */
export function formatDouble({ value }: Double): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) {
    const [mantissa = '', exponent = ''] = value.toExponential().split('e');
    return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${Number(exponent)}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
