/**
 * create, create2, createContainer, createTTL. The checks stand in the order in which Apache makes
 * them, because a request that breaks two rules must get the same error from us.
 */
import {
  isContainer,
  isCreateMode,
  isEphemeral,
  isSequential,
  isTtl,
} from '../protocol/create-mode.js';
import { crc32 } from '../protocol/crc32.js';
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { validatePath } from '../protocol/paths.js';
import type { Reader } from '../protocol/reader.js';
import { Perms } from '../protocol/perms.js';
import type { Writer } from '../protocol/writer.js';
import { settleAcl } from './acl.js';
import { OPEN_ACL, readAcls, writeAcls } from './acl-codec.js';
import { StatAt } from './change-record.js';
import type { PrepareContext } from './context.js';
import { ownerTypeOf, TTL_MAX_MS, writeTtlOwner } from './owner.js';
import { judgeQuota } from './quota.js';

const OPEN = { acl: OPEN_ACL };

/** The session must live, and only one that the whole ensemble knows can own a znode. */
function refusalOf(flags: number, context: PrepareContext): number {
  const { session } = context;
  if (session === null || session.isClosing) return ErrorCode.sessionExpired;
  if (session.locality === 'global' || !isEphemeral(flags)) return ErrorCode.ok;
  // a client of another server is told by that one what is wrong: it knows why it did not upgrade
  return session.locality === 'here' ? ErrorCode.ephemeralOnLocalSession : ErrorCode.sessionExpired;
}

/** Reads the request, writes the transaction's record, changes the overlay; or an error code. */
export function prepareCreate(asked: number, context: PrepareContext, out: Writer): number {
  const reader = context.reader;
  const path = reader.readString();
  const dataLength = reader.readBufferView();
  const dataStart = reader.viewStart;
  const wantedAcl = readAcls(reader);
  const flags = reader.readInt();
  const ttl = asked === OpCode.createTTL ? readTtl(reader) : -1;
  if (!isCreateMode(flags)) return ErrorCode.badArguments;
  const op = context.isInMulti ? typeByFlags(asked, flags) : asked;
  if (op === OpCode.createTTL && !isTtl(flags)) return ErrorCode.badArguments;
  if (isTtl(flags) && !context.options.extendedTypesEnabled) return ErrorCode.unimplemented;
  if (isTtl(flags) ? ttl <= 0 || ttl > TTL_MAX_MS : ttl >= 0) return ErrorCode.badArguments;
  const refusal = refusalOf(flags, context);
  if (refusal !== ErrorCode.ok) return refusal;
  if (path === null) return ErrorCode.marshallingError;
  const slash = path.lastIndexOf('/');
  if (slash === -1 || path.includes('\0')) return ErrorCode.badArguments;
  const settled =
    wantedAcl === OPEN_ACL ? OPEN : settleAcl(wantedAcl, context.caller, context.options.schemes);
  if ('error' in settled) return settled.error;
  const { acl } = settled;

  const parentPath = slash === 0 ? '/' : path.slice(0, slash);
  const parent = context.outstanding.look(parentPath);
  if (parent === null) return ErrorCode.noNode;
  if (!context.allows(parent.acl, Perms.create)) return ErrorCode.noAuth;
  const parentCversion = parent.int(StatAt.cversion);
  const created = isSequential(flags) ? path + sequenceSuffix(parentCversion) : path;
  if (validatePath(created) !== null) return ErrorCode.badArguments;
  if (context.outstanding.look(created) !== null) return ErrorCode.nodeExists;
  if (ownerTypeOf(parent.stat, StatAt.ephemeralOwner, context.options) === 'ephemeral') {
    return ErrorCode.noChildrenForEphemerals;
  }
  const cversion = (parentCversion + 1) | 0;
  if (context.options.enforceQuota && !withinQuota(context, created, Math.max(0, dataLength))) {
    return ErrorCode.quotaExceeded;
  }

  const pathStart = out.pos + 4;
  out.writeString(created);
  const pathEnd = out.pos;
  if (dataLength < 0) out.writeInt(-1);
  else {
    out.writeInt(dataLength);
    out.writeBytes(reader.bytes, dataStart, dataStart + dataLength);
  }
  const dataEnd = out.pos;
  writeAcls(out, acl);
  if (op === OpCode.createContainer) out.writeInt(cversion);
  else if (op === OpCode.createTTL) {
    out.writeInt(cversion);
    out.writeLongParts(Math.floor(ttl / 0x1_0000_0000), ttl >>> 0);
  } else {
    out.writeBool(isEphemeral(flags));
    out.writeInt(cversion);
  }

  context.outstanding.change(parent);
  parent.numChildren++;
  parent.setInt(StatAt.cversion, cversion);
  parent.setLong(StatAt.pzxid, context.zxidHigh, context.zxidLow);
  context.outstanding.settle(parent);

  const node = context.outstanding.add(created);
  node.exists = true;
  node.numChildren = 0;
  node.acl = acl;
  node.dataLength = Math.max(0, dataLength);
  node.setLong(StatAt.czxid, context.zxidHigh, context.zxidLow);
  node.setLong(StatAt.mzxid, context.zxidHigh, context.zxidLow);
  node.setLong(StatAt.pzxid, context.zxidHigh, context.zxidLow);
  node.setLong(StatAt.ctime, context.timeHigh, context.timeLow);
  node.setLong(StatAt.mtime, context.timeHigh, context.timeLow);
  // what the transaction says is what counts: a plain create with a container's flags makes none
  if (op === OpCode.createContainer) node.setLong(StatAt.ephemeralOwner, 0x80000000, 0);
  else if (op === OpCode.createTTL) writeTtlOwner(node, ttl);
  else if (isEphemeral(flags)) {
    node.setLong(StatAt.ephemeralOwner, context.sessionHigh, context.sessionLow);
  }
  const afterPath = crc32(out.bytes, pathStart, pathEnd, 0);
  node.crcAfterData =
    dataLength > 0 ? crc32(out.bytes, pathEnd + 4, dataEnd, afterPath) : afterPath;
  context.outstanding.settle(node);
  context.resultPath = created;
  context.resultType = op;
  return ErrorCode.ok;
}

/** Inside a multi the flags decide what a create is; its own type only where they leave it open. */
function typeByFlags(asked: number, flags: number): number {
  if (isTtl(flags)) return OpCode.createTTL;
  if (isContainer(flags)) return OpCode.createContainer;
  return asked === OpCode.createTTL ? OpCode.create : asked;
}

function readTtl(reader: Reader): number {
  return Number(reader.readLong());
}

/** Ten digits of the parent's stored cversion; a negative one keeps its sign within the ten. */
export function sequenceSuffix(cversion: number): string {
  if (cversion >= 0) return String(cversion).padStart(10, '0');
  return `-${String(-cversion).padStart(9, '0')}`;
}

function withinQuota(context: PrepareContext, path: string, bytes: number): boolean {
  const verdict = judgeQuota(context.tree, path, bytes, 1);
  if (verdict.kind === 'within') return true;
  const isRefused = verdict.kind === 'hardExceeded';
  context.options.onQuotaExceeded(verdict.message, isRefused ? path : null);
  return !isRefused;
}
