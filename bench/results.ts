/**
 * What was measured, by row, party and figure, one value for each round; and what that says about an
 * aim.
 */
import { matrix, type Aim, type Metric, type Party, type Row } from './matrix.js';
import { summarize, type Summary } from './statistics.js';

export type Figures = Readonly<Record<string, number>>;

export interface Verdict {
  readonly aim: string;
  /** Null: cannot be told, a party was not run. */
  readonly isReached: boolean | null;
}

export class Results {
  readonly #values = new Map<string, number[]>();

  /** Figures that the matrix does not know are a mistake, and so is one that is not a number. */
  add(rowId: string, party: Party, figures: Figures): void {
    const row = matrix.find((one) => one.id === rowId);
    if (row === undefined) throw new Error(`no row ${rowId}`);
    for (const [key, value] of Object.entries(figures)) {
      const isKnown = row.metrics.some((metric) => metric.key === key);
      if (!isKnown || !Number.isFinite(value)) throw new Error(`${rowId}: ${key} = ${value}`);
      const name = `${rowId} ${party} ${key}`;
      const values = this.#values.get(name) ?? [];
      values.push(value);
      this.#values.set(name, values);
    }
  }

  summary(row: Row, party: Party, metric: Metric): Summary | null {
    return summarize(this.#values.get(`${row.id} ${party} ${metric.key}`) ?? []);
  }

  /** Medians of ours divided by Apache's. */
  ratio(row: Row, metric: Metric): number | null {
    const ours = this.summary(row, 'zabra', metric);
    const theirs = this.summary(row, 'apache', metric);
    if (ours === null || theirs === null || theirs.median === 0) return null;
    return ours.median / theirs.median;
  }

  verdicts(row: Row, metric: Metric): Verdict[] {
    const ratio = this.ratio(row, metric);
    const own = this.summary(row, 'zabra', metric)?.median ?? null;
    return (metric.aims ?? []).map((aim) => ({
      aim: describeAim(aim, metric),
      isReached: isReached(aim, ratio, own),
    }));
  }

  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  toJSON(): Record<string, readonly number[]> {
    return Object.fromEntries(this.#values);
  }
}

function isReached(aim: Aim, ratio: number | null, own: number | null): boolean | null {
  switch (aim.kind) {
    case 'ratioAtLeast':
      return ratio === null ? null : ratio >= aim.bound;
    case 'ratioAtMost':
      return ratio === null ? null : ratio <= aim.bound;
    case 'atMost':
      return own === null ? null : own <= aim.bound;
  }
}

export function describeAim(aim: Aim, metric: Metric): string {
  const bound = String(Math.round(aim.bound * 100) / 100);
  switch (aim.kind) {
    case 'ratioAtLeast':
      return `>= ${bound}x Apache`;
    case 'ratioAtMost':
      return `<= ${bound}x Apache`;
    case 'atMost':
      return metric.unit === 'x' ? `<= ${bound}x` : `<= ${bound} ${metric.unit}`;
  }
}
