/**
 * Answers over very many znodes, made over several turns: a list of a million children takes 100 ms,
 * and so does counting the znodes below one; no step of the loop may. The list is of one moment (the tree keeps what dies meanwhile, and
 * skips what is born), its reply carries that moment's zxid, and everything else the connection is
 * told waits behind it, so nobody can tell that it took more than one turn.
 */
import { OpCode } from '../protocol/opcodes.js';
import { Writer } from '../protocol/writer.js';
import type { NodeId } from '../tree/tree.js';
import type { ClientConnection } from './connection.js';
import { writeName, writeStat } from './reads.js';

/** Lists up to this long are answered in the turn they are asked for. */
const CHILDREN_AT_ONCE = 5000;
const CHILDREN_PER_STEP = 5000;
const COUNTED_PER_STEP = 10_000;
const HEADER_BYTES = 20;

export interface Listing {
  /** Lets go of the tree; nothing is sent. */
  cancel(): void;
}

/** Null when the list is short enough to be answered at once. */
export function startListing(
  connection: ClientConnection,
  op: number,
  xid: number,
  node: NodeId,
): Listing | null {
  const { port } = connection;
  const { tree } = port;
  const count = tree.numChildren(node);
  if (count <= CHILDREN_AT_ONCE) return null;
  const out = beginReply(connection, xid, count * 16);
  out.writeInt(count);
  const stat = new Writer(80);
  if (op === OpCode.getChildren2) writeStat(tree, node, stat);
  const children = tree.listChildren(node);
  const visit = (child: NodeId): void => writeName(tree, child, out);
  return inSteps(connection, children, () => {
    if (children.step(visit, CHILDREN_PER_STEP)) return null;
    out.writeBytes(stat.bytes, 0, stat.pos);
    return out;
  });
}

/** The number of znodes below `node`, or a listing that will answer it. */
export function startCount(
  connection: ClientConnection,
  xid: number,
  node: NodeId,
): number | Listing {
  const { tree } = connection.port;
  // the count has the root twice, as Apache's znode_count has it under "" and "/"
  if (tree.parentOf(node) === 0) return tree.nodeCount - 2;
  const descendants = tree.countDescendants(node);
  if (!descendants.step(COUNTED_PER_STEP)) {
    descendants.close();
    return descendants.count;
  }
  const out = beginReply(connection, xid, 4);
  return inSteps(connection, descendants, () => {
    if (descendants.step(COUNTED_PER_STEP)) return null;
    out.writeInt(descendants.count);
    return out;
  });
}

/** A reply of this moment, in a buffer of its own. */
function beginReply(connection: ClientConnection, xid: number, bodyBytes: number): Writer {
  const { port } = connection;
  const out = new Writer(HEADER_BYTES + 4 + bodyBytes);
  out.writeInt(0);
  out.writeInt(xid);
  out.writeLongParts(port.zxidHigh, port.zxidLow);
  out.writeInt(0);
  return out;
}

/** Runs `step` once a turn until it gives the reply. */
function inSteps(
  connection: ClientConnection,
  held: { close(): void },
  step: () => Writer | null,
): Listing {
  let isCancelled = false;
  const run = (): void => {
    if (isCancelled) return;
    const reply = step();
    if (reply === null) {
      connection.port.soon(run);
      return;
    }
    held.close();
    reply.patchInt(0, reply.pos - 4);
    connection.finishListing(reply);
  };
  connection.port.soon(run);
  return {
    cancel() {
      if (isCancelled) return;
      isCancelled = true;
      held.close();
    },
  };
}
