/**
 * A tree as the content of a snapshot, written while transactions go on being applied. The walk is
 * fuzzy (tree/walk.ts says what that means); the file is named after the zxid at which it began, and
 * replaying the log from there makes a whole of it.
 *
 * The work is cut into slices of at most 2 ms. A slice ends when its time is over or a block is full;
 * then everything else has its turn. Checksums run over the blocks as they leave.
 */
import { present } from '../base/assert.js';
import { adler32 } from '../protocol/adler32.js';
import { statPersistedBytes } from '../protocol/limits.js';
import { Writer } from '../protocol/writer.js';
import { zxidOfParts, type Zxid } from '../protocol/zxid.js';
import { ROOT, type NodeId, type Tree, type TreeWalk } from '../tree/tree.js';
import { fileHeader, fileHeaderBytes, snapshotDbId, snapshotMagic } from './file-header.js';
import type { Pace } from './pace.js';

/** A block leaves as soon as it is that long; the last znode in it may make it longer. */
const blockBytes = 128 * 1024;
const blockBytesInitial = 4096;
/** Znodes between two looks at the clock. */
const nodesPerQuestion = 64;
const sessionsPerQuestion = 1024;
const digestVersion = 2;
const slash = 0x2f;

/** The path of the znode that a depth-first walk stands on, kept as bytes from step to step. */
class PathOfWalk {
  /** [0, length) is the path; the root's is empty. */
  bytes = new Uint8Array(1024);
  readonly #tree: Tree;
  /** The ancestors of the last znode and itself, and where the path of each ends. */
  readonly #ids: NodeId[] = [];
  readonly #ends: number[] = [];

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** Returns the length of the path of `id`, whose parent has been visited before it. */
  moveTo(id: NodeId): number {
    const tree = this.#tree;
    if (id === ROOT) {
      this.#ids.push(ROOT);
      this.#ends.push(0);
      return 0;
    }
    const parent = tree.parentOf(id);
    while (this.#ids.length > 0 && this.#ids.at(-1) !== parent) {
      this.#ids.pop();
      this.#ends.pop();
    }
    const start = present(this.#ends.at(-1), 'a walk visits parents before their children');
    const end = start + 1 + tree.nameLength(id);
    if (end > this.bytes.length) {
      const grown = new Uint8Array(2 * end);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes[start] = slash;
    tree.nameInto(id, this.bytes, start + 1);
    this.#ids.push(id);
    this.#ends.push(end);
    return end;
  }
}

/** Where the blocks go. */
export interface SnapshotBlocks {
  /**
   * Takes bytes[0, length). Resolves when the block before is done with and may be filled again; this
   * one is kept until the next call.
   */
  put(bytes: Uint8Array, length: number): Promise<void>;
  /** Resolves when all blocks are done with. */
  end(): Promise<void>;
}

export interface SnapshotContentOptions {
  readonly digestEnabled: boolean;
  readonly serializeLastProcessedZxid: boolean;
}

export class SnapshotEncoder {
  /** What the snapshot holds for certain, and is named after. */
  readonly zxid: Zxid;
  readonly #tree: Tree;
  readonly #walk: TreeWalk;
  readonly #sessions: readonly (readonly [bigint, number])[];
  readonly #options: SnapshotContentOptions | null;
  readonly #output: SnapshotBlocks;
  readonly #pace: Pace;
  /** One is filled while the other is on its way. */
  #writer = new Writer(blockBytesInitial);
  #other = new Writer(blockBytesInitial);
  #sum = 1;
  /** How much of the writer's bytes is in the sum. */
  #summedTo = 0;
  readonly #path: PathOfWalk;
  nodeCount = 0;

  /**
   * Takes note of the moment: sessions and zxid as of now. `close` must follow. Without options: not a
   * file, but what a leader sends, which has no header and ends with the end mark.
   */
  constructor(
    tree: Tree,
    sessions: Iterable<readonly [bigint, number]>,
    output: SnapshotBlocks,
    pace: Pace,
    options: SnapshotContentOptions | null,
  ) {
    this.#tree = tree;
    this.#sessions = [...sessions];
    this.zxid = zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow);
    this.#walk = tree.walk();
    this.#path = new PathOfWalk(tree);
    this.#output = output;
    this.#pace = pace;
    this.#options = options;
  }

  /** Resolves when all of it has been handed to the output and written. */
  async run(): Promise<void> {
    this.#pace.restart();
    if (this.#options !== null) {
      this.#writer.writeBytes(fileHeader(snapshotMagic, snapshotDbId), 0, fileHeaderBytes);
    }
    await this.#encodeSessions();
    await this.#encodeAcls();
    await this.#encodeNodes();
    this.#encodeEnd();
    await this.#output.put(this.#writer.bytes, this.#writer.pos);
    await this.#output.end();
  }

  /** Lets go of the tree, finished or not. */
  close(): void {
    this.#walk.close();
  }

  async #encodeSessions(): Promise<void> {
    this.#writer.writeInt(this.#sessions.length);
    for (const [index, [id, timeoutMs]] of this.#sessions.entries()) {
      this.#writer.writeLong(id);
      this.#writer.writeInt(timeoutMs);
      if (index % sessionsPerQuestion === 0) await this.#breathe();
    }
  }

