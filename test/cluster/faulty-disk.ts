/**
 * A real disk, some of whose calls fail, take their time or stop half-way when a test wants it. What
 * it does not strike it passes on.
 */
import type { DirectoryEntry, Disk, DiskError, DiskFile, OpenMode } from '../../src/ports/disk.js';
import type { DiskCallName, DiskFault, FaultControl } from './disk-fault.js';

/** Of the server's own build: it asks what an error is. */
export interface DiskErrors {
  new (code: string, path: string, message: string): DiskError;
}

/** What a flush on the event loop is watched by. */
export interface FlushWatch {
  begin(): void;
  end(): void;
  /** Elsewhere. */
  watch(): () => void;
}

export interface FaultyDiskParts {
  readonly disk: Disk;
  readonly control: FaultControl;
  readonly errors: DiskErrors;
  readonly watch: FlushWatch;
}

const never = new Int32Array(new SharedArrayBuffer(4));

export class FaultyDisk implements Disk {
  readonly #parts: FaultyDiskParts;
  readonly #disk: Disk;

  constructor(parts: FaultyDiskParts) {
    this.#parts = parts;
    this.#disk = parts.disk;
  }

  openNow(path: string, mode: OpenMode): DiskFile {
    if (mode === 'create') this.suffer('open', path);
    return new FaultyFile(this, this.#disk.openNow(path, mode), this.#parts.watch);
  }

  existsNow(path: string): boolean {
    return this.#disk.existsNow(path);
  }

  sizeNow(path: string): number {
    return this.#disk.sizeNow(path);
  }

  listNow(directory: string): DirectoryEntry[] {
    return this.#disk.listNow(directory);
  }

  makeDirectoryNow(path: string): void {
    this.#disk.makeDirectoryNow(path);
  }

  renameNow(from: string, to: string): void {
    this.suffer('rename', to);
    this.#disk.renameNow(from, to);
  }

  unlinkNow(path: string): void {
    this.suffer('unlink', path);
    this.#disk.unlinkNow(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.suffer('rename', to);
    await this.#disk.rename(from, to);
  }

  async unlink(path: string): Promise<void> {
    this.suffer('unlink', path);
    await this.#disk.unlink(path);
  }

  syncDirectoryNow(path: string): void {
    this.suffer('syncDirectory', path);
    this.#disk.syncDirectoryNow(path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.suffer('syncDirectory', path);
    await this.#disk.syncDirectory(path);
  }

  freeBytesNow(path: string): number {
    return this.#disk.freeBytesNow(path);
  }

  lockDirectoryNow(path: string): { release(): void } | { readonly heldByPid: number | null } {
    return this.#disk.lockDirectoryNow(path);
  }

  strikes(call: DiskCallName, path: string): DiskFault | null {
    return this.#parts.control.strikes(call, path);
  }

  /** Throws where the fault says that the call fails. */
  suffer(call: DiskCallName, path: string): void {
    const fault = this.strikes(call, path);
    if (fault === null) return;
    if (fault.hangMs !== undefined) hang(fault.hangMs);
    this.end(fault, path);
  }

  /** What the fault says that comes last. */
  end(fault: DiskFault, path: string): void {
    if (fault.kills === true) process.kill(process.pid, 'SIGKILL');
    if (fault.code !== undefined) throw this.error(fault.code, path);
  }

  error(code: string, path: string): DiskError {
    return new this.#parts.errors(code, path, `${code}: the test wants it, ${path}`);
  }
}

class FaultyFile implements DiskFile {
  readonly path: string;
  readonly #disk: FaultyDisk;
  readonly #file: DiskFile;
  readonly #watch: FlushWatch;

  constructor(disk: FaultyDisk, file: DiskFile, watch: FlushWatch) {
    this.path = file.path;
    this.#disk = disk;
    this.#file = file;
    this.#watch = watch;
  }

  sizeNow(): number {
    return this.#file.sizeNow();
  }

  readNow(into: Uint8Array, start: number, end: number, position: number): number {
    return this.#file.readNow(into, start, end, position);
  }

  read(into: Uint8Array, start: number, end: number, position: number): Promise<number> {
    return this.#file.read(into, start, end, position);
  }

  writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    const fault = this.#disk.strikes('write', this.path);
    const to = start + Math.floor((end - start) * (fault === null ? 1 : (fault.part ?? 0)));
    if (to > start) this.#file.writeNow(bytes, start, to, position);
    if (fault !== null) this.#disk.end(fault, this.path);
  }

  async write(bytes: Uint8Array, start: number, end: number, position: number): Promise<void> {
    const fault = this.#disk.strikes('write', this.path);
    const to = start + Math.floor((end - start) * (fault === null ? 1 : (fault.part ?? 0)));
    if (to > start) await this.#file.write(bytes, start, to, position);
    if (fault !== null) this.#disk.end(fault, this.path);
  }

  flush(done: (error: DiskError | null) => void): void {
    const fault = this.#disk.strikes('flush', this.path);
    if (fault?.hangMs !== undefined && fault.inPool === true) {
      const answered = this.#watch.watch();
      setTimeout(() => {
        answered();
        this.#file.flush(done);
      }, fault.hangMs);
      return;
    }
    if (fault?.hangMs !== undefined) {
      this.#watch.begin();
      hang(fault.hangMs);
      this.#watch.end();
    }
    if (fault?.kills === true) this.#disk.end(fault, this.path);
    if (fault?.code !== undefined) done(this.#disk.error(fault.code, this.path));
    else this.#file.flush(done);
  }

  async sync(): Promise<void> {
    this.#disk.suffer('sync', this.path);
    await this.#file.sync();
  }

  syncNow(): void {
    this.#disk.suffer('sync', this.path);
    this.#file.syncNow();
  }

  truncateNow(size: number): void {
    this.#file.truncateNow(size);
  }

  closeNow(): void {
    this.#file.closeNow();
  }
}

/** The thread stands still, as in a call that the device does not answer. */
function hang(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}
