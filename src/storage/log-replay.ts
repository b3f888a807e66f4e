/**
 * Reads the logs after a snapshot, hands their transactions on, and judges what it finds on the way.
 * What is tolerated is what a crash can leave behind, nothing else:
 *
 * - the end of the last log torn, with nothing valid after it, or after the tail mark (tail-mark.ts);
 * - a last log without any record: it had just been begun;
 * - an older log with a torn end, if the next log goes on with the very next transaction: Apache's
 *   server leaves its torn end where it is and begins a new file.
 *
 * Everything else (a gap in the zxids, damage with valid records behind it, less than what the tail
 * mark says was durable) means that transactions are gone which clients were told about. Then this
 * refuses, and says in which file, at which byte, and what can be done.
 */
import type { Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { formatZxid, zxidHigh, zxidLow, zxidOfParts, type Zxid } from '../protocol/zxid.js';
import { OpCode } from '../protocol/opcodes.js';
import { follows, isAfter } from './continuity.js';
import { LogReader, type LogTail } from './log-reader.js';
import type { LogName } from './names.js';
import type { Pace } from './pace.js';
import { exitCodes, StartError } from './start-error.js';
import type { TailMark } from './tail-mark.js';

export interface LogReplayParts {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly pace: Pace;
  readonly mark: TailMark | null;
  /** A transaction after the snapshot, in order; bytes[start, end) is its payload, lent. */
  readonly onTxn: (
    bytes: Uint8Array,
    start: number,
    end: number,
    high: number,
    low: number,
  ) => void;
  /** Now and then; bytes of the logs that were read and that there are. */
  readonly onProgress: (doneBytes: number, totalBytes: number, file: string) => void;
}

export interface LogReplayResult {
  /** The last transaction there is, of the snapshot or of the logs. */
  readonly lastZxid: Zxid;
  readonly txnCount: number;
  /** Bytes of the transactions that were handed on. */
  readonly txnBytes: number;
  /** The last log that holds a record. What comes after the valid end was never durable and must go. */
  readonly last: { readonly log: LogName; readonly validEnd: number } | null;
  /** From where on the last log may not have been durable, as far as anybody knows. */
  readonly durableTo: number;
  /** Logs after the last one, without a record. */
  readonly empty: readonly LogName[];
}

/** A log that has been read to the end of its valid records. */
interface ReadLog {
  readonly log: LogName;
  readonly tail: LogTail;
  readonly recordCount: number;
  /** The tail mark is about this log, and what lies before it is what it says. */
  readonly isMarkConfirmed: boolean;
}

const recordsPerQuestion = 64;

export class LogReplay {
  readonly #parts: LogReplayParts;
  /** The last transaction so far, the base's at first. Without a base any may come first. */
  #lastHigh: number;
  #lastLow: number;
  #hasLast: boolean;
  readonly #reads: ReadLog[] = [];
  /** Logs with a damaged end, until a record in a later one shows whether something is missing. */
  #damaged: ReadLog[] = [];
  #isMarkConfirmed = false;
  #txnCount = 0;
  #txnBytes = 0;
  #doneBytes = 0;
  #totalBytes = 0;

  /** `base`: the snapshot's zxid; null without a snapshot. */
  constructor(parts: LogReplayParts, base: Zxid | null) {
    this.#parts = parts;
    this.#hasLast = base !== null;
    this.#lastHigh = zxidHigh(base ?? 0n);
    this.#lastLow = zxidLow(base ?? 0n);
  }

  /** `logs`: those that may hold something after the base, oldest first. Throws StartError. */
  async run(logs: readonly LogName[]): Promise<LogReplayResult> {
    this.#totalBytes = logs.reduce((sum, log) => sum + this.#parts.disk.sizeNow(log.path), 0);
    for (const log of logs) await this.#read(log, log === logs.at(-1));
    const empty: LogName[] = [];
    let last = this.#reads.pop();
    for (; last?.recordCount === 0; last = this.#reads.pop()) {
      this.#judgeEnd(last);
      this.#expectName(last.log);
      empty.unshift(last.log);
    }
    if (last !== undefined) this.#judgeEnd(last);
    return {
      lastZxid: this.#last,
      txnCount: this.#txnCount,
      txnBytes: this.#txnBytes,
      last: last === undefined ? null : { log: last.log, validEnd: last.tail.offset },
      durableTo: last?.isMarkConfirmed === true ? (this.#parts.mark?.offset ?? 0) : 0,
      empty,
    };
  }

  get #last(): Zxid {
    return zxidOfParts(this.#lastHigh, this.#lastLow);
  }

  async #read(log: LogName, isNewest: boolean): Promise<void> {
    const reader = new LogReader(this.#parts.disk, log.path);
    try {
      if (reader.header === 'foreign') {
        throw refusal(
          `${log.path} is not a transaction log: its first bytes are not ZKLG`,
          'Move it away',
        );
      }
      this.#isMarkConfirmed = this.#marks(log) && this.#parts.mark?.offset === 0;
      const recordCount = await this.#records(log, reader);
      const isExact = this.#isMarkConfirmed && reader.endOffset === this.#parts.mark?.offset;
      const tail =
        isNewest && isExact && recordCount > 0
          ? reader.tailAsMarked()
          : await reader.tail(this.#parts.pace);
      const read = { log, tail, recordCount, isMarkConfirmed: this.#isMarkConfirmed };
      this.#reads.push(read);
      if (!tail.isClean) this.#damaged.push(read);
      this.#doneBytes += reader.size;
    } finally {
      reader.close();
    }
  }

  async #records(log: LogName, reader: LogReader): Promise<number> {
    const { pace, mark, onTxn, onProgress } = this.#parts;
    let count = 0;
    for (; reader.next(); count++) {
      const { zxidHigh: high, zxidLow: low } = reader;
      if (count === 0) this.#beforeFirst(log, reader);
      if (reader.endOffset === mark?.offset && this.#marks(log)) {
        this.#isMarkConfirmed = reader.checksum === mark.checksum;
      }
      // what the snapshot holds already
      const isNew = isAfter(high, low, this.#lastHigh, this.#lastLow);
      if (!isNew && this.#hasLast && this.#txnCount === 0) continue;
      if (!isNew && this.#isEchoedError(reader)) continue;
      this.#expect(log, reader.offset, high, low);
      onTxn(reader.bytes, reader.payloadStart, reader.payloadEnd, high, low);
      this.#hasLast = true;
      this.#lastHigh = high;
      this.#lastLow = low;
      this.#txnBytes += reader.endOffset - reader.offset;
      if (++this.#txnCount % recordsPerQuestion === 0 && pace.isOver) {
        onProgress(this.#doneBytes + reader.endOffset, this.#totalBytes, log.name);
        await pace.rest();
      }
    }
    return count;
  }

  /**
   * Apache logs the error of a request that it could not read under the zxid of the transaction
   * before it, once more. It changes nothing, and is no sign of damage.
   */
  #isEchoedError(reader: LogReader): boolean {
    if (!this.#hasLast) return false;
    const isEcho = reader.zxidHigh === this.#lastHigh && reader.zxidLow === this.#lastLow;
    const view = new DataView(reader.bytes.buffer, reader.bytes.byteOffset);
    return isEcho && view.getInt32(reader.payloadStart + TXN_TYPE_AT) === OpCode.error;
  }

  #marks(log: LogName): boolean {
    return this.#parts.mark?.logZxid === log.zxid;
  }

  /** A log's first record: it is what the name says, and logs before this one are not the last. */
  #beforeFirst(log: LogName, reader: LogReader): void {
    const first = zxidOfParts(reader.zxidHigh, reader.zxidLow);
    if (reader.header === 'missing') {
      throw refusal(`${log.path} has lost its first bytes, but not what follows`, repairAdvice);
    }
    if (first !== log.zxid) {
      throw refusal(
        `${log.path} begins with transaction ${formatZxid(first)}, which its name denies`,
        'If it was renamed, give it its name back',
      );
    }
    for (const damaged of this.#damaged) this.#judgeMiddle(damaged, first);
    this.#damaged = [];
  }

  /** A damaged end, with a record in a later log: `first`. */
  #judgeMiddle({ log, tail }: ReadLog, first: Zxid): void {
    const { offset, validAt, noRecord } = tail;
    const where = `${log.path} is damaged at byte ${offset} (${noRecord})`;
    if (validAt !== null) {
      throw refusal(`${where}, with more transactions from byte ${validAt} on`, repairAdvice);
    }
    // the very next one is there: nothing can have been lost in between
    const isNext = first === this.#last + 1n;
    const isTorn = noRecord === 'nothing' || noRecord === 'short' || noRecord === 'mark';
    if (!isNext && !isTorn) {
      throw refusal(`${where}, and it is not the last log`, repairAdvice);
    }
    this.#parts.logger.warn('a log ends with a torn write, which the next log makes good', {
      file: log.path,
      byte: offset,
    });
  }

  /** Zxids leave no gaps and do not go back. */
  #expect(log: LogName, offset: number, high: number, low: number): void {
    if (!this.#hasLast || follows(this.#lastHigh, this.#lastLow, high, low)) return;
    const last = formatZxid(this.#last);
    const next = formatZxid(zxidOfParts(high, low));
    const what = isAfter(high, low, this.#lastHigh, this.#lastLow)
      ? 'transactions in between are missing'
      : 'the order is broken';
    throw refusal(
      `${log.path} holds transaction ${next} at byte ${offset}, after ${last}: ${what}`,
      'Look for a log that was moved or deleted, restore a backup, or replace this server by a new one',
    );
  }

  /** A log without a record: its name says which transaction was to be its first. */
  #expectName(log: LogName): void {
    if (!this.#hasLast || log.zxid <= this.#last) return;
    const isNext = follows(this.#lastHigh, this.#lastLow, zxidHigh(log.zxid), zxidLow(log.zxid));
    if (isNext) return;
    throw refusal(
      `the logs end with transaction ${formatZxid(this.#last)}, but ${log.path} was begun for ` +
        `${formatZxid(log.zxid)}: transactions in between are missing`,
      'Look for a log that was moved or deleted, or restore a backup',
    );
  }

  /** The end of the last log. */
  #judgeEnd({ log, tail, isMarkConfirmed }: ReadLog): void {
    const { mark, logger } = this.#parts;
    const { offset, validAt, isClean, noRecord } = tail;
    if (mark !== null && this.#marks(log) && mark.offset > offset) {
      throw refusal(
        `${log.path} ends at byte ${offset}, but it was durable up to byte ${mark.offset}: ` +
          'transactions that clients were told about are gone',
        'Restore the file. If it was shortened or replaced on purpose, delete the file .tail beside it',
      );
    }
    if (tail.isUnread || isClean) return;
    const where = `${log.path} is damaged at byte ${offset} (${noRecord})`;
    if (validAt !== null && !isMarkConfirmed) {
      throw refusal(`${where}, with more transactions from byte ${validAt} on`, repairAdvice);
    }
    logger.warn('the last log ends with a torn write, which was never acknowledged: cut off', {
      file: log.path,
      byte: offset,
      why: noRecord,
    });
  }
}

/** In a transaction's header, behind client, cxid, zxid and time. */
const TXN_TYPE_AT = 28;
const repairAdvice =
  'Look at it with zkTxnLogToolkit.sh; restore a backup, or replace this server by a new one, ' +
  'or cut the log there (zkTxnLogToolkit.sh -c) if the loss is acceptable';

function refusal(finding: string, advice: string): StartError {
  return new StartError(`${finding}. ${advice}`, exitCodes.unexpected);
}
