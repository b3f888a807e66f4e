/**
 * What one server's disk would give back if the power failed now: its log, the end of its snapshots
 * and its two epoch files, read from the durable image behind the server's back, with a parser of its
 * own. Unlike a standalone server's log, this one is cut, replaced and begun anew.
 */
import { adler32 } from '../../protocol/adler32.js';
import { counterOf, epochOf, parseHex, type Zxid } from '../../protocol/zxid.js';
import { rootInode, type DiskImage, type ImageStep } from '../disk-image.js';
import type { Sparse } from '../sparse.js';

/** A record that was found durable, and the one before it if that is certain. */
export type OnRecord = (zxid: Zxid, bytes: Uint8Array, previous: Zxid | null) => void;

interface LogFile {
  readonly zxids: Zxid[];
  offset: number;
}

const HEADER_BYTES = 16;
const PREFIX_BYTES = 12;
const END_MARK = 0x42;

export class DurableHistory {
  readonly #snapDirectory: string;
  readonly #logDirectory: string;
  readonly #onRecord: OnRecord;
  #image: DiskImage | null = null;
  #isStale = false;
  readonly #files = new Map<number, LogFile>();
  /** Logs that were cut: what has been read of them need not be there. */
  readonly #cut = new Set<number>();
  /** By inode, the oldest first. */
  #logs: readonly number[] = [];
  #areNamesStale = true;
  #isGrowth = false;
  #end: Zxid = 0n;
  #logEnd: Zxid = 0n;
  #snapEnd: Zxid = 0n;
  #held = new Set<Zxid>();
  #accepted = 0;
  #current = 0;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  readonly #prefixView = new DataView(this.#prefix.buffer);
  /** What was on the disk before it was emptied. */
  #wiped: { readonly held: ReadonlySet<Zxid>; readonly snapEnd: Zxid } | null = null;

  constructor(snapDirectory: string, logDirectory: string, onRecord: OnRecord) {
    this.#snapDirectory = snapDirectory;
    this.#logDirectory = logDirectory;
    this.#onRecord = onRecord;
  }

  watch(image: DiskImage): void {
    this.#image = image;
    this.#files.clear();
    this.#cut.clear();
    this.#logs = [];
    this.#isGrowth = false;
    this.#areNamesStale = true;
    this.#isStale = true;
  }

  /** The disk was emptied: this is a server that knows nothing. */
  wipe(image: DiskImage): void {
    this.#read();
    this.#wiped = { held: this.#held, snapEnd: this.#snapEnd };
    this.#accepted = this.#current = 0;
    this.watch(image);
  }

  /** Emptied, and not brought up to date since. */
  get isWiped(): boolean {
    return this.#wiped !== null && this.currentEpoch === 0;
  }

  /** It had it, durably, when its disk was emptied. */
  hadBeforeWipe(zxid: Zxid): boolean {
    const wiped = this.#wiped;
    return wiped !== null && (wiped.held.has(zxid) || zxid <= wiped.snapEnd);
  }

  onStep(step: ImageStep): void {
    if (step.kind === 'settle') {
      this.#isStale = true;
      this.#areNamesStale ||= this.#image?.inodes.get(step.inode)?.kind === 'directory';
    } else if (step.kind === 'content' && step.change.kind === 'resize') {
      const known = this.#files.get(step.inode);
      if (known !== undefined && step.change.size < known.offset) this.#cut.add(step.inode);
    }
  }

  /** The last transaction, or the name of the last snapshot when that is later. */
  get end(): Zxid {
    this.#read();
    return this.#end;
  }

  get acceptedEpoch(): number {
    this.#read();
    return this.#accepted;
  }

  get currentEpoch(): number {
    this.#read();
    return this.#current;
  }

