/**
 * The time in which something is held, from the moment it was this one's turn to the moment when that
 * cannot be relied on any more. A tenure listens to the session and watches its own znode, and aborts
 * its signal when either may be gone; several `Hold`s can share one, and the last to be released ends
 * it.
 *
 * What a signal can promise, and what not: it aborts before the ensemble can give the thing to
 * somebody else, as long as this process gets to run its timers. A process that stood still longer
 * than its session learns of it only afterwards, as every ZooKeeper client does: at once by the policy
 * 'standard', and by 'session' when the next server has said so, or after a third of the session's
 * timeout without an answer. Whoever must be safe even then writes through `guard`, where the server
 * decides, or hands the fencing token to the resource, which refuses tokens smaller than the largest
 * it has seen.
 */
import { NoNodeError } from '../client/errors.js';
import {
  TransactionError,
  type Transaction,
  type TransactionResult,
} from '../client/transaction.js';
import type { WatchEvent, ZkClient } from '../client/types.js';
import { ofCallersWrites } from './callers-writes.js';
import { NotHeldError, type LossReason } from './errors.js';
import { isSessionOver, onAbort, patiently } from './patience.js';

/**
 * When a held thing counts as gone. 'standard': when the connection is, since the session may end
 * unseen. 'session': when the session is over; until then somebody else cannot have it.
 */
export type ErrorPolicy = 'standard' | 'session';

/** What is held: an ephemeral znode with a name that nobody else will ever have. */
export interface Place {
  readonly path: string;
  readonly czxid: bigint;
  readonly sessionId: bigint;
  /** Resolves when the znode is gone. */
  leave(): Promise<void>;
}

export interface TenureOptions {
  readonly errorPolicy: ErrorPolicy;
  /** Called with each change of the own znode's data. */
  readonly onData?: ((data: Uint8Array) => void) | undefined;
}

export class Tenure {
  readonly path: string;
  /** Larger than that of everyone who held this before. */
  readonly fencingToken: bigint;
  readonly #client: ZkClient;
  readonly place: Place;
  readonly #options: TenureOptions;
  readonly #end = new AbortController();
  readonly #unsubscribe: (() => void)[];
  #holds = 0;
  /** Its session or its znode is gone, or it was released: nothing is left to check. */
  #isGone = false;
  #isAbandoned = false;
  #tellGone: () => void = () => undefined;
  /** Resolves when nothing is left of it here. */
  readonly gone: Promise<void>;

  constructor(client: ZkClient, place: Place, options: TenureOptions) {
    this.#client = client;
    this.place = place;
    this.#options = options;
    this.path = place.path;
    this.fencingToken = place.czxid;
    this.gone = new Promise((resolve) => {
      this.#tellGone = resolve;
    });
    this.#unsubscribe = [
      client.on('state', () => {
        this.#look();
      }),
      client.on('session', () => {
        this.#look();
      }),
    ];
    this.#look();
    if (!this.signal.aborted) this.#watch();
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  get isHeld(): boolean {
    return !this.signal.aborted;
  }

  /** One more holder. */
  share(): Hold {
    this.#holds++;
    return new Hold(this);
  }

