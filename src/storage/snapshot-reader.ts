/**
 * Reads a snapshot from its first byte to its last and believes it only as a whole: the checksum runs
 * over everything, earlier seals included, so nothing in the file is proved before its end. Whoever
 * builds a tree from it as it comes must throw the tree away when this throws.
 *
 * After the nodes come blocks that newer releases added, each sealed: the digest (3.6) and the last
 * zxid (3.9). A server that has one of them switched off writes the other one alone, so they are told
 * apart by what is left of the file.
 */
import { assert } from '../base/assert.js';
import { adler32 } from '../protocol/adler32.js';
import { statPersistedBytes } from '../protocol/limits.js';
import { MalformedError, Reader } from '../protocol/reader.js';
import { ACLs, type ACL } from '../protocol/records.js';
import { fileHeaderBytes, snapshotMagic } from './file-header.js';
import type { Pace } from './pace.js';
import { SnapshotError, type SnapshotSource } from './snapshot-source.js';

/** Where the content goes, in the order of the file. */
export interface SnapshotSink {
  session(id: bigint, timeoutMs: number): void;
  acl(id: number, acls: readonly ACL[]): void;
  /**
   * The path is bytes[pathStart, pathEnd), empty for the root; the data [dataStart, dataEnd), or null
   * when dataStart is -1; the 60 bytes of the stat begin at statStart. All of it is lent.
   */
  node(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    statStart: number,
  ): void;
}

export interface SnapshotDigest {
  /** The transaction after which the tree has this digest; may be newer than the snapshot's zxid. */
  readonly zxid: bigint;
  readonly version: number;
  readonly digest: bigint;
}

export interface SnapshotSummary {
  readonly sessionCount: number;
  readonly aclCount: number;
  readonly nodeCount: number;
  /** Uncompressed. */
  readonly contentBytes: number;
  readonly digest: SnapshotDigest | null;
  readonly lastZxid: bigint | null;
}

/** Grows with what arrives. */
const windowBytesInitial = 16 * 1024;
/** No ACL is longer. */
const aclBytesMax = 2 * 1024 * 1024;
/** A znode larger than this is damage: jute.maxbuffer would have to be as large. */
const itemBytesMax = 1024 * 1024 * 1024;
const sealBytes = 8 + 4 + 1;
const lastZxidBytes = 8;
/** What may follow the nodes; more is not read. */
const trailerBytesMax = 4096;
const slash = 0x2f;

class SnapshotReader {
  readonly #source: SnapshotSource;
  readonly #sink: SnapshotSink;
  readonly #pace: Pace;
  readonly #reader = new Reader();
  #bytes = new Uint8Array(windowBytesInitial);
  #view = new DataView(this.#bytes.buffer);
  #pos = 0;
  #end = 0;
  /** Of everything before #summedTo, which is a place in the window. */
  #sum = 1;
  #summedTo = 0;
  /** Content before the window. */
  #before = 0;

  constructor(source: SnapshotSource, sink: SnapshotSink, pace: Pace) {
    this.#source = source;
    this.#sink = sink;
    this.#pace = pace;
  }

  async read(): Promise<SnapshotSummary> {
    await this.#header();
    const sessionCount = await this.#sessions();
    const aclCount = await this.#acls();
    const nodeCount = await this.#nodes();
    await this.#seal();
    const trailer = await this.#trailer();
    const contentBytes = this.#before + this.#pos;
    return { sessionCount, aclCount, nodeCount, contentBytes, ...trailer };
  }

  async #header(): Promise<void> {
    await this.#have(fileHeaderBytes);
    if (this.#view.getInt32(this.#pos) !== snapshotMagic) this.#fail('it is not a snapshot');
    this.#pos += fileHeaderBytes;
  }

