import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { silentLogger, type Logger } from '../ports/logger.js';
import { describeState, History } from '../sim/crash/history.js';
import { CrashWorld, dataDir, storageOptions } from '../sim/crash/world.js';
import { SimDisk } from '../sim/disk.js';
import type { DiskImage } from '../sim/disk-image.js';
import { LogReader } from './log-reader.js';
import { StartError } from './start-error.js';
import { Storage, type StorageOptions } from './storage.js';

const directory = `${dataDir}/version-2`;

interface Data {
  readonly image: DiskImage;
  readonly history: History;
}

/** A directory that a process left by dying, after `run`. */
async function written(
  run: (world: CrashWorld) => Promise<void>,
  options: Partial<StorageOptions> = {},
): Promise<Data> {
  const disk = new SimDisk();
  const history = new History(new SeededRandom(11));
  const random = new SeededRandom(12);
  const world = new CrashWorld({ disk, sim: disk, history, random, options, mark() {} });
  await world.start();
  await run(world);
  world.kill();
  return { image: disk.image, history };
}

interface Found {
  readonly state: string;
  readonly zxid: bigint;
  readonly replayed: number;
  readonly snapshotZxid: bigint | null;
}

async function recover(disk: SimDisk, options: Partial<StorageOptions> = {}): Promise<Found> {
  disk.restart();
  const storage = Storage.open(storageOptions(disk, options));
  try {
    const { tree, sessions, lastZxid, replayed, snapshotZxid } = await storage.recover();
    return { state: describeState(tree, sessions), zxid: lastZxid, replayed, snapshotZxid };
  } finally {
    storage.close();
  }
}

async function refusal(disk: SimDisk, options: Partial<StorageOptions> = {}): Promise<StartError> {
  try {
    await recover(disk, options);
  } catch (error) {
    assert.ok(error instanceof StartError, String(error));
    assert.ok(!error.message.includes('\n'), 'one line');
    return error;
  }
  throw new assert.AssertionError({ message: 'it should have refused' });
}

function copyOf({ image }: Data): SimDisk {
  return new SimDisk({ image: image.clone() });
}

function overwrite(disk: SimDisk, path: string, position: number, bytes: Uint8Array): void {
  const file = disk.openNow(path, 'write');
  file.writeNow(bytes, 0, bytes.length, position);
  file.closeNow();
}

function truncate(disk: SimDisk, path: string, size: number): void {
  const file = disk.openNow(path, 'write');
  file.truncateNow(size);
  file.closeNow();
}

/** Where the records of a log begin, and at the end where the last one ends. */
function offsets(disk: SimDisk, path: string): number[] {
  const reader = new LogReader(disk, path);
  const found: number[] = [];
  while (reader.next()) found.push(reader.offset);
  found.push(reader.endOffset);
  reader.close();
  return found;
}

function logs(disk: SimDisk): string[] {
  return disk
    .listNow(directory)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('log.'))
    .sort((a, b) => Number.parseInt(a.slice(4), 16) - Number.parseInt(b.slice(4), 16))
    .map((name) => `${directory}/${name}`);
}

function last<T>(items: readonly T[]): T {
  const item = items.at(-1);
  assert.ok(item !== undefined);
  return item;
}

const oneLog = written((world) => world.write(6));

const threeLogs = written(async (world) => {
  for (let i = 0; i < 3; i++) {
    await world.write(3);
    world.storage.rollLog();
  }
});

const threeSnapshots = written(async (world) => {
  for (let i = 0; i < 3; i++) {
    await world.write(3);
    await world.snapshot();
  }
  await world.write(2);
});

test('everything that was flushed is there after kill -9', async () => {
  for (const data of [await oneLog, await threeLogs, await threeSnapshots]) {
    const found = await recover(copyOf(data));
    assert.equal(found.zxid, data.history.zxid);
    assert.equal(found.state, data.history.stateAt(found.zxid));
  }
});

