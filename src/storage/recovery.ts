/**
 * From the files that the last process left to the state that this one begins with: the newest
 * snapshot that is whole, then the logs from there on. Nothing on the disk is changed before all of it
 * has been read and found consistent; then what a crash left half done is finished, durably, so that
 * recovering again finds the same and nothing to do.
 */
import type { Clock } from '../ports/clock.js';
import { DiskError, type Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError } from '../protocol/reader.js';
import { formatZxid, zxidHigh, zxidLow, zxidOfParts, type Zxid } from '../protocol/zxid.js';
import { Tree, TreeLoadError, type TreeOptions } from '../tree/tree.js';
import {
  directoryOf,
  isUnfinishedSnapshot,
  join,
  listLogs,
  logsAfter,
  type LogName,
  type SnapshotName,
} from './names.js';
import { finishInstall } from './install.js';
import { LogReplay, type LogReplayResult } from './log-replay.js';
import { repairLogs } from './log-repair.js';
import { Pace } from './pace.js';
import type { SnapshotDigest, SnapshotSink, SnapshotSummary } from './snapshot-reader.js';
import { SnapshotError } from './snapshot-source.js';
import type { Snapshots } from './snapshots.js';
import { exitCodes, StartError } from './start-error.js';
import { readTailMark } from './tail-mark.js';

/** Long enough that nothing waits for anything, short enough that progress can be told. */
const sliceMs = 10;
const progressEveryMs = 1000;

export interface RecoveryProgress {
  readonly phase: 'snapshot' | 'log';
  readonly file: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface RecoveryParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly snapshots: Snapshots;
  readonly logDirectory: string;
  readonly treeOptions: TreeOptions;
  readonly trustEmptySnapshot: boolean;
  readonly autoCreateDb: boolean;
  readonly onProgress: (progress: RecoveryProgress) => void;
  /**
   * Told of each tree that logs are about to be replayed onto, and of the transaction up to which its
   * snapshot may hold changes, as far as it says.
   */
  readonly onReplay: ((tree: Tree, fuzzyTo: Zxid) => void) | null;
  /** Writes a durable snapshot; used where the server could not come back without one. */
  writeSnapshot(tree: Tree, sessions: ReadonlyMap<bigint, number>): Promise<unknown>;
}

export interface Recovered {
  readonly tree: Tree;
  /** Timeouts by session id. */
  readonly sessions: Map<bigint, number>;
  /** -1: nothing was there, and `db.autocreate` forbids to take that for an empty database. */
  readonly lastZxid: Zxid;
  /** An operator has said, by the file `initialize`, that a server without data here is a new one. */
  readonly isInitialized: boolean;
  /** Null: none. */
  readonly snapshotZxid: Zxid | null;
  /** Transactions from the logs, and their bytes. */
  readonly replayed: number;
  readonly replayedBytes: number;
  /** From which transaction on the tree is not what the log says it should be; null: it is. */
  readonly digestMismatch: Zxid | null;
}

interface Loaded {
  readonly tree: Tree;
  readonly sessions: Map<bigint, number>;
  readonly snapshot: SnapshotName;
  readonly digest: SnapshotDigest | null;
  /** What the snapshot says that it may reach to; its own zxid where it does not say. */
  readonly fuzzyTo: Zxid;
}

/** Throws StartError. */
export async function recover(parts: RecoveryParts): Promise<Recovered> {
  return await new Recovery(parts).run();
}

