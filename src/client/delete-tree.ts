/**
 * A znode with everything below it. It is listed level by level, then deleted from the leaves up in
 * multis of many. What others do meanwhile is put up with: a znode that is gone is as good as
 * deleted, a child that came is found by listing again. What may not be deleted stays, with what is
 * above it, and is told at the end; everything else is gone then.
 */
import { join } from '../protocol/paths.js';
import { NoAuthError, NoNodeError, NotEmptyError, ZkError } from './errors.js';
import { TransactionError } from './transaction.js';
import type { DeleteOptions, SignalOptions, ZkClient } from './types.js';

/** Deletes in one multi, and characters of their paths: far from what a server takes at once. */
const BATCH_DELETES = 1000;
const BATCH_CHARACTERS = 100_000;
/** How often new children are listed before it is said that the znode cannot be emptied. */
const ROUNDS_MAX = 10;

/** Not all of it could be deleted: its code is the first reason's, `left` has them all. */
export class DeleteTreeError extends ZkError {
  override readonly name = 'DeleteTreeError';
  readonly left: readonly ZkError[];

  constructor(path: string, left: readonly ZkError[]) {
    const [first] = left;
    super(first?.code ?? 0, path, { cause: first });
    this.message = `${left.length} below ${path} could not be deleted: ${first?.message ?? ''}`;
    this.left = left;
  }
}

export async function deleteTree(
  client: ZkClient,
  path: string,
  options: DeleteOptions,
): Promise<void> {
  const { signal, version } = options;
  const calls: SignalOptions = signal === undefined ? {} : { signal };
  const left = new Map<string, ZkError>();
  for (let round = 1; ; round++) {
    const paths = await listBelow(client, path, calls, left, round === 1);
    await deleteAll(client, paths.reverse(), calls, left);
    try {
      await client.delete(path, { ...calls, ...(version === undefined ? {} : { version }) });
      return;
    } catch (error) {
      if (error instanceof NoNodeError && round > 1) return;
      if (!(error instanceof NotEmptyError)) throw error;
      if (left.size > 0) throw new DeleteTreeError(path, [...left.values()]);
      if (round === ROUNDS_MAX) throw error;
    }
  }
}

/** Parents before their children, `path` itself not. */
async function listBelow(
  client: ZkClient,
  path: string,
  calls: SignalOptions,
  left: Map<string, ZkError>,
  mustExist: boolean,
): Promise<string[]> {
  const all: string[] = [];
  let level = [path];
  while (level.length > 0) {
    const lists = await Promise.all(
      level.map(async (parent) => {
        try {
          const { children } = await client.getChildren(parent, calls);
          return children.map((name) => join(parent, name));
        } catch (error) {
          if (parent === path && (mustExist || error instanceof NoAuthError)) throw error;
          if (error instanceof NoAuthError) left.set(parent, error);
          else if (!(error instanceof NoNodeError)) throw error;
          return [];
        }
      }),
    );
    level = lists.flat();
    all.push(...level);
  }
  return all;
}

async function deleteAll(
  client: ZkClient,
  paths: readonly string[],
  calls: SignalOptions,
  left: Map<string, ZkError>,
): Promise<void> {
  for (let at = 0; at < paths.length;) {
    const transaction = client.transaction();
    const from = at;
    let characters = 0;
    while (at < paths.length && at - from < BATCH_DELETES && characters < BATCH_CHARACTERS) {
      const path = paths[at++]!;
      characters += path.length;
      transaction.delete(path);
    }
    try {
      await transaction.commit(calls);
    } catch (error) {
      if (!(error instanceof TransactionError)) throw error;
      await deleteEach(client, paths.slice(from, at), calls, left);
    }
  }
}

/** One of a batch could not be deleted: each by itself. */
async function deleteEach(
  client: ZkClient,
  paths: readonly string[],
  calls: SignalOptions,
  left: Map<string, ZkError>,
): Promise<void> {
  await Promise.all(
    paths.map(async (path) => {
      try {
        await client.delete(path, calls);
      } catch (error) {
        if (error instanceof NoAuthError) left.set(path, error);
        // gone already, or with children that came since: the next round finds them
        else if (!(error instanceof NoNodeError) && !(error instanceof NotEmptyError)) throw error;
      }
    }),
  );
}
