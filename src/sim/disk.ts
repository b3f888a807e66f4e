/**
 * The simulated disk: the port over a DiskImage, with every fault of reliability.md section 2 (D) that
 * a disk can do to the process that uses it. What the disk does to those who come after a crash is
 * crash-states.ts.
 *
 * Faults are decided by one function that is asked before each call: it can fail it with any code,
 * let a write get through in part (a full disk), fail a sync and mark the pages clean, or lie about
 * one. Calls can be slow: with a clock and a latency, promised calls and flushes complete later.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../ports/clock.js';
import {
  DiskError,
  type DirectoryEntry,
  type Disk,
  type DiskFile,
  type OpenMode,
} from '../ports/disk.js';
import { Blocks } from './bytes.js';
import { DiskImage, FileInode, type DirectoryInode, type ImageStep } from './disk-image.js';

export type DiskCallName =
  | 'open'
  | 'read'
  | 'write'
  | 'flush'
  | 'sync'
  | 'truncate'
  | 'list'
  | 'makeDirectory'
  | 'rename'
  | 'unlink'
  | 'syncDirectory';

export interface DiskCall {
  readonly name: DiskCallName;
  readonly path: string;
  /** Counts the calls of this disk, from 0. */
  readonly index: number;
}

export type DiskFault =
  /** Fails. A write puts its first `bytesWritten` bytes down before it does. */
  | { readonly kind: 'error'; readonly code: string; readonly bytesWritten?: number }
  /** A sync that fails, after which the kernel takes the pages for clean (D3). */
  | { readonly kind: 'clean'; readonly code: string }
  /** A sync that says it is done and has done nothing (D2). */
  | { readonly kind: 'lie' };

export interface SimDiskOptions {
  readonly image?: DiskImage;
  readonly faultOf?: (call: DiskCall) => DiskFault | null;
  /** Every change, in order, as it happens: what the crash states are enumerated from. */
  readonly onStep?: (step: ImageStep) => void;
  /** Content bytes that fit; more is ENOSPC after a short write. */
  readonly capacityBytes?: number;
  /** How long a promised call or a flush takes; at once (flush: before it returns) without. */
  readonly slow?: { readonly clock: Clock; readonly latencyMs: (call: DiskCall) => number };
}

export class SimDisk implements Disk {
  readonly image: DiskImage;
  readonly #options: SimDiskOptions;
  readonly #locked = new Map<string, number>();
  /** Of what is written. */
  readonly copies = new Blocks();
  #calls = 0;
  #stopped = false;

  constructor(options: SimDiskOptions = {}) {
    this.#options = options;
    this.image = options.image ?? new DiskImage();
  }

  /** The process is gone: nothing that it still had under way happens any more. */
  stop(): void {
    this.#stopped = true;
    this.#locked.clear();
  }

  /** The process is gone, the machine is not: another process begins with what the cache holds. */
  restart(): void {
    this.#locked.clear();
  }

  get calls(): number {
    return this.#calls;
  }

  /** Flips bits of a file that has at least `position + 1` bytes, in both images (D7). */
  corrupt(path: string, position: number, mask: number): void {
    const file = this.#file(path);
    const byte = new Uint8Array(1);
    assert(file.now.read(byte, 0, 1, position) === 1, 'there is such a byte');
    byte[0] = (byte[0] ?? 0) ^ mask;
    file.now.write(byte, 0, 1, position);
    file.durable.write(byte, 0, 1, position);
  }

  /** The whole file as the process sees it. */
  bytesOf(path: string): Uint8Array {
    return this.#file(path).now.bytes();
  }

  openNow(path: string, mode: OpenMode): DiskFile {
    this.enter('open', path);
    const found = this.image.lookup(path);
    if (mode === 'create') {
      if (found) throw this.error('EEXIST', path);
      const { parent, name } = this.#parentOf(path);
      const inode = this.image.nextInode;
      this.step({ kind: 'file', inode });
      this.step({ kind: 'name', inode: parent, change: { kind: 'link', name, inode } });
      return new SimDiskFile(this, path, inode);
    }
    if (!found) throw this.error('ENOENT', path);
    if (found.inode.kind !== 'file') throw this.error('EISDIR', path);
    return new SimDiskFile(this, path, found.number);
  }

  existsNow(path: string): boolean {
    return this.image.lookup(path) !== null;
  }

  sizeNow(path: string): number {
    return this.#file(path).now.size;
  }

  listNow(directory: string): DirectoryEntry[] {
    this.enter('list', directory);
    const { inode } = this.#directory(directory);
    return [...inode.now].map(([name, number]) => ({
      name,
      isDirectory: this.image.inode(number).kind === 'directory',
    }));
  }

