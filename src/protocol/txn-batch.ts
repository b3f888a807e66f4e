/**
 * Consecutive records of the transaction log, encoded once. The same bytes are appended to the log,
 * sent to learners (the payload is what a PROPOSAL carries) and applied to the tree, so a transaction
 * is never serialised twice and there is no second representation that could differ.
 *
 * A record is: Adler-32 of the payload as a long, its length as an int, the payload, 0x42.
 */
import { assert } from '../base/assert.js';
import { adler32 } from './adler32.js';
import {
  txnHeaderBytes,
  txnHeaderZxidOffset,
  txnRecordEnd,
  txnRecordPrefixBytes,
} from './limits.js';
import { Writer } from './writer.js';

/** Enough for a few: the last batches are kept for learners, and most hold one transaction. */
const INITIAL_BYTES = 4 * 1024;

/** After a batch of huge transactions the buffer shrinks back instead of staying that large. */
const KEPT_BYTES = 8 * 1024 * 1024;

const NOT_OPEN = -1;

export class TxnBatch {
  #writer = new Writer(INITIAL_BYTES);
  #starts = new Int32Array(256);
  #count = 0;
  #length = 0;
  #openAt = NOT_OPEN;

  /** [0, length) is exactly what the log file gets. Replaced when it grows: ask again after begin. */
  get bytes(): Uint8Array {
    return this.#writer.bytes;
  }

  /** Used bytes, finished records only. */
  get length(): number {
    return this.#length;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Starts a record. The writer stands where the payload goes: header, transaction, digest. It stays
   * the batch's own: write, finish (or cancel), and do not keep it.
   */
  begin(): Writer {
    assert(this.#openAt === NOT_OPEN, 'the record before is finished or cancelled');
    const writer = this.#writer;
    this.#openAt = writer.pos;
    writer.ensure(txnRecordPrefixBytes + txnHeaderBytes);
    writer.pos += txnRecordPrefixBytes;
    return writer;
  }

  /** Ends the record: checksum, length, end mark. */
  finish(): void {
    const at = this.#openAt;
    assert(at !== NOT_OPEN, 'a record is open');
    const writer = this.#writer;
    const payload = at + txnRecordPrefixBytes;
    const end = writer.pos;
    assert(end - payload >= txnHeaderBytes, 'a record holds at least a transaction header');
    writer.patchInt(at, 0);
    writer.patchInt(at + 4, adler32(writer.bytes, payload, end));
    writer.patchInt(at + 8, end - payload);
    writer.ensure(1);
    writer.bytes[end] = txnRecordEnd;
    writer.pos = end + 1;
    if (this.#count === this.#starts.length) this.#growStarts();
    this.#starts[this.#count++] = payload;
    this.#length = end + 1;
    this.#openAt = NOT_OPEN;
  }

  /** Forgets the record that was begun and not finished. */
  cancel(): void {
    assert(this.#openAt !== NOT_OPEN, 'a record is open');
    this.#writer.pos = this.#openAt;
    this.#openAt = NOT_OPEN;
  }

  payloadStart(index: number): number {
    assert(index >= 0 && index < this.#count, 'the batch has such a record');
    return this.#starts[index]!;
  }

  payloadEnd(index: number): number {
    const next = index + 1;
    if (next === this.#count) return this.#length - 1;
    return this.payloadStart(next) - txnRecordPrefixBytes - 1;
  }

  /** Upper half of the record's zxid, unsigned. */
  zxidHigh(index: number): number {
    return this.#uint32At(this.payloadStart(index) + txnHeaderZxidOffset);
  }

  /** Lower half of the record's zxid, unsigned. */
  zxidLow(index: number): number {
    return this.#uint32At(this.payloadStart(index) + txnHeaderZxidOffset + 4);
  }

  /** Empties the batch. Its bytes are written over from now on: nobody may still be reading them. */
  reset(): void {
    assert(this.#openAt === NOT_OPEN, 'no record is open');
    if (this.#writer.bytes.length > KEPT_BYTES) this.#writer = new Writer(INITIAL_BYTES);
    this.#writer.reset();
    this.#count = 0;
    this.#length = 0;
  }

  #uint32At(at: number): number {
    const bytes = this.#writer.bytes;
    return (
      ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
    );
  }

  #growStarts(): void {
    const grown = new Int32Array(this.#starts.length * 2);
    grown.set(this.#starts);
    this.#starts = grown;
  }
}
