/**
 * Proof that the exploration sees what it looks for: each mutant breaks one rule of durability, by
 * standing between the storage and its disk, and each must be caught. The storage itself has no
 * switches for this.
 */
import type { DirectoryEntry, Disk, DiskError, DiskFile, OpenMode } from '../../ports/disk.js';
import { join } from '../../storage/names.js';

/** Hands everything on; mutants change what they break. */
class DiskThrough implements Disk {
  protected readonly inner: Disk;

  constructor(inner: Disk) {
    this.inner = inner;
  }

  openNow(path: string, mode: OpenMode): DiskFile {
    return this.inner.openNow(path, mode);
  }
  existsNow(path: string): boolean {
    return this.inner.existsNow(path);
  }
  sizeNow(path: string): number {
    return this.inner.sizeNow(path);
  }
  listNow(directory: string): DirectoryEntry[] {
    return this.inner.listNow(directory);
  }
  makeDirectoryNow(path: string): void {
    this.inner.makeDirectoryNow(path);
  }
  renameNow(from: string, to: string): void {
    this.inner.renameNow(from, to);
  }
  rename(from: string, to: string): Promise<void> {
    return this.inner.rename(from, to);
  }
  unlinkNow(path: string): void {
    this.inner.unlinkNow(path);
  }
  unlink(path: string): Promise<void> {
    return this.inner.unlink(path);
  }
  syncDirectoryNow(path: string): void {
    this.inner.syncDirectoryNow(path);
  }
  syncDirectory(path: string): Promise<void> {
    return this.inner.syncDirectory(path);
  }
  freeBytesNow(path: string): number {
    return this.inner.freeBytesNow(path);
  }
  lockDirectoryNow(path: string): { release(): void } | { readonly heldByPid: number | null } {
    return this.inner.lockDirectoryNow(path);
  }
}

class FileThrough implements DiskFile {
  protected readonly inner: DiskFile;

  constructor(inner: DiskFile) {
    this.inner = inner;
  }

  get path(): string {
    return this.inner.path;
  }
  sizeNow(): number {
    return this.inner.sizeNow();
  }
  readNow(into: Uint8Array, start: number, end: number, position: number): number {
    return this.inner.readNow(into, start, end, position);
  }
  read(into: Uint8Array, start: number, end: number, position: number): Promise<number> {
    return this.inner.read(into, start, end, position);
  }
  writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    this.inner.writeNow(bytes, start, end, position);
  }
  write(bytes: Uint8Array, start: number, end: number, position: number): Promise<void> {
    return this.inner.write(bytes, start, end, position);
  }
  flush(done: (error: DiskError | null) => void): void {
    this.inner.flush(done);
  }
  sync(): Promise<void> {
    return this.inner.sync();
  }
  syncNow(): void {
    this.inner.syncNow();
  }
  truncateNow(size: number): void {
    this.inner.truncateNow(size);
  }
  closeNow(): void {
    this.inner.closeNow();
  }
}

/** Files whose syncs do nothing. */
class Unsynced extends FileThrough {
  override flush(done: (error: DiskError | null) => void): void {
    done(null);
  }
  override sync(): Promise<void> {
    return Promise.resolve();
  }
  override syncNow(): void {
    // says it is done
  }
}

class UnsyncedFiles extends DiskThrough {
  readonly #isUnsynced: (path: string) => boolean;

  constructor(inner: Disk, isUnsynced: (path: string) => boolean) {
    super(inner);
    this.#isUnsynced = isUnsynced;
  }

  override openNow(path: string, mode: OpenMode): DiskFile {
    const file = super.openNow(path, mode);
    return this.#isUnsynced(path) ? new Unsynced(file) : file;
  }
}

class ForgetfulDirectories extends DiskThrough {
  override syncDirectoryNow(): void {
    // says it is done
  }
  override syncDirectory(): Promise<void> {
    return Promise.resolve();
  }
}

/** Snapshots are written under their own name from the first byte on. */
class NoUnfinishedNames extends DiskThrough {
  static #final(path: string): string {
    return path.replace(/\/\.(snapshot\.[^/]+)\.tmp$/, '/$1');
  }

  override openNow(path: string, mode: OpenMode): DiskFile {
    const final = NoUnfinishedNames.#final(path);
    if (final === path) return super.openNow(path, mode);
    const file = super.openNow(final, super.existsNow(final) ? 'write' : mode);
    file.truncateNow(0);
    return file;
  }
  override existsNow(path: string): boolean {
    return NoUnfinishedNames.#final(path) === path && super.existsNow(path);
  }
  override async rename(from: string, to: string): Promise<void> {
    if (NoUnfinishedNames.#final(from) !== to) await super.rename(from, to);
  }
}

/**
 * Deletes two logs more than it was told to: the rule by which purge keeps logs is Apache's, and one
 * of those is more than is needed.
 */
