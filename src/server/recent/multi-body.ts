/**
 * The body of a multi's reply, from the transaction itself: what its asker is told (write-replies.ts),
 * by a server that never saw the request.
 */
import { Reader } from '../../protocol/reader.js';
import type { Writer } from '../../protocol/writer.js';
import type { Tree } from '../../tree/tree.js';
import { beginPart, endMulti, endPart, hasPath } from '../multi-reply.js';

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
    beginPart(tree, type, i, out);
    if (hasPath(type)) writePath(bytes, viewStart, viewEnd, out);
    endPart(tree, type, i, out);
  }
  endMulti(out);
}

/** What a part begins with, length and all. */
function writePath(bytes: Uint8Array, start: number, end: number, out: Writer): void {
  const from = out.pos;
  out.writeBytes(bytes, start, Math.min(end, start + 4));
  const length = new DataView(out.bytes.buffer).getInt32(from);
  out.writeBytes(bytes, start + 4, start + 4 + length);
}