test('recovery begins at the newest snapshot and replays only what comes after it', async () => {
  const found = await recover(copyOf(await threeSnapshots));
  assert.ok(found.snapshotZxid !== null && found.snapshotZxid > 0n);
  assert.equal(BigInt(found.replayed), found.zxid - found.snapshotZxid);
});

test('a log cut anywhere below its tail mark has lost what was durable: refused', async () => {
  const data = await oneLog;
  const [path = ''] = logs(copyOf(data));
  const end = last(offsets(copyOf(data), path));
  for (let size = 0; size < end; size += 7) {
    const disk = copyOf(data);
    truncate(disk, path, size);
    const error = await refusal(disk);
    assert.match(error.message, /it was durable up to byte/);
    assert.ok(error.message.includes(path));
  }
});

test('without a tail mark, as Apache leaves it, a log cut anywhere gives what comes before', async () => {
  const data = await oneLog;
  const [path = ''] = logs(copyOf(data));
  const starts = offsets(copyOf(data), path);
  for (let size = 0; size < last(starts); size += 3) {
    const disk = copyOf(data);
    truncate(disk, path, size);
    disk.unlinkNow(`${directory}/.tail`);
    const whole = Math.max(0, starts.filter((start) => start <= size).length - 1);
    const found = await recover(disk);
    assert.equal(found.zxid, BigInt(whole));
    assert.equal(found.state, data.history.stateAt(found.zxid));
    const again = await recover(disk);
    assert.deepEqual(again, found, 'and again');
  }
});

test('a torn end is cut off durably, so that the next log may follow it', async () => {
  const data = await oneLog;
  const disk = copyOf(data);
  const [path = ''] = logs(disk);
  const starts = offsets(disk, path);
  disk.unlinkNow(`${directory}/.tail`);
  const torn = starts.at(-2) ?? 0;
  overwrite(disk, path, torn + 20, Uint8Array.of(0xff, 0xff));
  await recover(disk);
  assert.equal(disk.sizeNow(path), torn);
  const found = disk.image.lookup(path);
  assert.ok(found?.inode.kind === 'file');
  assert.equal(found.inode.durable.size, torn);
});

test('zeros in the middle of a log are not its end', async () => {
  const data = await oneLog;
  const disk = copyOf(data);
  const [path = ''] = logs(disk);
  const starts = offsets(disk, path);
  const [, second = 0, third = 0] = starts;
  overwrite(disk, path, second, new Uint8Array(third - second));
  const error = await refusal(disk);
  assert.ok(
    error.message.includes(`${path} is damaged at byte ${second} (nothing)`) ||
      /durable up to/.test(error.message),
  );
  disk.unlinkNow(`${directory}/.tail`);
  const unmarked = await refusal(disk);
  assert.ok(
    unmarked.message.includes(`${path} is damaged at byte ${second} (nothing)`),
    unmarked.message,
  );
  assert.ok(unmarked.message.includes(`from byte ${third} on`), unmarked.message);
  assert.equal(unmarked.exitCode, 1);
});

test('each byte of a data directory may be damaged: told, or harmless, never wrong', async () => {
  const data = await written(async (world) => {
    await world.write(2);
    await world.snapshot();
    await world.write(2);
    world.storage.rollLog();
    await world.write(1);
  });
  const { zxid } = data.history;
  const expected = data.history.stateAt(zxid);
  let refused = 0;
  let harmless = 0;
  for (const { name } of copyOf(data).listNow(directory)) {
    const path = `${directory}/${name}`;
    const end = name.startsWith('log.')
      ? last(offsets(copyOf(data), path)) + 40
      : copyOf(data).sizeNow(path);
    for (let position = 0; position < Math.min(end, copyOf(data).sizeNow(path)); position++) {
      const disk = copyOf(data);
      disk.corrupt(path, position, 1 << (position % 8));
      try {
        const found = await recover(disk);
        assert.equal(found.zxid, zxid, `${name} byte ${position}`);
        assert.equal(found.state, expected, `${name} byte ${position}`);
        harmless++;
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        refused++;
      }
    }
  }
  assert.ok(refused > 500, `${refused} refused`);
  assert.ok(harmless > 500, `${harmless} harmless`);
});

