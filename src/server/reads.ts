/**
 * Operations that change nothing: answered in the turn they arrive, from the applied tree, straight
 * into the connection's output. The common ones (getData, exists, getChildren) build no strings and
 * no objects unless a watch is set.
 */
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { Perms } from '../protocol/perms.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import { decodeUtf8 } from '../protocol/utf8.js';
import type { Writer } from '../protocol/writer.js';
import type { NodeId, Tree } from '../tree/tree.js';
import type { Acl, Caller } from '../txn/authorize.js';
import { writeAcls } from '../txn/acl-codec.js';
import { readParts } from '../txn/multi.js';
import { userNameOf } from './authenticate.js';
import type { ClientPort } from './client-port.js';
import type { ClientConnection } from './connection.js';
import { startCount, startListing } from './listing.js';
import { addWatch, checkWatches, removeWatches, setWatches } from './watch-requests.js';

const STAT_BYTES = 68;

/** Answers, or begins an answer that takes several turns (a very long list of children). */
export function answerRead(
  connection: ClientConnection,
  op: number,
  xid: number,
  reader: Reader,
  caller: Caller,
  /** The session had ended when the request came. */
  hasEnded: boolean,
): void {
  const { port, output } = connection;
  // events that setWatches owes leave before its reply, so they are encoded before it begins
  const early = op === OpCode.setWatches || op === OpCode.setWatches2;
  let error: number = early
    ? guarded(() => (hasEnded ? ErrorCode.sessionExpired : setWatches(connection, op, reader)))
    : ErrorCode.ok;
  const out = output.beginReply(xid, port.zxidHigh, port.zxidLow, ErrorCode.ok);
  if (!early) {
    try {
      error = hasEnded
        ? ErrorCode.sessionExpired
        : readInto(connection, op, xid, reader, out, caller);
    } catch (problem) {
      if (!(problem instanceof MalformedError)) throw problem;
      error = ErrorCode.marshallingError;
    }
  }
  if (error === ANSWERED_LATER) return;
  if (error !== ErrorCode.ok) output.failReply(out, error);
  if (error === ErrorCode.marshallingError) port.onMalformed(connection, op);
  output.endReply(out);
}

/** No error code: the reply will be made by a listing, and what follows waits behind it. */
export const ANSWERED_LATER = 1;

function guarded(run: () => number): number {
  try {
    return run();
  } catch (problem) {
    if (!(problem instanceof MalformedError)) throw problem;
    return ErrorCode.marshallingError;
  }
}

function readInto(
  connection: ClientConnection,
  op: number,
  xid: number,
  reader: Reader,
  out: Writer,
  caller: Caller,
): number {
  switch (op) {
    case OpCode.getData:
      return getData(connection, reader, out, caller, true);
    case OpCode.exists:
      return exists(connection, reader, out, caller);
    case OpCode.getChildren:
    case OpCode.getChildren2:
      return getChildren(connection, op, xid, reader, out, caller);
    case OpCode.getACL:
      return getAcl(connection.port, reader, out, caller);
    case OpCode.sync:
      out.writeString(reader.readString());
      return ErrorCode.ok;
    case OpCode.multiRead:
      return multiRead(connection, reader, out, caller);
    case OpCode.checkWatches:
      return checkWatches(connection, reader);
    case OpCode.removeWatches:
      return removeWatches(connection, reader);
    case OpCode.addWatch:
      return addWatch(connection, reader, out);
    case OpCode.getEphemerals:
      return getEphemerals(connection, reader, out);
    case OpCode.getAllChildrenNumber:
      return getAllChildrenNumber(connection, xid, reader, out, caller);
    case OpCode.whoAmI:
      return whoAmI(caller, out);
    default:
      throw new MalformedError(`operation ${op} is no read`);
  }
}

/** Finds the znode that the request names; leaves the path's range in the reader's view. */
function findNode(tree: Tree, reader: Reader): NodeId {
  if (reader.readBufferView() < 0) throw new MalformedError('a request without a path');
  return tree.find(reader.bytes, reader.viewStart, reader.viewEnd);
}

function pathIn(reader: Reader, start: number, end: number): string {
  return decodeUtf8(reader.bytes, start, end);
}

function mayRead(port: ClientPort, node: NodeId, perms: number, caller: Caller): boolean {
  const aclId = port.tree.aclId(node);
  return aclId === OPEN_ACL_ID || port.allows(port.tree.acls.get(aclId), perms, caller);
}

