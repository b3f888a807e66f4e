/**
 * The addresses of servers that are given by name. They are looked up before anybody wants to connect,
 * again every so often, and at once when none of them can be reached; whoever connects takes those that
 * are known. So a name service that fails or hangs holds up nobody but the server whose name it has not
 * told yet, and what it told once is used until it tells something else: servers do not go away because
 * nobody can be asked about them.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { HostNames } from '../../ports/host-names.js';
import type { Logger } from '../../ports/logger.js';
import { parseAddress } from '../../protocol/ip-address.js';

export interface KnownAddressesOptions {
  readonly refreshMs: number;
  /** After a look-up that failed. */
  readonly retryMs: number;
  /** No answer for so long: it is told, and asked again. */
  readonly giveUpMs: number;
}

export const knownAddressesDefaults: KnownAddressesOptions = {
  refreshMs: 30_000,
  retryMs: 1_000,
  giveUpMs: 10_000,
};

export interface KnownAddressesWorld {
  readonly clock: Clock;
  readonly names: HostNames;
  readonly logger: Logger;
}

/** A look-up is not begun so soon after the one before. */
const SPACING_MS = 1_000;

class Host {
  readonly name: string;
  /** The one that was reached last comes first. Empty: none has been told yet. */
  addresses: readonly string[] = [];
  problem = 'its name has not been resolved yet';
  timer: Timer | null = null;
  askedMs = -Infinity;
  /** Look-ups that came to no end do not count any more. */
  turn = 0;
  isAsking = false;
  readonly waiting = new Set<() => void>();

  constructor(name: string) {
    this.name = name;
  }
}

export class KnownAddresses {
  readonly #world: KnownAddressesWorld;
  readonly #options: KnownAddressesOptions;
  readonly #hosts = new Map<string, Host>();
  #isStopped = false;
  /** A name has got addresses, or others than before. */
  onChange: (host: string) => void = () => undefined;

  constructor(world: KnownAddressesWorld, options: Partial<KnownAddressesOptions> = {}) {
    this.#world = world;
    this.#options = { ...knownAddressesDefaults, ...options };
  }

  /** These hosts are wanted from now on, and no others. */
  keep(hosts: Iterable<string>): void {
    if (this.#isStopped) return;
    const wanted = new Set([...hosts].filter((host) => !isLiteral(host)));
    for (const [name, host] of this.#hosts) if (!wanted.has(name)) this.#forget(host);
    for (const name of wanted) {
      if (this.#hosts.has(name)) continue;
      const host = new Host(name);
      this.#hosts.set(name, host);
      this.#ask(host);
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const host of [...this.#hosts.values()]) this.#forget(host);
  }

  /** In the order in which they are to be tried; null: none is known yet. */
  of(host: string): readonly string[] | null {
    if (isLiteral(host)) return [host];
    const known = this.#hosts.get(host)?.addresses ?? [];
    return known.length === 0 ? null : known;
  }

  /** Waits for the first ones. Rejects with the reason when there are none within `timeoutMs`. */
  async until(host: string, timeoutMs: number): Promise<readonly string[]> {
    const known = this.#hosts.get(host);
    if (this.of(host) === null && known !== undefined) {
      await new Promise<void>((resolve) => {
        const timer = this.#world.clock.after(timeoutMs, () => {
          known.waiting.delete(done);
          resolve();
        });
        const done = (): void => {
          timer.cancel();
          resolve();
        };
        known.waiting.add(done);
      });
    }
    const found = this.of(host);
    if (found !== null) return found;
    throw new Error(`${host}: ${known?.problem ?? 'nobody looks it up'}`);
  }

  /** A server answered there: it is tried first from now on. */
  prefer(host: string, address: string): void {
    const known = this.#hosts.get(host);
    if (known === undefined || known.addresses[0] === address) return;
    if (!known.addresses.includes(address)) return;
    known.addresses = [address, ...known.addresses.filter((one) => one !== address)];
  }

  /** None of its addresses could be reached: perhaps there are others. */
  doubt(host: string): void {
    const known = this.#hosts.get(host);
    if (known === undefined || known.isAsking) return;
    const waitMs = known.askedMs + SPACING_MS - this.#world.clock.monotonicMs();
    if (waitMs <= 0) this.#ask(known);
    else this.#plan(known, waitMs);
  }

  #ask(host: Host): void {
    host.timer?.cancel();
    const turn = ++host.turn;
    const { giveUpMs } = this.#options;
    host.isAsking = true;
    host.askedMs = this.#world.clock.monotonicMs();
    host.timer = this.#world.clock.after(giveUpMs, () => {
      this.#failed(host, turn, `its name has not been resolved within ${giveUpMs} ms`);
    });
    // what a look-up tells that came too late is true all the same, until a newer one has ended
    this.#world.names.addresses(host.name).then(
      (addresses) => this.#told(host, turn, addresses),
      (error: unknown) => {
        this.#failed(host, turn, error instanceof Error ? error.message : String(error));
      },
    );
  }

  #told(host: Host, turn: number, addresses: readonly string[]): void {
    if (!this.#isWanted(host) || (turn !== host.turn && !host.isAsking)) return;
    const [used] = host.addresses;
    const before = [...host.addresses].sort().join();
    const kept = used !== undefined && addresses.includes(used) ? [used] : [];
    host.addresses = [...new Set([...kept, ...addresses])];
    this.#settled(host, this.#options.refreshMs);
    if ([...host.addresses].sort().join() === before) return;
    if (before !== '') {
      const fields = { host: host.name, before, addresses: host.addresses.join() };
      this.#world.logger.info('a name has other addresses', fields);
    }
    this.onChange(host.name);
  }

  #failed(host: Host, turn: number, problem: string): void {
    if (!this.#isWanted(host) || turn !== host.turn || !host.isAsking) return;
    if (host.problem !== problem) {
      this.#world.logger.warn('a name cannot be resolved', {
        ...{ host: host.name, problem },
        'used meanwhile': host.addresses.join(),
      });
    }
    host.problem = problem;
    this.#settled(host, this.#options.retryMs);
  }

  #settled(host: Host, nextMs: number): void {
    host.isAsking = false;
    this.#plan(host, nextMs);
    for (const done of host.waiting) done();
    host.waiting.clear();
  }

  #plan(host: Host, delayMs: number): void {
    host.timer?.cancel();
    host.timer = this.#world.clock.after(delayMs, () => {
      this.#ask(host);
    });
  }

  #isWanted(host: Host): boolean {
    return this.#hosts.get(host.name) === host;
  }

  #forget(host: Host): void {
    host.timer?.cancel();
    this.#hosts.delete(host.name);
    for (const done of host.waiting) done();
    host.waiting.clear();
  }
}

function isLiteral(host: string): boolean {
  return parseAddress(host) !== null;
}
