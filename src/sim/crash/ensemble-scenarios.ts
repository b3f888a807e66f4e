/** The write paths that only a member of an ensemble has: epochs, and histories that are replaced. */
import type { CrashScenario } from './scenarios.js';
import type { CrashWorld } from './world.js';

/** The next leader's epoch, and some transactions of it. */
async function goOnInNextEpoch(world: CrashWorld): Promise<void> {
  world.history.nextEpoch();
  await world.write(2);
}

export const ensembleScenarios: readonly CrashScenario[] = [
  {
    name: 'epoch files that were never there',
    hasEpochFiles: true,
    async before(world) {
      await world.start();
      world.history.nextEpoch();
      await world.write(2);
    },
    async run(world) {
      await world.recoverEpochs();
    },
  },
  {
    name: 'following into new epochs',
    hasEpochFiles: true,
    async before(world) {
      await world.start();
      await world.write(1);
      await world.recoverEpochs();
    },
    async run(world) {
      await world.followInto(1, () => goOnInNextEpoch(world));
      await world.followInto(4, async () => {
        while (world.history.zxid >> 32n < 4n) world.history.nextEpoch();
        await world.write(1);
        await world.snapshot();
      });
      await world.followInto(5, () => Promise.resolve());
    },
  },
  {
    name: 'a promise, then a restart',
    hasEpochFiles: true,
    async before(world) {
      await world.start();
      await world.write(1);
      await world.recoverEpochs();
    },
    async run(world) {
      const epochs = await world.recoverEpochs();
      await epochs.writeAcceptedEpoch(7);
      await epochs.beginCurrentEpoch(7);
      world.stop();
      await world.start();
      await world.recoverEpochs();
    },
  },
  {
    name: 'truncate within the last log',
    deletesForGood: true,
    before: (world) => world.start(),
    async run(world) {
      await world.write(2);
      const { zxid } = world.history;
      await world.write(3);
      await world.truncate(zxid);
      await goOnInNextEpoch(world);
    },
  },
  {
    name: 'truncate away logs, and the snapshots that are newer',
    deletesForGood: true,
    async before(world) {
      await world.start();
      await world.write(2);
    },
    async run(world) {
      const { zxid } = world.history;
      await world.write(1);
      await world.snapshot();
      await world.write(2);
      await world.snapshot();
      await world.write(1);
      world.storage.rollLog();
      await world.write(1);
      await world.truncate(zxid);
      await goOnInNextEpoch(world);
    },
  },
  {
    name: 'truncate to where the snapshot is, with nothing in the logs that stays',
    deletesForGood: true,
    async before(world) {
      await world.start();
      await world.write(1);
      world.history.next(3);
      await world.install();
      await world.write(2);
      world.storage.rollLog();
      await world.write(1);
    },
    async run(world) {
      const [snapshot] = world.snapshotZxids();
      await world.truncate(snapshot ?? 0n);
      await goOnInNextEpoch(world);
    },
  },
  {
    name: 'truncate right after a start, what nobody waited for included',
    deletesForGood: true,
    async before(world) {
      await world.start();
      await world.write(3);
    },
    async run(world) {
      const { zxid } = world.history;
      world.append(3);
      world.kill();
      await world.start();
      await world.truncate(zxid);
      await goOnInNextEpoch(world);
    },
  },
  {
    name: 'the state of a leader that is far ahead',
    deletesForGood: true,
    async before(world) {
      await world.start();
      await world.write(2);
      await world.snapshot();
      await world.write(2);
    },
    async run(world) {
      world.history.nextEpoch();
      world.history.next(9);
      await world.install();
      await world.write(2);
      await world.snapshot();
    },
  },
  {
    name: 'the state of a leader that is behind, over transactions that were never committed',
    deletesForGood: true,
    async before(world) {
      await world.start();
      await world.write(2);
      const { zxid } = world.history;
      await world.write(1);
      await world.snapshot();
      await world.write(2);
      world.history.rewind(zxid);
    },
    async run(world) {
      await world.install();
      await goOnInNextEpoch(world);
    },
  },
  {
    name: 'the state of a leader, with two directories and compression',
    deletesForGood: true,
    options: { snapDir: '/fast/snap', logDir: '/fast/log', snapshotCompression: 'gz' },
    async before(world) {
      await world.start();
      await world.write(2);
    },
    async run(world) {
      world.history.next(4);
      await world.install();
      await goOnInNextEpoch(world);
      world.stop();
      await world.start();
    },
  },
  {
    name: 'the state of a leader, in its epoch',
    deletesForGood: true,
    hasEpochFiles: true,
    async before(world) {
      await world.start();
      await world.write(2);
      await world.recoverEpochs();
    },
    async run(world) {
      world.history.nextEpoch();
      world.history.next(3);
      await world.followInto(1, () => world.install());
      await world.write(1);
    },
  },
];
