/**
 * Where a snapshot's content goes: into a file, as it is or compressed, in blocks. One block is
 * compressed and written while the next one is filled; whoever fills them waits when the disk is the
 * slower one. Compression must not hold up the event loop any more than the walk of the tree may:
 * gzip runs in the pool (each block a member of its own, which every gunzip reads as one stream),
 * snappy here, 32 KiB at a time.
 */
import type { Compression, DiskFile } from '../ports/disk.js';
import type { SnapshotCompression } from './names.js';
import type { Pace } from './pace.js';
import { snappyHeader } from './snapshot-source.js';

/** As snappy-java makes them. */
const snappyBlockBytes = 32 * 1024;

export class SnapshotOutput {
  readonly #file: DiskFile;
  readonly #compression: SnapshotCompression;
  readonly #compressions: Compression;
  readonly #pace: Pace;
  /** Made durable after each so many bytes; null: all at the end. */
  readonly #syncEveryBytes: number | null;
  #position = 0;
  #syncedTo = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(
    file: DiskFile,
    compression: SnapshotCompression,
    compressions: Compression,
    pace: Pace,
    syncEveryBytes: number | null,
  ) {
    this.#file = file;
    this.#compression = compression;
    this.#compressions = compressions;
    this.#pace = pace;
    this.#syncEveryBytes = syncEveryBytes;
  }

  /** Of the file so far. */
  get fileBytes(): number {
    return this.#position;
  }

  /**
   * Takes bytes[0, length). Resolves when the block before is done with and may be filled again; this
   * one is kept until the next call. Rejects when the disk refused the block before.
   */
  async put(bytes: Uint8Array, length: number): Promise<void> {
    await this.#last;
    this.#last = this.#write(bytes, length);
    this.#last.catch(() => undefined); // told by the next call
  }

  /** Resolves when everything has been written (not: is durable). */
  async end(): Promise<void> {
    await this.#last;
  }

  /** Resolves when nothing is under way any more, whatever became of it. */
  async settle(): Promise<void> {
    await this.#last.catch(() => undefined);
  }

  async #write(bytes: Uint8Array, length: number): Promise<void> {
    switch (this.#compression) {
      case '':
        await this.#append(bytes, length);
        break;
      case 'gz': {
        const packed = await this.#compressions.gzip(bytes.subarray(0, length));
        await this.#append(packed, packed.length);
        break;
      }
      case 'snappy': {
        const packed = await this.#snappy(bytes, length);
        await this.#append(packed, packed.length);
        break;
      }
    }
  }

  async #append(bytes: Uint8Array, length: number): Promise<void> {
    const position = this.#position;
    this.#position += length;
    await this.#file.write(bytes, 0, length, position);
    // all at once at the end, the disk would be busy with it for as long as a hundred commits take
    if (this.#syncEveryBytes === null) return;
    if (this.#position - this.#syncedTo < this.#syncEveryBytes) return;
    this.#syncedTo = this.#position;
    await this.#file.sync();
  }

  async #snappy(bytes: Uint8Array, length: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = this.#position === 0 ? [snappyHeader] : [];
    for (let at = 0; at < length; at += snappyBlockBytes) {
      const end = Math.min(length, at + snappyBlockBytes);
      const block = this.#compressions.snappyBlock(bytes.subarray(at, end));
      const prefix = new Uint8Array(4);
      new DataView(prefix.buffer).setInt32(0, block.length);
      pieces.push(prefix, block);
      if (this.#pace.isOver) await this.#pace.rest();
    }
    return concatenate(pieces);
  }
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
