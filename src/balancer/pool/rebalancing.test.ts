import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  Backend,
  MoveOutcome,
  MoveReason,
  SessionState,
  SessionView,
} from '../keeping/keeping-types.js';
import { Rebalancing, type RebalancingOptions } from './rebalancing.js';
import { needOf, PoolScene } from './servers.fixture.js';
import type { BackendPoolOptions } from './backend-options.js';

/** A session that moves in `tookMs` of the scene's time. */
class FakeSession implements SessionView {
  readonly #crowd: Crowd;
  readonly origin;
  backend: Backend | null;
  state: SessionState = 'open';
  obstacle: string | null = null;
  outcome: MoveOutcome = 'moved';
  mark: unknown = null;
  readonly id = 1n;
  readonly timeoutMs = 10_000;
  readonly watches = 0;
  readonly outstanding = 0;
  readonly isReadOnly = false;
  readonly authSchemes: readonly string[] = [];
  readonly budgetMs = null;
  readonly requestCount = 0;
  readonly bytesIn = 0;
  readonly bytesOut = 0;
  readonly establishedMs = 0;

  constructor(crowd: Crowd, backend: Backend, zone: string | null) {
    this.#crowd = crowd;
    this.backend = backend;
    this.origin = needOf(zone === null ? {} : { zone }).origin;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  move(reason: MoveReason): Promise<MoveOutcome> {
    return this.#crowd.move(this, reason);
  }

  drop(): void {
    assert.fail('nobody is dropped for evenness');
  }
}

class Crowd {
  readonly scene: PoolScene;
  readonly sessions: FakeSession[] = [];
  readonly rebalancing: Rebalancing;
  readonly moves: { readonly atMs: number; readonly reason: MoveReason }[] = [];
  underWay = 0;
  mostUnderWay = 0;
  tookMs = 5;

  constructor(options: BackendPoolOptions = {}, rebalancing: Partial<RebalancingOptions> = {}) {
    this.scene = new PoolScene({
      ...{ roles: 'any', slowStart: false },
      ...options,
      hooks: {
        onVacate: (backend, reason) => {
          this.rebalancing.vacate(backend, reason);
        },
      },
    });
    const { world, pool } = this.scene;
    this.rebalancing = new Rebalancing(world, pool, () => this.sessions, rebalancing);
  }

  come(count: number, zone: string | null = null): void {
    for (const backend of this.scene.attach(count, zone === null ? {} : { zone })) {
      this.sessions.push(new FakeSession(this, backend, zone));
    }
  }

  /** As the data path would: all sessions of a server that died go elsewhere at once. */
  lose(index: number): void {
    const lost = this.scene.backend(index);
    for (const session of this.sessions) {
      if (session.backend !== lost) continue;
      this.scene.pool.onLost(lost);
      this.#reattach(session);
    }
  }

  async move(session: FakeSession, reason: MoveReason): Promise<MoveOutcome> {
    this.moves.push({ atMs: this.scene.clock.monotonicMs(), reason });
    if (session.outcome !== 'moved') return session.outcome;
    session.state = 'moving';
    this.underWay++;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    await new Promise<void>((resolve) => this.scene.clock.after(this.tookMs, resolve));
    this.#reattach(session);
    session.state = 'open';
    this.underWay--;
    return 'moved';
  }

  get counts(): number[] {
    return this.scene.sessions;
  }

  #reattach(session: FakeSession): void {
    const before = session.backend!;
    const { pool } = this.scene;
    const { zone } = session.origin;
    const excluded = new Set([before]);
    const next = pool.choose(needOf(zone === null ? { excluded } : { excluded, zone }));
    if (next === null) return;
    pool.onAttaching(next);
    pool.onAttached(next, { isZabra: true, isReadOnly: false, latencyMs: 1 });
    pool.onDetached(before);
    session.backend = next;
  }
}

test('after a rolling restart connections even out by themselves, at a bounded rate', async () => {
  const crowd = new Crowd({}, { movesPerSecond: 20 });
  await crowd.scene.begin([{}, {}, {}]);
  crowd.rebalancing.start();
  crowd.come(300);
  for (const index of [0, 1, 2]) {
    crowd.scene.server(index).state = 'refusing';
    crowd.lose(index);
    await crowd.scene.clock.advance(1_000);
    crowd.scene.server(index).state = 'serving';
    await crowd.scene.clock.advance(1_500);
  }
  assert.ok(Math.max(...crowd.counts) > 140, crowd.counts.join());
  await crowd.scene.clock.advance(30_000);
  assert.ok(Math.max(...crowd.counts) <= 110, crowd.counts.join());
  assert.equal(
    crowd.counts.reduce((sum, count) => sum + count, 0),
    300,
  );
  for (const { atMs } of crowd.moves) {
    const within = crowd.moves.filter((move) => move.atMs >= atMs && move.atMs < atMs + 1_000);
    assert.ok(within.length <= 21);
  }
  const moved = crowd.moves.length;
  await crowd.scene.clock.advance(60_000);
  assert.equal(crowd.moves.length, moved); // at rest
  crowd.rebalancing.stop();
});