  makeDirectoryNow(path: string): void {
    this.enter('makeDirectory', path);
    let walked = '';
    for (const name of path.split('/')) {
      if (name === '') continue;
      walked += `/${name}`;
      const found = this.image.lookup(walked);
      if (found?.inode.kind === 'directory') continue;
      if (found) throw this.error('ENOTDIR', walked);
      const { parent } = this.#parentOf(walked);
      const inode = this.image.nextInode;
      this.step({ kind: 'directory', inode });
      this.step({ kind: 'name', inode: parent, change: { kind: 'link', name, inode } });
    }
  }

  renameNow(from: string, to: string): void {
    this.enter('rename', from);
    const found = this.image.lookup(from);
    if (!found) throw this.error('ENOENT', from);
    const source = this.#parentOf(from);
    const target = this.#parentOf(to);
    assert(source.parent === target.parent, 'files are renamed within their directory');
    this.step({
      kind: 'name',
      inode: source.parent,
      change: { kind: 'rename', from: source.name, to: target.name, inode: found.number },
    });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.later('rename', from);
    this.renameNow(from, to);
  }

  unlinkNow(path: string): void {
    this.enter('unlink', path);
    if (!this.image.lookup(path)) throw this.error('ENOENT', path);
    const { parent, name } = this.#parentOf(path);
    this.step({ kind: 'name', inode: parent, change: { kind: 'unlink', name } });
  }

  async unlink(path: string): Promise<void> {
    await this.later('unlink', path);
    this.unlinkNow(path);
  }

  syncDirectoryNow(path: string): void {
    const { number, inode } = this.#directory(path);
    this.settle('syncDirectory', path, number, inode.mark);
  }

  async syncDirectory(path: string): Promise<void> {
    const { number, inode } = this.#directory(path);
    const { mark } = inode;
    await this.later('syncDirectory', path);
    this.settle('syncDirectory', path, number, mark);
  }

  /** There is an end to its room. */
  get isBounded(): boolean {
    return this.#options.capacityBytes !== undefined;
  }

  freeBytesNow(): number {
    const capacity = this.#options.capacityBytes ?? Number.MAX_SAFE_INTEGER;
    return Math.max(0, capacity - this.#usedBytes());
  }

  lockDirectoryNow(path: string): { release(): void } | { readonly heldByPid: number | null } {
    const { number } = this.#directory(path);
    const key = String(number);
    if (this.#locked.has(key)) return { heldByPid: 1 };
    this.#locked.set(key, number);
    return {
      release: () => {
        this.#locked.delete(key);
      },
    };
  }

  // What follows is for SimDiskFile, which is the other half of this class.

  error(code: string, path: string): DiskError {
    return new DiskError(code, path, `${code}: simulated, ${path}`);
  }

  step(step: ImageStep): void {
    this.image.step(step);
    this.#options.onStep?.(step);
  }

  /** Counts the call and fails it when it is to fail; a write and a sync see to their own faults. */
  enter(name: DiskCallName, path: string): void {
    const fault = this.faultOf(name, path);
    if (fault?.kind === 'error') throw this.error(fault.code, path);
  }

  faultOf(name: DiskCallName, path: string): DiskFault | null {
    assert(!this.#stopped, 'a process that is gone calls nothing');
    return this.#options.faultOf?.({ name, path, index: this.#calls++ }) ?? null;
  }

  /** A sync that covers the inode's changes before `mark` ends now. */
  settle(
    name: 'flush' | 'sync' | 'syncDirectory',
    path: string,
    inode: number,
    mark: number,
  ): void {
    const fault = this.faultOf(name, path);
    if (fault?.kind === 'lie') return;
    if (fault?.kind === 'clean') this.step({ kind: 'forget', inode, mark });
    if (fault) throw this.error(fault.code, path);
    this.step({ kind: 'settle', inode, mark });
  }

  latencyMs(name: DiskCallName, path: string): number {
    return this.#options.slow?.latencyMs({ name, path, index: this.#calls }) ?? 0;
  }

  /** Resolves when the call's latency is over; never when the process ended meanwhile. */
  later(name: DiskCallName, path: string): Promise<void> {
    const ms = this.latencyMs(name, path);
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.afterMs(ms, resolve);
    });
  }

  afterMs(ms: number, run: () => void): void {
    this.#options.slow?.clock.after(ms, () => {
      if (!this.#stopped) run();
    });
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  #usedBytes(): number {
    let used = 0;
    for (const inode of this.image.inodes.values()) {
      if (inode.kind === 'file') used += inode.now.size;
    }
    return used;
  }

