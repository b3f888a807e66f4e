/**
 * How watchers are told. Those of callers hear of an event behind the answers that came before it:
 * whoever awaits such an answer goes on first, as in the order of the wire. Our own, which follow
 * znodes by answers that are told at once too, hear of it at once.
 */
import type { WatchEvent, Watcher } from './types.js';

export class Telling {
  readonly #atOnce = new WeakSet<Watcher>();

  /** From now on this one is told while events are read. */
  addAtOnce(watcher: Watcher): void {
    this.#atOnce.add(watcher);
  }

  readonly tell = (watcher: Watcher, event: WatchEvent): void => {
    if (this.#atOnce.has(watcher)) {
      watcher(event);
      return;
    }
    queueMicrotask(() => {
      watcher(event);
    });
  };
}
