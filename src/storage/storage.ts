/**
 * The disk as one server has it: its transaction log, its snapshots, and the way back from them. One
 * owner at a time: the directories are locked before they are read, until `close` or the end of the
 * process.
 *
 * Whoever uses this keeps one order: `open`, `recover`, then appending and flushing. What a flush has
 * not confirmed may be gone after a crash, and what it has confirmed is there.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../ports/clock.js';
import type { Compression, Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import type { Zxid } from '../protocol/zxid.js';
import { Tree, type TreeOptions } from '../tree/tree.js';
import {
  directoriesOf,
  lockDirectories,
  prepareDirectories,
  probeDirectories,
  type Directories,
} from './directories.js';
import { bytesIn } from './directory-bytes.js';
import { EpochFiles } from './epoch-files.js';
import { Failure } from './failure.js';
import { incomingName, install } from './install.js';
import { LogCursor } from './log-cursor.js';
import { LogWriter, type FsyncStats } from './log-writer.js';
import type { Pace } from './pace.js';
import {
  baseNameOf,
  join,
  parseSnapshotName,
  snapshotName,
  type SnapshotCompression,
} from './names.js';
import { purge } from './purge.js';
import { recover, type Recovered, type RecoveryParts, type RecoveryProgress } from './recovery.js';
import { Restore, type Prepared } from './restore.js';
import { Snapshots } from './snapshots.js';
import {
  installPace,
  snapshotPace,
  writeSnapshot,
  writeSnapshotAs,
  zxidOf,
  type SnapshotWriterParts,
  type WrittenSnapshot,
} from './snapshot-writer.js';
import { exitCodes, startErrorOf } from './start-error.js';
import { truncateHistory, TruncateError } from './truncate.js';

export interface StorageOptions {
  readonly disk: Disk;
  readonly compression: Compression;
  readonly clock: Clock;
  readonly logger: Logger;
  /** dataDir and dataLogDir; `version-2` is inside them. */
  readonly snapDir: string;
  readonly logDir: string;
  /** `zookeeper.datadir.autocreate`; default true. */
  readonly autoCreateDirectories?: boolean;
  readonly preAllocBytes: number;
  /** -1: none. */
  readonly txnLogSizeLimitBytes: number;
  readonly forceSync: boolean;
  readonly fsyncWarningMs: number;
  readonly snapshotCompression: SnapshotCompression;
  readonly snapRetainCount: number;
  readonly trustEmptySnapshot: boolean;
  readonly autoCreateDb: boolean;
  readonly treeOptions: TreeOptions;
  readonly serializeLastProcessedZxid: boolean;
  readonly onReplay?: RecoveryParts['onReplay'];
  /**
   * The log cannot be trusted any more: nothing may be acknowledged, the process ends. Called once; if
   * it returns (in a simulation), nothing is ever confirmed again.
   */
  onFatal(error: Error): void;
}

export class Storage {
  readonly directories: Directories;
  readonly #options: StorageOptions;
  readonly #lock: { release(): void };
  readonly #snapshots: Snapshots;
  #log: LogWriter | null = null;
  /** Without one, Apache's server would refuse the log that is about to be written. */
  #hasSnapshot = false;
  /** Of the snapshot being written. */
  #pace: Pace | null = null;
  /** Snapshots and purges under way: what they touch is waited for before it is replaced. */
  readonly #background = new Set<Promise<unknown>>();
  readonly #cursors = new Set<LogCursor>();
  #epochFiles: EpochFiles | null = null;
  readonly #fsyncStats: FsyncStats = { count: 0, totalMs: 0, maxMs: 0, lastMs: 0, slowCount: 0 };
  readonly #failure: Failure;
  #isClosed = false;
  /** What was logged before this process began, and when the last snapshot began. */
  #replayedBytes = 0;
  #bytesAtSnapshot = 0;

  /** Creates, checks and locks the directories. Throws StartError: one line, and an exit code. */
  static open(options: StorageOptions): Storage {
    const { disk } = options;
    const directories = directoriesOf(options.snapDir, options.logDir);
    prepareDirectories(disk, directories, options.autoCreateDirectories ?? true);
    const lock = lockDirectories(disk, directories);
    try {
      probeDirectories(disk, directories);
    } catch (error) {
      lock.release();
      throw error;
    }
    return new Storage(options, directories, lock);
  }

