/**
 * The base of queues whose entries are sequential znodes in one directory: putting (outbox.ts), looking
 * what is there, and taking, which is reading an entry and then deleting it: who deletes it has it.
 *
 * Deletes are marked (marks.ts), so that a lost answer is found out. Where that cannot be, because the
 * session ended with it, `delivery` decides: 'at-most-once' leaves the entry to whoever may have it,
 * 'at-least-once' gives it out although somebody else may have it too.
 *
 * Entries are taken in the order of one listing for as long as it can be believed. Where order is that
 * of arrival it always can: what comes later belongs behind. Where it is by rank, a new one is made
 * when a watch tells of a change. All takers of a process wait with one watch.
 */
import { ClientClosedError, NoNodeError, OutcomeUnknownError } from '../client/errors.js';
import { TransactionError } from '../client/transaction.js';
import type { Acl, ZkClient } from '../client/types.js';
import { compareEntries, prefixOfEntry, type EntryName, type EntryNames } from './entry-names.js';
import { LayoutError } from './errors.js';
import { Marks, marksBeside } from './marks.js';
import { Outbox, type Letter } from './outbox.js';
import { join, makeDirectory } from './parents.js';
import {
  acrossSessions,
  backoffMs,
  pause,
  untilEvent,
  within,
  type WaitOptions,
} from './patience.js';
import { Takers } from './takers.js';

/**
 * What becomes of an item when the session ended while it was being taken, so that nobody can know
 * whether it was: it is not given out again, or it is.
 */
export type Delivery = 'at-most-once' | 'at-least-once';

export interface EntryQueueOptions {
  /** 'at-most-once' unless given. */
  readonly delivery?: Delivery;
  readonly acl?: readonly Acl[];
}

export interface QueueItem {
  readonly data: Buffer;
  /** Of the znode that it was in. */
  readonly name: string;
}

/** What tells one kind of queue from the others. */
export interface EntryKind<Item extends QueueItem> {
  readonly names: EntryNames;
  /** No entry that comes later belongs before one that is there. */
  readonly isInOrderOfArrival: boolean;
  /** What was in an entry; throws `LayoutError`. */
  open(entry: EntryName, data: Buffer, path: string): Item[];
  /** When it may be taken, in milliseconds since 1970. */
  dueMs?(entry: EntryName): number;
}

interface Opened<Item> {
  readonly entry: EntryName;
  readonly data: Buffer;
  readonly items: readonly Item[];
}

/** Deleted in one transaction. */
const takenMax = 64;
/** Clocks jump: how long one is believed. */
const lookAtClockMs = 10_000;

export class EntryQueue<Item extends QueueItem> implements AsyncDisposable {
  readonly path: string;
  protected readonly client: ZkClient;
  protected readonly kind: EntryKind<Item>;
  readonly #delivery: Delivery;
  readonly #acl: readonly Acl[] | undefined;
  readonly #marks: Marks;
  readonly #outbox: Outbox;
  readonly #takers: Takers<Item>;
  /** Taken, but for nobody (any more). */
  #kept: Item[] = [];
  /** Of the last listing, those not tried yet. */
  #known: EntryName[] = [];
  #isStale = true;
  #wake: (() => void) | null = null;
  /** What could not be opened is not tried again. */
  readonly #broken = new Set<string>();
  #togetherMax = takenMax;

