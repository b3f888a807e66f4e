/**
 * The transaction log as the disk itself testifies: read from the durable image, behind the server's
 * back, with a parser of its own. It answers the one question that matters while the server speaks
 * ("would this survive the power failing now?"), and at the end it is the history that everything
 * clients were told is judged by.
 */
import { adler32 } from '../protocol/adler32.js';
import { Reader } from '../protocol/reader.js';
import { readTxnPayload, type TxnPayload } from '../protocol/records.js';
import { formatZxid, parseHex, type Zxid } from '../protocol/zxid.js';
import { OpCode } from '../protocol/opcodes.js';
import { sameBytes } from './bytes.js';
import { rootInode, type DiskImage } from './disk-image.js';
import type { Sparse } from './sparse.js';

export interface LoggedTxn {
  readonly zxid: Zxid;
  readonly payload: TxnPayload;
  readonly bytes: Uint8Array;
  /** When it was first found durable. */
  readonly seenMs: number;
}

const HEADER_BYTES = 16;
const PREFIX_BYTES = 12;
const END_MARK = 0x42;

export class LogWitness {
  readonly #directory: string;
  readonly #now: () => number;
  readonly #fail: (invariant: string, message: string) => void;
  #image: DiskImage | null = null;
  #isStale = false;
  /** How far each log file has been read, by inode. */
  #offsets = new Map<number, number>();
  readonly txns: LoggedTxn[] = [];
  readonly #sessions = new Set<bigint>();
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  readonly #prefixView = new DataView(this.#prefix.buffer);
  /** The zxid that the first transaction follows. */
  readonly base: Zxid;

  constructor(
    directory: string,
    base: Zxid,
    now: () => number,
    fail: (invariant: string, message: string) => void,
  ) {
    this.#directory = directory;
    this.base = base;
    this.#now = now;
    this.#fail = fail;
  }

  /** Another process runs on another image from here on; what was durable must still be there. */
  watch(image: DiskImage): void {
    this.#image = image;
    this.#offsets = new Map();
    this.#isStale = true;
  }

  /** Something became durable. */
  onSettled(): void {
    this.#isStale = true;
  }

  /** Everything up to here survives a power failure. */
  get durableZxid(): Zxid {
    this.#read();
    return this.txns.at(-1)?.zxid ?? this.base;
  }

  hasSession(id: bigint): boolean {
    this.#read();
    return this.#sessions.has(id);
  }

  at(zxid: Zxid): LoggedTxn | undefined {
    return this.txns[Number(zxid - this.base) - 1];
  }

  #read(): void {
    if (!this.#isStale || this.#image === null) return;
    this.#isStale = false;
    const names = this.#durableNames(this.#image);
    const logs = [...names]
      .filter(([name]) => name.startsWith('log.'))
      .map(([name, inode]) => ({ inode, zxid: parseHex(name.slice(4)) ?? 0n }))
      .sort((a, b) => (a.zxid < b.zxid ? -1 : 1));
    for (const { inode } of logs) {
      const file = this.#image.inodes.get(inode);
      if (file?.kind === 'file' && !this.#readLog(inode, file.durable)) return;
    }
  }

  #durableNames(image: DiskImage): Map<string, number> {
    let inode = image.inodes.get(rootInode);
    for (const name of this.#directory.split('/').filter((part) => part !== '')) {
      if (inode?.kind !== 'directory') break;
      const next = inode.durable.get(name);
      inode = next === undefined ? undefined : image.inodes.get(next);
    }
    return inode?.kind === 'directory' ? inode.durable : new Map<string, number>();
  }

  /** False: a gap, beyond which nothing counts. */
  #readLog(inode: number, content: Sparse): boolean {
    let at = this.#offsets.get(inode) ?? HEADER_BYTES;
    const [prefix, view] = [this.#prefix, this.#prefixView];
    for (;;) {
      if (content.read(prefix, 0, PREFIX_BYTES, at) < PREFIX_BYTES) break;
      const length = view.getInt32(8);
      if (length <= 0 || length > content.size) break;
      const bytes = new Uint8Array(length + 1);
      if (content.read(bytes, 0, length + 1, at + PREFIX_BYTES) < length + 1) break;
      const isWhole = bytes[length] === END_MARK && adler32(bytes, 0, length) === view.getUint32(4);
      if (!isWhole) break;
      if (!this.#accept(bytes.subarray(0, length))) return false;
      at += PREFIX_BYTES + length + 1;
    }
    this.#offsets.set(inode, at);
    return true;
  }

  #accept(bytes: Uint8Array): boolean {
    const zxid = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(12);
    const known = this.at(zxid);
    if (known !== undefined || zxid <= this.base) {
      const isSame = known === undefined || sameBytes(known.bytes, bytes);
      if (!isSame) this.#fail('S9', `the durable transaction ${formatZxid(zxid)} was replaced`);
      return true;
    }
    if (zxid !== (this.txns.at(-1)?.zxid ?? this.base) + 1n) return false;
    const payload = readTxnPayload(new Reader().reset(bytes, 0, bytes.length));
    this.txns.push({ zxid, payload, bytes, seenMs: this.#now() });
    if (payload.header.type === OpCode.createSession) this.#sessions.add(payload.header.clientId);
    return true;
  }
}
