/**
 * What a request wants of the watches of its connection. Who sets watches again after a reconnect names
 * many at once; everything else is about one path. A multiRead sets none, even where its parts ask.
 */
import { AddWatchMode } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import { MalformedError, type Reader } from '../../protocol/reader.js';
import {
  AddWatchRequest,
  RemoveWatchesRequest,
  SetWatches,
  SetWatches2,
} from '../../protocol/records/requests.js';
import { int32At, pathOfRequest } from '../keeping/request-facts.js';
import { kindsRemovedBy, WatchKind } from './held-watches.js';

export interface WatchWish {
  readonly op: number;
  readonly watches: readonly (readonly [path: string, kinds: number])[];
}

const HEADER_BYTES = 8;

/** Null: nothing, or nobody can read it. bytes[start, end) begin with the header. */
export function watchWish(
  reader: Reader,
  op: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): WatchWish | null {
  try {
    const watches = read(reader, op, bytes, start, end);
    return watches.length === 0 ? null : { op, watches };
  } catch (problem) {
    if (problem instanceof MalformedError) return null;
    throw problem;
  }
}

type Watches = WatchWish['watches'];

function read(reader: Reader, op: number, bytes: Uint8Array, start: number, end: number): Watches {
  const body = (): Reader => reader.reset(bytes, start + HEADER_BYTES, end);
  switch (op) {
    case OpCode.exists:
    case OpCode.getData:
      return plain(op, bytes, start, end, WatchKind.data);
    case OpCode.getChildren:
    case OpCode.getChildren2:
      return plain(op, bytes, start, end, WatchKind.child);
    case OpCode.addWatch: {
      const { path, mode } = AddWatchRequest.read(body());
      const isRecursive = mode === AddWatchMode.persistentRecursive;
      return path === null
        ? []
        : [[path, isRecursive ? WatchKind.recursive : WatchKind.persistent]];
    }
    case OpCode.removeWatches: {
      const { path, type } = RemoveWatchesRequest.read(body());
      return path === null ? [] : [[path, kindsRemovedBy(type)]];
    }
    case OpCode.setWatches:
      return listed(SetWatches.read(body()));
    case OpCode.setWatches2: {
      const lists = SetWatches2.read(body());
      return [
        ...listed(lists),
        ...of(lists.persistentWatches, WatchKind.persistent),
        ...of(lists.persistentRecursiveWatches, WatchKind.recursive),
      ];
    }
    default:
      return [];
  }
}

/** Whether it asks for a watch stands behind its path. */
function plain(op: number, bytes: Uint8Array, start: number, end: number, kind: number): Watches {
  const pathAt = start + HEADER_BYTES;
  if (pathAt + 4 > end) return [];
  const watchAt = pathAt + 4 + Math.max(0, int32At(bytes, pathAt));
  if (watchAt >= end || bytes[watchAt] === 0) return [];
  const path = pathOfRequest(op, bytes, start, end);
  return path === null ? [] : [[path, kind]];
}

type Lists = Pick<SetWatches, 'dataWatches' | 'existWatches' | 'childWatches'>;

function listed({ dataWatches, existWatches, childWatches }: Lists): Watches {
  return [
    ...of(dataWatches, WatchKind.data),
    ...of(existWatches, WatchKind.data),
    ...of(childWatches, WatchKind.child),
  ];
}

function of(paths: SetWatches['dataWatches'], kind: number): (readonly [string, number])[] {
  return (paths ?? []).flatMap((path) => (path === null ? [] : [[path, kind] as const]));
}