const OPEN_ACL_ID = -1;

function getData(
  connection: ClientConnection,
  reader: Reader,
  out: Writer,
  caller: Caller,
  /** A multiRead sets none, even where its parts ask for them. */
  maySetWatch: boolean,
): number {
  const { port } = connection;
  const { tree } = port;
  const node = findNode(tree, reader);
  const pathStart = reader.viewStart;
  const pathEnd = reader.viewEnd;
  const wantsWatch = reader.readBool();
  if (node === 0) return ErrorCode.noNode;
  if (!mayRead(port, node, Perms.read, caller)) return ErrorCode.noAuth;
  if (wantsWatch && maySetWatch) {
    port.watches.watchData(pathIn(reader, pathStart, pathEnd), connection);
  }
  writeData(tree, node, out);
  writeStat(tree, node, out);
  countRead(port, reader, pathStart, pathEnd, tree.dataLength(node));
  return ErrorCode.ok;
}

/** By namespace, as Apache counts: the path, what was read, and the stat. */
function countRead(
  port: ClientPort,
  reader: Reader,
  pathStart: number,
  pathEnd: number,
  byteCount: number,
): void {
  port.figures.readNode(reader.bytes, pathStart, pathEnd, byteCount + STAT_BYTES);
}

export function writeData(tree: Tree, node: NodeId, out: Writer): void {
  if (tree.dataIsNull(node)) {
    out.writeInt(-1);
    return;
  }
  const length = tree.dataLength(node);
  out.writeInt(length);
  out.ensure(length + STAT_BYTES);
  tree.dataInto(node, out.bytes, out.pos);
  out.pos += length;
}

export function writeStat(tree: Tree, node: NodeId, out: Writer): void {
  out.ensure(STAT_BYTES);
  tree.statInto(node, out.bytes, out.pos);
  out.pos += STAT_BYTES;
}

function exists(connection: ClientConnection, reader: Reader, out: Writer, caller: Caller): number {
  const { port } = connection;
  const node = findNode(port.tree, reader);
  const pathStart = reader.viewStart;
  const pathEnd = reader.viewEnd;
  const wantsWatch = reader.readBool();
  if (node === 0 && hasNul(reader.bytes, pathStart, pathEnd)) return ErrorCode.badArguments;
  // the ACL is asked even for existence (ZOOKEEPER-2590)
  if (node !== 0 && !mayRead(port, node, Perms.read, caller)) return ErrorCode.noAuth;
  if (wantsWatch) port.watches.watchData(pathIn(reader, pathStart, pathEnd), connection);
  if (node === 0) return ErrorCode.noNode;
  writeStat(port.tree, node, out);
  countRead(port, reader, pathStart, pathEnd, 0);
  return ErrorCode.ok;
}

function hasNul(bytes: Uint8Array, start: number, end: number): boolean {
  const at = bytes.indexOf(0, start);
  return at !== -1 && at < end;
}

function getChildren(
  connection: ClientConnection,
  op: number,
  xid: number,
  reader: Reader,
  out: Writer,
  caller: Caller,
): number {
  const { port } = connection;
  const { tree } = port;
  const node = findNode(tree, reader);
  const pathStart = reader.viewStart;
  const pathEnd = reader.viewEnd;
  const wantsWatch = reader.readBool();
  if (node === 0) return ErrorCode.noNode;
  if (!mayRead(port, node, Perms.read, caller)) return ErrorCode.noAuth;
  if (wantsWatch) port.watches.watchChildren(pathIn(reader, pathStart, pathEnd), connection);
  const listing = startListing(connection, op, xid, node);
  if (listing !== null) {
    connection.output.awaitListing(listing);
    return ANSWERED_LATER;
  }
  const childrenStart = out.pos;
  writeChildren(tree, node, out);
  countRead(port, reader, pathStart, pathEnd, out.pos - childrenStart);
  if (op === OpCode.getChildren2) writeStat(tree, node, out);
  return ErrorCode.ok;
}

function writeChildren(tree: Tree, node: NodeId, out: Writer): void {
  out.writeInt(tree.numChildren(node));
  for (let child = tree.firstChild(node); child !== 0; child = tree.nextSibling(child)) {
    writeName(tree, child, out);
  }
}

export function writeName(tree: Tree, node: NodeId, out: Writer): void {
  const length = tree.nameLength(node);
  out.writeInt(length);
  out.ensure(length);
  tree.nameInto(node, out.bytes, out.pos);
  out.pos += length;
}

