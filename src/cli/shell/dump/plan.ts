/**
 * What would have to change so that a tree is as a dump says. Comparing first and writing afterwards
 * is what makes an import safe to repeat: what is as it should be is left alone, so one that stopped
 * half-way goes on where it stopped, and what stands in the way is known before anything is written.
 */
import type { Acl } from '../../../client/types.js';
import { parentOf } from '../../../protocol/paths.js';
import { isSameAcl } from '../acl-text.js';
import { hex } from '../stat-text.js';
import type { Dump, DumpedNode } from './dump.js';
import { underRoot, type LiveNode } from './live-tree.js';

export type Change =
  | { readonly type: 'create'; readonly path: string; readonly node: DumpedNode }
  | {
      readonly type: 'data';
      readonly path: string;
      readonly from: Buffer;
      readonly to: Buffer;
      /** Of what was compared. */
      readonly version: number;
    }
  | {
      readonly type: 'acl';
      readonly path: string;
      readonly from: readonly Acl[];
      readonly to: readonly Acl[];
      readonly version: number;
    }
  | { readonly type: 'delete'; readonly path: string; readonly version: number };

export interface Conflict {
  readonly path: string;
  readonly reason: string;
}

export interface Plan {
  /** In the order in which they can be made. */
  readonly changes: readonly Change[];
  /** What no change can bring about. */
  readonly conflicts: readonly Conflict[];
  /** As they should be. */
  readonly same: number;
  /** Only in the tree; deleted by the changes only where that was asked for. */
  readonly extra: readonly string[];
}

export function planOf(
  { nodes }: Dump,
  root: string,
  live: ReadonlyMap<string, LiveNode>,
  { prunes }: { readonly prunes: boolean },
): Plan {
  const [creates, updates, conflicts]: [Change[], Change[], Conflict[]] = [[], [], []];
  const known = new Set(nodes.map(({ path }) => path));
  let same = 0;
  for (const node of nodes) {
    const path = underRoot(root, node.path);
    const now = live.get(node.path);
    if (now === undefined) {
      const obstacle = obstacleTo(node, known, live);
      if (obstacle === null) creates.push({ type: 'create', path, node });
      else conflicts.push({ path, reason: obstacle });
      continue;
    }
    if (now.isEphemeral) {
      conflicts.push({ path, reason: `it is there, ephemeral, of session ${ownerOf(now)}` });
      continue;
    }
    const found = updatesOf(path, node, now);
    if (found.length === 0) same++;
    updates.push(...found);
  }
  const extra = [...live].filter(([path]) => !known.has(path));
  const deletes: Change[] = [];
  // what is below goes first; a parent of what goes with its session cannot go
  const kept = new Set<string>();
  extra.sort(([one], [other]) => (one < other ? 1 : -1));
  for (const [path, { isEphemeral, stat }] of extra) {
    if (isEphemeral || kept.has(path)) kept.add(parentOf(path));
    else deletes.push({ type: 'delete', path: underRoot(root, path), version: stat.version });
  }
  return {
    changes: [...creates, ...updates, ...(prunes ? deletes : [])],
    conflicts,
    same,
    extra: extra
      .filter(([, { isEphemeral }]) => !isEphemeral)
      .map(([path]) => underRoot(root, path))
      .reverse(),
  };
}

function obstacleTo(
  { path }: DumpedNode,
  known: ReadonlySet<string>,
  live: ReadonlyMap<string, LiveNode>,
): string | null {
  if (path === '/') return null;
  const parent = parentOf(path);
  const above = live.get(parent);
  if (above?.isEphemeral === true) return 'its parent is ephemeral, and cannot have children';
  if (above !== undefined || known.has(parent)) return null;
  return 'its parent is neither in the tree nor in the file';
}

function ownerOf({ stat }: LiveNode): string {
  return hex(stat.ephemeralOwner);
}

function updatesOf(path: string, node: DumpedNode, now: LiveNode): Change[] {
  const updates: Change[] = [];
  if (!node.data.equals(now.data)) {
    const { version } = now.stat;
    updates.push({ type: 'data', path, from: now.data, to: node.data, version });
  }
  if (!isSameAcl(node.acl, now.acl)) {
    const version = now.stat.aversion;
    updates.push({ type: 'acl', path, from: now.acl, to: node.acl, version });
  }
  return updates;
}
