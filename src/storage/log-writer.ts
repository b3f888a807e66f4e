/**
 * The writing end of the transaction log. Appending puts bytes into the page cache; flushing makes all
 * that was appended durable and then says so. One flush is under way at a time, and whoever asks
 * meanwhile shares the next one: group commit. Where a flush takes milliseconds that is a bad bargain
 * for whoever comes just behind one, so there several may be under way; they end in the order in which
 * they began, and each stands on those before it.
 *
 * Two rules keep every crash recoverable:
 *
 * - A log is begun only after the one before it is durable to its end, and it gets its first record
 *   only after its header, its name and the tail mark that names it are. So damage can only ever be
 *   at the end of the last log. While a log is being begun, appended bytes wait in memory.
 * - Preallocation writes one byte at the new end of the file; the flush after it is a full fsync, so
 *   that the flushes that follow find their length on the disk already.
 *
 * The file's content is as if it were sparse, but a stretch before the appended bytes is written with
 * zeros, and again when it is used up: a flush that finds its blocks allocated has no metadata to
 * wait for. Where file systems keep a journal that halves it, and it no longer stands behind the
 * journal's commits for others, those of a snapshot above all.
 *
 * An error of any of this is final. The kernel may have marked the lost pages clean, and a second
 * fsync would say that all is well: the process must end and trust only what it reads again.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../ports/clock.js';
import { DiskError, type Disk, type DiskFile } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { formatZxid, zxidOfParts, type Zxid } from '../protocol/zxid.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { follows } from './continuity.js';
import { fileHeader, fileHeaderBytes, logDbId, logMagic } from './file-header.js';
import { join, logName } from './names.js';
import { TailMarkFile } from './tail-mark.js';

/** Preallocation happens when less than this is left, as Apache does it. */
const preallocateBelowBytes = 4096;
/** Zeros written at once: hundreds of flushes share the one that has to allocate. */
const zeros = new Uint8Array(256 * 1024);
/** Flushes under way where the disk is slow. As many as Node's pool has threads. */
const flightsMax = 4;
/** A flush that takes longer, on average, is worth overlapping; a quicker one is better shared. */
const overlapAboveMs = 1;

export interface LogWriterOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directory: string;
  /** 0: none. */
  readonly preAllocBytes: number;
  /** Begin another log once one is longer; -1: never for that reason. */
  readonly txnLogSizeLimitBytes: number;
  /** False: say "durable" without waiting for the disk, at the operator's own risk. */
  readonly forceSync: boolean;
  readonly fsyncWarningMs: number;
  /** Of the writer before this one, to be counted on. */
  readonly fsyncStats?: FsyncStats;
  onFatal(error: Error): void;
}

export interface FsyncStats {
  count: number;
  totalMs: number;
  maxMs: number;
  lastMs: number;
  /** Those that took longer than the warning threshold. */
  slowCount: number;
}

/** Bytes for a log that is still to be begun. */
interface Segment {
  readonly zxid: Zxid;
  readonly pieces: Uint8Array[];
  /** Of the last record in the pieces. */
  checksum: number;
}

type Done = () => void;

/** A flush of the open log that is under way. */
interface Flight {
  readonly position: number;
  /** Of the last record before it. */
  readonly checksum: number;
  readonly calls: readonly Done[];
  isDone: boolean;
}

export class LogWriter {
  readonly fsyncStats: FsyncStats;

  readonly #options: LogWriterOptions;
  readonly #mark: TailMarkFile;
  /** The log that is open; null until the first append and while the next one is being begun. */
  #file: DiskFile | null = null;
  #position = 0;
  /** Of the file, preallocated part included. */
  #size = 0;
  /** Up to where its blocks are allocated. */
  #filledTo = 0;
  /** Up to where the open log was when the last flush began, and when the last one that ended did. */
  #flushedTo = 0;
  #durableTo = 0;
  /** Preallocated since the last full fsync. */
  #isGrown = false;
  #isRolling = false;
  readonly #segments: Segment[] = [];

  #lastHigh: number;
  #lastLow: number;
  /** Of the last record in the open log. */
  #checksum = 0;
  #appendedBytes = 0;

