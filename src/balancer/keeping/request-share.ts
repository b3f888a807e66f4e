/**
 * A session's part of what the servers may have unanswered, over all sessions of the balancer. Its client
 * is one of a class (a tenant), and classes share by weight: while there is room everybody has what he
 * wants, and beyond it a session whose class has its share already waits for its turn, its client not
 * read from. What is counted is what was sent to a server and has no answer, so a session that has none
 * holds nothing and waits for nothing.
 *
 * Nothing is done for each request: whatever came with one read event is asked for together, and what has
 * been answered shows in how much is under way.
 */

import type { Clock } from '../../ports/clock.js';

/** Who may wait for its turn. */
export interface RequestWaiter {
  /** It has been given what it asked for. */
  onAdmitted(): void;
}

/** Decides whose turn it is; guards/classes.ts has one. */
export interface RequestGate {
  /** `queued`: `onAdmitted` comes, unless `withdraw` does. `refused`: it is not waited for. */
  enter(className: string, waiter: RequestWaiter, cost: number): 'admitted' | 'queued' | 'refused';
  leave(className: string, cost: number): void;
  withdraw(className: string, waiter: RequestWaiter): void;
}

export interface Sharing {
  /** What waits may be sent now. */
  onTurn(): void;
}

export class RequestShare implements RequestWaiter {
  readonly #gate: RequestGate;
  readonly #class: string;
  readonly #session: Sharing;
  readonly #clock: Clock;
  /** Of what the gate gave: all of it, and that with which nothing has been sent yet. */
  #held = 0;
  #unused = 0;
  /** What was asked for and is waited for; 0: nothing is. */
  #wanted = 0;
  #sinceMs = 0;
  /** It has waited too long: it goes on once, uncounted. */
  #isLet = false;

  constructor(gate: RequestGate, className: string, session: Sharing, clock: Clock) {
    this.#gate = gate;
    this.#class = className;
    this.#session = session;
    this.#clock = clock;
  }

  get isWaiting(): boolean {
    return this.#wanted > 0;
  }

  /** So many requests are to be sent. False: not yet, `onTurn` tells when. */
  admits(count: number): boolean {
    if (this.#wanted > 0) return false;
    if (this.#isLet || this.#unused > 0) {
      // what has come since it was asked for was read already, and goes along
      this.#isLet = false;
      this.#unused = 0;
      return true;
    }
    const admission = this.#gate.enter(this.#class, this, count);
    if (admission === 'admitted') this.#held += count;
    if (admission !== 'queued') return true;
    this.#wanted = count;
    this.#sinceMs = this.#clock.monotonicMs();
    return false;
  }

  onAdmitted(): void {
    this.#held += this.#wanted;
    this.#unused = this.#wanted;
    this.#wanted = 0;
    this.#session.onTurn();
  }

  /** So many requests are under way. */
  settle(underWay: number): void {
    const spare = this.#held - this.#unused - underWay;
    if (spare <= 0) return;
    this.#held -= spare;
    this.#gate.leave(this.#class, spare);
  }

  /** Waiting makes a client slower; it must not cost it its session, whose pings wait as well. */
  letPass(limitMs: number): void {
    if (this.#wanted === 0 || this.#clock.monotonicMs() - this.#sinceMs < limitMs) return;
    this.#gate.withdraw(this.#class, this);
    this.#wanted = 0;
    this.#isLet = true;
    this.#session.onTurn();
  }

  /** It has no server any more: nothing is under way, and nothing can be. */
  release(): void {
    if (this.#wanted > 0) this.#gate.withdraw(this.#class, this);
    const held = this.#held;
    this.#held = this.#unused = this.#wanted = 0;
    if (held > 0) this.#gate.leave(this.#class, held);
  }
}
