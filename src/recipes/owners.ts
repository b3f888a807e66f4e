/**
 * Re-entrance by owner: who holds a thing already gets it again at once, and gives it back as often.
 * JavaScript has no threads by which an owner could be known, so the caller names it: any value, told
 * apart as a Map does (an object that stands for the request, a Symbol, a string).
 */
import { inBackground, orAborted } from './patience.js';
import type { Hold, Tenure } from './tenure.js';

export class Owners {
  readonly #tenures = new Map<unknown, Tenure>();
  readonly #pending = new Map<unknown, Promise<void>>();

  /** The living tenure of this owner. */
  get(owner: unknown): Tenure | null {
    const tenure = this.#tenures.get(owner);
    if (tenure === undefined) return null;
    if (tenure.isHeld) return tenure;
    this.#tenures.delete(owner);
    // it is lost, and its znode would stand in the way of its own successor
    inBackground(tenure.leave());
    return null;
  }

  /** A share of what the owner holds, or of what `start` gets for it; one `start` at a time. */
  async acquire(
    owner: unknown,
    signal: AbortSignal,
    start: () => Promise<Tenure | null>,
  ): Promise<Hold | null> {
    for (;;) {
      signal.throwIfAborted();
      const held = this.get(owner);
      if (held !== null) return held.share();
      const pending = this.#pending.get(owner);
      if (pending === undefined) break;
      await orAborted(pending, signal);
    }
    const starting = start();
    const settled = starting.then(noop, noop);
    this.#pending.set(owner, settled);
    try {
      const tenure = await starting;
      if (tenure === null) return null;
      this.#tenures.set(owner, tenure);
      void tenure.gone.then(() => {
        if (this.#tenures.get(owner) === tenure) this.#tenures.delete(owner);
      });
      return tenure.share();
    } finally {
      this.#pending.delete(owner);
    }
  }
}

function noop(): void {
  // whoever started it hears of the failure
}
