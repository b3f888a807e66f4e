/**
 * What zkTxnLogToolkit.sh does with a log: print it (-d), mend checksums into a copy (-r, -v, -y), cut
 * a copy at a zxid (-c -z). Lines, messages and files are Apache's; what is printed and who is asked
 * is the caller's business.
 */
import type { Disk, DiskFile } from '../../ports/disk.js';
import { adler32 } from '../../protocol/adler32.js';
import { epochOf, counterOf, type Zxid } from '../../protocol/zxid.js';
import type { TxnPayload } from '../../protocol/records.js';
import { fileHeader, fileHeaderBytes, logMagic } from '../file-header.js';
import { LogReader } from '../log-reader.js';
import { baseNameOf } from '../names.js';
import { exitCodes } from '../start-error.js';
import { javaHex } from './java-text.js';
import type { TimeText } from './time-text.js';
import { ToolError } from './tool-error.js';
import { parseTxn, txnText } from './txn-text.js';

const invalidInvocation = 2;
const preAllocBytesDefault = 64 * 1024 * 1024;
const preallocateBelowBytes = 4096;

/** A record of a log, whatever it is worth. */
export interface RawLogRecord {
  readonly offset: number;
  readonly isChecksumRight: boolean;
  readonly hasEndMark: boolean;
  readonly checksum: number;
  /** A copy. */
  readonly payload: Uint8Array;
}

export interface RepairOptions {
  readonly verbose: boolean;
  readonly preAllocBytes?: number;
  /** Whether to mend this one; null: mend all without asking. Gets the line about the record. */
  readonly ask: ((line: string) => 'yes' | 'no' | 'abort') | null;
}

/** Every record up to where the log ends or stops making sense. Throws ToolError. */
export function* readLog(disk: Disk, path: string): Generator<RawLogRecord, void> {
  const reader = openLog(disk, path);
  try {
    yield* records(reader);
  } finally {
    reader.close();
  }
}

/** The lines of `-d`; one that ends in a newline is to be printed without another. */
export function* dumpLog(disk: Disk, path: string, time: TimeText): Generator<string, void> {
  const reader = openLog(disk, path);
  try {
    yield headerLine(reader);
    let count = 0;
    for (const record of records(reader)) {
      const line = txnText(parseTxn(record.payload), time);
      if (!record.isChecksumRight) yield `CRC ERROR - ${line}`;
      yield line;
      requireEnd(record);
      count++;
    }
    yield endLine(count);
  } finally {
    reader.close();
  }
}

/** The lines of `-r`: writes `<path>.fixed`. */
export function* repairLog(
  disk: Disk,
  path: string,
  time: TimeText,
  options: RepairOptions,
): Generator<string, void> {
  const target = `${path}.fixed`;
  if (disk.existsNow(path) && disk.existsNow(target)) {
    throw new ToolError(
      `Recovery file ${target} already exists or not writable`,
      exitCodes.unexpected,
    );
  }
  const reader = openLog(disk, path);
  const output = new LogCopy(disk, target, options.preAllocBytes ?? preAllocBytesDefault);
  try {
    yield headerLine(reader);
    output.header(reader);
    let count = 0;
    let mended = 0;
    for (const record of records(reader)) {
      const line = txnText(parseTxn(record.payload), time);
      const isMended = !record.isChecksumRight && isToBeMended(line, options);
      if (!record.isChecksumRight)
        yield `${options.ask === null ? 'CRC FIXED' : 'CRC ERROR'} - ${line}`;
      if (options.verbose) yield line;
      requireEnd(record);
      if (isMended) mended++;
      output.record(record, isMended ? sumOf(record.payload) : record.checksum);
      count++;
    }
    yield endLine(count);
    output.sync();
    yield `Recovery file ${target} has been written with ${mended} fixed CRC error(s)`;
  } finally {
    output.close();
    reader.close();
  }
}

/** The lines of `-c -z`: writes `<path>.chopped<zxid>`, with all up to that transaction. */
export function* chopLog(disk: Disk, path: string, zxid: Zxid): Generator<string, void> {
  const reader = openLog(disk, path);
  const target = `${path}.chopped${zxid}`;
  if (disk.existsNow(target)) disk.unlinkNow(target);
  const output = new LogCopy(disk, target, 0);
  try {
    yield headerLine(reader);
    output.header(reader);
    const isChopped = yield* chop(reader, output, zxid);
    output.sync();
    if (!isChopped) yield `Got exception: Failed to chop ${baseNameOf(path)}`;
  } catch (error) {
    // as Apache's: whatever went wrong is a line, not an exit code
    if (!(error instanceof Error)) throw error;
    yield `Got exception: ${error.message}`;
  } finally {
    output.close();
    reader.close();
  }
}

