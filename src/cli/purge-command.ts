/**
 * `zabra purge DATALOGDIR [SNAPDIR] -n COUNT`: deletes old snapshots and the logs that only they
 * need. It may run beside a server: what the newest snapshots need stays, and that is all that a
 * server reads.
 */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { silentLogger } from '../ports/logger.js';
import { nodeClock } from '../node/clock.js';
import { nodeCompression } from '../node/compression.js';
import { NodeDisk } from '../node/disk.js';
import { directoriesOf } from '../storage/directories.js';
import { purge } from '../storage/purge.js';
import { Snapshots } from '../storage/snapshots.js';
import { numberOf, parseArguments, UsageError } from './arguments.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';

export const purgeUsage = `zabra purge DATALOGDIR [SNAPDIR] -n COUNT

Deletes all but the newest COUNT snapshots (3 or more) and the logs that are older than all that the
remaining ones need. DATALOGDIR and SNAPDIR are dataLogDir and dataDir of zoo.cfg.

  zabra purge /var/lib/zabra -n 3`;

/** Fewer could leave nothing whole behind: a snapshot is only known to be good when it was read. */
const retainMin = 3;
const retainMax = 1_000_000;

export async function runPurgeCommand(
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const args = parseArguments(argv, { values: ['n'], positionals: 2 });
  const [logDir, snapDir = logDir] = args.positionals;
  const retainCount = numberOf(args, 'n', retainMin, retainMax);
  if (logDir === undefined || snapDir === undefined || retainCount === null) {
    throw new UsageError('wants DATALOGDIR [SNAPDIR] -n COUNT');
  }
  for (const path of [logDir, snapDir]) {
    if (!existsSync(path)) throw new UsageError(`'${resolve(path)}' does not exist`);
  }
  const directories = directoriesOf(snapDir, logDir);
  const disk = new NodeDisk();
  const snapshots = new Snapshots({
    disk,
    compression: nodeCompression,
    logger: warnings(terminal),
    directory: directories.snapshots,
  });
  const timesMs = modifiedTimes(disk, [directories.snapshots, directories.logs]);
  const deleted = await purge({
    syncDirectory: (directory) => disk.syncDirectory(directory),
    disk,
    clock: nodeClock,
    logger: warnings(terminal),
    snapshots,
    logDirectory: directories.logs,
    retainCount,
    isInUse: () => false,
  });
  for (const path of deleted) {
    const time = new Date(timesMs.get(path) ?? 0).toISOString();
    terminal.print(`Removing file: ${time}\t${path}\n`);
  }
  return exitCodes.finished;
}

function warnings(terminal: Terminal): typeof silentLogger {
  return {
    ...silentLogger,
    warn: (message, fields = {}) => {
      const details = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
      terminal.complain([message, ...details].join(' '));
    },
  };
}

/** Of the files as they are before some of them are gone. */
function modifiedTimes(disk: NodeDisk, directories: readonly string[]): Map<string, number> {
  const timesMs = new Map<string, number>();
  for (const directory of directories) {
    for (const { name } of disk.listNow(directory)) {
      const path = join(directory, name);
      timesMs.set(path, statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    }
  }
  return timesMs;
}
