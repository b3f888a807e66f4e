/**
 * The znodes of a running ensemble as a dump has them, each with the versions it had when it was read.
 * Reading takes many requests, so it is no snapshot: what changed meanwhile is counted.
 */
import type { Acl, Stat, ZkClient } from '../../../client/types.js';
import { ErrorCode, ZkError } from '../../../protocol/errors.js';
import { walk } from '../subtree.js';

export interface LiveNode {
  readonly data: Buffer;
  readonly acl: readonly Acl[];
  readonly stat: Stat;
  /** What else it may be, container or with a time to live, servers keep to themselves. */
  readonly isEphemeral: boolean;
}

export interface LiveTree {
  /** By their paths below the root, which is "/". */
  readonly nodes: ReadonlyMap<string, LiveNode>;
  /** The newest change when reading began. */
  readonly zxid: bigint;
  /** Znodes that changed after it. */
  readonly changed: number;
}

/** The servers' own; they make it themselves. */
const reserved = '/zookeeper';

/** Requests under way at once, where paths are asked for one by one. */
const pathsAhead = 128;

/** All of it; nothing when there is no such root. */
export async function readLiveTree(
  client: ZkClient,
  root: string,
  signal: AbortSignal,
  progress: (count: number) => void = () => undefined,
): Promise<LiveTree> {
  await client.sync(root, { signal });
  const zxid = client.lastZxid;
  const nodes = new Map<string, LiveNode>();
  let changed = 0;
  const load = async (path: string): Promise<LiveNode & { children: readonly string[] }> => {
    const [node, { children }] = await Promise.all([
      readLiveNode(client, path, signal),
      client.getChildren(path, { signal }),
    ]);
    return { ...node, children };
  };
  const enter = (path: string, node: LiveNode): void => {
    if (node.stat.mzxid > zxid || node.stat.pzxid > zxid) changed++;
    nodes.set(belowRoot(root, path), node);
    progress(nodes.size);
  };
  try {
    await walk(root, load, enter, { signal, skips: (path) => path === reserved });
  } catch (error) {
    if (nodes.size > 0 || !isNoNode(error)) throw error;
  }
  return { nodes, zxid, changed };
}

/** Those of the paths below the root that are there. */
export async function readLivePaths(
  client: ZkClient,
  root: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, LiveNode>> {
  await client.sync(root, { signal });
  const nodes = new Map<string, LiveNode>();
  for (let at = 0; at < paths.length; at += pathsAhead) {
    const some = paths.slice(at, at + pathsAhead);
    const found = await Promise.all(
      some.map((path) => orNull(readLiveNode(client, underRoot(root, path), signal))),
    );
    for (const [index, node] of found.entries()) {
      if (node !== null) nodes.set(some[index] ?? '', node);
    }
  }
  return nodes;
}

async function readLiveNode(
  client: ZkClient,
  path: string,
  signal: AbortSignal,
): Promise<LiveNode> {
  const [{ data, stat }, { acl }] = await Promise.all([
    client.getData(path, { signal }),
    client.getACL(path, { signal }),
  ]);
  return { data, acl, stat, isEphemeral: stat.ephemeralOwner !== 0n };
}

export function belowRoot(root: string, path: string): string {
  if (root === '/') return path;
  return path === root ? '/' : path.slice(root.length);
}

export function underRoot(root: string, path: string): string {
  if (root === '/') return path;
  return path === '/' ? root : `${root}${path}`;
}

async function orNull<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (isNoNode(error)) return null;
    throw error;
  }
}

function isNoNode(error: unknown): boolean {
  return error instanceof ZkError && error.code === ErrorCode.noNode;
}
