/**
 * Files, with the promises that a log needs spelled out. Nothing written is durable before
 * `flush`/`sync` said so, and no name (create, rename, unlink) is durable before `syncDirectory` on
 * its directory. Errors are `DiskError`s with the system's code. After an error of write, flush,
 * sync, truncate or rename on the log the caller ends the process: the kernel may have marked the
 * pages clean (reliability: a retried fsync lies).
 *
 * Calls named …Now run on the event loop and are for small things, start-up and the log's own
 * appends; the promised ones may run elsewhere, one at a time per file, in the order of the calls.
 */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly code: string;
  readonly path: string;
  constructor(code: string, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.path = path;
  }
}

/** `create`: must not exist yet. `write`: must exist, read and write. `read`: must exist. */
export type OpenMode = 'create' | 'write' | 'read';

export interface DiskFile {
  readonly path: string;
  /** Length in bytes now, unsynced writes included. */
  sizeNow(): number;
  /** Reads up to end - start bytes at `position`; fewer only at the end of the file. */
  readNow(into: Uint8Array, start: number, end: number, position: number): number;
  /** As `readNow`, for big files that may be cold. `into` must not be touched until it resolves. */
  read(into: Uint8Array, start: number, end: number, position: number): Promise<number>;
  /** Writes all of bytes[start, end) at `position` (loops on short writes). */
  writeNow(bytes: Uint8Array, start: number, end: number, position: number): void;
  write(bytes: Uint8Array, start: number, end: number, position: number): Promise<void>;
  /**
   * Makes the data written so far durable (fdatasync). Calls `done` exactly once: possibly before
   * returning, when the disk is so fast that a trip through a thread would cost more. Several may be
   * under way and end in any order; each speaks for what was written before it was called.
   */
  flush(done: (error: DiskError | null) => void): void;
  /** Makes data and metadata durable (fsync): after preallocation, before a rename. */
  sync(): Promise<void>;
  syncNow(): void;
  truncateNow(size: number): void;
  closeNow(): void;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface Disk {
  openNow(path: string, mode: OpenMode): DiskFile;
  existsNow(path: string): boolean;
  sizeNow(path: string): number;
  /** Names in no particular order; a directory that does not exist is an error (ENOENT). */
  listNow(directory: string): DirectoryEntry[];
  makeDirectoryNow(path: string): void;
  renameNow(from: string, to: string): void;
  unlinkNow(path: string): void;
  /** For big files: to free the blocks of one that goes can take the kernel a tenth of a second. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  syncDirectoryNow(path: string): void;
  syncDirectory(path: string): Promise<void>;
  /** Bytes free for this process where `path` lies. */
  freeBytesNow(path: string): number;
  /**
   * Takes the directory for this process until it ends or `release` is called; null: another live
   * process has it. Survives kill -9 of the holder: a dead process holds nothing.
   */
  lockDirectoryNow(path: string): { release(): void } | { readonly heldByPid: number | null };
}

/**
 * Compression is a port: zlib and snappy are the world's, not the core's. Gzip may run elsewhere and
 * therefore promises; snappy blocks are small (32 KiB) and done at once.
 */
export interface Compression {
  /** One whole gzip member. Members in a row are a gzip file too. */
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
  gunzip(): Gunzip;
  snappyBlock(bytes: Uint8Array): Uint8Array;
  /** Throws an Error when the block is damaged or would be longer than `lengthMax`. */
  unsnappyBlock(bytes: Uint8Array, lengthMax: number): Uint8Array;
}

/** Decompresses one gzip file of one or more members, piece by piece, in bounded memory. */
export interface Gunzip {
  /** The pieces that `bytes` (not kept after it resolves) completed. Rejects when damaged. */
  push(bytes: Uint8Array): Promise<Uint8Array[]>;
  /** After the last push: rejects when the file ends in the middle of a member. */
  end(): Promise<Uint8Array[]>;
}
