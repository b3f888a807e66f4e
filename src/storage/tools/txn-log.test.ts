import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.js';
import { silentLogger } from '../../ports/logger.js';
import { TxnBatch } from '../../protocol/txn-batch.js';
import { History } from '../../sim/crash/history.js';
import { stillClock } from '../../sim/crash/world.js';
import { SimDisk } from '../../sim/disk.js';
import { LogWriter } from '../log-writer.js';
import {
  javaDecodeLong,
  javaHashOrder,
  javaHexPadded,
  javaStringHash,
  juteString,
} from './java-text.js';
import type { TimeText } from './time-text.js';
import { ToolError } from './tool-error.js';
import { chopLog, dumpLog, readLog, repairLog } from './txn-log.js';

const path = '/v/log.1';
const time: TimeText = { short: String, long: String };

async function logOf(epochs: readonly number[]): Promise<SimDisk> {
  const disk = new SimDisk();
  disk.makeDirectoryNow('/v');
  const history = new History(new SeededRandom(5));
  const writer = new LogWriter(
    {
      disk,
      clock: stillClock,
      logger: silentLogger,
      directory: '/v',
      preAllocBytes: 8192,
      txnLogSizeLimitBytes: -1,
      forceSync: true,
      fsyncWarningMs: 1000,
      onFatal(error) {
        throw error;
      },
    },
    0n,
  );
  for (const count of epochs) {
    writer.append(history.next(count, new TxnBatch()));
    await new Promise<void>((resolve) => {
      writer.flush(resolve);
    });
    history.nextEpoch();
  }
  writer.close();
  return disk;
}

function zxidOf(line: string): bigint {
  return BigInt(/zxid (0x[0-9a-f]+)/.exec(line)?.[1] ?? '-1');
}

function txnLines(lines: readonly string[]): string[] {
  return lines.filter((line) => line.includes(' session 0x'));
}

test('a dump has one entry for each transaction', async () => {
  const disk = await logOf([5, 3]);
  const lines = [...dumpLog(disk, path, time)];
  assert.equal(lines[0], 'ZooKeeper Transactional Log File with dbid 0 txnlog format version 2');
  assert.equal(lines.at(-1), 'EOF reached after 8 txns.');
  const expected = [1n, 2n, 3n, 4n, 5n, 0x100000001n, 0x100000002n, 0x100000003n];
  assert.deepEqual(txnLines(lines).map(zxidOf), expected);
});

test('a wrong checksum is shown, and mended in a copy', async () => {
  const disk = await logOf([6]);
  const third = [...readLog(disk, path)][2];
  assert.ok(third);
  disk.corrupt(path, third.offset + 5, 3);
  const dumped = [...dumpLog(disk, path, time)];
  assert.equal(dumped.filter((line) => line.startsWith('CRC ERROR - ')).length, 1);
  assert.equal(
    [...readLog(disk, path)].filter(({ isChecksumRight }) => !isChecksumRight).length,
    1,
  );

  const mended = [...repairLog(disk, path, time, { verbose: false, ask: null })];
  assert.deepEqual(
    txnLines(mended).map((line) => line.slice(0, 12)),
    ['CRC FIXED - '],
  );
  assert.equal(
    mended.at(-1),
    `Recovery file ${path}.fixed has been written with 1 fixed CRC error(s)`,
  );
  const fixed = [...readLog(disk, `${path}.fixed`)];
  assert.equal(fixed.length, 6);
  assert.ok(fixed.every(({ isChecksumRight }) => isChecksumRight));
  assert.equal(disk.sizeNow(`${path}.fixed`), 16 + 64 * 1024 * 1024);
  assert.throws(
    () => [...repairLog(disk, path, time, { verbose: false, ask: null })],
    (error) =>
      error instanceof ToolError && error.exitCode === 1 && /already exists/.test(error.message),
  );
});

test('whoever is asked decides', async () => {
  for (const [answer, right] of [
    ['yes', 6],
    ['no', 5],
  ] as const) {
    const disk = await logOf([6]);
    disk.corrupt(path, ([...readLog(disk, path)][1]?.offset ?? 0) + 6, 1);
    const asked: string[] = [];
    const ask = (line: string): 'yes' | 'no' => {
      asked.push(line);
      return answer;
    };
    const lines = [...repairLog(disk, path, time, { verbose: true, ask })];
    assert.equal(asked.length, 1);
    assert.equal(txnLines(lines).length, 7, 'all of them, and the wrong one once more');
    const fixed = [...readLog(disk, `${path}.fixed`)];
    assert.equal(fixed.filter(({ isChecksumRight }) => isChecksumRight).length, right);
  }
  const disk = await logOf([6]);
  disk.corrupt(path, 16 + 5, 1);
  assert.throws(
    () => [...repairLog(disk, path, time, { verbose: false, ask: () => 'abort' })],
    (error) => error instanceof ToolError && error.exitCode === 0,
  );
});

test('a log is cut after the transaction that was named', async () => {
  const disk = await logOf([4, 4]);
  const lines = [...chopLog(disk, path, 3n)];
  assert.equal(lines.at(-1), 'Chopping at 3 new log has 3 records');
  const whole = disk.bytesOf(path);
  const chopped = disk.bytesOf(`${path}.chopped3`);
  assert.deepEqual(chopped, whole.subarray(0, chopped.length));
  assert.equal([...readLog(disk, `${path}.chopped3`)].length, 3);

  assert.equal([...chopLog(disk, path, 0x77n)].at(-2), 'This log does not contain zxid 77');
  assert.equal([...chopLog(disk, path, 1n << 40n)].at(-1), 'Got exception: Failed to chop log.1');
});

test("what is no log is refused with Apache's exit codes", async () => {
  const disk = await logOf([1]);
  disk.openNow('/v/log.9', 'create').closeNow();
  assert.throws(
    () => [...dumpLog(disk, '/v/log.9', time)],
    (error) => error instanceof ToolError && error.exitCode === 2,
  );
  assert.throws(
    () => [...dumpLog(disk, '/v/log.8', time)],
    (error) => error instanceof ToolError && error.exitCode === 1,
  );
});

test("numbers and strings are Java's", () => {
  assert.equal(javaDecodeLong('0x1F'), 31n);
  assert.equal(javaDecodeLong('-#10'), -16n);
  assert.equal(javaDecodeLong('017'), 15n);
  assert.equal(javaDecodeLong('0'), 0n);
  assert.equal(javaDecodeLong('9223372036854775808'), null);
  assert.equal(javaDecodeLong('12x'), null);
  assert.equal(javaHexPadded(0n), '0x00000000000000');
  assert.equal(javaHexPadded(-1n), '0xffffffffffffffff');
  assert.equal(juteString('a,b}%\n'), "'a%2Cb%7D%25%0A");
  assert.equal(javaStringHash('hello'), 99162322);
  assert.equal(javaStringHash('polygenelubricants'), -2147483648);
  const seven = ['a', 'b', 'c', 'd', 'e', 'f', 'i'];
  // 'a' is 97 and 'i' 105: the same bucket of 8, another one of 16
  assert.deepEqual(javaHashOrder(seven.slice(0, 3).concat('i'), javaStringHash, 8), [
    'a',
    'i',
    'b',
    'c',
  ]);
  assert.deepEqual(javaHashOrder(seven, javaStringHash, 8), ['a', 'b', 'c', 'd', 'e', 'f', 'i']);
});
