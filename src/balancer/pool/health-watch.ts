/**
 * When a server is asked how it is: every so often, with jitter, so that a hundred balancers do not ask
 * at the same moment; sooner while it is not well, and at once when a connection to it has died.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { Checkup } from './health.js';

export interface HealthWatchOptions {
  readonly intervalMs: number;
  /** While it is not healthy. */
  readonly retryMs: number;
  /** Up to this part more or less. */
  readonly jitter: number;
}

export const healthWatchDefaults: HealthWatchOptions = {
  intervalMs: 2_000,
  retryMs: 300,
  jitter: 0.2,
};

export interface HealthWatchHost {
  readonly clock: Clock;
  readonly random: () => number;
  run(): Promise<Checkup>;
  /** True: it is well, so that the next check may be a while off. */
  onCheckup(checkup: Checkup): boolean;
}

export class HealthWatch {
  readonly #host: HealthWatchHost;
  readonly #options: HealthWatchOptions;
  #timer: Timer | null = null;
  #dueMs = Infinity;
  #isAsking = false;
  #isHurried = false;
  #isStopped = false;

  constructor(host: HealthWatchHost, options: HealthWatchOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** The first check begins at once. */
  start(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Something has happened there. */
  hurry(): void {
    if (this.#isStopped) return;
    // what is under way may have been answered before it happened
    if (this.#isAsking) this.#isHurried = true;
    else this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    const dueMs = this.#host.clock.monotonicMs() + delayMs;
    if (this.#timer !== null && this.#dueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#dueMs = dueMs;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#timer = null;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    const checkup = await this.#host.run();
    this.#isAsking = false;
    if (this.#isStopped) return;
    const isWell = this.#host.onCheckup(checkup);
    const { intervalMs, retryMs, jitter } = this.#options;
    const delayMs = this.#isHurried ? 0 : isWell ? intervalMs : retryMs;
    this.#isHurried = false;
    this.#schedule(delayMs * (1 + jitter * (2 * this.#host.random() - 1)));
  }
}
