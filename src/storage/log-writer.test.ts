import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '../base/assert.js';
import { SeededRandom } from '../base/random.js';
import type { Clock } from '../ports/clock.js';
import { silentLogger, type Logger } from '../ports/logger.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import { History } from '../sim/crash/history.js';
import { stillClock } from '../sim/crash/world.js';
import { SimDisk, type DiskCall, type DiskFault } from '../sim/disk.js';
import { LogReader } from './log-reader.js';
import { LogWriter, type LogWriterOptions } from './log-writer.js';
import { readTailMark } from './tail-mark.js';

const directory = '/log/version-2';

interface Bench {
  readonly disk: SimDisk;
  readonly writer: LogWriter;
  readonly history: History;
  readonly calls: DiskCall[];
  readonly fatal: Error[];
  readonly append: (count: number) => Uint8Array;
  readonly flush: () => Promise<void>;
}

function bench(
  given: Partial<LogWriterOptions> = {},
  faultOf: (call: DiskCall) => DiskFault | null = () => null,
): Bench {
  const calls: DiskCall[] = [];
  const fatal: Error[] = [];
  const disk = new SimDisk({
    faultOf(call) {
      calls.push(call);
      return faultOf(call);
    },
  });
  disk.makeDirectoryNow(directory);
  disk.syncDirectoryNow('/log');
  disk.syncDirectoryNow('/');
  const history = new History(new SeededRandom(7));
  const writer = new LogWriter(
    {
      disk,
      clock: stillClock,
      logger: silentLogger,
      directory,
      preAllocBytes: 65536,
      txnLogSizeLimitBytes: -1,
      forceSync: true,
      fsyncWarningMs: 1000,
      onFatal(error) {
        fatal.push(error);
      },
      ...given,
    },
    0n,
  );
  return {
    disk,
    writer,
    history,
    calls,
    fatal,
    append(count) {
      const batch = history.next(count);
      writer.append(batch);
      return batch.bytes.slice(0, batch.length);
    },
    flush: () =>
      new Promise((resolve) => {
        writer.flush(resolve);
      }),
  };
}

function names(disk: SimDisk): string[] {
  return disk
    .listNow(directory)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('log.'))
    .sort();
}

test('a log is a header, the records as they were encoded, and zeros to the preallocated end', async () => {
  const { disk, append, flush } = bench();
  const first = append(3);
  await flush();
  const second = append(2);
  await flush();
  const bytes = disk.bytesOf(`${directory}/log.1`);
  assert.equal(bytes.length, 16 + 65536);
  assert.deepEqual(
    [...bytes.subarray(0, 16)],
    [0x5a, 0x4b, 0x4c, 0x47, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0],
  );
  const records = bytes.subarray(16, 16 + first.length + second.length);
  assert.deepEqual(records, Uint8Array.from([...first, ...second]));
  assert.ok(bytes.subarray(16 + first.length + second.length).every((byte) => byte === 0));
});

test('preallocation grows before the records reach the end, and never cuts them', async () => {
  const { disk, append, flush } = bench({ preAllocBytes: 5000 });
  let length = 16;
  for (let i = 0; i < 20; i++) {
    length += append(4).length;
    await flush();
    assert.ok(disk.sizeNow(`${directory}/log.1`) >= length + 4096);
    assert.equal((disk.sizeNow(`${directory}/log.1`) - 16) % 5000, 0);
  }
});

test('the flush after a preallocation is a full fsync, the others are not', async () => {
  const { calls, append, flush } = bench();
  append(1);
  await flush();
  const begin = calls.length;
  append(1);
  await flush();
  const syncs = calls.slice(begin).filter(({ name }) => name === 'sync' || name === 'flush');
  assert.deepEqual(
    syncs.map(({ name }) => name),
    ['flush'],
  );
  const before = calls.slice(0, begin).filter(({ path }) => path.endsWith('log.1'));
  assert.ok(before.some(({ name }) => name === 'sync'));
});

test('whoever asks while a flush is under way shares the next one', async () => {
  const waiting: (() => void)[] = [];
  const clock: Clock = {
    ...stillClock,
    after(_delayMs, run) {
      waiting.push(run);
      return { cancel() {} };
    },
  };
  const calls: string[] = [];
  const disk = new SimDisk({
    slow: { clock, latencyMs: ({ name }) => (name === 'flush' ? 1 : 0) },
    faultOf({ name, path }) {
      if (name === 'flush') calls.push(path);
      return null;
    },
  });
  disk.makeDirectoryNow(directory);
  const history = new History(new SeededRandom(7));
  const options = { disk, clock, logger: silentLogger, directory, preAllocBytes: 65536 };
  const writer = new LogWriter(
    { ...options, txnLogSizeLimitBytes: -1, forceSync: true, fsyncWarningMs: 1000, onFatal() {} },
    0n,
  );
  const order: string[] = [];
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) {
      await Promise.resolve();
      waiting.shift()?.();
    }
  };
  writer.append(history.next(1));
  writer.flush(() => order.push('begun'));
  await settle();
  calls.length = 0;
  writer.append(history.next(1));
  writer.flush(() => order.push('a'));
  for (const name of ['b', 'c', 'd']) {
    writer.append(history.next(1));
    writer.flush(() => order.push(name));
  }
  assert.deepEqual(order, ['begun']);
  await settle();
  assert.deepEqual(order, ['begun', 'a', 'b', 'c', 'd']);
  assert.equal(calls.length, 2);
});

