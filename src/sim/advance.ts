/**
 * Lets simulated time pass. After each moment in which server code ran, every promise that it settled
 * runs before the next, as in Node. Between two immediates of one round of the event loop Node does
 * exactly that, so moments are given out among many immediates at a time: a round for each moment
 * would be spent in asking the kernel for events that nobody waits for.
 */
import type { Timeline } from './clock.js';

const IMMEDIATES = 64;

/** Until when, and what may end it before. */
export interface Limits {
  readonly untilMs: number;
  /** Asked before every so many moments. */
  readonly isEnough: () => boolean;
  readonly every: number;
  /** Asked before each. */
  readonly isOver: () => boolean;
}

/** True: it was enough. */
export async function advance(timeline: Timeline, limits: Limits): Promise<boolean> {
  const { untilMs, isEnough, every, isOver } = limits;
  let moments = 0;
  let isReached = false;
  await inTurns(() => {
    for (;;) {
      if (isOver()) return true;
      if (moments++ % every === 0 && isEnough()) {
        isReached = true;
        return true;
      }
      if (!timeline.step(untilMs)) {
        isReached = isEnough();
        return true;
      }
      if (!timeline.mustDrain) continue;
      timeline.mustDrain = false;
      return false;
    }
  });
  return isReached;
}

/** Calls `work` until it says that it is done; before each call every promise that can run has run. */
export function inTurns(work: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let isDone = false;
    let left = 0;
    const turn = (): void => {
      left--;
      if (isDone) return;
      try {
        isDone = work();
      } catch (problem) {
        isDone = true;
        reject(problem instanceof Error ? problem : new Error(String(problem)));
        return;
      }
      if (isDone) resolve();
      else if (left === 0) plan();
    };
    const plan = (): void => {
      left = IMMEDIATES;
      for (let i = 0; i < IMMEDIATES; i++) setImmediate(turn);
    };
    plan();
  });
}
