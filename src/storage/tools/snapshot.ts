/**
 * What zkSnapShotToolkit.sh prints of a snapshot: every znode (with its data, -d), or the tree as JSON
 * for ncdu (-json). In Apache's layout and order: children come as Java's hash sets give them.
 */
import type { Clock } from '../../ports/clock.js';
import type { Compression, Disk } from '../../ports/disk.js';
import { Reader } from '../../protocol/reader.js';
import { StatPersisted } from '../../protocol/records.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import { baseNameOf, parseSnapshotName } from '../names.js';
import { Pace } from '../pace.js';
import { readSnapshotContent, type SnapshotSink } from '../snapshot-reader.js';
import { openSnapshotSource, SnapshotError } from '../snapshot-source.js';
import { exitCodes } from '../start-error.js';
import {
  base64,
  javaHex,
  javaHashOrder,
  javaHexPadded,
  javaLongHash,
  javaStringHash,
  jsonQuoted,
} from './java-text.js';
import type { TimeText } from './time-text.js';
import { ToolError } from './tool-error.js';

export interface SnapshotToolParts {
  readonly disk: Disk;
  readonly compression: Compression;
  readonly clock: Clock;
  readonly path: string;
}

interface Znode {
  readonly name: string;
  readonly stat: StatPersisted;
  readonly dataLength: number;
  /** Null also when it was not asked for. */
  readonly data: Uint8Array | null;
  readonly children: Znode[];
}

interface LoadedSnapshot {
  readonly root: Znode;
  readonly nodeCount: number;
  readonly sessions: readonly (readonly [id: bigint, timeoutMs: number])[];
  readonly ephemeralCounts: ReadonlyMap<bigint, number>;
}

/** Capacities that Apache's tables begin with. */
const childrenCapacity = 8;
const sessionsCapacity = 16;
/** Inode numbers in JSON count up from here. */
const inodeBefore = 1000;

/** The lines of the default form and of `-d`. Throws ToolError. */
export async function* formatSnapshot(
  parts: SnapshotToolParts,
  time: TimeText,
  withData: boolean,
): AsyncGenerator<string, void> {
  const snapshot = await load(parts, withData);
  // as Apache counts, who has the root twice
  yield `ZNode Details (count=${snapshot.nodeCount + 1}):`;
  let zxid = 0n;
  for (const [path, znode] of depthFirst('/', snapshot.root)) {
    yield '----';
    yield path;
    yield* znodeLines(znode, time, withData);
    for (const each of [znode.stat.mzxid, znode.stat.pzxid]) if (each > zxid) zxid = each;
  }
  yield '----';
  yield 'Session Details (sid, timeout, ephemeralCount):';
  for (const [id, timeoutMs] of snapshot.sessions) {
    yield `${javaHexPadded(id)}, ${timeoutMs}, ${snapshot.ephemeralCounts.get(id) ?? 0}`;
  }
  const nameZxid = parseSnapshotName(baseNameOf(parts.path))?.zxid ?? -1n;
  yield '----';
  yield `Last zxid: 0x${javaHex(nameZxid > zxid ? nameZxid : zxid)}`;
}

/** The pieces of `-json`; together one line, without its end. */
export async function* formatSnapshotJson(parts: SnapshotToolParts): AsyncGenerator<string, void> {
  const { root } = await load(parts, false);
  yield '[1,0,{"progname":"SnapshotFormatter.java","progver":"0.01",';
  yield `"timestamp":${parts.clock.wallMs()}}`;
  yield* jsonOf(root, { inode: inodeBefore });
  yield ']';
}

function* znodeLines(
  { stat, data, dataLength }: Znode,
  time: TimeText,
  withData: boolean,
): Generator<string> {
  yield `  cZxid = ${javaHexPadded(stat.czxid)}`;
  yield `  ctime = ${time.long(Number(stat.ctime))}`;
  yield `  mZxid = ${javaHexPadded(stat.mzxid)}`;
  yield `  mtime = ${time.long(Number(stat.mtime))}`;
  yield `  pZxid = ${javaHexPadded(stat.pzxid)}`;
  yield `  cversion = ${stat.cversion}`;
  yield `  dataVersion = ${stat.version}`;
  yield `  aclVersion = ${stat.aversion}`;
  yield `  ephemeralOwner = ${javaHexPadded(stat.ephemeralOwner)}`;
  yield withData ? `  data = ${data === null ? '' : base64(data)}` : `  dataLength = ${dataLength}`;
}

