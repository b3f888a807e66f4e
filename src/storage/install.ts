/**
 * Another server's state takes the place of everything here: the old history is not a prefix of the
 * new one, and no mixture of the two may ever be found. The snapshot is made durable under a name of
 * its own; then a marker is, and that is the moment: before it the old state is whole and the new one
 * is thrown away at the next start, after it the rest is only done to its end, by whoever starts next
 * if need be. The old logs and the older snapshots go with the rest: falling back to one of them
 * would be a state from before, with a log that does not belong to it.
 */
import type { Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { decodeUtf8, encodeUtf8 } from '../protocol/utf8.js';
import { join, listLogs, listSnapshots, parseSnapshotName } from './names.js';
import { exitCodes, StartError } from './start-error.js';
import { readTailMark, TailMarkFile } from './tail-mark.js';

const markerName = '.install';
const unfinishedMarkerName = '.install.tmp';
const incomingPrefix = '.install.snapshot.';

/** The marker's content. */
interface Decision {
  /** Of the snapshot that is to be all there is. */
  readonly name: string;
  /** Logs and snapshots that were there: what is to go, and nothing else. */
  readonly replaced: readonly string[];
}

export interface InstallParts {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
}

/** Where a snapshot that is to be installed under `name` is written, to be made durable there. */
export function incomingName(name: string): string {
  return `.install.${name}`;
}

/**
 * The snapshot is durable under its incoming name. When this resolves there is nothing else. Rejects
 * with a DiskError, after which a start finds the old state or the new one.
 */
export async function install(parts: InstallParts, name: string): Promise<void> {
  const { disk, snapshotDirectory } = parts;
  const decision = { name, replaced: othersThan(parts, name) };
  // its name before the marker's, or the marker might speak of nothing
  await disk.syncDirectory(snapshotDirectory);
  const unfinished = join(snapshotDirectory, unfinishedMarkerName);
  if (disk.existsNow(unfinished)) disk.unlinkNow(unfinished);
  const file = disk.openNow(unfinished, 'create');
  try {
    const bytes = encodeUtf8([name, ...decision.replaced].join('\n'));
    file.writeNow(bytes, 0, bytes.length, 0);
    await file.sync();
  } finally {
    file.closeNow();
  }
  await disk.rename(unfinished, join(snapshotDirectory, markerName));
  await disk.syncDirectory(snapshotDirectory);
  await finish(parts, decision);
}

/**
 * At a start, before anything is read: an install that was decided is done to its end, one that was
 * not leaves nothing. Throws StartError or DiskError.
 */
export async function finishInstall(parts: InstallParts): Promise<void> {
  const { disk, logger, snapshotDirectory } = parts;
  const decision = readMarker(disk, join(snapshotDirectory, markerName));
  if (decision !== null) {
    const { name, replaced } = decision;
    await disk.syncDirectory(snapshotDirectory);
    const since = othersThan(parts, name).filter((other) => !replaced.includes(other));
    if (since.length === 0) {
      logger.warn('a snapshot from the leader was being installed: going on', { file: name });
      await finish(parts, decision);
    } else {
      // an Apache server has run here and knows nothing of markers; what counts is what it made of it
      logger.warn('a snapshot from the leader was being installed, and somebody wrote here since', {
        file: name,
        since: since.join(' '),
      });
      await removeMarker(parts);
    }
  }
  const left = disk
    .listNow(snapshotDirectory)
    .filter((entry) => isUndecided(entry.name) && !entry.isDirectory);
  for (const entry of left) disk.unlinkNow(join(snapshotDirectory, entry.name));
  if (left.length > 0) disk.syncDirectoryNow(snapshotDirectory);
}

function isUndecided(name: string): boolean {
  return name === unfinishedMarkerName || name.startsWith(incomingPrefix);
}

/** Logs and snapshots but the one of that name. */
function othersThan(
  { disk, snapshotDirectory, logDirectory }: InstallParts,
  name: string,
): string[] {
  return [...listLogs(disk, logDirectory), ...listSnapshots(disk, snapshotDirectory)]
    .map((file) => file.name)
    .filter((other) => other !== name);
}

/** Can be interrupted and repeated. */
async function finish(parts: InstallParts, { name, replaced }: Decision): Promise<void> {
  const { disk, logger, snapshotDirectory, logDirectory } = parts;
  const incoming = join(snapshotDirectory, incomingName(name));
  const path = join(snapshotDirectory, name);
  if (disk.existsNow(incoming)) {
    await disk.rename(incoming, path);
  } else if (!disk.existsNow(path)) {
    throw new StartError(
      `${path} was being installed, and is gone. Restore a backup, or replace this server by a new one`,
      exitCodes.unexpected,
    );
  }
  await disk.syncDirectory(snapshotDirectory);

  // a log of the same name may be begun again: what was durable of the old one says nothing about it
  if (readTailMark(disk, logDirectory) !== null) {
    const mark = new TailMarkFile(disk, logDirectory);
    await mark.place(null, 0, 0);
    mark.close();
  }
  const logs = listLogs(disk, logDirectory).filter((log) => replaced.includes(log.name));
  for (const log of logs) await disk.unlink(log.path);
  if (logs.length > 0) await disk.syncDirectory(logDirectory);

  const snapshots = listSnapshots(disk, snapshotDirectory).filter(
    (other) => other.name !== name && replaced.includes(other.name),
  );
  for (const snapshot of snapshots) await disk.unlink(snapshot.path);
  await disk.syncDirectory(snapshotDirectory);
  logger.info('a snapshot from the leader replaces what was here', {
    file: path,
    logsRemoved: logs.length,
    snapshotsRemoved: snapshots.length,
  });

  await removeMarker(parts);
}

async function removeMarker({ disk, snapshotDirectory }: InstallParts): Promise<void> {
  await disk.unlink(join(snapshotDirectory, markerName));
  await disk.syncDirectory(snapshotDirectory);
}

/** Null: no install was decided. */
function readMarker(disk: Disk, path: string): Decision | null {
  if (!disk.existsNow(path)) return null;
  const file = disk.openNow(path, 'read');
  const bytes = new Uint8Array(file.sizeNow());
  const text = decodeUtf8(bytes, 0, file.readNow(bytes, 0, bytes.length, 0));
  file.closeNow();
  const [name = '', ...replaced] = text.split('\n');
  if (parseSnapshotName(name) !== null) return { name, replaced };
  throw new StartError(
    `${path} does not name a snapshot: whether the one from the leader was to replace what is here ` +
      'cannot be known. Replace this server by a new one',
    exitCodes.unexpected,
  );
}
