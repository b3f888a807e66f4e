/**
 * How many sessions ask one server at a time. When a server dies, all of its sessions want another one
 * in the same millisecond; a server accepts so many connections at once (Apache's queue holds fifty) and
 * the kernel lets the others try again a second later. So the rest waits here, where it takes as long as
 * those before it take. A server that does not answer keeps nobody from the others.
 */
import type { Backend } from './keeping-types.js';

export interface Waiting {
  /** There may be room now. */
  onRoom(): void;
}

export class AttachGate {
  readonly #limit: number;
  readonly #inside = new Map<Backend, number>();
  readonly #waiting = new Set<Waiting>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  hasRoom(backend: Backend): boolean {
    return (this.#inside.get(backend) ?? 0) < this.#limit;
  }

  /** Each is followed by one `leave`. */
  enter(backend: Backend): void {
    this.#inside.set(backend, (this.#inside.get(backend) ?? 0) + 1);
  }

  leave(backend: Backend): void {
    const count = (this.#inside.get(backend) ?? 1) - 1;
    if (count === 0) this.#inside.delete(backend);
    else this.#inside.set(backend, count);
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    next.onRoom();
  }

  /** For the next that leaves, in the order of coming. */
  wait(who: Waiting): void {
    this.#waiting.add(who);
  }

  /** It does not wait any more. */
  forget(who: Waiting): void {
    this.#waiting.delete(who);
  }
}
