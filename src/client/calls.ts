/**
 * Calls that were made and not sent, in the order in which they were made. They outlive connections:
 * one that was not sent when a connection ended goes to the next. One that was sent fails, because
 * only its caller can know whether it may be done twice. None waits for a connection for longer than
 * the session's timeout, and there is one timer for all of them.
 */
import { Ring } from '../base/ring.js';
import type { Clock } from '../ports/clock.js';
import { ErrorCode } from '../protocol/errors.js';
import { ConnectionLossError, RequestTimeoutError, zkErrorOf } from './errors.js';
import { RequestState, type Request } from './request.js';

/** Calls that may wait; the next is refused as an overloaded server would refuse it. */
const WAITING_MAX = 1_000_000;

export interface CallsOwner {
  /** For calls without a limit of their own. */
  timeoutMs(): number;
  /** Why there is no connection. */
  lastFailure(): Error | null;
  /** A call's time is up then, unless it is sent before. */
  lookAt(timeMs: number): void;
}

export class Calls {
  readonly waiting = new Ring<Request>(WAITING_MAX);
  readonly #clock: Clock;
  readonly #owner: CallsOwner;
  /** 0: none. */
  readonly #limitMs: number;

  constructor(clock: Clock, limitMs: number, owner: CallsOwner) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#owner = owner;
  }

  add(request: Request, isConnected: boolean): void {
    if (this.waiting.isFull) {
      request.fail(zkErrorOf(ErrorCode.throttledOp, request.shownPath));
      return;
    }
    if (!isConnected || this.#limitMs > 0) this.#time(request);
    this.waiting.push(request);
  }

  /** Calls that were about to be sent wait for another connection from now on. */
  onDisconnected(): void {
    for (let i = 0; i < this.waiting.size; i++) {
      const request = this.waiting.at(i);
      if (request?.calledAtMs === 0) this.#time(request);
    }
  }

  /** Those whose time is up fail; returns when to look again. */
  sweep(nowMs: number): number {
    for (;;) {
      const request = this.waiting.peek();
      if (request === undefined) return Infinity;
      if (request.state !== RequestState.settled) {
        const dueMs = request.calledAtMs + this.#patienceMs;
        // sent in this turn, if nothing comes between
        if (request.calledAtMs === 0) return nowMs + this.#patienceMs;
        if (dueMs > nowMs) return dueMs;
        request.fail(
          this.#limitMs > 0 && nowMs >= request.calledAtMs + this.#limitMs
            ? new RequestTimeoutError(request.shownPath)
            : this.lossOf(request),
        );
      }
      this.waiting.shift();
    }
  }

  failAll(reasonOf: (request: Request) => Error): void {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      if (next.state !== RequestState.settled) next.fail(reasonOf(next));
    }
  }

  /** It was not sent. */
  lossOf(request: Request): ConnectionLossError {
    const cause = this.#owner.lastFailure();
    return new ConnectionLossError(request.shownPath, cause === null ? undefined : { cause });
  }

  get #patienceMs(): number {
    const timeoutMs = this.#owner.timeoutMs();
    return this.#limitMs > 0 ? Math.min(this.#limitMs, timeoutMs) : timeoutMs;
  }

  #time(request: Request): void {
    request.calledAtMs = this.#clock.monotonicMs();
    this.#owner.lookAt(request.calledAtMs + this.#patienceMs);
  }
}
