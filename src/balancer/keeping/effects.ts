/**
 * What a request's answer means beyond its bytes: which watches the client holds from now on, which
 * credentials its server has accepted. Only requests that can mean something come here; for the rest
 * an answer is bytes to be passed on.
 */
import { ErrorCode } from '../../protocol/errors.js';
import { AddWatchMode, EventType } from '../../protocol/events.js';
import { isClientWrite, OpCode } from '../../protocol/opcodes.js';
import { MalformedError, Reader } from '../../protocol/reader.js';
import { RequestFlag } from './in-flight.js';
import { int32At } from './request-facts.js';
import { WatchBit, type WatchLedger } from './watch-ledger.js';

const OPS = 128;
const WATCHABLE = 32;
/** Length, xid, op. */
const BODY_AT = 12;

/** Whatever is not known may be a write, and its answer may be that the server does not know it either. */
const flagsByOp = new Uint8Array(OPS).fill(RequestFlag.write | RequestFlag.special);

function classify(flags: number, ops: readonly number[]): void {
  for (const op of ops) flagsByOp[op] = flags;
}

for (let op = 0; op < OPS; op++) if (isClientWrite(op)) flagsByOp[op] = RequestFlag.write;
classify(WATCHABLE, [OpCode.getData, OpCode.exists, OpCode.getChildren, OpCode.getChildren2]);
classify(RequestFlag.special, [
  OpCode.ping,
  OpCode.auth,
  OpCode.sasl,
  OpCode.setWatches,
  OpCode.setWatches2,
  OpCode.addWatch,
  OpCode.removeWatches,
]);
classify(0, [
  OpCode.getACL,
  OpCode.sync,
  OpCode.checkWatches,
  OpCode.multiRead,
  OpCode.getEphemerals,
  OpCode.getAllChildrenNumber,
  OpCode.whoAmI,
]);

/** Of a client's request, its length first. */
export function flagsOfRequest(op: number, bytes: Uint8Array, start: number, end: number): number {
  if (op < 0 || op >= OPS) return RequestFlag.write | RequestFlag.special;
  const flags = flagsByOp[op]!;
  if (flags !== WATCHABLE) return flags;
  // a path, then whether to watch it
  const pathEnd = start + BODY_AT + 4 + Math.max(0, lengthAt(bytes, start + BODY_AT, end));
  return pathEnd < end && bytes[pathEnd] !== 0 ? RequestFlag.watch : 0;
}

function lengthAt(bytes: Uint8Array, at: number, end: number): number {
  return at + 4 <= end ? int32At(bytes, at) : 0;
}

/** Which kinds of watches an event without a zxid has spent, while setWatches is under way. */
export function bitsSpentBy(type: number): number {
  switch (type) {
    case EventType.nodeCreated:
      return WatchBit.exist;
    case EventType.nodeDataChanged:
      return WatchBit.data;
    case EventType.nodeDeleted:
      return WatchBit.data | WatchBit.child;
    case EventType.nodeChildrenChanged:
      return WatchBit.child;
    default:
      return 0;
  }
}

/**
 * An answer to a request about watches was delivered. bytes[start, end): the request, its length first.
 * `told`: by path, what fired at once instead of being set again.
 */
export function noteWatchAnswer(
  ledger: WatchLedger,
  op: number,
  error: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  told: ReadonlyMap<string, number> | null,
): void {
  const reader = new Reader(bytes, start + BODY_AT, end);
  try {
    if (op === OpCode.exists && error === ErrorCode.noNode) {
      ledger.add(pathOf(reader), WatchBit.exist);
      return;
    }
    if (error !== ErrorCode.ok) return;
    switch (op) {
      case OpCode.getData:
      case OpCode.exists:
        ledger.add(pathOf(reader), WatchBit.data);
        return;
      case OpCode.getChildren:
      case OpCode.getChildren2:
        ledger.add(pathOf(reader), WatchBit.child);
        return;
      case OpCode.addWatch: {
        const path = pathOf(reader);
        const isRecursive = reader.readInt() === AddWatchMode.persistentRecursive;
        ledger.add(path, isRecursive ? WatchBit.recursive : WatchBit.persistent);
        return;
      }
      case OpCode.removeWatches:
        ledger.remove(pathOf(reader), reader.readInt());
        return;
      case OpCode.setWatches:
      case OpCode.setWatches2:
        noteSetWatches(ledger, op, reader, told);
    }
  } catch (problem) {
    // a server that made sense of it knows more than is known here: then there is no watch to keep
    if (!(problem instanceof MalformedError)) throw problem;
  }
}

function noteSetWatches(
  ledger: WatchLedger,
  op: number,
  reader: Reader,
  told: ReadonlyMap<string, number> | null,
): void {
  reader.readLong();
  const kinds: number[] = [WatchBit.data, WatchBit.exist, WatchBit.child];
  if (op === OpCode.setWatches2) kinds.push(WatchBit.persistent, WatchBit.recursive);
  for (const kind of kinds) {
    const count = reader.readCount(4);
    for (let i = 0; i < count; i++) {
      const path = pathOf(reader);
      if (((told?.get(path) ?? 0) & kind) === 0) ledger.add(path, kind);
    }
  }
}

function pathOf(reader: Reader): string {
  const path = reader.readString();
  if (path === null) throw new MalformedError('a watch without a path');
  return path;
}
