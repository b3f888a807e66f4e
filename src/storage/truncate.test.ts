import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '../base/assert.js';
import { SeededRandom } from '../base/random.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import { describeState, History } from '../sim/crash/history.js';
import { CrashWorld, dataDir, storageOptions } from '../sim/crash/world.js';
import { SimDisk } from '../sim/disk.js';
import { logName } from './names.js';
import { StartError } from './start-error.js';
import { Storage, type StorageOptions } from './storage.js';
import { readTailMark } from './tail-mark.js';
import { TruncateError } from './truncate.js';

const directory = `${dataDir}/version-2`;

interface Bench {
  readonly disk: SimDisk;
  readonly world: CrashWorld;
  readonly history: History;
}

function bench(options: Partial<StorageOptions> = {}): Bench {
  const disk = new SimDisk();
  const history = new History(new SeededRandom(31));
  const random = new SeededRandom(32);
  return {
    disk,
    history,
    world: new CrashWorld({ disk, sim: disk, history, random, options, mark() {} }),
  };
}

function names(disk: SimDisk): string[] {
  return disk
    .listNow(directory)
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('.'))
    .sort();
}

test('after a cut the state is the one there was, and the log goes on', async () => {
  const { disk, world, history } = bench();
  await world.start();
  await world.write(2);
  const { zxid } = history;
  const state = history.stateAt(zxid);
  await world.write(4);
  await world.storage.truncateLog(zxid);
  history.rewind(zxid);
  const { tree, sessions, lastZxid } = await world.storage.reload();
  assert.equal(lastZxid, zxid);
  assert.equal(describeState(tree, sessions), state);
  history.nextEpoch();
  await world.write(2);
  world.kill();
  const again = await Storage.open(storageOptions(disk)).recover();
  assert.equal(again.lastZxid, history.zxid);
  assert.equal(describeState(again.tree, again.sessions), history.stateAt(history.zxid));
});

test('every transaction can be the last one', async () => {
  const { disk, world, history } = bench();
  await world.start();
  await world.write(2);
  await world.snapshot();
  await world.write(2);
  world.storage.rollLog();
  await world.write(2);
  const last = history.zxid;
  world.kill();
  for (let zxid = last; zxid >= 0n; zxid--) {
    const copy = new SimDisk({ image: disk.image.clone() });
    const storage = Storage.open(storageOptions(copy));
    await storage.recover();
    await storage.truncateLog(zxid);
    const { tree, sessions, lastZxid } = await storage.reload();
    assert.equal(lastZxid, zxid);
    assert.equal(describeState(tree, sessions), history.stateAt(zxid));
    storage.close();
  }
});

test('what is not there cannot be cut off: the history ends where it ended', async () => {
  const { world, history } = bench();
  await world.start();
  await world.write(3);
  await world.storage.truncateLog(history.zxid + 100n);
  assert.equal((await world.storage.reload()).lastZxid, history.zxid);
  // between two epochs: the last one before it
  await world.storage.truncateLog(0x500000000n);
  assert.equal((await world.storage.reload()).lastZxid, history.zxid);
});

test('later logs and newer snapshots are deleted, and nothing else', async () => {
  const { disk, world, history } = bench();
  await world.start();
  await world.write(2);
  await world.snapshot();
  const kept = names(disk);
  await world.write(2);
  const { zxid } = history;
  const log = names(disk).filter((name) => !kept.includes(name));
  assert.equal(log.length, 1);
  await world.write(1);
  await world.snapshot();
  await world.write(1);
  await world.truncate(zxid);
  assert.deepEqual(names(disk), [...kept, ...log].sort());
  const mark = readTailMark(disk, directory);
  assert.equal(logName(mark?.logZxid ?? 0n), log[0]);
  assert.equal(mark?.offset, disk.sizeNow(`${directory}/${log[0] ?? ''}`));
});

test('a snapshot that reaches beyond the cut goes, whatever its name says', async () => {
  const { disk, world, history } = bench();
  await world.start();
  await world.write(2);
  const { zxid } = history;
  await world.write(2);
  await world.snapshot();
  // a fuzzy one: begun at the cut, it ended later
  disk.renameNow(
    `${directory}/snapshot.${history.zxid.toString(16)}`,
    `${directory}/snapshot.${zxid.toString(16)}`,
  );
  await world.truncate(zxid);
  assert.deepEqual(
    names(disk).filter((name) => name.startsWith('snapshot.')),
    ['snapshot.0'],
  );
});

