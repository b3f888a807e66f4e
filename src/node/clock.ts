/** The real clock: Node's timers, and setImmediate for the end of a turn. */
import type { Clock, Timer } from '../ports/clock.js';

export const nodeClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs: number, run: () => void): Timer {
    const dueMs = performance.now() + delayMs;
    // Node counts whole milliseconds, and may be one ahead of the clock that others look at
    const fire = (): void => {
      if (performance.now() >= dueMs) run();
      else timer = setTimeout(fire, 1);
    };
    let timer = setTimeout(fire, Math.ceil(delayMs));
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
