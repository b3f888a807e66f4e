/**
 * What a request is about, read from its bytes where they lie: for guards and metrics, which must not
 * make every request pay for what few need.
 */
import { isClientWrite, OpCode } from '../../protocol/opcodes.js';
import { decodeUtf8 } from '../../protocol/utf8.js';

/** xid and operation. */
const HEADER_BYTES = 8;

/** The path that it names first; null: it names none, or several (multi, setWatches). */
export function pathOfRequest(
  op: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): string | null {
  switch (op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.setData:
    case OpCode.getACL:
    case OpCode.setACL:
    case OpCode.getChildren:
    case OpCode.getChildren2:
    case OpCode.sync:
    case OpCode.checkWatches:
    case OpCode.removeWatches:
    case OpCode.addWatch:
    case OpCode.getEphemerals:
    case OpCode.getAllChildrenNumber:
      return stringAt(bytes, start + HEADER_BYTES, end);
    default:
      return null;
  }
}

/** The operation becomes a transaction, or would if it were a client's to ask for. */
export function isWriteOp(op: number): boolean {
  return isClientWrite(op) || op === OpCode.deleteContainer;
}

function stringAt(bytes: Uint8Array, at: number, end: number): string | null {
  if (at + 4 > end) return null;
  const length = int32At(bytes, at);
  if (length < 0 || length > end - at - 4) return null;
  return decodeUtf8(bytes, at + 4, at + 4 + length);
}

export function int32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
