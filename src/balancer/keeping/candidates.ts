/**
 * Which servers a session may still be brought to, while one is looked for: not again those that failed,
 * before all others have been tried; and never again one that turned out to have forgotten what the
 * session's watches missed. When nobody is left who may remember, the server that the session came from
 * is asked once more: it did remember.
 */
import type { AttachGate } from './attach-gate.js';
import type { Backend, BackendNeed, Backends } from './keeping-types.js';

type Need = Omit<BackendNeed, 'excluded'>;

export class Candidates {
  readonly #backends: Backends;
  readonly #gate: AttachGate;
  readonly #from: Backend | null;
  readonly #excluded = new Set<Backend>();
  readonly #forgetful = new Set<Backend>();
  #hasGoneBack = false;
  /** What a server that took the session did not remember of it; null: there was no such server. */
  forgotten: string | null = null;

  /** `from`: where the session comes from; null: from nowhere. */
  constructor(backends: Backends, gate: AttachGate, from: Backend | null) {
    this.#backends = backends;
    this.#gate = gate;
    this.#from = from;
    if (from !== null) this.#excluded.add(from);
  }

  /** `full`: null when a server was found; else those that would do, and have no room now. */
  next(need: Need): { readonly backend: Backend } | { readonly full: readonly Backend[] } {
    const full: Backend[] = [];
    for (;;) {
      const backend = this.#backends.choose({ ...need, excluded: this.#excluded });
      if (backend !== null && !this.#gate.hasRoom(backend) && !this.#excluded.has(backend)) {
        full.push(backend);
        this.#excluded.add(backend);
        continue;
      }
      for (const one of full) this.#excluded.delete(one);
      return backend === null ? { full } : { backend };
    }
  }

  /** This server will not do now. */
  onFailed(backend: Backend): void {
    this.#excluded.add(backend);
  }

  /** It has the session now, and nobody will take that back but another server. */
  onForgotten(backend: Backend, what: string): void {
    this.forgotten = what;
    this.#forgetful.add(backend);
    this.#excluded.add(backend);
  }

  /** All have been tried: those that failed may be back. */
  beginAgain(): void {
    this.#excluded.clear();
    for (const one of this.#forgetful) this.#excluded.add(one);
  }

  /**
   * The server that the session came from, even where it is to be emptied or was lost; behind it, those
   * that failed are asked once more. Null: it has been asked.
   */
  lastResort(): Backend | null {
    const from = this.#from;
    if (from === null || this.#hasGoneBack || this.#forgetful.has(from)) return null;
    this.#hasGoneBack = true;
    this.beginAgain();
    return from;
  }
}
