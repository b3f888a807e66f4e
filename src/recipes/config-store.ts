/**
 * Configuration that many processes share: typed, checked, published as a whole, with its history, and
 * told to everybody who uses it.
 *
 * Guarantee: a version, once published, never changes; it has all of its keys or does not exist (one
 * transaction), and was made of the version right before it (two who publish at once: the second starts
 * anew, or is told). Everybody sees versions in their order, never an older one after a newer; when some
 * follow in quick succession the ones between may be left out, the last never is. What does not satisfy
 * the schema is not published; and where somebody else has published what this process's schema refuses,
 * the last good one stays in use, and the refusal is told. Whether a publication happened is found out,
 * whatever becomes of connections and sessions; only when so many others have published meanwhile that
 * the version is not kept any more, it ends with `OutcomeUnknownError`.
 * On SUSPENDED: the configuration stays as it is, and may be old.
 * On LOST: likewise; the newest is read in the new session.
 * Znode layout: `<path>/current`, persistent: the number of the version in use, as text;
 * `<path>/versions/<number, 10 digits>`, persistent: the version as JSON; `<path>/keys/<key>`, persistent:
 * each key's value as JSON, changed in the same transaction, for programs that know nothing of this.
 * Interoperates with: whatever reads single znodes: Curator's NodeCache on `<path>/keys/<key>`.
 */
