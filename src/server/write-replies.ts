/**
 * What a client is told when its transaction has been applied: the body of each write's reply, from
 * the tree as the transaction left it.
 */
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import type { Writer } from '../protocol/writer.js';
import type { Tree } from '../tree/tree.js';
import { configPath } from '../txn/reconfig.js';
import type { ClientConnection } from './connection.js';
import { writeConnectResponse } from './handshake.js';
import { beginPart, endMulti, endPart, hasPath } from './multi-reply.js';
import type { PendingWrite } from './pending.js';
import { writeData, writeStat } from './reads.js';

export function answerWrite(
  connection: ClientConnection,
  pending: PendingWrite,
  zxidHigh: number,
  zxidLow: number,
): void {
  if (pending.op === OpCode.createSession) {
    writeConnectResponse(connection.output.begin(), connection, connection.session);
    return;
  }
  const out = connection.output.beginReply(pending.xid, zxidHigh, zxidLow, pending.error);
  if (pending.error === ErrorCode.ok) writeBody(connection.port.tree, pending, out);
  connection.output.endReply(out);
}

function writeBody(tree: Tree, pending: PendingWrite, out: Writer): void {
  switch (pending.op) {
    case OpCode.create:
    case OpCode.sync:
      out.writeString(pending.resultPath);
      return;
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      out.writeString(pending.resultPath);
      writeStat(tree, tree.findPath(pending.resultPath), out);
      return;
    case OpCode.setData:
    case OpCode.setACL:
      writeStat(tree, tree.findPath(pending.resultPath), out);
      return;
    case OpCode.reconfig:
      writeConfig(tree, out);
      return;
    case OpCode.multi:
      writeMulti(tree, pending, out);
      return;
    default:
  }
}

/** What `reconfig` answers is what getConfig would. */
function writeConfig(tree: Tree, out: Writer): void {
  const node = tree.findPath(configPath);
  writeData(tree, node, out);
  writeStat(tree, node, out);
}

function writeMulti(tree: Tree, pending: PendingWrite, out: Writer): void {
  const multi = pending.multi;
  if (multi === null) return;
  for (let i = 0; i < multi.types.length; i++) {
    const type = multi.types[i] ?? OpCode.error;
    beginPart(tree, type, i, out);
    if (hasPath(type)) out.writeString(multi.paths[i] ?? '');
    endPart(tree, type, i, out);
  }
  endMulti(out);
}
