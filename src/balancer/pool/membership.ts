/**
 * Where the list of servers comes from: it is given, or a name in the DNS holds it, or the ensemble's own
 * configuration does. A source that fails or becomes empty changes nothing: servers do not go because
 * somebody could not be asked about them.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { ServiceNames } from '../../ports/service-names.js';
import { idOf, type BackendAddress } from './backend.js';
import { clientAddresses } from './config-servers.js';

export interface MembershipListener {
  /** Only when it is another list. Never empty. */
  onServers(addresses: readonly BackendAddress[]): void;
  /** It goes on with what it has. */
  onProblem(text: string): void;
}

export interface Membership {
  start(listener: MembershipListener): void;
  stop(): Promise<void>;
}

/** The text of /zookeeper/config as it changes; some client of the ensemble knows it. */
export interface ConfigSource {
  /** `onText` comes with the first text and with each other one. */
  start(listener: { onText(text: string): void; onProblem(text: string): void }): void;
  stop(): Promise<void>;
}

/** Told once, when it starts. */
export class StaticMembership implements Membership {
  readonly #addresses: readonly BackendAddress[];

  constructor(addresses: readonly BackendAddress[]) {
    this.#addresses = addresses;
  }

  start(listener: MembershipListener): void {
    listener.onServers(this.#addresses);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

export interface SrvMembershipOptions {
  /** `_zookeeper._tcp.example.org` */
  readonly name: string;
  readonly refreshMs: number;
  /** After a look-up that failed. */
  readonly retryMs: number;
}

export const srvMembershipDefaults = { refreshMs: 30_000, retryMs: 2_000 };

export class SrvMembership implements Membership {
  readonly #names: ServiceNames;
  readonly #clock: Clock;
  readonly #options: SrvMembershipOptions;
  readonly #last = new LastList();
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(
    names: ServiceNames,
    clock: Clock,
    options: Partial<SrvMembershipOptions> & Pick<SrvMembershipOptions, 'name'>,
  ) {
    this.#names = names;
    this.#clock = clock;
    this.#options = { ...srvMembershipDefaults, ...options };
  }

  start(listener: MembershipListener): void {
    void this.#lookUp(listener);
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    return Promise.resolve();
  }

  async #lookUp(listener: MembershipListener): Promise<void> {
    const { name, refreshMs, retryMs } = this.#options;
    let delayMs = refreshMs;
    try {
      const places = await this.#names.lookUp(name);
      if (this.#isStopped) return;
      this.#last.take(
        places.map(({ host, port }) => ({ host, port })),
        name,
        listener,
      );
    } catch (error) {
      if (this.#isStopped) return;
      listener.onProblem(`${name}: ${String(error)}`);
      delayMs = retryMs;
    }
    this.#timer = this.#clock.after(delayMs, () => void this.#lookUp(listener));
  }
}

export interface ConfigMembershipOptions {
  /** Serve until the configuration is known, and forever where it names no client ports. */
  readonly first: readonly BackendAddress[];
  /** Of servers whose line names none; null: they are left out. */
  readonly portElse: number | null;
}

export class ConfigMembership implements Membership {
  readonly #source: ConfigSource;
  readonly #options: ConfigMembershipOptions;
  readonly #last = new LastList();

  constructor(source: ConfigSource, options: ConfigMembershipOptions) {
    this.#source = source;
    this.#options = options;
  }

  start(listener: MembershipListener): void {
    const { first, portElse } = this.#options;
    this.#last.take(first, 'the first list', listener);
    this.#source.start({
      onText: (text) => {
        // zones and weights that the operator has stated stay with their servers
        const stated = new Map(first.map((address) => [idOf(address), address]));
        const addresses = clientAddresses(text, portElse);
        this.#last.take(
          addresses.map((address) => stated.get(idOf(address)) ?? address),
          '/zookeeper/config',
          listener,
        );
      },
      onProblem: (text) => {
        listener.onProblem(text);
      },
    });
  }

  stop(): Promise<void> {
    return this.#source.stop();
  }
}

/** Tells a list only when it is another one, and never an empty one. */
class LastList {
  #told: string | null = null;

  take(addresses: readonly BackendAddress[], from: string, listener: MembershipListener): void {
    const unique = new Map(addresses.map((address) => [idOf(address), address]));
    if (unique.size === 0) {
      listener.onProblem(`${from} names no server: those that there are stay`);
      return;
    }
    const told = [...unique.keys()].sort().join();
    if (told === this.#told) return;
    this.#told = told;
    listener.onServers([...unique.values()]);
  }
}