  #waiting: Done[] = [];
  /** While logs are begun, or the open one has grown: such a flush is alone. */
  #flushing: Done[] | null = null;
  readonly #flights: Flight[] = [];
  #averageFlushMs = 0;
  #isPumping = false;
  #state: 'open' | 'closed' | 'failed' = 'open';

  /** (high, low): the last transaction of the logs that exist. */
  constructor(options: LogWriterOptions, last: Zxid) {
    this.#options = options;
    this.fsyncStats = options.fsyncStats ?? {
      count: 0,
      totalMs: 0,
      maxMs: 0,
      lastMs: 0,
      slowCount: 0,
    };
    this.#mark = new TailMarkFile(options.disk, options.directory);
    this.#lastHigh = Number(BigInt.asUintN(32, last >> 32n));
    this.#lastLow = Number(BigInt.asUintN(32, last));
  }

  /** All that was ever appended by this writer. */
  get appendedBytes(): number {
    return this.#appendedBytes;
  }

  /** How many flushes are worth asking for at once. */
  get flushesMax(): number {
    return this.#averageFlushMs > overlapAboveMs ? flightsMax : 1;
  }

  /** Of the open log, the preallocated rest not counted; null: that one is not open. */
  writtenBytes(path: string): number | null {
    return this.#file?.path === path ? this.#position : null;
  }

  /** At the end of the log. The batch may be changed again only after the flush that follows. */
  append(batch: TxnBatch): void {
    assert(this.#state !== 'closed', 'nothing is appended to a closed log');
    if (this.#state === 'failed' || batch.count === 0) return;
    this.#advance(batch);
    this.#appendedBytes += batch.length;
    const { bytes, length } = batch;
    const checksum = checksumBefore(bytes, batch.payloadStart(batch.count - 1));
    const file = this.#file;
    if (file !== null && !this.#isRolling && this.#segments.length === 0) {
      this.#attempt(() => {
        this.#write(file, bytes, 0, length);
        this.#checksum = checksum;
      });
      return;
    }
    let segment = this.#isRolling ? undefined : this.#segments.at(-1);
    if (segment === undefined) {
      const zxid = zxidOfParts(batch.zxidHigh(0), batch.zxidLow(0));
      segment = { zxid, pieces: [], checksum };
      this.#segments.push(segment);
      this.#isRolling = false;
    }
    segment.pieces.push(bytes.slice(0, length));
    segment.checksum = checksum;
  }

