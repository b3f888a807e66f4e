/**
 * A znode that is there, whatever happens: made again when somebody deletes it, and, where it is
 * ephemeral, in each new session.
 *
 * Guarantee: from `start` to `close` the znode is missing only while there is no connection, or for as
 * long as it takes to notice and to make it again. It keeps its name, also where the name ends in a
 * number that a server gave: that is asked for once, and under protection, so that a lost answer leaves
 * no second one behind. A znode of that name which is there already is taken over; an ephemeral one of
 * somebody else's session is waited for. Its data are those given last here, whenever it is made; what
 * others write into it meanwhile is left.
 * On SUSPENDED: nothing is known; `isUp` says no.
 * On LOST: an ephemeral one is made again in the new session, others are looked after.
 * Znode layout: `<path>`; of the sequential modes `<parent>/_c_<uuid>-<name>NNNNNNNNNN`.
 * Interoperates with: Curator's PersistentNode (with protection, for sequential modes).
 */
import { Emitter } from '../client/emitter.js';
import {
  NodeExistsError,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../client/errors.js';
import type { Acl, CreateOptions, Data, NodeMode, ZkClient } from '../client/types.js';
import { newUuid } from './contender-names.js';
import { join, makeDirectory, nameOf, parentOf } from './parents.js';
import {
  acrossSessions,
  asError,
  backoffMs,
  isPassing,
  isSessionOver,
  pause,
  untilConnected,
  untilEvent,
  untilWatched,
  within,
  type WaitOptions,
} from './patience.js';
import { findByPrefix } from './removal.js';

export interface PersistentNodeOptions {
  readonly data?: Data;
  /** 'ephemeral' unless given. */
  readonly mode?: NodeMode;
  readonly ttlMs?: number;
  readonly acl?: readonly Acl[];
  /** `close` leaves the znode where it is. An ephemeral one goes with the session. */
  readonly keep?: boolean;
}

export interface PersistentNodeEvents {
  /** It is there, under this path. */
  up: [path: string];
  /** It is not, or that is not known. */
  down: [];
  /** It cannot be (no permission, for instance), and this is given up. */
  error: [problem: Error];
}

const plainModes: Partial<Record<NodeMode, NodeMode>> = {
  'persistent-sequential': 'persistent',
  'ephemeral-sequential': 'ephemeral',
  'persistent-sequential-ttl': 'persistent-ttl',
};

export class PersistentNode implements AsyncDisposable {
  readonly #client: ZkClient;
  readonly #options: PersistentNodeOptions;
  readonly #mode: NodeMode;
  readonly #asked: string;
  readonly #listeners = new Emitter<PersistentNodeEvents>();
  readonly #stop = new AbortController();
  /** Of this client; ephemerals of those before the current one are remains. */
  readonly #sessions = new Set<bigint>();
  #path: string | null;
  /** What was begun under this may have become a znode. */
  #protection: string | null = null;
  #data: Data;
  #isUp = false;
  #running: Promise<void> | null = null;
  #problem: Error | null = null;

  constructor(client: ZkClient, path: string, options: PersistentNodeOptions = {}) {
    const { data = '', mode = 'ephemeral' } = options;
    this.#client = client;
    this.#options = options;
    this.#mode = plainModes[mode] ?? mode;
    this.#asked = path;
    this.#path = mode in plainModes ? null : path;
    this.#data = data;
  }

  on<E extends keyof PersistentNodeEvents>(
    name: E,
    listener: (...args: PersistentNodeEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  /** Null: the server has not given it a number yet. */
  get path(): string | null {
    return this.#path;
  }

  /** As far as is known here. */
  get isUp(): boolean {
    return this.#isUp && this.#client.state === 'connected';
  }

  /** Resolves with its path when it is there. Given up, it goes on trying until `close`. */
  async start(options: WaitOptions = {}): Promise<string> {
    this.#running ??= this.#run(this.#stop.signal).catch((problem: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#problem = asError(problem);
      this.#listeners.emit('error', this.#problem);
    });
    await within(this.#client, options, `making ${this.#asked}`, async (signal) => {
      if (this.#problem !== null) throw this.#problem;
      if (this.#isUp) return;
      await untilEvent(signal, (wake, fail) => {
        const off = [this.on('up', wake), this.on('error', fail)];
        return () => {
          for (const unsubscribe of off) unsubscribe();
        };
      });
    });
    return this.#path ?? this.#asked;
  }

  /** From now on; resolves when it is written, or will be when the znode is made. */
  async setData(data: Data, options: WaitOptions = {}): Promise<void> {
    this.#data = data;
    const path = this.#path;
    if (!this.#isUp || path === null) return;
    await within(this.#client, options, `writing ${path}`, (signal) => this.#write(path, signal));
  }

  /** Resolves when it is gone, unless it is to be kept. */
  async close(): Promise<void> {
    this.#stop.abort(new Error(`${this.#asked} was given up`));
    await this.#running;
    if (this.#options.keep === true || this.#running === null) return;
    const path = await this.#own();
    if (path === null) return;
    try {
      await acrossSessions(this.#client, undefined, async () => {
        if (this.#mode === 'ephemeral') {
          const stat = await this.#client.exists(path);
          if (stat === null || !this.#sessions.has(stat.ephemeralOwner)) return;
        }
        await this.#client.delete(path);
      });
    } catch (problem) {
      if (problem instanceof NoNodeError || this.#client.state === 'closed') return;
      throw problem;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Its path, if there may be a znode of ours. */
  async #own(): Promise<string | null> {
    if (this.#path !== null) return this.#path;
    try {
      return await this.#find();
    } catch (problem) {
      if (this.#client.state === 'closed') return null;
      throw problem;
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const written = this.#data;
      const path = await this.#make(signal);
      if (path === null) continue;
      if (this.#data !== written) await this.#write(path, signal);
      await this.#untilGone(path, signal);
    }
  }

  /** Null: to be tried again. */
  async #make(signal: AbortSignal): Promise<string | null> {
    try {
      return this.#path === null
        ? await this.#makeNumbered(signal)
        : await this.#makeNamed(this.#path, signal);
    } catch (problem) {
      if (problem instanceof NoNodeError && parentOf(this.#asked) !== '/') {
        const { acl } = this.#options;
        const mode = 'container';
        await makeDirectory(this.#client, parentOf(this.#asked), { mode, acl }, signal);
        return null;
      }
      if (problem instanceof SessionExpiredError) return null;
      throw problem;
    }
  }

  async #makeNumbered(signal: AbortSignal): Promise<string> {
    const client = this.#client;
    const { mode = 'ephemeral' } = this.#options;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      await untilConnected(client, signal);
      const found = this.#protection === null ? null : await this.#find(signal);
      if (found !== null) return this.#onUp(found);
      this.#protection ??= `_c_${newUuid(client.world.crypto)}-${nameOf(this.#asked)}`;
      const prefix = join(parentOf(this.#asked), this.#protection);
      this.#sessions.add(client.sessionId);
      try {
        const { path } = await client.create(prefix, this.#data, this.#createOptions(mode));
        return this.#onUp(path);
      } catch (problem) {
        const isAgain = isPassing(problem) || problem instanceof OutcomeUnknownError;
        if (!isAgain) throw problem;
      }
      if (attempt > 0) await pause(client, backoffMs(client, attempt), signal);
    }
  }

  /** What an attempt whose answer was lost has made. */
  async #find(signal?: AbortSignal): Promise<string | null> {
    const [protection, directory] = [this.#protection, parentOf(this.#asked)];
    if (protection === null) return null;
    const names = await acrossSessions(this.#client, signal, () =>
      findByPrefix(this.#client, directory, protection),
    ).catch((problem: unknown) => {
      if (problem instanceof NoNodeError) return [];
      throw problem;
    });
    return names[0] === undefined ? null : join(directory, names[0]);
  }

  async #makeNamed(path: string, signal: AbortSignal): Promise<string | null> {
    const client = this.#client;
    try {
      await acrossSessions(client, signal, () => {
        // known before it is sent: it may be made, and never be heard of
        this.#sessions.add(client.sessionId);
        return client.create(path, this.#data, this.#createOptions(this.#mode));
      });
      return this.#onUp(path);
    } catch (problem) {
      if (!(problem instanceof NodeExistsError)) throw problem;
    }
    return await this.#take(path, signal);
  }

  /** One is there already: ours, or not. */
  async #take(path: string, signal: AbortSignal): Promise<string | null> {
    const client = this.#client;
    const stat = await acrossSessions(client, signal, () => client.exists(path));
    if (stat === null) return null;
    const owner = stat.ephemeralOwner;
    if (this.#mode === 'ephemeral' && owner !== client.sessionId) {
      if (this.#sessions.has(owner)) {
        await acrossSessions(client, signal, () => client.delete(path)).catch(isGone);
      } else await this.#untilChanged(path, signal);
      return null;
    }
    return (await this.#write(path, signal)) ? this.#onUp(path) : null;
  }

  /** False: it is gone, and will be made with them. */
  async #write(path: string, signal: AbortSignal): Promise<boolean> {
    try {
      await acrossSessions(this.#client, signal, () => this.#client.setData(path, this.#data));
      return true;
    } catch (problem) {
      if (problem instanceof NoNodeError) return false;
      throw problem;
    }
  }

  #onUp(path: string): string {
    this.#path = path;
    this.#isUp = true;
    this.#listeners.emit('up', path);
    return path;
  }

  /** Resolves when it is to be made again. */
  async #untilGone(path: string, signal: AbortSignal): Promise<void> {
    const client = this.#client;
    const { sessionId } = client;
    try {
      while (!isSessionOver(client, sessionId)) {
        await untilWatched(client, signal, async (watch) => {
          const { stat } = await client.getData(path, { watch });
          const isOurs = this.#mode !== 'ephemeral' || stat.ephemeralOwner === sessionId;
          if (!isOurs) throw new NoNodeError(path);
          return true;
        });
      }
    } catch (problem) {
      const isOver = problem instanceof NoNodeError || problem instanceof SessionExpiredError;
      if (!isOver) throw problem;
    } finally {
      this.#isUp = false;
      if (!signal.aborted) this.#listeners.emit('down');
    }
  }

  /** Of somebody else's. */
  async #untilChanged(path: string, signal: AbortSignal): Promise<void> {
    try {
      await untilWatched(this.#client, signal, async (watch) => {
        return (await this.#client.exists(path, { watch })) !== null;
      });
    } catch (problem) {
      if (!(problem instanceof SessionExpiredError)) throw problem;
    }
  }

  #createOptions(mode: NodeMode): CreateOptions {
    const { ttlMs, acl } = this.#options;
    return {
      mode,
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(acl === undefined ? {} : { acl }),
    };
  }
}

function isGone(problem: unknown): void {
  if (!(problem instanceof NoNodeError)) throw problem;
}
