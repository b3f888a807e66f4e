/**
 * Time that goes on when a test says so. Servers that have this clock see forty seconds of silence in
 * a few milliseconds: sessions expire, TTL nodes go, elections run into their limits, and nothing
 * waits. Sockets are real, so whoever moves the time gives them turns in between.
 */
import type { Clock, Timer } from '../ports/clock.js';
import { nodeClock } from '../node/clock.js';
import { Timeline } from '../sim/clock.js';

/** Turns of the event loop after which a few messages have gone there and back. */
const TURNS_BETWEEN = 12;

export class TestClock implements Clock {
  readonly #timeline = new Timeline();
  readonly #startedMs = nodeClock.wallMs();

  wallMs(): number {
    return Math.floor(this.#startedMs + this.#timeline.nowMs);
  }

  monotonicMs(): number {
    return this.#timeline.nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#timeline.after(Math.max(0, delayMs), run);
  }

  soon(run: () => void): void {
    nodeClock.soon(run);
  }

  /** Everything that falls due in that time happens, each at its moment, and is read and answered. */
  async advance(byMs: number): Promise<void> {
    if (!(byMs >= 0)) throw new TypeError(`time goes forward: ${byMs} ms`);
    const endMs = this.#timeline.nowMs + byMs;
    await settled();
    while (this.#timeline.step(endMs)) await settled();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS_BETWEEN; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
