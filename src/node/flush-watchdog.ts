/**
 * Ends the process when a flush on the event loop does not come back. While one is quick it runs on
 * the loop itself (fsync-placement.ts); should the device hang in it, nothing of ours runs any more:
 * no timeout, no farewell to the other servers, only open connections that nobody answers. So a
 * thread of its own looks, and prefers the end of the process to that: clients and followers hear of
 * it at once and go elsewhere.
 *
 * It costs a thread that sleeps, and two atomic stores a flush.
 */
import { Worker } from 'node:worker_threads';
import { endHung } from './hung-flush.js';

const CHECKS_PER_LIMIT = 8;

export class FlushWatchdog {
  /** Odd while a flush is under way. */
  readonly #serial = new Int32Array(new SharedArrayBuffer(4));
  readonly #limitMs: number;
  #now = 0;
  /** Flushes under way that run elsewhere, and when the last of them answered, or the first began. */
  #elsewhere = 0;
  #answeredMs = 0;
  /** Kept from flush to flush: none is set and taken back for each. */
  #timer: NodeJS.Timeout | null = null;
  readonly #answer = (): void => {
    this.#elsewhere--;
    this.#answeredMs = performance.now();
  };

  /** `limitMs`: a flush that takes longer, by up to an eighth, is the process's last. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    const worker = new Worker(new URL('./flush-watchdog-thread.js', import.meta.url), {
      name: 'flush-watchdog',
      execArgv: [],
      workerData: {
        serial: this.#serial,
        checkEveryMs: Math.max(1, Math.round(limitMs / CHECKS_PER_LIMIT)),
        checks: CHECKS_PER_LIMIT,
      },
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 },
    });
    worker.unref();
  }

  /**
   * Of a flush that runs elsewhere: there the loop can look itself. Returns what ends the watch. Of
   * several at once one that answers speaks for the device.
   */
  watch(): () => void {
    if (this.#elsewhere++ === 0) this.#answeredMs = performance.now();
    if (this.#timer === null) this.#lookIn(this.#limitMs);
    return this.#answer;
  }

  #lookIn(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#elsewhere === 0) return;
      const leftMs = this.#limitMs - (performance.now() - this.#answeredMs);
      if (leftMs > 0) this.#lookIn(leftMs);
      else endHung(this.#limitMs);
    }, delayMs);
    this.#timer.unref();
  }

  begin(): void {
    Atomics.store(this.#serial, 0, ++this.#now | 0);
  }

  end(): void {
    Atomics.store(this.#serial, 0, ++this.#now | 0);
  }
}
