/**
 * The two directories that a server owns: one for snapshots, one for logs, often the same one. Before
 * anything is read they exist, can be written, hold what belongs into them, and are nobody else's.
 * What is wrong with them is said here, in one line each, and the server does not start.
 */
import { DiskError, type Disk } from '../ports/disk.js';
import { directoryOf, join, looksLikeLog, looksLikeSnapshot, versionDirectory } from './names.js';
import { exitCodes, StartError, startErrorOf } from './start-error.js';

const probeName = '.probe';

export interface Directories {
  /** dataDir/version-2 */
  readonly snapshots: string;
  /** dataLogDir/version-2 */
  readonly logs: string;
}

/** Where what lies for these two settings; touches nothing. */
export function directoriesOf(snapDir: string, logDir: string): Directories {
  return {
    snapshots: join(snapDir, versionDirectory),
    logs: join(logDir, versionDirectory),
  };
}

/** Creates what is missing (durably) and looks for what does not belong. Throws StartError. */
export function prepareDirectories(
  disk: Disk,
  directories: Directories,
  autoCreate: boolean,
): void {
  const { snapshots, logs } = directories;
  prepare(disk, logs, 'data', autoCreate);
  if (logs === snapshots) return;
  prepare(disk, snapshots, 'snap', autoCreate);
  refuse(disk, logs, looksLikeSnapshot, 'Log directory has snapshot files');
  refuse(disk, snapshots, looksLikeLog, 'Snapshot directory has log files');
}

/** Throws StartError when another process has one of them; releases both with what it returns. */
export function lockDirectories(disk: Disk, directories: Directories): { release(): void } {
  const first = lock(disk, directories.logs);
  if (directories.snapshots === directories.logs) return first;
  try {
    const second = lock(disk, directories.snapshots);
    return {
      release() {
        second.release();
        first.release();
      },
    };
  } catch (error) {
    first.release();
    throw error;
  }
}

/**
 * To be called with the locks held. The only way to know whether files can be made is to make one:
 * permissions, mount flags and quotas all have a say. Throws StartError.
 */
export function probeDirectories(disk: Disk, directories: Directories): void {
  probe(disk, directories.logs);
  if (directories.snapshots !== directories.logs) probe(disk, directories.snapshots);
}

function prepare(disk: Disk, path: string, what: string, autoCreate: boolean): void {
  const { dataDirectory } = exitCodes;
  try {
    if (!disk.existsNow(path)) {
      if (!autoCreate) {
        throw new StartError(
          `Missing ${what} directory ${path}, and it is not created because ` +
            'zookeeper.datadir.autocreate is false: create it, or correct the configuration',
          dataDirectory,
        );
      }
      createDurably(disk, path);
    }
    rememberParents(disk, path);
  } catch (error) {
    throw startErrorOf(error, `Creating the ${what} directory ${path}`, dataDirectory);
  }
}

/** A directory is there after a crash only if its parent was told to remember it, and so on up. */
function createDurably(disk: Disk, path: string): void {
  const parents: string[] = [];
  for (let at = path; !disk.existsNow(at); at = directoryOf(at)) parents.push(directoryOf(at));
  disk.makeDirectoryNow(path);
  for (const parent of parents) disk.syncDirectoryNow(parent);
}

/**
 * An earlier start may have made the directory and died before its name was durable; nobody can tell
 * from looking, so every start makes sure. A parent that is not ours to open was not made by us.
 */
function rememberParents(disk: Disk, path: string): void {
  for (const parent of [directoryOf(path), directoryOf(directoryOf(path))]) {
    try {
      disk.syncDirectoryNow(parent);
    } catch (error) {
      if (!(error instanceof DiskError) || !['EACCES', 'EPERM'].includes(error.code)) throw error;
    }
  }
}

function probe(disk: Disk, directory: string): void {
  const path = join(directory, probeName);
  try {
    if (disk.existsNow(path)) disk.unlinkNow(path);
    disk.openNow(path, 'create').closeNow();
    disk.unlinkNow(path);
  } catch (error) {
    throw startErrorOf(
      error,
      `Writing to the data directory ${directory}`,
      exitCodes.dataDirectory,
    );
  }
}

function refuse(
  disk: Disk,
  directory: string,
  isForeign: (name: string) => boolean,
  sentence: string,
): void {
  let foreign: { readonly name: string } | undefined;
  try {
    foreign = disk.listNow(directory).find(({ name }) => isForeign(name));
  } catch (error) {
    throw startErrorOf(error, `Reading the directory ${directory}`, exitCodes.dataDirectory);
  }
  if (foreign === undefined) return;
  throw new StartError(
    `${sentence}: ${join(directory, foreign.name)}. ` +
      'Check if dataLogDir and dataDir configuration is correct',
    exitCodes.dataDirectory,
  );
}

function lock(disk: Disk, directory: string): { release(): void } {
  let taken: ReturnType<Disk['lockDirectoryNow']>;
  try {
    taken = disk.lockDirectoryNow(directory);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw startErrorOf(error, `Locking ${directory}`, exitCodes.dataDirectory);
  }
  if ('release' in taken) return taken;
  const holder = taken.heldByPid === null ? 'another process' : `process ${taken.heldByPid}`;
  throw new StartError(
    `${directory} is in use by ${holder}: two servers on one data directory would destroy it. ` +
      'Stop that one, or give this one a dataDir of its own',
    exitCodes.dataDirectory,
  );
}
