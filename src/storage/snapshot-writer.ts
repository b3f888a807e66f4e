/**
 * A snapshot becomes a file in four steps, and only the last one makes it count: written under a name
 * that nobody reads, made durable, renamed, the rename made durable. A crash or a full disk in between
 * leaves the older snapshots as they were.
 */
import type { Clock } from '../ports/clock.js';
import type { Compression, Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { formatZxid, zxidOfParts, type Zxid } from '../protocol/zxid.js';
import type { Tree } from '../tree/tree.js';
import { join, snapshotName, unfinishedName, type SnapshotCompression } from './names.js';
import { Pace } from './pace.js';
import { SnapshotEncoder, type SnapshotContentOptions } from './snapshot-encoder.js';
import { SnapshotOutput } from './snapshot-output.js';

/** No step of the event loop may be long; others have theirs in between. */
const sliceMs = 0.5;
/** Most of the loop, and of the disk, stays with those who wait for their answers. */
const restMs = 4;
const installSliceMs = 5;
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

/** Nobody is served meanwhile, but a leader must be heard. */
export function installPace(clock: Clock): Pace {
  return new Pace(clock, installSliceMs);
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
  const { disk, clock, logger, directory, snapshotCompression } = parts;
  const startedMs = clock.monotonicMs();
  const name = snapshotName(zxidOf(tree), snapshotCompression);
  const unfinished = join(directory, unfinishedName(name));
  const path = join(directory, name);
  const { zxid, bytes, znodes } = await writeSnapshotAs(parts, unfinished, tree, sessions, pace);
  try {
    await disk.rename(unfinished, path);
    await parts.syncDirectory(directory);
  } catch (error) {
    await discard(disk, unfinished);
    throw error;
  }
  const tookMs = Math.round(clock.monotonicMs() - startedMs);
  logger.info('snapshot written', { file: path, zxid: formatZxid(zxid), znodes, bytes, tookMs });
  return { file: path, zxid, bytes };
}

/**
 * Under the path given, which must not count: the content is durable when this resolves, the name is
 * not. Rejects as `writeSnapshot` does.
 */
export async function writeSnapshotAs(
  parts: SnapshotWriterParts,
  path: string,
  tree: Tree,
  sessions: Iterable<readonly [bigint, number]>,
  pace: Pace,
): Promise<WrittenSnapshot & { readonly znodes: number }> {
  const { disk, compression, snapshotCompression } = parts;
  const zxid = zxidOf(tree);
  if (disk.existsNow(path)) disk.unlinkNow(path);
  const file = disk.openNow(path, 'create');
  const output = new SnapshotOutput(
    file,
    snapshotCompression,
    compression,
    pace,
    pace.isGentle ? syncEveryBytes : null,
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
    return { file: path, zxid, bytes: output.fileBytes, znodes: encoder.nodeCount };
  } catch (error) {
    await discard(disk, path);
    throw error;
  }
}

/** Its name is after the tree as it is when the walk begins. */
export function zxidOf(tree: Tree): Zxid {
  return zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow);
}

/** On a disk that refused to write, deleting may fail as well; the next start tries again. */
async function discard(disk: Disk, path: string): Promise<void> {
  try {
    if (disk.existsNow(path)) await disk.unlink(path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
