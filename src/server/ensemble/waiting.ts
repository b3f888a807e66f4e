/** Waiting for what nobody tells: where it is rare and short, looking again is simpler than being told. */
import type { Clock } from '../../ports/clock.js';

/** Settles after that time. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/** Settles once it is true, which is looked at every millisecond. */
export async function until(clock: Clock, isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await pause(clock, 1);
}
