/**
 * Bodies of requests and replies as the protocol has them, written down field by field: a second
 * opinion beside the codec of `src/protocol`, and free to be wrong on purpose (null strings, odd
 * flags, counts that lie).
 */
import { OpCode, type Reader, type Writer } from 'zabra/protocol';
import { bytesOf } from './raw-client.js';

export interface Acl {
  readonly perms: number;
  readonly scheme: string | null;
  readonly id: string | null;
}

export interface Stat {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly ctime: bigint;
  readonly mtime: bigint;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
  readonly pzxid: bigint;
}

export const perms = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;
export const openAcl: readonly Acl[] = [{ perms: perms.all, scheme: 'world', id: 'anyone' }];

export const flags = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  ttl: 5,
  ttlSequential: 6,
} as const;

export type Data = string | Uint8Array | null;

export function dataOf(data: Data): Uint8Array | null {
  return typeof data === 'string' ? new TextEncoder().encode(data) : data;
}

export function writeAcl(writer: Writer, acl: readonly Acl[] | null): void {
  writer.writeInt(acl === null ? -1 : acl.length);
  for (const entry of acl ?? []) {
    writer.writeInt(entry.perms);
    writer.writeString(entry.scheme);
    writer.writeString(entry.id);
  }
}

function writePaths(writer: Writer, paths: readonly string[]): void {
  writer.writeInt(paths.length);
  for (const path of paths) writer.writeString(path);
}

export interface CreateOptions {
  readonly data?: Data;
  readonly acl?: readonly Acl[] | null;
  readonly flags?: number;
  /** Makes it a createTTL record. */
  readonly ttl?: bigint | undefined;
}

export interface Watches {
  readonly data?: readonly string[];
  readonly exist?: readonly string[];
  readonly child?: readonly string[];
  readonly persistent?: readonly string[];
  readonly recursive?: readonly string[];
}

export const body = {
  path: (path: string | null) => bytesOf((w) => w.writeString(path)),
  pathAndWatch: (path: string | null, watch: boolean) =>
    bytesOf((w) => {
      w.writeString(path);
      w.writeBool(watch);
    }),
  pathAndInt: (path: string | null, value: number) =>
    bytesOf((w) => {
      w.writeString(path);
      w.writeInt(value);
    }),
  create: (path: string | null, options: CreateOptions = {}) =>
    bytesOf((w) => {
      w.writeString(path);
      w.writeBuffer(dataOf(options.data ?? null));
      writeAcl(w, options.acl === undefined ? openAcl : options.acl);
      w.writeInt(options.flags ?? 0);
      if (options.ttl !== undefined) w.writeLong(options.ttl);
    }),
  setData: (path: string | null, data: Data, version: number) =>
    bytesOf((w) => {
      w.writeString(path);
      w.writeBuffer(dataOf(data));
      w.writeInt(version);
    }),
  setAcl: (path: string | null, acl: readonly Acl[] | null, version: number) =>
    bytesOf((w) => {
      w.writeString(path);
      writeAcl(w, acl);
      w.writeInt(version);
    }),
  auth: (scheme: string | null, credential: Data) =>
    bytesOf((w) => {
      w.writeInt(0);
      w.writeString(scheme);
      w.writeBuffer(dataOf(credential));
    }),
  setWatches: (relativeZxid: bigint, watches: Watches, second: boolean) =>
    bytesOf((w) => {
      w.writeLong(relativeZxid);
      writePaths(w, watches.data ?? []);
      writePaths(w, watches.exist ?? []);
      writePaths(w, watches.child ?? []);
      if (!second) return;
      writePaths(w, watches.persistent ?? []);
      writePaths(w, watches.recursive ?? []);
    }),
  multi: (parts: readonly MultiPart[]) =>
    bytesOf((w) => {
      for (const part of parts) {
        writeMultiHeader(w, part.type, false, -1);
        w.writeBytes(part.body, 0, part.body.length);
      }
      writeMultiHeader(w, -1, true, -1);
    }),
  reconfig: (joining: string | null, leaving: string | null, members: string | null, id: bigint) =>
    bytesOf((w) => {
      w.writeString(joining);
      w.writeString(leaving);
      w.writeString(members);
      w.writeLong(id);
    }),
} as const;

