/**
 * Goes through a subtree, parents before children, siblings by name. Many requests are under way at
 * once, so a large tree takes one round trip a level and not one a znode; what comes out is in order
 * all the same. Not a snapshot: znodes may come and go meanwhile, and those that went are left out.
 */
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import { join } from '../../protocol/paths.js';

/** Siblings whose listing is asked for ahead of their turn. */
const siblingsAhead = 64;

interface Listed {
  readonly children: readonly string[];
}

export interface WalkOptions {
  readonly signal: AbortSignal;
  /** 0: the root alone. */
  readonly depthMax?: number;
  /** A path that is left out, with all below it. */
  readonly skips?: (path: string) => boolean;
}

export async function walk<Node extends Listed>(
  root: string,
  load: (path: string) => Promise<Node>,
  enter: (path: string, node: Node, depth: number) => void,
  options: WalkOptions,
): Promise<void> {
  const { signal, depthMax = Infinity, skips } = options;
  const visit = async (path: string, node: Node, depth: number): Promise<void> => {
    enter(path, node, depth);
    if (depth >= depthMax) return;
    const children = [...node.children].sort();
    const paths = children.map((name) => join(path, name)).filter((at) => skips?.(at) !== true);
    const under: (Promise<Node | null> | undefined)[] = [];
    for (const [index, at] of paths.entries()) {
      for (
        let ahead = under.length;
        ahead < Math.min(paths.length, index + siblingsAhead);
        ahead++
      ) {
        const loading = orGone(load(paths[ahead] ?? at));
        // told when its turn comes; until then nobody waits for it
        loading.catch(() => undefined);
        under.push(loading);
      }
      signal.throwIfAborted();
      const child = await under[index];
      under[index] = undefined;
      if (child !== null && child !== undefined) await visit(at, child, depth + 1);
    }
  };
  await visit(root, await load(root), 0);
}

async function orGone<T>(loading: Promise<T>): Promise<T | null> {
  try {
    return await loading;
  } catch (error) {
    if (error instanceof ZkError && error.code === ErrorCode.noNode) return null;
    throw error;
  }
}