class Recovery {
  readonly #parts: RecoveryParts;
  readonly #pace: Pace;
  #lastToldMs: number;
  /** Newer than the one that was used. */
  readonly #invalid: { readonly snapshot: SnapshotName; readonly why: string }[] = [];
  #isInitialized = false;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.#pace = new Pace(parts.clock, sliceMs);
    this.#lastToldMs = parts.clock.monotonicMs();
  }

  async run(): Promise<Recovered> {
    this.#isInitialized = this.#hasInitialize();
    const { disk, logger, logDirectory, snapshots } = this.#parts;
    await finishInstall({ disk, logger, snapshotDirectory: snapshots.directory, logDirectory });
    this.#removeUnfinished();
    const logs = listLogs(disk, logDirectory);
    const loaded = await this.#loadNewest();
    if (loaded === null) {
      this.#refuseLostSnapshots(logs);
      if (logs.length === 0) return await this.#begin();
    }
    const recovered = await this.#replay(loaded, logs);
    if (loaded === null) await this.#parts.writeSnapshot(recovered.tree, recovered.sessions);
    this.#forgetInitialize();
    return recovered;
  }

  /** A crash while a snapshot was being written: it never counted. */
  #removeUnfinished(): void {
    const { disk, snapshots, logger } = this.#parts;
    const unfinished = disk
      .listNow(snapshots.directory)
      .filter(({ name }) => isUnfinishedSnapshot(name));
    for (const { name } of unfinished) {
      disk.unlinkNow(join(snapshots.directory, name));
      logger.info('removed a snapshot that was never finished', { file: name });
    }
    // also for what the last process renamed and deleted: what was seen here does not change any more
    disk.syncDirectoryNow(snapshots.directory);
  }

  async #loadNewest(): Promise<Loaded | null> {
    const { logger, snapshots } = this.#parts;
    for (const snapshot of snapshots.list()) {
      try {
        return await this.#load(snapshot);
      } catch (error) {
        const why = describeInvalid(error);
        logger.warn('a snapshot cannot be used, trying an older one', { file: snapshot.path, why });
        this.#invalid.push({ snapshot, why });
      }
    }
    return null;
  }

  async #load(snapshot: SnapshotName): Promise<Loaded> {
    const { snapshots, clock, logger, treeOptions } = this.#parts;
    const startedMs = clock.monotonicMs();
    const tree = Tree.forLoading(treeOptions);
    const sessions = new Map<bigint, number>();
    let countdown = 0;
    let tell = (): void => undefined;
    const sink: SnapshotSink = {
      session(id, timeoutMs) {
        sessions.set(id, timeoutMs);
      },
      acl(id, acls) {
        tree.loadAcl(id, acls);
      },
      node(bytes, pathStart, pathEnd, dataStart, dataEnd, aclId, statStart) {
        const data = dataStart < 0 ? null : bytes;
        tree.loadNode(bytes, pathStart, pathEnd, data, dataStart, dataEnd, aclId, bytes, statStart);
        if (++countdown % 1024 === 0) tell();
      },
    };
    const summary = await snapshots.read(snapshot, sink, this.#pace, (source) => {
      tell = () => {
        this.#tell('snapshot', snapshot.name, source.readBytes, source.fileBytes);
      };
    });
    tree.finishLoading();
    tree.setLastZxid(zxidHigh(snapshot.zxid), zxidLow(snapshot.zxid));
    logger.info('snapshot loaded', {
      file: snapshot.path,
      znodes: summary.nodeCount,
      sessions: summary.sessionCount,
      tookMs: Math.round(clock.monotonicMs() - startedMs),
    });
    const fuzzyTo = summary.lastZxid ?? summary.digest?.zxid ?? snapshot.zxid;
    return { tree, sessions, snapshot, digest: digestToExpect(summary, snapshot.zxid), fuzzyTo };
  }

  async #replay(loaded: Loaded | null, allLogs: readonly LogName[]): Promise<Recovered> {
    const { disk, clock, logger, logDirectory, treeOptions } = this.#parts;
    const startedMs = clock.monotonicMs();
    const tree = loaded?.tree ?? new Tree(treeOptions);
    const sessions = loaded?.sessions ?? new Map<bigint, number>();
    const base = loaded?.snapshot.zxid ?? null;
    const digests = new DigestWatch(tree, loaded?.digest ?? null);
    digests.reached(base ?? 0n);
    this.#parts.onReplay?.(tree, loaded?.fuzzyTo ?? 0n);
    const mark = readTailMark(disk, logDirectory);
    const replay = new LogReplay(
      {
        disk,
        logger,
        pace: this.#pace,
        mark,
        onTxn: (bytes, start, end, high, low) => {
          applyTxn(tree, sessions, bytes, start, end);
          digests.applied(high, low);
        },
        onProgress: (done, total, file) => {
          this.#tell('log', file, done, total);
        },
      },
      base,
    );
    const logs = base === null ? allLogs : logsAfter(allLogs, base);
    const result = await runReplay(replay, logs);
    this.#refuseUncovered(result.lastZxid, loaded);
    try {
      tree.verifyAcls();
    } catch (error) {
      if (!(error instanceof TreeLoadError)) throw error;
      throw new StartError(`${logDirectory}: ${error.message}`, exitCodes.unexpected, {
        cause: error,
      });
    }
    repairLogs(disk, logDirectory, result);
    logger.info('transaction logs replayed', {
      txns: result.txnCount,
      lastZxid: formatZxid(result.lastZxid),
      tookMs: Math.round(clock.monotonicMs() - startedMs),
    });
    const digestMismatch = digests.judge(logger);
    return {
      tree,
      sessions,
      lastZxid: result.lastZxid,
      isInitialized: this.#isInitialized,
      snapshotZxid: base,
      replayed: result.txnCount,
      replayedBytes: result.txnBytes,
      digestMismatch,
    };
  }

  /** An empty database: a durable snapshot of it comes before the first byte of a log. */
  async #begin(): Promise<Recovered> {
    const { treeOptions, autoCreateDb, logger } = this.#parts;
    const tree = new Tree(treeOptions);
    const sessions = new Map<bigint, number>();
    const isTrusted = this.#hasInitialize() || autoCreateDb;
    if (isTrusted) {
      await this.#parts.writeSnapshot(tree, sessions);
      this.#forgetInitialize();
    } else {
      logger.warn('no data here, and db.autocreate is false: this server may have lost its data');
    }
    return {
      tree,
      sessions,
      lastZxid: isTrusted ? 0n : -1n,
      isInitialized: this.#isInitialized,
      snapshotZxid: isTrusted ? 0n : null,
      replayed: 0,
      replayedBytes: 0,
      digestMismatch: null,
    };
  }

  /** No snapshot can be used: only where there never was anything else is that a beginning. */
  #refuseLostSnapshots(logs: readonly LogName[]): void {
    const { trustEmptySnapshot, logger, logDirectory, snapshots } = this.#parts;
    const newest = this.#invalid[0];
    if (newest !== undefined && (logs.length > 0 || newest.snapshot.zxid > 0n)) {
      throw new StartError(
        `none of the ${this.#invalid.length} snapshots in ${snapshots.directory} is whole ` +
          `(${newest.snapshot.name}: ${newest.why}). Restore a backup, or replace this server by a new one`,
        exitCodes.unexpected,
      );
    }
    if (logs.length === 0) return;
    if (!trustEmptySnapshot) {
      throw new StartError(
        `No snapshot found, but there are log entries in ${logDirectory}. Something is broken: look ` +
          'for the snapshots that belong to them. Only after an upgrade from a release before 3.5 ' +
          'that never wrote one, start once with zookeeper.snapshot.trust.empty=true',
        exitCodes.unexpected,
      );
    }
    logger.warn('no snapshot, but logs: trusted to be all there is (snapshot.trust.empty)');
  }

  /** The name of a damaged snapshot proves that the state it held was reached. */
  #refuseUncovered(lastZxid: Zxid, loaded: Loaded | null): void {
    const lost = this.#invalid.find(({ snapshot }) => snapshot.zxid > lastZxid);
    if (lost === undefined || loaded === null) return;
    throw new StartError(
      `${lost.snapshot.path} is damaged (${lost.why}), and the logs after the older ` +
        `${loaded.snapshot.name} end with ${formatZxid(lastZxid)}: transactions up to ` +
        `${formatZxid(lost.snapshot.zxid)} are missing. Restore the file or a backup, or replace this server`,
      exitCodes.unexpected,
    );
  }

  get #initializeFile(): string {
    return join(directoryOf(this.#parts.logDirectory), 'initialize');
  }

  #hasInitialize(): boolean {
    return this.#parts.disk.existsNow(this.#initializeFile);
  }

  /** Its word counts once. */
  #forgetInitialize(): void {
    const { disk, logDirectory, logger } = this.#parts;
    if (!this.#hasInitialize()) return;
    disk.unlinkNow(this.#initializeFile);
    disk.syncDirectoryNow(directoryOf(logDirectory));
    logger.info('initialize file found and removed');
  }

  #tell(phase: 'snapshot' | 'log', file: string, doneBytes: number, totalBytes: number): void {
    const { clock, logger, onProgress } = this.#parts;
    onProgress({ phase, file, doneBytes, totalBytes });
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lastToldMs < progressEveryMs) return;
    this.#lastToldMs = nowMs;
    const percent = totalBytes === 0 ? 100 : Math.floor((100 * doneBytes) / totalBytes);
    logger.info(phase === 'snapshot' ? 'loading the snapshot' : 'replaying the logs', {
      file,
      percent,
    });
  }
}