export function writeMultiHeader(w: Writer, type: number, done: boolean, err: number): void {
  w.writeInt(type);
  w.writeBool(done);
  w.writeInt(err);
}

export interface MultiPart {
  readonly type: number;
  readonly body: Uint8Array;
}

/** Parts of a multi or a multiRead. */
export const part = {
  create: (path: string, options: CreateOptions = {}): MultiPart => ({
    type: OpCode.create,
    body: body.create(path, options),
  }),
  create2: (path: string, options: CreateOptions = {}): MultiPart => ({
    type: OpCode.create2,
    body: body.create(path, options),
  }),
  createContainer: (path: string, options: CreateOptions = {}): MultiPart => ({
    type: OpCode.createContainer,
    body: body.create(path, { flags: flags.container, ...options }),
  }),
  createTtl: (path: string, ttl: bigint, options: CreateOptions = {}): MultiPart => ({
    type: OpCode.createTTL,
    body: body.create(path, { flags: flags.ttl, ...options, ttl }),
  }),
  delete: (path: string, version = -1): MultiPart => ({
    type: OpCode.delete,
    body: body.pathAndInt(path, version),
  }),
  setData: (path: string, data: Data, version = -1): MultiPart => ({
    type: OpCode.setData,
    body: body.setData(path, data, version),
  }),
  check: (path: string, version: number): MultiPart => ({
    type: OpCode.check,
    body: body.pathAndInt(path, version),
  }),
  getData: (path: string): MultiPart => ({
    type: OpCode.getData,
    body: body.pathAndWatch(path, false),
  }),
  getChildren: (path: string): MultiPart => ({
    type: OpCode.getChildren,
    body: body.pathAndWatch(path, false),
  }),
} as const;

export function readStat(r: Reader): Stat {
  return {
    czxid: r.readLong(),
    mzxid: r.readLong(),
    ctime: r.readLong(),
    mtime: r.readLong(),
    version: r.readInt(),
    cversion: r.readInt(),
    aversion: r.readInt(),
    ephemeralOwner: r.readLong(),
    dataLength: r.readInt(),
    numChildren: r.readInt(),
    pzxid: r.readLong(),
  };
}

export function readAcl(r: Reader): Acl[] {
  const acl: Acl[] = [];
  for (let left = r.readInt(); left > 0; left -= 1) {
    acl.push({ perms: r.readInt(), scheme: r.readString(), id: r.readString() });
  }
  return acl;
}

export function readStrings(r: Reader): string[] {
  const strings: string[] = [];
  for (let left = r.readInt(); left > 0; left -= 1) strings.push(r.readString() ?? '');
  return strings;
}

export interface MultiResult {
  readonly type: number;
  /** Of an error result; 0 otherwise. */
  readonly err: number;
  readonly path?: string;
  readonly stat?: Stat;
  readonly data?: Uint8Array | null;
  readonly children?: string[];
}

export function readMultiResults(r: Reader): MultiResult[] {
  const results: MultiResult[] = [];
  for (;;) {
    const type = r.readInt();
    const done = r.readBool();
    r.readInt(); // the header's own error code repeats the result's
    if (done) return results;
    switch (type) {
      case OpCode.error:
        results.push({ type, err: r.readInt() });
        break;
      case OpCode.create:
        results.push({ type, err: 0, path: r.readString() ?? '' });
        break;
      case OpCode.create2:
        results.push({ type, err: 0, path: r.readString() ?? '', stat: readStat(r) });
        break;
      case OpCode.setData:
        results.push({ type, err: 0, stat: readStat(r) });
        break;
      case OpCode.getData:
        results.push({ type, err: 0, data: r.readBuffer(), stat: readStat(r) });
        break;
      case OpCode.getChildren:
        results.push({ type, err: 0, children: readStrings(r) });
        break;
      default:
        results.push({ type, err: 0 });
    }
  }
}
