/**
 * The history from some transaction on, as the log files hold it: what a learner that has been away is
 * sent, piece by piece, while the log goes on being written. Nothing is promised that is not there: a
 * cursor begins only right after a transaction that this server's history contains, and a hole, damage
 * or a missing file ends it with 'gap', after which the learner must be given the whole state.
 *
 * Whoever opens a cursor closes it: the files before it are not purged meanwhile.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../ports/clock.js';
import { DiskError, type Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import {
  counterOf,
  formatZxid,
  zxidHigh,
  zxidLow,
  zxidOfParts,
  type Zxid,
} from '../protocol/zxid.js';
import { follows } from './continuity.js';
import { LogReader } from './log-reader.js';
import { listLogs, type LogName } from './names.js';
import { Pace } from './pace.js';

const sliceMs = 5;
const recordsPerQuestion = 64;

export interface LogCursorParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly logDirectory: string;
  /** Whether a snapshot is named after it, which proves that the history went through it. */
  hasSnapshot(zxid: Zxid): boolean;
  /** Up to where a log has been written, the preallocated rest not counted. */
  writtenBytes(log: LogName): number;
  onClose(cursor: LogCursor): void;
}

export class LogCursor {
  readonly #parts: LogCursorParts;
  readonly #batch = new TxnBatch();
  #reader: LogReader | null = null;
  #log: LogName | null = null;
  /** The last transaction that was handed out, or before the first one that will be. */
  #position: Zxid;
  #last: Zxid;
  #isClosed = false;
  #isBusy = false;

  /** Of no use before `seek`. `last`: not after what a flush has confirmed. */
  constructor(parts: LogCursorParts, from: Zxid, last: Zxid) {
    this.#parts = parts;
    this.#position = from;
    this.#last = last;
  }

  /** After which transaction it stands. */
  get position(): Zxid {
    return this.#position;
  }

  /** The log that it reads, and all after it, must stay; null: every log. */
  get logZxid(): Zxid | null {
    return this.#log?.zxid ?? null;
  }

