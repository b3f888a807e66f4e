/**
 * Several locks as one: all are held, or none.
 *
 * Guarantee: `acquire` resolves only while every lock is held. They are taken one after the other in
 * the order of their paths, whatever order they were given in, so that two multi-locks cannot wait for
 * each other; what was taken is given back when the rest cannot be had. `guard` checks all of them in
 * the same transaction. The fencing token is the largest of theirs: it grows from holder to holder of
 * the same set. For locks that are also taken in other combinations, use `holds` and their tokens.
 * On SUSPENDED, on LOST: as Lock; the signal aborts with the first that is gone. The others stay held
 * until `release`.
 * Znode layout: that of each lock.
 * Interoperates with: whatever each lock does. (Curator's InterProcessMultiLock takes them in the order
 * given: sort the paths there.)
 */
import type { Transaction, TransactionResult } from '../client/transaction.js';
import type { ZkClient } from '../client/types.js';
import { NotHeldError } from './errors.js';
import { Lock, type AcquireOptions, type LockOptions } from './lock.js';
import { asError, inBackground, within, type WaitOptions } from './patience.js';
import { guarded, type Hold } from './tenure.js';

/** Several things held together. */
export class MultiHold implements AsyncDisposable {
  /** In the order of their paths. */
  readonly holds: readonly Hold[];
  readonly signal: AbortSignal;
  readonly #client: ZkClient;
  readonly #end = new AbortController();
  #isReleased = false;

  /** @internal */
  constructor(client: ZkClient, holds: readonly Hold[]) {
    this.#client = client;
    this.holds = holds;
    this.signal = this.#end.signal;
    for (const { signal } of holds) {
      const onAbort = (): void => {
        this.#end.abort(signal.reason);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    }
  }

  /** Of the last of them. */
  get path(): string {
    return this.holds.at(-1)?.path ?? '/';
  }

  get fencingToken(): bigint {
    return this.holds.reduce(
      (most, { fencingToken }) => (fencingToken > most ? fencingToken : most),
      0n,
    );
  }

  /** Commits the writes that `fill` adds, if all are still held. */
  async guard(fill: (transaction: Transaction) => void): Promise<readonly TransactionResult[]> {
    if (this.#isReleased) throw new NotHeldError(this.path, 'released');
    return await guarded(
      this.#client,
      this.holds.map(({ path }) => path),
      fill,
    );
  }

  /** Resolves when others can have all of them. */
  async release(): Promise<void> {
    this.#isReleased = true;
    await Promise.all(this.holds.map((hold) => hold.release()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

export class MultiLock {
  readonly paths: readonly string[];
  readonly #client: ZkClient;
  readonly #locks: readonly Lock[];

  constructor(client: ZkClient, paths: readonly string[], options: LockOptions = {}) {
    // by code units, the same for everybody
    this.paths = [...new Set(paths)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    if (this.paths.length === 0) throw new TypeError('a multi-lock needs at least one path');
    this.#client = client;
    this.#locks = this.paths.map((path) => new Lock(client, path, options));
  }

  async acquire(options: WaitOptions & Pick<AcquireOptions, 'owner'> = {}): Promise<MultiHold> {
    const hold = await this.#acquire(options, (lock, more) => lock.acquire(more));
    if (hold === null) throw new Error('unreachable: waited for locks and did not get them');
    return hold;
  }

  /** Null: not all are free. */
  tryAcquire(options: WaitOptions & Pick<AcquireOptions, 'owner'> = {}): Promise<MultiHold | null> {
    return this.#acquire(options, (lock, more) => lock.tryAcquire(more));
  }

  async #acquire(
    options: AcquireOptions,
    take: (lock: Lock, options: AcquireOptions) => Promise<Hold | null>,
  ): Promise<MultiHold | null> {
    const { owner } = options;
    const what = `the locks ${this.paths.join(', ')}`;
    const acquire = async (signal: AbortSignal): Promise<MultiHold | null> => {
      const holds: Hold[] = [];
      try {
        for (const lock of this.#locks) {
          const hold = await take(lock, { signal, owner });
          if (hold === null) {
            await giveBack(holds);
            return null;
          }
          holds.push(hold);
        }
        return new MultiHold(this.#client, holds);
      } catch (problem) {
        inBackground(giveBack(holds));
        throw asError(problem);
      }
    };
    return await within(this.#client, options, what, acquire, (late) => {
      if (late !== null) inBackground(late.release());
    });
  }
}

async function giveBack(holds: readonly Hold[]): Promise<void> {
  await Promise.all(holds.map((hold) => hold.release()));
}
