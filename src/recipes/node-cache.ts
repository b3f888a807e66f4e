/**
 * One znode, always at hand: its data and stat as they were told last, and what becomes of them.
 *
 * Guarantee: what is here was in the znode, and is never followed by something older (its zxid never goes
 * back). With a connection, a change is here soon after it was made; several changes in quick succession
 * may be told as one, the last never misses.
 * On SUSPENDED: it stays as it was, and may be old.
 * On LOST: it stays as it was, and is read again in the new session.
 * Znode layout: any; nothing is written.
 * Interoperates with: everything (Curator's NodeCache and kazoo's DataWatch are its like).
 */
import { Emitter } from '../client/emitter.js';
import { NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { Stat, Watcher, ZkClient } from '../client/types.js';
import { asError, untilEvent, untilWatched, within, type WaitOptions } from './patience.js';

export interface CachedNode {
  readonly path: string;
  readonly data: Buffer;
  readonly stat: Stat;
}

export interface NodeCacheEvents {
  /** Null: there is none. */
  change: [node: CachedNode | null, previous: CachedNode | null];
  /** It cannot be read (no permission, for instance), and this is given up. */
  error: [problem: Error];
}

export class NodeCache implements AsyncDisposable {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #listeners = new Emitter<NodeCacheEvents & { known: [] }>();
  readonly #stop = new AbortController();
  /** Undefined: not known yet. */
  #current: CachedNode | null | undefined = undefined;
  /** Of what was ever here. */
  #newest: Stat | null = null;
  #problem: Error | null = null;
  #isStarted = false;

  constructor(client: ZkClient, path: string) {
    this.path = path;
    this.#client = client;
  }

  on<E extends keyof NodeCacheEvents>(
    name: E,
    listener: (...args: NodeCacheEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  /** As far as is known here; null: there is none. Undefined: it was not read yet. */
  get current(): CachedNode | null | undefined {
    return this.#current;
  }

  /** Resolves when it was read for the first time, with what was there. */
  async start(options: WaitOptions = {}): Promise<CachedNode | null> {
    this.#run();
    await within(this.#client, options, `reading ${this.path}`, async (signal) => {
      if (this.#problem !== null) throw this.#problem;
      if (this.#current !== undefined) return;
      await untilEvent(signal, (wake, fail) => {
        const off = [this.#listeners.on('known', wake), this.#listeners.on('error', fail)];
        return () => {
          for (const unsubscribe of off) unsubscribe();
        };
      });
    });
    return this.#current ?? null;
  }

  /** What is there, and again after each change, until the signal aborts or this is closed. */
  async *changes(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<CachedNode | null, undefined> {
    const { signal = this.#stop.signal } = options;
    const end = AbortSignal.any([this.#stop.signal, signal]);
    let told: CachedNode | null | undefined = undefined;
    this.#run();
    while (!end.aborted) {
      if (this.#problem !== null) throw this.#problem;
      const current = this.#current;
      if (current !== undefined && current !== told) {
        told = current;
        yield current;
        continue;
      }
      await untilEvent(end, (wake, fail) => {
        const off = [
          this.#listeners.on('known', wake),
          this.#listeners.on('change', wake),
          this.#listeners.on('error', fail),
        ];
        return () => {
          for (const unsubscribe of off) unsubscribe();
        };
      }).catch((problem: unknown) => {
        if (!end.aborted) throw problem;
      });
    }
  }

  /** Reads no more; `current` stays as it is. */
  close(): void {
    this.#stop.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #run(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#follow(this.#stop.signal).catch((problem: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#problem = asError(problem);
      this.#listeners.emit('error', this.#problem);
    });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await untilWatched(this.#client, signal, (watch) => this.#read(watch));
      } catch (problem) {
        if (!(problem instanceof SessionExpiredError)) throw problem;
      }
    }
  }

  /** False: it has come up meanwhile, and is to be read. */
  async #read(watch: Watcher): Promise<boolean> {
    try {
      const { data, stat } = await this.#client.getData(this.path, { watch });
      this.#take({ path: this.path, data, stat });
      return true;
    } catch (problem) {
      if (!(problem instanceof NoNodeError)) throw problem;
    }
    if ((await this.#client.exists(this.path, { watch })) !== null) return false;
    this.#take(null);
    return true;
  }

  #take(node: CachedNode | null): void {
    if (this.#stop.signal.aborted) return;
    const previous = this.#current;
    if (previous === null && node === null) return;
    if (node !== null) {
      if (this.#newest !== null && !isNewer(node.stat, this.#newest)) return;
      this.#newest = node.stat;
    }
    this.#current = node;
    this.#listeners.emit('known');
    if (previous !== undefined || node !== null) {
      this.#listeners.emit('change', node, previous ?? null);
    }
  }
}

/** By the zxids of its creation and of its data; other changes do not count. */
export function isNewer(next: Stat, known: Stat): boolean {
  return next.czxid === known.czxid ? next.mzxid > known.mzxid : next.czxid > known.czxid;
}
