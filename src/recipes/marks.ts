/**
 * Writes of which it is known afterwards whether they were made. Each transaction also sets a number in
 * an ephemeral znode of the writer's own, the mark: when the answer is lost, the mark tells whether the
 * transaction was committed. That costs one small write within the same transaction, and nothing more.
 *
 * Not even the end of the session blurs it at once: as long as the servers keep the session, its mark
 * tells; and when the mark has gone, nothing of that session can be committed any more. Only a
 * transaction that was open then stays unknown: whoever made it looks at what it was to change.
 */
import {
  NodeExistsError,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../client/errors.js';
import {
  TransactionError,
  type Transaction,
  type TransactionResult,
} from '../client/transaction.js';
import type { Acl, ZkClient } from '../client/types.js';
import { ofCallersWrites } from './callers-writes.js';
import { newUuid } from './contender-names.js';
import { join, makeDirectory } from './parents.js';
import {
  acrossSessions,
  backoffMs,
  inBackground,
  isPassing,
  isSessionOver,
  pause,
  untilConnected,
  untilWatched,
} from './patience.js';
import { removeForSure } from './removal.js';

interface Mark {
  readonly path: string;
  readonly sessionId: bigint;
}

/** One transaction at a time. */
export class Marks {
  readonly directory: string;
  readonly #client: ZkClient;
  readonly #acl: readonly Acl[] | undefined;
  #mark: Mark | null = null;
  #count = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(client: ZkClient, directory: string, acl: readonly Acl[] | undefined) {
    this.#client = client;
    this.directory = directory;
    this.#acl = acl;
  }

  /**
   * Commits what `fill` adds (it may be asked more than once), waiting for connections as long as it
   * takes. Resolves with the results, null where the answer was lost but it was committed. Rejects with
   * `TransactionError` as the transaction would without the mark, and with `OutcomeUnknownError` when
   * the session ended before the mark was read.
   */
  commit(fill: (transaction: Transaction) => void): Promise<readonly TransactionResult[] | null> {
    const result = this.#turn.then(() => this.#commit(fill));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Resolves when the mark is gone. It is made again when it is needed. */
  async close(): Promise<void> {
    await this.#turn;
    const mark = this.#mark;
    this.#mark = null;
    if (mark !== null) await removeForSure(this.#client, mark.path, mark.sessionId);
  }

  async #commit(
    fill: (transaction: Transaction) => void,
  ): Promise<readonly TransactionResult[] | null> {
    const client = this.#client;
    for (let attempt = 0; ; attempt++) {
      const mark = await this.#made();
      const count = String(++this.#count);
      try {
        const transaction = client.transaction().setData(mark.path, count);
        fill(transaction as unknown as Transaction);
        return (await transaction.commit()).slice(1);
      } catch (problem) {
        if (problem instanceof TransactionError) {
          if (problem.index > 0) throw ofCallersWrites(problem, 1);
          this.#mark = null;
        } else if (problem instanceof OutcomeUnknownError) {
          const outcome = await this.#outcome(mark, count);
          if (outcome === 'unknown') throw problem;
          if (outcome === 'done') return null;
        } else if (!isPassing(problem) && !(problem instanceof SessionExpiredError)) throw problem;
      }
      if (attempt > 0) await pause(client, backoffMs(client, attempt));
    }
  }

  async #made(): Promise<Mark> {
    const client = this.#client;
    for (;;) {
      await untilConnected(client);
      const { sessionId } = client;
      if (this.#mark?.sessionId === sessionId) return this.#mark;
      const path = join(this.directory, newUuid(client.world.crypto));
      try {
        const { stat } = await client.create(path, '0', {
          mode: 'ephemeral',
          ...(this.#acl === undefined ? {} : { acl: this.#acl }),
        });
        this.#mark = { path, sessionId: stat.ephemeralOwner };
      } catch (problem) {
        if (problem instanceof NoNodeError) {
          await makeDirectory(client, this.directory, { mode: 'container', acl: this.#acl });
        } else if (problem instanceof OutcomeUnknownError) {
          inBackground(removeForSure(client, path, sessionId));
        } else if (
          !isPassing(problem) &&
          !(problem instanceof SessionExpiredError) &&
          !(problem instanceof NodeExistsError)
        )
          throw problem;
      }
    }
  }

  async #outcome(mark: Mark, count: string): Promise<'done' | 'open' | 'unknown'> {
    const client = this.#client;
    try {
      for (;;) {
        // after it, the server that answers knows whatever became of the transaction
        await acrossSessions(client, undefined, () => client.sync(mark.path));
        const { data } = await acrossSessions(client, undefined, () => client.getData(mark.path));
        if (data.toString() === count) return 'done';
        if (!isSessionOver(client, mark.sessionId)) return 'open';
        // the servers keep the session yet: what it has sent may still arrive
        await this.#untilSettled(mark.path, count);
      }
    } catch (problem) {
      if (problem instanceof NoNodeError) return 'unknown';
      throw problem;
    }
  }

  /** Resolves when there is something new to read; rejects when the mark is gone. */
  async #untilSettled(path: string, count: string): Promise<void> {
    const client = this.#client;
    const never = new AbortController().signal;
    await acrossSessions(client, undefined, () =>
      untilWatched(client, never, async (watch) => {
        const { data } = await client.getData(path, { watch });
        return data.toString() !== count;
      }),
    );
  }
}

/** Where the marks of those are who write into `path`: beside it, where no consumer takes them. */
export function marksBeside(path: string): string {
  return path === '/' ? '/-marks' : `${path}-marks`;
}