async function runReplay(replay: LogReplay, logs: readonly LogName[]): Promise<LogReplayResult> {
  try {
    return await replay.run(logs);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new StartError(
      `a transaction with a valid checksum makes no sense: ${error.message}. ` +
        'Look at the logs with zkTxnLogToolkit.sh, and report it',
      exitCodes.unexpected,
      { cause: error },
    );
  }
}

/** Sessions are not part of the tree: the log tells of their beginnings and ends. */
function applyTxn(
  tree: Tree,
  sessions: Map<bigint, number>,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  const type = view.getInt32(28);
  if (type === OpCode.createSession && end - start >= 36) {
    sessions.set(view.getBigInt64(0), view.getInt32(32));
  } else if (type === OpCode.closeSession) {
    sessions.delete(view.getBigInt64(0));
  }
  tree.apply(bytes, start, end);
}

function describeInvalid(error: unknown): string {
  if (error instanceof SnapshotError || error instanceof TreeLoadError) return error.message;
  if (error instanceof MalformedError || error instanceof DiskError) return error.message;
  throw error;
}

/** The digest that a snapshot promises, if it is one that this server computes. */
function digestToExpect({ digest }: SnapshotSummary, zxid: Zxid): SnapshotDigest | null {
  if (digest === null || digest.version !== 2 || digest.zxid <= 0n) return null;
  return digest.zxid < zxid ? null : digest;
}

