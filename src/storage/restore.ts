/**
 * Somebody's snapshot on its way to take the place of everything here. It comes as the bytes of a file,
 * plain or compressed, from whichever server; it is kept on the disk until all of it has arrived, read
 * and checked as a whole, and written once more as what a start would find. All of that happens beside
 * the state that is served, which nothing has touched until `Storage.install`.
 */
import { assert, present } from '../base/assert.js';
import { DiskError, type DiskFile } from '../ports/disk.js';
import { MalformedError } from '../protocol/reader.js';
import { epochOf, zxidHigh, zxidLow, zxidOfParts, type Zxid } from '../protocol/zxid.js';
import { Tree, TreeLoadError, type TreeOptions } from '../tree/tree.js';
import { incomingName } from './install.js';
import { join, snapshotName, type SnapshotCompression } from './names.js';
import { Pace } from './pace.js';
import { readSnapshotContent, type SnapshotSummary } from './snapshot-reader.js';
import { openSnapshotSource, SnapshotError } from './snapshot-source.js';
import { writeSnapshotAs, type SnapshotWriterParts } from './snapshot-writer.js';

/** Clients are served meanwhile. */
const readSliceMs = 2;
const writeSliceMs = 2;
/** Like every snapshot that is to be installed and was not decided: the next start removes it. */
const arrivingName = incomingName('snapshot.arriving');
const digestVersion = 2;
/** More than any ensemble writes in the seconds that it takes. */
const roomForTxns = 4_000_000n;

/** It cannot be done here and now; nothing has changed. */
export class RestoreError extends Error {
  override readonly name = 'RestoreError';
}

export interface RestoreParts extends SnapshotWriterParts {
  readonly treeOptions: TreeOptions;
}

/** What arrived. */
interface Read {
  readonly tree: Tree;
  readonly sessions: Map<bigint, number>;
  /** Of its last transaction, where it came from. */
  readonly zxid: Zxid;
}

/** What a start would find. */
export interface Prepared {
  readonly tree: Tree;
  readonly sessions: Map<bigint, number>;
  readonly name: string;
  readonly zxid: Zxid;
  readonly bytes: number;
}

export class Restore {
  readonly #parts: RestoreParts;
  readonly #arriving: string;
  #file: DiskFile | null;
  #bytes = 0;
  #read: Read | null = null;
  #prepared: Prepared | null = null;

  /** One at a time. Throws DiskError. */
  constructor(parts: RestoreParts) {
    const { disk, directory } = parts;
    this.#parts = parts;
    this.#arriving = join(directory, arrivingName);
    if (disk.existsNow(this.#arriving)) disk.unlinkNow(this.#arriving);
    this.#file = disk.openNow(this.#arriving, 'create');
  }

  /** The next bytes, lent until this resolves. Rejects with a DiskError. */
  async write(bytes: Uint8Array): Promise<void> {
    const file = present(this.#file, 'it has not all arrived');
    await file.write(bytes, 0, bytes.length, this.#bytes);
    this.#bytes += bytes.length;
  }

  /** All of it has arrived. Rejects with a SnapshotError when it is no whole snapshot. */
  async read(): Promise<Zxid> {
    const { disk, compression, clock, treeOptions, logger } = this.#parts;
    const kind = compressionOf(present(this.#file, 'it is read once'));
    this.#closeFile();
    const tree = Tree.forLoading(treeOptions);
    const sessions = new Map<bigint, number>();
    const sink = {
      session(id: bigint, timeoutMs: number): void {
        sessions.set(id, timeoutMs);
      },
      acl: tree.loadAcl.bind(tree),
      node(
        bytes: Uint8Array,
        pathStart: number,
        pathEnd: number,
        start: number,
        end: number,
        acl: number,
        stat: number,
      ): void {
        const data = start < 0 ? null : bytes;
        tree.loadNode(bytes, pathStart, pathEnd, data, start, end, acl, bytes, stat);
      },
    };
    const source = openSnapshotSource(disk, compression, this.#arriving, kind);
    let summary: SnapshotSummary;
    try {
      summary = await readSnapshotContent(source, sink, new Pace(clock, readSliceMs));
      tree.finishLoading();
      tree.verifyAcls();
    } catch (error) {
      if (!(error instanceof TreeLoadError) && !(error instanceof MalformedError)) throw error;
      throw new SnapshotError(error.message, { cause: error });
    }
    const { digest } = summary;
    const zxid = summary.lastZxid ?? digest?.zxid ?? 0n;
    if (digest?.version === digestVersion && digest.zxid === zxid && treeOptions.digestEnabled) {
      const isSame = zxidOfParts(tree.digestHigh, tree.digestLow) === digest.digest;
      // taken while transactions went on, it holds some of their changes and not others
      if (!isSame) logger.warn('the snapshot to be restored is not of one moment: digests differ');
    }
    this.#read = { tree, sessions, zxid };
    return zxid;
  }

  /**
   * Makes what was read durable, as the state after a transaction that no history has: it comes after
   * `last`, with room for what is written until it is installed. Resolves to its zxid.
   */
  async prepare(last: Zxid): Promise<Zxid> {
    const { directory, clock, snapshotCompression } = this.#parts;
    const { tree, sessions } = present(this.#read, 'what is prepared was read');
    const zxid = last + roomForTxns;
    if (epochOf(zxid) !== epochOf(last)) throw new RestoreError('no zxids are left in this epoch');
    tree.setLastZxid(zxidHigh(zxid), zxidLow(zxid));
    tree.digests.clear();
    const name = snapshotName(zxid, snapshotCompression);
    const path = join(directory, incomingName(name));
    const pace = new Pace(clock, writeSliceMs);
    const { bytes } = await writeSnapshotAs(this.#parts, path, tree, sessions, pace);
    this.#prepared = { tree, sessions, name, zxid, bytes };
    return zxid;
  }

  /** Of the last transaction of what arrived. */
  get zxid(): Zxid {
    return present(this.#read, 'it was read').zxid;
  }

  get prepared(): Prepared {
    return present(this.#prepared, 'what is installed was prepared');
  }

  /** Leaves nothing behind; what was installed stays. */
  async discard(): Promise<void> {
    const { disk, directory } = this.#parts;
    this.#closeFile();
    const prepared = this.#prepared === null ? [] : [incomingName(this.#prepared.name)];
    for (const name of [arrivingName, ...prepared]) {
      try {
        if (disk.existsNow(join(directory, name))) await disk.unlink(join(directory, name));
      } catch (error) {
        // the next start tries again
        assert(error instanceof DiskError, 'a disk fails with its own errors');
      }
    }
  }

  #closeFile(): void {
    this.#file?.closeNow();
    this.#file = null;
  }
}

/** By how it begins. */
function compressionOf(file: DiskFile): SnapshotCompression {
  const head = new Uint8Array(2);
  file.readNow(head, 0, head.length, 0);
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gz';
  return head[0] === 0x82 && head[1] === 0x53 ? 'snappy' : '';
}