  async #sessions(): Promise<number> {
    const count = await this.#int();
    for (let i = 0; i < count; i++) {
      await this.#have(12);
      this.#sink.session(this.#view.getBigInt64(this.#pos), this.#view.getInt32(this.#pos + 8));
      this.#pos += 12;
      if (i % 1024 === 0) await this.#breathe();
    }
    return Math.max(0, count);
  }

  async #acls(): Promise<number> {
    const count = await this.#int();
    for (let i = 0; i < count; i++) {
      await this.#have(8);
      const id = this.#longNumber(this.#pos);
      this.#pos += 8;
      this.#sink.acl(id, await this.#aclList());
      if (i % 64 === 0) await this.#breathe();
    }
    return Math.max(0, count);
  }

  /** A list has no length in bytes before it: read it, and again with more bytes if it was cut. */
  async #aclList(): Promise<readonly ACL[]> {
    for (let wanted = 4096; ; wanted *= 2) {
      const isWhole = !(await this.#tryHave(wanted));
      try {
        this.#reader.reset(this.#bytes, this.#pos, this.#end);
        const acls = ACLs.read(this.#reader);
        this.#pos = this.#reader.pos;
        if (acls === null) this.#fail('an ACL is missing');
        return acls;
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        if (isWhole || wanted > aclBytesMax) this.#fail(`an ACL: ${error.message}`);
      }
    }
  }

  async #nodes(): Promise<number> {
    for (let count = 0; ; count++) {
      if (count % 128 === 0) await this.#breathe();
      if (!this.#isHere(4)) await this.#have(4);
      const pathLength = this.#view.getInt32(this.#pos);
      if (pathLength < 0) this.#fail(`a path of ${pathLength} bytes`);
      let needed = 4 + pathLength;
      if (!this.#isHere(needed)) await this.#have(needed);
      if (pathLength === 1 && this.#bytes[this.#pos + 4] === slash) {
        this.#pos += needed;
        return count;
      }
      needed += 4;
      if (!this.#isHere(needed)) await this.#have(needed);
      const dataLength = this.#view.getInt32(this.#pos + needed - 4);
      if (dataLength < -1) this.#fail(`data of ${dataLength} bytes`);
      const bodyAt = needed + Math.max(0, dataLength);
      needed = bodyAt + 8 + statPersistedBytes;
      if (!this.#isHere(needed)) await this.#have(needed);
      const pathStart = this.#pos + 4;
      const pathEnd = pathStart + pathLength;
      const aclAt = this.#pos + bodyAt;
      this.#sink.node(
        this.#bytes,
        pathStart,
        pathEnd,
        dataLength < 0 ? -1 : pathEnd + 4,
        dataLength < 0 ? -1 : aclAt,
        this.#longNumber(aclAt),
        aclAt + 8,
      );
      this.#pos += needed;
    }
  }

  async #trailer(): Promise<Pick<SnapshotSummary, 'digest' | 'lastZxid'>> {
    await this.#tryHave(trailerBytesMax);
    const left = this.#end - this.#pos;
    if (left === 0) return { digest: null, lastZxid: null };
    if (left === lastZxidBytes + sealBytes)
      return { digest: null, lastZxid: await this.#lastZxid() };
    const digest = await this.#digest();
    if (this.#end === this.#pos) return { digest, lastZxid: null };
    return { digest, lastZxid: await this.#lastZxid() };
  }

  async #digest(): Promise<SnapshotDigest> {
    await this.#have(12);
    const zxid = this.#view.getBigInt64(this.#pos);
    const version = this.#view.getInt32(this.#pos + 8);
    this.#pos += 12;
    let digest: bigint;
    if (version < 2) {
      digest = await this.#hexDigest();
    } else {
      await this.#have(8);
      digest = this.#view.getBigInt64(this.#pos);
      this.#pos += 8;
    }
    await this.#seal();
    return { zxid, version, digest };
  }

  /** Version 1 wrote it as text. */
  async #hexDigest(): Promise<bigint> {
    const length = await this.#int();
    if (length <= 0) return 0n;
    await this.#have(length);
    this.#reader.reset(this.#bytes, this.#pos - 4, this.#pos + length);
    const text = this.#reader.readString() ?? '';
    this.#pos += length;
    if (!/^[0-9a-f]{1,16}$/i.test(text)) this.#fail('the digest is not a number');
    return BigInt.asIntN(64, BigInt(`0x${text}`));
  }

  async #lastZxid(): Promise<bigint> {
    await this.#have(lastZxidBytes);
    const zxid = this.#view.getBigInt64(this.#pos);
    this.#pos += lastZxidBytes;
    await this.#seal();
    return zxid;
  }

  /** The checksum of all that came before it, and the string "/". */
  async #seal(): Promise<void> {
    await this.#have(sealBytes);
    this.#sumTo(this.#pos);
    const sum = this.#sum;
    const view = this.#view;
    const at = this.#pos;
    if (view.getInt32(at) !== 0 || view.getUint32(at + 4) !== sum)
      this.#fail('the checksum is wrong');
    if (view.getInt32(at + 8) !== 1 || this.#bytes[at + 12] !== slash)
      this.#fail('the seal is broken');
    this.#pos += sealBytes;
  }

  async #int(): Promise<number> {
    await this.#have(4);
    const value = this.#view.getInt32(this.#pos);
    this.#pos += 4;
    return value;
  }

  /** Signed; ids of ACLs are small. */
  #longNumber(at: number): number {
    return this.#view.getInt32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
  }

  #isHere(length: number): boolean {
    return this.#end - this.#pos >= length;
  }

  async #have(length: number): Promise<void> {
    if (this.#isHere(length)) return;
    if (length > itemBytesMax) this.#fail(`an item of ${length} bytes`);
    if (!(await this.#tryHave(length))) this.#fail('the file ends in the middle');
  }

  /** Pulls until `length` bytes are there; false when the file ends before. */
  async #tryHave(length: number): Promise<boolean> {
    while (!this.#isHere(length)) {
      const piece = await this.#source.next();
      if (piece === null) return false;
      if (this.#end + piece.length > this.#bytes.length) this.#makeRoom(piece.length);
      this.#bytes.set(piece, this.#end);
      this.#end += piece.length;
    }
    return true;
  }

  /** Drops what was used, and grows only with what has really arrived. */
  #makeRoom(length: number): void {
    this.#sumTo(this.#pos);
    const used = this.#pos;
    const left = this.#end - used;
    if (left + length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, left + length));
      grown.set(this.#bytes.subarray(used, this.#end));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    } else {
      this.#bytes.copyWithin(0, used, this.#end);
    }
    this.#before += used;
    this.#pos = 0;
    this.#summedTo = 0;
    this.#end = left;
  }

  #sumTo(pos: number): void {
    assert(pos >= this.#summedTo, 'the checksum runs forward');
    this.#sum = adler32(this.#bytes, this.#summedTo, pos, this.#sum);
    this.#summedTo = pos;
  }

  async #breathe(): Promise<void> {
    if (this.#pace.isOver) await this.#pace.rest();
  }

  #fail(what: string): never {
    throw new SnapshotError(`${what} (content byte ${this.#before + this.#pos})`);
  }
}

/** Throws SnapshotError when the file is not a whole, valid snapshot. Closes the source. */
export async function readSnapshotContent(
  source: SnapshotSource,
  sink: SnapshotSink,
  pace: Pace,
): Promise<SnapshotSummary> {
  try {
    return await new SnapshotReader(source, sink, pace).read();
  } finally {
    source.close();
  }
}

/** For checking a file without building anything. */
export const ignoringSink: SnapshotSink = {
  session() {},
  acl() {},
  node() {},
};
