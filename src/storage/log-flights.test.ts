import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import type { Clock } from '../ports/clock.js';
import { DiskError, type DiskFile } from '../ports/disk.js';
import { silentLogger } from '../ports/logger.js';
import { History } from '../sim/crash/history.js';
import { stillClock } from '../sim/crash/world.js';
import { SimDisk } from '../sim/disk.js';
import { LogWriter } from './log-writer.js';
import { readTailMark } from './tail-mark.js';

const directory = '/log/version-2';

/** A log whose flushes end when a test says so, having taken as long as it says. */
class HeldLog {
  readonly disk = new SimDisk();
  readonly writer: LogWriter;
  /** Flushes under way, the oldest first. */
  readonly held: ((error: DiskError | null) => void)[] = [];
  /** What has been told of, by the numbers that `write` gave. */
  told: number[] = [];
  readonly fatal: Error[] = [];
  readonly #history = new History(new SeededRandom(7));
  #nowMs = 0;
  #written = 0;

  constructor() {
    const { disk } = this;
    const openNow = disk.openNow.bind(disk);
    disk.openNow = (path, mode): DiskFile => this.#hold(openNow(path, mode));
    disk.makeDirectoryNow(directory);
    disk.syncDirectoryNow('/log');
    disk.syncDirectoryNow('/');
    const clock: Clock = { ...stillClock, monotonicMs: () => this.#nowMs };
    this.writer = new LogWriter(
      {
        ...{ disk, clock, logger: silentLogger, directory, preAllocBytes: 65536 },
        ...{ txnLogSizeLimitBytes: -1, forceSync: true, fsyncWarningMs: 1000 },
        onFatal: (error) => {
          this.fatal.push(error);
        },
      },
      0n,
    );
  }

  /** One record, and a flush for it. */
  write(): number {
    const number = this.#written++;
    this.writer.append(this.#history.next(1));
    this.writer.flush(() => this.told.push(number));
    return number;
  }

  end(index: number, tookMs: number, error: DiskError | null = null): void {
    const [finish] = this.held.splice(index, 1);
    assert.ok(finish, 'it is under way');
    this.#nowMs += tookMs;
    finish(error);
  }

  /** The log is open and its flushes have taken so long, on average. */
  async warm(tookMs: number): Promise<void> {
    for (let i = 0; i < 50; i++) {
      this.write();
      while (this.told.length <= i) {
        if (this.held.length > 0) this.end(0, tookMs);
        else await nextTurn();
      }
    }
    this.told = [];
  }

  /** As far as the tail mark says. */
  durable(): number {
    return readTailMark(this.disk, directory)?.offset ?? 0;
  }

  endAll(tookMs: number): void {
    while (this.held.length > 0) this.end(0, tookMs);
  }

  #hold(file: DiskFile): DiskFile {
    if (!file.path.includes('/log.')) return file;
    const flush = file.flush.bind(file);
    file.flush = (done): void => {
      this.held.push((error) => {
        if (error === null) flush(done);
        else done(error);
      });
    };
    return file;
  }
}

test('a quick disk has one flush under way, and the next one is shared', async () => {
  const log = new HeldLog();
  await log.warm(0.2);
  assert.equal(log.writer.flushesMax, 1);
  const numbers = [log.write(), log.write(), log.write()];
  assert.equal(log.held.length, 1);
  log.end(0, 0.2);
  assert.equal(log.held.length, 1);
  log.end(0, 0.2);
  assert.deepEqual(log.told, numbers);
});

test('where a flush takes milliseconds several are under way, and no more than that', async () => {
  const log = new HeldLog();
  await log.warm(8);
  assert.equal(log.writer.flushesMax, 4);
  const numbers = Array.from({ length: 6 }, () => log.write());
  assert.equal(log.held.length, 4);
  log.end(0, 8);
  assert.deepEqual(log.told, numbers.slice(0, 1));
  assert.equal(log.held.length, 4, 'those that waited share the next one');
  for (let i = 0; i < 4; i++) log.end(0, 8);
  assert.deepEqual(log.told, numbers);
});

test('nobody is told before those who came earlier, whichever flush ends first', async () => {
  const log = new HeldLog();
  await log.warm(8);
  const before = log.durable();
  const numbers = [log.write(), log.write(), log.write()];
  log.end(2, 8);
  log.end(1, 8);
  assert.deepEqual(log.told, []);
  assert.equal(log.durable(), before, 'the mark claims nothing either');
  log.end(0, 8);
  assert.deepEqual(log.told, numbers);
  assert.ok(log.durable() > before);
});

test('an error of one ends it: a later flush that ended well has not heard of it', async () => {
  const log = new HeldLog();
  await log.warm(8);
  log.write();
  log.write();
  log.end(1, 8);
  log.end(0, 8, new DiskError('EIO', '/log', 'of an earlier page'));
  assert.deepEqual(log.told, []);
  assert.equal(log.fatal.length, 1);
  log.write();
  assert.equal(log.held.length, 0);
});

test('a log that must grow or roll does it with no flush under way', async () => {
  const log = new HeldLog();
  await log.warm(8);
  const numbers = [log.write(), log.write()];
  log.writer.roll();
  numbers.push(log.write());
  assert.equal(log.held.length, 2);
  log.end(0, 8);
  assert.deepEqual(log.told, numbers.slice(0, 1));
  log.end(0, 8);
  for (let i = 0; i < 20; i++) await nextTurn();
  log.endAll(8);
  for (let i = 0; i < 20; i++) await nextTurn();
  assert.deepEqual(log.told, numbers);
  const logs = log.disk.listNow(directory).filter(({ name }) => name.startsWith('log.'));
  assert.equal(logs.length, 2);
});
