/**
 * Those of one process who wait for something to be given out: in line, served by one hand, so that a
 * thousand of them are one watcher to the servers, and what one look finds is shared among them. What
 * was got for somebody who has given up meanwhile goes to the next, or back.
 */
import type { ZkClient } from '../client/types.js';
import { asError, inBackground, isGivenUp, within, type WaitOptions } from './patience.js';

/** Where things come from. */
export interface Source<T> {
  /**
   * Up to so many; with `isPatient` at least one, else those that are there now. Once the signal has
   * aborted it waits no more, but brings what it has begun to take to its end.
   */
  take(wanted: number, isPatient: boolean, signal: AbortSignal): Promise<readonly T[]>;
  /** Nobody waits for these any more. */
  takeBack(things: readonly T[]): void;
}

interface Waiter<T> {
  readonly max: number;
  readonly isPatient: boolean;
  settle(things: T[]): void;
  fail(problem: Error): void;
}

export class Takers<T> {
  readonly #client: ZkClient;
  readonly #source: Source<T>;
  readonly #waiters = new Set<Waiter<T>>();
  #look = new AbortController();
  #isServing = false;

  constructor(client: ZkClient, source: Source<T>) {
    this.#client = client;
    this.#source = source;
  }

  /** At least one; as many as there are, up to `max`. */
  async take(max: number, options: WaitOptions, what: string): Promise<T[]> {
    const wait = (signal: AbortSignal): Promise<T[]> => this.#join(max, true, signal);
    return await within(this.#client, options, what, wait, (late) => {
      this.#source.takeBack(late);
    });
  }

  /** Those that are there. */
  async takeNow(max: number, options: WaitOptions, what: string): Promise<T[]> {
    const wait = (signal: AbortSignal): Promise<T[]> => this.#join(max, false, signal);
    return await within(this.#client, options, what, wait, (late) => {
      this.#source.takeBack(late);
    });
  }

  /** One after the other, until the signal aborts. */
  async *each(signal: AbortSignal | undefined, what: string): AsyncGenerator<T, undefined> {
    const until = signal ?? new AbortController().signal;
    while (!isGivenUp(until)) {
      try {
        yield* await this.take(1, { signal: until }, what);
      } catch (problem) {
        if (!isGivenUp(until)) throw problem;
      }
    }
  }

  #join(max: number, isPatient: boolean, signal: AbortSignal): Promise<T[]> {
    return new Promise<T[]>((resolve, reject) => {
      const waiter: Waiter<T> = { max, isPatient, settle: resolve, fail: reject };
      this.#waiters.add(waiter);
      signal.addEventListener(
        'abort',
        () => {
          this.#waiters.delete(waiter);
          if (this.#waiters.size === 0) this.#look.abort();
        },
        { once: true },
      );
      // who does not wait has to be told what is there now
      if (!isPatient) this.#look.abort();
      if (!this.#isServing) inBackground(this.#serve());
    });
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    while (this.#waiters.size > 0) {
      const waiters = [...this.#waiters];
      const isPatient = waiters.every((waiter) => waiter.isPatient);
      const wanted = waiters.reduce((sum, { max }) => sum + max, 0);
      const look = new AbortController();
      this.#look = look;
      try {
        const things = await this.#source.take(wanted, isPatient, look.signal);
        this.#give(things, isPatient ? [] : waiters);
      } catch (problem) {
        if (isGivenUp(look.signal)) continue;
        for (const waiter of waiters) {
          if (this.#waiters.delete(waiter)) waiter.fail(asError(problem));
        }
      }
    }
    this.#isServing = false;
  }

  /** In line; of `asked`, those who do not wait go without. */
  #give(things: readonly T[], asked: readonly Waiter<T>[]): void {
    let given = 0;
    for (const waiter of this.#waiters) {
      if (given >= things.length) break;
      this.#waiters.delete(waiter);
      waiter.settle(things.slice(given, given + waiter.max));
      given += waiter.max;
    }
    if (given < things.length) this.#source.takeBack(things.slice(given));
    for (const waiter of asked) {
      if (!waiter.isPatient && this.#waiters.delete(waiter)) waiter.settle([]);
    }
  }
}
