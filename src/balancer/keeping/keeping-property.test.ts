import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.js';
import { checkView } from './client-view.fixture.js';
import { paths, RandomClient } from './random-client.fixture.js';
import { Stage } from './stage.fixture.js';

const SEEDS = Number(process.env['SEEDS'] ?? 40);

interface Tally {
  masked: number;
  moved: number;
  dropped: number;
  events: number;
  answers: number;
}

type Kind = 'zabra' | 'apache' | 'mixed';

async function play(seed: number, tally: Tally, kind: Kind): Promise<void> {
  const random = new SeededRandom(seed);
  const stage = await Stage.start(3, {
    seed,
    quality: { jitterMs: random.fraction() * 3, cut: 0.3, cutToBytes: 0.05 },
    settings: { connectAttemptMs: 300, attachTimeoutMs: 500, quiesceTimeoutMs: 50 },
  });
  stage.ensemble.servers.forEach((server, i) => {
    server.isApache = kind === 'apache' || (kind === 'mixed' && i === 0);
  });
  stage.ensemble.delayMs = random.fraction() * 15;
  const raw = await stage.openClient(6000);
  raw.keepPinging(1000);
  const client = new RandomClient(raw, random, {
    outstandingMax: random.pick([1, 2, 4, 12]),
    writes: random.pick([0, 0.1, 0.4]),
    lastingWatches: random.pick([0, 0.05, 0.3]),
  });
  for (let turn = 0; turn < 120; turn++) {
    client.step();
    if (random.chance(0.4)) changeSomething(stage, random);
    if (random.chance(0.06)) harm(stage, random);
    if (random.chance(0.04) && stage.keeper.size > 0) {
      stage.backends.preferred = random.pick(stage.backends.list);
      void stage.session.move('drain').then((outcome) => {
        if (outcome === 'moved') tally.moved++;
      });
    }
    await stage.pass(random.fraction() * 30);
  }
  for (const server of stage.ensemble.servers) {
    server.isLagging = false;
    if (!server.isAlive) await server.start();
  }
  if (!raw.isClosed) client.ask();
  await stage.pass(3000);
  checkView(raw, client.asked, stage.ensemble, !raw.isClosed);
  assert.equal(raw.isClosed, stage.dropped.length > 0);
  tally.masked += stage.masked.length;
  tally.dropped += stage.dropped.length;
  tally.events += raw.events.length;
  tally.answers += raw.replies.length;
  await stage.keeper.stop();
}

/** Somebody else's doing. */
function changeSomething({ ensemble }: Stage, random: SeededRandom): void {
  const path = random.pick(paths);
  const { tree } = ensemble;
  const parent = path.length > 2 ? path.slice(0, 2) : '/';
  if (!tree.has(path)) {
    if (tree.has(parent)) ensemble.change({ kind: 'create', path, data: 'w' });
  } else if (random.chance(0.5)) ensemble.change({ kind: 'set', path, data: 'v' });
  else if (tree.childrenOf(path).length === 0) {
    if (random.chance(0.5)) ensemble.change({ kind: 'delete', path });
    else {
      // two changes with one zxid
      const data = 'z';
      ensemble.change({ kind: 'delete', path }, { kind: 'create', path, data });
    }
  }
}

function harm(stage: Stage, random: SeededRandom): void {
  const server = random.pick(stage.ensemble.servers);
  if (!server.isAlive) {
    void server.start();
    return;
  }
  switch (random.below(4)) {
    case 0:
      server.isLagging = true;
      stage.timeline.after(random.fraction() * 200, () => {
        server.isLagging = false;
        server.onCommitted();
      });
      return;
    case 1: {
      const { connections } = server;
      if (connections.length > 0) random.pick(connections).hangUp();
      return;
    }
    default:
      server.kill();
      stage.timeline.after(random.fraction() * 300, () => {
        if (!server.isAlive) void server.start();
      });
  }
}

async function playAll(firstSeed: number, kind: Kind): Promise<Tally> {
  const tally = { masked: 0, moved: 0, dropped: 0, events: 0, answers: 0 };
  for (let seed = firstSeed; seed < firstSeed + SEEDS; seed++) {
    try {
      await play(seed, tally, kind);
    } catch (problem) {
      throw new Error(`seed ${seed}: ${(problem as Error).message}`, { cause: problem });
    }
  }
  return tally;
}

void test('a client sees one server that never failed, or its connection ends', async () => {
  const tally = await playAll(1, 'zabra');
  assert.ok(tally.masked > SEEDS && tally.moved > SEEDS && tally.events > 10 * SEEDS);
  assert.ok(tally.dropped < SEEDS / 10);
});

void test('so it does before servers that know nothing of the extension', async () => {
  const tally = await playAll(10_001, 'apache');
  assert.ok(tally.masked > 0 && tally.moved > 0 && tally.dropped > 0);
});

void test('and before both kinds', async () => {
  const tally = await playAll(20_001, 'mixed');
  assert.ok(tally.masked > 0 && tally.moved > 0 && tally.dropped > 0);
});
