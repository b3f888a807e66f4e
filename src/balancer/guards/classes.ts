/**
 * Classes of clients, and how much of the balancer each may have while there is not enough for all:
 * attaches that are under way, and requests that no server has answered. Who has to wait is told when it
 * may go on; nobody is refused before a queue is full.
 */
import { FairAdmission, type Admission, type ClassStatus } from '../../balance/fair-admission.js';

export interface ClientClassesOptions {
  /** By name; classes that are not named weigh 1. */
  readonly weights: Readonly<Record<string, number>>;
  /** Attaches at one time, over all servers. */
  readonly attachesMax: number;
  /** Unanswered requests at one time, over all sessions; null: any number. */
  readonly requestsMax: number | null;
  /** Clients of one class that may wait for an attach. */
  readonly waitingMax: number;
}

export const clientClassesDefaults: ClientClassesOptions = {
  weights: {},
  attachesMax: 256,
  requestsMax: null,
  waitingMax: 20_000,
};

/** A client that waits: a session that wants to attach, or one whose requests are not read for now. */
export interface Waiter {
  /** It has been admitted now, with what it asked for. */
  onAdmitted(): void;
}

export class ClassGate {
  readonly #admission: FairAdmission<Waiter>;

  constructor(capacity: number, { weights, waitingMax }: ClientClassesOptions) {
    this.#admission = new FairAdmission<Waiter>({
      ...{ capacity, weights, queueMax: waitingMax },
      onAdmit: (waiter) => {
        waiter.onAdmitted();
      },
    });
  }

  /**
   * 'admitted': go on, and `leave` at the end. 'queued': `onAdmitted` comes, from inside somebody's
   * `leave`, or `withdraw` ends the wait. 'refused': too many wait already.
   */
  enter(className: string, waiter: Waiter, cost = 1): Admission {
    return this.#admission.offer(className, waiter, cost);
  }

  leave(className: string, cost = 1): void {
    this.#admission.release(className, cost);
  }

  withdraw(className: string, waiter: Waiter): void {
    this.#admission.withdraw(className, waiter);
  }

  get inUse(): number {
    return this.#admission.inUse;
  }

  status(): ReadonlyMap<string, ClassStatus> {
    return this.#admission.status();
  }
}

export class ClientClasses {
  readonly attaches: ClassGate;
  /** Null: nobody has to wait. */
  readonly requests: ClassGate | null;

  constructor(options: Partial<ClientClassesOptions> = {}) {
    const whole = { ...clientClassesDefaults, ...options };
    this.attaches = new ClassGate(whole.attachesMax, whole);
    // a session that waits is not read from, and costs no more than one that has nothing to ask
    const endless = { ...whole, waitingMax: Number.MAX_SAFE_INTEGER };
    this.requests = whole.requestsMax === null ? null : new ClassGate(whole.requestsMax, endless);
  }
}
