/**
 * The content of a snapshot file as a stream of pieces, whatever it is compressed with. Nothing is
 * ever held whole: a snapshot may be larger than memory has room for twice.
 *
 * `.gz` is gzip, of one member (Apache's) or many (ours). `.snappy` is the stream that Java's
 * snappy-java writes: a header of 16 bytes, then blocks, each with its compressed length before it.
 */
import type { Compression, Disk, DiskFile, Gunzip } from '../ports/disk.js';
import type { SnapshotCompression } from './names.js';

const readBytes = 1024 * 1024;

/** No writer makes longer blocks; a longer one is damage, and nothing is allocated for it. */
const snappyBlockBytesMax = 64 * 1024 * 1024;

/** Magic, version, lowest compatible version. Also valid in the middle, where streams were joined. */
export const snappyHeader = Uint8Array.of(
  0x82,
  0x53,
  0x4e,
  0x41,
  0x50,
  0x50,
  0x59,
  0,
  0,
  0,
  0,
  1,
  0,
  0,
  0,
  1,
);
const snappyMagicBytes = 8;

/** The file does not hold what it should; it cannot be used, and others may be. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

export interface SnapshotSource {
  readonly fileBytes: number;
  /** Bytes of the file that were read so far. */
  readonly readBytes: number;
  /** The next piece, lent until the next call; null at the end. Throws SnapshotError on damage. */
  next(): Promise<Uint8Array | null>;
  close(): void;
}

export function openSnapshotSource(
  disk: Disk,
  compressions: Compression,
  path: string,
  compression: SnapshotCompression,
): SnapshotSource {
  const plain = new PlainSource(disk.openNow(path, 'read'));
  switch (compression) {
    case '':
      return plain;
    case 'gz':
      return new GzipSource(plain, compressions.gunzip());
    case 'snappy':
      return new SnappySource(plain, compressions);
  }
}

/** Reads one piece ahead, so that the disk works while the piece before is looked at. */
class PlainSource implements SnapshotSource {
  readonly fileBytes: number;
  readBytes = 0;
  readonly #file: DiskFile;
  readonly #buffers: readonly [Uint8Array, Uint8Array];
  #turn = 0;
  #ahead: Promise<Uint8Array | null>;

  constructor(file: DiskFile) {
    this.#file = file;
    this.fileBytes = file.sizeNow();
    const length = Math.max(1, Math.min(readBytes, this.fileBytes));
    this.#buffers = [new Uint8Array(length), new Uint8Array(length)];
    this.#ahead = this.#read();
  }

  async next(): Promise<Uint8Array | null> {
    const piece = await this.#ahead;
    if (piece === null) return null;
    this.readBytes += piece.length;
    this.#ahead = this.#read();
    this.#ahead.catch(() => undefined); // told by the next call, if there is one
    return piece;
  }

  close(): void {
    // the file is closed once the read that is under way has ended
    const close = (): void => {
      this.#file.closeNow();
    };
    this.#ahead.then(close, close);
    this.#ahead = Promise.resolve(null);
  }

  async #read(): Promise<Uint8Array | null> {
    const turn = this.#turn;
    this.#turn = 1 - turn;
    const buffer = turn === 0 ? this.#buffers[0] : this.#buffers[1];
    const position = this.#position;
    const count = await this.#file.read(buffer, 0, buffer.length, position);
    this.#position += count;
    return count === 0 ? null : buffer.subarray(0, count);
  }

  #position = 0;
}

class GzipSource implements SnapshotSource {
  readonly #source: SnapshotSource;
  readonly #gunzip: Gunzip;
  #pieces: Uint8Array[] = [];
  #isAtEnd = false;

  constructor(source: SnapshotSource, gunzip: Gunzip) {
    this.#source = source;
    this.#gunzip = gunzip;
  }

  get fileBytes(): number {
    return this.#source.fileBytes;
  }

  get readBytes(): number {
    return this.#source.readBytes;
  }

  async next(): Promise<Uint8Array | null> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) return piece;
      if (this.#isAtEnd) return null;
      const packed = await this.#source.next();
      this.#isAtEnd = packed === null;
      try {
        this.#pieces = packed === null ? await this.#gunzip.end() : await this.#gunzip.push(packed);
      } catch (error) {
        throw new SnapshotError(`gzip: ${error instanceof Error ? error.message : 'damaged'}`, {
          cause: error,
        });
      }
    }
  }

  close(): void {
    this.#source.close();
  }
}

class SnappySource implements SnapshotSource {
  readonly #source: SnapshotSource;
  readonly #compressions: Compression;
  /** Compressed bytes that are not used yet: #bytes[#start, #end). */
  #bytes = new Uint8Array(64 * 1024);
  #start = 0;
  #end = 0;
  #isBegun = false;

  constructor(source: SnapshotSource, compressions: Compression) {
    this.#source = source;
    this.#compressions = compressions;
  }

  get fileBytes(): number {
    return this.#source.fileBytes;
  }

  get readBytes(): number {
    return this.#source.readBytes;
  }

  async next(): Promise<Uint8Array | null> {
    for (;;) {
      if (!(await this.#have(4))) {
        if (this.#end > this.#start) throw new SnapshotError('snappy: the file ends in a length');
        if (!this.#isBegun) throw new SnapshotError('snappy: the file is empty');
        return null;
      }
      if (await this.#isHeader()) {
        this.#start += snappyHeader.length;
        this.#isBegun = true;
        continue;
      }
      if (!this.#isBegun) throw new SnapshotError('snappy: not a snappy-java stream');
      return await this.#block();
    }
  }

  close(): void {
    this.#source.close();
  }

  async #isHeader(): Promise<boolean> {
    // its first byte would make the length negative
    if ((this.#bytes[this.#start] ?? 0) < 0x80) return false;
    if (!(await this.#have(snappyHeader.length))) return false;
    for (let i = 0; i < snappyMagicBytes; i++) {
      if (this.#bytes[this.#start + i] !== snappyHeader[i]) return false;
    }
    return true;
  }

  async #block(): Promise<Uint8Array> {
    const view = new DataView(this.#bytes.buffer, this.#start, 4);
    const length = view.getInt32(0);
    if (length <= 0 || length > snappyBlockBytesMax) {
      throw new SnapshotError(`snappy: a block of ${length} bytes`);
    }
    if (!(await this.#have(4 + length))) {
      throw new SnapshotError('snappy: the file ends in a block');
    }
    const block = this.#bytes.subarray(this.#start + 4, this.#start + 4 + length);
    this.#start += 4 + length;
    try {
      return this.#compressions.unsnappyBlock(block, snappyBlockBytesMax);
    } catch (error) {
      throw new SnapshotError(`snappy: ${error instanceof Error ? error.message : 'damaged'}`, {
        cause: error,
      });
    }
  }

  /** Pulls until `length` unused bytes are there; false when the file ends before. */
  async #have(length: number): Promise<boolean> {
    while (this.#end - this.#start < length) {
      const piece = await this.#source.next();
      if (piece === null) return false;
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      if (this.#end + piece.length > this.#bytes.length) {
        const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#end + piece.length));
        grown.set(this.#bytes.subarray(0, this.#end));
        this.#bytes = grown;
      }
      this.#bytes.set(piece, this.#end);
      this.#end += piece.length;
    }
    return true;
  }
}
