/**
 * One simulated process: Node's event loop with everything random taken out of it and put into a
 * seed. Whatever comes from outside (bytes, timers that are due, disk calls that ended) is posted and
 * waits for the next turn. A turn runs the timers that are due, then every input that was there when
 * it began, then what was asked for `soon`; what they ask for soon belongs to the next turn. After
 * each of these callbacks the promises that it settled run, as in Node.
 *
 * How long a process sleeps between an input and the turn that sees it is drawn, so the number of
 * inputs that one turn sees is. It can be paused (SIGSTOP: inputs gather), stalled (a long
 * synchronous step), and killed, after which no callback of it runs any more.
 */
import type { SeededRandom } from '../base/random.js';
import { SimClock, type ClockHost, type Timeline } from './clock.js';

export interface ProcessPace {
  /** The mean time between an input and the turn that sees it. */
  readonly wakeMs: number;
  /** What one look at the clock costs, in the mean. */
  readonly spendMs: number;
}

type Task = () => void;

export class SimProcess implements ClockHost {
  readonly name: string;
  readonly clock: SimClock;
  readonly #timeline: Timeline;
  readonly #random: SeededRandom;
  readonly #pace: ProcessPace;
  #timers: Task[] = [];
  #inputs: Task[] = [];
  #soon: Task[] = [];
  /** The turn being run: what is left of it, the next last. */
  #turn: Task[] = [];
  #isSoonDue = false;
  #isScheduled = false;
  #isDead = false;
  #awakeMs = 0;
  /** The last callback takes until then. */
  #busyMs = 0;
  /** When that began. */
  #lastMs = -1;
  #spentMs = 0;
  /** A callback threw, or a promise of one did: a bug, told once. */
  onThrow: (problem: unknown) => void = () => undefined;

  constructor(
    name: string,
    timeline: Timeline,
    random: SeededRandom,
    pace: ProcessPace,
    wallOffsetMs: number,
  ) {
    this.name = name;
    this.#timeline = timeline;
    this.#random = random;
    this.#pace = pace;
    this.clock = new SimClock(timeline, this, wallOffsetMs);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** It runs nothing before. */
  get awakeMs(): number {
    return this.#awakeMs;
  }

  get spentMs(): number {
    return this.#spentMs;
  }

  /** Callbacks that wait for a turn. */
  get waitingCount(): number {
    return this.#timers.length + this.#inputs.length + this.#soon.length + this.#turn.length;
  }

  spend(): void {
    const { spendMs } = this.#pace;
    if (spendMs > 0) this.#spentMs += 2 * spendMs * this.#random.fraction();
  }

  /** An input: bytes to read, a call that ended. */
  post(task: Task): void {
    if (this.#isDead) return;
    this.#inputs.push(task);
    this.#schedule();
  }

  postTimer(task: Task): void {
    if (this.#isDead) return;
    this.#timers.push(task);
    this.#schedule();
  }

  postSoon(task: Task): void {
    if (this.#isDead) return;
    this.#soon.push(task);
    this.#schedule();
  }

  /** Runs nothing for so long: a pause of the process, or a step that takes that long. */
  sleep(forMs: number): void {
    this.#awakeMs = Math.max(this.#awakeMs, this.#timeline.nowMs + forMs);
  }

  wake(): void {
    this.#awakeMs = this.#timeline.nowMs;
  }

  kill(): void {
    this.#isDead = true;
    this.#timers = [];
    this.#inputs = [];
    this.#soon = [];
    this.#turn = [];
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // promises of the last callback, whose turn is not over before they have run
    if (this.#isSoonDue && this.#timeline.nowMs === this.#lastMs) {
      this.#timeline.at(this.#busyMs, this.#step);
      return;
    }
    const wakeMs = 2 * this.#pace.wakeMs * this.#random.fraction();
    const nextMs = Math.max(this.#timeline.nowMs + wakeMs, this.#awakeMs, this.#busyMs);
    this.#timeline.at(nextMs, this.#begin);
  }

  readonly #begin = (): void => {
    if (this.#isDead) return;
    if (this.#isAsleep(this.#begin)) return;
    this.#turn = [...this.#timers, ...this.#inputs].reverse();
    this.#timers = [];
    this.#inputs = [];
    this.#isSoonDue = true;
    this.#step();
  };

  /** One callback; the rest of the turn comes after the promises it settled have run. */
  readonly #step = (): void => {
    if (this.#isDead) return;
    if (this.#isAsleep(this.#step)) return;
    if (this.#turn.length === 0 && this.#isSoonDue) {
      this.#isSoonDue = false;
      this.#turn = this.#soon.reverse();
      this.#soon = [];
    }
    const task = this.#turn.pop();
    if (task === undefined) {
      this.#isScheduled = false;
      if (this.waitingCount > 0) this.#schedule();
      return;
    }
    this.#spentMs = 0;
    this.#timeline.mustDrain = true;
    try {
      task();
    } catch (problem) {
      if (!this.isDead) this.onThrow(problem);
    }
    this.#lastMs = this.#timeline.nowMs;
    this.#busyMs = this.#lastMs + this.#spentMs;
    if (this.waitingCount > 0) this.#timeline.at(this.#busyMs, this.#step);
    else this.#isScheduled = false;
  };

  #isAsleep(again: Task): boolean {
    if (this.#timeline.nowMs >= this.#awakeMs) return false;
    this.#timeline.at(this.#awakeMs, again);
    return true;
  }
}