class GreedyPurge extends DiskThrough {
  override async unlink(path: string): Promise<void> {
    if (super.existsNow(path)) await super.unlink(path);
    const slash = path.lastIndexOf('/');
    if (!path.slice(slash + 1).startsWith('log.')) return;
    const directory = path.slice(0, slash);
    const logs = super
      .listNow(directory)
      .filter(({ name }) => name.startsWith('log.'))
      .sort((a, b) => Number.parseInt(a.name.slice(4), 16) - Number.parseInt(b.name.slice(4), 16));
    for (const { name } of logs.slice(0, 2)) await super.unlink(join(directory, name));
  }
}

/** Deletes the newest snapshots instead of the oldest. */
class BackwardPurge extends DiskThrough {
  override async unlink(path: string): Promise<void> {
    const slash = path.lastIndexOf('/');
    const directory = path.slice(0, slash);
    if (!path.slice(slash + 1).startsWith('snapshot.')) {
      await super.unlink(path);
      return;
    }
    const names = super
      .listNow(directory)
      .map(({ name }) => name)
      .filter((name) => name.startsWith('snapshot.'))
      .sort((a, b) => Number.parseInt(b.slice(9), 16) - Number.parseInt(a.slice(9), 16));
    await super.unlink(join(directory, names[0] ?? ''));
  }
}

/** A torn end is cut off, and not for good. */
class UnsyncedCut extends DiskThrough {
  override openNow(path: string, mode: OpenMode): DiskFile {
    const file = super.openNow(path, mode);
    return mode === 'write' && baseName(path).startsWith('log.') ? new Unsynced(file) : file;
  }
}

/** The tail mark never reaches the disk. */
class NoTailMark extends DiskThrough {
  override openNow(path: string, mode: OpenMode): DiskFile {
    const file = super.openNow(path, mode);
    return path.endsWith('/.tail') ? new Unwritten(file) : file;
  }
}

class Unwritten extends FileThrough {
  override writeNow(): void {
    // gone
  }
}

/** The log says it is durable before it is. */
class LateFlushes extends DiskThrough {
  override openNow(path: string, mode: OpenMode): DiskFile {
    const file = super.openNow(path, mode);
    return baseName(path).startsWith('log.') ? new LateFlush(file) : file;
  }
}

/** Says it is done, and is some time later. */
class LateFlush extends FileThrough {
  override flush(done: (error: DiskError | null) => void): void {
    done(null);
    void Promise.resolve().then(() => this.inner.flush(() => undefined));
  }
}

/** Snapshots that are newer than the cut are left where they are. */
class KeptSnapshots extends DiskThrough {
  override async unlink(path: string): Promise<void> {
    if (!baseName(path).startsWith('snapshot.')) await super.unlink(path);
  }
}

/** Logs are deleted at once and not for good. */
class KeptLogs extends DiskThrough {
  override async unlink(path: string): Promise<void> {
    if (!baseName(path).startsWith('log.')) await super.unlink(path);
  }
}

/** Of the logs that are to go, the oldest goes first. */
class OldestLogFirst extends DiskThrough {
  #pending: string[] = [];

  override async unlink(path: string): Promise<void> {
    if (!baseName(path).startsWith('log.')) {
      await super.unlink(path);
      return;
    }
    const slash = path.lastIndexOf('/');
    const zxid = (name: string): number => Number.parseInt(name.slice(4), 16);
    if (this.#pending.length === 0) {
      this.#pending = super
        .listNow(path.slice(0, slash))
        .map(({ name }) => name)
        .filter((name) => name.startsWith('log.'))
        .sort((a, b) => zxid(a) - zxid(b))
        .slice(1)
        .map((name) => join(path.slice(0, slash), name));
    }
    await super.unlink(this.#pending.shift() ?? path);
  }
}

/** Nothing says that a state is being replaced. */
class NoMarker extends DiskThrough {
  override async rename(from: string, to: string): Promise<void> {
    if (baseName(to) === '.install') await super.unlink(from);
    else await super.rename(from, to);
  }
  override async unlink(path: string): Promise<void> {
    if (baseName(path) !== '.install') await super.unlink(path);
  }
}

/** Epoch files are replaced under their own name. */
class EpochsInPlace extends DiskThrough {
  static #final(path: string): string {
    return path.replace(/\/\.((?:accepted|current)Epoch)\.tmp$/, '/$1');
  }

  override openNow(path: string, mode: OpenMode): DiskFile {
    const final = EpochsInPlace.#final(path);
    if (final === path) return super.openNow(path, mode);
    const file = super.openNow(final, super.existsNow(final) ? 'write' : mode);
    file.truncateNow(0);
    return file;
  }
  override existsNow(path: string): boolean {
    return EpochsInPlace.#final(path) === path && super.existsNow(path);
  }
  override async rename(from: string, to: string): Promise<void> {
    const final = EpochsInPlace.#final(from);
    if (final !== to && super.existsNow(final)) await super.rename(final, to);
  }
}

