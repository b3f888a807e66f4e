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
import type { PendingWrite } from './pending.js';
import { writeData, writeMultiHeader, writeStat } from './reads.js';

const STAT_BYTES = 68;

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
    const path = multi.paths[i] ?? '';
    switch (type) {
      case OpCode.create:
        writeMultiHeader(out, OpCode.create, false, 0);
        out.writeString(path);
        break;
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        writeMultiHeader(out, OpCode.create2, false, 0);
        out.writeString(path);
        writePartStat(tree, i, out);
        break;
      case OpCode.setData:
        writeMultiHeader(out, OpCode.setData, false, 0);
        writePartStat(tree, i, out);
        break;
      case OpCode.error: {
        const error = tree.multiResults[i] ?? ErrorCode.runtimeInconsistency;
        writeMultiHeader(out, OpCode.error, false, error);
        out.writeInt(error);
        break;
      }
      default:
        writeMultiHeader(out, type, false, 0);
    }
  }
  writeMultiHeader(out, -1, true, -1);
}

/** The stat that the znode had right after that part, whatever later parts did to it. */
function writePartStat(tree: Tree, part: number, out: Writer): void {
  out.writeBytes(tree.multiStats, part * STAT_BYTES, (part + 1) * STAT_BYTES);
}
