/**
 * Weights from what servers report of their own load. Counting what this client sends says nothing about
 * what others send; a server that answers twice as many requests as the others gets half as much of what
 * is added here. Smoothed, and within bounds: a weight that follows each report sends everything to
 * whoever reported last.
 */
export interface ReportedLoadOptions {
  /** A report weighs a third within so long. */
  readonly smoothMs: number;
  /** No more than so many times the stated weight, and no less than one in so many. */
  readonly factorMax: number;
}

export const reportedLoadDefaults: ReportedLoadOptions = { smoothMs: 10_000, factorMax: 4 };

interface Reported {
  count: number;
  atMs: number;
  /** Per second; null: one report is no rate. */
  rate: number | null;
}

export class ReportedLoad {
  readonly #options: ReportedLoadOptions;
  readonly #reports = new Map<string, Reported>();

  constructor(options: Partial<ReportedLoadOptions> = {}) {
    this.#options = { ...reportedLoadDefaults, ...options };
  }

  /** `count`: requests since it was started, as it says. */
  report(id: string, count: number, nowMs: number): void {
    const known = this.#reports.get(id);
    if (known === undefined || count < known.count || nowMs <= known.atMs) {
      // started anew, maybe
      this.#reports.set(id, { count, atMs: nowMs, rate: known?.rate ?? null });
      return;
    }
    const rate = ((count - known.count) * 1000) / (nowMs - known.atMs);
    const keep = Math.exp(-(nowMs - known.atMs) / this.#options.smoothMs);
    known.rate = known.rate === null ? rate : rate * (1 - keep) + known.rate * keep;
    known.count = count;
    known.atMs = nowMs;
  }

  forget(id: string): void {
    this.#reports.delete(id);
  }

  /** By which its stated weight is to be multiplied, beside `others`, all of them with itself. */
  factor(id: string, others: readonly string[]): number {
    const own = this.#reports.get(id)?.rate ?? null;
    if (own === null) return 1;
    const rates = others.map((other) => this.#reports.get(other)?.rate ?? null);
    const known = rates.filter((rate) => rate !== null);
    const mean = known.reduce((sum, rate) => sum + rate, 0) / Math.max(1, known.length);
    const { factorMax } = this.#options;
    // one more a second: between idle servers there is no difference
    return Math.min(factorMax, Math.max(1 / factorMax, (mean + 1) / (own + 1)));
  }
}