test('without a snapshot as old as that nothing is touched', async () => {
  const { disk, world, history } = bench({ snapRetainCount: 1 });
  await world.start();
  await world.write(2);
  const { zxid } = history;
  await world.write(1);
  await world.snapshot();
  await world.storage.purge();
  await world.write(1);
  const before = names(disk);
  await assert.rejects(world.storage.truncateLog(zxid), TruncateError);
  assert.deepEqual(names(disk), before);
  assert.equal((await world.storage.reload()).lastZxid, history.zxid);
});

test('damage before the cut is no place to cut at', async () => {
  const { disk, world, history } = bench();
  await world.start();
  await world.write(1);
  await world.write(5);
  disk.corrupt(`${directory}/log.1`, 60, 0x10);
  const size = disk.sizeNow(`${directory}/log.1`);
  await assert.rejects(world.storage.truncateLog(history.zxid), TruncateError);
  assert.ok(disk.sizeNow(`${directory}/log.1`) <= size);
  await assert.rejects(world.storage.reload(), StartError);
});

test('what is cut off includes what was appended and not flushed', async () => {
  const { world, history } = bench();
  await world.start();
  await world.write(1);
  const { zxid } = history;
  world.append(3);
  await world.storage.truncateLog(zxid);
  assert.equal((await world.storage.reload()).lastZxid, zxid);
});

test('reloading finds what was appended, and counts flushes on', async () => {
  const { world, history } = bench();
  await world.start();
  await world.write(2);
  const { count } = world.storage.fsyncStats;
  assert.ok(count > 0);
  world.append(2);
  const { tree, sessions, lastZxid, replayed } = await world.storage.reload();
  assert.equal(lastZxid, history.zxid);
  assert.equal(BigInt(replayed), history.zxid);
  assert.equal(describeState(tree, sessions), history.stateAt(history.zxid));
  assert.ok(world.storage.fsyncStats.count > count);
  assert.ok(world.storage.logBytesSinceSnapshot > 0);
});

test('nothing is appended between a cut and the reload', async () => {
  const { world, history } = bench();
  await world.start();
  await world.write(2);
  await world.storage.truncateLog(1n);
  assert.throws(() => {
    world.storage.append(history.next(1, new TxnBatch()));
  }, AssertionError);
  assert.ok(world.storage.fsyncStats.count > 0, 'who only looks is not in the way');
});

test('a snapshot under way is abandoned before the history is cut', async () => {
  const { disk, world, history } = bench();
  await world.start();
  await world.write(3);
  const snapshot = world.snapshot();
  const outcome = snapshot.then(
    () => 'written',
    (error: unknown) => (error instanceof Error ? error.name : 'failed'),
  );
  await world.storage.truncateLog(1n);
  const found = names(disk);
  assert.ok(['written', 'AbandonedError'].includes(await outcome));
  assert.deepEqual(names(disk), found, 'it does not come back');
  assert.ok(!found.includes(`snapshot.${history.zxid.toString(16)}`));
  assert.equal((await world.storage.reload()).lastZxid, 1n);
});

test('whatever the disk refuses while it cuts is the end', async () => {
  for (const [refused, path] of [
    ['truncate', 'log.1'],
    ['sync', 'log.1'],
    ['syncDirectory', 'version-2'],
    ['sync', '.tail'],
  ] as const) {
    let isArmed = false;
    const disk = new SimDisk({
      faultOf: (call) =>
        isArmed && call.name === refused && call.path.endsWith(path)
          ? { kind: 'error', code: 'EIO' }
          : null,
    });
    const fatal: Error[] = [];
    const storage = Storage.open(
      storageOptions(disk, {
        onFatal(error) {
          fatal.push(error);
        },
      }),
    );
    await storage.recover();
    const history = new History(new SeededRandom(5));
    storage.append(history.next(5));
    await new Promise<void>((resolve) => {
      storage.flush(resolve);
    });
    isArmed = true;
    await assert.rejects(storage.truncateLog(2n), `${refused} of ${path}`);
    assert.equal(fatal.length, 1, `${refused} of ${path}`);
    await assert.rejects(storage.reload(), StartError, 'there is no way on');
    assert.equal(fatal.length, 1);
  }
});
