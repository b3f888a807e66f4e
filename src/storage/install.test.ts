import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { DiskError } from '../ports/disk.js';
import { encodeUtf8 } from '../protocol/utf8.js';
import { describeState, History } from '../sim/crash/history.js';
import { CrashWorld, dataDir, storageOptions } from '../sim/crash/world.js';
import { SimDisk, type DiskCall, type DiskFault } from '../sim/disk.js';
import { StartError } from './start-error.js';
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
async function bench(given: Partial<StorageOptions> = {}): Promise<Bench> {
  const made: { fault: Bench['fault']; fatal: Error[] } = { fault: null, fatal: [] };
  const disk = new SimDisk({ faultOf: (call) => made.fault?.(call) ?? null });
  const history = new History(new SeededRandom(61));
  const options: Partial<StorageOptions> = {
    ...given,
    onFatal(error) {
      made.fatal.push(error);
    },
  };
  const random = new SeededRandom(62);
  const world = new CrashWorld({ disk, sim: disk, history, random, options, mark() {} });
  await world.start();
  await world.write(2);
  await world.snapshot();
  await world.write(2);
  return Object.assign(made, { disk, world, history });
}

function names(disk: SimDisk, path = directory): string[] {
  return disk
    .listNow(path)
    .map(({ name }) => name)
    .filter((name) => name !== '.tail' && name !== 'lock')
    .sort();
}

function put(disk: SimDisk, name: string, text: string): void {
  const file = disk.openNow(`${directory}/${name}`, 'create');
  const bytes = encodeUtf8(text);
  file.writeNow(bytes, 0, bytes.length, 0);
  file.closeNow();
}

test('the state of the leader is all there is, and the log goes on from it', async () => {
  for (const compression of ['', 'gz'] as const) {
    const { disk, world, history } = await bench({ snapshotCompression: compression });
    history.nextEpoch();
    history.next(7);
    await world.install();
    const suffix = compression === '' ? '' : `.${compression}`;
    assert.deepEqual(names(disk), [`snapshot.${history.zxid.toString(16)}${suffix}`]);
    await world.write(2);
    world.kill();
    const storage = Storage.open(storageOptions(disk));
    const { tree, sessions, lastZxid, snapshotZxid } = await storage.recover();
    assert.equal(lastZxid, history.zxid);
    assert.equal(snapshotZxid, 0x100000007n);
    assert.equal(describeState(tree, sessions), history.stateAt(history.zxid));
  }
});

test('it can be installed again, over itself', async () => {
  const { disk, world, history } = await bench();
  history.next(3);
  await world.install();
  await world.install();
  assert.deepEqual(names(disk), [`snapshot.${history.zxid.toString(16)}`]);
  await world.write(1);
  const { tree, sessions } = await world.storage.reload();
  assert.equal(describeState(tree, sessions), history.stateAt(history.zxid));
});

test('a full disk leaves the old state, which a reload finds', async () => {
  const made = await bench();
  const { disk, world, history, fatal } = made;
  const { zxid } = history;
  const before = names(disk);
  history.next(5);
  made.fault = ({ name, path }) =>
    name === 'write' && path.includes('/.install.')
      ? { kind: 'error', code: 'ENOSPC', bytesWritten: 10 }
      : null;
  await assert.rejects(world.install(), DiskError);
  assert.equal(fatal.length, 0);
  made.fault = null;
  const { lastZxid } = await world.storage.reload();
  assert.equal(lastZxid, zxid);
  assert.deepEqual(names(disk), before);
});

test('from the decision on, whatever the disk refuses is the end, and a start goes on with it', async () => {
  for (const refused of ['rename', 'unlink', 'syncDirectory'] as const) {
    const made = await bench();
    const { disk, world, history, fatal } = made;
    history.next(5);
    let isDecided = false;
    made.fault = ({ name, path }) => {
      const isRefused = isDecided && name === refused;
      if (name === 'rename' && path.endsWith('/.install.tmp')) isDecided = true;
      return isRefused ? { kind: 'error', code: 'EIO' } : null;
    };
    await assert.rejects(world.install(), DiskError);
    assert.equal(fatal.length, 1);
    assert.match(fatal[0]?.message ?? '', /^Installing the leader's snapshot failed: /);
    made.fault = null;
    world.kill();
    const { lastZxid } = await Storage.open(storageOptions(disk)).recover();
    assert.equal(lastZxid, history.zxid);
    assert.deepEqual(names(disk), [`snapshot.${history.zxid.toString(16)}`]);
  }
});

test('what was not decided on is gone after a start', async () => {
  const { disk, world, history } = await bench();
  const before = names(disk);
  world.stop();
  put(disk, '.install.snapshot.900', 'half');
  put(disk, '.install.tmp', 'snapshot.900');
  const { lastZxid } = await Storage.open(storageOptions(disk)).recover();
  assert.equal(lastZxid, history.zxid);
  assert.deepEqual(names(disk), before);
});

test('a server that knows nothing of the decision may have run since: its word counts', async () => {
  const { disk, world, history } = await bench();
  const before = names(disk);
  world.stop();
  put(disk, '.install.snapshot.900', 'whatever');
  // as if these two had been all there was when it was decided
  put(disk, '.install', `snapshot.900\n${before.slice(0, 2).join('\n')}`);
  const { tree, sessions, lastZxid } = await Storage.open(storageOptions(disk)).recover();
  assert.equal(lastZxid, history.zxid);
  assert.equal(describeState(tree, sessions), history.stateAt(history.zxid));
  assert.deepEqual(names(disk), before);
});

test('a decision that cannot be carried out is refused, in one line', async () => {
  for (const text of ['snapshot.900', 'log.1', '', '../snapshot.1']) {
    const { disk, world } = await bench();
    world.stop();
    put(disk, '.install', [text, ...names(disk)].join('\n'));
    await assert.rejects(Storage.open(storageOptions(disk)).recover(), (error) => {
      assert.ok(error instanceof StartError);
      assert.ok(!error.message.includes('\n'));
      return true;
    });
  }
});

test('logs and snapshots each have their directory', async () => {
  const options = { snapDir: '/snap', logDir: '/log' };
  const { disk, world, history } = await bench(options);
  history.next(5);
  await world.install();
  assert.deepEqual(names(disk, '/log/version-2'), []);
  assert.deepEqual(names(disk, '/snap/version-2'), [`snapshot.${history.zxid.toString(16)}`]);
  await world.write(1);
  assert.equal(names(disk, '/log/version-2').length, 1);
});