function* chop(reader: LogReader, output: LogCopy, zxid: Zxid): Generator<string, boolean> {
  let count = 0;
  let hasZxid = false;
  let previous: Zxid | null = null;
  for (const record of records(reader)) {
    if (!record.isChecksumRight) {
      throw new ToolError(
        `CRC doesn't match ${record.checksum} vs ${sumOf(record.payload)}`,
        exitCodes.unexpected,
      );
    }
    const { header } = parseTxn(record.payload);
    if (!record.hasEndMark) {
      yield 'Last transaction was partial.';
      requireEnd(record);
    }
    if (header.zxid === zxid) hasZxid = true;
    const gap = gapLine(previous, header);
    if (gap !== null) yield gap;
    previous = header.zxid;
    if (header.zxid > zxid) {
      if (count === 0 || !hasZxid) {
        yield `This log does not contain zxid ${javaHex(zxid)}`;
        return false;
      }
      yield `Chopping at ${javaHex(zxid)} new log has ${count} records`;
      return true;
    }
    output.record(record, record.checksum);
    count++;
  }
  yield endLine(count);
  return false;
}

function gapLine(previous: Zxid | null, { zxid }: TxnPayload['header']): string | null {
  if (previous === null || zxid === previous + 1n) return null;
  const between = `between ${javaHex(previous)} and ${javaHex(zxid)}`;
  if (epochOf(zxid) === epochOf(previous)) return `There is intra-epoch gap ${between}`;
  return counterOf(zxid) === 1 ? null : `There is inter-epoch gap ${between}`;
}

function isToBeMended(line: string, { ask }: RepairOptions): boolean {
  if (ask === null) return true;
  const answer = ask(`CRC ERROR - ${line}`);
  if (answer === 'abort') throw new ToolError('Recovery aborted.', 0);
  return answer === 'yes';
}

function openLog(disk: Disk, path: string): LogReader {
  if (!disk.existsNow(path)) {
    throw new ToolError(`File doesn't exist or not readable: ${path}`, exitCodes.unexpected);
  }
  const reader = new LogReader(disk, path);
  if (reader.header === 'valid') return reader;
  reader.close();
  throw new ToolError(`Invalid magic number for ${baseNameOf(path)}`, invalidInvocation);
}

function* records(reader: LogReader): Generator<RawLogRecord, void> {
  while (reader.nextAnyhow()) {
    const { offset, checksum, isChecksumRight, hasEndMark } = reader;
    const payload = reader.bytes.slice(reader.payloadStart, reader.payloadEnd);
    yield { offset, checksum, isChecksumRight, hasEndMark, payload };
  }
}

function requireEnd({ hasEndMark }: RawLogRecord): void {
  if (!hasEndMark) throw new ToolError('Last transaction was partial.', exitCodes.unexpected);
}

function headerLine({ dbId, version }: LogReader): string {
  return `ZooKeeper Transactional Log File with dbid ${dbId} txnlog format version ${version}`;
}

function endLine(count: number): string {
  return `EOF reached after ${count} txns.`;
}

function sumOf(payload: Uint8Array): number {
  return adler32(payload, 0, payload.length);
}

/** A new log file, written from start to end. */
class LogCopy {
  readonly #file: DiskFile;
  readonly #preAllocBytes: number;
  #position = 0;
  #size = 0;

  constructor(disk: Disk, path: string, preAllocBytes: number) {
    this.#file = disk.openNow(path, 'create');
    this.#preAllocBytes = preAllocBytes;
  }

  header({ dbId }: LogReader): void {
    this.#write(fileHeader(logMagic, dbId));
    this.#size = fileHeaderBytes;
  }

  record({ payload }: RawLogRecord, checksum: number): void {
    this.#preallocate();
    const bytes = new Uint8Array(12 + payload.length + 1);
    const view = new DataView(bytes.buffer);
    view.setUint32(4, checksum);
    view.setInt32(8, payload.length);
    bytes.set(payload, 12);
    bytes[bytes.length - 1] = 0x42;
    this.#write(bytes);
  }

  sync(): void {
    this.#file.syncNow();
  }

  close(): void {
    this.#file.closeNow();
  }

  #preallocate(): void {
    if (this.#preAllocBytes <= 0 || this.#position + preallocateBelowBytes < this.#size) return;
    this.#size = Math.max(this.#size, this.#position) + this.#preAllocBytes;
    this.#file.writeNow(new Uint8Array(1), 0, 1, this.#size - 1);
  }

  #write(bytes: Uint8Array): void {
    this.#file.writeNow(bytes, 0, bytes.length, this.#position);
    this.#position += bytes.length;
  }
}
