/** The write paths of the storage, each as short a run as shows it. */
import type { StorageOptions } from '../../storage/storage.js';
import { ensembleScenarios } from './ensemble-scenarios.js';
import type { CrashWorld } from './world.js';

export interface CrashScenario {
  readonly name: string;
  readonly options?: Partial<StorageOptions>;
  /** Before the recording begins: how the disk came to be as it is. */
  readonly before?: (world: CrashWorld) => Promise<void>;
  readonly run: (world: CrashWorld) => Promise<void>;
  /** It is a member of an ensemble. */
  readonly hasEpochFiles?: boolean;
  /**
   * What it deletes must not come back. A directory's fsync that fails and takes its changes for clean
   * would bring it back, and nobody can delete once more what is not to be seen: not tried here.
   */
  readonly deletesForGood?: boolean;
  /** Snapshots that may be damaged, the newest first, when all is over. */
  readonly spareSnapshots?: number;
}

export const crashScenarios: readonly CrashScenario[] = [
  {
    name: 'first start',
    run: (world) => world.start(),
  },
  {
    name: 'first start with two directories, both new',
    options: { snapDir: '/fast/snap', logDir: '/fast/log' },
    async run(world) {
      await world.start();
      await world.write(2);
    },
  },
  {
    name: 'append and commit',
    before: (world) => world.start(),
    run: (world) => world.write(6),
  },
  {
    name: 'append while a flush is under way',
    before: (world) => world.start(),
    async run(world) {
      world.append(2);
      const first = world.flush();
      world.append(3);
      const second = world.flush();
      await Promise.all([first, second]);
      world.append(4);
      world.append(4);
      await world.flush();
    },
  },
  {
    name: 'preallocation, again and again',
    options: { preAllocBytes: 1024 },
    before: (world) => world.start(),
    run: (world) => world.write(8),
  },
  {
    name: 'without preallocation',
    options: { preAllocBytes: 0 },
    before: (world) => world.start(),
    run: (world) => world.write(5),
  },
  {
    name: 'roll, with a flush under way and more than one log to begin',
    before: (world) => world.start(),
    async run(world) {
      await world.write(1);
      world.append(3);
      const flushed = world.flush();
      world.storage.rollLog();
      world.append(2);
      world.storage.rollLog();
      world.append(2);
      await flushed;
      await world.flush();
      await world.write(2);
    },
  },
  {
    name: 'roll by size',
    options: { txnLogSizeLimitBytes: 600 },
    before: (world) => world.start(),
    run: (world) => world.write(6),
  },
  {
    name: 'snapshot while transactions go on',
    async before(world) {
      await world.start();
      await world.write(3);
    },
    async run(world) {
      const snapshot = world.snapshot();
      await world.write(3);
      await snapshot;
      await world.write(1);
    },
  },
  {
    name: 'compressed snapshots',
    options: { snapshotCompression: 'gz' },
    before: (world) => world.start(),
    async run(world) {
      await world.write(2);
      await world.snapshot();
      await world.write(1);
    },
  },
  {
    name: 'purge',
    async before(world) {
      await world.start();
      for (let i = 0; i < 5; i++) {
        await world.write(2);
        await world.snapshot();
      }
      await world.write(1);
    },
    async run(world) {
      await world.storage.purge();
      await world.write(1);
    },
    spareSnapshots: 2,
  },
  {
    name: 'snapshot at a zxid that has one, after everything older was purged',
    options: { snapRetainCount: 1 },
    async before(world) {
      await world.start();
      await world.write(3);
      await world.snapshot();
      await world.storage.purge();
      world.stop();
      await world.start();
    },
    async run(world) {
      await world.snapshot();
      await world.write(1);
    },
  },
  {
    name: 'snapshot, then purge of all others',
    options: { snapRetainCount: 1 },
    async before(world) {
      await world.start();
      await world.write(3);
    },
    async run(world) {
      await world.snapshot();
      await world.storage.purge();
      await world.write(2);
    },
  },
  {
    name: 'stop and start',
    async before(world) {
      await world.start();
      await world.write(2);
    },
    async run(world) {
      world.stop();
      await world.start();
      await world.write(2);
      world.stop();
      await world.start();
    },
  },
  {
    name: 'start after kill -9, with transactions that nobody waited for',
    async before(world) {
      await world.start();
      await world.write(2);
      world.append(3);
      world.kill();
    },
    async run(world) {
      await world.start();
      await world.write(2);
      world.stop();
    },
  },
  {
    name: 'start on a log with a torn end',
    async before(world) {
      await world.start();
      await world.write(2);
      const { zxid } = world.history;
      world.append(4);
      world.kill();
      world.tear();
      world.history.rewind(zxid);
    },
    async run(world) {
      await world.start();
      await world.write(2);
      world.storage.rollLog();
      await world.write(1);
    },
  },
  {
    name: 'a new epoch',
    before: (world) => world.start(),
    async run(world) {
      await world.write(2);
      world.history.nextEpoch();
      await world.write(2);
      world.storage.rollLog();
      world.history.nextEpoch();
      await world.write(1);
    },
  },
  ...ensembleScenarios,
];
