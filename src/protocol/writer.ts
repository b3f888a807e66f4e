/**
 * The other half of Reader: primitive types appended to a buffer that grows. One Writer is meant to be
 * kept and reset; after a while it grows no more and writing allocates nothing.
 */
import { assert } from '../base/assert.js';
import { encodeUtf8Into, utf8Length } from './utf8.js';

/** Longer strings are measured before they are written; shorter ones reserve the worst case. */
const MEASURED_FROM = 4096;

const LARGEST = 0x7fffffff;

export class Writer {
  /** What was written is [0, pos). Replaced when it grows: do not keep it across a write. */
  bytes: Uint8Array;
  pos = 0;
  #view: DataView;

  constructor(initialBytes = 256) {
    this.bytes = new Uint8Array(initialBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `byteCount` more bytes. */
  ensure(byteCount: number): void {
    if (this.pos + byteCount > this.bytes.length) this.#grow(byteCount);
  }

  writeInt(value: number): void {
    this.ensure(4);
    const p = this.pos;
    this.#view.setInt32(p, value);
    this.pos = p + 4;
  }

  writeUint32(value: number): void {
    this.writeInt(value | 0);
  }

  /** Signed or unsigned: only the lower 64 bits count. */
  writeLong(value: bigint): void {
    this.ensure(8);
    const p = this.pos;
    this.#view.setBigInt64(p, value);
    this.pos = p + 8;
  }

  /** A long from its halves, each signed or unsigned. */
  writeLongParts(high: number, low: number): void {
    this.ensure(8);
    const p = this.pos;
    this.#view.setInt32(p, high);
    this.#view.setInt32(p + 4, low);
    this.pos = p + 8;
  }

  writeBool(value: boolean): void {
    this.ensure(1);
    this.bytes[this.pos++] = value ? 1 : 0;
  }

  /** Length and content. */
  writeBuffer(content: Uint8Array | null): void {
    if (content === null) {
      this.writeInt(-1);
      return;
    }
    this.writeInt(content.length);
    this.ensure(content.length);
    this.bytes.set(content, this.pos);
    this.pos += content.length;
  }

  /** Content alone, without a length. `source` must not be this writer's own buffer. */
  writeBytes(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.ensure(length);
    let p = this.pos;
    this.pos = p + length;
    // below some 40 bytes a loop is faster than subarray and set, and makes no garbage
    if (length > 40) {
      this.bytes.set(source.subarray(start, end), p);
      return;
    }
    const bytes = this.bytes;
    for (let i = start; i < end; i++) bytes[p++] = source[i]!;
  }

  writeString(text: string | null): void {
    if (text === null) {
      this.writeInt(-1);
      return;
    }
    const byteCount = text.length >= MEASURED_FROM ? utf8Length(text) : 3 * text.length;
    this.ensure(4 + byteCount);
    const p = this.pos;
    const after = encodeUtf8Into(text, this.bytes, p + 4);
    this.#view.setInt32(p, after - p - 4);
    this.pos = after;
  }

  /** Overwrites an int that was written (or skipped over) earlier. */
  patchInt(pos: number, value: number): void {
    assert(pos >= 0 && pos + 4 <= this.pos, 'only what was written can be patched');
    this.#view.setInt32(pos, value);
  }

  reset(): void {
    this.pos = 0;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.pos);
  }

  #grow(byteCount: number): void {
    const needed = this.pos + byteCount;
    if (needed > LARGEST) throw new RangeError(`a buffer of ${needed} bytes`);
    const grown = new Uint8Array(Math.min(LARGEST, Math.max(needed, this.bytes.length * 2, 64)));
    grown.set(this.bytes.subarray(0, this.pos));
    this.bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
