/**
 * One request, sent until an instance has answered it: to the next one when an attempt fails, as long as
 * the budget lets it, and, if it is hedged, to a second one while the first takes longer than nearly all
 * do. The first good answer is the request's; whatever is still under way is called off.
 *
 * Every way out goes through `#settle`: timers are cancelled, and no instance is left with a pending
 * request that has ended.
 */
import type { Outcome } from '../balance/target-pool.js';
import type { Target } from '../balance/target.js';
import type { Clock, Timer } from '../ports/clock.js';
import { onAbort } from '../recipes/patience.js';
import { AttemptTimeoutError } from './errors.js';
import type { ServiceInstance } from './instance.js';
import type { Judge, Verdict } from './verdict.js';

export interface AttemptContext {
  /** Aborts when the answer is not wanted any more, or has come too late. */
  readonly signal: AbortSignal;
  /** From 1. */
  readonly attempt: number;
}

export type SendFunction<T> = (
  instance: ServiceInstance,
  context: AttemptContext,
) => Promise<T> | T;

/** What attempts need of the load balancer. */
export interface AttemptHost {
  readonly service: string;
  readonly clock: Clock;
  random(): number;
  pick(key: string | undefined, excluded: ReadonlySet<Target>): Target | null;
  instanceOf(target: Target): ServiceInstance;
  begin(target: Target): void;
  end(target: Target, latencyMs: number, outcome: Outcome): void;
  /** Why there is nobody to send to. */
  noInstance(): Error;
  /** There may be one more retry, or one more hedge, now. */
  mayRetry(): boolean;
  mayHedge(): boolean;
}

export interface AttemptRules {
  readonly key?: string;
  readonly signal?: AbortSignal;
  readonly attemptsMax: number;
  readonly attemptTimeoutMs: number | null;
  readonly isRepeatable: boolean;
  readonly judge: Judge;
  /** Null: not hedged. */
  readonly hedgeDelayMs: number | null;
}

interface Attempt {
  readonly target: Target;
  readonly number: number;
  readonly startedMs: number;
  readonly controller: AbortController;
  timer: Timer | null;
}

/** Before an instance is tried again that has just failed: this, twice this, … shortened at random. */
const REPEAT_PAUSE_MS = 20;
const REPEAT_PAUSE_MAX_MS = 1_000;

export class Attempts<T> {
  readonly #host: AttemptHost;
  readonly #rules: AttemptRules;
  readonly #send: SendFunction<T>;
  readonly #running = new Set<Attempt>();
  readonly #tried = new Set<Target>();
  #count = 0;
  #rounds = 0;
  #hedge: Timer | null = null;
  #pause: Timer | null = null;
  #lastError: unknown = null;
  #isSettled = false;
  #offAbort: () => void = () => undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(host: AttemptHost, rules: AttemptRules, send: SendFunction<T>) {
    this.#host = host;
    this.#rules = rules;
    this.#send = send;
  }

  /** To be called once. */
  run(): Promise<T> {
    const { signal, hedgeDelayMs } = this.#rules;
    const promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal !== undefined) {
      this.#offAbort = onAbort(signal, () => {
        this.#settle(() => {
          this.#reject(signal.reason);
        });
      });
    }
    if (signal?.aborted === true) return promise;
    if (!this.#launch()) {
      this.#settle(() => {
        this.#reject(this.#host.noInstance());
      });
    }
    if (hedgeDelayMs !== null && !this.#isSettled) this.#planHedge(hedgeDelayMs);
    return promise;
  }

  /** True: one more attempt is under way. */
  #launch(): boolean {
    if (this.#isSettled) return false;
    const host = this.#host;
    const rules = this.#rules;
    const target = host.pick(rules.key, this.#tried);
    if (target === null) return false;
    this.#tried.add(target);
    const attempt: Attempt = {
      target,
      number: ++this.#count,
      startedMs: host.clock.monotonicMs(),
      controller: new AbortController(),
      timer: null,
    };
    this.#running.add(attempt);
    host.begin(target);
    const { attemptTimeoutMs } = rules;
    if (attemptTimeoutMs !== null) {
      attempt.timer = host.clock.after(attemptTimeoutMs, () => {
        const error = new AttemptTimeoutError(host.service, target.id, attemptTimeoutMs);
        this.#onFailure(attempt, error);
        attempt.controller.abort(error);
      });
    }
    const context = { signal: attempt.controller.signal, attempt: attempt.number };
    // a send that throws before it returns has failed like any other
    new Promise<T>((resolve) => {
      resolve(this.#send(host.instanceOf(target), context));
    }).then(
      (value) => {
        if (!this.#end(attempt, 'success')) return;
        this.#settle(() => {
          this.#resolve(value);
        });
      },
      (error: unknown) => {
        this.#onFailure(attempt, error);
      },
    );
    return true;
  }

  #onFailure(attempt: Attempt, error: unknown): void {
    if (!this.#running.has(attempt)) return; // it was called off, or came too late
    let verdict: Verdict;
    try {
      verdict = this.#rules.judge(error, this.#rules);
    } catch (mistake) {
      // a judge that cannot judge: nobody's request may hang on it
      this.#end(attempt, 'neutral');
      this.#settle(() => {
        this.#reject(mistake);
      });
      return;
    }
    this.#end(attempt, verdict === 'accept' ? 'success' : 'failure');
    this.#lastError = error;
    if (verdict === 'retry' && this.#retry()) return;
    if (verdict === 'retry' && this.#running.size > 0) return; // a hedge may still bring an answer
    this.#settle(() => {
      this.#reject(error);
    });
  }

  /** True: there is another attempt, now or after a pause. */
  #retry(): boolean {
    if (this.#count >= this.#rules.attemptsMax || !this.#host.mayRetry()) return false;
    if (this.#launch()) return true;
    if (this.#running.size > 0) return true;
    // all have been tried: once more from the beginning, a little later
    this.#tried.clear();
    const whole = Math.min(REPEAT_PAUSE_MAX_MS, REPEAT_PAUSE_MS * 2 ** this.#rounds++);
    this.#pause = this.#host.clock.after(whole * (1 - this.#host.random() / 2), () => {
      if (this.#launch() || this.#isSettled) return;
      this.#settle(() => {
        this.#reject(this.#lastError);
      });
    });
    return true;
  }

  #planHedge(delayMs: number): void {
    this.#hedge = this.#host.clock.after(delayMs, () => {
      this.#hedge = null;
      if (this.#isSettled || this.#running.size === 0) return;
      if (this.#count < this.#rules.attemptsMax && this.#host.mayHedge()) this.#launch();
    });
  }

  /** False: it had ended before. */
  #end(attempt: Attempt, outcome: Outcome): boolean {
    if (!this.#running.delete(attempt)) return false;
    attempt.timer?.cancel();
    const latencyMs = this.#host.clock.monotonicMs() - attempt.startedMs;
    this.#host.end(attempt.target, latencyMs, outcome);
    return true;
  }

  #settle(settle: () => void): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#hedge?.cancel();
    this.#pause?.cancel();
    this.#offAbort();
    for (const attempt of [...this.#running]) {
      this.#end(attempt, 'neutral');
      attempt.controller.abort(new Error('the answer is not wanted any more'));
    }
    settle();
  }
}
