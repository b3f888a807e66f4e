import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { makeZxid, zxidOfParts, type Zxid } from '../protocol/zxid.js';
import { describeState, History } from '../sim/crash/history.js';
import { CrashWorld, dataDir } from '../sim/crash/world.js';
import { SimDisk, type DiskCall } from '../sim/disk.js';
import type { LogCursor } from './log-cursor.js';
import type { StorageOptions } from './storage.js';

const directory = `${dataDir}/version-2`;

interface Bench {
  readonly disk: SimDisk;
  readonly world: CrashWorld;
  readonly history: History;
  fault: ((call: DiskCall) => boolean) | null;
}

async function bench(options: Partial<StorageOptions> = {}): Promise<Bench> {
  const made: { fault: Bench['fault'] } = { fault: null };
  const disk = new SimDisk({
    faultOf: (call) => (made.fault?.(call) === true ? { kind: 'error', code: 'EIO' } : null),
  });
  const history = new History(new SeededRandom(41));
  const random = new SeededRandom(42);
  const world = new CrashWorld({ disk, sim: disk, history, random, options, mark() {} });
  await world.start();
  return Object.assign(made, { disk, world, history });
}

async function open({ world, history }: Bench, from: Zxid): Promise<LogCursor> {
  const cursor = await world.storage.historyFrom(from, history.zxid);
  assert.ok(cursor !== null, 'the logs reach back to it');
  return cursor;
}

function zxidsOf(batch: TxnBatch): Zxid[] {
  return Array.from({ length: batch.count }, (_, i) =>
    zxidOfParts(batch.zxidHigh(i), batch.zxidLow(i)),
  );
}

/** All that it has until 'end'. */
async function read(cursor: LogCursor, bytesMax = 300): Promise<Zxid[]> {
  const zxids: Zxid[] = [];
  for (;;) {
    const found = await cursor.next(bytesMax);
    assert.notEqual(found, 'gap');
    if (typeof found === 'string') return zxids;
    assert.ok(found.count > 0);
    assert.ok(found.count === 1 || found.length <= bytesMax);
    zxids.push(...zxidsOf(found));
  }
}

function range(first: Zxid, last: Zxid): Zxid[] {
  return Array.from({ length: Number(last - first) + 1 }, (_, i) => first + BigInt(i));
}

async function withLogs(options: Partial<StorageOptions> = {}): Promise<Bench> {
  const made = await bench(options);
  const { world } = made;
  for (let i = 0; i < 3; i++) {
    await world.write(3);
    world.storage.rollLog();
  }
  await world.write(1);
  return made;
}

test('from every transaction on, over all logs, the rest comes in order', async () => {
  for (const options of [{}, { preAllocBytes: 0 }]) {
    const made = await withLogs(options);
    const last = made.history.zxid;
    for (let from = 0n; from <= last; from++) {
      const cursor = await open(made, from);
      assert.equal(cursor.position, from);
      assert.deepEqual(await read(cursor), range(from + 1n, last));
      assert.equal(await cursor.next(100), 'end');
      cursor.close();
    }
  }
});

test('the batches are the very records: they make the same tree', async () => {
  const made = await withLogs();
  const { history } = made;
  const copy = new History(new SeededRandom(1));
  const cursor = await open(made, 0n);
  for (;;) {
    const found = await cursor.next(500);
    if (typeof found === 'string') break;
    for (let i = 0; i < found.count; i++) {
      copy.tree.apply(found.bytes, found.payloadStart(i), found.payloadEnd(i));
    }
  }
  assert.equal(
    describeState(copy.tree, history.sessions),
    describeState(history.tree, history.sessions),
  );
});

test('it reads no further than it was told, until it is told', async () => {
  const { world, history } = await withLogs();
  const cursor = await world.storage.historyFrom(2n, 5n);
  assert.ok(cursor !== null);
  assert.deepEqual(await read(cursor), [3n, 4n, 5n]);
  cursor.extendTo(4n);
  assert.equal(await cursor.next(1000), 'end', 'never back');
  cursor.extendTo(history.zxid);
  assert.deepEqual(await read(cursor), range(6n, history.zxid));
});

test('it keeps up with a log that is being written, and rolled', async () => {
  for (const options of [{}, { preAllocBytes: 0 }, { preAllocBytes: 1024 }]) {
    const made = await bench(options);
    const { world, history } = made;
    await world.write(1);
    const cursor = await open(made, 0n);
    const found = await read(cursor);
    for (let i = 0; i < 10; i++) {
      if (i % 4 === 3) world.storage.rollLog();
      await world.write(1);
      cursor.extendTo(history.zxid);
      found.push(...(await read(cursor)));
    }
    assert.deepEqual(found, range(1n, history.zxid));
  }
});

test('a piece holds at least one transaction, however large', async () => {
  const made = await withLogs();
  const cursor = await open(made, 0n);
  assert.deepEqual(await read(cursor, 1), range(1n, made.history.zxid));
});

