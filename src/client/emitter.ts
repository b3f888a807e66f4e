/**
 * Who wants to hear of what. Listeners are called in the order in which they came, those that were
 * there when the event began. One that throws does not keep the others from hearing: its error is
 * thrown again on its own, as if nobody had called it.
 */
import type { ClientEventName, ClientEvents, ClientListener, Unsubscribe } from './types.js';

type AnyListener = (...args: ClientEvents[ClientEventName]) => void;

interface Entry {
  readonly listener: AnyListener;
  readonly isOnce: boolean;
}

export class Emitter {
  readonly #entries = new Map<ClientEventName, readonly Entry[]>();

  on<E extends ClientEventName>(name: E, listener: ClientListener<E>): Unsubscribe {
    return this.#add(name, listener, false);
  }

  once<E extends ClientEventName>(name: E, listener: ClientListener<E>): Unsubscribe {
    return this.#add(name, listener, true);
  }

  /** Takes the listener off, the latest of its if it is there more than once. */
  off<E extends ClientEventName>(name: E, listener: ClientListener<E>): void {
    const entries = this.#entries.get(name) ?? [];
    const entry = entries.findLast((one) => one.listener === (listener as AnyListener));
    if (entry !== undefined) this.#remove(name, entry);
  }

  emit<E extends ClientEventName>(name: E, ...args: ClientEvents[E]): void {
    for (const entry of this.#entries.get(name) ?? []) {
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

  #add<E extends ClientEventName>(
    name: E,
    listener: ClientListener<E>,
    isOnce: boolean,
  ): Unsubscribe {
    // the list of a name holds listeners of that name alone
    const entry: Entry = { listener: listener as AnyListener, isOnce };
    this.#entries.set(name, [...(this.#entries.get(name) ?? []), entry]);
    return () => {
      this.#remove(name, entry);
    };
  }

  #remove(name: ClientEventName, entry: Entry): void {
    const left = (this.#entries.get(name) ?? []).filter((other) => other !== entry);
    if (left.length === 0) this.#entries.delete(name);
    else this.#entries.set(name, left);
  }
}
