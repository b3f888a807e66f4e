/**
 * What newer servers do in one step, done in many on those that cannot. Slower, and not of one
 * moment: the tree may change between the steps.
 */
import { ErrorCode, ZkError } from '../protocol/errors.js';
import { join } from '../protocol/paths.js';
import type { ReadOp, ReadResult, SignalOptions, ZkClient } from './types.js';

/** Every znode below, by listing each. Servers before 3.6. */
export async function countBelow(
  client: ZkClient,
  path: string,
  options: SignalOptions,
): Promise<number> {
  let count = 0;
  let level = [path];
  while (level.length > 0) {
    const lists = await Promise.all(
      level.map(async (parent) => {
        try {
          const { children } = await client.getChildren(parent, options);
          return children.map((name) => join(parent, name));
        } catch (error) {
          // gone since its parent was listed; the first one must be there
          if (isNoNode(error) && parent !== path) return [];
          throw error;
        }
      }),
    );
    level = lists.flat();
    count += level.length;
  }
  return count;
}

/** Each read by itself, sent together. Servers before 3.6. */
export async function readEach(
  client: ZkClient,
  ops: readonly ReadOp[],
  options: SignalOptions,
): Promise<(ReadResult | ZkError)[]> {
  return await Promise.all(
    ops.map(async ({ type, path }): Promise<ReadResult | ZkError> => {
      try {
        if (type === 'getData') return { type, ...(await client.getData(path, options)) };
        const { children } = await client.getChildren(path, options);
        return { type, children };
      } catch (error) {
        if (error instanceof ZkError && isAnswered(error)) return error;
        throw error;
      }
    }),
  );
}

/** The server said no to this read alone. */
function isAnswered(error: ZkError): boolean {
  return error.code === ErrorCode.noNode || error.code === ErrorCode.noAuth;
}

function isNoNode(error: unknown): boolean {
  return error instanceof ZkError && error.code === ErrorCode.noNode;
}