  /** Calls `done` once all that was appended before is durable; never, when the disk fails. */
  flush(done: Done): void {
    assert(this.#state !== 'closed', 'nothing is flushed in a closed log');
    if (this.#state === 'failed') return;
    this.#waiting.push(done);
    this.#pump();
  }

  /** What is appended from here on goes into another file. */
  roll(): void {
    if (this.#file !== null || this.#segments.length > 0) this.#isRolling = true;
  }

  /** Makes what the open log has got durable and lets go of the files; nobody is called any more. */
  close(): void {
    if (this.#state !== 'open') return;
    const isClosed = this.#attempt(() => {
      const file = this.#file;
      if (file !== null && this.#options.forceSync && this.#position > this.#durableTo) {
        file.syncNow();
        this.#mark.write(this.#position, this.#checksum);
      }
      this.#leaveLog();
      this.#mark.close();
    });
    if (isClosed) this.#state = 'closed';
  }

  /** Zxids are consecutive, in a batch and between batches: the last moment to notice a hole. */
  #advance(batch: TxnBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const high = batch.zxidHigh(i);
      const low = batch.zxidLow(i);
      if (!follows(this.#lastHigh, this.#lastLow, high, low)) {
        const last = formatZxid(zxidOfParts(this.#lastHigh, this.#lastLow));
        assert(
          false,
          `the log goes on after ${last}, not with ${formatZxid(zxidOfParts(high, low))}`,
        );
      }
      this.#lastHigh = high;
      this.#lastLow = low;
    }
  }

  #write(file: DiskFile, bytes: Uint8Array, start: number, end: number): void {
    this.#preallocate(file, end - start);
    file.writeNow(bytes, start, end, this.#position);
    this.#position += end - start;
    if (this.#position > this.#filledTo) this.#fillAhead(file);
  }

  /** Only inside what is preallocated: the file's length stays what it would be without. */
  #fillAhead(file: DiskFile): void {
    const to = Math.min(this.#position + zeros.length, this.#size - 1);
    if (to > this.#position) file.writeNow(zeros, 0, to - this.#position, this.#position);
    this.#filledTo = Math.max(to, this.#position);
  }

  #preallocate(file: DiskFile, byteCount: number): void {
    const { preAllocBytes } = this.#options;
    const needed = this.#position + byteCount + preallocateBelowBytes;
    if (preAllocBytes <= 0 || needed < this.#size) return;
    while (needed >= this.#size) this.#size += preAllocBytes;
    file.writeNow(new Uint8Array(1), 0, 1, this.#size - 1);
    this.#isGrown = true;
  }

  /** Flushes until nobody waits, or until the disk takes its time. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#waiting.length > 0 && this.#flushing === null && this.#mayFlush()) {
      const calls = this.#waiting;
      this.#waiting = [];
      const file = this.#file;
      if (file !== null && this.#isPlain) {
        this.#takeOff(file, calls);
      } else {
        this.#flushing = calls;
        this.#flushRest();
      }
    }
    this.#isPumping = false;
  }

  /** Nothing but the open log's end, whose length the disk knows. */
  get #isPlain(): boolean {
    return !this.#isGrown && this.#segments.length === 0;
  }

  #mayFlush(): boolean {
    const count = this.#flights.length;
    return count === 0 || (this.#isPlain && count < this.flushesMax);
  }

  #takeOff(file: DiskFile, calls: readonly Done[]): void {
    const { clock, forceSync } = this.#options;
    const isNeeded = forceSync && this.#position > this.#flushedTo;
    const [position, checksum] = [this.#position, this.#checksum];
    const flight: Flight = { position, checksum, calls, isDone: !isNeeded };
    this.#flushedTo = position;
    this.#flights.push(flight);
    if (!isNeeded) {
      this.#land();
      return;
    }
    const startedMs = clock.monotonicMs();
    file.flush((error) => {
      if (this.#state !== 'open') return;
      if (error !== null) {
        this.#fail(error);
        return;
      }
      this.#measure(startedMs);
      flight.isDone = true;
      this.#land();
      this.#pump();
    });
  }

  /**
   * In the order in which they began: one that ended before an older one has not heard what the older
   * one will say of the pages before its own.
   */
  #land(): void {
    const wasPumping = this.#isPumping;
    // whoever asks for another flush from in here waits until all have been told of this one
    this.#isPumping = true;
    for (let oldest = this.#flights[0]; oldest?.isDone === true; oldest = this.#flights[0]) {
      this.#flights.shift();
      if (!this.#note(oldest)) break;
      this.#rollWhenLong();
      for (const call of oldest.calls) call();
    }
    this.#isPumping = wasPumping;
  }

  /** Everything before the position is durable. */
  #note({ position, checksum }: Flight): boolean {
    if (!this.#options.forceSync || position <= this.#durableTo) return true;
    this.#durableTo = position;
    return this.#attempt(() => {
      this.#mark.write(position, checksum);
    });
  }

  #rollWhenLong(): void {
    const { txnLogSizeLimitBytes } = this.#options;
    if (txnLogSizeLimitBytes > 0 && this.#position > txnLogSizeLimitBytes) this.roll();
  }

  /** What is not durable yet: the open log's end, then the logs that wait to be begun. */
  #flushRest(): void {
    if (this.#state !== 'open') return;
    if (this.#file !== null && this.#position > this.#flushedTo) {
      this.#flushFile(this.#file);
    } else if (this.#segments.length > 0) {
      this.#beginLogs().then(
        () => {
          this.#flushRest();
        },
        (error: unknown) => {
          this.#fail(error);
        },
      );
    } else {
      this.#finishFlush();
    }
  }

  #flushFile(file: DiskFile): void {
    const position = this.#position;
    const checksum = this.#checksum;
    this.#flushedTo = position;
    if (!this.#options.forceSync) {
      this.#flushRest();
      return;
    }
    const startedMs = this.#options.clock.monotonicMs();
    const done = (error: unknown): void => {
      if (this.#state !== 'open') return;
      if (error !== null) {
        this.#fail(error);
        return;
      }
      this.#measure(startedMs);
      this.#durableTo = position;
      this.#attempt(() => {
        this.#mark.write(position, checksum);
      });
      // what was appended meanwhile is for the next flush, unless another log follows this one
      if (this.#segments.length > 0) this.#flushRest();
      else this.#finishFlush();
    };
    if (this.#isGrown) {
      this.#isGrown = false;
      file.sync().then(() => {
        done(null);
      }, done);
    } else {
      file.flush(done);
    }
  }

  #finishFlush(): void {
    if (this.#state !== 'open') return;
    this.#rollWhenLong();
    // whoever asks for another flush from in here waits for the next one
    for (const call of this.#flushing ?? []) call();
    this.#flushing = null;
    this.#pump();
  }

  /** Begins the logs that have bytes waiting; the last one stays open. */
  async #beginLogs(): Promise<void> {
    for (let segment = this.#segments[0]; segment !== undefined; segment = this.#segments[0]) {
      const file = await this.#beginLog(segment.zxid);
      if (this.#state !== 'open') return;
      for (const piece of segment.pieces) this.#write(file, piece, 0, piece.length);
      this.#checksum = segment.checksum;
      this.#segments.shift();
      if (this.#segments.length === 0) return;
      this.#flushedTo = this.#position;
      if (this.#options.forceSync) await file.sync();
    }
  }

  async #beginLog(zxid: Zxid): Promise<DiskFile> {
    const { disk, directory, logger, forceSync } = this.#options;
    this.#leaveLog();
    const name = logName(zxid);
    const file = disk.openNow(join(directory, name), 'create');
    file.writeNow(fileHeader(logMagic, logDbId), 0, fileHeaderBytes, 0);
    this.#position = this.#size = this.#flushedTo = this.#durableTo = fileHeaderBytes;
    this.#preallocate(file, 0);
    this.#fillAhead(file);
    this.#file = file;
    logger.info('a new transaction log begins', { file: name });
    if (forceSync) {
      const named = file.sync().then(() => disk.syncDirectory(directory));
      await Promise.all([named, this.#mark.begin(zxid)]);
      this.#isGrown = false;
    } else {
      // never moved on: without fsync nothing is known to be durable
      this.#mark.beginUnsynced(zxid);
    }
    return file;
  }

  /**
   * The preallocated rest goes: whoever reads the log need not go through it to see that it is empty.
   * Not synced; should the zeros come back after a crash, they are zeros.
   */
  #leaveLog(): void {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    if (this.#position < this.#size) file.truncateNow(this.#position);
    file.closeNow();
  }

  #measure(startedMs: number): void {
    const { clock, fsyncWarningMs, logger } = this.#options;
    const ms = clock.monotonicMs() - startedMs;
    const stats = this.fsyncStats;
    stats.count++;
    stats.totalMs += ms;
    stats.lastMs = ms;
    this.#averageFlushMs += (ms - this.#averageFlushMs) / 8;
    if (ms > stats.maxMs) stats.maxMs = ms;
    if (ms <= fsyncWarningMs) return;
    stats.slowCount++;
    logger.warn('fsync of the transaction log was slow; every write waited for it', {
      tookMs: Math.round(ms),
      warningAboveMs: fsyncWarningMs,
      fileBytes: this.#size,
    });
  }

  /** False: the disk refused, and that is that. */
  #attempt(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#fail(error);
      return false;
    }
  }

  #fail(error: unknown): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
  }
}

/** The checksum that stands before a record's payload: a long, of which the lower half counts. */
function checksumBefore(bytes: Uint8Array, payloadStart: number): number {
  const at = payloadStart - 8;
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}
