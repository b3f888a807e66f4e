/**
 * The body of a multi's reply, from the transaction itself: what its asker is told (write-replies.ts),
 * by a server that never saw the request.
 */
import { ErrorCode } from '../../protocol/errors.js';
import { statBytes } from '../../protocol/limits.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import type { Writer } from '../../protocol/writer.js';
import type { Tree } from '../../tree/tree.js';
import { writeMultiHeader } from '../reads.js';

const parts = new Reader();

/** The transaction's record is bytes[start, end), and the tree has just applied it. */
export function writeMultiBody(
  tree: Tree,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Writer,
): void {
  const reader = parts.reset(bytes, start, end);
  const count = reader.readInt();
  for (let i = 0; i < count; i++) {
    const type = reader.readInt();
    reader.readBufferView();
    const { viewStart, viewEnd } = reader;
    switch (type) {
      case OpCode.create:
        writeMultiHeader(out, OpCode.create, false, 0);
        writePath(bytes, viewStart, viewEnd, out);
        break;
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        writeMultiHeader(out, OpCode.create2, false, 0);
        writePath(bytes, viewStart, viewEnd, out);
        writeStatOf(tree, i, out);
        break;
      case OpCode.setData:
        writeMultiHeader(out, OpCode.setData, false, 0);
        writeStatOf(tree, i, out);
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

/** What a part begins with, length and all. */
function writePath(bytes: Uint8Array, start: number, end: number, out: Writer): void {
  const from = out.pos;
  out.writeBytes(bytes, start, Math.min(end, start + 4));
  const length = new DataView(out.bytes.buffer).getInt32(from);
  out.writeBytes(bytes, start + 4, start + 4 + length);
}

function writeStatOf(tree: Tree, part: number, out: Writer): void {
  out.writeBytes(tree.multiStats, part * statBytes, (part + 1) * statBytes);
}