test('damage in an older log is refused, with the file and the byte', async () => {
  const data = await threeLogs;
  const [first = ''] = logs(copyOf(data));
  const [start = 0, second = 0] = offsets(copyOf(data), first);
  const disk = copyOf(data);
  disk.corrupt(first, start + 30, 1);
  const error = await refusal(disk);
  assert.ok(error.message.includes(`${first} is damaged at byte ${start}`), error.message);
  assert.ok(error.message.includes(`from byte ${second} on`), error.message);
});

test('a torn end of an older log is tolerated if the next log goes on with the next transaction', async () => {
  const data = await threeLogs;
  const disk = copyOf(data);
  const [first = ''] = logs(disk);
  const end = last(offsets(disk, first));
  // what kill -9 leaves of a record that Apache was writing, before it began the next log
  overwrite(
    disk,
    first,
    end,
    Uint8Array.of(0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 90, 1, 2, 3),
  );
  const found = await recover(disk);
  assert.equal(found.zxid, data.history.zxid);
  assert.equal(found.state, data.history.stateAt(found.zxid));
});

test('a record less at the end of an older log is a hole', async () => {
  const data = await threeLogs;
  const disk = copyOf(data);
  const [first = '', second = ''] = logs(disk);
  truncate(disk, first, offsets(disk, first).at(-2) ?? 0);
  const error = await refusal(disk);
  assert.ok(error.message.includes(second), error.message);
  assert.match(error.message, /transactions in between are missing/);
});

test('a missing log is a hole', async () => {
  const data = await threeLogs;
  const disk = copyOf(data);
  const [, second = ''] = logs(disk);
  disk.unlinkNow(second);
  assert.match((await refusal(disk)).message, /transactions in between are missing/);
});

test('a log under another name is refused', async () => {
  const data = await threeLogs;
  const disk = copyOf(data);
  const [, second = ''] = logs(disk);
  disk.renameNow(second, `${directory}/log.3`);
  assert.match((await refusal(disk)).message, /its name denies/);
});

test('a file that is no log is refused', async () => {
  const data = await threeLogs;
  const disk = copyOf(data);
  const [, , third = ''] = logs(disk);
  overwrite(disk, third, 0, new TextEncoder().encode('PK'));
  assert.match((await refusal(disk)).message, /is not a transaction log/);
});

for (const [what, size] of [
  ['nothing in it', 0],
  ['half a header', 9],
  ['only a header', 16],
] as const) {
  test(`a last log with ${what} is removed`, async () => {
    const data = await oneLog;
    const disk = copyOf(data);
    const [path = ''] = logs(disk);
    const next = `${directory}/log.${(data.history.zxid + 1n).toString(16)}`;
    const file = disk.openNow(next, 'create');
    const header = new Uint8Array(16);
    const from = disk.openNow(path, 'read');
    from.readNow(header, 0, 16, 0);
    from.closeNow();
    file.writeNow(header, 0, size, 0);
    file.closeNow();
    const found = await recover(disk);
    assert.equal(found.zxid, data.history.zxid);
    assert.ok(!disk.existsNow(next));
  });
}

test('an empty log that was begun for a later transaction proves a loss', async () => {
  const data = await oneLog;
  const disk = copyOf(data);
  disk.openNow(`${directory}/log.${(data.history.zxid + 5n).toString(16)}`, 'create').closeNow();
  assert.match((await refusal(disk)).message, /was begun for/);
});

