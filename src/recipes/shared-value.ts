/**
 * A value that many read and some change.
 *
 * Guarantee: a change by `compareAndSet` or `update` is made once, on the very value that it was made of
 * (by the znode's version). What is told is never followed by something older; changes in quick
 * succession may be told as one, the last never misses. When the answer to a write is lost, it is found
 * out what became of it: with `exactlyOnce` always while the session lives (a mark is written in the same
 * transaction); without, whenever the znode tells; where it cannot, `OutcomeUnknownError`, and the change
 * was made once or not at all.
 * On SUSPENDED: calls wait for the connection; `current` may be old.
 * On LOST: a change whose outcome was open may end with `OutcomeUnknownError`; others go on.
 * Znode layout: `<path>`, persistent, the value as it is. With `exactlyOnce` also
 * `<path>-marks/<uuid>`, ephemeral.
 * Interoperates with: Curator's SharedValue (its SharedCount is a Counter of 'int32').
 */
import { NodeExistsError, NoNodeError } from '../client/errors.js';
import type { Acl, Data, ZkClient } from '../client/types.js';
import { Marks, marksBeside } from './marks.js';
import { NodeCache } from './node-cache.js';
import { makeDirectory, parentOf } from './parents.js';
import { acrossSessions, backoffMs, pause, within, type WaitOptions } from './patience.js';
import { writeVersion } from './versioned-write.js';

export interface SharedValueOptions {
  /** Where there is none yet; empty unless given. */
  readonly initial?: Data;
  /** One more small write with each change, so that no outcome stays unknown while the session lives. */
  readonly exactlyOnce?: boolean;
  readonly acl?: readonly Acl[];
}

export interface VersionedValue {
  readonly value: Buffer;
  readonly version: number;
  /** Of the change that made it; larger with each. */
  readonly zxid: bigint;
}

export class SharedValue implements AsyncDisposable {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #options: SharedValueOptions;
  readonly #cache: NodeCache;
  readonly #marks: Marks | null;

  constructor(client: ZkClient, path: string, options: SharedValueOptions = {}) {
    this.path = path;
    this.#client = client;
    this.#options = options;
    this.#cache = new NodeCache(client, path);
    const isMarked = options.exactlyOnce === true;
    this.#marks = isMarked ? new Marks(client, marksBeside(path), options.acl) : null;
  }

  /** As it was told last; null before `start` or `changes`, and when it was deleted. */
  get current(): VersionedValue | null {
    const node = this.#cache.current;
    return node == null ? null : versioned(node.data, node.stat);
  }

  /** Follows it from now on; resolves with what it is, which is `initial` where there was none. */
  async start(options: WaitOptions = {}): Promise<VersionedValue> {
    const value = await this.get(options);
    await this.#cache.start(options);
    return this.current ?? value;
  }

  /** Calls the listener after each change, once it was started. Returns how to end that. */
  on(name: 'change', listener: (value: VersionedValue) => void): () => void {
    return this.#cache.on(name, (node) => {
      if (node !== null) listener(versioned(node.data, node.stat));
    });
  }

  /** What it is, and again after each change, until the signal aborts or this is closed. */
  async *changes(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<VersionedValue, undefined> {
    await this.get(options);
    for await (const node of this.#cache.changes(options)) {
      if (node !== null) yield versioned(node.data, node.stat);
    }
  }

  /** Asks a server, which may be a little behind. */
  async get(options: WaitOptions = {}): Promise<VersionedValue> {
    return await this.#within(options, (signal) => this.#read(signal));
  }

  /** Whatever it was. */
  async set(value: Data, options: WaitOptions = {}): Promise<VersionedValue> {
    return await this.update(() => value, options);
  }

  /** Null: it was not `previous` any more, and was left as it is. */
  async compareAndSet(
    previous: VersionedValue,
    value: Data,
    options: WaitOptions = {},
  ): Promise<VersionedValue | null> {
    return await this.#within(options, async (signal) => {
      const zxid = await this.#write(value, previous.version);
      return zxid === null ? null : await this.#written(value, previous.version, zxid, signal);
    });
  }

  /** `next` may be called several times, with what others have made of the value meanwhile. */
  async update(next: (value: Buffer) => Data, options: WaitOptions = {}): Promise<VersionedValue> {
    return await this.#within(options, async (signal) => {
      for (let attempt = 0; ; attempt++) {
        const { value, version } = await this.#read(signal);
        const data = next(value);
        signal.throwIfAborted();
        const zxid = await this.#write(data, version);
        if (zxid !== null) return await this.#written(data, version, zxid, signal);
        await acrossSessions(this.#client, signal, () => this.#client.sync(this.path));
        await pause(this.#client, backoffMs(this.#client, attempt), signal);
      }
    });
  }

  /** Follows it no more. */
  async close(): Promise<void> {
    this.#cache.close();
    await this.#marks?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #within<T>(options: WaitOptions, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return within(this.#client, options, `the value ${this.path}`, run);
  }

  #write(data: Data, version: number): Promise<bigint | null> {
    const { path } = this;
    return writeVersion({ client: this.#client, path, data, version, marks: this.#marks });
  }

  async #written(
    data: Data,
    before: number,
    zxid: bigint,
    signal: AbortSignal,
  ): Promise<VersionedValue> {
    const value = Buffer.from(data as Uint8Array);
    const version = (before + 1) | 0;
    // unless somebody has changed it since, the znode tells what the lost answer would have
    return { value, version, zxid: zxid === 0n ? (await this.#read(signal)).zxid : zxid };
  }

  async #read(signal: AbortSignal): Promise<VersionedValue> {
    for (;;) {
      try {
        const { data, stat } = await acrossSessions(this.#client, signal, () =>
          this.#client.getData(this.path),
        );
        return versioned(data, stat);
      } catch (problem) {
        if (!(problem instanceof NoNodeError)) throw problem;
        await this.#make(signal);
      }
    }
  }

  async #make(signal: AbortSignal): Promise<void> {
    const { acl, initial = '' } = this.#options;
    try {
      await acrossSessions(this.#client, signal, () =>
        this.#client.create(this.path, initial, acl === undefined ? {} : { acl }),
      );
    } catch (problem) {
      if (problem instanceof NodeExistsError) return;
      if (!(problem instanceof NoNodeError) || parentOf(this.path) === '/') throw problem;
      await makeDirectory(this.#client, parentOf(this.path), { mode: 'container', acl }, signal);
    }
  }
}

function versioned(
  value: Buffer,
  { version, mzxid: zxid }: { readonly version: number; readonly mzxid: bigint },
): VersionedValue {
  return { value, version, zxid };
}