function getAcl(port: ClientPort, reader: Reader, out: Writer, caller: Caller): number {
  const { tree } = port;
  const node = findNode(tree, reader);
  if (node === 0) return ErrorCode.noNode;
  if (!mayRead(port, node, Perms.read | Perms.admin, caller)) return ErrorCode.noAuth;
  const acls = tree.acls.get(tree.aclId(node)) as readonly Acl[];
  writeAcls(out, mayRead(port, node, Perms.admin, caller) ? acls : acls.map(withoutHash));
  writeStat(tree, node, out);
  return ErrorCode.ok;
}

/** Whoever may not administer the znode does not get to see password hashes (CVE-2019-0201). */
function withoutHash(acl: Acl): Acl {
  if (acl.id?.scheme !== 'digest' || acl.id.id === null) return acl;
  return { perms: acl.perms, id: { scheme: 'digest', id: acl.id.id.replace(/:.*/u, ':x') } };
}

function multiRead(
  connection: ClientConnection,
  reader: Reader,
  out: Writer,
  caller: Caller,
): number {
  if (readParts(reader).kind === 'writes') {
    // Apache has begun its answer when it stumbles: the error comes with an empty list
    writeMultiHeader(out, -1, true, -1);
    connection.output.patchError(out, ErrorCode.marshallingError);
    return ErrorCode.ok;
  }
  for (;;) {
    const type = reader.readInt();
    const isDone = reader.readBool();
    reader.readInt();
    if (isDone) break;
    const start = out.pos;
    writeMultiHeader(out, type, false, 0);
    const error = readPart(connection, type, reader, out, caller);
    if (error === ErrorCode.ok) continue;
    out.pos = start;
    writeMultiHeader(out, OpCode.error, false, error);
    out.writeInt(error);
  }
  writeMultiHeader(out, -1, true, -1);
  return ErrorCode.ok;
}

function readPart(
  connection: ClientConnection,
  type: number,
  reader: Reader,
  out: Writer,
  caller: Caller,
): number {
  if (type === OpCode.getData) return getData(connection, reader, out, caller, false);
  if (type !== OpCode.getChildren) throw new MalformedError(`operation ${type} in a multiRead`);
  const { port } = connection;
  const node = findNode(port.tree, reader);
  reader.readBool();
  if (node === 0) return ErrorCode.noNode;
  if (!mayRead(port, node, Perms.read, caller)) return ErrorCode.noAuth;
  writeChildren(port.tree, node, out);
  return ErrorCode.ok;
}

export function writeMultiHeader(out: Writer, type: number, isDone: boolean, error: number): void {
  out.writeInt(type);
  out.writeBool(isDone);
  out.writeInt(error);
}

function getEphemerals(connection: ClientConnection, reader: Reader, out: Writer): number {
  const { tree } = connection.port;
  const prefix = (reader.readString() ?? '').trim();
  const countAt = out.pos;
  out.writeInt(0);
  let count = 0;
  const session = connection.session;
  if (session === null) return ErrorCode.sessionExpired;
  for (const node of tree.ephemeralsOf(session.idHigh, session.idLow)) {
    const path = tree.pathOf(node);
    if (prefix !== '' && prefix !== '/' && !path.startsWith(prefix)) continue;
    out.writeString(path);
    count++;
  }
  out.patchInt(countAt, count);
  return ErrorCode.ok;
}

function getAllChildrenNumber(
  connection: ClientConnection,
  xid: number,
  reader: Reader,
  out: Writer,
  caller: Caller,
): number {
  const { port } = connection;
  const { tree } = port;
  const node = findNode(tree, reader);
  if (node === 0) return ErrorCode.noNode;
  if (!mayRead(port, node, Perms.read, caller)) return ErrorCode.noAuth;
  // the empty path is the root under its other name, which Apache counts as if it were below it
  const isAlias = reader.viewStart === reader.viewEnd ? 1 : 0;
  const count = startCount(connection, xid, node);
  if (typeof count !== 'number') {
    connection.output.awaitListing(count);
    return ANSWERED_LATER;
  }
  out.writeInt(count + isAlias);
  return ErrorCode.ok;
}

function whoAmI(caller: Caller, out: Writer): number {
  out.writeInt(caller.authIds.length);
  for (const id of caller.authIds) {
    out.writeString(id.scheme);
    out.writeString(userNameOf(id));
  }
  return ErrorCode.ok;
}
