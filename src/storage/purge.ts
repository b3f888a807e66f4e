/**
 * Deletes what is not needed any more: all snapshots older than the newest few that are whole, and all
 * logs that end before the oldest of these. "Whole" is found out by reading them to the last byte, not
 * by their names: a full disk leaves files that are named like snapshots, and to count these would
 * mean to throw the real ones away for them.
 */
import type { Clock } from '../ports/clock.js';
import type { Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { listLogs, type LogName } from './names.js';
import type { Snapshots } from './snapshots.js';

export interface PurgeParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly snapshots: Snapshots;
  readonly logDirectory: string;
  readonly retainCount: number;
  /** Asked before each: somebody is reading the log. */
  isInUse(log: LogName): boolean;
  /** Makes names durable; a failure may concern more than what is purged. */
  syncDirectory(directory: string): Promise<void>;
}

/** Paths of the files that were deleted, in that order: snapshots first, oldest first. */
export async function purge(parts: PurgeParts): Promise<string[]> {
  const { disk, clock, logger, snapshots, logDirectory, retainCount } = parts;
  const retained = await snapshots.newestValid(Math.max(1, retainCount), clock);
  const oldest = retained.at(-1);
  if (oldest === undefined) return [];
  const deleted: string[] = [];
  const remove = async (path: string): Promise<void> => {
    await disk.unlink(path);
    deleted.push(path);
    logger.info('removed', { file: path });
  };
  for (const snapshot of snapshots.list().reverse()) {
    if (snapshot.zxid < oldest.zxid) await remove(snapshot.path);
  }
  if (deleted.length > 0) await parts.syncDirectory(snapshots.directory);

  // the last log that begins at or before the oldest snapshot goes on beyond it
  const logs = listLogs(disk, logDirectory);
  const firstNeeded = logs.findLastIndex((log) => log.zxid <= oldest.zxid);
  const countBefore = deleted.length;
  for (const log of logs.slice(0, Math.max(0, firstNeeded))) {
    if (parts.isInUse(log)) break;
    await remove(log.path);
  }
  if (deleted.length > countBefore) await parts.syncDirectory(logDirectory);
  return deleted;
}