/**
 * Compares the tree's digest with what snapshot and log say it should be. While the replay has not
 * reached the snapshot's own digest, the tree holds changes from later and no comparison means
 * anything. A difference is told, not refused: Apache's servers do the same, and their logs may hold
 * the traces of bugs that they had.
 */
class DigestWatch {
  readonly #tree: Tree;
  #expected: SnapshotDigest | null;
  #mismatch: Zxid | null = null;

  constructor(tree: Tree, expected: SnapshotDigest | null) {
    this.#tree = tree;
    this.#expected = expected;
  }

  applied(high: number, low: number): void {
    if (this.#expected !== null) {
      this.reached(zxidOfParts(high, low));
      return;
    }
    const verdict = this.#tree.digestVerdict;
    if (verdict === 'equal') this.#mismatch = null;
    else if (verdict === 'different') {
      this.#mismatch ??= zxidOfParts(high, low);
      // a snapshot that a leader sent does not say how far it reaches: still within it, or truly wrong
      this.#tree.digests.clear();
    }
  }

  reached(zxid: Zxid): void {
    const expected = this.#expected;
    if (expected?.zxid !== zxid) return;
    this.#expected = null;
    this.#tree.digests.clear();
    if (zxidOfParts(this.#tree.digestHigh, this.#tree.digestLow) !== expected.digest)
      this.#mismatch = zxid;
  }

  judge(logger: Logger): Zxid | null {
    if (this.#expected !== null) {
      logger.warn('the logs end before the transaction up to which the snapshot reaches', {
        zxid: formatZxid(this.#expected.zxid),
      });
    }
    if (this.#mismatch !== null) {
      logger.error('the tree is not what the log says it should be (digests differ)', {
        since: formatZxid(this.#mismatch),
      });
    }
    return this.#mismatch;
  }
}
