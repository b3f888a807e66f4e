/**
 * Who wants to hear of what. One that throws does not keep the others from hearing: its error is thrown
 * again on its own, as if nobody had called it.
 */
type AnyListener = (...args: readonly unknown[]) => void;

export class Listeners<Events extends { [name in keyof Events]: readonly unknown[] }> {
  readonly #byName = new Map<keyof Events, readonly AnyListener[]>();

  /** Takes it off again when the returned function is called. */
  on<E extends keyof Events>(name: E, listener: (...args: Events[E]) => void): () => void {
    // the list of a name holds listeners of that name alone
    const own = listener as unknown as AnyListener;
    this.#byName.set(name, [...(this.#byName.get(name) ?? []), own]);
    return () => {
      const rest = (this.#byName.get(name) ?? []).filter((other) => other !== own);
      this.#byName.set(name, rest);
    };
  }

  emit<E extends keyof Events>(name: E, ...args: Events[E]): void {
    for (const listener of this.#byName.get(name) ?? []) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
