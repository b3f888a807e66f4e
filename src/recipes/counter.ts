/**
 * A number that many change at once.
 *
 * Guarantee: each change is made once, on the value that was there (compare and set by the znode's
 * version, again with pauses when somebody else was faster), and what it answers are the values before
 * and after just that change. When the answer to a write is lost, the counter finds out what became of
 * it: with `exactlyOnce` always (a marker is written in the same transaction), unless the session ends
 * in between; without, whenever the znode tells; where it cannot, `OutcomeUnknownError`, and the change
 * was made once or not at all.
 * Nobody is promised a turn: where many change it all the time, one who is much further from the servers
 * than the others may lose to them for long. Then hold a Lock around it.
 * On SUSPENDED: calls wait for the connection.
 * On LOST: a change whose outcome was open ends with `OutcomeUnknownError`; others go on.
 * Znode layout: `<path>`, persistent, its data in the `format`: 'int64' (8 bytes, big end first), 'int32'
 * (4 bytes), 'decimal' (digits as text). No data: `initial`. Markers: `<path>/_m_<uuid>`, ephemeral,
 * for the time of one change.
 * Interoperates with: Curator's DistributedAtomicLong (int64), DistributedAtomicInteger and SharedCount
 * (int32), kazoo's Counter (decimal; with `support_curator` int32).
 */
import {
  BadVersionError,
  NodeExistsError,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../client/errors.js';
import { TransactionError } from '../client/transaction.js';
import type { Acl, ZkClient } from '../client/types.js';
import { newUuid } from './contender-names.js';
import { LayoutError } from './errors.js';
import { join, makeDirectory, parentOf } from './parents.js';
import {
  acrossSessions,
  backoffMs,
  inBackground,
  isPassing,
  patiently,
  pause,
  untilConnected,
  within,
  type WaitOptions,
} from './patience.js';
import { removeForSure } from './removal.js';

export type CounterFormat = 'int64' | 'int32' | 'decimal';

export interface CounterOptions {
  /** 'int64' unless given. */
  readonly format?: CounterFormat;
  /** Where there is no value yet; 0n unless given. */
  readonly initial?: bigint;
  /** One more znode for each change, so that no outcome stays unknown while the session lives. */
  readonly exactlyOnce?: boolean;
  readonly acl?: readonly Acl[];
}

export interface CounterChange {
  readonly before: bigint;
  readonly after: bigint;
}

interface Reading {
  readonly value: bigint;
  readonly version: number;
}

/** Until then pauses grow: to 64 ms. */
const LOSSES = 5;

export class Counter {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #format: CounterFormat;
  readonly #initial: bigint;
  readonly #exactlyOnce: boolean;
  readonly #acl: readonly Acl[] | undefined;

  constructor(client: ZkClient, path: string, options: CounterOptions = {}) {
    this.path = path;
    this.#client = client;
    this.#format = options.format ?? 'int64';
    this.#initial = options.initial ?? 0n;
    this.#exactlyOnce = options.exactlyOnce ?? false;
    this.#acl = options.acl;
  }

  async get(options: WaitOptions = {}): Promise<bigint> {
    return await this.#within(options, async (signal) => (await this.#read(signal)).value);
  }

  add(delta: bigint | number, options: WaitOptions = {}): Promise<CounterChange> {
    const step = BigInt(delta);
    return this.update((value) => value + step, options);
  }

  increment(options: WaitOptions = {}): Promise<CounterChange> {
    return this.add(1n, options);
  }

  decrement(options: WaitOptions = {}): Promise<CounterChange> {
    return this.add(-1n, options);
  }

  /** Whatever it was. */
  set(value: bigint | number, options: WaitOptions = {}): Promise<CounterChange> {
    const next = BigInt(value);
    return this.update(() => next, options);
  }

  /** Null: it was not `expected`, and was left as it is. */
  async compareAndSet(
    expected: bigint | number,
    value: bigint | number,
    options: WaitOptions = {},
  ): Promise<CounterChange | null> {
    const [wanted, next] = [BigInt(expected), BigInt(value)];
    return await this.#change((before) => (before === wanted ? next : null), options);
  }

  /** `next` may be called several times, with what others have made of the value meanwhile. */
  async update(next: (value: bigint) => bigint, options: WaitOptions = {}): Promise<CounterChange> {
    const change = await this.#change(next, options);
    if (change === null) throw new Error('unreachable: an update always has a value');
    return change;
  }

  #within<T>(options: WaitOptions, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return within(this.#client, options, `the counter ${this.path}`, run);
  }

  #change(
    next: (value: bigint) => bigint | null,
    options: WaitOptions,
  ): Promise<CounterChange | null> {
    return this.#within(options, async (signal) => {
      for (let attempt = 0; ; attempt++) {
        const { value: before, version } = await this.#read(signal);
        const after = next(before);
        if (after === null) return null;
        const data = encode(after, this.#format, this.path);
        if (await this.#write(data, version, signal)) return { before, after };
        await pause(this.#client, this.#contentionMs(attempt), signal);
      }
    });
  }

  /**
   * Pauses grow with the first losses, so that many do not stumble over each other, and shrink again
   * with more: whoever has lost often is not to lose for ever to those who have just come.
   */
  #contentionMs(losses: number): number {
    const ceilingMs = losses < LOSSES ? 2 ** (losses + 2) : 2 ** Math.max(0, 2 * LOSSES - losses);
    return ceilingMs * this.#client.world.random();
  }

  async #read(signal: AbortSignal): Promise<Reading> {
    for (;;) {
      try {
        const read = () => this.#client.getData(this.path);
        const { data, stat } = await acrossSessions(this.#client, signal, read);
        const value = data.length === 0 ? this.#initial : decode(data, this.#format, this.path);
        return { value, version: stat.version };
      } catch (problem) {
        if (!(problem instanceof NoNodeError)) throw problem;
        await this.#make(signal);
      }
    }
  }

  async #make(signal: AbortSignal): Promise<void> {
    const acl = this.#acl;
    try {
      await acrossSessions(this.#client, signal, () =>
        this.#client.create(this.path, '', acl === undefined ? {} : { acl }),
      );
    } catch (problem) {
      if (problem instanceof NodeExistsError) return;
      if (!(problem instanceof NoNodeError) || parentOf(this.path) === '/') throw problem;
      await makeDirectory(this.#client, parentOf(this.path), { mode: 'container', acl }, signal);
    }
  }

  /** False: somebody else was faster, nothing was written. */
  async #write(data: Uint8Array, version: number, signal: AbortSignal): Promise<boolean> {
    const client = this.#client;
    const marker = this.#exactlyOnce ? join(this.path, `_m_${newUuid(client.world.crypto)}`) : null;
    const { sessionId } = client;
    for (let attempt = 0; ; attempt++) {
      await untilConnected(client, signal);
      signal.throwIfAborted();
      try {
        if (marker === null) await client.setData(this.path, data, { version });
        else await this.#writeMarked(data, version, marker, sessionId);
        return true;
      } catch (problem) {
        if (problem instanceof BadVersionError || isBadVersion(problem)) return false;
        // a write that was never sent, in a session that is over
        if (problem instanceof SessionExpiredError) return false;
        if (problem instanceof OutcomeUnknownError) {
          const outcome = await this.#outcome(data, version, marker, sessionId, signal);
          if (outcome === 'unknown') throw problem;
          if (outcome === 'done') return true;
          if (outcome === 'lost') return false;
        } else if (!isPassing(problem)) throw problem;
        await pause(client, backoffMs(client, attempt), signal);
      }
    }
  }

  async #writeMarked(
    data: Uint8Array,
    version: number,
    marker: string,
    sessionId: bigint,
  ): Promise<void> {
    await this.#client
      .transaction()
      .setData(this.path, data, { version })
      .create(marker, '', { mode: 'ephemeral' })
      .commit();
    inBackground(removeForSure(this.#client, marker, sessionId));
  }

  /** Of a write whose answer was lost. 'open': it was not made, nor was any other. */
  async #outcome(
    data: Uint8Array,
    version: number,
    marker: string | null,
    sessionId: bigint,
    signal: AbortSignal,
  ): Promise<'done' | 'lost' | 'open' | 'unknown'> {
    const client = this.#client;
    try {
      // after it, the server that answers knows whatever became of the write
      await patiently(client, signal, () => client.sync(this.path));
      if (marker !== null && (await patiently(client, signal, () => client.exists(marker)))) {
        inBackground(removeForSure(client, marker, sessionId));
        return 'done';
      }
      const now = await patiently(client, signal, () => client.getData(this.path));
      if (client.sessionId !== sessionId && marker !== null) return 'unknown';
      if (now.stat.version === version) return 'open';
      if (marker !== null) return 'lost';
      const isNext = now.stat.version === ((version + 1) | 0);
      return isNext && !now.data.equals(data) ? 'lost' : 'unknown';
    } catch (problem) {
      if (problem instanceof SessionExpiredError || problem instanceof NoNodeError)
        return 'unknown';
      throw problem;
    }
  }
}

