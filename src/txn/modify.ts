/**
 * The operations on one existing znode: delete, setData, setACL, check, and the server's own
 * deleteContainer. Each reads its request, judges it against the overlay in Apache's order of
 * checks, writes the transaction's record and changes the overlay.
 */
import { crc32 } from '../protocol/crc32.js';
import { ErrorCode } from '../protocol/errors.js';
import { parentOf, validatePath } from '../protocol/paths.js';
import { Perms } from '../protocol/perms.js';
import type { Writer } from '../protocol/writer.js';
import { readAcls, writeAcls } from './acl-codec.js';
import { settleAcl } from './acl.js';
import { StatAt, type ChangeRecord } from './change-record.js';
import type { PrepareContext } from './context.js';
import { ownerTypeOf, ttlOf } from './owner.js';
import { judgeQuota } from './quota.js';

const ANY_VERSION = -1;

export function prepareDelete(context: PrepareContext, out: Writer): number {
  const path = context.reader.readString();
  const version = context.reader.readInt();
  if (context.sessionEnded()) return ErrorCode.sessionExpired;
  if (path === null) return ErrorCode.marshallingError;
  if (!mayBeDeleted(path)) return ErrorCode.badArguments;
  const parent = context.outstanding.look(parentOf(path));
  if (parent === null) return ErrorCode.noNode;
  if (!context.allows(parent.acl, Perms.delete)) return ErrorCode.noAuth;
  const node = context.outstanding.look(path);
  if (node === null) return ErrorCode.noNode;
  if (!versionFits(node.int(StatAt.version), version)) return ErrorCode.badVersion;
  if (node.numChildren > 0) return ErrorCode.notEmpty;
  out.writeString(path);
  removeNode(context, parent, node);
  return ErrorCode.ok;
}

/** A container or TTL znode whose time has come; a client may never ask for it. */
export function prepareDeleteContainer(context: PrepareContext, out: Writer): number {
  const path = context.reader.readString();
  if (path === null || !mayBeDeleted(path)) return ErrorCode.badArguments;
  const node = context.outstanding.look(path);
  if (node === null) return ErrorCode.noNode;
  if (node.numChildren > 0) return ErrorCode.notEmpty;
  // what was due when it was looked for may be another znode by now, or have been written to
  if (!isStillDue(node, context)) return ErrorCode.badVersion;
  const parent = context.outstanding.look(parentOf(path));
  if (parent === null) return ErrorCode.noNode;
  out.writeString(path);
  removeNode(context, parent, node);
  return ErrorCode.ok;
}

function isStillDue(node: ChangeRecord, context: PrepareContext): boolean {
  switch (ownerTypeOf(node.stat, StatAt.ephemeralOwner, context.options)) {
    case 'container':
      return true;
    case 'ttl': {
      const mtimeMs =
        (node.int(StatAt.mtime) >>> 0) * 0x1_0000_0000 + (node.int(StatAt.mtime + 4) >>> 0);
      const nowMs = (context.timeHigh >>> 0) * 0x1_0000_0000 + (context.timeLow >>> 0);
      return nowMs - mtimeMs > ttlOf(node);
    }
    case 'none':
    case 'ephemeral':
      return false;
  }
}

export function prepareSetData(context: PrepareContext, out: Writer): number {
  const reader = context.reader;
  const path = reader.readString();
  const dataLength = reader.readBufferView();
  const dataStart = reader.viewStart;
  const wanted = reader.readInt();
  if (context.sessionEnded()) return ErrorCode.sessionExpired;
  if (path === null || validatePath(path) !== null) return ErrorCode.badArguments;
  const node = context.outstanding.look(path);
  if (node === null) return ErrorCode.noNode;
  if (!context.allows(node.acl, Perms.write)) return ErrorCode.noAuth;
  if (context.options.enforceQuota) {
    const verdict = judgeQuota(context.tree, path, Math.max(0, dataLength) - node.dataLength, 0);
    const isRefused = verdict.kind === 'hardExceeded';
    if (verdict.kind !== 'within') {
      context.options.onQuotaExceeded(verdict.message, isRefused ? path : null);
    }
    if (isRefused) return ErrorCode.quotaExceeded;
  }
  const current = node.int(StatAt.version);
  if (!versionFits(current, wanted)) return ErrorCode.badVersion;
  const version = (current + 1) | 0;

  const pathStart = out.pos + 4;
  out.writeString(path);
  const pathEnd = out.pos;
  if (dataLength < 0) out.writeInt(-1);
  else {
    out.writeInt(dataLength);
    out.writeBytes(reader.bytes, dataStart, dataStart + dataLength);
  }
  const dataEnd = out.pos;
  out.writeInt(version);
  context.resultPath = path;

  context.outstanding.change(node);
  node.setInt(StatAt.version, version);
  node.setLong(StatAt.mtime, context.timeHigh, context.timeLow);
  node.setLong(StatAt.mzxid, context.zxidHigh, context.zxidLow);
  node.dataLength = Math.max(0, dataLength);
  // the root's path counts as empty in the digest
  const afterPath = path === '/' ? 0 : crc32(out.bytes, pathStart, pathEnd, 0);
  node.crcAfterData =
    dataLength > 0 ? crc32(out.bytes, pathEnd + 4, dataEnd, afterPath) : afterPath;
  context.outstanding.settle(node);
  return ErrorCode.ok;
}

