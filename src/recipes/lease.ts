/**
 * A lease for a time, whether or not its holder keeps its session: for jobs that should stay on one
 * machine and move only when that has been gone for a while. Does not wait: whoever does not get it
 * goes on without.
 *
 * Guarantee: among holders whose wall clocks differ by less than `clockSkewMs`, at most one has the
 * lease at a time; the same `holder` renews it by obtaining it again. The signal aborts when the time is
 * over by this process's own monotonic clock, counted from before the lease was asked for, so a jump of
 * its wall clock does not prolong it. Fencing tokens grow from term to term, and writes by `guard`
 * happen only while the znodes of just this term are there, whatever the clocks say.
 * On SUSPENDED, on LOST: the lease goes on; it belongs to no session. `obtain` waits for the connection.
 * Znode layout: `<path>/lease_holder`, persistent, JSON: `{"version": 1, "holder", "end"}`, the end in
 * UTC to the second; changed under the lock of kazoo's layout at `<path>`. Beside it
 * `<path>/term-<uuid>`, by which `guard` knows the term.
 * Interoperates with: kazoo's NonBlockingLease (and MultiNonBlockingLease, path by path).
 */
import {
  ErrorCode,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../client/errors.js';
import {
  TransactionError,
  type Transaction,
  type TransactionResult,
} from '../client/transaction.js';
import type { Acl, Stat, ZkClient } from '../client/types.js';
import { newUuid } from './contender-names.js';
import { NotHeldError } from './errors.js';
import { Lock } from './lock.js';
import { join, makeDirectory } from './parents.js';
import { acrossSessions, patiently, within, type WaitOptions } from './patience.js';
import { guarded, type Hold } from './tenure.js';
import { parseUtcText, utcText } from './utc-text.js';

export interface LeaseOptions {
  readonly durationMs: number;
  /** Who it is; the same one renews. */
  readonly holder: string;
  /** How much later than the end another one may take it; 0 (as kazoo does) unless given. */
  readonly clockSkewMs?: number;
  readonly acl?: readonly Acl[];
}

interface Record {
  readonly stat: Stat;
  readonly version: unknown;
  readonly holder: unknown;
  /** Milliseconds since 1970; NaN: it cannot be read. */
  readonly endMs: number;
}

const formatVersion = 1;
const termPrefix = 'term-';

/** One time of having a lease. */
export class LeaseTerm implements AsyncDisposable {
  /** Of the znode that says who has it. */
  readonly path: string;
  readonly fencingToken: bigint;
  /** By this machine's wall clock. */
  readonly endMs: number;
  readonly #client: ZkClient;
  readonly #termPath: string;
  readonly #end = new AbortController();
  readonly #release: (term: LeaseTerm) => Promise<void>;
  /** By the monotonic clock. */
  readonly #overMs: number;
  #isTimed = false;
  #releasing: Promise<void> | null = null;

  /** @internal */
  constructor(
    client: ZkClient,
    term: { path: string; termPath: string; fencingToken: bigint; endMs: number; leftMs: number },
    release: (term: LeaseTerm) => Promise<void>,
  ) {
    this.#client = client;
    this.path = term.path;
    this.fencingToken = term.fencingToken;
    this.endMs = term.endMs;
    this.#termPath = term.termPath;
    this.#release = release;
    this.#overMs = client.world.clock.monotonicMs() + term.leftMs;
  }

  /** Aborts when the time is over, when it was given back, or when the client is closed. */
  get signal(): AbortSignal {
    // no timer keeps the process alive for an hour unless somebody wants to hear of it
    if (!this.#isTimed) this.#time();
    return this.#end.signal;
  }

  /** Commits the writes that `fill` adds, if nobody has taken the lease since. */
  async guard(fill: (transaction: Transaction) => void): Promise<readonly TransactionResult[]> {
    if (this.#releasing !== null) throw new NotHeldError(this.path, 'released');
    return await guarded(this.#client, this.checks, fill);
  }

  /** Gives it back before its time; resolves when others can have it. */
  release(): Promise<void> {
    this.end();
    this.#releasing ??= this.#release(this);
    return this.#releasing;
  }

  /** @internal */
  get isOver(): boolean {
    return this.#client.world.clock.monotonicMs() >= this.#overMs;
  }

  /** A later term of the same holder has given the lease back. @internal */
  end(): void {
    this.#end.abort(new NotHeldError(this.path, 'released'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #time(): void {
    this.#isTimed = true;
    const client = this.#client;
    const { clock } = client.world;
    const leftMs = this.#overMs - clock.monotonicMs();
    const timer = clock.after(Math.max(0, leftMs), () => {
      this.#end.abort(new NotHeldError(this.path, 'expired'));
    });
    const off = client.on('state', (state) => {
      if (state === 'closed') this.#end.abort(new NotHeldError(this.path, 'closed'));
    });
    const stop = (): void => {
      timer.cancel();
      off();
    };
    if (this.#end.signal.aborted) stop();
    else this.#end.signal.addEventListener('abort', stop, { once: true });
  }

  /** kazoo makes the holder's znode anew (version 0); Zabra makes the term's anew. @internal */
  get checks(): readonly [{ path: string; version: number }, string] {
    return [{ path: this.path, version: 1 }, this.#termPath];
  }
}

export class Lease {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #options: LeaseOptions;
  readonly #lock: Lock;
  /** Until they are given back, or over: a lease that was renewed may be held by several. */
  #terms: LeaseTerm[] = [];

  constructor(client: ZkClient, path: string, options: LeaseOptions) {
    if (!(options.durationMs >= 1000)) {
      throw new TypeError(`a lease lasts a second or more, not ${options.durationMs} ms`);
    }
    this.path = path;
    this.#client = client;
    this.#options = options;
    const { holder: data, acl } = options;
    this.#lock = new Lock(client, path, {
      layout: 'kazoo',
      data,
      ...(acl === undefined ? {} : { acl }),
    });
  }

  /** Null: somebody else has it. Waits only for the connection and the short lock. */
  async obtain(options: WaitOptions = {}): Promise<LeaseTerm | null> {
    return await within(this.#client, options, `the lease ${this.path}`, async (signal) => {
      for (;;) {
        const lock = await this.#lock.acquire({ signal });
        try {
          const record = await this.#read(signal);
          if (record !== null && !this.#isMine(record)) return null;
          const term = await this.#take(lock, record, signal);
          if (term !== null) return term;
        } catch (problem) {
          // the lock went while it was used: once more
          const isLockLost = problem instanceof NotHeldError;
          if (!isLockLost && !(problem instanceof SessionExpiredError)) throw problem;
        } finally {
          await lock.release();
        }
      }
    });
  }

  get #holderPath(): string {
    return join(this.path, 'lease_holder');
  }

  #isMine({ version, holder, endMs }: Record): boolean {
    // another version of the format is somebody else's business, as kazoo has it
    if (version !== formatVersion) return false;
    if (holder === this.#options.holder || Number.isNaN(endMs)) return true;
    return this.#client.world.clock.wallMs() >= endMs + (this.#options.clockSkewMs ?? 0);
  }

  async #read(signal: AbortSignal): Promise<Record | null> {
    try {
      const read = () => this.#client.getData(this.#holderPath);
      const { data, stat } = await patiently(this.#client, signal, read);
      return { stat, ...parseRecord(data.toString()) };
    } catch (problem) {
      if (problem instanceof NoNodeError) return null;
      throw problem;
    }
  }

  /** Under the lock, and only while that is held. Null: something was given back meanwhile. */
  async #take(lock: Hold, record: Record | null, signal: AbortSignal): Promise<LeaseTerm | null> {
    const client = this.#client;
    const { durationMs, holder, acl } = this.#options;
    await makeDirectory(client, this.path, { mode: 'persistent', acl }, signal);
    const { children } = await patiently(client, signal, () => client.getChildren(this.path));
    const termPath = join(this.path, termPrefix + newUuid(client.world.crypto));
    const { clock } = client.world;
    const [startedMs, wallMs] = [clock.monotonicMs(), clock.wallMs()];
    // whole seconds are all that is written, so no more than that is ours
    const endMs = Math.floor((wallMs + durationMs) / 1000) * 1000;
    const text = recordText(holder, endMs);
    const access = acl === undefined ? {} : { acl };
    try {
      await lock.guard((transaction) => {
        if (record !== null) transaction.delete(this.#holderPath, { version: record.stat.version });
        for (const name of children) {
          if (name.startsWith(termPrefix)) transaction.delete(join(this.path, name));
        }
        transaction.create(this.#holderPath, text, access).setData(this.#holderPath, text);
        transaction.create(termPath, holder, access);
      });
    } catch (problem) {
      if (problem instanceof TransactionError && isRace(problem)) return null;
      if (!(problem instanceof OutcomeUnknownError)) throw problem;
      await patiently(client, signal, () => client.sync(this.path));
    }
    const term = await patiently(client, signal, () => client.exists(termPath));
    if (term === null) throw new NotHeldError(this.path, 'deleted');
    const leftMs = endMs - wallMs - (clock.monotonicMs() - startedMs);
    const made = { path: this.#holderPath, termPath, fencingToken: term.czxid, endMs, leftMs };
    const obtained = new LeaseTerm(client, made, (one) => this.#release(one));
    this.#terms = [...this.#terms.filter((one) => !one.isOver), obtained];
    return obtained;
  }

  async #release(term: LeaseTerm): Promise<void> {
    // what was renewed ends with what it was renewed by
    for (const one of this.#terms) if (one.fencingToken <= term.fencingToken) one.end();
    this.#terms = this.#terms.filter((one) => one.fencingToken > term.fencingToken);
    const [holder, termPath] = term.checks;
    try {
      await acrossSessions(this.#client, undefined, () =>
        this.#client
          .transaction()
          .delete(termPath)
          .delete(holder.path, { version: holder.version })
          .commit(),
      );
    } catch (problem) {
      // somebody else has it already; or the first of two attempts did it
      if (!(problem instanceof TransactionError)) throw problem;
    }
  }
}

function isRace({ code }: TransactionError): boolean {
  return (
    code === ErrorCode.noNode || code === ErrorCode.badVersion || code === ErrorCode.nodeExists
  );
}

function recordText(holder: string, endMs: number): string {
  const end = utcText(endMs);
  return JSON.stringify({ version: formatVersion, holder, end });
}

function parseRecord(text: string): Omit<Record, 'stat'> {
  try {
    const parsed: unknown = JSON.parse(text);
    const { version, holder, end } = parsed as {
      version?: unknown;
      holder?: unknown;
      end?: unknown;
    };
    return { version, holder, endMs: typeof end === 'string' ? parseUtcText(end) : NaN };
  } catch {
    // not JSON: as another version of the format, it is left alone
    return { version: undefined, holder: undefined, endMs: NaN };
  }
}
