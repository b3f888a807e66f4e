/**
 * Storage on its own, on a copy of a disk, in a world where nothing goes wrong: for asking what a disk
 * would give back, and for making disks with a past.
 */
import { SeededRandom } from '../base/random.js';
import { silentLogger } from '../ports/logger.js';
import type { Zxid } from '../protocol/zxid.js';
import { zxidHigh, zxidLow } from '../protocol/zxid.js';
import type { ServerConfig } from '../server/config/config.js';
import { Storage } from '../storage/storage.js';
import { Tree } from '../tree/tree.js';
import { inTurns } from './advance.js';
import { Timeline } from './clock.js';
import { simCompression } from './compression.js';
import type { DiskImage } from './disk-image.js';
import { SimDisk } from './disk.js';
import { dumpTree, type Dump } from './dump.js';
import { SimProcess } from './process.js';

export interface RecoveredAlone {
  readonly zxid: Zxid;
  readonly dump: Dump;
}

/** What a server would find in the image, which is changed as recovery changes it. */
export async function recoverAlone(
  image: DiskImage,
  config: ServerConfig,
): Promise<RecoveredAlone> {
  return await alone(image, config, async (storage) => {
    const { tree, sessions, lastZxid } = await storage.recover();
    return { zxid: lastZxid, dump: dumpTree(tree, sessions) };
  });
}

/** An empty tree that has seen everything up to `zxid`. */
export async function writePast(image: DiskImage, config: ServerConfig, zxid: Zxid): Promise<void> {
  await alone(image, config, async (storage) => {
    await storage.recover();
    const tree = new Tree({
      digestEnabled: config.digestEnabled,
      extendedTypes: config.extendedTypesEnabled,
    });
    tree.setLastZxid(zxidHigh(zxid), zxidLow(zxid));
    await storage.takeSnapshot(tree, []);
  });
}

/** A snapshot of everything in the image; without `keeps` no older one is left. */
export async function snapshotAlone(
  image: DiskImage,
  config: ServerConfig,
  keeps: boolean,
): Promise<void> {
  const disk = new SimDisk({ image });
  const directory = `${config.dataDir}/version-2`;
  const isSnapshot = ({ name }: { readonly name: string }): boolean => name.startsWith('snapshot.');
  const before = disk.listNow(directory).filter(isSnapshot);
  await alone(image, config, async (storage) => {
    const { tree, sessions } = await storage.recover();
    await storage.takeSnapshot(tree, sessions);
  });
  if (keeps) return;
  for (const { name } of before) disk.unlinkNow(`${directory}/${name}`);
  disk.syncDirectoryNow(directory);
}

/** The bytes of a snapshot of everything in the image, and of this transaction behind it. */
export async function snapshotWith(
  image: DiskImage,
  config: ServerConfig,
  txn: Uint8Array,
): Promise<Uint8Array> {
  const file = await alone(image, config, async (storage) => {
    const { tree, sessions } = await storage.recover();
    tree.apply(txn, 0, txn.length);
    return (await storage.takeSnapshot(tree, sessions)).file;
  });
  return new SimDisk({ image }).bytesOf(file);
}

async function alone<T>(
  image: DiskImage,
  config: ServerConfig,
  act: (storage: Storage) => Promise<T>,
): Promise<T> {
  const timeline = new Timeline();
  const random = new SeededRandom(1);
  const process = new SimProcess('alone', timeline, random, { wakeMs: 0, spendMs: 0 }, 0);
  const storage = Storage.open({
    disk: new SimDisk({ image }),
    compression: simCompression,
    clock: process.clock,
    logger: silentLogger,
    snapDir: config.dataDir,
    logDir: config.dataLogDir,
    preAllocBytes: config.preAllocBytes,
    txnLogSizeLimitBytes: config.txnLogSizeLimitBytes,
    forceSync: true,
    fsyncWarningMs: 1000,
    snapshotCompression: config.snapshotCompression,
    snapRetainCount: config.autopurgeSnapRetainCount,
    trustEmptySnapshot: false,
    autoCreateDb: true,
    serializeLastProcessedZxid: true,
    treeOptions: {
      digestEnabled: config.digestEnabled,
      emulate353Ttl: config.emulate353TtlNodes,
      extendedTypes: config.extendedTypesEnabled,
    },
    onFatal: (error) => {
      throw error;
    },
  });
  const result = await drive(timeline, act(storage));
  storage.close();
  return result;
}

/** Lets time pass until the promise is settled. */
export async function drive<T>(timeline: Timeline, promise: Promise<T>): Promise<T> {
  const state = { isSettled: false };
  const settle = (): void => {
    state.isSettled = true;
  };
  promise.then(settle, settle);
  await drained();
  await inTurns(() => state.isSettled || !timeline.step(Infinity));
  if (!state.isSettled) throw new Error('nothing is left to happen, and it has not happened');
  return await promise;
}

/** Resolves when every promise that can run has run. */
export function drained(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
