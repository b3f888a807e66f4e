/**
 * The body of a multi's reply, part by part. Where the paths come from is the caller's: the request's own
 * record (write-replies.ts), or the transaction, on a server that never saw the request (recent/).
 */
import { ErrorCode } from '../protocol/errors.js';
import { statBytes } from '../protocol/limits.js';
import { OpCode } from '../protocol/opcodes.js';
import type { Writer } from '../protocol/writer.js';
import type { Tree } from '../tree/tree.js';
import { writeMultiHeader } from './reads.js';

/** Before the path, where the part has one. `type` is the transaction's; the tree has just applied it. */
export function beginPart(tree: Tree, type: number, part: number, out: Writer): void {
  if (type === OpCode.error) {
    const error = tree.multiResults[part] ?? ErrorCode.runtimeInconsistency;
    writeMultiHeader(out, OpCode.error, false, error);
    out.writeInt(error);
  } else writeMultiHeader(out, answeredAs(type), false, 0);
}

/** Between the two its path is told. */
export function hasPath(type: number): boolean {
  return type === OpCode.create || answeredAs(type) === OpCode.create2;
}

/** The stat that the znode had right after that part, whatever later parts did to it. */
export function endPart(tree: Tree, type: number, part: number, out: Writer): void {
  if (type !== OpCode.setData && answeredAs(type) !== OpCode.create2) return;
  out.writeBytes(tree.multiStats, part * statBytes, (part + 1) * statBytes);
}

export function endMulti(out: Writer): void {
  writeMultiHeader(out, -1, true, -1);
}

/** Containers and znodes with a TTL are answered as create2 is. */
function answeredAs(type: number): number {
  return type === OpCode.createContainer || type === OpCode.createTTL ? OpCode.create2 : type;
}