test('drained, a server is emptied a few sessions at a time', async () => {
  const crowd = new Crowd({}, { movesMax: 10 });
  await crowd.scene.begin([{}, {}, {}]);
  crowd.come(90);
  crowd.scene.pool.drain('zk1:2181');
  await crowd.scene.clock.advance(3_000);
  assert.equal(crowd.counts[1], 0);
  assert.ok(crowd.mostUnderWay <= 10);
  assert.ok(crowd.moves.every(({ reason }) => reason === 'drain'));
});

test('the next session of a drained server goes as soon as one has arrived', async () => {
  const crowd = new Crowd({}, { movesMax: 5 });
  await crowd.scene.begin([{}, {}, {}]);
  crowd.come(300);
  crowd.scene.pool.drain('zk1:2181');
  // a hundred in fives, 5 ms each
  await crowd.scene.clock.advance(100);
  assert.equal(crowd.counts[1], 0);
  assert.equal(crowd.mostUnderWay, 5);
});

test('a server that is undrained in the middle keeps the sessions that have not begun to move', async () => {
  const crowd = new Crowd({}, { movesMax: 5 });
  await crowd.scene.begin([{}, {}, {}]);
  crowd.come(300);
  crowd.scene.pool.drain('zk1:2181');
  await crowd.scene.clock.advance(20);
  crowd.scene.pool.undrain('zk1:2181');
  const begun = crowd.moves.length;
  await crowd.scene.clock.advance(1_000);
  assert.equal(crowd.moves.length, begun);
});

test('of a server that is down all move at once', async () => {
  const crowd = new Crowd({}, { movesMax: 10 });
  crowd.tookMs = 2_000;
  await crowd.scene.begin([{}, {}, {}]);
  crowd.come(90);
  crowd.scene.server(2).state = 'not-serving';
  await crowd.scene.clock.advance(2_600);
  assert.equal(crowd.mostUnderWay, 30);
  assert.ok(crowd.moves.every(({ reason }) => reason === 'failure'));
});

test('a sick server is relieved at the bounded rate', async () => {
  const crowd = new Crowd({ health: { outstandingMax: 100 } }, { movesPerSecond: 10 });
  await crowd.scene.begin([{}, {}, {}]);
  crowd.rebalancing.start();
  crowd.come(90);
  crowd.scene.server(0).outstanding = 1_000;
  await crowd.scene.clock.advance(4_000);
  assert.ok(crowd.counts[0]! > 5);
  await crowd.scene.clock.advance(10_000);
  assert.equal(crowd.counts[0], 0);
  assert.ok(crowd.moves.some(({ reason }) => reason === 'overload'));
  crowd.rebalancing.stop();
});

test('who cannot be moved silently stays, and who stayed is not asked all the time', async () => {
  const crowd = new Crowd();
  await crowd.scene.begin([{}, {}]);
  crowd.come(4);
  for (const session of crowd.sessions) session.outcome = 'stayed';
  crowd.sessions.find(({ backend }) => backend!.host === 'zk0')!.obstacle = 'SASL';
  crowd.scene.pool.drain('zk0:2181');
  await crowd.scene.clock.advance(9_000);
  assert.equal(crowd.moves.length, 1);
  await crowd.scene.clock.advance(2_000);
  assert.equal(crowd.moves.length, 2);
  assert.deepEqual(crowd.counts, [2, 2]);
});

test('a server that is ejected for attaches that failed keeps its sessions', async () => {
  const crowd = new Crowd();
  await crowd.scene.begin([{}, {}, {}]);
  crowd.rebalancing.start();
  crowd.come(90);
  crowd.scene.refuse(1, 5);
  await crowd.scene.clock.advance(20_000);
  assert.equal(crowd.scene.backend(1).set, 'ejected');
  assert.deepEqual(crowd.moves, []);
  crowd.rebalancing.stop();
});

test('who has just moved for evenness moves on at once when its server is emptied', async () => {
  const crowd = new Crowd();
  await crowd.scene.begin([{}, {}, {}]);
  crowd.rebalancing.start();
  crowd.scene.pool.drain('zk2:2181');
  crowd.come(60);
  crowd.scene.pool.undrain('zk2:2181');
  await crowd.scene.clock.advance(3_000);
  assert.deepEqual(crowd.counts, [20, 20, 20]);
  crowd.scene.pool.drain('zk2:2181');
  await crowd.scene.clock.advance(1_000);
  assert.equal(crowd.counts[2], 0);
  crowd.rebalancing.stop();
});

test('clients of two regions stay in theirs', async () => {
  const crowd = new Crowd();
  await crowd.scene.begin([{ zone: 'eu' }, { zone: 'us' }, { zone: 'us' }]);
  crowd.rebalancing.start();
  crowd.come(30, 'eu');
  crowd.come(50, 'us');
  await crowd.scene.clock.advance(20_000);
  assert.deepEqual(crowd.moves, []);
  crowd.rebalancing.stop();
});

test('falling asleep moves sessions silently', async () => {
  const crowd = new Crowd({ subset: 'rw-p' });
  await crowd.scene.begin([{}, {}, {}]);
  crowd.scene.pool.onWrite();
  await crowd.scene.clock.advance(10);
  crowd.come(30);
  assert.deepEqual(crowd.counts, [10, 10, 10]);
  await crowd.scene.clock.advance(32_000);
  assert.deepEqual(
    [...crowd.counts].sort((a, b) => a - b),
    [0, 15, 15],
  );
  assert.ok(crowd.moves.every(({ reason }) => reason === 'sleep'));
});
