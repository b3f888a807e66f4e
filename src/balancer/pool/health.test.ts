import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../discovery/clock.fixture.js';
import type { ServerFigures } from '../../protocol/four-letter-words.js';
import { BackendHealth, healthDefaults, type Checkup } from './health.js';
import { HealthCheck } from './health-check.js';
import { HealthWatch } from './health-watch.js';
import { Farm } from './servers.fixture.js';
import { ZxidProgress } from './zxid-progress.js';

const figures: ServerFigures = {
  ...{ version: '3.9.5', mode: 'follower', zxid: 5n, latencyMs: null, received: 1, sent: 1 },
  ...{ connections: 1, outstanding: 0, nodeCount: 5 },
};

const well = (facts: Partial<ServerFigures> = {}): Checkup => ({
  ...{ kind: 'figures', isReadOnly: null, tookMs: 1 },
  figures: { ...figures, ...facts },
});
const timedOut: Checkup = { kind: 'failed', error: 'no answer', isSure: false };

test('one bad answer is bad luck, two in a row are not', () => {
  const health = new BackendHealth(healthDefaults);
  assert.equal(health.state, 'unknown');
  assert.equal(health.take(well(), 0), true);
  assert.equal(health.take(timedOut, 0), false);
  assert.equal(health.take(well(), 0), false);
  assert.equal(health.take(timedOut, 0), false);
  assert.equal(health.state, 'healthy');
  assert.equal(health.take(timedOut, 0), true);
  assert.equal(health.state, 'down');
  assert.equal(health.reason, 'no answer');
});

test('a refused connection and a server that says it does not serve leave no doubt', () => {
  for (const checkup of [
    { kind: 'failed', error: 'ECONNREFUSED', isSure: true },
    { kind: 'not-serving' },
  ] as const) {
    const health = new BackendHealth(healthDefaults);
    health.take(well(), 0);
    health.take(checkup, 0);
    assert.equal(health.state, 'down');
  }
});

test('back again takes two good answers, the first time ever one', () => {
  const health = new BackendHealth(healthDefaults);
  health.take(well(), 0);
  assert.equal(health.state, 'healthy');
  health.take({ kind: 'not-serving' }, 0);
  health.take(well(), 0);
  assert.equal(health.state, 'down');
  health.take(well(), 0);
  assert.equal(health.state, 'healthy');
  assert.equal(health.reason, null);
});

test('who lags or has too much to do is sick, not down', () => {
  const health = new BackendHealth(healthDefaults);
  health.take(well(), 0);
  for (let i = 0; i < 2; i++) health.take(well(), 12_000);
  assert.equal(health.state, 'sick');
  assert.equal(health.reason, 'it lags 12 s behind');
  for (let i = 0; i < 2; i++) health.take(well(), 0);
  for (let i = 0; i < 2; i++) health.take(well({ outstanding: 20_000 }), 0);
  assert.equal(health.state, 'sick');
  assert.equal(health.reason, '20000 requests are outstanding');
});

test('without a quorum it may be well, and nobody holds its zxid against it', () => {
  const health = new BackendHealth(healthDefaults);
  for (let i = 0; i < 3; i++) health.take(well({ mode: 'read-only' }), 60_000);
  assert.equal(health.state, 'healthy');
  assert.equal(health.isReadOnly, true);
  health.take(well(), 0);
  assert.equal(health.isReadOnly, false);
});

test('lag is a time: a zxid that others have known for so long', () => {
  const progress = new ZxidProgress();
  progress.saw(100n, 1_000);
  progress.saw(200n, 2_000);
  progress.saw(150n, 2_500); // an older answer is no progress
  assert.equal(progress.newest, 200n);
  assert.equal(progress.lagMs(200n, 3_000), 0);
  assert.equal(progress.lagMs(150n, 3_000), 1_000);
  assert.equal(progress.lagMs(50n, 3_000), 2_000);
  assert.equal(progress.lag(150n), 50);
  assert.equal(progress.lag(0x1_0000_0001n), null);
});

test('under load nobody lags for being asked at another time', () => {
  const progress = new ZxidProgress();
  let worstMs = 0;
  for (let ms = 0; ms < 60_000; ms += 100) {
    // three servers, asked in turn, each with what was committed at that moment
    const zxid = BigInt(ms * 10);
    worstMs = Math.max(worstMs, progress.lagMs(zxid, ms));
    progress.saw(zxid, ms);
  }
  assert.equal(worstMs, 0);
  assert.ok(Math.abs(progress.lagMs(300_000n, 60_000) - 30_000) < 2_000);
});

