/**
 * A tree as text, for tests and for people: one line for each znode, sorted by path, and one for each
 * thing that follows from them. Two trees are equal when their descriptions are.
 */
import { statBytes, statPersistedBytes } from '../protocol/limits.js';
import { NO_NODE, ROOT, type NodeId } from './node-store.js';
import type { Tree } from './tree.js';

export interface DescribeOptions {
  /** ACL ids depend on the way a tree was reached; their lists do not. Default false. */
  readonly withAclIds?: boolean;
}

/** Every living znode, in depth-first order. */
export function* znodesOf(tree: Tree): IterableIterator<NodeId> {
  let id: NodeId = ROOT;
  for (;;) {
    yield id;
    let next = tree.firstChild(id);
    while (next === NO_NODE) {
      if (id === ROOT) return;
      next = tree.nextSibling(id);
      id = tree.parentOf(id);
    }
    id = next;
  }
}

export function describeZnode(tree: Tree, id: NodeId, options: DescribeOptions = {}): string {
  const stat = new Uint8Array(statBytes);
  tree.statInto(id, stat, 0);
  const stored = new Uint8Array(statPersistedBytes);
  tree.persistedStatInto(id, stored, 0);
  const data = tree.data(id);
  const acl = tree.aclOf(id).map(({ perms, id: { scheme, id } }) => `${perms} ${scheme} ${id};`);
  return [
    tree.pathOf(id),
    data === null ? 'null' : `"${hexOf(data)}"`,
    acl.join(''),
    ...(options.withAclIds === true ? [`acl ${tree.aclId(id)}`] : []),
    hexOf(stat),
    hexOf(stored),
  ].join(' ');
}

export function describeTree(tree: Tree, options: DescribeOptions = {}): string[] {
  const znodes = [...znodesOf(tree)].map((id) => describeZnode(tree, id, options));
  const paths = (ids: Iterable<NodeId>): string =>
    [...ids]
      .map((id) => tree.pathOf(id))
      .sort()
      .join(' ');
  const sessions = [...tree.sessionsWithEphemerals()].map((session) => {
    const owned = tree.ephemeralsOf(Number(session >> 32n), Number(BigInt.asUintN(32, session)));
    return `session ${BigInt.asUintN(64, session).toString(16)}: ${paths(owned)}`;
  });
  const digest = (BigInt(tree.digestHigh) << 32n) | BigInt(tree.digestLow);
  return [
    ...znodes.sort(),
    ...sessions.sort(),
    `containers: ${paths(tree.containers())}`,
    `ttls: ${paths(tree.ttls())}`,
    `quotas: ${[...tree.quotaPaths()].sort().join(' ')}`,
    `nodes ${tree.nodeCount} ephemerals ${tree.ephemeralCount}`,
    `digest ${digest.toString(16)}`,
  ];
}

export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