test('a log is begun with the zxid that comes first in it, and the one before is durable then', async () => {
  const { disk, writer, append, flush, history } = bench();
  append(2);
  writer.roll();
  const next = history.zxid + 1n;
  append(3);
  await flush();
  assert.deepEqual(names(disk), ['log.1', `log.${next.toString(16)}`]);
  for (const name of names(disk)) {
    const found = disk.image.lookup(`${directory}/${name}`);
    assert.ok(found?.inode.kind === 'file');
    const pending = found.inode.pending.filter(({ kind }) => kind === 'write');
    assert.deepEqual(pending, [], `${name} is durable`);
  }
});

test('a log that is left loses its preallocated rest', async () => {
  const { disk, writer, append, flush } = bench();
  const { length } = append(2);
  await flush();
  writer.roll();
  append(1);
  await flush();
  assert.equal(disk.sizeNow(`${directory}/log.1`), 16 + length);
});

test('logs roll when they are longer than the limit', async () => {
  const { disk, append, flush } = bench({ txnLogSizeLimitBytes: 300 });
  for (let i = 0; i < 6; i++) {
    append(3);
    await flush();
  }
  assert.ok(names(disk).length >= 4, names(disk).join());
  for (const name of names(disk)) {
    const reader = new LogReader(disk, `${directory}/${name}`);
    while (reader.next());
    reader.close();
  }
});

test('the tail mark follows every flush', async () => {
  const { disk, writer, append, flush } = bench();
  let offset = 16 + append(2).length;
  await flush();
  assert.equal(readTailMark(disk, directory)?.offset, offset);
  offset += append(1).length;
  await flush();
  assert.deepEqual(readTailMark(disk, directory)?.offset, offset);
  append(1);
  assert.equal(readTailMark(disk, directory)?.offset, offset, 'not before the flush');
  writer.close();
  assert.ok((readTailMark(disk, directory)?.offset ?? 0) > offset, 'closing flushes');
});

test('without forceSync nothing is synced, and the mark claims nothing', async () => {
  const { disk, calls, append, flush } = bench({ forceSync: false });
  append(2);
  await flush();
  append(2);
  await flush();
  assert.ok(!calls.some(({ name }) => name === 'flush' || name === 'sync'));
  assert.equal(readTailMark(disk, directory)?.offset, 0);
});

for (const code of ['EIO', 'ENOSPC', 'EROFS']) {
  test(`${code} anywhere is final: told once, nothing acknowledged after it`, async () => {
    for (let failing = 0; ; failing++) {
      const counter = { isOn: false, count: 0 };
      const { fatal, writer, history } = bench({}, () =>
        counter.isOn && counter.count++ === failing
          ? { kind: 'error', code, bytesWritten: 5 }
          : null,
      );
      counter.isOn = true;
      let acknowledgedAfter = 0;
      for (let i = 0; i < 4; i++) {
        if (i === 2) writer.roll();
        writer.append(history.next(1));
        writer.flush(() => {
          if (fatal.length > 0) acknowledgedAfter++;
        });
        for (let turns = 0; turns < 50; turns++) await Promise.resolve();
      }
      if (fatal.length === 0) {
        assert.ok(failing > 15, `every call has failed once, ${failing}`);
        break;
      }
      assert.equal(fatal.length, 1);
      assert.match(fatal[0]?.message ?? '', new RegExp(code));
      assert.equal(acknowledgedAfter, 0);
    }
  });
}

test('a slow fsync is counted and warned of', async () => {
  let nowMs = 0;
  const warnings: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn(message, fields) {
      warnings.push(`${message} ${JSON.stringify(fields)}`);
    },
  };
  const clock = { ...stillClock, monotonicMs: () => (nowMs += 700) };
  const { writer, append, flush } = bench({ clock, logger, fsyncWarningMs: 600 });
  append(1);
  await flush();
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /"tookMs":700,"warningAboveMs":600/);
  assert.equal(writer.fsyncStats.slowCount, 1);
  assert.equal(writer.fsyncStats.maxMs, 700);
});

test('a gap between zxids is a bug, and never reaches the disk', () => {
  const { writer, history } = bench();
  history.next(1);
  assert.throws(() => {
    writer.append(history.next(1));
  }, AssertionError);
  assert.throws(() => {
    const batch = new TxnBatch();
    history.next(1);
    writer.append(history.next(1, batch));
  }, AssertionError);
});

test('zeros are written ahead, within what is preallocated, and the file is what it would be', async () => {
  const { calls, disk, append, flush } = bench({ preAllocBytes: 512 * 1024 });
  const written = append(2);
  await flush();
  const [name] = names(disk);
  const path = `${directory}/${name ?? ''}`;
  const content = disk.bytesOf(path);
  assert.equal(content.length, 16 + 512 * 1024);
  assert.deepEqual(content.subarray(16, 16 + written.length), written);
  assert.ok(content.subarray(16 + written.length).every((byte) => byte === 0));
  const writes = (): number =>
    calls.filter((call) => call.name === 'write' && call.path === path).length;
  const before = writes();
  let [flushes, bytes] = [0, 0];
  for (; bytes < 400 * 1024; flushes++) {
    bytes += append(20).length;
    await flush();
  }
  const fills = writes() - before - flushes;
  assert.ok(fills >= 1 && fills <= 3, `${fills} fills for ${flushes} flushes`);
});