function checkOf(facts: Parameters<Farm['add']>[1]): {
  readonly clock: ManualClock;
  readonly farm: Farm;
  readonly check: HealthCheck;
  readonly run: () => Promise<Checkup>;
} {
  const clock = new ManualClock();
  const farm = new Farm(clock);
  farm.add('zk0:2181', facts);
  const check = new HealthCheck({ host: 'zk0', port: 2181 }, clock, farm, 1_000);
  const run = async (): Promise<Checkup> => {
    const checkup = check.run();
    await clock.advance(3_000);
    return await checkup;
  };
  return { clock, farm, check, run };
}

test('srvr alone is enough: words that are not whitelisted are asked once', async () => {
  const { farm, run } = checkOf({ mode: 'leader', zxid: 0x2_0000_0007n });
  for (let i = 0; i < 3; i++) {
    const checkup = await run();
    assert.ok(checkup.kind === 'figures');
    assert.equal(checkup.figures.mode, 'leader');
    assert.equal(checkup.figures.zxid, 0x2_0000_0007n);
  }
  assert.deepEqual(farm.servers.get('zk0:2181')!.asked.sort(), [
    ...['conf', 'isro', 'mntr', 'srvr', 'srvr', 'srvr'],
  ]);
  assert.equal(farm.open, 0);
});

test('isro and mntr add to it where they are whitelisted, conf says how many may connect', async () => {
  const words = ['srvr', 'isro', 'mntr', 'conf'];
  const { check, run } = checkOf({ words, mode: 'read-only', outstanding: 7 });
  const checkup = await run();
  assert.equal(checkup.kind === 'figures' && checkup.isReadOnly, true);
  assert.equal(checkup.kind === 'figures' && checkup.figures.outstanding, 7);
  assert.equal(check.connectionsMax, 60);
});

test('ruok is not asked: it proves nothing', async () => {
  const { farm, run } = checkOf({ words: ['ruok', 'srvr'], state: 'not-serving' });
  assert.deepEqual(await run(), { kind: 'not-serving' });
  assert.equal(farm.servers.get('zk0:2181')!.asked.includes('ruok'), false);
});

test('nobody listens, nobody answers, somebody hangs up', async () => {
  const refusing = await checkOf({ state: 'refusing' }).run();
  assert.equal(refusing.kind === 'failed' && refusing.isSure, true);
  const silent = checkOf({ state: 'silent' });
  assert.deepEqual(await silent.run(), {
    ...{ kind: 'failed', error: 'no answer to srvr within 1000 ms', isSure: false },
  });
  assert.equal(silent.farm.open, 0);
  const hangingUp = await checkOf({ state: 'hanging-up' }).run();
  assert.equal(hangingUp.kind === 'failed' && hangingUp.isSure, false);
});

test('a server with no words at all is only known to be there', async () => {
  const checkup = await checkOf({ words: [] }).run();
  assert.equal(checkup.kind, 'mute');
  const health = new BackendHealth(healthDefaults);
  health.take(checkup, 0);
  assert.equal(health.state, 'healthy');
  assert.equal(health.mode, null);
});

test('checks come at intervals with jitter, sooner while it is not well, at once after a loss', async () => {
  const clock = new ManualClock();
  const times: number[] = [];
  let isWell = true;
  let roll = 0;
  const watch = new HealthWatch(
    {
      clock,
      random: () => [0, 0.5, 0.999][roll++ % 3]!,
      run: () => {
        times.push(clock.monotonicMs() - 1_000_000);
        return Promise.resolve({ kind: 'not-serving' as const });
      },
      onCheckup: () => isWell,
    },
    { intervalMs: 2_000, retryMs: 300, jitter: 0.2 },
  );
  watch.start();
  await clock.advance(6_500);
  const gaps = times.slice(1).map((time, index) => Math.round(time - times[index]!));
  assert.deepEqual(gaps, [1_600, 2_000, 2_399]);
  watch.hurry();
  await clock.advance(0);
  const before = times.length;
  assert.deepEqual(times.slice(4), [6_500]);
  isWell = false;
  watch.hurry();
  await clock.advance(1_000);
  assert.ok(times.length - before >= 3);
  watch.stop();
  await clock.advance(60_000);
  assert.equal(clock.pendingTimers, 0);
});
