/**
 * Takes back the end of the history: transactions that the leader of the ensemble does not have were
 * never committed, and this server may not remember them. Every step can be interrupted: what is left
 * then is a history without a gap that ends somewhere between the cut and where it ended before, and
 * the leader will ask for the same cut again.
 *
 * Snapshots go first, because one that is newer than the cut would bring back what the log has lost.
 * Then the tail mark is put where the log is going to end, so that damage behind it is a cut that was
 * interrupted and nothing else; then the later logs, the newest first; then the log is cut.
 */
import type { Clock } from '../ports/clock.js';
import { DiskError, type Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { formatZxid, zxidOfParts, type Zxid } from '../protocol/zxid.js';
import { LogReader } from './log-reader.js';
import { listLogs, type LogName, type SnapshotName } from './names.js';
import { Pace } from './pace.js';
import { ignoringSink } from './snapshot-reader.js';
import { SnapshotError } from './snapshot-source.js';
import type { Snapshots } from './snapshots.js';
import { TailMarkFile } from './tail-mark.js';

const sliceMs = 10;
const recordsPerQuestion = 64;

/** The history cannot be cut there; nothing on the disk was changed. */
export class TruncateError extends Error {
  override readonly name = 'TruncateError';
}

export interface TruncateParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly snapshots: Snapshots;
  readonly logDirectory: string;
}

/** Where the history is going to end. */
interface Cut {
  /** Null: with the snapshot, no log holds anything that stays. */
  readonly log: LogName | null;
  readonly offset: number;
  readonly checksum: number;
  /** Newer than it, the newest first. */
  readonly later: readonly LogName[];
}

/**
 * Durable when it resolves: the history ends with the last transaction at or before `toZxid`. Rejects
 * with a TruncateError, or with a DiskError, after which nobody knows where it ends.
 */
export async function truncateHistory(parts: TruncateParts, toZxid: Zxid): Promise<void> {
  const { disk, logger, snapshots, logDirectory } = parts;
  const pace = new Pace(parts.clock, sliceMs);
  const newer = await snapshotsBeyond(parts, toZxid, pace);
  const cut = await findCut(parts, toZxid, pace);

  for (const { path } of newer) {
    await disk.unlink(path);
    logger.info('removed a snapshot of what is taken back', { file: path });
  }
  await disk.syncDirectory(snapshots.directory);

  const mark = new TailMarkFile(disk, logDirectory);
  await mark.place(cut.log?.zxid ?? null, cut.offset, cut.checksum);
  mark.close();

  for (const { path } of cut.later) {
    await disk.unlink(path);
    // one by one: a log that came back without the one before it would be a gap
    await disk.syncDirectory(logDirectory);
    logger.info('removed a log of what is taken back', { file: path });
  }
  if (cut.log === null) return;
  const file = disk.openNow(cut.log.path, 'write');
  try {
    file.truncateNow(cut.offset);
    await file.sync();
  } finally {
    file.closeNow();
  }
  logger.warn('the end of the transaction log was taken back', {
    file: cut.log.path,
    byte: cut.offset,
    zxid: formatZxid(toZxid),
  });
}

/**
 * Those that must go, newest first, once another one is found whole that the rest can be rebuilt from.
 * A fuzzy snapshot holds more than its name says, and what it holds beyond the cut must go as well.
 */
async function snapshotsBeyond(
  { snapshots, logger }: TruncateParts,
  toZxid: Zxid,
  pace: Pace,
): Promise<SnapshotName[]> {
  const beyond: SnapshotName[] = [];
  for (const snapshot of snapshots.list()) {
    if (snapshot.zxid > toZxid) {
      beyond.push(snapshot);
      continue;
    }
    try {
      const { lastZxid, digest } = await snapshots.read(snapshot, ignoringSink, pace);
      if ((lastZxid ?? digest?.zxid ?? snapshot.zxid) <= toZxid) return beyond;
      beyond.push(snapshot);
    } catch (error) {
      if (!(error instanceof SnapshotError) && !(error instanceof DiskError)) throw error;
      logger.warn('a snapshot cannot be used', { file: snapshot.path, why: error.message });
    }
  }
  throw new TruncateError(
    `the history cannot be cut at ${formatZxid(toZxid)}: no whole snapshot is as old as that`,
  );
}

async function findCut(parts: TruncateParts, toZxid: Zxid, pace: Pace): Promise<Cut> {
  const logs = listLogs(parts.disk, parts.logDirectory).reverse();
  const later: LogName[] = [];
  for (const log of logs) {
    const end = log.zxid > toZxid ? null : await endOf(parts, log, toZxid, pace);
    if (end !== null) return { log, ...end, later };
    later.push(log);
  }
  return { log: null, offset: 0, checksum: 0, later };
}

/** Where the last record at or before `toZxid` ends; null: there is none in this log. */
async function endOf(
  { disk }: TruncateParts,
  log: LogName,
  toZxid: Zxid,
  pace: Pace,
): Promise<{ readonly offset: number; readonly checksum: number } | null> {
  const reader = new LogReader(disk, log.path);
  try {
    let end: { readonly offset: number; readonly checksum: number } | null = null;
    for (let count = 1; reader.next(); count++) {
      if (zxidOfParts(reader.zxidHigh, reader.zxidLow) > toZxid) return end;
      end = { offset: reader.endOffset, checksum: reader.checksum };
      if (count % recordsPerQuestion === 0 && pace.isOver) await pace.rest();
    }
    // damage may hide what has to stay
    const { validAt, offset } = await reader.tail(pace);
    if (validAt === null) return end;
    throw new TruncateError(
      `${log.path} is damaged at byte ${offset}, with more transactions from byte ${validAt} on`,
    );
  } finally {
    reader.close();
  }
}
