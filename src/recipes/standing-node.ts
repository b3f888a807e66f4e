/**
 * An ephemeral znode that stands as long as its owner wants it to: made again in each new session, and
 * when somebody deletes it. A znode of that name which another session owns is waited for; one that an
 * earlier session of this very client has left behind is removed at once.
 */
import { Emitter } from '../client/emitter.js';
import { NodeExistsError, NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { Acl, Data, ZkClient } from '../client/types.js';
import { makeDirectory, parentOf, type ParentMode } from './parents.js';
import { acrossSessions, isSessionOver, patiently, untilEvent, untilWatched } from './patience.js';
import { removeForSure } from './removal.js';

export interface StandingNodeOptions {
  readonly data: Data;
  readonly acl?: readonly Acl[] | undefined;
  readonly parents: ParentMode;
}

export interface StandingNodeEvents {
  /** It stands, in this session. */
  up: [sessionId: bigint];
  /** It does not, or that is not known. */
  down: [];
  /** It cannot stand here (no permission, for instance), and this is given up. */
  error: [problem: unknown];
}

export class StandingNode {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #options: StandingNodeOptions;
  readonly #listeners = new Emitter<StandingNodeEvents>();
  readonly #stop = new AbortController();
  /** Of this client; znodes of those before the current one are remains. */
  readonly #sessions = new Set<bigint>();
  #data: Data;
  #sessionId: bigint | null = null;
  #running: Promise<void> | null = null;
  #problem: unknown = null;

  constructor(client: ZkClient, path: string, options: StandingNodeOptions) {
    this.path = path;
    this.#client = client;
    this.#options = options;
    this.#data = options.data;
  }

  on<E extends keyof StandingNodeEvents>(
    name: E,
    listener: (...args: StandingNodeEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  /** As far as is known here. */
  get isUp(): boolean {
    return this.#sessionId !== null && !isSessionOver(this.#client, this.#sessionId);
  }

  start(): void {
    this.#running ??= this.#run(this.#stop.signal).catch((problem: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#problem = problem;
      this.#listeners.emit('error', problem);
    });
  }

  /** Resolves when it stands. */
  async untilUp(signal: AbortSignal): Promise<void> {
    if (this.#problem !== null) throw this.#problem as Error;
    if (this.isUp) return;
    await untilEvent(signal, (wake, fail) => {
      const off = [
        this.on('up', wake),
        this.on('error', (problem) => {
          fail(problem as Error);
        }),
      ];
      return () => {
        for (const unsubscribe of off) unsubscribe();
      };
    });
  }

  /** Resolves when it is written, or will be with the znode itself. */
  async setData(data: Data, signal?: AbortSignal): Promise<void> {
    this.#data = data;
    if (!this.isUp) return;
    try {
      await patiently(this.#client, signal, () => this.#client.setData(this.path, data));
    } catch (problem) {
      const isMadeAgain = problem instanceof NoNodeError || problem instanceof SessionExpiredError;
      if (!isMadeAgain) throw problem;
    }
  }

  /** Resolves when it is gone. */
  async close(): Promise<void> {
    this.#stop.abort(new Error(`${this.path} was given up`));
    await this.#running;
    const sessionId = this.#sessionId;
    this.#sessionId = null;
    if (sessionId !== null) await removeForSure(this.#client, this.path, sessionId);
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        const written = this.#data;
        if (!(await this.#make(signal))) continue;
        if (this.#data !== written) await this.setData(this.#data, signal);
        await this.#untilGone(signal);
      } catch (problem) {
        if (!(problem instanceof SessionExpiredError)) throw problem;
      }
    }
  }

  /** True: it stands, and is this session's. */
  async #make(signal: AbortSignal): Promise<boolean> {
    const client = this.#client;
    const { acl, parents: mode } = this.#options;
    try {
      const { stat } = await patiently(client, signal, () => {
        // known before it is sent: it may be made, and never be heard of
        this.#sessions.add(client.sessionId);
        return client.create(this.path, this.#data, {
          mode: 'ephemeral',
          ...(acl === undefined ? {} : { acl }),
        });
      });
      this.#onUp(stat.ephemeralOwner);
      return true;
    } catch (problem) {
      if (problem instanceof NoNodeError && parentOf(this.path) !== '/') {
        await makeDirectory(client, parentOf(this.path), { mode, acl }, signal);
        return false;
      }
      if (!(problem instanceof NodeExistsError)) throw problem;
    }
    return await this.#take(signal);
  }

  /** One stands already: ours, or not. */
  async #take(signal: AbortSignal): Promise<boolean> {
    const client = this.#client;
    const stat = await acrossSessions(client, signal, () => client.exists(this.path));
    if (stat === null) return false;
    const owner = stat.ephemeralOwner;
    if (owner === client.sessionId) {
      try {
        await patiently(client, signal, () => client.setData(this.path, this.#data));
      } catch (problem) {
        // deleted, or gone with its session: it is made again
        if (problem instanceof NoNodeError) return false;
        throw problem;
      }
      if (isSessionOver(client, owner)) return false;
      this.#onUp(owner);
      return true;
    }
    if (this.#sessions.has(owner)) {
      await acrossSessions(client, signal, () => client.delete(this.path)).catch(isGone);
      return false;
    }
    await this.#untilGone(signal);
    return false;
  }

  #onUp(sessionId: bigint): void {
    this.#sessionId = sessionId;
    for (const old of this.#sessions) if (old !== sessionId) this.#sessions.delete(old);
    this.#listeners.emit('up', sessionId);
  }

  async #untilGone(signal: AbortSignal): Promise<void> {
    const client = this.#client;
    const { sessionId } = client;
    try {
      for (;;) {
        await untilWatched(client, signal, async (watch) => {
          await client.getData(this.path, { watch });
          return true;
        });
        if (isSessionOver(client, sessionId)) break;
      }
    } catch (problem) {
      if (!(problem instanceof NoNodeError)) throw problem;
    } finally {
      if (this.#sessionId !== null && !signal.aborted) {
        this.#sessionId = null;
        this.#listeners.emit('down');
      }
    }
  }
}

function isGone(problem: unknown): void {
  if (!(problem instanceof NoNodeError)) throw problem;
}
