import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import { BackupCommands, type BackupAnswer, type BackupRequest } from './backup-commands.js';
import { writeJson } from './json.js';
import { FixtureView } from './view.fixture.js';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

class Bench {
  nowMs = 0;
  readonly view = new FixtureView('idle');
  readonly #commands: BackupCommands;

  constructor() {
    const clock: Partial<Clock> = { monotonicMs: () => this.nowMs };
    this.#commands = new BackupCommands(clock as Clock, silent);
  }

  async ask(name: string, given: Partial<BackupRequest> = {}): Promise<BackupAnswer> {
    const done = await this.#commands.run(
      name,
      {
        method: name.startsWith('snap') ? 'GET' : 'POST',
        authorization: 'digest super:secret',
        remoteAddress: '10.0.0.7',
        params: new Map(),
        body: nothing(),
        ...given,
      },
      this.view,
    );
    assert.ok(done !== null);
    return done;
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- a body that ends at once
async function* nothing(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(1);
}

function fieldsOf({ body }: BackupAnswer): Record<string, unknown> {
  return JSON.parse([...writeJson(body)].join('')) as Record<string, unknown>;
}

test('a snapshot is streamed, with its zxid and its size, unless that is not wanted', async () => {
  const bench = new Bench();
  const { status, headers, file } = await bench.ask('snapshot');
  assert.equal(status, 200);
  assert.deepEqual(headers, { last_zxid: '0x64', snapshot_size: '1234' });
  assert.deepEqual(file, { path: '/data/version-2/snapshot.64', bytes: 1234 });
  bench.nowMs = 400;
  const params = new Map([['streaming', 'false']]);
  const quiet = await bench.ask('snap', { params });
  assert.equal(quiet.file, undefined);
  assert.deepEqual(fieldsOf(quiet), { command: 'snapshot', error: null });
});

test('who asks must show who he is, and that he may', async () => {
  const bench = new Bench();
  for (const name of ['snapshot', 'restore']) {
    const missing = await bench.ask(name, { authorization: null });
    assert.equal(missing.status, 401);
    const error = 'Auth info is missing for the command';
    assert.deepEqual(fieldsOf(missing), { command: name, error });
    assert.equal((await bench.ask(name, { authorization: 'nobody knows' })).status, 401);
    assert.equal((await bench.ask(name, { authorization: 'digest a:b' })).status, 403);
  }
  assert.deepEqual(bench.view.done, []);
});

test('one in each interval: of Apache, microseconds for snapshots and milliseconds for restores', async () => {
  const bench = new Bench();
  assert.equal((await bench.ask('snapshot')).status, 200);
  assert.equal((await bench.ask('snapshot')).status, 429);
  bench.nowMs = 301;
  assert.equal((await bench.ask('snapshot')).status, 200);
  assert.equal((await bench.ask('restore')).status, 500);
  assert.equal((await bench.ask('restore')).status, 429);
  bench.nowMs = 300_001;
  assert.equal((await bench.ask('restore')).status, 500);
});

test('a disk that refuses what arrives is told, and nothing is restored', async () => {
  const bench = new Bench();
  const answer = await bench.ask('rest');
  assert.deepEqual(fieldsOf(answer), { command: 'restore', error: 'no room' });
  assert.deepEqual(bench.view.done, []);
});

test('what is switched off says so, and each has its method', async () => {
  const bench = new Bench();
  assert.equal((await bench.ask('snapshot', { method: 'POST' })).status, 405);
  assert.equal((await bench.ask('restore', { method: 'GET' })).status, 405);
  const config = { ...bench.view.config, adminSnapshotEnabled: false, adminRestoreEnabled: false };
  Object.assign(bench.view, { config });
  assert.equal((await bench.ask('snapshot')).status, 503);
  assert.equal((await bench.ask('restore')).status, 503);
  bench.view.isServing = false;
  assert.match(String(fieldsOf(await bench.ask('snapshot'))['error']), /not currently serving/);
});