test('over a new epoch, and from its very beginning', async () => {
  const made = await bench();
  const { world, history } = made;
  await world.write(2);
  const before = history.zxid;
  history.nextEpoch();
  history.nextEpoch();
  await world.write(2);
  const first = makeZxid(2, 1);
  const expected = range(first, history.zxid);
  assert.deepEqual(await read(await open(made, before)), expected);
  // the state a leader begins epoch 2 with: what comes next is its first transaction
  assert.deepEqual(await read(await open(made, makeZxid(2, 0))), expected);
  // of epoch 1 nothing is known, nor of transactions that were never here
  for (const from of [makeZxid(1, 0), makeZxid(1, 1), before + 1n, history.zxid + 1n]) {
    assert.equal(await world.storage.historyFrom(from, history.zxid), null);
  }
});

test('what was purged is not there, but right after a snapshot is as good as a transaction', async () => {
  const made = await bench({ snapRetainCount: 1 });
  const { world, history } = made;
  await world.write(3);
  world.history.nextEpoch();
  history.next(4);
  await world.install();
  const base = history.zxid;
  assert.deepEqual(await read(await open(made, base)), [], 'nothing has come after it yet');
  await world.write(2);
  assert.deepEqual(await read(await open(made, base)), range(base + 1n, history.zxid));
  assert.equal(await world.storage.historyFrom(base - 1n, history.zxid), null);
  assert.equal(await world.storage.historyFrom(1n, history.zxid), null);
});

test('files are not purged from under it', async () => {
  const made = await bench({ snapRetainCount: 1 });
  const { world, disk, history } = made;
  for (let i = 0; i < 4; i++) {
    await world.write(2);
    await world.snapshot();
  }
  const logs = (): number =>
    disk.listNow(directory).filter(({ name }) => name.startsWith('log.')).length;
  const count = logs();
  const cursor = await open(made, 1n);
  await world.storage.purge();
  assert.equal(logs(), count, 'all of them are still to be read');
  assert.deepEqual(await read(cursor), range(2n, history.zxid));
  await world.storage.purge();
  assert.equal(logs(), 1, 'it stands on the last one');
  cursor.close();
});

test('a hole ends it: what came before is handed out first', async () => {
  const made = await withLogs();
  const { disk, history } = made;
  const logs = disk
    .listNow(directory)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('log.'))
    .sort((a, b) => Number.parseInt(a.slice(4), 16) - Number.parseInt(b.slice(4), 16));
  const second = logs[1] ?? '';
  const firstOfSecond = BigInt(`0x${second.slice(4)}`);
  disk.unlinkNow(`${directory}/${second}`);
  const cursor = await open(made, 1n);
  const found = await cursor.next(100_000);
  assert.ok(typeof found !== 'string');
  assert.deepEqual(zxidsOf(found), range(2n, firstOfSecond - 1n));
  assert.equal(await cursor.next(100_000), 'gap');
  assert.equal(await made.world.storage.historyFrom(firstOfSecond, history.zxid), null);
});

test('damage ends it', async () => {
  const made = await withLogs();
  const { disk } = made;
  disk.corrupt(`${directory}/log.1`, 200, 0x10);
  const cursor = await made.world.storage.historyFrom(0n, made.history.zxid);
  assert.ok(cursor !== null);
  let found = await cursor.next(100_000);
  if (typeof found !== 'string') found = await cursor.next(100_000);
  assert.equal(found, 'gap');
});

test('a disk that cannot read ends it, and only it', async () => {
  const made = await withLogs();
  const cursor = await open(made, 0n);
  made.fault = ({ name }) => name === 'read';
  assert.equal(await cursor.next(1000), 'gap');
  assert.equal(await made.world.storage.historyFrom(0n, made.history.zxid), null);
  made.fault = null;
  await made.world.write(1);
});

test('a cursor that was closed, by whomever, says gap', async () => {
  const made = await withLogs();
  const mine = await open(made, 0n);
  const reading = mine.next(1000);
  mine.close();
  mine.close();
  assert.equal(await reading, 'gap');
  assert.equal(await mine.next(1000), 'gap');
  const other = await open(made, 0n);
  await made.world.storage.reload();
  assert.equal(await other.next(1000), 'gap');
});

test('it says what is ahead: the bytes that were written, without what is preallocated', async () => {
  const made = await bench({ preAllocBytes: 65536 });
  await made.world.write(3);
  const cursor = await open(made, 0n);
  const ahead = cursor.bytesAhead;
  assert.ok(ahead > 100 && ahead < 10_000);
  const half = await cursor.next(1);
  assert.ok(typeof half !== 'string');
  assert.equal(cursor.bytesAhead, ahead - half.length);
  await read(cursor);
  assert.equal(cursor.bytesAhead, 0);
});
