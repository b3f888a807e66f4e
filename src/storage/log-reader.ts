/**
 * Reads one log file, record by record, and says what there is where the records end. Apache's reader
 * calls it the end of the file whenever a record does not make sense, and goes on with the next file:
 * that is how zeros in the middle of a log become transactions that were never there. Here the end
 * is proved: only zeros follow (the preallocated part), or it is damage, and then it matters whether
 * another valid record comes after it.
 *
 * The record under the cursor is lent: its bytes lie in the reader's window until the next call.
 */
import type { Disk, DiskFile } from '../ports/disk.js';
import { adler32 } from '../protocol/adler32.js';
import {
  txnHeaderBytes,
  txnHeaderZxidOffset,
  txnRecordEnd,
  txnRecordPrefixBytes,
} from '../protocol/limits.js';
import { fileHeaderBytes, logMagic } from './file-header.js';
import type { Pace } from './pace.js';

const windowBytesMin = 1024 * 1024;
const checkBytes = 64 * 1024;

/** Why the record at a place is none. */
export type NoRecord =
  /** Zeros where it should begin, or nothing at all. */
  | 'nothing'
  /** The file ends within it. */
  | 'short'
  | 'length'
  | 'checksum'
  /** Its last byte is not the end mark: it was not written to its end. */
  | 'mark';

export interface LogTail {
  /** Where the last valid record ends. */
  readonly offset: number;
  readonly noRecord: NoRecord;
  /** Zeros to the end of the file: the log ends here, as it should. */
  readonly isClean: boolean;
  /** Where the first valid record after the damage begins. */
  readonly validAt: number | null;
  /** Nobody looked at what comes after the offset: it is known to be of no use. */
  readonly isUnread: boolean;
}

/** What the first bytes of the file are. */
export type LogHeader = 'valid' | 'missing' | 'foreign';

export class LogReader {
  readonly path: string;
  /** As of the opening, or of the last look ahead. */
  size: number;
  readonly header: LogHeader;
  readonly dbId: bigint;
  readonly version: number;

  /** The record under the cursor: bytes[payloadStart, payloadEnd) is the transaction. */
  bytes: Uint8Array<ArrayBuffer>;
  payloadStart = 0;
  payloadEnd = 0;
  /** Where the record begins and ends in the file. */
  offset = 0;
  endOffset = fileHeaderBytes;
  zxidHigh = 0;
  zxidLow = 0;
  /** Of the payload, as written. */
  checksum = 0;
  noRecord: NoRecord = 'nothing';
  /** What `nextAnyhow` found. */
  isChecksumRight = true;
  hasEndMark = true;

  readonly #file: DiskFile;
  #view: DataView;
  /** The window holds the file's [#windowStart, #windowEnd). */
  #windowStart = 0;
  #windowEnd = 0;

  constructor(disk: Disk, path: string) {
    this.path = path;
    this.#file = disk.openNow(path, 'read');
    this.size = this.#file.sizeNow();
    this.bytes = new Uint8Array(Math.min(windowBytesMin, Math.max(this.size, fileHeaderBytes)));
    this.#view = new DataView(this.bytes.buffer);
    const isWhole = this.#have(0, fileHeaderBytes);
    this.version = isWhole ? this.#view.getInt32(4) : 0;
    this.dbId = isWhole ? this.#view.getBigInt64(8) : 0n;
    this.header = this.#headerKind(isWhole);
    if (this.header !== 'valid') this.endOffset = Math.min(this.size, fileHeaderBytes);
  }

  close(): void {
    this.#file.closeNow();
  }

  /** Moves to the next record; false when there is none there, for the reason in `noRecord`. */
  next(): boolean {
    const found = this.#readAt(this.endOffset);
    if (found !== null) {
      this.noRecord = found;
      return false;
    }
    this.offset = this.endOffset;
    this.endOffset = this.offset + txnRecordPrefixBytes + (this.payloadEnd - this.payloadStart) + 1;
    return true;
  }

