import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '../base/assert.js';
import { silentLogger } from '../ports/logger.js';
import { encodeUtf8 } from '../protocol/utf8.js';
import { makeZxid } from '../protocol/zxid.js';
import { crashStates } from '../sim/crash-states.js';
import { SimDisk, type DiskCall, type DiskFault } from '../sim/disk.js';
import type { DiskImage } from '../sim/disk-image.js';
import { EpochFiles } from './epoch-files.js';
import { StartError } from './start-error.js';

const directory = '/data/version-2';

function diskWith(
  files: Readonly<Record<string, string>>,
  faultOf: (call: DiskCall) => DiskFault | null = () => null,
): SimDisk {
  const disk = new SimDisk({ faultOf });
  disk.makeDirectoryNow(directory);
  for (const [name, text] of Object.entries(files)) {
    const file = disk.openNow(`${directory}/${name}`, 'create');
    const bytes = encodeUtf8(text);
    file.writeNow(bytes, 0, bytes.length, 0);
    file.syncNow();
    file.closeNow();
  }
  for (const path of ['/', '/data', directory]) disk.syncDirectoryNow(path);
  return disk;
}

function open(disk: SimDisk, fatal: Error[] = []): EpochFiles {
  return EpochFiles.open({
    disk,
    directory,
    logger: silentLogger,
    onFatal(error) {
      fatal.push(error);
    },
  });
}

async function recovered(disk: SimDisk, lastLogged = 0n): Promise<EpochFiles> {
  const epochs = open(disk);
  await epochs.recover(lastLogged);
  return epochs;
}

function textOf(disk: SimDisk, name: string): string | null {
  const path = `${directory}/${name}`;
  return disk.existsNow(path) ? new TextDecoder().decode(disk.bytesOf(path)) : null;
}

/** What is there when everything that was not durable is lost. */
function durable(image: DiskImage): SimDisk {
  for (const state of crashStates(image, { seed: 1, statesMax: 2 })) {
    return new SimDisk({ image: state });
  }
  throw new assert.AssertionError({ message: 'there is always one state' });
}

function names(disk: SimDisk): string[] {
  return disk
    .listNow(directory)
    .map(({ name }) => name)
    .sort();
}

test('a server without epoch files gets them: the epoch of its last transaction', async () => {
  const disk = diskWith({});
  const epochs = open(disk);
  assert.equal(epochs.acceptedEpoch, null);
  assert.equal(epochs.currentEpoch, null);
  await epochs.recover(makeZxid(7, 3));
  const after = durable(disk.image);
  assert.equal(textOf(after, 'acceptedEpoch'), '7');
  assert.equal(textOf(after, 'currentEpoch'), '7');
  assert.deepEqual(names(after), ['acceptedEpoch', 'currentEpoch']);
});

test('an empty database has epoch 0, and so has one that may have lost its data', async () => {
  for (const lastLogged of [0n, -1n]) {
    const epochs = await recovered(diskWith({}), lastLogged);
    assert.equal(epochs.acceptedEpoch, 0);
    assert.equal(epochs.currentEpoch, 0);
  }
});

test('epochs are read as Apache writes them, with or without an end of line', async () => {
  for (const text of ['12', '12\n', '12\r\nmore', '+12']) {
    const epochs = await recovered(diskWith({ acceptedEpoch: text, currentEpoch: '11' }));
    assert.equal(epochs.acceptedEpoch, 12);
    assert.equal(epochs.currentEpoch, 11);
  }
});

test('what is no epoch is refused in one line that names the file', () => {
  for (const text of ['', 'x', '-1', '4294967296', '1.5', ' 3', '0x10', '9'.repeat(80)]) {
    assert.throws(
      () => open(diskWith({ acceptedEpoch: text, currentEpoch: '1' })),
      (error) => {
        assert.ok(error instanceof StartError);
        assert.match(error.message, /^\/data\/version-2\/acceptedEpoch holds /);
        assert.ok(!error.message.includes('\n'));
        return true;
      },
    );
  }
  assert.equal(open(diskWith({ acceptedEpoch: '4294967295' })).acceptedEpoch, 0xffff_ffff);
});

test('a promise is durable when it resolves, and never goes back', async () => {
  const disk = diskWith({ acceptedEpoch: '3', currentEpoch: '3' });
  const epochs = await recovered(disk);
  await epochs.writeAcceptedEpoch(5);
  assert.equal(epochs.acceptedEpoch, 5);
  assert.equal(textOf(durable(disk.image), 'acceptedEpoch'), '5');
  await assert.rejects(epochs.writeAcceptedEpoch(4), AssertionError);
  const { calls } = disk;
  await epochs.writeAcceptedEpoch(5);
  assert.equal(disk.calls, calls, 'the same again costs nothing');
});

test('the current epoch takes two steps, and is the old one until the second', async () => {
  const disk = diskWith({ acceptedEpoch: '4', currentEpoch: '3' });
  const epochs = await recovered(disk);
  await epochs.beginCurrentEpoch(4);
  assert.equal(epochs.currentEpoch, 3);
  const between = durable(disk.image);
  assert.equal(textOf(between, 'currentEpoch'), '3');
  assert.equal(textOf(between, 'currentEpoch.tmp'), '4');
  await epochs.finishCurrentEpoch();
  assert.equal(epochs.currentEpoch, 4);
  const after = durable(disk.image);
  assert.equal(textOf(after, 'currentEpoch'), '4');
  assert.equal(textOf(after, 'currentEpoch.tmp'), null);
});

