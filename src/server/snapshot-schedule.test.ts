import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../ports/clock.js';
import { silentLogger, type Logger } from '../ports/logger.js';
import { AbandonedError } from '../storage/pace.js';
import { Timeline } from '../sim/clock.js';
import { SnapshotSchedule, type SnapshotScheduleOptions } from './snapshot-schedule.js';

function bench(
  given: Partial<SnapshotScheduleOptions>,
  snapshot: () => Promise<{ readonly bytes: number }>,
) {
  const timeline = new Timeline();
  const clock: Clock = {
    wallMs: () => timeline.nowMs,
    monotonicMs: () => timeline.nowMs,
    after: (delayMs, run) => timeline.after(delayMs, run),
    soon: (run) => timeline.after(0, run),
  };
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (text) => errors.push(text) };
  const options = {
    snapCount: 100,
    snapLogPercent: 50,
    snapSizeLimitBytes: -1,
    snapshotIntervalMs: 0,
    purgeIntervalMs: 0,
    ...given,
  };
  const hurried: true[] = [];
  const work = {
    snapshot,
    hurry: () => hurried.push(true),
    purge: () => Promise.resolve([]),
    fraction: () => 0.5,
  };
  const schedule = new SnapshotSchedule(options, work, clock, logger);
  return { timeline, errors, hurried, schedule };
}

/** Lets what is promised happen. */
const settle = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test('an interval takes a snapshot after writes, and none of a quiet tree', async () => {
  let taken = 0;
  const { timeline, schedule } = bench({ snapshotIntervalMs: 1000 }, () => {
    taken++;
    return Promise.resolve({ bytes: 1000 });
  });
  schedule.start();
  while (timeline.step(3500));
  await settle();
  assert.equal(taken, 0);
  schedule.onLogged(1, 100);
  while (timeline.step(4500));
  await settle();
  assert.equal(taken, 1);
  while (timeline.step(9500));
  await settle();
  assert.equal(taken, 1);
  await schedule.stop();
  while (timeline.step(60_000));
  assert.equal(timeline.nowMs, 60_000, 'nothing is left on the timeline');
});

test('a snapshot is due within snapCount; one that fails is told and does not end anything', async () => {
  const { errors, schedule } = bench({}, () => Promise.reject(new Error('no space')));
  schedule.onLogged(60, 0);
  await settle();
  assert.equal(errors.length, 0, 'between half of snapCount and all of it, here at 75');
  schedule.onLogged(20, 0);
  await settle();
  assert.equal(errors.length, 1);
  schedule.onLogged(100, 0);
  await settle();
  assert.equal(errors.length, 2);
});

test('a snapshot abandoned by the stop is no failure', async () => {
  let abandon: (error: Error) => void = () => undefined;
  const { errors, schedule } = bench(
    {},
    () =>
      new Promise((_resolve, reject) => {
        abandon = reject;
      }),
  );
  void schedule.take();
  const stopped = schedule.stop();
  abandon(new AbandonedError('abandoned'));
  await stopped;
  assert.deepEqual(errors, []);
});

test('one that is overtaken by the log is hurried', () => {
  const { hurried, schedule } = bench({}, () => new Promise(() => undefined));
  schedule.onLogged(80, 0);
  schedule.onLogged(49, 0);
  assert.equal(hurried.length, 0);
  schedule.onLogged(1, 0);
  assert.equal(hurried.length, 1);
});

test('a count waits until there is enough to be replayed, beside the size of the last snapshot', async () => {
  const taken: number[] = [];
  const { schedule } = bench({ snapLogPercent: 50 }, () => {
    taken.push(taken.length);
    return Promise.resolve({ bytes: 10_000 });
  });
  schedule.onLogged(100, 1000);
  await settle();
  assert.equal(taken.length, 1, 'how large the first one will be, nobody knows');
  schedule.onLogged(100, 4999);
  await settle();
  assert.equal(taken.length, 1);
  schedule.onLogged(1, 1);
  await settle();
  assert.equal(taken.length, 2);
});

test('a limit of size, or no share, does not wait', async () => {
  for (const given of [{ snapLogPercent: 0 }, { snapSizeLimitBytes: 2000 }]) {
    let taken = 0;
    const { schedule } = bench(given, () => {
      taken++;
      return Promise.resolve({ bytes: 1_000_000 });
    });
    for (let i = 0; i < 3; i++) {
      schedule.onLogged(100, 2000);
      await settle();
    }
    assert.equal(taken, 3);
  }
});
