/** Which operations an operator means: by name, or all that read, or all that write. */
import { OpCode } from '../../protocol/opcodes.js';
import { opOfName } from '../telling/op-names.js';
import type { OpSelector } from './limits.js';

const readOps: ReadonlySet<number> = new Set([
  OpCode.exists,
  OpCode.getData,
  OpCode.getACL,
  OpCode.getChildren,
  OpCode.getChildren2,
  OpCode.multiRead,
  OpCode.addWatch,
  OpCode.setWatches,
  OpCode.setWatches2,
  OpCode.checkWatches,
  OpCode.removeWatches,
  OpCode.getEphemerals,
  OpCode.getAllChildrenNumber,
]);

export type OpTest = (op: number, isWrite: boolean) => boolean;

/** All of them where none is named. */
export function opTestOf(ops: readonly OpSelector[] | undefined): OpTest {
  if (ops === undefined) return () => true;
  const names = new Set(ops.map((name) => name.toLowerCase()));
  const reads = names.delete('read');
  const writes = names.delete('write');
  const codes = new Set([...names].map(opOfName));
  return (op, isWrite) => codes.has(op) || (isWrite ? writes : reads && readOps.has(op));
}