function* depthFirst(path: string, znode: Znode): Generator<readonly [string, Znode]> {
  yield [path, znode];
  for (const child of ordered(znode)) {
    yield* depthFirst(path === '/' ? `/${child.name}` : `${path}/${child.name}`, child);
  }
}

function* jsonOf(znode: Znode, counter: { inode: number }): Generator<string> {
  const { name, dataLength } = znode;
  const entry =
    `{"name":"${jsonQuoted(name)}","asize":${dataLength},"dsize":${dataLength},` +
    `"dev":0,"ino":${++counter.inode}}`;
  if (znode.children.length === 0) {
    yield `,${entry}`;
    return;
  }
  yield `,[${entry}`;
  for (const child of ordered(znode)) yield* jsonOf(child, counter);
  yield ']';
}

function ordered({ children }: Znode): Znode[] {
  return javaHashOrder(children, ({ name }) => javaStringHash(name), childrenCapacity);
}

async function load(parts: SnapshotToolParts, withData: boolean): Promise<LoadedSnapshot> {
  const { disk, compression, clock, path } = parts;
  if (!disk.existsNow(path)) {
    throw new ToolError(`File '${path}' does not exist.`, 2);
  }
  const kind = /\.(gz|snappy)$/.exec(path)?.[1];
  const source = openSnapshotSource(
    disk,
    compression,
    path,
    kind === 'gz' || kind === 'snappy' ? kind : '',
  );
  const builder = new Builder(withData);
  try {
    await readSnapshotContent(source, builder, new Pace(clock, 50));
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new ToolError(`${path}: ${error.message}`, exitCodes.unexpected);
  }
  return builder.finish();
}

class Builder implements SnapshotSink {
  readonly #withData: boolean;
  readonly #byPath = new Map<string, Znode>();
  readonly #sessions: [bigint, number][] = [];
  readonly #ephemeralCounts = new Map<bigint, number>();

  constructor(withData: boolean) {
    this.#withData = withData;
  }

  session(id: bigint, timeoutMs: number): void {
    this.#sessions.push([id, timeoutMs]);
  }

  acl(): void {
    // not printed
  }

  node(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    _aclId: number,
    statStart: number,
  ): void {
    const path = decodeUtf8(bytes, pathStart, pathEnd);
    const stat = StatPersisted.read(new Reader(bytes, statStart));
    const slash = path.lastIndexOf('/');
    const znode: Znode = {
      name: path === '' ? '/' : path.slice(slash + 1),
      stat,
      dataLength: dataStart < 0 ? 0 : dataEnd - dataStart,
      data: this.#withData && dataStart >= 0 ? bytes.slice(dataStart, dataEnd) : null,
      children: [],
    };
    this.#byPath.set(path, znode);
    if (path !== '') {
      const parent = this.#byPath.get(path.slice(0, slash));
      if (parent === undefined) throw new SnapshotError(`no parent of ${path}`);
      parent.children.push(znode);
    }
    const owner = stat.ephemeralOwner;
    if (owner !== 0n) this.#ephemeralCounts.set(owner, (this.#ephemeralCounts.get(owner) ?? 0) + 1);
  }

  finish(): LoadedSnapshot {
    const root = this.#byPath.get('');
    if (root === undefined) throw new ToolError('the snapshot holds no root', exitCodes.unexpected);
    return {
      root,
      nodeCount: this.#byPath.size,
      sessions: javaHashOrder(this.#sessions, ([id]) => javaLongHash(id), sessionsCapacity),
      ephemeralCounts: this.#ephemeralCounts,
    };
  }
}
