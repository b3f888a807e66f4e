/**
 * Whether a server is well, out of what it answers when it is asked. Judged from `srvr` alone, which is
 * all that Apache's servers answer unless they are told otherwise; `isro` and `mntr` add to it. Not
 * judged from `ruok`: a server without a quorum says imok.
 *
 * - *down*: not reached, silent, or not serving. Its sessions have to go elsewhere.
 * - *sick*: it serves, but lags behind the others or has too much to do. It gets nothing new.
 * - *healthy*. Without a quorum too, if it serves readers: `isReadOnly` says so.
 *
 * One bad answer is bad luck, so it takes `fallCount` in a row, except where there is nothing to doubt:
 * a connection refused, and a server that says itself that it does not serve.
 */
import type { ServerFigures, ServerMode } from '../../protocol/four-letter-words.js';

export type HealthState = 'unknown' | 'healthy' | 'sick' | 'down';

/** What came of asking once. */
export type Checkup =
  | {
      readonly kind: 'figures';
      readonly figures: ServerFigures;
      /** `isro`; null: it does not say. */
      readonly isReadOnly: boolean | null;
      /** How long it took to answer. */
      readonly tookMs: number;
    }
  /** It answers, but does not want to be asked. */
  | { readonly kind: 'mute'; readonly tookMs: number }
  | { readonly kind: 'not-serving' }
  /** `isSure`: nobody listens there. */
  | { readonly kind: 'failed'; readonly error: string; readonly isSure: boolean };

export interface HealthOptions {
  /** So many bad answers in a row, and it is sick or down. */
  readonly fallCount: number;
  /** So many good ones in a row, and it is healthy again. */
  readonly riseCount: number;
  /** Behind the newest zxid for so long is sick. */
  readonly lagMaxMs: number;
  /** More requests that it has not answered is sick. */
  readonly outstandingMax: number;
}

export const healthDefaults: HealthOptions = {
  fallCount: 2,
  riseCount: 2,
  lagMaxMs: 10_000,
  outstandingMax: 10_000,
};

export class BackendHealth {
  readonly #options: HealthOptions;
  #state: HealthState = 'unknown';
  #reason: string | null = null;
  #figures: ServerFigures | null = null;
  #isReadOnly = false;
  #lagMs = 0;
  #bad = 0;
  #good = 0;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get state(): HealthState {
    return this.#state;
  }

  /** Why it is not healthy; null: it is. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Of its last answer; null: there was none. */
  get figures(): ServerFigures | null {
    return this.#figures;
  }

  get mode(): ServerMode | null {
    return this.#figures?.mode ?? null;
  }

  get isReadOnly(): boolean {
    return this.#isReadOnly;
  }

  /** How long it had been behind when it answered last. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** `lagMs`: how long others have known what it does not know yet. True: its state is another one. */
  take(checkup: Checkup, lagMs: number): boolean {
    switch (checkup.kind) {
      case 'figures': {
        const { figures, isReadOnly } = checkup;
        this.#figures = figures;
        this.#isReadOnly = figures.mode === 'read-only' || isReadOnly === true;
        // without a quorum nobody gets further
        this.#lagMs = this.#isReadOnly ? 0 : lagMs;
        const fault = this.#fault(figures);
        return fault === null ? this.#pass() : this.#fail('sick', fault, false);
      }
      case 'mute':
        return this.#pass();
      case 'not-serving':
        return this.#fail('down', 'it does not serve', true);
      case 'failed':
        return this.#fail('down', checkup.error, checkup.isSure);
    }
  }

  #fault(figures: ServerFigures): string | null {
    const { lagMaxMs, outstandingMax } = this.#options;
    if (this.#lagMs > lagMaxMs) return `it lags ${Math.round(this.#lagMs / 1000)} s behind`;
    const outstanding = figures.outstanding ?? 0;
    return outstanding > outstandingMax ? `${outstanding} requests are outstanding` : null;
  }

  #pass(): boolean {
    this.#bad = 0;
    this.#good++;
    if (this.#state === 'healthy') return false;
    if (this.#state !== 'unknown' && this.#good < this.#options.riseCount) return false;
    this.#state = 'healthy';
    this.#reason = null;
    return true;
  }

  #fail(state: 'sick' | 'down', reason: string, isSure: boolean): boolean {
    this.#good = 0;
    this.#bad++;
    if (!isSure && this.#bad < this.#options.fallCount) return false;
    const isOther = this.#state !== state;
    this.#state = state;
    this.#reason = reason;
    return isOther;
  }
}
