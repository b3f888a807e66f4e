/**
 * A tree as text, a line a znode, for comparing what memory holds with what the disk gives back and
 * with what the model says (S17, S19, S20).
 */
import { crc32 } from '../protocol/crc32.js';
import { StatPersisted, type ACL } from '../protocol/records.js';
import { Reader } from '../protocol/reader.js';
import type { NodeId, Tree } from '../tree/tree.js';
import { configPath, type Model } from './model.js';

export type Dump = ReadonlyMap<string, string>;

export function dumpTree(tree: Tree, sessions: Iterable<readonly [bigint, number]>): Dump {
  const lines = new Map<string, string>();
  const bytes = new Uint8Array(60);
  const visit = (id: NodeId): void => {
    tree.persistedStatInto(id, bytes, 0);
    const stat = StatPersisted.read(new Reader().reset(bytes, 0, 60));
    const { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner } = stat;
    lines.set(
      tree.pathOf(id),
      line(tree.data(id), tree.acls.get(tree.aclId(id)), [
        ...[czxid, mzxid, pzxid, ctime, mtime],
        ...[version, cversion, aversion, ephemeralOwner],
      ]),
    );
    for (let child = tree.firstChild(id); child !== 0; child = tree.nextSibling(child))
      visit(child);
  };
  visit(tree.findPath('/'));
  for (const [id, timeoutMs] of sessions) lines.set(`session ${id}`, String(timeoutMs));
  return lines;
}

export function dumpModel(model: Model): Dump {
  const lines = new Map<string, string>();
  for (const node of model.nodes.values()) {
    const { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner } = node;
    lines.set(
      node.path,
      line(node.data, node.acl, [
        ...[czxid, mzxid, pzxid, ctime, mtime],
        ...[version, cversion, aversion, owner],
      ]),
    );
  }
  for (const [id, timeoutMs] of model.sessions) lines.set(`session ${id}`, String(timeoutMs));
  return lines;
}

/** Without what each server writes for itself. */
export function shared(dump: Dump): Dump {
  const lines = new Map(dump);
  lines.delete(configPath);
  return lines;
}

/** Null: equal. Otherwise the first difference, in words. */
export function differenceOf(a: Dump, aName: string, b: Dump, bName: string): string | null {
  for (const [path, text] of a) {
    const other = b.get(path);
    if (other !== text) return `${path}: ${aName} ${text}, ${bName} ${other ?? 'nothing'}`;
  }
  for (const [path, text] of b) {
    if (!a.has(path)) return `${path}: ${aName} nothing, ${bName} ${text}`;
  }
  return null;
}

function line(data: Uint8Array | null, acl: readonly ACL[], numbers: (bigint | number)[]): string {
  const bytes = data === null ? 'null' : `<${data.length}> ${crc32(data, 0, data.length)}`;
  const rights = acl.map(({ perms, id }) => `${perms}:${id.scheme ?? ''}:${id.id ?? ''}`);
  return `${numbers.join(' ')} [${rights.join(',')}] ${bytes}`;
}
