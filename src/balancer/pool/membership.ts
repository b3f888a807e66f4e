/**
 * Where the list of servers comes from: it is given, or a name in the DNS holds it, or the ensemble's own
 * configuration does. A source that fails or becomes empty changes nothing: servers do not go because
 * somebody could not be asked about them.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { HostNames } from '../../ports/host-names.js';
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
  /** The ensemble is there from now on: those that it was first asked at may all be gone one day. */
  follow(servers: readonly BackendAddress[]): void;
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

export interface LookUpOptions {
  readonly refreshMs: number;
  /** After a look-up that failed. */
  readonly retryMs: number;
  /** No answer for so long: it has failed, and what it still tells is not waited for. */
  readonly giveUpMs: number;
}

export const lookUpDefaults: LookUpOptions = {
  refreshMs: 30_000,
  retryMs: 2_000,
  giveUpMs: 20_000,
};

/** A name holds the list: it is looked up again and again. */
abstract class LookedUpMembership implements Membership {
  readonly name: string;
  readonly #clock: Clock;
  readonly #options: LookUpOptions;
  readonly #last = new LastList();
  #timer: Timer | null = null;
  #turn = 0;

  constructor(name: string, clock: Clock, options: Partial<LookUpOptions>) {
    this.name = name;
    this.#clock = clock;
    this.#options = { ...lookUpDefaults, ...options };
  }

  protected abstract lookUp(): Promise<readonly BackendAddress[]>;

  start(listener: MembershipListener): void {
    const turn = ++this.#turn;
    const { refreshMs, retryMs, giveUpMs } = this.#options;
    const isOver = (): boolean => turn !== this.#turn;
    const goOn = (delayMs: number): void => {
      this.#turn++;
      this.#timer?.cancel();
      this.#timer = this.#clock.after(delayMs, () => {
        this.start(listener);
      });
    };
    const failed = (text: string): void => {
      if (isOver()) return;
      listener.onProblem(`${this.name}: ${text}`);
      goOn(retryMs);
    };
    this.#timer = this.#clock.after(giveUpMs, () => {
      failed(`no answer within ${giveUpMs} ms`);
    });
    this.lookUp().then(
      (addresses) => {
        if (isOver()) return;
        this.#last.take(addresses, this.name, listener);
        goOn(refreshMs);
      },
      (error: unknown) => {
        failed(String(error));
      },
    );
  }

  stop(): Promise<void> {
    this.#turn++;
    this.#timer?.cancel();
    return Promise.resolve();
  }
}

/** Of `_zookeeper._tcp.example.org`. */
export class SrvMembership extends LookedUpMembership {
  readonly #names: ServiceNames;

  constructor(
    names: ServiceNames,
    clock: Clock,
    { name, ...options }: Partial<LookUpOptions> & { readonly name: string },
  ) {
    super(name, clock, options);
    this.#names = names;
  }

  protected override async lookUp(): Promise<readonly BackendAddress[]> {
    const places = await this.#names.lookUp(this.name);
    return places.map(({ host, port }) => ({ host, port }));
  }
}

/** Every address of one name is a server of its own, as of a headless service. */
export class DnsMembership extends LookedUpMembership {
  readonly #names: HostNames;
  readonly #port: number;

  constructor(
    names: HostNames,
    clock: Clock,
    {
      name,
      port,
      ...options
    }: Partial<LookUpOptions> & { readonly name: string; readonly port: number },
  ) {
    super(name, clock, options);
    this.#names = names;
    this.#port = port;
  }

  protected override async lookUp(): Promise<readonly BackendAddress[]> {
    const hosts = await this.#names.addresses(this.name);
    return hosts.map((host) => ({ host, port: this.#port }));
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
    const followed: MembershipListener = {
      onServers: (servers) => {
        this.#source.follow(servers);
        listener.onServers(servers);
      },
      onProblem: (text) => {
        listener.onProblem(text);
      },
    };
    this.#last.take(first, 'the first list', listener);
    this.#source.start({
      onText: (text) => {
        // zones and weights that the operator has stated stay with their servers
        const stated = new Map(first.map((address) => [idOf(address), address]));
        const addresses = clientAddresses(text, portElse);
        this.#last.take(
          addresses.map((address) => stated.get(idOf(address)) ?? address),
          '/zookeeper/config',
          followed,
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
