/**
 * A client's place in the queue of its class for its first server. When thousands come at once (a site
 * has lost its network for a moment), the classes share what can be attached at a time by their weights,
 * and who has to wait is simply not read from.
 */
import type { ClassGate, Waiter } from './classes.js';

export class AttachTicket implements Waiter {
  readonly #gate: ClassGate;
  readonly #class: string;
  #state: 'new' | 'waiting' | 'held' | 'done' = 'new';
  #go: (() => void) | null = null;

  constructor(gate: ClassGate, className: string) {
    this.#gate = gate;
    this.#class = className;
  }

  /** `go` is called later where it says 'queued'. */
  enter(go: () => void): 'admitted' | 'queued' | 'refused' {
    const admission = this.#gate.enter(this.#class, this);
    if (admission === 'queued') this.#go = go;
    this.#state = admission === 'admitted' ? 'held' : admission === 'queued' ? 'waiting' : 'done';
    return admission;
  }

  onAdmitted(): void {
    this.#state = 'held';
    const go = this.#go;
    this.#go = null;
    go?.();
  }

  /** The client has its server, or has gone. */
  settle(): void {
    const before = this.#state;
    this.#state = 'done';
    if (before === 'held') this.#gate.leave(this.#class);
    else if (before === 'waiting') this.#gate.withdraw(this.#class, this);
  }
}