test('an epoch that was not accepted cannot become the current one', async () => {
  const epochs = await recovered(diskWith({ acceptedEpoch: '4', currentEpoch: '3' }));
  await assert.rejects(epochs.beginCurrentEpoch(5), AssertionError);
  await assert.rejects(epochs.beginCurrentEpoch(2), AssertionError);
});

test('the epoch that is current already needs no step', async () => {
  const disk = diskWith({ acceptedEpoch: '4', currentEpoch: '4' });
  const epochs = await recovered(disk);
  const { calls } = disk;
  await epochs.beginCurrentEpoch(4);
  await epochs.finishCurrentEpoch();
  assert.equal(disk.calls, calls);
});

test('a step begun is finished by a restart when the history got there', async () => {
  const disk = diskWith({ acceptedEpoch: '4', currentEpoch: '3', 'currentEpoch.tmp': '4' });
  const epochs = await recovered(disk, makeZxid(4, 1));
  assert.equal(epochs.currentEpoch, 4);
  assert.deepEqual(names(durable(disk.image)), ['acceptedEpoch', 'currentEpoch']);
});

test('a step begun is forgotten by a restart when the history did not get there', async () => {
  const disk = diskWith({ acceptedEpoch: '4', currentEpoch: '3', 'currentEpoch.tmp': '4' });
  const epochs = await recovered(disk, makeZxid(3, 9));
  assert.equal(epochs.currentEpoch, 3);
  assert.equal(epochs.acceptedEpoch, 4);
  assert.equal(textOf(durable(disk.image), 'currentEpoch.tmp'), null);
});

test('a step begun is judged again within the same process', async () => {
  const epochs = await recovered(diskWith({ acceptedEpoch: '4', currentEpoch: '3' }));
  await epochs.beginCurrentEpoch(4);
  await epochs.recover(makeZxid(3, 9));
  await epochs.finishCurrentEpoch();
  assert.equal(epochs.currentEpoch, 3, 'there was nothing to finish');
  await epochs.writeAcceptedEpoch(6);
  await epochs.beginCurrentEpoch(5);
  await epochs.beginCurrentEpoch(6);
  await epochs.finishCurrentEpoch();
  assert.equal(epochs.currentEpoch, 6);
});

test('what a crash left half written does not matter', async () => {
  const left = { '.acceptedEpoch.tmp': '9', '.currentEpoch.tmp': '', 'acceptedEpoch.tmp': '77' };
  const disk = diskWith({ acceptedEpoch: '4', currentEpoch: '3', ...left });
  const epochs = await recovered(disk);
  assert.equal(epochs.acceptedEpoch, 4);
  assert.equal(epochs.currentEpoch, 3);
  assert.deepEqual(names(durable(disk.image)), ['acceptedEpoch', 'currentEpoch']);
});

test('acceptedEpoch follows a current epoch that somebody put above it', async () => {
  const disk = diskWith({ acceptedEpoch: '2', currentEpoch: '3' });
  const epochs = await recovered(disk);
  assert.equal(epochs.acceptedEpoch, 3);
  assert.equal(textOf(durable(disk.image), 'acceptedEpoch'), '3');
});

test('whatever the disk refuses is the end, and memory stays behind the file', async () => {
  for (const refused of ['open', 'write', 'sync', 'rename', 'syncDirectory']) {
    let isArmed = false;
    const disk = diskWith({ acceptedEpoch: '4', currentEpoch: '3' }, ({ name }) =>
      isArmed && name === refused ? { kind: 'error', code: 'EIO' } : null,
    );
    const fatal: Error[] = [];
    const epochs = open(disk, fatal);
    await epochs.recover(0n);
    isArmed = true;
    await assert.rejects(epochs.writeAcceptedEpoch(5), StartError);
    assert.equal(fatal.length, 1);
    assert.equal(fatal[0]?.message.startsWith('Writing the epoch files failed: '), true);
    assert.equal(epochs.acceptedEpoch, 4);
    isArmed = false;
    await assert.rejects(epochs.writeAcceptedEpoch(5), AssertionError, 'no second try');
    assert.equal(fatal.length, 1);
  }
});

test('a history is what was once whole here: not nothing, and not a first piece of one', async () => {
  assert.equal((await recovered(diskWith({}))).hasHistory, false);
  assert.equal((await recovered(diskWith({ currentEpoch: '0' }))).hasHistory, false);
  assert.equal((await recovered(diskWith({ currentEpoch: '1' }))).hasHistory, true);
  // of a server that was alone until now
  assert.equal((await recovered(diskWith({}), 7n)).hasHistory, true);
  assert.equal((await recovered(diskWith({}), makeZxid(3, 7))).hasHistory, true);
});

test('a first synchronisation that was broken off stays one, start after start, until one ends', async () => {
  const disk = diskWith({ acceptedEpoch: '5', currentEpoch: '0' });
  const first = await recovered(disk);
  await first.beginCurrentEpoch(5);
  for (let start = 0; start < 3; start++) {
    const epochs = await recovered(durable(disk.image), makeZxid(5, 3));
    assert.equal(epochs.hasHistory, false);
    assert.equal(epochs.currentEpoch, 0);
    assert.equal(epochs.acceptedEpoch, 5);
  }
  const last = await recovered(disk, makeZxid(5, 3));
  assert.equal(textOf(disk, 'currentEpoch.tmp'), '5', 'or an Apache server refuses to start');
  await last.writeAcceptedEpoch(6);
  await last.beginCurrentEpoch(6);
  await last.finishCurrentEpoch();
  assert.equal(last.hasHistory, true);
  assert.equal((await recovered(disk, makeZxid(6, 0))).currentEpoch, 6);
});