  /** More became durable and committed: it may be read too. */
  extendTo(last: Zxid): void {
    if (last > this.#last) this.#last = last;
  }

  /** Bytes of the logs from here to their end: what sending all of it would cost, about. */
  get bytesAhead(): number {
    const reader = this.#reader;
    if (reader === null) return 0;
    const { logDirectory, disk } = this.#parts;
    let bytes = -reader.endOffset;
    for (const log of listLogs(disk, logDirectory)) {
      if (log.zxid >= (this.#log?.zxid ?? 0n)) bytes += this.#parts.writtenBytes(log);
    }
    return Math.max(0, bytes);
  }

  /**
   * Goes to where it begins. False when the history does not go through that transaction, or the logs
   * do not reach back to it.
   */
  async seek(): Promise<boolean> {
    return await this.#attempt(() => this.#seek(), false);
  }

  /**
   * The next transactions, in order and without a gap, at least one and no more than `bytesMax` bytes of
   * records unless one alone is longer; the batch is lent until the next call. 'end': up to the last
   * one, for now. 'gap': they are not to be had from here.
   */
  async next(bytesMax: number): Promise<TxnBatch | 'end' | 'gap'> {
    return await this.#attempt(() => this.#next(bytesMax), 'gap');
  }

  /** May be called more than once, and while a call is under way: that one answers 'gap'. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isBusy) this.#leave();
    this.#parts.onClose(this);
  }

  async #seek(): Promise<boolean> {
    const { disk, clock, logDirectory } = this.#parts;
    const from = this.#position;
    const logs = listLogs(disk, logDirectory);
    const log = logs.findLast(({ zxid }) => zxid <= from) ?? logs[0];
    if (log === undefined) return this.#parts.hasSnapshot(from) && from >= this.#last;
    const reader = this.#enter(log);
    if (reader === null) return false;
    const pace = new Pace(clock, sliceMs);
    for (let count = 1; reader.next(); count++) {
      const zxid = zxidOf(reader);
      if (zxid === from) return true;
      if (zxid > from) {
        reader.endOffset = reader.offset;
        break;
      }
      if (count % recordsPerQuestion !== 0 || !pace.isOver) continue;
      await pace.rest();
      if (this.#isClosed) return false;
    }
    return this.#isKnownBefore(this.#peek());
  }

  /**
   * No log holds the transaction where it should begin. A snapshot of exactly that name will do, and so
   * will the beginning of an epoch, if `next` is the first transaction of it.
   */
  #isKnownBefore(next: Zxid | null): boolean {
    const from = this.#position;
    if (this.#parts.hasSnapshot(from))
      return next === null ? from >= this.#last : isNext(from, next);
    return counterOf(from) === 0 && next === from + 1n;
  }

  /** The transaction that comes next, whichever log it is in. */
  #peek(): Zxid | null {
    while (this.#reader !== null) {
      const reader = this.#reader;
      if (reader.next()) {
        reader.endOffset = reader.offset;
        return zxidOf(reader);
      }
      if (!this.#moveOn(reader)) return null;
    }
    return null;
  }

  async #next(bytesMax: number): Promise<TxnBatch | 'end' | 'gap'> {
    // what is written while the file is being looked at is for the next call
    const last = this.#last;
    const batch = this.#batch;
    batch.reset();
    while (this.#position < last) {
      const reader = this.#reader;
      if (reader === null || this.#isClosed) return 'gap';
      await reader.lookAhead();
      const found = this.#take(reader, batch, last, bytesMax);
      if (found === 'more' && this.#moveOn(reader)) continue;
      if (batch.count > 0) return batch;
      if (found === 'end') return 'end';
      // an epoch has begun and has no transaction: the log ends before it
      if (counterOf(last) === 0 && found === 'more' && this.#isAtTheEnd(reader)) return 'end';
      return this.#gap();
    }
    return this.#isClosed ? 'gap' : 'end';
  }

  /** Into the batch what this log has of it. 'more': it ended too soon, at a place where logs end. */
  #take(reader: LogReader, batch: TxnBatch, last: Zxid, bytesMax: number): 'end' | 'gap' | 'more' {
    if (this.#isClosed) return 'gap';
    while (reader.next()) {
      const zxid = zxidOf(reader);
      // Apache logs some errors again under the transaction before
      if (zxid === this.#position) continue;
      const isFull = batch.count > 0 && batch.length + reader.endOffset - reader.offset > bytesMax;
      const isAllowed = zxid <= last && isNext(this.#position, zxid);
      if (isFull || !isAllowed) {
        reader.endOffset = reader.offset;
        return isFull || zxid > last ? 'end' : 'gap';
      }
      batch.begin().writeBytes(reader.bytes, reader.payloadStart, reader.payloadEnd);
      batch.finish();
      this.#position = zxid;
      if (zxid === last) return 'end';
    }
    return batch.count > 0 ? 'end' : 'more';
  }

  /** The log ended as it should, and no other follows. */
  #isAtTheEnd(reader: LogReader): boolean {
    const { disk, logDirectory } = this.#parts;
    const current = this.#log?.zxid ?? -1n;
    const isLast = !listLogs(disk, logDirectory).some(({ zxid }) => zxid > current);
    return isLast && reader.noRecord === 'nothing';
  }

  /** To the log after this one; false when there is none, or none that can follow. */
  #moveOn(reader: LogReader): boolean {
    const { disk, logDirectory } = this.#parts;
    const current = this.#log?.zxid ?? -1n;
    const next = listLogs(disk, logDirectory).find(({ zxid }) => zxid > current);
    if (next === undefined) return false;
    // behind a torn end only the very next transaction proves that nothing was lost
    const isWhole = reader.noRecord === 'nothing';
    if (!isWhole && next.zxid !== this.#position + 1n) return false;
    return this.#enter(next) !== null;
  }

  #enter(log: LogName): LogReader | null {
    this.#leave();
    this.#log = log;
    const reader = new LogReader(this.#parts.disk, log.path);
    this.#reader = reader;
    if (reader.header === 'valid') return reader;
    this.#leave();
    return null;
  }

  #leave(): void {
    this.#reader?.close();
    this.#reader = null;
  }

  #gap(): 'gap' {
    if (this.#isClosed) return 'gap';
    this.#parts.logger.warn('the logs cannot tell a learner what comes next', {
      after: formatZxid(this.#position),
      upTo: formatZxid(this.#last),
    });
    return 'gap';
  }

  /** A log that cannot be read is as good as missing. A file stays open while it is being read. */
  async #attempt<T>(act: () => Promise<T>, otherwise: T): Promise<T> {
    assert(!this.#isBusy, 'a cursor is asked for one thing at a time');
    this.#isBusy = true;
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      const { path, code } = error;
      this.#parts.logger.warn('a log cannot be read for a learner', { file: path, why: code });
      return otherwise;
    } finally {
      this.#isBusy = false;
      if (this.#isClosed) this.#leave();
    }
  }
}

function zxidOf({ zxidHigh: high, zxidLow: low }: LogReader): Zxid {
  return zxidOfParts(high, low);
}

function isNext(before: Zxid, next: Zxid): boolean {
  return follows(zxidHigh(before), zxidLow(before), zxidHigh(next), zxidLow(next));
}
