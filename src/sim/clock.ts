/**
 * Simulated time. Nothing happens between two moments of the timeline, so a minute of idleness costs
 * nothing and a run is the same every time: moments run in the order of their times, and those of one
 * time in the order in which they were asked for.
 *
 * A process sees the timeline through its own clock. Its wall clock can be set by whoever simulates
 * the operator (or a bad time server); its monotonic clock cannot, but code takes time: within a turn
 * each look at the clock may find it a little further on, which is what makes sliced work give way.
 */
import type { Clock, Timer } from '../ports/clock.js';

export class Moment implements Timer {
  readonly timeMs: number;
  readonly order: number;
  run: (() => void) | null;

  constructor(timeMs: number, order: number, run: () => void) {
    this.timeMs = timeMs;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    this.run = null;
  }
}

export class Timeline {
  readonly #heap: Moment[] = [];
  /** Those of this very time that were asked for during it: they need no sorting. */
  readonly #due: Moment[] = [];
  /** Of these have run. */
  #done = 0;
  #nowMs = 0;
  #order = 0;
  /** Moments that have run. */
  count = 0;
  /** Server code ran in the last moment: its microtasks are to be drained before the next. */
  mustDrain = false;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `run` at that time, or now when it is past already; never from inside this call. */
  at(timeMs: number, run: () => void): Moment {
    const isDue = timeMs <= this.#nowMs;
    const moment = new Moment(isDue ? this.#nowMs : timeMs, this.#order++, run);
    if (isDue) this.#due.push(moment);
    else this.#push(moment);
    return moment;
  }

  after(delayMs: number, run: () => void): Moment {
    return this.at(this.#nowMs + delayMs, run);
  }

  /** Runs the next moment if it lies before `endMs`; false when there is none. */
  step(endMs: number): boolean {
    for (;;) {
      const next = this.#first();
      if (next === undefined || next.timeMs > endMs) {
        this.#nowMs = Math.max(this.#nowMs, Math.min(endMs, next?.timeMs ?? endMs));
        return false;
      }
      if (next === this.#heap[0]) this.#pop();
      else this.#done++;
      const { run } = next;
      if (run === null) continue;
      this.#nowMs = next.timeMs;
      next.run = null;
      this.count++;
      run();
      return true;
    }
  }

  #first(): Moment | undefined {
    const planned = this.#heap[0];
    const due = this.#due[this.#done];
    if (due !== undefined) return planned !== undefined && isBefore(planned, due) ? planned : due;
    if (this.#done > 0) {
      this.#due.length = 0;
      this.#done = 0;
    }
    return planned;
  }

  #push(moment: Moment): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(moment);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above]!;
      if (!isBefore(moment, other)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = moment;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
      const other = heap[below]!;
      if (!isBefore(other, last)) break;
      heap[at] = other;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Moment, b: Moment): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}

/** What a process's clock asks of the process. */
export interface ClockHost {
  /** Time that the code of this turn has taken so far. */
  readonly spentMs: number;
  /** Called at each look at the clock. */
  spend(): void;
  /** Something that is due is put among the timers of the next turn. */
  postTimer(task: () => void): void;
  postSoon(task: () => void): void;
}

export class SimClock implements Clock {
  readonly #timeline: Timeline;
  readonly #host: ClockHost;
  #lastMs = 0;
  #pending = 0;
  /** Wall clock minus timeline, in milliseconds since 1970. */
  wallOffsetMs: number;

  constructor(timeline: Timeline, host: ClockHost, wallOffsetMs: number) {
    this.#timeline = timeline;
    this.#host = host;
    this.wallOffsetMs = wallOffsetMs;
  }

  /** Timers that have neither run nor been cancelled: none may be left by a server that stopped. */
  get pendingTimers(): number {
    return this.#pending;
  }

  wallMs(): number {
    return Math.floor(this.wallOffsetMs + this.#now());
  }

  monotonicMs(): number {
    this.#host.spend();
    return this.#now();
  }

  after(delayMs: number, run: () => void): Timer {
    this.#pending++;
    let isLive = true;
    const retire = (): void => {
      if (!isLive) return;
      isLive = false;
      this.#pending--;
    };
    const task = (): void => {
      if (!isLive) return;
      retire();
      run();
    };
    const moment = this.#timeline.at(this.#now() + Math.max(0, delayMs), () => {
      this.#host.postTimer(task);
    });
    return {
      cancel: () => {
        moment.cancel();
        retire();
      },
    };
  }

  soon(run: () => void): void {
    this.#host.postSoon(run);
  }

  #now(): number {
    this.#lastMs = Math.max(this.#lastMs, this.#timeline.nowMs + this.#host.spentMs);
    return this.#lastMs;
  }
}
