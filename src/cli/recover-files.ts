/**
 * What `zabra recover` does to the disk. First everything that will be changed is copied aside; then
 * each survivor gets the newest history, an epoch that nobody used, and a configuration of survivors.
 *
 * Equal histories are the point: when any majority of the new ensemble has the newest one, it does not
 * matter who starts first and who is elected.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { NodeDisk } from '../node/disk.js';
import type { Logger } from '../ports/logger.js';
import type { Directories } from '../storage/directories.js';
import { EpochFiles } from '../storage/epoch-files.js';
import { copyHistory, flushPath } from './durable-copy.js';
import { nextDynamicFile, recoveredConfig, recoveredText } from './recover-config.js';
import type { RecoverPlan } from './recover-plan.js';
import { compareHistories, type Survivor } from './survivor.js';

/** Returns where the backups are, in the survivors' order. The places are locked. */
export async function carryOut(
  plan: RecoverPlan,
  stamp: string,
  logger: Logger,
): Promise<readonly string[]> {
  const { survivors, newest } = plan;
  const backups: string[] = [];
  try {
    for (const survivor of survivors) backups.push(backUp(survivor, stamp));
  } catch (error) {
    // nothing was changed yet
    for (const survivor of survivors) {
      rmSync(backupOf(survivor, stamp), { recursive: true, force: true });
    }
    throw error;
  }
  for (const survivor of survivors) {
    if (compareHistories(survivor.history, newest.history) !== 0) {
      replaceHistory(newest.directories, survivor.directories);
    }
  }
  for (const survivor of survivors) {
    await promiseEpoch(survivor, plan, logger);
    writeConfig(survivor, plan);
  }
  return backups;
}

function backupOf({ config }: Survivor, stamp: string): string {
  return join(config.dataDir, `before-recover-${stamp}`);
}

function backUp(survivor: Survivor, stamp: string): string {
  const { directories, configFile, config } = survivor;
  const backup = backupOf(survivor, stamp);
  mkdirSync(backup);
  copyHistory(directories.snapshots, join(backup, 'version-2'));
  if (directories.logs !== directories.snapshots) {
    copyHistory(directories.logs, join(backup, 'log-version-2'));
  }
  const { dynamicConfigFile } = config.ensemble;
  for (const file of [configFile, dynamicConfigFile, proposedFile(configFile)]) {
    if (file === null || !existsSync(file)) continue;
    const copy = join(backup, basename(file));
    copyFileSync(file, copy);
    flushPath(copy);
  }
  flushPath(backup);
  flushPath(config.dataDir);
  return backup;
}

/** Whole or not at all in each of the directories; the old one is in the backup. */
function replaceHistory(source: Directories, target: Directories): void {
  const isLogs = (name: string): boolean => name.startsWith('log.') || name === '.tail';
  const isApart = target.logs !== target.snapshots;
  const folders = isApart ? [target.snapshots, target.logs] : [target.snapshots];
  for (const folder of folders) {
    const unfinished = `${folder}.copy`;
    rmSync(unfinished, { recursive: true, force: true });
    const isWanted = (name: string): boolean =>
      !isApart || isLogs(name) === (folder === target.logs);
    for (const from of new Set([source.snapshots, source.logs])) {
      copyHistory(from, unfinished, isWanted);
    }
  }
  for (const folder of folders) {
    rmSync(folder, { recursive: true });
    renameSync(`${folder}.copy`, folder);
    flushPath(dirname(folder));
  }
}

/** So the next leader's epoch is beyond what any of the lost servers can have used. */
async function promiseEpoch(
  { directories }: Survivor,
  { newest, epoch }: RecoverPlan,
  logger: Logger,
): Promise<void> {
  const epochs = EpochFiles.open({
    disk: new NodeDisk(),
    directory: directories.snapshots,
    logger,
    onFatal: (error) => {
      throw error;
    },
  });
  await epochs.recover(newest.history.lastZxid);
  await epochs.writeAcceptedEpoch(epoch);
}

function writeConfig(survivor: Survivor, plan: RecoverPlan): void {
  const { configFile, newConfigFile } = survivor;
  const sids = new Set(plan.survivors.map(({ sid }) => sid));
  const survivors = { sids, arePromoted: plan.arePromoted };
  const { dynamicConfigFile } = plan.ensemble;
  let nextDynamic: string | null = null;
  const ownDynamic = survivor.config.ensemble.dynamicConfigFile;
  if (ownDynamic !== null && dynamicConfigFile !== null) {
    nextDynamic = nextDynamicFile(ownDynamic, plan.newest.history.lastZxid);
    const text = readFileSync(dynamicConfigFile, 'latin1');
    writeDurably(nextDynamic, `${recoveredText(text, survivors).trimEnd()}\n`);
    // what was proposed and not decided is over
    rmSync(proposedFile(configFile), { force: true });
  }
  const text = readFileSync(configFile, 'latin1');
  writeDurably(newConfigFile, recoveredConfig(text, survivors, nextDynamic));
}

/** Where servers keep a configuration that is not in force yet. */
function proposedFile(configFile: string): string {
  return `${configFile}.dynamic.next`;
}

function writeDurably(file: string, text: string): void {
  const unfinished = `${file}.tmp`;
  writeFileSync(unfinished, text, { encoding: 'latin1', flush: true });
  renameSync(unfinished, file);
  flushPath(dirname(file));
}