  /**
   * Looks again at the file, which may have grown, and reads what comes behind the cursor without
   * holding up the event loop: the calls of `next` that follow find it here.
   */
  async lookAhead(): Promise<void> {
    this.size = this.#file.sizeNow();
    const wanted = Math.min(windowBytesMin, this.size);
    if (this.bytes.length < wanted) {
      this.bytes = new Uint8Array(wanted);
      this.#view = new DataView(this.bytes.buffer);
    }
    const at = this.endOffset;
    this.#windowStart = this.#windowEnd = at;
    const got = await this.#file.read(this.bytes, 0, this.bytes.length, at);
    this.#windowEnd = at + got;
  }

  /**
   * Moves to the next record as Apache's tools do, valid or not: a length that is not 0 makes one.
   * False where the length is 0 or the file ends. For people who look at damage.
   */
  nextAnyhow(): boolean {
    const at = this.endOffset;
    if (!this.#have(at, txnRecordPrefixBytes)) return false;
    const i = at - this.#windowStart;
    const checksumHigh = this.#view.getInt32(i);
    this.checksum = this.#view.getUint32(i + 4);
    const length = this.#view.getInt32(i + 8);
    if (length <= 0 || !this.#have(at, txnRecordPrefixBytes + length)) return false;
    this.offset = at;
    this.payloadStart = at - this.#windowStart + txnRecordPrefixBytes;
    this.payloadEnd = this.payloadStart + length;
    this.endOffset = at + txnRecordPrefixBytes + length + 1;
    this.hasEndMark = this.copy(this.endOffset - 1, this.endOffset)[0] === txnRecordEnd;
    const sum = adler32(this.bytes, this.payloadStart, this.payloadEnd);
    this.isChecksumRight = checksumHigh === 0 && sum === this.checksum;
    return true;
  }

  /** After `next` said no: what the rest of the file is. */
  async tail(pace: Pace): Promise<LogTail> {
    const { endOffset: offset, noRecord } = this;
    const isClean = noRecord === 'nothing' && (await this.#firstNonZero(offset, pace)) === null;
    const validAt = isClean ? null : await this.findRecord(offset + 1, pace);
    return { offset, noRecord, isClean, validAt, isUnread: false };
  }

  /**
   * As `tail`, where a tail mark says that the log was durable exactly to here: what follows was never
   * acknowledged, whatever it is, and 64 MiB of preallocated zeros need not be read.
   */
  tailAsMarked(): LogTail {
    const { endOffset: offset, noRecord, size } = this;
    return { offset, noRecord, isClean: true, validAt: null, isUnread: offset < size };
  }

  /** The first place from `offset` on at which a valid record begins; null: there is none. */
  async findRecord(offset: number, pace: Pace): Promise<number | null> {
    const lastStart = this.size - txnRecordPrefixBytes - txnHeaderBytes - 1;
    for (let at = offset; at <= lastStart; at++) {
      if (at % checkBytes === 0 && pace.isOver) await pace.rest();
      if (!this.#have(at, txnRecordPrefixBytes)) return null;
      const i = at - this.#windowStart;
      if (this.#view.getInt32(i) !== 0) continue; // an Adler-32 as a long: upper half zero
      if (this.#view.getInt32(i + 8) < txnHeaderBytes) {
        if (this.#view.getInt32(i + 4) === 0 && this.#view.getInt32(i + 8) === 0) {
          const nonZero = await this.#firstNonZero(at + txnRecordPrefixBytes, pace);
          if (nonZero === null) return null;
          at = Math.max(at, nonZero - txnRecordPrefixBytes);
        }
        continue;
      }
      if (this.#isRecordAt(at)) return at;
    }
    return null;
  }

  /** The bytes [start, end) of the file, copied; what the file has of them. */
  copy(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(end, this.size) - start));
    return bytes.subarray(0, this.#file.readNow(bytes, 0, bytes.length, start));
  }

  #headerKind(isWhole: boolean): LogHeader {
    if (!isWhole) return 'missing';
    for (let i = 0, bits = 0; i < fileHeaderBytes; i++) {
      bits |= this.bytes[i] ?? 0;
      if (bits !== 0) break;
      if (i === fileHeaderBytes - 1) return 'missing';
    }
    // the version behind it never changed, and Apache's readers do not look at it
    return this.#view.getInt32(0) === logMagic ? 'valid' : 'foreign';
  }

  /** Reads the record at `at` into the cursor's fields (not its offsets); null when it is valid. */
  #readAt(at: number): NoRecord | null {
    const left = this.size - at;
    if (left <= 0) return 'nothing';
    if (left < txnRecordPrefixBytes) return this.#zeros(at, left) ? 'nothing' : 'short';
    if (!this.#have(at, txnRecordPrefixBytes)) return 'short';
    let i = at - this.#windowStart;
    const checksumHigh = this.#view.getInt32(i);
    const checksum = this.#view.getUint32(i + 4);
    const length = this.#view.getInt32(i + 8);
    if (length === 0 && checksum === 0 && checksumHigh === 0) return 'nothing';
    if (length < txnHeaderBytes) return 'length';
    if (txnRecordPrefixBytes + length + 1 > left) return 'short';
    if (!this.#have(at, txnRecordPrefixBytes + length + 1)) return 'short';
    i = at - this.#windowStart;
    const start = i + txnRecordPrefixBytes;
    const end = start + length;
    if (this.bytes[end] !== txnRecordEnd) return 'mark';
    if (checksumHigh !== 0 || adler32(this.bytes, start, end) !== checksum) return 'checksum';
    this.payloadStart = start;
    this.payloadEnd = end;
    this.checksum = checksum;
    this.zxidHigh = this.#view.getUint32(start + txnHeaderZxidOffset);
    this.zxidLow = this.#view.getUint32(start + txnHeaderZxidOffset + 4);
    return null;
  }

  /** As `#readAt`, without moving the window over what may be a length made of garbage. */
  #isRecordAt(at: number): boolean {
    const i = at - this.#windowStart;
    const checksum = this.#view.getUint32(i + 4);
    const length = this.#view.getInt32(i + 8);
    const start = at + txnRecordPrefixBytes;
    const end = start + length;
    if (end >= this.size || this.copy(end, end + 1)[0] !== txnRecordEnd) return false;
    let sum = 1;
    for (let from = start; from < end; from += checkBytes) {
      const piece = this.copy(from, Math.min(end, from + checkBytes));
      sum = adler32(piece, 0, piece.length, sum);
    }
    return sum === checksum;
  }

  #zeros(at: number, length: number): boolean {
    return this.copy(at, at + length).every((byte) => byte === 0);
  }

  async #firstNonZero(offset: number, pace: Pace): Promise<number | null> {
    let at = offset;
    while (at < this.size) {
      if (pace.isOver) await pace.rest();
      if (!this.#have(at, 1)) return null;
      const found = nonZeroIndex(
        this.bytes,
        at - this.#windowStart,
        this.#windowEnd - this.#windowStart,
      );
      if (found >= 0) return this.#windowStart + found;
      at = this.#windowEnd;
    }
    return null;
  }

  /** Makes the window hold [at, at + length); false when the file ends before. */
  #have(at: number, length: number): boolean {
    const end = at + length;
    if (at >= this.#windowStart && end <= this.#windowEnd) return true;
    if (end > this.size) return false;
    if (length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(this.bytes.length * 2, this.size)));
      grown.set(this.bytes.subarray(0, this.#windowEnd - this.#windowStart));
      this.bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    let kept = 0;
    if (at >= this.#windowStart && at < this.#windowEnd) {
      this.bytes.copyWithin(0, at - this.#windowStart, this.#windowEnd - this.#windowStart);
      kept = this.#windowEnd - at;
    }
    const got = this.#file.readNow(this.bytes, kept, this.bytes.length, at + kept);
    this.#windowStart = at;
    this.#windowEnd = at + kept + got;
    return end <= this.#windowEnd;
  }
}

/** Index of the first byte in [start, end) that is not 0, or -1. Eight at a time where it can. */
function nonZeroIndex(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  for (; i < end && (bytes.byteOffset + i) % 8 !== 0; i++) if (bytes[i] !== 0) return i;
  if (i === end) return -1;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + i, ((end - i) >> 3) * 2);
  for (let w = 0; w < words.length; w += 2, i += 8) {
    if ((words[w]! | words[w + 1]!) !== 0) break;
  }
  for (; i < end; i++) if (bytes[i] !== 0) return i;
  return -1;
}
