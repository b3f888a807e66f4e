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
import { DiskError, type Compression, type Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import type { Tree, TreeOptions } from '../tree/tree.js';
import {
  directoriesOf,
  lockDirectories,
  prepareDirectories,
  probeDirectories,
  type Directories,
} from './directories.js';
import { LogWriter, type FsyncStats } from './log-writer.js';
import type { Pace } from './pace.js';
import { baseNameOf, parseSnapshotName, type SnapshotCompression } from './names.js';
import { purge } from './purge.js';
import { recover, type Recovered, type RecoveryProgress } from './recovery.js';
import { Snapshots } from './snapshots.js';
import { snapshotPace, writeSnapshot, type WrittenSnapshot } from './snapshot-writer.js';
import { describeDiskError, exitCodes, StartError, startErrorOf } from './start-error.js';

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
    assert(this.#log === null, 'a storage recovers once');
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
        writeSnapshot: (tree, sessions) => this.#writeFirstSnapshot(tree, sessions),
      });
      this.#hasSnapshot ||= recovered.snapshotZxid !== null;
      this.#replayedBytes = recovered.replayedBytes;
      this.#log = this.#newLog(recovered);
      return recovered;
    } catch (error) {
      throw startErrorOf(error, 'Recovery', exitCodes.unexpected);
    }
  }

  /**
   * At the end of the log; durable after a flush that is asked for later. The batch stays as it is
   * until then. Zxids go on without a gap.
   */
  append(batch: TxnBatch): void {
    assert(this.#hasSnapshot, 'a snapshot is durable before the first byte of a log');
    this.#writer.append(batch);
  }

  /** Calls `done` when all that was appended is durable (perhaps at once); never, if the disk fails. */
  flush(done: () => void): void {
    this.#writer.flush(done);
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
      const written = await this.#writeSnapshot(tree, sessions, pace);
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
    return await purge({
      disk,
      clock,
      logger,
      snapshots: this.#snapshots,
      logDirectory: this.directories.logs,
      retainCount,
      syncDirectory: (directory) => this.#syncDirectory(directory),
    });
  }

  /** What a restart would have to replay. */
  get logBytesSinceSnapshot(): number {
    return this.#replayedBytes + (this.#log?.appendedBytes ?? 0) - this.#bytesAtSnapshot;
  }

  get fsyncStats(): Readonly<FsyncStats> {
    return this.#writer.fsyncStats;
  }

  /** Bytes of the files in each of the directories. */
  sizes(): { readonly logBytes: number; readonly snapshotBytes: number } {
    return {
      logBytes: this.#bytesIn(this.directories.logs, 'log.'),
      snapshotBytes: this.#bytesIn(this.directories.snapshots, 'snapshot.'),
    };
  }

  /** Lets go of the files and of the directories. Nobody is called any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#log?.close();
    this.#lock.release();
  }

  get #writer(): LogWriter {
    assert(this.#log !== null, 'a storage is recovered before it is written to');
    return this.#log;
  }

  #newLog(recovered: Recovered): LogWriter {
    const { disk, clock, logger, preAllocBytes, txnLogSizeLimitBytes } = this.#options;
    const { forceSync, fsyncWarningMs } = this.#options;
    const last = recovered.lastZxid < 0n ? 0n : recovered.lastZxid;
    return new LogWriter(
      {
        disk,
        clock,
        logger,
        directory: this.directories.logs,
        preAllocBytes,
        txnLogSizeLimitBytes,
        forceSync,
        fsyncWarningMs,
        onFatal: (error) => {
          this.#fail(error);
        },
      },
      last,
    );
  }

  /**
   * The fsync of a directory is everybody's: after one that failed, the kernel may take the name of a
   * log just begun for durable, and the log's own fsync would find nothing left to do.
   */
  async #syncDirectory(directory: string): Promise<void> {
    try {
      await this.#options.disk.syncDirectory(directory);
    } catch (error) {
      if (directory === this.directories.logs && error instanceof Error) this.#fail(error);
      throw error;
    }
  }

  #fail(error: Error): void {
    const line =
      error instanceof DiskError
        ? `Writing the transaction log failed: ${error.path}: ${describeDiskError(error)}`
        : `Writing the transaction log failed: ${error.message}`;
    this.#options.onFatal(new StartError(line, exitCodes.unexpected, { cause: error }));
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
    const { disk, compression, clock, logger, snapshotCompression } = this.#options;
    const { serializeLastProcessedZxid, treeOptions } = this.#options;
    const directory = this.directories.snapshots;
    const written = await writeSnapshot(
      {
        disk,
        compression,
        clock,
        logger,
        directory,
        snapshotCompression,
        serializeLastProcessedZxid,
        digestEnabled: treeOptions.digestEnabled ?? true,
        syncDirectory: (path) => this.#syncDirectory(path),
      },
      tree,
      sessions,
      pace,
    );
    const name = baseNameOf(written.file);
    const parsed = parseSnapshotName(name);
    if (parsed !== null) this.#snapshots.markValid({ name, path: written.file, ...parsed });
    return written;
  }

  #bytesIn(directory: string, prefix: string): number {
    const { disk } = this.#options;
    let bytes = 0;
    for (const { name, isDirectory } of disk.listNow(directory)) {
      if (!isDirectory && name.startsWith(prefix)) bytes += disk.sizeNow(`${directory}/${name}`);
    }
    return bytes;
  }
}