import { Emitter } from '../client/emitter.js';
import {
  BadVersionError,
  NodeExistsError,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../client/errors.js';
import { TransactionError } from '../client/transaction.js';
import type { Acl, ZkClient } from '../client/types.js';
import {
  ConfigConflictError,
  readVersion,
  sameJson,
  textOf,
  valid,
  versionName,
  type ConfigSchema,
  type ConfigVersion,
  type StoredVersion,
} from './config-version.js';
import { newUuid } from './contender-names.js';
import { LayoutError } from './errors.js';
import { NodeCache } from './node-cache.js';
import { join, makeDirectory } from './parents.js';
import {
  acrossSessions,
  asError,
  backoffMs,
  inBackground,
  isPassing,
  orAborted,
  pause,
  untilConnected,
  untilEvent,
  within,
  type WaitOptions,
} from './patience.js';

/** Somewhere outside the ensemble (a file, for instance) where the last good version is kept. */
export interface ConfigShelf {
  load(): Promise<string | null>;
  save(text: string): Promise<void>;
}

export interface ConfigStoreOptions<T extends object> {
  /** Zod, Valibot, ArkType and others are such (Standard Schema). */
  readonly schema: ConfigSchema<T>;
  /** Old versions beyond so many are deleted; 20 unless given. */
  readonly historyMax?: number;
  /** Who publishes; for people. */
  readonly author?: string;
  readonly lastKnownGood?: ConfigShelf;
  readonly acl?: readonly Acl[];
}

export interface PublishOptions extends WaitOptions {
  /** Only if this is the newest; 0: only if there is none. */
  readonly ifVersion?: number;
  readonly comment?: string;
}

export interface ConfigStoreEvents<T extends object> {
  change: [version: ConfigVersion<T>, previous: ConfigVersion<T> | null];
  /** A version that this process cannot use; the one before stays. */
  refused: [problem: Error];
}

/** What publishing starts from. */
interface Head {
  /** 0: there is none. */
  readonly number: number;
  readonly zversion: number;
  readonly values: Readonly<Record<string, unknown>>;
}

export class ConfigStore<T extends object> implements AsyncDisposable {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #options: ConfigStoreOptions<T>;
  readonly #listeners = new Emitter<ConfigStoreEvents<T> & { closed: [] }>();
  readonly #stop = new AbortController();
  readonly #head: NodeCache;
  #current: ConfigVersion<T> | null = null;
  #problem: Error | null = null;
  #isStarted = false;

  constructor(client: ZkClient, path: string, options: ConfigStoreOptions<T>) {
    this.path = path;
    this.#client = client;
    this.#options = options;
    this.#head = new NodeCache(client, join(path, 'current'));
  }

  on<E extends keyof ConfigStoreEvents<T>>(
    name: E,
    listener: (...args: ConfigStoreEvents<T>[E]) => void,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  /** The last good one; null: there is none yet. */
  get current(): ConfigVersion<T> | null {
    return this.#current;
  }

  /** What is in use; throws when there is none yet. */
  get values(): Readonly<T> {
    if (this.#current === null) throw new Error(`there is no configuration in ${this.path} yet`);
    return this.#current.values;
  }

  /**
   * Follows it from now on. Resolves when there is a version to use: the newest, or the one that was
   * kept outside while there is no connection.
   */
  async start(options: WaitOptions = {}): Promise<ConfigVersion<T>> {
    this.#follow();
    return await within(this.#client, options, `the configuration ${this.path}`, async (signal) => {
      if (this.#client.state !== 'connected') await this.#fromShelf(signal);
      for (;;) {
        if (this.#current !== null) return this.#current;
        if (this.#problem !== null) throw this.#problem;
        await untilEvent(signal, (wake) => {
          const off = [this.#listeners.on('change', wake), this.#listeners.on('refused', wake)];
          return () => {
            for (const unsubscribe of off) unsubscribe();
          };
        });
      }
    });
  }

  /** The one in use, and each that comes to be used, until the signal aborts or this is closed. */
  async *updates(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ConfigVersion<T>, undefined> {
    this.#follow();
    const { signal = this.#stop.signal } = options;
    const end = AbortSignal.any([this.#stop.signal, signal]);
    let told: ConfigVersion<T> | null = null;
    while (!end.aborted) {
      const current = this.#current;
      if (current !== null && current !== told) {
        told = current;
        yield current;
        continue;
      }
      await untilEvent(end, (wake) => this.#listeners.on('change', wake)).catch(() => undefined);
    }
  }

  /**
   * Publishes what `change` makes of the newest version: these keys with new values (undefined: without
   * that key), the others as they are. Resolves with the version that came of it. `change` may be called
   * again when others publish meanwhile.
   */
  async publish(
    change: Partial<T> | ((values: Readonly<Partial<T>>) => Partial<T>),
    options: PublishOptions = {},
  ): Promise<ConfigVersion<T>> {
    const merge = (values: Readonly<Record<string, unknown>>): Record<string, unknown> => {
      const changes = typeof change === 'function' ? change(values as Partial<T>) : change;
      const merged = { ...values, ...changes } as Record<string, unknown>;
      return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
    };
    return await this.#publish(merge, {}, options);
  }

  /** Publishes an old version again, as a new one. */
  async rollback(number: number, options: PublishOptions = {}): Promise<ConfigVersion<T>> {
    const old = await within(this.#client, options, `version ${number}`, (signal) =>
      this.#read(number, signal),
    );
    if (old === null) throw new RangeError(`there is no version ${number} in ${this.path}`);
    return await this.#publish(() => old.values, { rollbackOf: number }, options);
  }

  /** The newest first, as far back as they are kept. */
  async history(options: WaitOptions = {}): Promise<StoredVersion[]> {
    return await within(this.#client, options, `the history of ${this.path}`, async (signal) => {
      const numbers = await this.#numbers(signal);
      const versions = await Promise.all(numbers.map((number) => this.#read(number, signal)));
      return versions.filter((version) => version !== null).reverse();
    });
  }

  /** Follows it no more; `current` stays as it is. */
  close(): void {
    this.#stop.abort();
    this.#head.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  // ------------------------------------------------------------------ following

  #follow(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    inBackground(
      this.#adoptAll().catch((problem: unknown) => {
        this.#refuse(problem);
      }),
    );
  }

  async #adoptAll(): Promise<void> {
    for await (const node of this.#head.changes({ signal: this.#stop.signal })) {
      if (node === null) continue;
      try {
        const number = Number(node.data.toString());
        const stored = await this.#read(number, this.#stop.signal);
        // deleted with everything that is too old: there is a newer one
        if (stored !== null) await this.#adopt(stored, true);
      } catch (problem) {
        if (this.#stop.signal.aborted) return;
        this.#refuse(problem);
      }
    }
  }

  #refuse(problem: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#problem = asError(problem);
    this.#listeners.emit('refused', this.#problem);
  }

  /** Uses it from now on, unless it is not newer. */
  async #adopt(stored: StoredVersion, isLive: boolean): Promise<void> {
    const values = await valid(this.#options.schema, stored.values, stored.number);
    const previous = this.#current;
    if (previous !== null && previous.number >= stored.number) return;
    const version: ConfigVersion<T> = { ...stored, values };
    this.#current = version;
    this.#problem = null;
    this.#listeners.emit('change', version, previous);
    if (isLive) await this.#options.lastKnownGood?.save(textOf(stored));
  }

  async #fromShelf(signal: AbortSignal): Promise<void> {
    const shelf = this.#options.lastKnownGood;
    if (shelf === undefined) return;
    try {
      const text = await orAborted(shelf.load(), signal);
      if (text !== null) await this.#adopt(readVersion(text, this.path), false);
    } catch (problem) {
      signal.throwIfAborted();
      this.#listeners.emit('refused', asError(problem));
    }
  }

  // ------------------------------------------------------------------ reading

  /** Null: there is none of that number (any more). */
  async #read(number: number, signal: AbortSignal): Promise<StoredVersion | null> {
    const path = join(this.path, `versions/${versionName(number)}`);
    try {
      const { data } = await acrossSessions(this.#client, signal, () => this.#client.getData(path));
      return readVersion(data.toString(), path);
    } catch (problem) {
      if (problem instanceof NoNodeError) return null;
      throw problem;
    }
  }

  async #numbers(signal: AbortSignal): Promise<number[]> {
    try {
      const { children } = await acrossSessions(this.#client, signal, () =>
        this.#client.getChildren(join(this.path, 'versions')),
      );
      return children.map(Number).sort((a, b) => a - b);
    } catch (problem) {
      if (problem instanceof NoNodeError) return [];
      throw problem;
    }
  }

  // ------------------------------------------------------------------ publishing

  async #publish(
    merge: (values: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
    extra: { readonly rollbackOf?: number },
    options: PublishOptions,
  ): Promise<ConfigVersion<T>> {
    const { ifVersion, comment } = options;
    return await within(this.#client, options, `publishing ${this.path}`, async (signal) => {
      for (let attempt = 0; ; attempt++) {
        const head = await this.#readHead(signal);
        if (ifVersion !== undefined && ifVersion !== head.number) {
          throw new ConfigConflictError(this.path, ifVersion, head.number);
        }
        const values = merge(head.values);
        const number = head.number + 1;
        const checked = await valid(this.#options.schema, values, number);
        const stored: StoredVersion = {
          number,
          id: newUuid(this.#client.world.crypto),
          values,
          publishedMs: this.#client.world.clock.wallMs(),
          ...(this.#options.author === undefined ? {} : { author: this.#options.author }),
          ...(comment === undefined ? {} : { comment }),
          ...extra,
        };
        signal.throwIfAborted();
        if (await this.#write(stored, head)) {
          inBackground(this.#prune(number));
          return { ...stored, values: checked };
        }
        await pause(this.#client, backoffMs(this.#client, attempt), signal);
      }
    });
  }

  async #readHead(signal: AbortSignal): Promise<Head> {
    const client = this.#client;
    const current = join(this.path, 'current');
    for (;;) {
      try {
        await acrossSessions(client, signal, () => client.sync(current));
        const { data, stat } = await acrossSessions(client, signal, () => client.getData(current));
        const number = Number(data.toString());
        if (!Number.isSafeInteger(number)) throw new LayoutError(current, 'not a number');
        if (number === 0) return { number, zversion: stat.version, values: {} };
        const stored = await this.#read(number, signal);
        if (stored !== null) return { number, zversion: stat.version, values: stored.values };
      } catch (problem) {
        if (!(problem instanceof NoNodeError)) throw problem;
        await this.#make(signal);
      }
    }
  }

  async #make(signal: AbortSignal): Promise<void> {
    const { acl } = this.#options;
    const mode = 'persistent';
    for (const name of ['versions', 'keys']) {
      await makeDirectory(this.#client, join(this.path, name), { mode, acl }, signal);
    }
    try {
      await acrossSessions(this.#client, signal, () =>
        this.#client.create(join(this.path, 'current'), '0', acl === undefined ? {} : { acl }),
      );
    } catch (problem) {
      if (!(problem instanceof NodeExistsError)) throw problem;
    }
  }

  /** False: somebody else has published, and nothing was written. */
  async #write(stored: StoredVersion, head: Head): Promise<boolean> {
    const client = this.#client;
    let lost: OutcomeUnknownError | null = null;
    for (let attempt = 0; ; attempt++) {
      await untilConnected(client);
      try {
        await this.#commit(stored, head);
        return true;
      } catch (problem) {
        if (problem instanceof TransactionError) {
          const cause = problem.results[problem.index];
          const isTaken = cause instanceof BadVersionError || cause instanceof NodeExistsError;
          // what is wrong with a key has nothing to do with other publications
          if (!isTaken || problem.index > 1) throw problem;
          return lost !== null && (await this.#isWritten(stored, lost));
        }
        if (problem instanceof OutcomeUnknownError) lost = problem;
        else if (!isPassing(problem) && !(problem instanceof SessionExpiredError)) throw problem;
      }
      // the number of the version makes it harmless to commit it again
      if (attempt > 0) await pause(client, backoffMs(client, attempt));
    }
  }

  async #commit(stored: StoredVersion, head: Head): Promise<void> {
    const { acl } = this.#options;
    const access = acl === undefined ? {} : { acl };
    const transaction = this.#client
      .transaction()
      .setData(join(this.path, 'current'), String(stored.number), { version: head.zversion });
    const version = join(this.path, `versions/${versionName(stored.number)}`);
    transaction.create(version, textOf(stored), access);
    for (const [key, value] of Object.entries(stored.values)) {
      const path = join(this.path, `keys/${key}`);
      if (!(key in head.values)) transaction.create(path, JSON.stringify(value), access);
      else if (!sameJson(value, head.values[key])) transaction.setData(path, JSON.stringify(value));
    }
    for (const key of Object.keys(head.values)) {
      if (!(key in stored.values)) transaction.delete(join(this.path, `keys/${key}`));
    }
    await transaction.commit();
  }

  /** Whether an earlier attempt, whose answer was lost, was the one. */
  async #isWritten({ number, id }: StoredVersion, lost: OutcomeUnknownError): Promise<boolean> {
    const never = new AbortController().signal;
    const path = join(this.path, 'current');
    await acrossSessions(this.#client, undefined, () => this.#client.sync(path));
    const written = await this.#read(number, never);
    // whoever published it, so many have published since that it is not kept any more
    if (written === null) throw lost;
    return written.id === id;
  }

  async #prune(newest: number): Promise<void> {
    const { historyMax = 20 } = this.#options;
    const numbers = await this.#numbers(this.#stop.signal);
    for (const number of numbers) {
      if (number > newest - historyMax) break;
      const path = join(this.path, `versions/${versionName(number)}`);
      await this.#client.delete(path).catch((problem: unknown) => {
        if (!(problem instanceof NoNodeError)) throw problem;
      });
    }
  }
}
