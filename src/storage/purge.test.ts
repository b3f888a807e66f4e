import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { describeState, History } from '../sim/crash/history.js';
import { CrashWorld, dataDir, storageOptions } from '../sim/crash/world.js';
import { SimDisk } from '../sim/disk.js';
import type { DiskImage } from '../sim/disk-image.js';
import { Storage } from './storage.js';

const directory = `${dataDir}/version-2`;

async function withSnapshots(count: number): Promise<{ image: DiskImage; history: History }> {
  const disk = new SimDisk();
  const history = new History(new SeededRandom(21));
  const world = new CrashWorld({
    disk,
    sim: disk,
    history,
    random: new SeededRandom(22),
    mark() {},
  });
  await world.start();
  for (let i = 1; i < count; i++) {
    await world.write(2);
    await world.snapshot();
  }
  await world.write(1);
  world.kill();
  return { image: disk.image, history };
}

const six = withSnapshots(6);

function names(disk: SimDisk, prefix: string): string[] {
  return disk
    .listNow(directory)
    .map(({ name }) => name)
    .filter((name) => name.startsWith(prefix))
    .sort(
      (a, b) =>
        Number.parseInt(a.split('.')[1] ?? '', 16) - Number.parseInt(b.split('.')[1] ?? '', 16),
    );
}

async function purge(disk: SimDisk, retain = 3): Promise<string[]> {
  disk.restart();
  const storage = Storage.open(storageOptions(disk, { snapRetainCount: retain }));
  await storage.recover();
  const deleted = await storage.purge();
  storage.close();
  return deleted;
}

async function recover(disk: SimDisk): Promise<string> {
  disk.restart();
  const { tree, sessions } = await Storage.open(storageOptions(disk)).recover();
  return describeState(tree, sessions);
}

test('the newest snapshots stay, and the logs that the oldest of them needs', async () => {
  const { image, history } = await six;
  const disk = new SimDisk({ image: image.clone() });
  const snapshots = names(disk, 'snapshot.');
  const logs = names(disk, 'log.');
  const deleted = await purge(disk);
  assert.deepEqual(names(disk, 'snapshot.'), snapshots.slice(-3));
  // the oldest kept snapshot lies between the first two kept logs, as Apache keeps them
  assert.deepEqual(names(disk, 'log.'), logs.slice(-4));
  const gone = [...snapshots.slice(0, -3), ...logs.slice(0, -4)].map(
    (name) => `${directory}/${name}`,
  );
  assert.deepEqual(deleted, gone);
  assert.equal(await recover(disk), history.stateAt(history.zxid));
  assert.deepEqual(await purge(disk), [], 'nothing is left to do');
});

test('what is named like a snapshot and is none does not count', async () => {
  const { image, history } = await six;
  const disk = new SimDisk({ image: image.clone() });
  const snapshots = names(disk, 'snapshot.');
  // a full disk leaves files like this one, newer than all others
  disk.openNow(`${directory}/snapshot.${history.zxid.toString(16)}`, 'create').closeNow();
  for (const name of snapshots.slice(-2)) disk.corrupt(`${directory}/${name}`, 65, 1);
  await purge(disk);
  const kept = names(disk, 'snapshot.').slice(0, 3);
  assert.deepEqual(kept, snapshots.slice(-5, -2), 'three that are whole');
  assert.equal(await recover(disk), history.stateAt(history.zxid));
});

test('without a whole snapshot nothing is deleted', async () => {
  const { image } = await six;
  const disk = new SimDisk({ image: image.clone() });
  disk.restart();
  const storage = Storage.open(storageOptions(disk));
  await storage.recover();
  for (const name of names(disk, 'snapshot.')) {
    const file = disk.openNow(`${directory}/${name}`, 'write');
    file.truncateNow(40);
    file.closeNow();
  }
  assert.deepEqual(await storage.purge(), []);
});

test('each of the kept snapshots can be the one that is needed', async () => {
  const { image, history } = await six;
  const disk = new SimDisk({ image: image.clone() });
  await purge(disk);
  for (const name of names(disk, 'snapshot.').slice(1).reverse()) {
    disk.corrupt(`${directory}/${name}`, 65, 1);
    assert.equal(await recover(disk), history.stateAt(history.zxid), `without ${name}`);
  }
});
