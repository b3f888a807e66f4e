/**
 * How an ensemble of `zabra up` gets new servers: one server grows into three, three into five, five
 * into seven, and a server whose folder was deleted comes again.
 *
 * The naive way is to start the new ones empty. Two empty servers are a quorum of three: they may
 * agree on an empty history before the one with the data has said a word, and make it forget all it
 * knew. So a server never starts empty beside one that is not. While all of them are down, each new
 * one is given a copy of the newest history there is, which holds everything that was ever
 * acknowledged: then every quorum has it, whoever starts first.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { nodeWorld } from '../node/world.js';
import type { Logger } from '../ports/logger.js';
import { configOf } from '../server/config/config.js';
import { openStorage } from '../server/server-state.js';
import { copyHistory, flushPath } from './durable-copy.js';
import type { UpFolder } from './up-folder.js';

interface Holder {
  readonly sid: number;
  readonly epoch: number;
  readonly zxid: bigint;
}

/** Throws StartError when a history cannot be read, UsageError when a server runs. */
export async function growEnsemble(
  folder: UpFolder,
  count: number,
  around: { readonly logger: Logger; tell(line: string): void },
): Promise<void> {
  const sids = Array.from({ length: count }, (_, index) => index + 1);
  const holders = sids.filter((sid) => folder.hasData(sid));
  const empty = sids.filter((sid) => !folder.hasData(sid));
  if (empty.length === 0) return;
  const { size } = folder;
  if (2 * holders.length <= size) {
    around.tell(
      `only ${holders.length} of ${size} servers' data is left: what nobody but the others had ` +
        'written down is lost',
    );
  }
  let newest: Holder | null = null;
  for (const sid of holders) {
    const holder = await historyOf(folder, sid, around.logger);
    if (newest === null || isNewer(holder, newest)) newest = holder;
  }
  if (newest === null) return;
  const lock = folder.lockData(newest.sid);
  try {
    for (const sid of empty) {
      around.tell(`server ${sid} is new: it begins with a copy of server ${newest.sid}'s data`);
      copyData(folder, newest.sid, sid);
    }
  } finally {
    lock?.release();
  }
}

/** As votes are compared. */
function isNewer(one: Holder, other: Holder): boolean {
  return one.epoch === other.epoch ? one.zxid > other.zxid : one.epoch > other.epoch;
}

/** Recovers it as its server would, torn last record and all. */
async function historyOf(folder: UpFolder, sid: number, logger: Logger): Promise<Holder> {
  const storage = openStorage(
    configOf({ dataDir: folder.serverFolder(sid), preAllocBytes: 1024 * 1024 }),
    nodeWorld(logger),
  );
  try {
    const { lastZxid } = await storage.recover();
    const epochs = storage.openEpochFiles();
    await epochs.recover(lastZxid);
    return { sid, epoch: epochs.currentEpoch ?? 0, zxid: lastZxid };
  } finally {
    storage.close();
  }
}

/** All of it or nothing, whenever the machine stops. */
function copyData(folder: UpFolder, from: number, to: number): void {
  const target = folder.dataFolder(to);
  const unfinished = `${target}.copy`;
  rmSync(unfinished, { recursive: true, force: true });
  copyHistory(folder.dataFolder(from), unfinished);
  // a folder without a history in it: there is nothing to lose
  if (existsSync(target)) rmSync(target, { recursive: true });
  renameSync(unfinished, target);
  flushPath(folder.serverFolder(to));
  flushPath(folder.path);
}
