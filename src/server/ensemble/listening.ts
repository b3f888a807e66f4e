/**
 * The addresses that one kind of caller finds this server at. A reconfiguration may move them: new ones
 * are opened before old ones are closed, what cannot be had is tried again, and connections that exist
 * stay.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import type { Listener, Network, Socket, SocketHandler } from '../../ports/network.js';

export interface ListenAddress {
  /** Absent: every address of this machine. */
  readonly host: string | undefined;
  readonly port: number;
}

const RETRY_MS = 1000;

export class Listening {
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** For whom, in messages. */
  readonly #whom: string;
  readonly #accept: (socket: Socket) => SocketHandler;
  readonly #listeners = new Map<string, Listener>();
  #wanted: ReadonlyMap<string, ListenAddress> = new Map();
  /** One change of addresses after the other. */
  #tail: Promise<void> = Promise.resolve();
  #retry: Timer | null = null;
  #isClosed = false;

  constructor(
    world: { readonly network: Network; readonly clock: Clock; readonly logger: Logger },
    whom: string,
    accept: (socket: Socket) => SocketHandler,
  ) {
    this.#network = world.network;
    this.#clock = world.clock;
    this.#logger = world.logger;
    this.#whom = whom;
    this.#accept = accept;
  }

  /** The first that is open. */
  get first(): Listener | null {
    for (const listener of this.#listeners.values()) return listener;
    return null;
  }

  /** Rejects with the system's error when one of them cannot be had; then none is open. */
  async open(addresses: readonly ListenAddress[]): Promise<void> {
    this.#wanted = byKey(addresses);
    const outcomes = await Promise.allSettled(
      [...this.#wanted].map(async ([key, at]) => {
        this.#listeners.set(key, await this.#network.listen(at, this.#accept));
      }),
    );
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      await this.close();
      throw outcome.reason;
    }
  }

  /** From now on these; settles when that has been tried. Those of before go when it is true. */
  move(addresses: readonly ListenAddress[]): Promise<void> {
    const wanted = byKey(addresses);
    if ([...wanted.keys()].join() === [...this.#wanted.keys()].join()) return this.#tail;
    this.#wanted = wanted;
    this.#retry?.cancel();
    this.#tail = this.#tail.then(() => this.#follow());
    return this.#tail;
  }

  async #follow(): Promise<void> {
    let isWhole = true;
    for (const [key, at] of this.#wanted) {
      if (this.#listeners.has(key)) continue;
      // one address may hold the port of all of them, or all that of one
      this.#closeOthers((other) => other.port === at.port);
      isWhole = (await this.#listenAt(key, at)) && isWhole;
    }
    if (this.#isClosed) return;
    if (!isWhole) {
      this.#retry = this.#clock.after(RETRY_MS, () => {
        this.#tail = this.#tail.then(() => this.#follow());
      });
      return;
    }
    this.#closeOthers(() => true);
  }

  async #listenAt(key: string, at: ListenAddress): Promise<boolean> {
    try {
      const listener = await this.#network.listen(at, this.#accept);
      this.#listeners.set(key, listener);
      if (this.#isClosed) await listener.close();
      this.#logger.info(`listening for ${this.#whom}`, { at: key });
      return true;
    } catch (problem) {
      const reason = problem instanceof Error ? problem.message : String(problem);
      this.#logger.error(`cannot listen for ${this.#whom}, trying again`, { at: key, reason });
      return false;
    }
  }

  /** Of those that are not wanted any more. */
  #closeOthers(fits: (listener: Listener) => boolean): void {
    for (const [key, listener] of [...this.#listeners]) {
      if (this.#wanted.has(key) || !fits(listener)) continue;
      this.#listeners.delete(key);
      // settles when the last of its connections ends
      void listener.close();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close()));
    this.#listeners.clear();
  }
}

function byKey(addresses: readonly ListenAddress[]): Map<string, ListenAddress> {
  return new Map(addresses.map((at) => [`${nameOf(at)}:${at.port}`, at]));
}

function nameOf({ host }: ListenAddress): string {
  return host === undefined || host === '0.0.0.0' || host === '::' ? '*' : host;
}
