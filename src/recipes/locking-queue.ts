/**
 * A queue whose items stay in it until they are done with: a taker claims an item, works with it, and
 * acknowledges it; the items of a taker that dies come back.
 *
 * Guarantee: an item whose `put` has resolved is claimed again and again until one `acknowledge` has
 * resolved, and never after that (at least once); it is claimed by at most one taker whose signal has
 * not aborted, and `acknowledge` does what it is to do only while the claim is there: with writes added
 * to it, in the same transaction, each item takes effect exactly once. Of those not claimed, the
 * smallest priority is claimed first, then what was put first.
 * On SUSPENDED: the claim's signal aborts (`errorPolicy: 'session'`: not yet); it can be acknowledged all
 * the same, when the connection is back in time.
 * On LOST: the claim is gone, and the item is somebody else's. An `acknowledge` whose answer is open ends
 * with `OutcomeUnknownError`.
 * Znode layout: `<path>/entries/entry-PPP-NNNNNNNNNN`, persistent; `<path>/taken/<the same name>`,
 * ephemeral, data: a UUID in hex; `<path>/marks/<uuid>`, ephemeral, what was put last. 'curator':
 * `<path>/queue-NNNNNNNNNN`, framed, and `<lockPath>/<the same name>`, ephemeral.
 * Interoperates with: kazoo's LockingQueue; Curator's DistributedQueue with a lock path ('curator').
 */
import { ClientClosedError, NoNodeError } from '../client/errors.js';
import type { Acl, Data, ZkClient } from '../client/types.js';
import {
  compareEntries,
  framedNames,
  kazooNames,
  type EntryName,
  type EntryNames,
} from './entry-names.js';
import { LayoutError } from './errors.js';
import { unframe } from './item-frame.js';
import { Marks, marksBeside } from './marks.js';
import { Outbox } from './outbox.js';
import { join, makeDirectory } from './parents.js';
import { acrossSessions, inBackground, untilEvent, within, type WaitOptions } from './patience.js';
import { claimEntry, type QueueClaim } from './queue-claim.js';
import { checkPriority, framed, type PutOptions } from './queue.js';
import { Takers } from './takers.js';
import type { ErrorPolicy } from './tenure.js';

export interface LockingQueueOptions {
  /** 'kazoo' unless given. */
  readonly layout?: 'kazoo' | 'curator';
  /** Of Curator's layout: where claims are; `<path>-locks` unless given. */
  readonly lockPath?: string;
  readonly errorPolicy?: ErrorPolicy;
  readonly acl?: readonly Acl[];
}

export class LockingQueue implements AsyncDisposable {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #options: LockingQueueOptions;
  readonly #layout: 'kazoo' | 'curator';
  readonly #names: EntryNames;
  readonly #entriesPath: string;
  readonly #takenPath: string;
  readonly #marks: Marks;
  readonly #outbox: Outbox;
  readonly #takers: Takers<QueueClaim>;
  readonly #broken = new Set<string>();
  #isStale = true;
  #wake: (() => void) | null = null;