test('epochs may change between records and between logs', async () => {
  const data = await written(async (world) => {
    await world.write(2);
    world.history.nextEpoch();
    await world.write(1);
    world.storage.rollLog();
    world.history.nextEpoch();
    await world.write(2);
  });
  const found = await recover(copyOf(data));
  assert.equal(found.zxid >> 32n, 2n);
  assert.equal(found.state, data.history.stateAt(found.zxid));
});

test('a newest snapshot that is damaged is passed over, as long as the logs reach beyond it', async () => {
  const data = await threeSnapshots;
  const names = copyOf(data)
    .listNow(directory)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('snapshot.'))
    .sort((a, b) => Number.parseInt(b.slice(9), 16) - Number.parseInt(a.slice(9), 16));
  const disk = copyOf(data);
  for (const name of names.slice(0, -1)) {
    disk.corrupt(`${directory}/${name}`, 70, 4);
    const found = await recover(disk);
    assert.equal(found.zxid, data.history.zxid);
    assert.equal(found.state, data.history.stateAt(found.zxid));
  }
  disk.corrupt(`${directory}/${last(names)}`, 70, 4);
  assert.match((await refusal(disk)).message, /none of the 4 snapshots .* is whole/);
});

test('a damaged snapshot that the logs do not reach proves a loss', async () => {
  const data = await threeSnapshots;
  const disk = copyOf(data);
  const paths = logs(disk);
  // the newest snapshot is damaged, and everything after the second one is gone
  for (const path of paths.slice(2)) disk.unlinkNow(path);
  disk.unlinkNow(`${directory}/.tail`);
  const newest = `${directory}/${last(
    disk
      .listNow(directory)
      .map(({ name }) => name)
      .filter((name) => name.startsWith('snapshot.'))
      .sort((a, b) => Number.parseInt(a.slice(9), 16) - Number.parseInt(b.slice(9), 16)),
  )}`;
  disk.corrupt(newest, 70, 4);
  const error = await refusal(disk);
  assert.ok(error.message.includes(`${newest} is damaged`), error.message);
});

test('logs without any snapshot are refused, unless trusted', async () => {
  const data = await oneLog;
  const disk = copyOf(data);
  disk.unlinkNow(`${directory}/snapshot.0`);
  const error = await refusal(disk);
  assert.match(error.message, /No snapshot found, but there are log entries/);
  const found = await recover(disk, { trustEmptySnapshot: true });
  assert.equal(found.zxid, data.history.zxid);
  assert.equal(found.state, data.history.stateAt(found.zxid));
  assert.deepEqual((await recover(disk)).zxid, found.zxid, 'a snapshot was written');
});

test('an empty directory is a new database only if that is allowed', async () => {
  const fresh = await recover(new SimDisk());
  assert.equal(fresh.zxid, 0n);
  assert.equal(fresh.snapshotZxid, 0n);
  const forbidden = new SimDisk();
  assert.equal((await recover(forbidden, { autoCreateDb: false })).zxid, -1n);
  assert.ok(!forbidden.existsNow(`${directory}/snapshot.0`));
  forbidden.openNow(`${dataDir}/initialize`, 'create').closeNow();
  assert.equal((await recover(forbidden, { autoCreateDb: false })).zxid, 0n);
  assert.ok(!forbidden.existsNow(`${dataDir}/initialize`));
  assert.ok(forbidden.existsNow(`${directory}/snapshot.0`));
});

test('where nothing was found, the leader may say that nothing is right', async () => {
  const disk = new SimDisk();
  disk.restart();
  const storage = Storage.open(storageOptions(disk, { autoCreateDb: false }));
  await storage.recover();
  assert.ok(!disk.existsNow(`${directory}/snapshot.0`));
  await storage.beginEmpty();
  await storage.beginEmpty();
  storage.close();
  const found = await recover(disk, { autoCreateDb: false });
  assert.deepEqual([found.zxid, found.snapshotZxid], [0n, 0n]);
  // where something is, it stays
  const data = await oneLog;
  const full = copyOf(data);
  full.restart();
  const other = Storage.open(storageOptions(full));
  await other.recover();
  await other.beginEmpty();
  other.close();
  assert.equal((await recover(full)).state, data.history.stateAt(data.history.zxid));
});

