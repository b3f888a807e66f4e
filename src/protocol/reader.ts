/**
 * The primitive types of the wire (jute: big-endian, lengths before content, -1 for null) read from a
 * range of bytes. One Reader is meant to be kept and pointed at packet after packet. Nothing here
 * trusts a length: whatever is short, negative or longer than the range throws MalformedError before
 * anything is allocated for it.
 */
import { decodeUtf8 } from './utf8.js';

/** The bytes do not hold what they should: the sender's fault, never ours. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

const NOTHING = new Uint8Array(0);

export class Reader {
  bytes: Uint8Array;
  pos: number;
  end: number;
  /** The range that the last readBufferView found. */
  viewStart = 0;
  viewEnd = 0;
  #view: DataView;

  constructor(bytes: Uint8Array = NOTHING, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.pos = start;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Points at [start, end) of `bytes`. Cheapest while `bytes` is the same array as before. */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): this {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.pos = start;
    this.end = end;
    return this;
  }

  get remaining(): number {
    return this.end - this.pos;
  }

  readInt(): number {
    const p = this.pos;
    if (p + 4 > this.end) this.#short('an int', 4);
    this.pos = p + 4;
    return this.#view.getInt32(p);
  }

  readUint32(): number {
    const p = this.pos;
    if (p + 4 > this.end) this.#short('an int', 4);
    this.pos = p + 4;
    return this.#view.getUint32(p);
  }

  /** Signed. */
  readLong(): bigint {
    const p = this.pos;
    if (p + 8 > this.end) this.#short('a long', 8);
    this.pos = p + 8;
    return this.#view.getBigInt64(p);
  }

  /** Any byte but 0 is true. */
  readBool(): boolean {
    const p = this.pos;
    if (p + 1 > this.end) this.#short('a boolean', 1);
    this.pos = p + 1;
    return this.bytes[p] !== 0;
  }

  /** A copy. */
  readBuffer(): Uint8Array | null {
    const length = this.readBufferView();
    return length < 0 ? null : this.bytes.slice(this.viewStart, this.viewEnd);
  }

  /** Sets viewStart and viewEnd; returns the length, -1 for null (and an empty range). */
  readBufferView(): number {
    const length = this.readInt();
    const p = this.pos;
    this.viewStart = p;
    this.viewEnd = p;
    if (length <= 0) {
      if (length < -1) throw new MalformedError(`length ${length} at byte ${p - 4}`);
      return length;
    }
    if (length > this.end - p) this.#short('content', length);
    this.viewEnd = p + length;
    this.pos = p + length;
    return length;
  }

  readString(): string | null {
    const length = this.readBufferView();
    return length < 0 ? null : decodeUtf8(this.bytes, this.viewStart, this.viewEnd);
  }

  /**
   * The number of items in a vector, -1 for null. Other negative counts are empty vectors, as in
   * Java. A count that could not fit into what remains is malformed, whatever the items hold.
   */
  readCount(minBytesPerItem: number): number {
    const count = this.readInt();
    if (count < 0) return count === -1 ? -1 : 0;
    if (count * minBytesPerItem > this.end - this.pos) {
      throw new MalformedError(
        `a vector of ${count} items at byte ${this.pos - 4}, ${this.remaining} bytes remain`,
      );
    }
    return count;
  }

  skip(byteCount: number): void {
    if (byteCount < 0 || byteCount > this.end - this.pos) this.#short('content', byteCount);
    this.pos += byteCount;
  }

  #short(what: string, needed: number): never {
    const { pos, remaining } = this;
    throw new MalformedError(`${what} of ${needed} bytes at byte ${pos}, ${remaining} remain`);
  }
}