  #file(path: string): FileInode {
    const found = this.image.lookup(path);
    if (!found) throw this.error('ENOENT', path);
    if (found.inode.kind !== 'file') throw this.error('EISDIR', path);
    return found.inode;
  }

  #directory(path: string): { readonly number: number; readonly inode: DirectoryInode } {
    const found = this.image.lookup(path);
    if (!found) throw this.error('ENOENT', path);
    if (found.inode.kind !== 'directory') throw this.error('ENOTDIR', path);
    return { number: found.number, inode: found.inode };
  }

  #parentOf(path: string): { readonly parent: number; readonly name: string } {
    const slash = path.lastIndexOf('/');
    const parent = this.#directory(path.slice(0, slash));
    return { parent: parent.number, name: path.slice(slash + 1) };
  }
}

class SimDiskFile implements DiskFile {
  readonly path: string;
  readonly #disk: SimDisk;
  readonly #inode: number;
  #last: Promise<unknown> = Promise.resolve();
  #promises = 0;
  #open = true;

  constructor(disk: SimDisk, path: string, inode: number) {
    this.#disk = disk;
    this.path = path;
    this.#inode = inode;
  }

  sizeNow(): number {
    return this.#file.now.size;
  }

  readNow(into: Uint8Array, start: number, end: number, position: number): number {
    this.#disk.enter('read', this.path);
    return this.#file.now.read(into, start, end, position);
  }

  read(into: Uint8Array, start: number, end: number, position: number): Promise<number> {
    return this.#inOrder('read', () => this.readNow(into, start, end, position));
  }

  writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    const fault = this.#disk.faultOf('write', this.path);
    const growth = Math.max(0, position + (end - start) - this.#file.now.size);
    const missing = this.#disk.isBounded ? growth - this.#disk.freeBytesNow() : 0;
    if (fault?.kind === 'error') {
      this.#put(bytes, start, Math.min(end, start + (fault.bytesWritten ?? 0)), position);
      throw this.#disk.error(fault.code, this.path);
    }
    if (missing > 0) {
      this.#put(bytes, start, Math.max(start, end - missing), position);
      throw this.#disk.error('ENOSPC', this.path);
    }
    this.#put(bytes, start, end, position);
  }

  write(bytes: Uint8Array, start: number, end: number, position: number): Promise<void> {
    return this.#inOrder('write', () => {
      this.writeNow(bytes, start, end, position);
    });
  }

  flush(done: (error: DiskError | null) => void): void {
    const finish = (mark: number): void => {
      try {
        this.#disk.settle('flush', this.path, this.#inode, mark);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        done(error);
        return;
      }
      done(null);
    };
    const ms = this.#disk.latencyMs('flush', this.path);
    const start = (): void => {
      const { mark } = this.#file;
      if (ms === 0) {
        finish(mark);
        return;
      }
      this.#disk.afterMs(ms, () => {
        finish(mark);
      });
    };
    if (this.#promises === 0) start();
    else void this.#last.then(start, start);
  }

  sync(): Promise<void> {
    return this.#inOrder('sync', (mark) => {
      this.#disk.settle('sync', this.path, this.#inode, mark);
    });
  }

  syncNow(): void {
    this.#disk.settle('sync', this.path, this.#inode, this.#file.mark);
  }

  truncateNow(size: number): void {
    this.#disk.enter('truncate', this.path);
    this.#disk.step({ kind: 'content', inode: this.#inode, change: { kind: 'resize', size } });
  }

  closeNow(): void {
    this.#open = false;
  }

  get #file(): FileInode {
    assert(this.#open, 'a closed file is not used any more');
    return this.#disk.image.file(this.#inode);
  }

  #put(bytes: Uint8Array, start: number, end: number, position: number): void {
    if (end <= start) return;
    const change = {
      kind: 'write',
      position,
      bytes: this.#disk.copies.view(bytes, start, end),
    } as const;
    this.#disk.step({ kind: 'content', inode: this.#inode, change });
  }

  /** `act` is given the mark of the moment at which the call began. */
  async #inOrder<T>(name: DiskCallName, act: (mark: number) => T): Promise<T> {
    this.#promises++;
    const run = async (): Promise<T> => {
      const { mark } = this.#file;
      await this.#disk.later(name, this.path);
      if (this.#disk.stopped) await new Promise<never>(() => undefined);
      return act(mark);
    };
    const mine = this.#last.then(run, run);
    this.#last = mine;
    try {
      return await mine;
    } finally {
      this.#promises--;
    }
  }
}
