/**
 * One server that is left of an ensemble, as `zabra recover` sees it: where its files are, what its
 * configuration says, how far its history goes. Looking changes nothing.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NodeDisk } from '../node/disk.js';
import { nodeWorld } from '../node/world.js';
import type { Logger } from '../ports/logger.js';
import { configOf, formatProblem, type ServerConfig } from '../server/config/config.js';
import { openStorage } from '../server/server-state.js';
import { directoriesOf, lockDirectories, type Directories } from '../storage/directories.js';
import { looksLikeLog, looksLikeSnapshot } from '../storage/names.js';
import { UsageError } from './arguments.js';
import { OverlayDisk } from './overlay-disk.js';
import { rawValuesOf, readConfig } from './server-config.js';

export interface History {
  /** Of the leader whose history it is. */
  readonly epoch: number;
  readonly acceptedEpoch: number;
  readonly lastZxid: bigint;
}

export interface Place {
  /** As the person named it. */
  readonly given: string;
  readonly sid: number;
  readonly config: ServerConfig;
  readonly directories: Directories;
  /** What was read; the new configuration goes to `newConfigFile`. */
  readonly configFile: string;
  readonly newConfigFile: string;
}

export interface Survivor extends Place {
  readonly history: History;
}

/** A zoo.cfg, or a data directory with a zoo.cfg in it or beside `commonConfig`. Throws UsageError. */
export function placeOf(given: string, commonConfig: string | null): Place {
  const path = resolve(given);
  const kind = statSync(path, { throwIfNoEntry: false });
  if (kind === undefined) throw new UsageError(`${given}: there is no such file or folder`);
  const isFolder = kind.isDirectory();
  const ownFile = isFolder ? join(path, 'zoo.cfg') : path;
  const configFile = existsSync(ownFile) ? ownFile : commonConfig;
  if (configFile === null) {
    throw new UsageError(
      `${given} has no zoo.cfg in it, and the others' names are needed: --config names one`,
    );
  }
  const isData =
    isFolder && (existsSync(join(path, 'myid')) || existsSync(join(path, 'version-2')));
  const config = configAt(configFile, isData ? path : null);
  if (!config.ensemble.isDistributed) {
    throw new UsageError(`${configFile} is of a server that is alone: it needs no others to start`);
  }
  const { myid } = config;
  if (myid === null || !config.ensemble.servers.has(myid)) {
    throw new UsageError(
      `${given}: there is no server.${myid ?? 'N'} for its myid in ${configFile}`,
    );
  }
  const directories = directoriesOf(config.dataDir, config.dataLogDir);
  refuseWithoutHistory(given, directories);
  return { given, sid: myid, config, directories, configFile, newConfigFile: ownFile };
}

/** Keeps the server from starting. Throws StartError when it runs. */
export function lockPlace({ directories }: Place): { release(): void } {
  return lockDirectories(new NodeDisk(), directories);
}

/** Recovers it as its server would, torn last record and all, in memory. The place is locked. */
export async function historyOf(place: Place, logger: Logger): Promise<History> {
  const { dataDir, dataLogDir, snapshotTrustEmpty } = place.config;
  const storage = openStorage(configOf({ dataDir, dataLogDir, snapshotTrustEmpty }), {
    ...nodeWorld(logger),
    disk: new OverlayDisk(new NodeDisk()),
  });
  try {
    const { lastZxid } = await storage.recover();
    const epochs = storage.openEpochFiles();
    await epochs.recover(lastZxid);
    const { currentEpoch, acceptedEpoch } = epochs;
    return { epoch: currentEpoch ?? 0, acceptedEpoch: acceptedEpoch ?? 0, lastZxid };
  } finally {
    storage.close();
  }
}

/** As votes are compared: negative when the first one's history is older. */
export function compareHistories(one: History, other: History): number {
  if (one.epoch !== other.epoch) return one.epoch - other.epoch;
  return one.lastZxid < other.lastZxid ? -1 : Number(one.lastZxid > other.lastZxid);
}

/** `dataDir` null: where the file says. */
function configAt(file: string, dataDir: string | null): ServerConfig {
  const properties = new Map<string, string>();
  if (dataDir !== null) properties.set('zookeeper.dataDir', dataDir);
  const result = readConfig({ file, env: {}, properties });
  if ('problems' in result) {
    const [first] = result.problems;
    throw new UsageError(first === undefined ? `${file} cannot be read` : formatProblem(first));
  }
  const { config } = result;
  if (dataDir === null || config.dataLogDir === dataDir) return config;
  // the log may be a copy as well, or be the one that is in use
  const original = rawValuesOf({ file, env: {}, properties: new Map() }).get('dataDir');
  if (original !== undefined && resolve(original) === dataDir) return config;
  throw new UsageError(
    `${dataDir} is a copy, and ${file} has the log elsewhere: name a zoo.cfg with both`,
  );
}

function refuseWithoutHistory(given: string, { snapshots, logs }: Directories): void {
  const names = [snapshots, logs].flatMap((path) => (existsSync(path) ? readdirSync(path) : []));
  if (
    existsSync(snapshots) &&
    names.some((name) => looksLikeLog(name) || looksLikeSnapshot(name))
  ) {
    return;
  }
  throw new UsageError(
    `${given} holds no history: there is no snapshot and no log in ${snapshots}`,
  );
}
