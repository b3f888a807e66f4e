/**
 * The disk of the real world: node:fs behind the port. What it adds is what node:fs leaves to its
 * callers: short writes are continued, errors carry the system's code and the path, promised calls on
 * one file keep their order, and fdatasync runs where it costs least (fsync-placement.ts).
 */
import * as fs from 'node:fs';
import {
  DiskError,
  type DirectoryEntry,
  type Disk,
  type DiskFile,
  type OpenMode,
} from '../ports/disk.js';
import { lockDirectoryNow, type DirectoryLock } from './directory-lock.js';
import type { FlushWatchdog } from './flush-watchdog.js';
import { FsyncPlacement } from './fsync-placement.js';

/** fs.constants has no names for these on Windows, where they mean nothing. */
const openFlags: Readonly<Record<OpenMode, number>> = {
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
  write: fs.constants.O_RDWR,
  read: fs.constants.O_RDONLY,
};

function diskError(error: unknown, path: string): DiskError {
  if (error instanceof DiskError) return error;
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string'
      ? error.code
      : 'EIO';
  return new DiskError(code, path, error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw diskError(error, path);
  }
}

/** Node's callbacks as a promise that rejects with a DiskError. */
function promised(
  path: string,
  start: (done: (error: Error | null, value?: number) => void) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(diskError(error, path));
      else resolve(value ?? 0);
    });
  });
}

class NodeDiskFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  readonly #placement: FsyncPlacement;
  readonly #watchdog: FlushWatchdog | null;
  /** The last promised call; the next one starts after it, whatever became of it. */
  #last: Promise<unknown> = Promise.resolve();
  #promises = 0;
  /** Written since the last flush. */
  #unflushedBytes = 0;
  /** For flushes at once, each its own: an error of the disk is told to every descriptor once. */
  readonly #flushFds: number[];
  readonly #freeFlushFds: number[];

  constructor(path: string, fd: number, placement: FsyncPlacement, watchdog: FlushWatchdog | null) {
    this.path = path;
    this.#fd = fd;
    this.#flushFds = [fd];
    this.#freeFlushFds = [fd];
    this.#placement = placement;
    this.#watchdog = watchdog;
  }

  sizeNow(): number {
    return attempt(this.path, () => fs.fstatSync(this.#fd).size);
  }

  readNow(into: Uint8Array, start: number, end: number, position: number): number {
    let at = start;
    try {
      while (at < end) {
        const count = fs.readSync(this.#fd, into, at, end - at, position + (at - start));
        if (count === 0) break;
        at += count;
      }
    } catch (error) {
      throw diskError(error, this.path);
    }
    return at - start;
  }

  read(into: Uint8Array, start: number, end: number, position: number): Promise<number> {
    return this.#inOrder(async () => {
      let at = start;
      while (at < end) {
        const count = await promised(this.path, (done) => {
          fs.read(this.#fd, into, at, end - at, position + (at - start), done);
        });
        if (count === 0) break;
        at += count;
      }
      return at - start;
    });
  }

  writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    let at = start;
    try {
      while (at < end) {
        at += fs.writeSync(this.#fd, bytes, at, end - at, position + (at - start));
      }
    } catch (error) {
      throw diskError(error, this.path);
    }
    this.#unflushedBytes += end - start;
  }

  async write(bytes: Uint8Array, start: number, end: number, position: number): Promise<void> {
    await this.#inOrder(async () => {
      let at = start;
      while (at < end) {
        at += await promised(this.path, (done) => {
          fs.write(this.#fd, bytes, at, end - at, position + (at - start), done);
        });
      }
    });
  }

  flush(done: (error: DiskError | null) => void): void {
    const startedMs = performance.now();
    const isInline = this.#placement.isInline(this.#unflushedBytes);
    this.#unflushedBytes = 0;
    if (isInline && this.#promises === 0) {
      let failure: DiskError | null = null;
      this.#watchdog?.begin();
      try {
        fs.fdatasyncSync(this.#fd);
      } catch (error) {
        failure = diskError(error, this.path);
      }
      this.#watchdog?.end();
      this.#placement.record(performance.now() - startedMs, true);
      done(failure);
      return;
    }
    const inPool = (): void => {
      let fd: number;
      try {
        fd = this.#takeFlushFd();
      } catch (error) {
        done(diskError(error, this.path));
        return;
      }
      const answered = this.#watchdog?.watch();
      fs.fdatasync(fd, (error) => {
        answered?.();
        this.#freeFlushFds.push(fd);
        this.#placement.record(performance.now() - startedMs, false);
        done(error ? diskError(error, this.path) : null);
      });
    };
    if (this.#promises === 0) inPool();
    else void this.#last.then(inPool, inPool);
  }

  #takeFlushFd(): number {
    const free = this.#freeFlushFds.pop();
    if (free !== undefined) return free;
    const fd = fs.openSync(this.path, 'r+');
    this.#flushFds.push(fd);
    return fd;
  }

  async sync(): Promise<void> {
    await this.#inOrder(() =>
      promised(this.path, (done) => {
        fs.fsync(this.#fd, done);
      }),
    );
  }

  syncNow(): void {
    attempt(this.path, () => {
      fs.fsyncSync(this.#fd);
    });
  }

  truncateNow(size: number): void {
    attempt(this.path, () => {
      fs.ftruncateSync(this.#fd, size);
    });
  }

  closeNow(): void {
    attempt(this.path, () => {
      for (const fd of this.#flushFds) fs.closeSync(fd);
    });
  }

  async #inOrder<T>(act: () => Promise<T>): Promise<T> {
    this.#promises++;
    const mine = this.#last.then(act, act);
    this.#last = mine;
    try {
      return await mine;
    } finally {
      this.#promises--;
    }
  }
}

export class NodeDisk implements Disk {
  /** One for all files: it is the device that is quick or slow. */
  readonly placement = new FsyncPlacement();
  readonly #watchdog: FlushWatchdog | null;

  /** `watchdog`: who ends the process when a flush on the loop hangs; null: nobody. */
  constructor(watchdog: FlushWatchdog | null = null) {
    this.#watchdog = watchdog;
  }

  openNow(path: string, mode: OpenMode): DiskFile {
    const fd = attempt(path, () => fs.openSync(path, openFlags[mode], 0o644));
    return new NodeDiskFile(path, fd, this.placement, this.#watchdog);
  }

  existsNow(path: string): boolean {
    return attempt(path, () => fs.statSync(path, { throwIfNoEntry: false }) !== undefined);
  }

  sizeNow(path: string): number {
    return attempt(path, () => fs.statSync(path).size);
  }

  listNow(directory: string): DirectoryEntry[] {
    return attempt(directory, () =>
      fs.readdirSync(directory, { withFileTypes: true }).map((entry) => ({
        name: entry.name,
        isDirectory: entry.isDirectory(),
      })),
    );
  }

  makeDirectoryNow(path: string): void {
    attempt(path, () => {
      fs.mkdirSync(path, { recursive: true });
    });
  }

  renameNow(from: string, to: string): void {
    attempt(to, () => {
      fs.renameSync(from, to);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    await promised(to, (done) => {
      fs.rename(from, to, done);
    });
  }

  unlinkNow(path: string): void {
    attempt(path, () => {
      fs.unlinkSync(path);
    });
  }

  async unlink(path: string): Promise<void> {
    await promised(path, (done) => {
      fs.unlink(path, done);
    });
  }

  syncDirectoryNow(path: string): void {
    if (process.platform === 'win32') return; // directories cannot be opened there
    attempt(path, () => {
      const fd = fs.openSync(path, 'r');
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  async syncDirectory(path: string): Promise<void> {
    if (process.platform === 'win32') return;
    const fd = attempt(path, () => fs.openSync(path, 'r'));
    try {
      await promised(path, (done) => {
        fs.fsync(fd, done);
      });
    } finally {
      fs.closeSync(fd);
    }
  }

  freeBytesNow(path: string): number {
    return attempt(path, () => {
      const { bavail, bsize } = fs.statfsSync(path);
      return bavail * bsize;
    });
  }

  lockDirectoryNow(path: string): DirectoryLock {
    return attempt(path, () => lockDirectoryNow(path));
  }
}
