/**
 * A disk for looking at a server's directory without touching it. To know a history is to recover it,
 * and recovery mends what a crash left: here all that it writes stays in memory, and what it reads is
 * what it wrote, over what is really there.
 */
import {
  DiskError,
  type DirectoryEntry,
  type Disk,
  type DiskFile,
  type OpenMode,
} from '../ports/disk.js';
import { baseNameOf, directoryOf } from '../storage/names.js';

/** Null: deleted here. */
type Content = { bytes: Uint8Array } | null;

export class OverlayDisk implements Disk {
  readonly #base: Disk;
  readonly #written = new Map<string, Content>();

  /** `base` is only read. The caller holds the locks of what it looks at. */
  constructor(base: Disk) {
    this.#base = base;
  }

  openNow(path: string, mode: OpenMode): DiskFile {
    const content = this.#written.get(path);
    if (mode === 'create') {
      if (this.existsNow(path)) throw new DiskError('EEXIST', path, `${path} exists`);
      return this.#open(path, new Uint8Array());
    }
    if (content === null) throw new DiskError('ENOENT', path, `${path} does not exist`);
    if (content !== undefined) return new MemoryFile(path, content);
    return mode === 'read' ? this.#base.openNow(path, 'read') : this.#open(path, this.#all(path));
  }

  existsNow(path: string): boolean {
    const content = this.#written.get(path);
    return content === undefined ? this.#base.existsNow(path) : content !== null;
  }

  sizeNow(path: string): number {
    const content = this.#written.get(path);
    if (content === null) throw new DiskError('ENOENT', path, `${path} does not exist`);
    return content === undefined ? this.#base.sizeNow(path) : content.bytes.length;
  }

  listNow(directory: string): DirectoryEntry[] {
    const entries = new Map(this.#base.listNow(directory).map((entry) => [entry.name, entry]));
    for (const [path, content] of this.#written) {
      if (directoryOf(path) !== directory) continue;
      const name = baseNameOf(path);
      if (content === null) entries.delete(name);
      else entries.set(name, { name, isDirectory: false });
    }
    return [...entries.values()];
  }

  /** What is looked at is there. */
  makeDirectoryNow(path: string): void {
    throw new DiskError('EROFS', path, `${path} is not made: this only looks`);
  }

  renameNow(from: string, to: string): void {
    const bytes = this.#written.get(from)?.bytes ?? this.#all(from);
    this.#written.set(from, null);
    this.#written.set(to, { bytes });
  }

  unlinkNow(path: string): void {
    this.#written.set(path, null);
  }

  rename(from: string, to: string): Promise<void> {
    this.renameNow(from, to);
    return Promise.resolve();
  }

  unlink(path: string): Promise<void> {
    this.unlinkNow(path);
    return Promise.resolve();
  }

  syncDirectoryNow(): void {
    // memory has nothing to make durable
  }

  syncDirectory(): Promise<void> {
    return Promise.resolve();
  }

  freeBytesNow(path: string): number {
    return this.#base.freeBytesNow(path);
  }

  lockDirectoryNow(): { release(): void } {
    return { release: () => undefined };
  }

  #open(path: string, bytes: Uint8Array): DiskFile {
    const content = { bytes };
    this.#written.set(path, content);
    return new MemoryFile(path, content);
  }

  #all(path: string): Uint8Array {
    const file = this.#base.openNow(path, 'read');
    try {
      const bytes = new Uint8Array(file.sizeNow());
      return bytes.subarray(0, file.readNow(bytes, 0, bytes.length, 0));
    } finally {
      file.closeNow();
    }
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #content: { bytes: Uint8Array };

  constructor(path: string, content: { bytes: Uint8Array }) {
    this.path = path;
    this.#content = content;
  }

  sizeNow(): number {
    return this.#content.bytes.length;
  }

  readNow(into: Uint8Array, start: number, end: number, position: number): number {
    const piece = this.#content.bytes.subarray(position, position + end - start);
    into.set(piece, start);
    return piece.length;
  }

  read(into: Uint8Array, start: number, end: number, position: number): Promise<number> {
    return Promise.resolve(this.readNow(into, start, end, position));
  }

  writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    this.#resize(Math.max(this.sizeNow(), position + end - start));
    this.#content.bytes.set(bytes.subarray(start, end), position);
  }

  write(bytes: Uint8Array, start: number, end: number, position: number): Promise<void> {
    this.writeNow(bytes, start, end, position);
    return Promise.resolve();
  }

  flush(done: (error: DiskError | null) => void): void {
    done(null);
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  syncNow(): void {
    // memory has nothing to make durable
  }

  truncateNow(size: number): void {
    this.#resize(size);
  }

  closeNow(): void {
    // its content stays
  }

  #resize(size: number): void {
    const { bytes } = this.#content;
    if (size === bytes.length) return;
    const resized = new Uint8Array(size);
    resized.set(bytes.subarray(0, size));
    this.#content.bytes = resized;
  }
}
