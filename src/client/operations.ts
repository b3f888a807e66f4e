/**
 * What each operation puts on the wire and reads from it. The records of `protocol/` say the same
 * things as tables; here they are spelled out, because every call of every user runs through one of
 * these: strings and bytes go from the call into the send buffer and from the read buffer into the
 * answer, once each, and a Stat is made in one step.
 */
import { isContainer, isTtl } from '../protocol/create-mode.js';
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import type { Reader } from '../protocol/reader.js';
import { encodeUtf8Into, utf8Length } from '../protocol/utf8.js';
import type { Writer } from '../protocol/writer.js';
import { stripRoot, type Operation, type Request } from './request.js';
import type {
  Acl,
  Created,
  Data,
  Identity,
  NodeAcl,
  NodeChildren,
  NodeData,
  Stat,
} from './types.js';

// ------------------------------------------------------------------ parts

const NO_DATA = Buffer.alloc(0);

/** Bytes of the caller's own, out of the buffer that is lent. */
export function readData(reader: Reader): Buffer {
  const length = reader.readBufferView();
  if (length <= 0) return NO_DATA;
  const copy = Buffer.allocUnsafe(length);
  const { bytes, viewStart, viewEnd } = reader;
  if (length > 64) {
    copy.set(bytes.subarray(viewStart, viewEnd));
  } else {
    for (let i = viewStart, to = 0; i < viewEnd; i++, to++) copy[to] = bytes[i]!;
  }
  return copy;
}

export function writeData(writer: Writer, data: Data | null): void {
  if (typeof data !== 'string') {
    writer.writeBuffer(data);
    return;
  }
  const length = utf8Length(data);
  writer.writeInt(length);
  writer.ensure(length);
  writer.pos = encodeUtf8Into(data, writer.bytes, writer.pos);
}

function readMs(reader: Reader): number {
  const high = reader.readInt();
  return high * 0x1_0000_0000 + reader.readUint32();
}

export function readStat(reader: Reader): Stat {
  const czxid = reader.readLong();
  const mzxid = reader.readLong();
  const ctime = readMs(reader);
  const mtime = readMs(reader);
  const version = reader.readInt();
  const cversion = reader.readInt();
  const aversion = reader.readInt();
  const ephemeralOwner = reader.readLong();
  const dataLength = reader.readInt();
  const numChildren = reader.readInt();
  const pzxid = reader.readLong();
  return {
    czxid,
    mzxid,
    pzxid,
    ctime,
    mtime,
    version,
    cversion,
    aversion,
    ephemeralOwner,
    dataLength,
    numChildren,
  };
}

export function readStrings(reader: Reader): string[] {
  const count = reader.readCount(4);
  const strings: string[] = [];
  for (let i = 0; i < count; i++) strings.push(reader.readString() ?? '');
  return strings;
}

function writeAcl(writer: Writer, acl: readonly Acl[]): void {
  writer.writeInt(acl.length);
  for (const entry of acl) {
    writer.writeInt(entry.perms);
    writer.writeString(entry.scheme);
    writer.writeString(entry.id);
  }
}

function readAcl(reader: Reader): Acl[] {
  const count = reader.readCount(12);
  const acl: Acl[] = [];
  for (let i = 0; i < count; i++) {
    const perms = reader.readInt();
    const scheme = reader.readString() ?? '';
    acl.push({ perms, scheme, id: reader.readString() ?? '' });
  }
  return acl;
}

// ------------------------------------------------------------------ common shapes

function writePath(writer: Writer, request: Request): void {
  writer.writeString(request.path);
}

/** `number` 1: with a watch. */
function writePathAndWatch(writer: Writer, request: Request): void {
  writer.writeString(request.path);
  writer.writeBool(request.number !== 0);
}

function readNothing(): void {
  // the header has said it all
}

// ------------------------------------------------------------------ operations

export interface CreateExtra {
  readonly acl: readonly Acl[];
  readonly ttlMs: number;
}

function creating(opCode: number): Operation<Created> {
  return {
    opCode,
    isWrite: true,
    write(writer, request) {
      const { acl, ttlMs } = request.extra as CreateExtra;
      writer.writeString(request.path);
      writeData(writer, request.data);
      writeAcl(writer, acl);
      writer.writeInt(request.number);
      if (opCode === OpCode.createTTL) writer.writeLong(BigInt(ttlMs));
    },
    read(reader, request) {
      const path = stripRoot(reader.readString() ?? '', request.root);
      return { path, stat: readStat(reader) };
    },
  };
}

