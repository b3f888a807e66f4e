/**
 * Who wants to hear what, typed by the event. A listener that throws does not keep the others, or the
 * recipe, from going on: its error is thrown where nobody's work is in the way.
 */
type Listener<Args extends unknown[]> = (...args: Args) => void;

export class Listeners<Events extends { [E in keyof Events]: unknown[] }> {
  readonly #listeners: { [E in keyof Events]?: Set<Listener<Events[E]>> } = {};

  /** Returns how to end it. */
  on<E extends keyof Events>(name: E, listener: Listener<Events[E]>): () => void {
    const set = (this.#listeners[name] ??= new Set());
    // the same function twice is two listeners
    const own: Listener<Events[E]> = (...args) => {
      listener(...args);
    };
    set.add(own);
    return () => {
      set.delete(own);
    };
  }

  emit<E extends keyof Events>(name: E, ...args: Events[E]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) {
      try {
        listener(...args);
      } catch (problem) {
        queueMicrotask(() => {
          throw problem;
        });
      }
    }
  }
}
