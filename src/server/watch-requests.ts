/**
 * Requests about watches: setting them again after a reconnect, adding, checking and removing them.
 */
import { ErrorCode } from '../protocol/errors.js';
import { AddWatchMode, EventType, WatcherType } from '../protocol/events.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import type { Writer } from '../protocol/writer.js';
import type { NodeId } from '../tree/tree.js';
import { ANY_MODE, WatchMode } from '../watch/watch-table.js';
import type { ClientConnection } from './connection.js';

/** Events that a reconnecting client missed carry no zxid: nobody knows which change it was. */
const NO_ZXID = 0xffffffff;
/** A string in a vector takes at least its length. */
const STRING_BYTES_MIN = 4;
const MZXID_AT = 8;
const PZXID_AT = 52;
const scratch = new Uint8Array(60);

/**
 * Registers what the client watched before, and tells it at once of what changed while it was away
 * (by comparing with the last zxid it has seen). Lists are data, exist, child and, in the second
 * form, persistent and persistent recursive.
 */
export function setWatches(connection: ClientConnection, op: number, reader: Reader): number {
  const { tree, watches } = connection.port;
  const seen = reader.readLong();
  const data = readPaths(reader);
  const exist = readPaths(reader);
  const child = readPaths(reader);
  const isSecondForm = op === OpCode.setWatches2;
  const persistent = isSecondForm ? readPaths(reader) : [];
  const recursive = isSecondForm ? readPaths(reader) : [];
  for (const path of data) {
    const node = tree.findPath(path);
    if (node === 0) tell(connection, EventType.nodeDeleted, path);
    else if (zxidAt(connection, node, MZXID_AT) > seen) {
      tell(connection, EventType.nodeDataChanged, path);
    } else watches.watchData(path, connection);
  }
  for (const path of exist) {
    const node = tree.findPath(path);
    if (node !== 0) tell(connection, EventType.nodeCreated, path);
    else watches.watchData(path, connection);
  }
  for (const path of child) {
    const node = tree.findPath(path);
    if (node === 0) tell(connection, EventType.nodeDeleted, path);
    else if (zxidAt(connection, node, PZXID_AT) > seen) {
      tell(connection, EventType.nodeChildrenChanged, path);
    } else watches.watchChildren(path, connection);
  }
  for (const path of persistent) watches.watchAlways(path, connection, false);
  for (const path of recursive) watches.watchAlways(path, connection, true);
  return ErrorCode.ok;
}

/** The client named the path itself: no ACL is asked, as Apache asks none here. */
function tell(connection: ClientConnection, type: number, path: string): void {
  connection.sendEvent(type, path, NO_ZXID, NO_ZXID);
}

function zxidAt(connection: ClientConnection, node: NodeId, at: number): bigint {
  connection.port.tree.persistedStatInto(node, scratch, 0);
  return new DataView(scratch.buffer).getBigInt64(at);
}

function readPaths(reader: Reader): string[] {
  const count = reader.readCount(STRING_BYTES_MIN);
  const paths: string[] = [];
  for (let i = 0; i < count; i++) paths.push(requirePath(reader));
  return paths;
}

function requirePath(reader: Reader): string {
  const path = reader.readString();
  if (path === null) throw new MalformedError('a watch without a path');
  return path;
}

export function addWatch(connection: ClientConnection, reader: Reader, out: Writer): number {
  const path = requirePath(reader);
  const mode = reader.readInt();
  if (mode !== AddWatchMode.persistent && mode !== AddWatchMode.persistentRecursive) {
    throw new MalformedError(`no watch mode ${mode}`);
  }
  const isRecursive = mode === AddWatchMode.persistentRecursive;
  connection.port.watches.watchAlways(path, connection, isRecursive);
  out.writeInt(ErrorCode.ok);
  return ErrorCode.ok;
}

export function checkWatches(connection: ClientConnection, reader: Reader): number {
  const { watches } = connection.port;
  const path = requirePath(reader);
  const holds = ((): boolean => {
    switch (reader.readInt()) {
      case WatcherType.children:
        return watches.child.holds(path, connection, WatchMode.standard);
      case WatcherType.data:
        return watches.data.holds(path, connection, WatchMode.standard);
      case WatcherType.any:
        return watches.holdsAny(path, connection);
      case WatcherType.persistent:
        return watches.data.holds(path, connection, WatchMode.persistent);
      case WatcherType.persistentRecursive:
        return watches.data.holds(path, connection, WatchMode.persistentRecursive);
      default:
        throw new MalformedError('no such type of watch');
    }
  })();
  return holds ? ErrorCode.ok : ErrorCode.noWatcher;
}

export function removeWatches(connection: ClientConnection, reader: Reader): number {
  const { data, child } = connection.port.watches;
  const path = requirePath(reader);
  const type = reader.readInt();
  switch (type) {
    case WatcherType.children:
      return outcome(child.remove(path, connection, WatchMode.standard));
    case WatcherType.data:
      return outcome(data.remove(path, connection, WatchMode.standard));
    case WatcherType.persistent: {
      const inChild = child.remove(path, connection, WatchMode.persistent);
      return outcome(data.remove(path, connection, WatchMode.persistent) || inChild);
    }
    case WatcherType.persistentRecursive:
      return outcome(data.remove(path, connection, WatchMode.persistentRecursive));
    case WatcherType.any: {
      const inChild = child.remove(path, connection, ANY_MODE);
      return outcome(data.remove(path, connection, ANY_MODE) || inChild);
    }
    default:
      throw new MalformedError(`no type of watch ${type}`);
  }
}

function outcome(wasHeld: boolean): number {
  return wasHeld ? ErrorCode.ok : ErrorCode.noWatcher;
}
