/**
 * A semaphore: at most so many at once.
 *
 * Guarantee: at any time at most `maxLeases` leases are held (all users of a path must agree on the
 * number: it is each one's own), given in the order of arrival. Tokens, guard, signal, giving up and
 * releasing are those of Lock; tokens grow in the order in which leases were given.
 * On SUSPENDED, on LOST: as Lock.
 * Znode layout: `<path>/locks/_c_<uuid>-lock-<sequence>` for the line, of which only the first looks
 * at the leases; `<path>/leases/_c_<uuid>-lease-<sequence>`, one for each lease, ephemeral sequential.
 * 'kazoo': the line in `<path>-__lock__`, a lease is `<path>/<uuid in hex>`, and the data of `<path>`
 * says how many.
 * Interoperates with: Curator's InterProcessSemaphoreV2 and InterProcessSemaphoreMutex (one lease);
 * kazoo's Semaphore (`layout: 'kazoo'`).
 */
import { BadVersionError, NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { Acl, Data, Watcher, ZkClient } from '../client/types.js';
import { compareSequences, parseContender, prefixOf, type Claim } from './contender-names.js';
import {
  afterAll,
  enter,
  takeTurn,
  takeTurnNow,
  type Contender,
  type Entry,
} from './contenders.js';
import { LayoutError } from './errors.js';
import { join, makeDirectory, nameOf } from './parents.js';
import {
  acrossSessions,
  inBackground,
  isSessionOver,
  patiently,
  untilWatched,
  within,
  type WaitOptions,
} from './patience.js';
import { Tenure, type ErrorPolicy, type Hold } from './tenure.js';

export interface SemaphoreOptions {
  /** How many may hold a lease at once. */
  readonly maxLeases: number;
  readonly layout?: 'curator' | 'kazoo';
  readonly errorPolicy?: ErrorPolicy;
  /** Of this one's leases, for people who look who holds them. */
  readonly data?: Data;
  readonly acl?: readonly Acl[];
}

export class Semaphore {
  readonly path: string;
  readonly maxLeases: number;
  readonly #client: ZkClient;
  readonly #options: SemaphoreOptions;
  readonly #line: Entry;
  readonly #leases: Entry;

  constructor(client: ZkClient, path: string, options: SemaphoreOptions) {
    const { maxLeases, layout = 'curator', data = '', acl } = options;
    if (!Number.isInteger(maxLeases) || maxLeases < 1) {
      throw new TypeError(`maxLeases is a whole number from 1, not ${maxLeases}`);
    }
    this.path = path;
    this.maxLeases = maxLeases;
    this.#client = client;
    this.#options = options;
    const isKazoo = layout === 'kazoo';
    const common = { data, acl, parents: isKazoo ? 'persistent' : 'container' } as const;
    this.#line = {
      ...common,
      directory: isKazoo ? `${path}-__lock__` : join(path, 'locks'),
      prefix: (id) => prefixOf(layout, 'lock', id),
      claims: new Set<Claim>(['exclusive']),
    };
    this.#leases = {
      ...common,
      directory: isKazoo ? path : join(path, 'leases'),
      prefix: (id) => (isKazoo ? id.replaceAll('-', '') : prefixOf(layout, 'lease', id)),
      claims: new Set<Claim>(['lease']),
      ...(isKazoo ? { sequence: 'none' } : {}),
    };
  }

  async acquire(options: WaitOptions = {}): Promise<Hold> {
    const hold = await this.#acquire(options, true);
    if (hold === null) throw new Error('unreachable: waited for a lease and did not get it');
    return hold;
  }

  /** Null: none is free, or somebody else is about to take one. */
  tryAcquire(options: WaitOptions = {}): Promise<Hold | null> {
    return this.#acquire(options, false);
  }

  /** Paths of the leases that are held; of a waiting Curator there may be one more. */
  async holders(): Promise<string[]> {
    const { directory } = this.#leases;
    const names = await this.#leaseNames();
    return names.map((name) => join(directory, name));
  }

  #acquire(options: WaitOptions, isPatient: boolean): Promise<Hold | null> {
    const acquire = async (signal: AbortSignal): Promise<Hold | null> => {
      if (this.#options.layout === 'kazoo') await this.#declare(signal);
      for (;;) {
        const take = isPatient ? takeTurn : takeTurnNow;
        const turn = await take(this.#client, this.#line, afterAll, signal);
        if (turn === null) return null;
        try {
          const lease = await this.#takeLease(turn, isPatient, signal);
          if (lease === 'none') return null;
          if (lease !== 'gone') return this.#hold(lease);
        } finally {
          inBackground(turn.leave());
        }
      }
    };
    return within(this.#client, options, `a lease of ${this.path}`, acquire, (late) => {
      if (late !== null) inBackground(late.release());
    });
  }

  #hold(lease: Contender): Hold {
    const { errorPolicy = 'standard' } = this.#options;
    return new Tenure(this.#client, lease, { errorPolicy }).share();
  }

  /** By the first in line. 'gone': the session was lost meanwhile, and the place in line with it. */
  async #takeLease(
    { sessionId }: Contender,
    isPatient: boolean,
    signal: AbortSignal,
  ): Promise<Contender | 'none' | 'gone'> {
    const isKazoo = this.#options.layout === 'kazoo';
    if (isKazoo) {
      // its lease is created only when one is free
      const outcome = await this.#untilFree(isPatient, signal, sessionId, null);
      if (outcome !== 'free') return outcome;
    }
    const lease = await enter(this.#client, this.#leases, signal);
    let isTaken = false;
    try {
      if (lease.sessionId !== sessionId) return 'gone';
      const outcome = isKazoo ? 'free' : await this.#untilFree(isPatient, signal, sessionId, lease);
      isTaken = outcome === 'free';
      return outcome === 'free' ? lease : outcome;
    } finally {
      if (!isTaken) inBackground(lease.leave());
    }
  }

  async #untilFree(
    isPatient: boolean,
    signal: AbortSignal,
    sessionId: bigint,
    lease: Contender | null,
  ): Promise<'free' | 'none' | 'gone'> {
    const client = this.#client;
    try {
      for (;;) {
        const state = this.#look(await this.#leaseNames(signal), lease);
        if (isSessionOver(client, sessionId) || state === 'gone') return 'gone';
        // nothing that came over a connection that is gone by now is worth anything
        if (state === 'free' && client.state === 'connected') return 'free';
        if (state === 'free') continue;
        if (!isPatient) return 'none';
        await untilWatched(client, signal, async (watch) => {
          return this.#look(await this.#leaseNames(signal, watch), lease) === 'full';
        });
      }
    } catch (problem) {
      if (problem instanceof SessionExpiredError) return 'gone';
      throw problem;
    }
  }

  #look(names: readonly string[], lease: Contender | null): 'free' | 'full' | 'gone' {
    if (lease === null) return names.length < this.maxLeases ? 'free' : 'full';
    const own = nameOf(lease.path);
    if (!names.includes(own)) return 'gone';
    // by its place: where only the first in line creates leases, it is the last of them
    const ahead = names.filter((name) => {
      const other = parseContender(name);
      return (
        name !== own && (other === null || compareSequences(other.sequence, lease.sequence) < 0)
      );
    });
    return ahead.length < this.maxLeases ? 'free' : 'full';
  }

  async #leaseNames(signal?: AbortSignal, watch?: Watcher): Promise<string[]> {
    const { directory } = this.#leases;
    try {
      const { children } = await patiently(this.#client, signal, () =>
        this.#client.getChildren(directory, watch === undefined ? {} : { watch }),
      );
      return children;
    } catch (problem) {
      if (problem instanceof NoNodeError) return [];
      throw problem;
    }
  }

  /** kazoo refuses to use a semaphore whose number is another than its own; so do we. */
  async #declare(signal: AbortSignal): Promise<void> {
    const { acl } = this.#options;
    await makeDirectory(this.#client, this.path, { mode: 'persistent', acl }, signal);
    const { data, stat } = await acrossSessions(this.#client, signal, () =>
      this.#client.getData(this.path),
    );
    const said = data.toString().trim();
    if (said === '') {
      await acrossSessions(this.#client, signal, () =>
        this.#client.setData(this.path, String(this.maxLeases), { version: stat.version }),
      ).catch(async (problem: unknown) => {
        if (!(problem instanceof BadVersionError)) throw problem;
        // somebody else was first (or this one, unheard); what is written counts
        await this.#declare(signal);
      });
    } else if (/^[0-9]+$/.test(said) && Number(said) !== this.maxLeases) {
      throw new LayoutError(this.path, `it has ${said} leases, not ${this.maxLeases}`);
    }
  }
}