  constructor(client: ZkClient, path: string, options: LockingQueueOptions = {}) {
    this.path = path;
    this.#client = client;
    this.#options = options;
    this.#layout = options.layout ?? 'kazoo';
    const isKazoo = this.#layout === 'kazoo';
    this.#names = isKazoo ? kazooNames : framedNames;
    this.#entriesPath = isKazoo ? join(path, 'entries') : path;
    this.#takenPath = isKazoo ? join(path, 'taken') : (options.lockPath ?? `${path}-locks`);
    const { acl } = options;
    this.#marks = new Marks(client, isKazoo ? join(path, 'marks') : marksBeside(path), acl);
    this.#outbox = new Outbox(client, this.#entriesPath, this.#marks, acl);
    this.#takers = new Takers(client, {
      take: (wanted, isPatient, signal) => this.#take(wanted, isPatient, signal),
      takeBack: (claims) => {
        for (const claim of claims) inBackground(claim.release());
      },
    });
  }

  /** Resolves when it is in the queue. Priorities (kazoo's layout only): see `PutOptions`. */
  async put(data: Data, options: PutOptions = {}): Promise<void> {
    await this.putMany([data], options);
  }

  /** All or none, one after the other. */
  async putMany(items: readonly Data[], options: PutOptions = {}): Promise<void> {
    const priority = checkPriority(options.priority, this.#layout);
    const prefix = this.#names.prefix(priority);
    const encode = (data: Data): Data => (this.#layout === 'kazoo' ? data : framed(data));
    await this.#outbox.put(
      items.map((data) => ({ prefix, data: encode(data) })),
      options,
    );
  }

  /** Claims the next item, as soon as there is one. */
  async take(options: WaitOptions = {}): Promise<QueueClaim> {
    const [claim] = await this.#takers.take(1, options, this.#what);
    if (claim === undefined) throw new Error('unreachable: a taker gets at least one');
    return claim;
  }

  /** Null: there is none now. */
  async tryTake(options: WaitOptions = {}): Promise<QueueClaim | null> {
    const [claim] = await this.#takers.takeNow(1, options, this.#what);
    return claim ?? null;
  }

  /** One after the other, until the signal aborts. Each is to be acknowledged or released. */
  items(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<QueueClaim, undefined> {
    return this.#takers.each(options.signal, this.#what);
  }

  [Symbol.asyncIterator](): AsyncGenerator<QueueClaim, undefined> {
    return this.items();
  }

  /** Of items that are not acknowledged, claimed or not. */
  async size(options: WaitOptions = {}): Promise<number> {
    return await within(this.#client, options, this.#what, async (signal) => {
      return (await this.#list(this.#entriesPath, signal)).length;
    });
  }

  /** Leaves nothing behind; claims stay as they are. */
  async close(): Promise<void> {
    await this.#marks.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #what(): string {
    return `taking from ${this.path}`;
  }

  async #take(wanted: number, isPatient: boolean, signal: AbortSignal): Promise<QueueClaim[]> {
    if (!isPatient) {
      await acrossSessions(this.#client, signal, () => this.#client.sync(this.#entriesPath));
    }
    for (;;) {
      this.#isStale = false;
      const available = await this.#available(signal);
      const claims: QueueClaim[] = [];
      try {
        for (const entry of available) {
          if (claims.length >= wanted || signal.aborted) break;
          const claim = await this.#claim(entry);
          if (claim !== null) claims.push(claim);
        }
      } catch (problem) {
        // it would be told once and then be forgotten: what was claimed goes first
        if (claims.length === 0) throw problem;
      }
      if (claims.length > 0 || !isPatient) return claims;
      await this.#untilChanged(signal);
    }
  }

  async #available(signal: AbortSignal): Promise<EntryName[]> {
    const [entries, taken] = await Promise.all([
      this.#list(this.#entriesPath, signal, this.#onChange),
      this.#list(this.#takenPath, signal, this.#onChange),
    ]);
    const isTaken = new Set(taken.map(({ name }) => name));
    return entries
      .filter(({ name }) => !isTaken.has(name) && !this.#broken.has(name))
      .sort(compareEntries);
  }

  async #claim({ name }: EntryName): Promise<QueueClaim | null> {
    const entryPath = join(this.#entriesPath, name);
    const { errorPolicy = 'standard', acl } = this.#options;
    return await claimEntry({
      ...{ client: this.#client, name, entryPath, takenPath: join(this.#takenPath, name) },
      ...{ errorPolicy, acl },
      open: (data) => {
        try {
          return this.#layout === 'kazoo' ? [data] : unframe(data, entryPath);
        } catch (problem) {
          if (problem instanceof LayoutError) this.#broken.add(name);
          throw problem;
        }
      },
    });
  }

  async #list(
    path: string,
    signal: AbortSignal,
    watch?: () => void,
  ): Promise<readonly EntryName[]> {
    const client = this.#client;
    for (;;) {
      try {
        const { children } = await acrossSessions(client, signal, () =>
          client.getChildren(path, watch === undefined ? {} : { watch }),
        );
        return children.map((name) => this.#names.parse(name)).filter((entry) => entry !== null);
      } catch (problem) {
        if (!(problem instanceof NoNodeError)) throw problem;
        if (watch === undefined) return [];
        const { acl } = this.#options;
        await makeDirectory(client, path, { mode: 'persistent', acl }, signal);
      }
    }
  }

  readonly #onChange = (): void => {
    this.#isStale = true;
    this.#wake?.();
  };

  async #untilChanged(signal: AbortSignal): Promise<void> {
    if (this.#isStale) return;
    await untilEvent(signal, (wake, fail) => {
      this.#wake = wake;
      const off = this.#client.on('state', (state) => {
        if (state === 'closed') fail(new ClientClosedError());
      });
      return () => {
        this.#wake = null;
        off();
      };
    });
  }
}