function isBadVersion(problem: unknown): boolean {
  return problem instanceof TransactionError && problem.results[0] instanceof BadVersionError;
}

function encode(value: bigint, format: CounterFormat, path: string): Uint8Array {
  if (format === 'decimal') return new TextEncoder().encode(value.toString());
  const bits = format === 'int64' ? 64 : 32;
  if (BigInt.asIntN(bits, value) !== value) {
    throw new RangeError(`${path}: ${value} does not fit into ${bits} bits`);
  }
  const bytes = new Uint8Array(bits / 8);
  const view = new DataView(bytes.buffer);
  if (bits === 64) view.setBigInt64(0, value);
  else view.setInt32(0, Number(value));
  return bytes;
}

function decode(data: Uint8Array, format: CounterFormat, path: string): bigint {
  if (format === 'decimal') {
    const text = new TextDecoder().decode(data).trim();
    if (/^-?[0-9]+$/.test(text)) return BigInt(text);
    throw new LayoutError(path, `not a whole number: ${text.slice(0, 40)}`);
  }
  const bytes = format === 'int64' ? 8 : 4;
  if (data.length !== bytes) {
    throw new LayoutError(path, `a counter has ${bytes} bytes, not ${data.length}`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return bytes === 8 ? view.getBigInt64(0) : BigInt(view.getInt32(0));
}
