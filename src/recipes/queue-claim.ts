/**
 * One item that is worked with: claimed by an ephemeral znode of the entry's name, until it is
 * acknowledged (the entry goes, with the claim) or released (the claim goes). Others may claim the
 * same name later, so unlike the names of contenders this one is deleted again only after it was seen
 * to be one's own still.
 */
import {
  NodeExistsError,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../client/errors.js';
import { TransactionError, type Transaction } from '../client/transaction.js';
import type { Acl, ZkClient } from '../client/types.js';
import { ofCallersWrites } from './callers-writes.js';
import { newUuid } from './contender-names.js';
import { NotHeldError } from './errors.js';
import { makeDirectory, parentOf } from './parents.js';
import {
  acrossSessions,
  backoffMs,
  inBackground,
  isPassing,
  isSessionOver,
  patiently,
  pause,
  untilConnected,
} from './patience.js';
import { Tenure, type ErrorPolicy, type Place } from './tenure.js';

export interface ClaimParts {
  readonly client: ZkClient;
  readonly name: string;
  readonly entryPath: string;
  readonly takenPath: string;
  readonly errorPolicy: ErrorPolicy;
  readonly acl: readonly Acl[] | undefined;
  open(data: Buffer): Buffer[];
}

/** An item that is this process's until it is acknowledged, released or lost. */
export class QueueClaim implements AsyncDisposable {
  /** Of the entry. */
  readonly name: string;
  /** Of the entry; more than one only where Curator's putMulti wrote it. */
  readonly items: readonly Buffer[];
  readonly #client: ZkClient;
  readonly #parts: ClaimParts;
  /** Of the entry, which tells it from a later one of its name. */
  readonly #czxid: bigint;
  readonly #tenure: Tenure;
  readonly #end = new AbortController();
  #isSettling = false;

  /** @internal */
  constructor(parts: ClaimParts, place: Place, items: readonly Buffer[], czxid: bigint) {
    this.#czxid = czxid;
    this.name = parts.name;
    this.items = items;
    this.#client = parts.client;
    this.#parts = parts;
    const { errorPolicy } = parts;
    const tenure = new Tenure(parts.client, place, { errorPolicy });
    this.#tenure = tenure;
    const onEnd = (): void => {
      const reason: unknown = tenure.signal.reason;
      // its own acknowledgement may be told of before it is answered
      const isOwn = reason instanceof NotHeldError && reason.reason === 'deleted';
      if (!this.#isSettling || !isOwn) this.#end.abort(reason);
    };
    if (tenure.signal.aborted) onEnd();
    else tenure.signal.addEventListener('abort', onEnd, { once: true });
  }

  /** The (first) item. */
  get data(): Buffer {
    return this.items[0] ?? Buffer.alloc(0);
  }

  /** Larger than that of everyone who has claimed this item before. */
  get fencingToken(): bigint {
    return this.#tenure.fencingToken;
  }

  /** Aborts, with a `NotHeldError`, when the claim cannot be relied on any more. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /**
   * Takes the item out of the queue for good, together with the writes that `fill` adds: all of it is
   * done or nothing. Rejects with `NotHeldError` when the claim is gone (then the item comes again),
   * and with `OutcomeUnknownError` when the session ended before the answer came.
   */
  async acknowledge(fill?: (transaction: Transaction) => void): Promise<void> {
    const { sessionId } = this.#tenure.place;
    this.#begin();
    for (let attempt = 0; ; attempt++) {
      await untilConnected(this.#client);
      if (isSessionOver(this.#client, sessionId)) throw this.#lost('session');
      try {
        await this.#commit(fill);
        this.#settle();
        return;
      } catch (problem) {
        if (problem instanceof SessionExpiredError) throw this.#lost('session');
        if (problem instanceof OutcomeUnknownError) {
          if (await this.#isDone(problem)) return;
        } else if (!isPassing(problem)) {
          this.#isSettling = false;
          if (this.#tenure.signal.aborted) this.#end.abort(this.#tenure.signal.reason);
          throw problem;
        }
      }
      if (attempt > 0) await pause(this.#client, backoffMs(this.#client, attempt));
    }
  }

  /** Gives it back unfinished: resolves when others can claim it. After `acknowledge`: nothing. */
  async release(): Promise<void> {
    if (this.#isSettling) return;
    this.#begin();
    this.#end.abort(new NotHeldError(this.#tenure.path, 'released'));
    await this.#tenure.leave();
  }

  /** Releases it, unless it was acknowledged. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #begin(): void {
    if (this.#isSettling) throw new NotHeldError(this.#tenure.path, 'released');
    this.#isSettling = true;
  }

  /** It is done: nothing is left to watch. */
  #settle(): void {
    this.#tenure.abandon();
    this.#end.abort(new NotHeldError(this.#tenure.path, 'released'));
  }

  #lost(reason: 'session' | 'deleted', cause?: unknown): NotHeldError {
    const lost = new NotHeldError(this.#tenure.path, reason, { cause });
    this.#end.abort(lost);
    return lost;
  }

  async #commit(fill: ((transaction: Transaction) => void) | undefined): Promise<void> {
    const { takenPath, entryPath } = this.#parts;
    const transaction = this.#client.transaction().delete(takenPath).delete(entryPath);
    fill?.(transaction as unknown as Transaction);
    try {
      await transaction.commit();
    } catch (problem) {
      if (!(problem instanceof TransactionError)) throw problem;
      if (problem.index < 2) throw this.#lost('deleted', problem);
      throw ofCallersWrites(problem, 2);
    }
  }

  /** Of an acknowledgement whose answer was lost; rejects with it where nobody can tell. */
  async #isDone(problem: OutcomeUnknownError): Promise<boolean> {
    const { entryPath } = this.#parts;
    const client = this.#client;
    const { sessionId } = this.#tenure.place;
    await acrossSessions(client, undefined, () => client.sync(entryPath));
    const stat = await acrossSessions(client, undefined, () => client.exists(entryPath));
    if (isSessionOver(client, sessionId)) {
      this.#lost('session');
      throw problem;
    }
    // nobody else could while the claim was there
    const isGone = stat?.czxid !== this.#czxid;
    if (isGone) this.#settle();
    return isGone;
  }
}

/** Null: somebody else has it, or it is done. */
export async function claimEntry(parts: ClaimParts): Promise<QueueClaim | null> {
  const { client, takenPath, entryPath } = parts;
  const place = await takePlace(parts);
  if (place === null) return null;
  try {
    const { data, stat } = await patiently(client, undefined, () => client.getData(entryPath));
    if (isSessionOver(client, place.sessionId)) return null;
    return new QueueClaim(parts, place, parts.open(data), stat.czxid);
  } catch (problem) {
    inBackground(place.leave());
    if (problem instanceof NoNodeError || problem instanceof SessionExpiredError) return null;
    throw problem;
  }

  async function takePlace({ acl }: ClaimParts): Promise<Place | null> {
    const id = newUuid(client.world.crypto).replaceAll('-', '');
    for (let attempt = 0; ; attempt++) {
      await untilConnected(client);
      try {
        const { stat } = await client.create(takenPath, id, {
          mode: 'ephemeral',
          ...(acl === undefined ? {} : { acl }),
        });
        return placeOf(client, takenPath, stat.czxid, stat.ephemeralOwner);
      } catch (problem) {
        if (problem instanceof NodeExistsError) {
          // the attempt before this one may have made it
          return attempt === 0 ? null : await ownPlace(id);
        }
        if (problem instanceof NoNodeError) {
          await makeDirectory(client, parentOf(takenPath), { mode: 'persistent', acl });
        } else if (!isPassing(problem) && !(problem instanceof SessionExpiredError)) throw problem;
      }
      if (attempt > 0) await pause(client, backoffMs(client, attempt));
    }
  }

  async function ownPlace(id: string): Promise<Place | null> {
    try {
      const { data, stat } = await acrossSessions(client, undefined, () =>
        client.getData(takenPath),
      );
      const isOwn = data.toString() === id && stat.ephemeralOwner === client.sessionId;
      return isOwn ? placeOf(client, takenPath, stat.czxid, stat.ephemeralOwner) : null;
    } catch (problem) {
      if (problem instanceof NoNodeError) return null;
      throw problem;
    }
  }
}

function placeOf(client: ZkClient, path: string, czxid: bigint, sessionId: bigint): Place {
  return { path, czxid, sessionId, leave };

  async function leave(): Promise<void> {
    let attempt = 0;
    try {
      await patiently(client, undefined, async () => {
        if (isSessionOver(client, sessionId)) return;
        if (attempt++ > 0) {
          await client.sync(path);
          const stat = await client.exists(path);
          // it was deleted the last time, and is somebody else's by now
          if (stat?.czxid !== czxid) return;
        }
        await client.delete(path);
      });
    } catch (problem) {
      if (problem instanceof NoNodeError || problem instanceof SessionExpiredError) return;
      // a closed client has ended its session
      if (client.state === 'closed') return;
      throw problem;
    }
  }
}
