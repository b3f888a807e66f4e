/**
 * Every path that a request names, for rules about paths. A rule that looked at plain requests alone
 * would be evaded by putting the same operation into a multi, or by asking for a watch from above, so
 * those are looked into as well. Read by the records' own codecs: it is for who has such rules, and they
 * pay for it.
 */
import { OpCode } from '../../protocol/opcodes.js';
import { MalformedError, type Reader } from '../../protocol/reader.js';
import { MultiRequest } from '../../protocol/records/multi.js';
import { AddWatchRequest, SetWatches, SetWatches2 } from '../../protocol/records/requests.js';
import { isWriteOp, pathOfRequest } from '../keeping/request-facts.js';

export interface NamedPath {
  readonly op: number;
  readonly path: string;
  readonly isWrite: boolean;
  /** What is asked for reaches all below the path, too. */
  readonly isRecursive: boolean;
}

const MODE_RECURSIVE = 1;
const HEADER_BYTES = 8;

/** Null: the body cannot be read, which is for a server to say. bytes[start, end) begin with the header. */
export function namedPaths(
  reader: Reader,
  op: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): readonly NamedPath[] | null {
  try {
    return read(reader, op, bytes, start, end);
  } catch (problem) {
    if (problem instanceof MalformedError) return null;
    throw problem;
  }
}

function read(
  reader: Reader,
  op: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): readonly NamedPath[] {
  const body = (): Reader => reader.reset(bytes, start + HEADER_BYTES, end);
  switch (op) {
    case OpCode.multi:
    case OpCode.multiRead:
      return MultiRequest.read(body()).ops.map(({ type, request }) =>
        named(type, request.path, isWriteOp(type), false),
      );
    case OpCode.setWatches: {
      const { dataWatches, existWatches, childWatches } = SetWatches.read(body());
      return [dataWatches, existWatches, childWatches].flatMap((list) => watched(op, list, false));
    }
    case OpCode.setWatches2: {
      const lists = SetWatches2.read(body());
      const { dataWatches, existWatches, childWatches, persistentWatches } = lists;
      const plain = [dataWatches, existWatches, childWatches, persistentWatches];
      return [
        ...plain.flatMap((list) => watched(op, list, false)),
        ...watched(op, lists.persistentRecursiveWatches, true),
      ];
    }
    case OpCode.addWatch: {
      const { path, mode } = AddWatchRequest.read(body());
      return [named(op, path, false, mode === MODE_RECURSIVE)];
    }
    case OpCode.getEphemerals:
    case OpCode.getAllChildrenNumber: {
      const path = pathOfRequest(op, bytes, start, end);
      return path === null ? [] : [named(op, path, false, true)];
    }
    default: {
      const path = pathOfRequest(op, bytes, start, end);
      return path === null ? [] : [named(op, path, isWriteOp(op), false)];
    }
  }
}

type PathList = readonly (string | null)[] | null;

function watched(op: number, paths: PathList, isRecursive: boolean): NamedPath[] {
  return (paths ?? []).map((path) => named(op, path, false, isRecursive));
}

function named(op: number, path: string | null, isWrite: boolean, isRecursive: boolean): NamedPath {
  return { op, path: path ?? '', isWrite, isRecursive };
}

/** Is anything of what is asked for at or below `prefix`? */
export function touches({ path, isRecursive }: NamedPath, prefix: string): boolean {
  return isWithin(path, prefix) || (isRecursive && isWithin(prefix, path));
}

export function isWithin(path: string, prefix: string): boolean {
  if (prefix === '/' || path === prefix) return true;
  return path.startsWith(prefix) && path.charCodeAt(prefix.length) === 0x2f;
}
