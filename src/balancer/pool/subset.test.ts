import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../discovery/clock.fixture.js';
import { MemoryCouncil, type Seat } from './memory-registry.js';
import { StaticRegistry } from './registry.js';
import { PoolScene } from './servers.fixture.js';
import type { BackendPoolOptions } from './backend-options.js';

const servers = Array.from({ length: 6 }, () => ({}));

async function balancers(
  count: number,
  options: BackendPoolOptions,
): Promise<{
  readonly seats: Seat[];
  readonly scenes: PoolScene[];
  readonly advance: (ms: number) => Promise<void>;
}> {
  const council = new MemoryCouncil();
  const seats = Array.from({ length: count }, () => council.seat());
  const scenes: PoolScene[] = [];
  for (const [index, registry] of seats.entries()) {
    const scene = new PoolScene(
      { roles: 'any', registry, name: `b${index}`, ...options },
      index + 1,
    );
    scenes.push(await scene.begin(servers));
  }
  const advance = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      for (const { clock } of scenes) await clock.advance(Math.min(500, ms - passed));
    }
  };
  await advance(500);
  return { seats, scenes, advance };
}

const awakeOf = ({ sets }: PoolScene): string => sets.join();

test('two or more balancers agree unless they are told not to', async () => {
  const { scenes, advance } = await balancers(3, { subset: 'rw' });
  const seen = new Set<string>();
  for (let i = 0; i < 10; i++) {
    await advance(10_000);
    for (const scene of scenes) {
      assert.equal(scene.pool.status().subset.scope, 'ensemble');
      assert.equal(awakeOf(scene), awakeOf(scenes[0]!));
    }
    seen.add(awakeOf(scenes[0]!));
  }
  assert.ok(seen.size > 3);
});

test('scope local: each by itself', async () => {
  const { scenes, advance } = await balancers(3, { subset: 'rw', scope: 'local' });
  const seen = new Set<string>();
  for (let i = 0; i < 5; i++) {
    await advance(10_000);
    for (const scene of scenes) seen.add(awakeOf(scene));
  }
  assert.equal(scenes[0]!.pool.status().subset.scope, 'local');
  assert.ok(seen.size > 5);
});

test('one balancer alone is local, and publishes when a second one comes', async () => {
  const council = new MemoryCouncil();
  const options = { roles: 'any', subset: 'rw' } as const;
  const first = await new PoolScene({ ...options, registry: council.seat() }, 1).begin(servers);
  assert.equal(first.pool.status().subset.scope, 'local');
  const before = awakeOf(first);
  const second = await new PoolScene({ ...options, registry: council.seat() }, 2).begin(servers);
  await first.clock.advance(300);
  await second.clock.advance(300);
  assert.equal(first.pool.status().subset.scope, 'ensemble');
  assert.equal(awakeOf(first), before);
  assert.equal(awakeOf(second), before);
});

test('cut off, each keeps the last set; the next one is elected and goes on', async () => {
  const { seats, scenes, advance } = await balancers(2, { subset: 'rw' });
  const before = awakeOf(scenes[0]!);
  seats[0]!.disconnect();
  seats[1]!.disconnect();
  await advance(60_000);
  assert.equal(awakeOf(scenes[0]!), before);
  assert.equal(awakeOf(scenes[1]!), before);
  seats[1]!.reconnect();
  await advance(60_000);
  assert.equal(awakeOf(scenes[0]!), before);
  assert.notEqual(awakeOf(scenes[1]!), before);
  seats[0]!.reconnect();
  await advance(1_000);
  assert.equal(awakeOf(scenes[0]!), awakeOf(scenes[1]!));
});

test('a write at any balancer wakes the next server for all', async () => {
  const { scenes, advance } = await balancers(3, { subset: 'rw-p' });
  assert.equal(scenes[0]!.sets.filter((set) => set === 'awake').length, 2);
  scenes[2]!.pool.onWrite();
  await advance(1_000);
  for (const { sets } of scenes) assert.equal(sets.filter((set) => set === 'awake').length, 3);
});

test('a balancer that follows leaves waking and sleeping to the elected one', async () => {
  const { scenes } = await balancers(2, { subset: 'rw-p' });
  const waiting = scenes[1]!.pool.backends().find(({ set }) => set === 'waiting')!;
  assert.equal(scenes[1]!.pool.wake(waiting.id), false);
  assert.equal(scenes[0]!.pool.wake(waiting.id), true);
});

test('the rule that is at work is shown at all of them', async () => {
  const { scenes, advance } = await balancers(2, { subset: 'auto' });
  scenes[0]!.server(5).state = 'refusing';
  await advance(3_000);
  assert.equal(scenes[0]!.pool.status().subset.rule, 'rw-p');
  assert.equal(scenes[1]!.pool.status().subset.rule, 'rw-p');
});

test('deterministic: positions from the registry, and together they use every server alike', async () => {
  const { scenes } = await balancers(3, { subset: 'deterministic' });
  const uses = new Array<number>(6).fill(0);
  for (const scene of scenes) {
    assert.equal(scene.sets.filter((set) => set === 'awake').length, 2);
    for (const [index, set] of scene.sets.entries()) if (set === 'awake') uses[index]!++;
  }
  assert.deepEqual(uses, [1, 1, 1, 1, 1, 1]);
});

test('deterministic with a stated position needs nobody', async () => {
  const registry = new StaticRegistry({ index: 1, count: 3 });
  const scene = await new PoolScene({ roles: 'any', subset: 'deterministic', registry }).begin(
    servers,
  );
  await scene.clock.advance(500);
  assert.equal(scene.sets.filter((set) => set === 'awake').length, 2);
  assert.equal(scene.pool.status().subset.scope, 'local');
});

test('a change of the registry is never told from inside a call of its own', async () => {
  const council = new MemoryCouncil();
  const seat = council.seat();
  let isInside = true;
  let views = 0;
  seat.start(() => {
    assert.equal(isInside, false);
    views++;
  });
  seat.publish({ awake: ['a'], rule: 'rw', by: '' });
  isInside = false;
  await new ManualClock().advance(0);
  assert.equal(views, 1);
  await seat.stop();
});