/** The current epoch is written in one step, after the history that belongs to it. */
class OneStepEpoch extends DiskThrough {
  override async rename(from: string, to: string): Promise<void> {
    if (to.endsWith('/currentEpoch.tmp')) await super.rename(from, `${to}.late`);
    else if (from.endsWith('/currentEpoch.tmp')) await super.rename(`${from}.late`, to);
    else await super.rename(from, to);
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export interface CrashMutant {
  readonly name: string;
  readonly wrap: (disk: Disk) => Disk;
  /** Those that show it within few states. */
  readonly scenarios: readonly string[];
}

export const crashMutants: readonly CrashMutant[] = [
  {
    name: 'directories are not synced',
    wrap: (disk) => new ForgetfulDirectories(disk),
    scenarios: [
      'append and commit',
      'following into new epochs',
      'truncate away logs, and the snapshots that are newer',
      'the state of a leader that is far ahead',
    ],
  },
  {
    name: 'acknowledged before the log is durable',
    wrap: (disk) => new UnsyncedFiles(disk, (path) => baseName(path).startsWith('log.')),
    scenarios: ['append and commit', 'roll by size'],
  },
  {
    name: 'acknowledged while the log is becoming durable',
    wrap: (disk) => new LateFlushes(disk),
    scenarios: ['append and commit'],
  },
  {
    name: 'snapshots are written in place',
    wrap: (disk) => new NoUnfinishedNames(disk),
    scenarios: ['snapshot at a zxid that has one, after everything older was purged'],
  },
  {
    name: 'snapshots are renamed before they are durable',
    wrap: (disk) => new UnsyncedFiles(disk, (path) => path.endsWith('.tmp')),
    scenarios: ['snapshot, then purge of all others'],
  },
  {
    name: 'purge deletes a log that a snapshot needs',
    wrap: (disk) => new GreedyPurge(disk),
    scenarios: ['purge'],
  },
  {
    name: 'purge deletes the newest snapshots',
    wrap: (disk) => new BackwardPurge(disk),
    scenarios: ['purge'],
  },
  {
    name: 'the cut of a torn end is not synced',
    wrap: (disk) => new UnsyncedCut(disk),
    scenarios: [
      'start on a log with a torn end',
      'start after kill -9, with transactions that nobody waited for',
    ],
  },
  {
    name: 'no tail mark',
    wrap: (disk) => new NoTailMark(disk),
    scenarios: ['append and commit'],
  },
  {
    name: 'snapshots newer than a cut stay',
    wrap: (disk) => new KeptSnapshots(disk),
    scenarios: ['truncate away logs, and the snapshots that are newer'],
  },
  {
    name: 'logs newer than a cut stay',
    wrap: (disk) => new KeptLogs(disk),
    scenarios: ['truncate away logs, and the snapshots that are newer'],
  },
  {
    name: 'logs newer than a cut go in the wrong order',
    wrap: (disk) => new OldestLogFirst(disk),
    scenarios: ['truncate away logs, and the snapshots that are newer'],
  },
  {
    name: 'the cut is not synced',
    wrap: (disk) => new UnsyncedCut(disk),
    scenarios: ['truncate within the last log'],
  },
  {
    name: 'old logs stay beside the state of a leader',
    wrap: (disk) => new KeptLogs(disk),
    scenarios: [
      'the state of a leader that is behind, over transactions that were never committed',
    ],
  },
  {
    name: 'old snapshots stay beside the state of a leader',
    wrap: (disk) => new KeptSnapshots(disk),
    scenarios: [
      'the state of a leader that is behind, over transactions that were never committed',
    ],
  },
  {
    name: 'the state of a leader is decided on before it is durable',
    wrap: (disk) => new UnsyncedFiles(disk, (path) => baseName(path).startsWith('.install.')),
    scenarios: ['the state of a leader that is far ahead'],
  },
  {
    name: 'the state of a leader takes its place without a marker',
    wrap: (disk) => new NoMarker(disk),
    scenarios: [
      'the state of a leader that is behind, over transactions that were never committed',
    ],
  },
  {
    name: 'epoch files are written in place',
    wrap: (disk) => new EpochsInPlace(disk),
    scenarios: ['following into new epochs'],
  },
  {
    name: 'epoch files are renamed before they are durable',
    wrap: (disk) => new UnsyncedFiles(disk, (path) => path.endsWith('Epoch.tmp')),
    scenarios: ['following into new epochs'],
  },
  {
    name: 'the current epoch is written in one step',
    wrap: (disk) => new OneStepEpoch(disk),
    scenarios: ['following into new epochs'],
  },
];
