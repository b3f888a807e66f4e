/**
 * Who wants to hear of what, typed by the event. Listeners are called in the order in which they came,
 * those that were there when the event began. One that throws keeps neither the others from hearing nor
 * whoever tells from going on: its error is thrown again on its own, as if nobody had called it.
 */
import type { ClientEvents, Unsubscribe } from './types.js';

type Listener<Args extends unknown[]> = (...args: Args) => void;

interface Entry<Args extends unknown[]> {
  readonly listener: Listener<Args>;
  readonly isOnce: boolean;
}

/** `Events`: the arguments of each event, by its name. */
export class Emitter<Events extends { [E in keyof Events]: unknown[] } = ClientEvents> {
  readonly #entries: { [E in keyof Events]?: readonly Entry<Events[E]>[] } = {};

  /** Returns how to end it. The same function twice is two listeners. */
  on<E extends keyof Events>(name: E, listener: Listener<Events[E]>): Unsubscribe {
    return this.#add(name, listener, false);
  }

  once<E extends keyof Events>(name: E, listener: Listener<Events[E]>): Unsubscribe {
    return this.#add(name, listener, true);
  }

  /** Takes the listener off, the latest of its if it is there more than once. */
  off<E extends keyof Events>(name: E, listener: Listener<Events[E]>): void {
    const entry = this.#entries[name]?.findLast((one) => one.listener === listener);
    if (entry !== undefined) this.#remove(name, entry);
  }

  emit<E extends keyof Events>(name: E, ...args: Events[E]): void {
    for (const entry of this.#entries[name] ?? []) {
      if (entry.isOnce) this.#remove(name, entry);
      try {
        entry.listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #add<E extends keyof Events>(
    name: E,
    listener: Listener<Events[E]>,
    isOnce: boolean,
  ): Unsubscribe {
    const entry: Entry<Events[E]> = { listener, isOnce };
    this.#entries[name] = [...(this.#entries[name] ?? []), entry];
    return () => {
      this.#remove(name, entry);
    };
  }

  #remove<E extends keyof Events>(name: E, entry: Entry<Events[E]>): void {
    this.#entries[name] = this.#entries[name]?.filter((other) => other !== entry) ?? [];
  }
}