test('what a crash left of a snapshot being written is removed', async () => {
  const data = await oneLog;
  const disk = copyOf(data);
  for (const name of ['.snapshot.5.tmp', 'snapshot.6.tmp', '.snapshot.5.gz.tmp']) {
    disk.openNow(`${directory}/${name}`, 'create').closeNow();
  }
  disk.openNow(`${directory}/currentEpoch.tmp`, 'create').closeNow();
  await recover(disk);
  const names = disk.listNow(directory).map(({ name }) => name);
  assert.deepEqual(
    names.filter((name) => name.endsWith('.tmp')),
    ['currentEpoch.tmp'],
  );
});

test('files of other names are left alone, and not read', async () => {
  const data = await oneLog;
  const disk = copyOf(data);
  const others = [
    'log.zz',
    'log.1.fixed',
    'snapshot.1.bak',
    'acceptedEpoch',
    'log.ffffffffffffffff',
  ];
  for (const name of others) disk.openNow(`${directory}/${name}`, 'create').closeNow();
  const found = await recover(disk);
  assert.equal(found.zxid, data.history.zxid);
  for (const name of others) assert.ok(disk.existsNow(`${directory}/${name}`));
});

test('a tree that is not what the log says is told, and served as Apache would', async () => {
  const data = await oneLog;
  const disk = copyOf(data);
  const [path = ''] = logs(disk);
  const reader = new LogReader(disk, path);
  while (reader.next());
  // the last record's digest, with a checksum that fits
  const payload = reader.bytes.slice(reader.payloadStart, reader.payloadEnd);
  payload[payload.length - 1] = (payload.at(-1) ?? 0) ^ 1;
  const { adler32 } = await import('../protocol/adler32.js');
  const prefix = new Uint8Array(12);
  new DataView(prefix.buffer).setUint32(4, adler32(payload, 0, payload.length));
  new DataView(prefix.buffer).setInt32(8, payload.length);
  overwrite(disk, path, reader.offset, Uint8Array.from([...prefix, ...payload]));
  reader.close();
  const errors: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    error(message) {
      errors.push(message);
    },
  };
  disk.restart();
  const storage = Storage.open(storageOptions(disk, { logger }));
  const recovered = await storage.recover();
  assert.equal(recovered.digestMismatch, data.history.zxid);
  assert.equal(errors.length, 1);
});

test('a disk that cannot be read is one clear line', async () => {
  const data = await oneLog;
  const [path = ''] = logs(copyOf(data));
  const disk = new SimDisk({
    image: data.image.clone(),
    faultOf: (call) =>
      call.name === 'read' && call.path === path ? { kind: 'error', code: 'EIO' } : null,
  });
  const error = await refusal(disk);
  assert.match(error.message, /Recovery failed: .*log\.1: the disk reports an I\/O error \(EIO\)/);
});

test('progress is told while the work is long', async () => {
  const data = await threeSnapshots;
  let nowMs = 0;
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    info(message, fields) {
      lines.push(`${message} ${JSON.stringify(fields)}`);
    },
  };
  const clock = {
    ...storageOptions(new SimDisk()).clock,
    monotonicMs: () => (nowMs += 400),
  };
  const disk = copyOf(data);
  disk.restart();
  const storage = Storage.open(storageOptions(disk, { logger, clock }));
  const phases = new Set<string>();
  await storage.recover(({ phase, doneBytes, totalBytes }) => {
    assert.ok(doneBytes <= totalBytes);
    phases.add(phase);
  });
  assert.ok(lines.some((line) => line.startsWith('snapshot loaded')));
  assert.ok(lines.some((line) => line.startsWith('transaction logs replayed')));
});
