/**
 * A snapshot becomes a file in four steps, and only the last one makes it count: written under a name
 * that nobody reads, made durable, renamed, the rename made durable. A crash or a full disk in between
 * leaves the older snapshots as they were.
 */
import type { Clock } from '../ports/clock.js';
import type { Compression, Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { formatZxid, type Zxid } from '../protocol/zxid.js';
import type { Tree } from '../tree/tree.js';
import { join, snapshotName, unfinishedName, type SnapshotCompression } from './names.js';
import { Pace } from './pace.js';
import { SnapshotEncoder, type SnapshotContentOptions } from './snapshot-encoder.js';
import { SnapshotOutput } from './snapshot-output.js';

/** No step of the event loop may be long; others have theirs in between. */
const sliceMs = 0.5;
/** Most of the loop, and of the disk, stays with those who wait for their answers. */
const restMs = 4;
/** A log's flush waits behind what of a snapshot the disk is busy with: little at a time. */
const syncEveryBytes = 512 * 1024;

export interface SnapshotWriterParts extends SnapshotContentOptions {
  readonly disk: Disk;
  readonly compression: Compression;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directory: string;
  readonly snapshotCompression: SnapshotCompression;
  /** Makes names durable; a failure may concern more than this snapshot. */
  syncDirectory(directory: string): Promise<void>;
}

export interface WrittenSnapshot {
  /** Its path. */
  readonly file: string;
  readonly zxid: Zxid;
  /** Of the file. */
  readonly bytes: number;
}

/** `isUrgent`: as fast as it goes, without regard for others' turns, as before a server serves. */
export function snapshotPace(clock: Clock, isUrgent: boolean): Pace {
  return new Pace(clock, isUrgent ? Number.POSITIVE_INFINITY : sliceMs, restMs);
}

/**
 * Rejects with a DiskError when the disk refuses, with an AbandonedError when the pace is; what was
 * there before still is.
 */
export async function writeSnapshot(
  parts: SnapshotWriterParts,
  tree: Tree,
  sessions: Iterable<readonly [bigint, number]>,
  pace: Pace,
): Promise<WrittenSnapshot> {
  const { disk, clock, compression, directory, logger, snapshotCompression } = parts;
  const startedMs = clock.monotonicMs();
  const zxid = (BigInt(tree.lastZxidHigh) << 32n) | BigInt(tree.lastZxidLow);
  const name = snapshotName(zxid, snapshotCompression);
  const unfinished = join(directory, unfinishedName(name));
  if (disk.existsNow(unfinished)) disk.unlinkNow(unfinished);
  const file = disk.openNow(unfinished, 'create');
  const output = new SnapshotOutput(
    file,
    snapshotCompression,
    compression,
    pace,
    pace.isUrgent ? null : syncEveryBytes,
  );
  const encoder = new SnapshotEncoder(tree, sessions, output, pace, parts);
  try {
    try {
      await encoder.run();
      await file.sync();
    } finally {
      encoder.close();
      await output.settle();
      file.closeNow();
    }
    const path = join(directory, name);
    await disk.rename(unfinished, path);
    await parts.syncDirectory(directory);
    logger.info('snapshot written', {
      file: path,
      zxid: formatZxid(zxid),
      znodes: encoder.nodeCount,
      bytes: output.fileBytes,
      tookMs: Math.round(clock.monotonicMs() - startedMs),
    });
    return { file: path, zxid, bytes: output.fileBytes };
  } catch (error) {
    await discard(disk, unfinished);
    throw error;
  }
}

/** On a disk that refused to write, deleting may fail as well; the next start tries again. */
async function discard(disk: Disk, path: string): Promise<void> {
  try {
    if (disk.existsNow(path)) await disk.unlink(path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