  /** In order. */
  zxids(): readonly Zxid[] {
    this.#read();
    return [...this.#held];
  }

  /** By its log, or because a snapshot reaches so far. */
  holds(zxid: Zxid): boolean {
    this.#read();
    return this.#held.has(zxid) || zxid <= this.#snapEnd;
  }

  /** Whether this history, which may have nothing of its last epoch, reaches so far. */
  covers(zxid: Zxid): boolean {
    if (counterOf(zxid) === 0 && epochOf(zxid) <= this.currentEpoch) return true;
    return zxid <= this.end;
  }

  #read(): void {
    const image = this.#image;
    if (!this.#isStale || image === null) return;
    this.#isStale = false;
    if (this.#areNamesStale) this.#readNames(image);
    this.#readLogs(image);
    this.#end = this.#snapEnd > this.#logEnd ? this.#snapEnd : this.#logEnd;
  }

  #readNames(image: DiskImage): void {
    this.#areNamesStale = false;
    const snaps = durableNames(image, this.#snapDirectory);
    this.#accepted = readEpoch(image, snaps.get('acceptedEpoch')) ?? this.#accepted;
    this.#current = readEpoch(image, snaps.get('currentEpoch')) ?? this.#current;
    this.#snapEnd = 0n;
    for (const name of snaps.keys()) {
      const zxid = parseHex(/^snapshot\.([0-9a-f]+)(?:\.|$)/.exec(name)?.[1] ?? '') ?? 0n;
      if (zxid > this.#snapEnd) this.#snapEnd = zxid;
    }
    const logs = [...durableNames(image, this.#logDirectory)]
      .filter(([name]) => /^log\.[0-9a-f]+$/.test(name))
      .map(([name, inode]) => ({ inode, zxid: parseHex(name.slice(4)) ?? 0n }))
      .sort((a, b) => (a.zxid < b.zxid ? -1 : 1))
      .map(({ inode }) => inode);
    if (logs.join() !== this.#logs.join()) this.#isGrowth = false;
    this.#logs = logs;
  }

  /** As a rule the last file has grown, or the one before, and that is all. */
  #readLogs(image: DiskImage): void {
    if (this.#cut.size > 0) this.#isGrowth = false;
    if (!this.#isGrowth) {
      this.#held = new Set();
      this.#logEnd = 0n;
    }
    const grown = this.#isGrowth ? this.#logs.slice(-2) : this.#logs;
    let before: Zxid | null = null;
    for (const inode of grown) {
      const file = image.inodes.get(inode);
      if (file?.kind !== 'file') continue;
      const from = this.#isGrowth ? (this.#files.get(inode)?.zxids.length ?? 0) : 0;
      const { zxids } = this.#readLog(inode, file.durable, before);
      for (let i = from; i < zxids.length; i++) this.#held.add(zxids[i]!);
      before = zxids.at(-1) ?? before;
    }
    this.#logEnd = before ?? this.#logEnd;
    this.#isGrowth = true;
  }

  #readLog(inode: number, content: Sparse, before: Zxid | null): LogFile {
    let known = this.#files.get(inode);
    if (known === undefined || this.#cut.has(inode)) known = { zxids: [], offset: HEADER_BYTES };
    this.#files.set(inode, known);
    const [prefix, view] = [this.#prefix, this.#prefixView];
    for (;;) {
      if (content.read(prefix, 0, PREFIX_BYTES, known.offset) < PREFIX_BYTES) break;
      const length = view.getInt32(8);
      if (length <= 0 || length > content.size) break;
      const bytes = new Uint8Array(length + 1);
      const at = known.offset + PREFIX_BYTES;
      if (content.read(bytes, 0, length + 1, at) < length + 1) break;
      const isWhole = bytes[length] === END_MARK && adler32(bytes, 0, length) === view.getUint32(4);
      if (!isWhole) break;
      const zxid = new DataView(bytes.buffer).getBigInt64(12);
      this.#onRecord(
        zxid,
        bytes.subarray(0, length),
        known.zxids.at(-1) ?? acrossFiles(before, zxid),
      );
      known.zxids.push(zxid);
      known.offset = at + length + 1;
    }
    return known;
  }
}

/** Between two files a snapshot may have come: then nothing is known but what counters say. */
function acrossFiles(before: Zxid | null, zxid: Zxid): Zxid | null {
  return before !== null && before === zxid - 1n ? before : null;
}

function durableNames(image: DiskImage, directory: string): ReadonlyMap<string, number> {
  let inode = image.inodes.get(rootInode);
  for (const name of directory.split('/').filter((part) => part !== '')) {
    if (inode?.kind !== 'directory') break;
    const next = inode.durable.get(name);
    inode = next === undefined ? undefined : image.inodes.get(next);
  }
  return inode?.kind === 'directory' ? inode.durable : new Map<string, number>();
}

function readEpoch(image: DiskImage, number: number | undefined): number | null {
  const inode = number === undefined ? undefined : image.inodes.get(number);
  if (inode?.kind !== 'file') return null;
  const text = String.fromCharCode(...inode.durable.bytes());
  return /^\d+$/.test(text) ? Number(text) : null;
}