  async #encodeAcls(): Promise<void> {
    this.#writer.writeInt(this.#walk.aclCount);
    let count = 0;
    for (const [id, encoded] of this.#walk.aclEntries()) {
      this.#writer.writeLong(BigInt(id));
      this.#writer.writeBytes(encoded, 0, encoded.length);
      if (count++ % nodesPerQuestion === 0) await this.#breathe();
    }
  }

  async #encodeNodes(): Promise<void> {
    const visit = (id: NodeId): void => {
      this.#encodeNode(id);
    };
    while (this.#walk.step(visit, nodesPerQuestion)) await this.#breathe();
  }

  #encodeNode(id: NodeId): void {
    const tree = this.#tree;
    const writer = this.#writer;
    const pathLength = this.#path.moveTo(id);
    writer.ensure(pathLength + 4 + 4 + tree.dataLength(id) + 8 + statPersistedBytes);
    writer.writeInt(pathLength);
    writer.writeBytes(this.#path.bytes, 0, pathLength);
    if (tree.dataIsNull(id)) {
      writer.writeInt(-1);
    } else {
      const length = tree.dataLength(id);
      writer.writeInt(length);
      tree.dataInto(id, writer.bytes, writer.pos);
      writer.pos += length;
    }
    const aclId = this.#walk.aclId(id);
    writer.writeLongParts(aclId < 0 ? -1 : Math.floor(aclId / 0x1_0000_0000), aclId | 0);
    tree.persistedStatInto(id, writer.bytes, writer.pos);
    writer.pos += statPersistedBytes;
    this.nodeCount++;
  }

  /** The end mark and everything sealed behind it, as of one moment. */
  #encodeEnd(): void {
    const tree = this.#tree;
    const writer = this.#writer;
    writer.writeString('/');
    if (this.#options === null) return;
    const { digestEnabled, serializeLastProcessedZxid } = this.#options;
    this.#seal();
    const { lastZxidHigh: high, lastZxidLow: low } = tree;
    if (digestEnabled) {
      // before the first transaction there is no digest to speak of
      const isNew = high === 0 && low === 0;
      writer.writeLongParts(high, low);
      writer.writeInt(digestVersion);
      writer.writeLongParts(isNew ? 0 : tree.digestHigh, isNew ? 0 : tree.digestLow);
      this.#seal();
    }
    if (serializeLastProcessedZxid) {
      writer.writeLongParts(high, low);
      this.#seal();
    }
  }

  #seal(): void {
    const writer = this.#writer;
    this.#sumUp();
    writer.writeLongParts(0, this.#sum);
    writer.writeString('/');
  }

  #sumUp(): void {
    if (this.#options === null) return;
    const { bytes, pos } = this.#writer;
    this.#sum = adler32(bytes, this.#summedTo, pos, this.#sum);
    this.#summedTo = pos;
  }

  /** Between two items: sends a full block on its way, and ends the slice when its time is over. */
  async #breathe(): Promise<void> {
    this.#sumUp();
    if (this.#writer.pos >= blockBytes) {
      const full = this.#writer;
      await this.#output.put(full.bytes, full.pos);
      this.#writer = this.#other;
      this.#writer.reset();
      this.#summedTo = 0;
      this.#other = full;
    }
    if (this.#pace.isOver) await this.#pace.rest();
  }
}