  /** Ends it when no other holder is left; resolves when others can have it. */
  async unshare(): Promise<void> {
    if (--this.#holds === 0) await this.leave();
  }

  /** Ends it whoever holds it. */
  leave(): Promise<void> {
    this.#finish('released');
    return this.#isAbandoned ? Promise.resolve() : this.place.leave();
  }

  /** Ends it; the place stays as it is, for a tenure to come. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#finish('released');
  }

  /** Resolves with the reason for which it ended. */
  get ended(): Promise<LossReason> {
    return new Promise((resolve) => {
      const tell = (): void => {
        const reason: unknown = this.signal.reason;
        resolve(reason instanceof NotHeldError ? reason.reason : 'released');
      };
      if (this.signal.aborted) tell();
      else this.signal.addEventListener('abort', tell, { once: true });
    });
  }

  guard(fill: (transaction: Transaction) => void): Promise<readonly TransactionResult[]> {
    if (this.#isGone) return Promise.reject(this.#notHeld());
    return guarded(this.#client, [this.path], fill);
  }

  #notHeld(): NotHeldError {
    const reason: unknown = this.signal.reason;
    return reason instanceof NotHeldError ? reason : new NotHeldError(this.path, 'released');
  }

  #look(): void {
    const { state } = this.#client;
    if (state === 'closed') this.#finish('closed');
    else if (isSessionOver(this.#client, this.place.sessionId)) this.#finish('session');
    else if (state !== 'connected' && this.#options.errorPolicy === 'standard') {
      this.#end.abort(new NotHeldError(this.path, 'suspended'));
    }
  }

  #finish(reason: LossReason): void {
    this.#isGone = true;
    this.#tellGone();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (this.isHeld) this.#end.abort(new NotHeldError(this.path, reason));
  }

  #watch(): void {
    const watch = (event: WatchEvent): void => {
      if (this.#isGone) return;
      if (event.type === 'deleted') this.#finish('deleted');
      else this.#watch();
    };
    patiently(this.#client, this.signal, () => this.#client.getData(this.path, { watch })).then(
      ({ data }) => {
        if (this.isHeld) this.#options.onData?.(data);
      },
      (problem: unknown) => {
        // anything else ends with the session, which is watched too, or leaves us without this watch
        if (problem instanceof NoNodeError && !this.#isGone) this.#finish('deleted');
      },
    );
  }
}

/** Something held. Released by `release()` or by `await using`. */
export class Hold implements AsyncDisposable {
  readonly #tenure: Tenure;
  #releasing: Promise<void> | null = null;
  readonly #released = new AbortController();
  /** Hears of the tenure's end no more. */
  readonly #off: () => void;

  /** @internal */
  constructor(tenure: Tenure) {
    this.#tenure = tenure;
    this.#off = onAbort(tenure.signal, () => {
      this.#released.abort(tenure.signal.reason);
    });
  }

  /** Of the own znode. */
  get path(): string {
    return this.#tenure.path;
  }

  /** Larger than that of everyone who held this before. */
  get fencingToken(): bigint {
    return this.#tenure.fencingToken;
  }

  /** Aborts, with a `NotHeldError`, when holding cannot be relied on any more. */
  get signal(): AbortSignal {
    return this.#released.signal;
  }

  /**
   * Commits the writes that `fill` adds, if the own znode is still there: the server decides, in the
   * same transaction. Rejects with `NotHeldError` when it is not.
   */
  async guard(fill: (transaction: Transaction) => void): Promise<readonly TransactionResult[]> {
    if (this.#releasing !== null) throw new NotHeldError(this.path, 'released');
    return await this.#tenure.guard(fill);
  }

  /**
   * Gives it back; resolves when others can have it, which without a connection is when there is one
   * again, or when the session is over. Needs not be awaited: it goes on by itself.
   */
  release(): Promise<void> {
    if (this.#releasing !== null) return this.#releasing;
    this.#off();
    this.#released.abort(new NotHeldError(this.path, 'released'));
    this.#releasing = this.#tenure.unshare();
    return this.#releasing;
  }

  /** Tells whoever works with it to stop; it stays held until it is released. @internal */
  tell(reason: Error): void {
    this.#released.abort(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

/** A znode that has to be there (with this version) for a guarded write. */
export type Check = string | { readonly path: string; readonly version: number };

/** A transaction with these checks before what `fill` adds; results without the checks. */
export async function guarded(
  client: ZkClient,
  checks: readonly Check[],
  fill: (transaction: Transaction) => void,
): Promise<readonly TransactionResult[]> {
  const transaction = client.transaction();
  for (const check of checks) {
    if (typeof check === 'string') transaction.check(check);
    else transaction.check(check.path, { version: check.version });
  }
  fill(transaction);
  try {
    const results = await transaction.commit();
    return results.slice(checks.length);
  } catch (problem) {
    if (!(problem instanceof TransactionError)) throw problem;
    const check = checks[problem.index];
    if (check !== undefined) {
      const path = typeof check === 'string' ? check : check.path;
      throw new NotHeldError(path, 'deleted', { cause: problem });
    }
    throw ofCallersWrites(problem, checks.length);
  }
}
