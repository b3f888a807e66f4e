/**
 * Compression that compresses nothing: real gzip members and real snappy blocks, made of stored bytes
 * only. Whatever a simulated server writes is the same on every machine and with every version of the
 * libraries, and anybody's tools can still read it.
 */
import type { Compression, Gunzip } from '../ports/disk.js';
import { crc32 } from '../protocol/crc32.js';

const MEMBER_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
const MEMBER_TRAILER_BYTES = 8;
const STORED_MAX = 0xffff;
const STORED_HEADER_BYTES = 5;
/** A snappy literal with its length in the four bytes behind the tag. */
const LITERAL_TAG = 0xfc;

export const simCompression: Compression = {
  gzip: (bytes) => Promise.resolve(gzipStored(bytes)),
  gunzip: () => new StoredGunzip(),
  snappyBlock(bytes) {
    const size = varint(bytes.length);
    const block = new Uint8Array(size.length + (bytes.length > 0 ? 5 : 0) + bytes.length);
    block.set(size);
    if (bytes.length === 0) return block;
    const view = new DataView(block.buffer);
    view.setUint8(size.length, LITERAL_TAG);
    view.setUint32(size.length + 1, bytes.length - 1, true);
    block.set(bytes, size.length + 5);
    return block;
  },
  unsnappyBlock(bytes, lengthMax) {
    let at = 0;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 28) throw new Error('a damaged snappy block');
      length += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) break;
    }
    if (length > lengthMax) throw new Error(`a snappy block of ${length} bytes`);
    if (length === 0) return new Uint8Array(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const isOurs = bytes.length === at + 5 + length && view.getUint8(at) === LITERAL_TAG;
    if (!isOurs || view.getUint32(at + 1, true) !== length - 1) {
      throw new Error('a damaged snappy block');
    }
    return bytes.slice(at + 5);
  },
};

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function gzipStored(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / STORED_MAX));
  const size =
    MEMBER_HEADER.length + blocks * STORED_HEADER_BYTES + bytes.length + MEMBER_TRAILER_BYTES;
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  out.set(MEMBER_HEADER);
  let at = MEMBER_HEADER.length;
  for (let i = 0; i < blocks; i++) {
    const piece = bytes.subarray(i * STORED_MAX, (i + 1) * STORED_MAX);
    view.setUint8(at, i === blocks - 1 ? 1 : 0);
    view.setUint16(at + 1, piece.length, true);
    view.setUint16(at + 3, ~piece.length & 0xffff, true);
    out.set(piece, at + STORED_HEADER_BYTES);
    at += STORED_HEADER_BYTES + piece.length;
  }
  view.setUint32(at, crc32(bytes, 0, bytes.length), true);
  view.setUint32(at + 4, bytes.length >>> 0, true);
  return out;
}

class StoredGunzip implements Gunzip {
  #rest = new Uint8Array(0);
  #state: 'header' | 'block' | 'trailer' = 'header';
  #crc = 0;
  #length = 0;

  push(bytes: Uint8Array): Promise<Uint8Array[]> {
    const joined = new Uint8Array(this.#rest.length + bytes.length);
    joined.set(this.#rest);
    joined.set(bytes, this.#rest.length);
    const pieces: Uint8Array[] = [];
    try {
      let at = 0;
      for (let used = this.#take(joined, at, pieces); used > 0;) {
        at += used;
        used = this.#take(joined, at, pieces);
      }
      this.#rest = joined.slice(at);
      return Promise.resolve(pieces);
    } catch (problem) {
      return Promise.reject(problem instanceof Error ? problem : new Error(String(problem)));
    }
  }

  end(): Promise<Uint8Array[]> {
    const isWhole = this.#state === 'header' && this.#rest.length === 0;
    return isWhole ? Promise.resolve([]) : Promise.reject(new Error('a gzip file ends early'));
  }

  /** Takes the next part, if all of it is there, and says how long it was. */
  #take(bytes: Uint8Array, at: number, pieces: Uint8Array[]): number {
    const left = bytes.length - at;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, left);
    switch (this.#state) {
      case 'header': {
        if (left < MEMBER_HEADER.length) return 0;
        if (view.getUint16(0) !== 0x1f8b || view.getUint8(2) !== 8) throw new Error('not gzip');
        this.#state = 'block';
        this.#crc = 0;
        this.#length = 0;
        return MEMBER_HEADER.length;
      }
      case 'block': {
        if (left < STORED_HEADER_BYTES) return 0;
        const length = view.getUint16(1, true);
        const isValid = view.getUint8(0) <= 1 && view.getUint16(3, true) === (~length & 0xffff);
        if (!isValid) throw new Error('damaged deflate data');
        if (left < STORED_HEADER_BYTES + length) return 0;
        if (view.getUint8(0) === 1) this.#state = 'trailer';
        const start = at + STORED_HEADER_BYTES;
        this.#crc = crc32(bytes, start, start + length, this.#crc);
        this.#length += length;
        if (length > 0) pieces.push(bytes.slice(start, start + length));
        return STORED_HEADER_BYTES + length;
      }
      case 'trailer': {
        if (left < MEMBER_TRAILER_BYTES) return 0;
        const crc = view.getUint32(0, true);
        if (crc !== this.#crc >>> 0 || view.getUint32(4, true) !== this.#length >>> 0) {
          throw new Error('a gzip member with a wrong checksum');
        }
        this.#state = 'header';
        return MEMBER_TRAILER_BYTES;
      }
    }
  }
}
