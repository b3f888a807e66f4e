/**
 * The calls that one signal can end. A signal is often shared by many calls, and Node warns of a leak
 * when more than ten listeners are on one: here it has a single one, for as long as there are calls.
 */
export interface Abortable {
  /** Called once, unless it was taken out before. */
  onAbort(reason: unknown): void;
}

export class AbortGroup {
  static readonly #groups = new WeakMap<AbortSignal, AbortGroup>();
  readonly #signal: AbortSignal;
  readonly #members = new Set<Abortable>();

  /** The group of this signal, which has not been aborted. */
  static of(signal: AbortSignal): AbortGroup {
    const known = AbortGroup.#groups.get(signal);
    if (known !== undefined) return known;
    const group = new AbortGroup(signal);
    AbortGroup.#groups.set(signal, group);
    return group;
  }

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(member: Abortable): void {
    if (this.#members.size === 0) this.#signal.addEventListener('abort', this.#onAbort);
    this.#members.add(member);
  }

  remove(member: Abortable): void {
    if (!this.#members.delete(member) || this.#members.size > 0) return;
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => {
    for (const member of [...this.#members]) {
      this.remove(member);
      member.onAbort(this.#signal.reason);
    }
  };
}

/**
 * Calls `run` once when the signal, which has not been aborted, is; not after what is returned here has
 * been called.
 */
export function whenAborted(signal: AbortSignal, run: (reason: unknown) => void): () => void {
  const member: Abortable = { onAbort: run };
  const group = AbortGroup.of(signal);
  group.add(member);
  return () => {
    group.remove(member);
  };
}
