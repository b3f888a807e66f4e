/** The real clock: Node's timers, and setImmediate for the end of a turn. */
import type { Clock, Timer } from '../ports/clock.js';

export const nodeClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs: number, run: () => void): Timer {
    const timer = setTimeout(run, delayMs);
    return {
      cancel() {
        clearTimeout(timer);
      },
    };
  },
  soon(run: () => void): void {
    setImmediate(run);
  },
};
