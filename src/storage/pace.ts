/**
 * Long work in short steps. Whoever walks a million znodes or reads a gigabyte asks, every few
 * hundred microseconds of work, whether its slice of the event loop is used up, and if so lets
 * everything else have its turn.
 */
import type { Clock } from '../ports/clock.js';

/** Thrown by the next rest of work that somebody has abandoned. */
export class AbandonedError extends Error {
  override readonly name = 'AbandonedError';
}

export class Pace {
  readonly #clock: Clock;
  readonly #sliceMs: number;
  #restMs: number;
  #startedMs: number;
  /** A simulated clock stands still within a turn: there the number of questions is the measure. */
  #questions = 0;
  #isAbandoned = false;
  static readonly #questionsMax = 4096;

  /** `restMs`: how long others have the loop between two slices; 0: one turn of it. */
  constructor(clock: Clock, sliceMs: number, restMs = 0) {
    this.#clock = clock;
    this.#sliceMs = sliceMs;
    this.#restMs = restMs;
    this.#startedMs = clock.monotonicMs();
  }

  /** Slowly: most of the loop, and of the disk, stays with others. */
  get isGentle(): boolean {
    return this.#restMs > 0 && this.#sliceMs !== Number.POSITIVE_INFINITY;
  }

  /** Shorter rests from here on: to be slower would cost more than to be in the way. */
  hurry(): void {
    this.#restMs = Math.min(this.#restMs, 1);
  }

  /** The work ends with an AbandonedError at its next rest. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  get isOver(): boolean {
    if (this.#isAbandoned) return true;
    if (++this.#questions >= Pace.#questionsMax) return true;
    return this.#clock.monotonicMs() - this.#startedMs >= this.#sliceMs;
  }

  /** Resolves in a later turn of the loop, when a new slice has begun. */
  async rest(): Promise<void> {
    if (this.#isAbandoned) throw new AbandonedError('abandoned');
    await new Promise<void>((resolve) => {
      if (this.#restMs > 0) this.#clock.after(this.#restMs, resolve);
      else this.#clock.soon(resolve);
    });
    this.restart();
  }

  /** After a wait for something else, which let others have their turn just as well. */
  restart(): void {
    this.#questions = 0;
    this.#startedMs = this.#clock.monotonicMs();
  }
}