  private constructor(
    options: StorageOptions,
    directories: Directories,
    lock: { release(): void },
  ) {
    const { disk, compression, logger } = options;
    this.#options = options;
    this.directories = directories;
    this.#lock = lock;
    this.#failure = new Failure((error) => {
      options.onFatal(error);
    });
    this.#snapshots = new Snapshots({
      disk,
      compression,
      logger,
      directory: directories.snapshots,
    });
  }

  /** Once, before anything else. Rejects with a StartError. */
  async recover(
    onProgress: (progress: RecoveryProgress) => void = () => undefined,
  ): Promise<Recovered> {
    assert(this.#log === null, 'a storage recovers once, and reloads after that');
    const { disk, clock, logger, treeOptions, trustEmptySnapshot, autoCreateDb } = this.#options;
    try {
      const recovered = await recover({
        disk,
        clock,
        logger,
        snapshots: this.#snapshots,
        logDirectory: this.directories.logs,
        treeOptions,
        trustEmptySnapshot,
        autoCreateDb,
        onProgress,
        onReplay: this.#options.onReplay ?? null,
        writeSnapshot: (tree, sessions) => this.#writeFirstSnapshot(tree, sessions),
      });
      this.#hasSnapshot ||= recovered.snapshotZxid !== null;
      this.#beginWriting(recovered.lastZxid, recovered.replayedBytes);
      return recovered;
    } catch (error) {
      throw startErrorOf(error, 'Recovery', exitCodes.unexpected);
    }
  }

  /**
   * Recovers again in the same process: what this returns is what the disk holds, what was appended
   * included. Whatever else was under way here (a snapshot, readers of the log) is over.
   */
  async reload(
    onProgress: (progress: RecoveryProgress) => void = () => undefined,
  ): Promise<Recovered> {
    await this.#quiesce();
    this.#hasSnapshot = false;
    return await this.recover(onProgress);
  }

  /**
   * Takes back, durably, what comes after `toZxid`: the history ends with the last transaction at or
   * before it. Then, whatever became of it, only `reload` and `close` are left to be called. Rejects
   * with a TruncateError when no snapshot is as old as that, or a log is damaged: nothing was changed.
   */
  async truncateLog(toZxid: Zxid): Promise<void> {
    const { disk, clock, logger } = this.#options;
    const snapshots = this.#snapshots;
    await this.#quiesce();
    try {
      const logDirectory = this.directories.logs;
      await truncateHistory({ disk, clock, logger, snapshots, logDirectory }, toZxid);
    } catch (error) {
      if (error instanceof Error && !(error instanceof TruncateError)) {
        this.#failure.during(error, 'Taking back the end of the history');
      }
      throw error;
    }
  }

  /**
   * Makes a tree that came from the leader all there is here, durably: no older snapshot and no log is
   * left, and the log goes on from the tree's last transaction. The tree is not changed until this
   * resolves. When it rejects with a DiskError, nothing was replaced, and `reload` is to be called;
   * beyond that point an error is fatal.
   */
  async installSnapshot(
    tree: Tree,
    sessions: Iterable<readonly [bigint, number]>,
  ): Promise<WrittenSnapshot> {
    await this.#quiesce();
    const parts = this.#snapshotParts;
    const name = snapshotName(zxidOf(tree), parts.snapshotCompression);
    const incoming = join(parts.directory, incomingName(name));
    const pace = installPace(parts.clock);
    const { zxid, bytes } = await writeSnapshotAs(parts, incoming, tree, sessions, pace);
    return await this.#install({ name, zxid, bytes });
  }

  /** Somebody's snapshot begins to arrive, to take the place of everything here. Throws DiskError. */
  beginRestore(): Restore {
    return new Restore({ ...this.#snapshotParts, treeOptions: this.#options.treeOptions });
  }

  /** As `installSnapshot`, of what was prepared: quick, and an error is fatal. */
  async installRestore({ prepared }: Restore): Promise<WrittenSnapshot> {
    await this.#quiesce();
    return await this.#install(prepared);
  }

  async #install({
    name,
    zxid,
    bytes,
  }: Omit<Prepared, 'tree' | 'sessions'>): Promise<WrittenSnapshot> {
    const { disk, logger } = this.#options;
    const { snapshots: snapshotDirectory, logs: logDirectory } = this.directories;
    try {
      await install({ disk, logger, snapshotDirectory, logDirectory }, name);
    } catch (error) {
      if (error instanceof Error) this.#failure.during(error, "Installing the leader's snapshot");
      throw error;
    }
    const written = { file: join(snapshotDirectory, name), zxid, bytes };
    this.#markValid(written);
    this.#hasSnapshot = true;
    this.#beginWriting(zxid, 0);
    return written;
  }

  /**
   * The history right after `zxid`, up to `last`, for a learner; to be closed. Null: the logs do not
   * reach back to exactly that transaction. `last` is durable, and no more is read before `extendTo`.
   */
  async historyFrom(zxid: Zxid, last: Zxid): Promise<LogCursor | null> {
    const { disk, clock, logger } = this.#options;
    const cursor = new LogCursor(
      {
        disk,
        clock,
        logger,
        logDirectory: this.directories.logs,
        hasSnapshot: (of) => this.#snapshots.list().some((snapshot) => snapshot.zxid === of),
        writtenBytes: ({ path }) => this.#log?.writtenBytes(path) ?? disk.sizeNow(path),
        onClose: (closed) => this.#cursors.delete(closed),
      },
      zxid,
      last,
    );
    this.#cursors.add(cursor);
    if (await cursor.seek()) return cursor;
    cursor.close();
    return null;
  }

  /** That nothing was recovered is right, says the leader: from now on it may be written to. */
  async beginEmpty(): Promise<void> {
    const { treeOptions } = this.#options;
    if (!this.#hasSnapshot) await this.#writeFirstSnapshot(new Tree(treeOptions), new Map());
  }

  /** Beside the snapshots, for a member of an ensemble. Throws StartError. Recovered by its user. */
  openEpochFiles(): EpochFiles {
    const { disk, logger } = this.#options;
    this.#epochFiles ??= EpochFiles.open({
      disk,
      directory: this.directories.snapshots,
      logger,
      onFatal: (error) => {
        this.#failure.end(error);
      },
    });
    return this.#epochFiles;
  }

  /** At the end of the log, without a gap; durable after a later flush, and unchanged until then. */
  append(batch: TxnBatch): void {
    assert(this.#hasSnapshot, 'a snapshot is durable before the first byte of a log');
    this.#writer.append(batch);
  }

  /** Calls `done` when all that was appended is durable (perhaps at once); never, if the disk fails. */
  flush(done: () => void): void {
    this.#writer.flush(done);
  }

  /** How many flushes are worth asking for at once: more than one where the disk is slow. */
  get flushesMax(): number {
    return this.#writer.flushesMax;
  }

  /** What is appended next begins a new log. */
  rollLog(): void {
    this.#writer.roll();
  }

  /**
   * Writes a snapshot as of now, in slices, while transactions go on. `sync`: without regard for
   * others' turns. Rejects when the disk refuses; older snapshots stay. One at a time.
   */
  async takeSnapshot(
    tree: Tree,
    sessions: Iterable<readonly [bigint, number]>,
    { sync = false }: { readonly sync?: boolean } = {},
  ): Promise<WrittenSnapshot> {
    assert(this.#pace === null, 'one snapshot is written at a time');
    const pace = snapshotPace(this.#options.clock, sync);
    this.#pace = pace;
    this.#bytesAtSnapshot = this.#log?.appendedBytes ?? 0;
    this.#replayedBytes = 0;
    try {
      const written = await this.#inBackground(this.#writeSnapshot(tree, sessions, pace));
      this.#hasSnapshot = true;
      return written;
    } finally {
      this.#pace = null;
    }
  }

  /** The snapshot being written, if any, takes more of the loop and of the disk. */
  hurrySnapshot(): void {
    this.#pace?.hurry();
  }

  /** The snapshot being written, if any, rejects soon with an AbandonedError and leaves nothing. */
  abandonSnapshot(): void {
    this.#pace?.abandon();
  }

  /** Deletes old snapshots and the logs that only they needed; paths of what was deleted. */
  async purge(): Promise<string[]> {
    const { disk, clock, logger, snapRetainCount: retainCount } = this.#options;
    const purging = purge({
      disk,
      clock,
      logger,
      snapshots: this.#snapshots,
      logDirectory: this.directories.logs,
      retainCount,
      isInUse: (log) => [...this.#cursors].some(({ logZxid }) => log.zxid >= (logZxid ?? 0n)),
      syncDirectory: (directory) => this.#syncDirectory(directory),
    });
    return await this.#inBackground(purging);
  }

  /** What a restart would have to replay. */
  get logBytesSinceSnapshot(): number {
    return this.#replayedBytes + (this.#log?.appendedBytes ?? 0) - this.#bytesAtSnapshot;
  }

  get fsyncStats(): Readonly<FsyncStats> {
    return this.#fsyncStats;
  }

  /** Bytes of the files in each of the directories. */
  sizes(): { readonly logBytes: number; readonly snapshotBytes: number } {
    const { disk } = this.#options;
    return {
      logBytes: bytesIn(disk, this.directories.logs, 'log.'),
      snapshotBytes: bytesIn(disk, this.directories.snapshots, 'snapshot.'),
    };
  }

  /** Lets go of the files and of the directories. Nobody is called any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const cursor of this.#cursors) cursor.close();
    this.#log?.close();
    this.#lock.release();
  }

  get #writer(): LogWriter {
    assert(this.#log !== null, 'a storage is recovered before it is written to');
    return this.#log;
  }

  /** Until it has ended, one way or the other, the files under it stay what they are. */
  async #inBackground<T>(work: Promise<T>): Promise<T> {
    this.#background.add(work);
    try {
      return await work;
    } finally {
      this.#background.delete(work);
    }
  }

  /** All that was appended is durable, and nobody reads or writes here any more. */
  async #quiesce(): Promise<void> {
    const log = this.#log;
    this.#log = null;
    for (const cursor of this.#cursors) cursor.close();
    this.abandonSnapshot();
    if (log !== null) {
      await new Promise<void>((resolve) => {
        log.flush(resolve);
      });
      log.close();
    }
    await Promise.allSettled(this.#background);
    this.#failure.throwIfAny();
  }

  /** After `last`, in a log of its own. */
  #beginWriting(last: Zxid, replayedBytes: number): void {
    this.#replayedBytes = replayedBytes;
    this.#bytesAtSnapshot = 0;
    const { disk, clock, logger, preAllocBytes, txnLogSizeLimitBytes } = this.#options;
    const { forceSync, fsyncWarningMs } = this.#options;
    this.#log = new LogWriter(
      {
        disk,
        clock,
        logger,
        directory: this.directories.logs,
        preAllocBytes,
        txnLogSizeLimitBytes,
        forceSync,
        fsyncWarningMs,
        fsyncStats: this.#fsyncStats,
        onFatal: (error) => {
          this.#failure.during(error);
        },
      },
      last < 0n ? 0n : last,
    );
  }

  /**
   * The fsync of a directory is everybody's: after one that failed, the kernel may take the name of a
   * log just begun (or of an epoch file) for durable, and an fsync for that one finds nothing to do.
   */
  async #syncDirectory(directory: string): Promise<void> {
    try {
      await this.#options.disk.syncDirectory(directory);
    } catch (error) {
      const isShared = directory === this.directories.logs || this.#epochFiles !== null;
      if (isShared && error instanceof Error) this.#failure.during(error);
      throw error;
    }
  }

  async #writeFirstSnapshot(tree: Tree, sessions: ReadonlyMap<bigint, number>): Promise<void> {
    try {
      await this.#writeSnapshot(tree, sessions, snapshotPace(this.#options.clock, true));
      this.#hasSnapshot = true;
    } catch (error) {
      throw startErrorOf(error, 'Writing the first snapshot', exitCodes.snapshot);
    }
  }

  async #writeSnapshot(
    tree: Tree,
    sessions: Iterable<readonly [bigint, number]>,
    pace: Pace,
  ): Promise<WrittenSnapshot> {
    const written = await writeSnapshot(this.#snapshotParts, tree, sessions, pace);
    this.#markValid(written);
    return written;
  }

  get #snapshotParts(): SnapshotWriterParts {
    const { disk, compression, clock, logger, snapshotCompression } = this.#options;
    const { serializeLastProcessedZxid, treeOptions } = this.#options;
    return {
      disk,
      compression,
      clock,
      logger,
      directory: this.directories.snapshots,
      snapshotCompression,
      serializeLastProcessedZxid,
      digestEnabled: treeOptions.digestEnabled ?? true,
      syncDirectory: (path) => this.#syncDirectory(path),
    };
  }

  #markValid({ file }: WrittenSnapshot): void {
    const name = baseNameOf(file);
    const parsed = parseSnapshotName(name);
    if (parsed !== null) this.#snapshots.markValid({ name, path: file, ...parsed });
  }
}
