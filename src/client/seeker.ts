/**
 * Looking for a server until there is one: through the list, then a pause that grows, then through the
 * list again. Where the list comes from the DNS, it is asked before every round and, while a server
 * serves, from time to time; an answer that does not come leaves the list as it was.
 */
import type { Timer } from '../ports/clock.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { Attempt } from './attempt.js';
import { Backoff, type BackoffBounds } from './backoff.js';
import type { HostList } from './host-list.js';
import type { ServerAddress } from './types.js';
import type { ClientWorld } from './world.js';

/** How often the DNS is asked whether the servers are still the same. */
const SRV_REFRESH_MS = 60_000;
/** For an answer of the DNS; afterwards the list that is known has to do. */
const SRV_PATIENCE_MS = 5_000;

export interface SeekerOptions {
  readonly backoff: BackoffBounds;
  /** The name whose SRV records are the servers; null: the list is given. */
  readonly srvName: string | null;
}

export interface SeekerOwner {
  /** For one attempt. */
  attemptMs(): number;
  /** There is a connection; the attempt's time runs on until `succeeded` or `failed`. */
  onSocket(server: ServerAddress, socket: Socket): SocketHandler;
  onAttemptFailed(reason: Error): void;
  /** All have been tried; after a pause it begins anew. */
  onRoundOver(): void;
  /** The DNS names other servers now. */
  onServers(servers: readonly ServerAddress[]): void;
}

export class Seeker {
  readonly #world: ClientWorld;
  readonly #hosts: HostList;
  readonly #owner: SeekerOwner;
  readonly #srvName: string | null;
  readonly #backoff: Backoff;
  #attempt: Attempt | null = null;
  #pause: Timer | null = null;
  #refresh: Timer | null = null;
  /** Counts what was begun, so that what comes late is known as such. */
  #generation = 0;
  #isAsking = false;

  constructor(world: ClientWorld, hosts: HostList, options: SeekerOptions, owner: SeekerOwner) {
    this.#world = world;
    this.#hosts = hosts;
    this.#owner = owner;
    this.#srvName = options.srvName;
    this.#backoff = new Backoff(options.backoff, () => world.random());
  }

  /** Begins, unless it has begun. Whoever was found last had served well: there is no pause. */
  seek(): void {
    if (this.#attempt !== null || this.#pause !== null || this.#isAsking) return;
    if (this.#hosts.size === 0) this.#beginRound();
    else if (this.#hosts.isRoundOver) this.#rest();
    else this.#tryNext();
  }

  /** The attempt has led to a session. */
  succeeded(): void {
    this.#attempt?.settle();
    this.#attempt = null;
    this.#hosts.succeeded();
    this.#planRefresh();
  }

  /** A server is as good as its answers: pauses begin small again. */
  proven(): void {
    this.#backoff.reset();
  }

  /** The attempt, or the session that it led to, came to nothing: no hurry. */
  failed(): void {
    this.#attempt?.settle();
    this.#attempt = null;
    this.seek();
  }

  /** After a connection that never answered anything, even if it gave a session. */
  failedLate(): void {
    this.#rest();
  }

  stop(): void {
    this.#generation++;
    this.#isAsking = false;
    this.#attempt?.settle();
    this.#attempt = null;
    this.#pause?.cancel();
    this.#pause = null;
    this.#refresh?.cancel();
    this.#refresh = null;
  }

  #rest(): void {
    if (this.#pause !== null) return;
    this.#pause = this.#world.clock.after(this.#backoff.nextMs(), () => {
      this.#pause = null;
      this.#beginRound();
    });
    this.#owner.onRoundOver();
  }

  #beginRound(): void {
    this.#hosts.beginRound();
    if (this.#srvName === null) {
      this.#tryNext();
      return;
    }
    this.#isAsking = true;
    const generation = this.#generation;
    this.#ask(this.#srvName, (servers) => {
      if (generation !== this.#generation) return;
      this.#isAsking = false;
      if (servers !== null && !this.#hosts.isOf(servers)) this.#hosts.update(servers, null);
      if (this.#hosts.size > 0) {
        this.#tryNext();
        return;
      }
      this.#owner.onAttemptFailed(new Error(`${this.#srvName ?? ''}: the DNS names no servers`));
      this.#rest();
    });
  }

  #tryNext(): void {
    const server = this.#hosts.next();
    if (server === null) return;
    this.#attempt = new Attempt(this.#world, server, this.#owner.attemptMs(), {
      onSocket: (_attempt, socket) => this.#owner.onSocket(server, socket),
      onFailed: (attempt, reason) => {
        if (attempt !== this.#attempt) return;
        this.#attempt = null;
        const generation = this.#generation;
        this.#owner.onAttemptFailed(reason);
        // who was told may have had enough
        if (generation === this.#generation) this.seek();
      },
    });
  }

  // ------------------------------------------------------------------ the DNS

  #planRefresh(): void {
    if (this.#srvName === null || this.#refresh !== null) return;
    const name = this.#srvName;
    this.#refresh = this.#world.clock.after(SRV_REFRESH_MS, () => {
      this.#refresh = null;
      const generation = this.#generation;
      this.#ask(name, (servers) => {
        if (generation !== this.#generation) return;
        if (servers !== null && !this.#hosts.isOf(servers)) this.#owner.onServers(servers);
        this.#planRefresh();
      });
    });
  }

  /** `told` once: null where there is no answer, or an empty one. */
  #ask(name: string, told: (servers: readonly ServerAddress[] | null) => void): void {
    let isTold = false;
    const tell = (servers: readonly ServerAddress[] | null): void => {
      if (isTold) return;
      isTold = true;
      timer.cancel();
      told(servers === null || servers.length === 0 ? null : servers);
    };
    const timer = this.#world.clock.after(SRV_PATIENCE_MS, () => {
      tell(null);
    });
    this.#world.names.srv(name).then(tell, () => {
      tell(null);
    });
  }
}