  protected constructor(
    client: ZkClient,
    path: string,
    kind: EntryKind<Item>,
    options: EntryQueueOptions,
  ) {
    this.path = path;
    this.client = client;
    this.kind = kind;
    this.#delivery = options.delivery ?? 'at-most-once';
    this.#acl = options.acl;
    this.#marks = new Marks(client, marksBeside(path), this.#acl);
    // a hand of its own: what is put must not wait for what is taken
    const puts = new Marks(client, marksBeside(path), this.#acl);
    this.#outbox = new Outbox(client, path, puts, this.#acl);
    this.#putMarks = puts;
    this.#takers = new Takers(client, {
      take: (wanted, isPatient, signal) => this.#take(wanted, isPatient, signal),
      takeBack: (items) => {
        this.#kept.push(...items);
      },
    });
  }

  readonly #putMarks: Marks;

  /** The next item, as soon as there is one. */
  async take(options: WaitOptions = {}): Promise<Item> {
    const [item] = await this.#takers.take(1, options, this.#what);
    if (item === undefined) throw new Error('unreachable: a taker gets at least one');
    return item;
  }

  /** Null: there is none now. */
  async tryTake(options: WaitOptions = {}): Promise<Item | null> {
    const [item] = await this.#takers.takeNow(1, options, this.#what);
    return item ?? null;
  }

  /** As many as there are, up to `max`, as soon as there is one. */
  async takeMany(max: number, options: WaitOptions = {}): Promise<Item[]> {
    return await this.#takers.take(max, options, this.#what);
  }

  /** One after the other, until the signal aborts. */
  items(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Item, undefined> {
    return this.#takers.each(options.signal, this.#what);
  }

  [Symbol.asyncIterator](): AsyncGenerator<Item, undefined> {
    return this.items();
  }

  /** Of entries that are there, due or not. */
  async size(options: WaitOptions = {}): Promise<number> {
    return await within(this.client, options, this.#what, async (signal) => {
      return (await this.#names(signal)).length;
    });
  }

  /**
   * Puts back what was taken for callers who gave up before they got it (behind everything of its rank),
   * and leaves nothing else behind. Taking and putting go on to work.
   */
  async close(): Promise<void> {
    const kept = this.#kept.splice(0);
    const letters = kept.map((item) => this.#letterOf(item)).filter((letter) => letter !== null);
    await this.#outbox.put(letters, {});
    await Promise.all([this.#marks.close(), this.#putMarks.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  protected async putAll(letters: readonly Letter[], options: WaitOptions): Promise<void> {
    await this.#outbox.put(letters, options);
  }

  /** How an item is written. */
  protected encode(data: Uint8Array | string): Uint8Array | string {
    return data;
  }

  get #what(): string {
    return `taking from ${this.path}`;
  }

  #letterOf({ name, data }: Item): Letter | null {
    const entry = this.kind.names.parse(name);
    return entry === null ? null : { prefix: prefixOfEntry(entry), data: this.encode(data) };
  }

  async #take(wanted: number, isPatient: boolean, signal: AbortSignal): Promise<Item[]> {
    let lost = 0;
    for (;;) {
      if (this.#kept.length > 0) return this.#kept.splice(0, wanted);
      signal.throwIfAborted();
      const entries = await this.#next(wanted, isPatient, signal);
      if (entries.length === 0) return [];
      const opened = await this.#open(entries, signal);
      if (opened.length > 0) this.#kept.push(...(await this.#claim(opened)));
      if (this.#kept.length > 0) continue;
      // others were faster, and what they have taken is not to be tried one by one
      if (this.#isStale) this.#known = [];
      if (opened.length > 0 && ++lost > 3) {
        await pause(this.client, backoffMs(this.client, lost - 4), signal);
      }
    }
  }

  /** Entries that look as if they could be taken; none only for who does not wait. */
  async #next(wanted: number, isPatient: boolean, signal: AbortSignal): Promise<EntryName[]> {
    if (!isPatient && this.#known.length === 0) {
      await acrossSessions(this.client, signal, () => this.client.sync(this.path));
    }
    for (;;) {
      const isOld = this.#isStale && !this.kind.isInOrderOfArrival;
      if (this.#known.length === 0 || isOld) await this.#list(signal);
      const nowMs = this.client.world.clock.wallMs();
      const due = this.#known
        .slice(0, Math.min(wanted, this.#togetherMax))
        .filter((entry) => this.#dueMs(entry) <= nowMs);
      if (due.length > 0 || !isPatient) return due;
      const [first] = this.#known;
      const waitMs = first === undefined ? Infinity : this.#dueMs(first) - nowMs;
      await this.#untilChanged(waitMs, signal);
    }
  }

  #dueMs(entry: EntryName): number {
    return this.kind.dueMs?.(entry) ?? -Infinity;
  }

  async #list(signal: AbortSignal): Promise<void> {
    this.#isStale = false;
    try {
      const names = await this.#names(signal, this.#onChange);
      const entries = names.map((name) => this.kind.names.parse(name));
      this.#known = entries
        .filter((entry) => entry !== null)
        .filter(({ name }) => !this.#broken.has(name))
        .sort(compareEntries);
    } catch (problem) {
      this.#isStale = true;
      throw problem;
    }
  }

  async #names(signal: AbortSignal, watch?: () => void): Promise<string[]> {
    const { client, path } = this;
    for (;;) {
      try {
        const { children } = await acrossSessions(client, signal, () =>
          client.getChildren(path, watch === undefined ? {} : { watch }),
        );
        return children.filter((name) => this.kind.names.parse(name) !== null);
      } catch (problem) {
        if (!(problem instanceof NoNodeError)) throw problem;
        if (watch === undefined) return [];
        await makeDirectory(client, path, { mode: 'persistent', acl: this.#acl }, signal);
      }
    }
  }

  readonly #onChange = (): void => {
    this.#isStale = true;
    this.#wake?.();
  };

  async #untilChanged(waitMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#isStale) {
      await untilEvent(signal, (wake, fail) => {
        this.#wake = wake;
        const off = this.client.on('state', (state) => {
          if (state === 'closed') fail(new ClientClosedError());
        });
        const timer =
          waitMs === Infinity
            ? null
            : this.client.world.clock.after(Math.min(waitMs, lookAtClockMs), wake);
        return () => {
          this.#wake = null;
          timer?.cancel();
          off();
        };
      });
    }
    if (this.#isStale) this.#known = [];
  }

  /** Reads them; those that are gone are left out. */
  async #open(entries: readonly EntryName[], signal: AbortSignal): Promise<Opened<Item>[]> {
    const opened: Opened<Item>[] = [];
    const read = await Promise.all(
      entries.map(async (entry) => {
        const path = join(this.path, entry.name);
        try {
          return await acrossSessions(this.client, signal, () => this.client.getData(path));
        } catch (problem) {
          if (problem instanceof NoNodeError) return null;
          throw problem;
        }
      }),
    );
    for (const [i, entry] of entries.entries()) {
      const data = read[i]?.data;
      if (data === undefined) {
        this.#forget(entry);
        continue;
      }
      try {
        const items = this.kind.open(entry, data, join(this.path, entry.name));
        opened.push({ entry, data, items });
      } catch (problem) {
        if (!(problem instanceof LayoutError)) throw problem;
        // those before it first; then it is told, once, and stays where it is
        if (opened.length > 0) break;
        this.#broken.add(entry.name);
        this.#forget(entry);
        throw problem;
      }
    }
    return opened;
  }

  /** Deletes them; their items, unless somebody else was faster. Takes as long as it takes. */
  async #claim(opened: readonly Opened<Item>[]): Promise<Item[]> {
    try {
      await this.#marks.commit((transaction) => {
        for (const { entry } of opened) transaction.delete(join(this.path, entry.name));
      });
      this.#togetherMax = Math.min(takenMax, 2 * this.#togetherMax);
    } catch (problem) {
      if (problem instanceof TransactionError) {
        if (!(problem.results[problem.index] instanceof NoNodeError)) throw problem;
        const gone = opened[problem.index];
        if (gone !== undefined) this.#forget(gone.entry);
        if (opened.length > 1) this.#known = [];
        this.#togetherMax = Math.max(1, this.#togetherMax >> 1);
        return [];
      }
      if (!(problem instanceof OutcomeUnknownError)) throw problem;
      if (!(await this.#mayBeTaken(opened))) return [];
    }
    for (const { entry } of opened) this.#forget(entry);
    return opened.flatMap(({ items }) => items);
  }

  /** Of a delete that nobody can tell of: whether its entries are to be given out. */
  async #mayBeTaken(opened: readonly Opened<Item>[]): Promise<boolean> {
    const { client } = this;
    await acrossSessions(client, undefined, () => client.sync(this.path));
    const stats = await Promise.all(
      opened.map(({ entry }) =>
        acrossSessions(client, undefined, () => client.exists(join(this.path, entry.name))),
      ),
    );
    this.#known = [];
    // one that is there was not deleted, so none of them was by us
    return this.#delivery === 'at-least-once' && stats.every((stat) => stat === null);
  }

  #forget(entry: EntryName): void {
    if (this.#known[0] === entry) this.#known.shift();
    else this.#known = this.#known.filter((one) => one !== entry);
  }
}
