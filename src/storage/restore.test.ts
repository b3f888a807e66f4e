import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { DiskError } from '../ports/disk.js';
import { describeState, History } from '../sim/crash/history.js';
import { CrashWorld, dataDir, storageOptions } from '../sim/crash/world.js';
import { SimDisk, type DiskCall, type DiskFault } from '../sim/disk.js';
import { RestoreError, type Restore } from './restore.js';
import { SnapshotError } from './snapshot-source.js';
import { Storage, type StorageOptions } from './storage.js';

const directory = `${dataDir}/version-2`;

interface Bench {
  readonly disk: SimDisk;
  readonly world: CrashWorld;
  readonly history: History;
  readonly fatal: Error[];
  fault: ((call: DiskCall) => DiskFault | null) | null;
}

/** A server with some history of its own. */
async function bench(seed: number, given: Partial<StorageOptions> = {}): Promise<Bench> {
  const made: { fault: Bench['fault']; fatal: Error[] } = { fault: null, fatal: [] };
  const disk = new SimDisk({ faultOf: (call) => made.fault?.(call) ?? null });
  const history = new History(new SeededRandom(seed));
  const options: Partial<StorageOptions> = {
    ...given,
    onFatal(error) {
      made.fatal.push(error);
    },
  };
  const random = new SeededRandom(seed + 1);
  const world = new CrashWorld({ disk, sim: disk, history, random, options, mark() {} });
  await world.start();
  await world.write(4);
  await world.snapshot();
  return Object.assign(made, { disk, world, history });
}

function names(disk: SimDisk): string[] {
  return disk
    .listNow(directory)
    .map(({ name }) => name)
    .filter((name) => name !== '.tail' && name !== 'lock')
    .sort();
}

/** The newest snapshot that is there. */
function snapshotOf(disk: SimDisk): Uint8Array {
  const [newest = ''] = names(disk)
    .filter((name) => name.startsWith('snapshot.'))
    .sort((a, b) => parseInt(b.slice(9), 16) - parseInt(a.slice(9), 16));
  return disk.bytesOf(`${directory}/${newest}`);
}

async function arrive(storage: Storage, bytes: Uint8Array): Promise<Restore> {
  const restore = storage.beginRestore();
  for (let at = 0; at < bytes.length; at += 1000) {
    await restore.write(bytes.subarray(at, at + 1000));
  }
  return restore;
}

test('a snapshot of another server takes the place of everything, after all that was here', async () => {
  for (const compression of ['', 'gz', 'snappy'] as const) {
    const other = await bench(7, { snapshotCompression: compression });
    const { disk, world, history } = await bench(90);
    const restore = await arrive(world.storage, snapshotOf(other.disk));
    assert.equal(await restore.read(), other.history.zxid);
    const zxid = await restore.prepare(history.zxid);
    assert.ok(zxid > history.zxid);
    await world.storage.installRestore(restore);
    await restore.discard();
    assert.deepEqual(names(disk), [`snapshot.${zxid.toString(16)}`]);
    world.kill();
    const { tree, sessions, lastZxid } = await Storage.open(storageOptions(disk)).recover();
    assert.equal(lastZxid, zxid);
    assert.equal(describeState(tree, sessions), other.history.stateAt(other.history.zxid));
  }
});

test('what is damaged anywhere, or not whole, is not restored, and nothing has changed', async () => {
  const bytes = snapshotOf((await bench(7)).disk);
  const { disk, world, history } = await bench(90);
  const before = names(disk);
  const random = new SeededRandom(3);
  for (let i = 0; i < 60; i++) {
    const isCut = i % 3 === 0;
    const damaged = isCut ? bytes.slice(0, random.below(bytes.length)) : bytes.slice();
    const at = random.below(bytes.length - 60);
    if (!isCut) damaged[at] = (damaged[at] ?? 0) ^ (1 + random.below(255));
    const restore = await arrive(world.storage, damaged);
    // the header's version and database are nobody's to check
    if (isCut || at >= 16) await assert.rejects(restore.read(), SnapshotError);
    await restore.discard();
    assert.deepEqual(names(disk), before);
  }
  await world.write(2);
  const { tree, sessions } = await world.storage.reload();
  assert.equal(describeState(tree, sessions), history.stateAt(history.zxid));
});

test('a full disk ends it wherever it is, and the server goes on', async () => {
  const bytes = snapshotOf((await bench(7)).disk);
  for (const [file, call] of [
    ['.install.snapshot.arriving', 'write'],
    ['.install.snapshot.', 'open'],
    ['.install.snapshot.3d', 'write'],
    ['.install.snapshot.3d', 'sync'],
  ] as const) {
    const made = await bench(90);
    const { disk, world, history, fatal } = made;
    const before = names(disk);
    made.fault = ({ name, path }) =>
      name === call && path.includes(file) ? { kind: 'error', code: 'ENOSPC' } : null;
    let restore: Restore | null = null;
    await assert.rejects(async () => {
      restore = world.storage.beginRestore();
      await restore.write(bytes);
      await restore.read();
      await restore.prepare(history.zxid);
    }, DiskError);
    made.fault = null;
    await (restore as Restore | null)?.discard();
    assert.deepEqual(names(disk), before);
    assert.equal(fatal.length, 0);
    await world.write(2);
    const { lastZxid } = await world.storage.reload();
    assert.equal(lastZxid, history.zxid);
  }
});

test('what was never decided is gone after a start', async () => {
  const bytes = snapshotOf((await bench(7)).disk);
  const { disk, world, history } = await bench(90);
  const before = names(disk);
  const restore = await arrive(world.storage, bytes);
  await restore.read();
  await restore.prepare(history.zxid);
  assert.notDeepEqual(names(disk), before);
  world.kill();
  const { lastZxid } = await Storage.open(storageOptions(disk)).recover();
  assert.equal(lastZxid, history.zxid);
  assert.deepEqual(names(disk), before);
});

test('at the end of an epoch there is no zxid for it', async () => {
  const { world, disk } = await bench(90);
  const restore = await arrive(world.storage, snapshotOf(disk));
  await restore.read();
  await assert.rejects(restore.prepare(0x1_ffff_fff0n), RestoreError);
  await restore.discard();
});
