/**
 * Compare and set, with what became of it: by the version, and where the answer was lost by what the
 * znode tells afterwards, or, with marks, by the mark, which always tells while the session lives.
 */
import {
  BadVersionError,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../client/errors.js';
import { TransactionError } from '../client/transaction.js';
import type { Data, Stat, ZkClient } from '../client/types.js';
import type { Marks } from './marks.js';
import { acrossSessions, backoffMs, isPassing, pause, untilConnected } from './patience.js';

export interface VersionedWrite {
  readonly client: ZkClient;
  readonly path: string;
  readonly data: Data;
  readonly version: number;
  readonly marks: Marks | null;
}

/**
 * The zxid of the write; 0n: it was made, but its answer was lost. Null: the znode had another version
 * (or was gone), and is left as it is. Rejects with `OutcomeUnknownError` where nobody can tell: then it
 * was written once or not at all.
 */
export async function writeVersion(write: VersionedWrite): Promise<bigint | null> {
  const { client, path, data, version, marks } = write;
  for (let attempt = 0; ; attempt++) {
    await untilConnected(client);
    try {
      if (marks === null) return (await client.setData(path, data, { version })).mzxid;
      const results = await marks.commit((transaction) => {
        transaction.setData(path, data, { version });
      });
      const [result] = results ?? [];
      return result?.type === 'setData' ? result.stat.mzxid : 0n;
    } catch (problem) {
      if (isRefused(problem)) return null;
      if (problem instanceof OutcomeUnknownError) {
        const stat = await statOf(client, path);
        const outcome = stat === null ? 'unknown' : await outcomeOf(write, stat);
        if (outcome === 'unknown' || (marks !== null && outcome === 'lost')) throw problem;
        if (outcome === 'lost') return null;
      } else if (!isPassing(problem) && !(problem instanceof SessionExpiredError)) throw problem;
    }
    if (attempt > 0) await pause(client, backoffMs(client, attempt));
  }
}

function isRefused(problem: unknown): boolean {
  const cause = problem instanceof TransactionError ? problem.results[problem.index] : problem;
  return cause instanceof BadVersionError || cause instanceof NoNodeError;
}

async function statOf(client: ZkClient, path: string): Promise<Stat | null> {
  // after it, the server that answers knows whatever became of the write
  await acrossSessions(client, undefined, () => client.sync(path));
  return await acrossSessions(client, undefined, () => client.exists(path));
}

/** 'open': nobody has written. 'lost': somebody else was first. */
async function outcomeOf(
  { client, path, data, version }: VersionedWrite,
  stat: Stat,
): Promise<'open' | 'lost' | 'unknown'> {
  if (stat.version === version) return 'open';
  if (stat.version !== ((version + 1) | 0)) return 'unknown';
  try {
    const now = await acrossSessions(client, undefined, () => client.getData(path));
    const isSame = now.data.equals(typeof data === 'string' ? Buffer.from(data) : data);
    return now.stat.mzxid === stat.mzxid && !isSame ? 'lost' : 'unknown';
  } catch (problem) {
    if (problem instanceof NoNodeError) return 'unknown';
    throw problem;
  }
}
