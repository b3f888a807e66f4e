/**
 * What was measured, by row, party and figure, one value for each round; and what that says about an
 * aim.
 */
import { figureOf, matrix, type Aim, type Metric, type Party, type Row } from './matrix.js';
import { percentile, summarize, type Summary } from './statistics.js';

/** Several values where something is done several times a round: each counts as much as any. */
export type Figures = Readonly<Record<string, number | readonly number[]>>;

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
    for (const [key, figure] of Object.entries(figures)) {
      const added = valuesOf(figure);
      const isKnown = row.metrics.some((metric) => figureOf(metric) === key);
      if (!isKnown || !added.every(Number.isFinite)) {
        throw new Error(`${rowId}: ${key} = ${added.join(', ')}`);
      }
      const name = `${rowId} ${party} ${key}`;
      const values = this.#values.get(name) ?? [];
      values.push(...added);
      this.#values.set(name, values);
    }
  }

  summary(row: Row, party: Party, metric: Metric): Summary | null {
    return summarize(this.#of(row, party, metric));
  }

  /** The one number that stands for all rounds: what the metric takes of all values. */
  value(row: Row, party: Party, metric: Metric): number | null {
    return taken(metric, this.#of(row, party, metric));
  }

  /** Ours divided by Apache's. */
  ratio(row: Row, metric: Metric): number | null {
    const ours = this.value(row, 'zabra', metric);
    const theirs = this.value(row, 'apache', metric);
    if (ours === null || theirs === null || theirs === 0) return null;
    return ours / theirs;
  }

  #of(row: Row, party: Party, metric: Metric): readonly number[] {
    return this.#values.get(`${row.id} ${party} ${figureOf(metric)}`) ?? [];
  }

  verdicts(row: Row, metric: Metric): Verdict[] {
    const ratio = this.ratio(row, metric);
    const own = this.value(row, 'zabra', metric);
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

export function valuesOf(figure: number | readonly number[]): readonly number[] {
  return typeof figure === 'number' ? [figure] : figure;
}

/** Null when there are no values. */
export function taken(metric: Metric, values: readonly number[]): number | null {
  const summary = summarize(values);
  switch (metric.take ?? 'median') {
    case 'median':
      return summary?.median ?? null;
    case 'p95':
      return percentile(
        values.map((value) => [value, 1] as const),
        0.95,
      );
    case 'worst':
      return summary?.max ?? null;
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
    case 'atLeast':
      return own === null ? null : own >= aim.bound;
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
    case 'atLeast':
      return `>= ${bound} ${metric.unit}`;
  }
}