export function prepareSetAcl(context: PrepareContext, out: Writer): number {
  const path = context.reader.readString();
  const wantedAcl = readAcls(context.reader);
  const wanted = context.reader.readInt();
  if (context.sessionEnded()) return ErrorCode.sessionExpired;
  if (path === null || validatePath(path) !== null) return ErrorCode.badArguments;
  const settled = settleAcl(wantedAcl, context.caller, context.options.schemes);
  if ('error' in settled) return settled.error;
  const { acl } = settled;
  const node = context.outstanding.look(path);
  if (node === null) return ErrorCode.noNode;
  if (!context.allows(node.acl, Perms.admin)) return ErrorCode.noAuth;
  const current = node.int(StatAt.aversion);
  if (!versionFits(current, wanted)) return ErrorCode.badVersion;
  const aversion = (current + 1) | 0;
  out.writeString(path);
  writeAcls(out, acl);
  out.writeInt(aversion);
  context.resultPath = path;
  context.outstanding.change(node);
  node.acl = acl;
  node.setInt(StatAt.aversion, aversion);
  context.outstanding.settle(node);
  return ErrorCode.ok;
}

/** Inside a multi only: it changes nothing, and its record carries the version that would be next. */
export function prepareCheck(context: PrepareContext, out: Writer): number {
  const path = context.reader.readString();
  const wanted = context.reader.readInt();
  if (context.sessionEnded()) return ErrorCode.sessionExpired;
  if (path === null || validatePath(path) !== null) return ErrorCode.badArguments;
  const node = context.outstanding.look(path);
  if (node === null) return ErrorCode.noNode;
  if (!context.allows(node.acl, Perms.read)) return ErrorCode.noAuth;
  const current = node.int(StatAt.version);
  if (!versionFits(current, wanted)) return ErrorCode.badVersion;
  out.writeString(path);
  out.writeInt((current + 1) | 0);
  return ErrorCode.ok;
}

/**
 * closeSession: the ephemerals that the session will own when its turn comes are listed in the
 * transaction, so that every replica deletes the same ones at the same zxid. The session is closing
 * from here on.
 */
export function prepareCloseSession(context: PrepareContext, out: Writer): number {
  const paths = ephemeralsToClose(context);
  for (const path of paths) {
    const node = context.outstanding.look(path);
    const parent = context.outstanding.look(parentOf(path));
    if (node !== null && parent !== null) removeNode(context, parent, node);
  }
  if (context.options.closeSessionTxnEnabled) {
    out.writeInt(paths.length);
    for (const path of paths) out.writeString(path);
  }
  if (context.session !== null) context.session.isClosing = true;
  return ErrorCode.ok;
}

function ephemeralsToClose(context: PrepareContext): string[] {
  const paths = new Set<string>();
  const { tree, outstanding, sessionHigh, sessionLow } = context;
  for (const node of tree.ephemeralsOf(sessionHigh, sessionLow)) paths.add(tree.pathOf(node));
  outstanding.forEachRecord((record) => {
    // where the overlay knows a path, it alone says whose it will be
    const isOwned =
      record.exists &&
      record.int(StatAt.ephemeralOwner) >>> 0 === sessionHigh >>> 0 &&
      record.int(StatAt.ephemeralOwner + 4) >>> 0 === sessionLow >>> 0;
    if (isOwned) paths.add(record.path);
    else paths.delete(record.path);
  });
  return [...paths];
}

function removeNode(context: PrepareContext, parent: ChangeRecord, node: ChangeRecord): void {
  context.outstanding.change(parent);
  parent.numChildren--;
  parent.setLong(StatAt.pzxid, context.zxidHigh, context.zxidLow);
  context.outstanding.settle(parent);
  context.outstanding.change(node);
  node.exists = false;
  context.outstanding.settle(node);
}

/** Not the root, nor the server's own nodes; the rest of the path's form was checked at creation. */
function mayBeDeleted(path: string): boolean {
  return path.includes('/') && !path.includes('\0') && !SPECIAL_PATHS.has(path);
}

const SPECIAL_PATHS: ReadonlySet<string> = new Set([
  '/',
  '/zookeeper',
  '/zookeeper/quota',
  '/zookeeper/config',
]);

function versionFits(current: number, wanted: number): boolean {
  return wanted === ANY_VERSION || wanted === current;
}