const create2 = creating(OpCode.create2);
const createContainer = creating(OpCode.createContainer);
const createTtl = creating(OpCode.createTTL);

export function createOperation(flags: number): Operation<Created> {
  if (isContainer(flags)) return createContainer;
  return isTtl(flags) ? createTtl : create2;
}

/** `number`: the version. */
export const remove: Operation<void> = {
  opCode: OpCode.delete,
  isWrite: true,
  write(writer, request) {
    writer.writeString(request.path);
    writer.writeInt(request.number);
  },
  read: readNothing,
};

export const exists: Operation<Stat | null> = {
  opCode: OpCode.exists,
  isWrite: false,
  write: writePathAndWatch,
  read: readStat,
  readError: (code) => (code === ErrorCode.noNode ? null : undefined),
};

export const getData: Operation<NodeData> = {
  opCode: OpCode.getData,
  isWrite: false,
  write: writePathAndWatch,
  read(reader) {
    const data = readData(reader);
    return { data, stat: readStat(reader) };
  },
};

export const setData: Operation<Stat> = {
  opCode: OpCode.setData,
  isWrite: true,
  write(writer, request) {
    writer.writeString(request.path);
    writeData(writer, request.data);
    writer.writeInt(request.number);
  },
  read: readStat,
};

export const getChildren: Operation<NodeChildren> = {
  opCode: OpCode.getChildren2,
  isWrite: false,
  write: writePathAndWatch,
  read(reader) {
    const children = readStrings(reader);
    return { children, stat: readStat(reader) };
  },
};

export const getAcl: Operation<NodeAcl> = {
  opCode: OpCode.getACL,
  isWrite: false,
  write: writePath,
  read(reader) {
    const acl = readAcl(reader);
    return { acl, stat: readStat(reader) };
  },
};

export const setAcl: Operation<Stat> = {
  opCode: OpCode.setACL,
  isWrite: true,
  write(writer, request) {
    writer.writeString(request.path);
    writeAcl(writer, request.extra as readonly Acl[]);
    writer.writeInt(request.number);
  },
  read: readStat,
};

export const sync: Operation<string> = {
  opCode: OpCode.sync,
  isWrite: false,
  write: writePath,
  read: (reader, request) => stripRoot(reader.readString() ?? '', request.root),
};

export const getEphemerals: Operation<string[]> = {
  opCode: OpCode.getEphemerals,
  isWrite: false,
  write: writePath,
  read: (reader, request) => readStrings(reader).map((path) => stripRoot(path, request.root)),
};

export const getAllChildrenNumber: Operation<number> = {
  opCode: OpCode.getAllChildrenNumber,
  isWrite: false,
  write: writePath,
  read: (reader) => reader.readInt(),
};

export const whoAmI: Operation<Identity[]> = {
  opCode: OpCode.whoAmI,
  isWrite: false,
  write: readNothing,
  read(reader) {
    const count = reader.readCount(8);
    const identities: Identity[] = [];
    for (let i = 0; i < count; i++) {
      const scheme = reader.readString() ?? '';
      identities.push({ scheme, id: reader.readString() ?? '' });
    }
    return identities;
  },
};

export interface ReconfigExtra {
  readonly joining: string | null;
  readonly leaving: string | null;
  readonly members: string | null;
  readonly fromVersion: bigint;
}

export const reconfig: Operation<NodeData> = {
  opCode: OpCode.reconfig,
  isWrite: true,
  write(writer, request) {
    const change = request.extra as ReconfigExtra;
    writer.writeString(change.joining);
    writer.writeString(change.leaving);
    writer.writeString(change.members);
    writer.writeLong(change.fromVersion);
  },
  read(reader) {
    const data = readData(reader);
    return { data, stat: readStat(reader) };
  },
};

/** `number`: the mode. */
export const addWatch: Operation<void> = {
  opCode: OpCode.addWatch,
  isWrite: false,
  write(writer, request) {
    writer.writeString(request.path);
    writer.writeInt(request.number);
  },
  read: readNothing,
};

/** `number`: the kind of watches. */
export const removeWatches: Operation<void> = {
  opCode: OpCode.removeWatches,
  isWrite: false,
  write(writer, request) {
    writer.writeString(request.path);
    writer.writeInt(request.number);
  },
  read: readNothing,
};

export const closeSession: Operation<void> = {
  opCode: OpCode.closeSession,
  isWrite: false,
  write: readNothing,
  read: readNothing,
};
