import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataDir, storageOptions } from '../sim/crash/world.js';
import { SimDisk, type DiskCallName } from '../sim/disk.js';
import { StartError } from './start-error.js';
import { Storage, type StorageOptions } from './storage.js';

function refusal(disk: SimDisk, options: Partial<StorageOptions> = {}): StartError {
  try {
    Storage.open(storageOptions(disk, options));
  } catch (error) {
    assert.ok(error instanceof StartError, String(error));
    assert.ok(!error.message.includes('\n'), 'one line');
    return error;
  }
  throw new assert.AssertionError({ message: 'it should have refused' });
}

const apart = { snapDir: '/snap', logDir: '/log' };

test('missing directories are created, unless that is forbidden', () => {
  const disk = new SimDisk();
  const error = refusal(disk, { autoCreateDirectories: false });
  assert.match(
    error.message,
    /Missing data directory \/data\/version-2.*zookeeper\.datadir\.autocreate/,
  );
  assert.equal(error.exitCode, 3);
  assert.ok(!disk.existsNow(dataDir));
  Storage.open(storageOptions(disk)).close();
  assert.ok(disk.existsNow(`${dataDir}/version-2`));
});

test('logs and snapshots in the wrong directory are refused', () => {
  const disk = new SimDisk();
  disk.makeDirectoryNow('/log/version-2');
  disk.openNow('/log/version-2/snapshot.0', 'create').closeNow();
  const swapped = refusal(disk, apart);
  assert.match(
    swapped.message,
    /Log directory has snapshot files: \/log\/version-2\/snapshot\.0\./,
  );
  assert.match(swapped.message, /Check if dataLogDir and dataDir configuration is correct/);
  assert.equal(swapped.exitCode, 3);
  disk.unlinkNow('/log/version-2/snapshot.0');
  disk.makeDirectoryNow('/snap/version-2');
  disk.openNow('/snap/version-2/log.1', 'create').closeNow();
  assert.match(refusal(disk, apart).message, /Snapshot directory has log files/);
});

test('a directory that another server has is refused, with its process', () => {
  const disk = new SimDisk();
  const first = Storage.open(storageOptions(disk));
  const error = refusal(disk);
  assert.match(error.message, /\/data\/version-2 is in use by process 1: two servers/);
  assert.equal(error.exitCode, 3);
  // the other one has its own logs, and wants the same snapshots
  assert.match(refusal(disk, { logDir: '/log' }).message, /\/data\/version-2 is in use/);
  first.close();
  const second = Storage.open(storageOptions(disk, { logDir: '/log' }));
  second.close();
  Storage.open(storageOptions(disk)).close();
});

for (const [code, sentence] of [
  ['EACCES', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'no space left on the disk'],
  ['EIO', 'the disk reports an I/O error'],
] as const) {
  for (const name of [
    'makeDirectory',
    'syncDirectory',
    'open',
    'unlink',
  ] satisfies DiskCallName[]) {
    test(`${code} while preparing the directories (${name}) is one clear line`, () => {
      const disk = new SimDisk({
        faultOf: (call) => (call.name === name ? { kind: 'error', code } : null),
      });
      const error = refusal(disk);
      assert.ok(error.message.includes(`${sentence} (${code})`), error.message);
      assert.ok(error.message.includes('/'), 'says where');
      assert.equal(error.exitCode, 3);
    });
  }
}

test('a first snapshot that cannot be written is one clear line', async () => {
  const disk = new SimDisk({
    faultOf: ({ name, path }) =>
      name === 'write' && path.endsWith('.tmp')
        ? { kind: 'error', code: 'ENOSPC', bytesWritten: 3 }
        : null,
  });
  const storage = Storage.open(storageOptions(disk));
  await assert.rejects(storage.recover(), (error) => {
    assert.ok(error instanceof StartError);
    assert.match(error.message, /^Writing the first snapshot failed: .*no space left on the disk/);
    assert.equal(error.exitCode, 10);
    return true;
  });
});
