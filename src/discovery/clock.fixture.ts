/** Time for tests that goes on when they say so; and a world of it. */
import { SeededRandom } from '../base/random.js';
import type { Clock, Timer } from '../ports/clock.js';
import type { DiscoveryWorld } from './registry.js';

export class ManualClock implements Clock {
  #nowMs = 1_000_000;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  soon(run: () => void): void {
    this.after(0, run);
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Everything that is due on the way happens at its time, promises included. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      await settled();
      const due = [...this.#timers]
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.run();
    }
    this.#nowMs = endMs;
    await settled();
  }
}

export function worldOf(clock: Clock, seed = 1): DiscoveryWorld {
  const random = new SeededRandom(seed);
  return { clock, random: () => random.fraction() };
}

/** Whatever promises were ready to do has been done. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
