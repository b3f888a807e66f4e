import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backend } from '../keeping/keeping-types.js';
import { SeededRandom } from '../../base/random.js';
import { needOf, PoolScene } from './servers.fixture.js';

const three = [{ mode: 'follower' }, { mode: 'leader' }, { mode: 'follower' }];

test('sessions spread evenly over followers, and the leader is spared', async () => {
  const scene = await new PoolScene().begin(three);
  scene.attach(100);
  assert.deepEqual(scene.sessions, [50, 0, 50]);
});

test('the leader serves as well when fewer than two others are fit', async () => {
  const scene = await new PoolScene({ slowStart: false }).begin(three);
  scene.server(0).state = 'refusing';
  await scene.clock.advance(3_000);
  scene.attach(100);
  assert.deepEqual(scene.sessions, [0, 50, 50]);
});

test('observers first: followers only help out, the leader comes last', async () => {
  const scene = await new PoolScene({ roles: 'observers-first' }).begin([
    { mode: 'observer' },
    { mode: 'observer' },
    { mode: 'follower' },
    { mode: 'leader' },
  ]);
  scene.attach(40);
  assert.deepEqual(scene.sessions, [20, 20, 0, 0]);
});

test('any: all are alike', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin(three);
  scene.attach(30);
  assert.deepEqual(scene.sessions, [10, 10, 10]);
});

test('before any server has answered a client is not turned away', () => {
  const scene = new PoolScene();
  scene.pool.update([{ host: 'zk0', port: 2181 }]);
  assert.equal(scene.choose(), 'zk0');
});

test('a server that is down gets nothing, and its sessions are to move', async () => {
  const scene = await new PoolScene({ roles: 'any', slowStart: false }).begin(three);
  scene.attach(30);
  scene.server(1).state = 'not-serving';
  await scene.clock.advance(3_000);
  assert.deepEqual(scene.sets, ['awake', 'ejected', 'awake']);
  assert.deepEqual([...scene.vacating], ['zk1 failure']);
  scene.attach(30);
  assert.deepEqual(scene.sessions, [25, 10, 25]);
  assert.ok(scene.story.includes('zk1 awake→ejected: it does not serve'));
  scene.server(1).state = 'serving';
  await scene.clock.advance(3_000);
  assert.ok(scene.story.includes('zk1 ejected→awake: healthy'));
});

test('a loss is looked into at once', async () => {
  const scene = await new PoolScene().begin(three);
  const [backend] = scene.attach();
  scene.farm.servers.get(backend!.id)!.state = 'refusing';
  scene.pool.onLost(backend!);
  scene.detach(backend!);
  await scene.clock.advance(20);
  assert.equal(scene.pool.backends().find((one) => one === backend)!.set, 'ejected');
});

test('connections that die together are one failure: a server that is well is not ejected', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin(three);
  for (const backend of scene.attach(90)) {
    scene.pool.onLost(backend);
    scene.detach(backend);
  }
  await scene.clock.advance(1_000);
  assert.deepEqual(scene.sets, ['awake', 'awake', 'awake']);
});

test('a lagging server is ejected; its sessions may stay until they are moved a few at a time', async () => {
  const scene = await new PoolScene({ health: { lagMaxMs: 5_000 } }).begin(three);
  for (let i = 0; i < 60; i++) {
    scene.server(1).zxid += 1000n;
    scene.server(2).zxid += 1000n;
    await scene.clock.advance(250);
  }
  assert.deepEqual(scene.sets, ['ejected', 'awake', 'awake']);
  assert.match(scene.pool.status().servers[0]!.reason!, /lags \d+ s behind/);
  assert.equal(scene.vacating.size, 0);
});

test('never one that is known to be behind what the client has seen', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin(three);
  scene.server(0).zxid += 50n;
  scene.server(2).zxid += 50n;
  await scene.clock.advance(5_000);
  const minZxid = scene.server(0).zxid;
  for (let i = 0; i < 20; i++) assert.notEqual(scene.choose({ minZxid }), 'zk1');
  const excluded = new Set<Backend>([scene.backend(0), scene.backend(2)]);
  assert.equal(scene.choose({ minZxid, excluded }), 'zk1'); // rather than none
});

test('nor of those that wait one that is behind', async () => {
  const scene = await new PoolScene({ roles: 'any', subset: 'rw-p' }).begin([{}, {}, {}, {}]);
  const [awake, waiting] = (['awake', 'waiting'] as const).map((set) =>
    scene.pool.backends().filter((one) => one.set === set),
  );
  const late = scene.farm.servers.get(waiting![0]!.id)!;
  for (const server of scene.farm.servers.values()) if (server !== late) server.zxid += 50n;
  await scene.clock.advance(5_000);
  const need = { excluded: new Set(awake), minZxid: late.zxid + 50n };
  for (let i = 0; i < 9; i++) assert.equal(scene.choose(need), waiting![1]!.host);
});

test('a client that has seen more than any check has: all that were not behind will do', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin(three);
  const chosen = new Set<string | null>();
  for (let i = 0; i < 9; i++) {
    chosen.add(scene.choose({ minZxid: 0x1_0000_ffffn }));
    scene.attach(1);
  }
  assert.equal(chosen.size, 3);
});

test('what the data path sees counts as known', async () => {
  const scene = await new PoolScene().begin(three);
  scene.pool.onReply(scene.backend(2), 1, 1, 0xffff_fff0 | 0);
  assert.equal(scene.backend(2).knownZxid, 0x1_ffff_fff0n);
});

test('ahead of all that are well: the one that is most ahead', async () => {
  const scene = await new PoolScene({ roles: 'any', health: { lagMaxMs: 1e9 } }).begin(three);
  // the newest zxid was told by one that has gone since
  scene.server(1).zxid = 0x1_0000_0100n;
  await scene.clock.advance(3_000);
  scene.server(1).state = 'refusing';
  scene.server(2).zxid = 0x1_0000_0050n;
  await scene.clock.advance(5_000);
  for (let i = 0; i < 9; i++) assert.equal(scene.choose({ minZxid: 0x1_0000_0100n }), 'zk2');
});

test('read-only servers only where there is no other, and only for clients that can', async () => {
  const scene = await new PoolScene().begin([
    { mode: 'read-only' },
    { mode: 'follower' },
    { mode: 'read-only' },
  ]);
  for (let i = 0; i < 9; i++) assert.equal(scene.choose({ canBeReadOnly: true }), 'zk1');
  scene.server(1).state = 'refusing';
  await scene.clock.advance(3_000);
  assert.match(scene.choose({ canBeReadOnly: true })!, /zk0|zk2/);
  assert.equal(scene.choose({ excluded: new Set([scene.backend(1)]) }), null);
  assert.equal(scene.pool.status().servers[0]!.role, 'read-only');
});

test('read-only is no way out when the others are only full', async () => {
  const scene = await new PoolScene({ circuit: { sessionsMax: 1 } }).begin([
    { mode: 'read-only' },
    { mode: 'follower' },
  ]);
  assert.equal(scene.attach(1)[0]!.host, 'zk1');
  assert.equal(scene.choose({ canBeReadOnly: true }), null);
});

test('near servers first, a farther one when there is none', async () => {
  const scene = await new PoolScene({ roles: 'any', slowStart: false }).begin([
    { zone: 'eu/west' },
    { zone: 'eu/east' },
    { zone: 'us' },
  ]);
  for (let i = 0; i < 6; i++) assert.equal(scene.choose({ zone: 'us/1' }), 'zk2');
  for (let i = 0; i < 6; i++) assert.equal(scene.choose({ zone: 'eu/west' }), 'zk0');
  scene.server(0).state = 'refusing';
  await scene.clock.advance(3_000);
  for (let i = 0; i < 6; i++) assert.equal(scene.choose({ zone: 'eu/west' }), 'zk1');
});

test('near servers spill over by load: not all of a crowded region goes to its one server', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin([
    { zone: 'eu' },
    { zone: 'us' },
    { zone: 'us' },
  ]);
  scene.attach(300, { zone: 'eu' });
  const [near = 0, ...far] = scene.sessions;
  assert.ok(Math.abs(near - 150) <= 3, `${near}`);
  assert.ok(Math.abs(far[0]! - far[1]!) <= 1);
});

test('drained, a server empties and gets nothing; undrained, it serves again', async () => {
  const scene = await new PoolScene({ roles: 'any', slowStart: false }).begin(three);
  const sessions = scene.attach(9);
  assert.equal(scene.pool.drain('zk0:2181'), true);
  assert.equal(scene.pool.drain('nobody:1'), false);
  assert.deepEqual(scene.sets, ['draining', 'awake', 'awake']);
  await scene.clock.advance(1_000);
  assert.deepEqual([...scene.vacating], ['zk0 drain']);
  for (const backend of sessions) if (backend === scene.backend(0)) scene.detach(backend);
  for (let i = 0; i < 9; i++) assert.notEqual(scene.choose(), 'zk0');
  scene.vacating.clear();
  scene.pool.undrain('zk0:2181');
  assert.equal(scene.choose(), 'zk0');
  await scene.clock.advance(1_000);
  assert.equal(scene.vacating.size, 0);
});

test('a server that left the list is emptied, and forgotten with its last session', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin(three);
  const sessions = scene.attach(6);
  scene.pool.update([
    { host: 'zk0', port: 2181 },
    { host: 'zk2', port: 2181 },
  ]);
  await scene.clock.advance(500);
  assert.deepEqual([...scene.vacating], ['zk1 drain']);
  assert.equal(scene.pool.status().servers.at(-1)!.set, 'draining');
  for (const backend of sessions) if (backend.host === 'zk1') scene.detach(backend);
  assert.equal(scene.pool.backends().length, 2);
  for (const backend of sessions) if (backend.host !== 'zk1') scene.detach(backend);
  assert.deepEqual(scene.sessions, [0, 0]);
});

test('attaches that fail eject, for longer each time; down and up again pardons', async () => {
  const scene = await new PoolScene({ roles: 'any', slowStart: false }).begin(three);
  scene.refuse(0, 5);
  await scene.clock.advance(100);
  assert.equal(scene.backend(0).set, 'ejected');
  assert.ok(scene.story.includes('zk0 awake→ejected: consecutive-errors'));
  await scene.clock.advance(29_000);
  assert.equal(scene.backend(0).set, 'ejected');
  await scene.clock.advance(1_500);
  assert.equal(scene.backend(0).set, 'awake');
  scene.refuse(0, 5);
  await scene.clock.advance(31_000);
  assert.equal(scene.backend(0).set, 'ejected'); // 60 s now
  scene.server(0).state = 'refusing';
  await scene.clock.advance(3_000);
  scene.server(0).state = 'serving';
  await scene.clock.advance(3_000);
  assert.equal(scene.backend(0).set, 'awake');
});

test('an outlier keeps the sessions that it serves', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin(three);
  scene.attach(9);
  scene.refuse(1, 5);
  await scene.clock.advance(1_000);
  assert.equal(scene.backend(1).set, 'ejected');
  assert.equal(scene.vacating.size, 0);
});

test('never more than half are ejected for attaches that fail', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin([...three, {}, {}]);
  for (let i = 0; i < 5; i++) scene.refuse(i, 5);
  await scene.clock.advance(200);
  assert.equal(scene.sets.filter((set) => set === 'ejected').length, 2);
});

test('panic: with fewer than half fit, all that serve are used, and none that does not', async () => {
  const scene = await new PoolScene({
    ...{ roles: 'any', slowStart: false, outliers: { maxEjectionPercent: 100 } },
  }).begin([{}, {}, {}, {}, {}]);
  scene.refuse(0, 5);
  scene.refuse(1, 5);
  scene.server(4).state = 'refusing';
  await scene.clock.advance(3_000);
  assert.equal(scene.pool.status().subset.isPanicking, true);
  scene.attach(40);
  assert.deepEqual(scene.sessions, [10, 10, 10, 10, 0]);
});

test('who returns starts slowly', async () => {
  const scene = await new PoolScene({
    ...{ roles: 'any', policy: 'weighted-round-robin', slowStart: { windowMs: 10_000 } },
  }).begin(three);
  scene.server(0).state = 'refusing';
  await scene.clock.advance(3_000);
  scene.server(0).state = 'serving';
  await scene.clock.advance(1_500);
  const share = (): number => {
    const before = scene.backend(0).sessions;
    for (const backend of scene.attach(60)) scene.detach(backend);
    const picks: string[] = [];
    for (let i = 0; i < 60; i++) picks.push(scene.choose()!);
    assert.equal(scene.backend(0).sessions, before);
    return picks.filter((id) => id === 'zk0').length;
  };
  assert.ok(share() < 10);
  await scene.clock.advance(12_000);
  assert.equal(share(), 20);
});

test('circuit: a full server gets nothing more, whatever the others have', async () => {
  const scene = await new PoolScene({ roles: 'any', circuit: { sessionsMax: 4 } }).begin(three);
  assert.equal(scene.attach(20).length, 12);
  assert.equal(scene.choose(), null);
});

test('circuit: attaches that hang do not pile up', async () => {
  const scene = await new PoolScene({ roles: 'any', circuit: { attachesMax: 2 } }).begin(three);
  const pending: Backend[] = [];
  for (let i = 0; i < 6; i++) {
    const backend = scene.pool.choose(needOf())!;
    scene.pool.onAttaching(backend);
    pending.push(backend);
  }
  assert.equal(scene.choose(), null);
  scene.pool.onAttachAbandoned(pending[0]!);
  assert.equal(scene.choose(), pending[0]!.host);
});

test('what a server allows from one address is left some room', async () => {
  const facts = { words: ['srvr', 'conf'], maxClientCnxns: 10 };
  const scene = await new PoolScene({ roles: 'any' }).begin([facts]);
  await scene.clock.advance(3_000);
  assert.equal(scene.attach(20).length, 7);
  assert.ok(scene.logger.lines.some((line) => line.includes('"maxClientCnxns":10')));
  const transparent = await new PoolScene({ roles: 'any', isTransparent: true }).begin([facts]);
  await transparent.clock.advance(3_000);
  assert.equal(transparent.attach(20).length, 20);
});

test('what it allows is not known where it does not say: people are told', async () => {
  const scene = await new PoolScene().begin([{ version: '3.9.5' }, { version: '3.9.5-zabra-1' }]);
  const told = scene.logger.lines.filter((line) => line.includes('does not say how many'));
  assert.equal(told.length, 1);
  assert.match(told[0]!, /zk0:2181/);
});

test('a session that comes to a server just when it leaves the list is moved, too', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin([{}, {}]);
  const late = scene.pool.choose(needOf())!;
  scene.pool.onAttaching(late);
  scene.pool.update([{ host: late.host === 'zk0' ? 'zk1' : 'zk0', port: 2181 }]);
  scene.pool.onAttached(late, { isZabra: true, isReadOnly: false, latencyMs: 1 });
  await scene.clock.advance(500);
  assert.deepEqual([...scene.vacating], [`${late.host} drain`]);
});

test('a weight is a share; none is nothing new', async () => {
  const scene = await new PoolScene({ roles: 'any', slowStart: false }).begin([
    { weight: 3 },
    { weight: 1 },
  ]);
  scene.attach(40);
  assert.deepEqual(scene.sessions, [30, 10]);
  scene.pool.setWeight('zk0:2181', 0);
  scene.attach(10);
  assert.deepEqual(scene.sessions, [30, 20]);
  assert.equal(scene.vacating.size, 0);
  assert.throws(() => scene.pool.setWeight('zk0:2181', -1), RangeError);
});

test('weights from reported load: who has much to do elsewhere gets less', async () => {
  const scene = await new PoolScene({
    ...{ roles: 'any', policy: 'weighted-round-robin', weights: 'load', slowStart: false },
  }).begin([{}, {}]);
  for (let i = 0; i < 60; i++) {
    scene.server(0).received += 3_000;
    scene.server(1).received += 1_000;
    await scene.clock.advance(1_000);
  }
  scene.attach(400);
  const [busy = 0, idle = 0] = scene.sessions;
  assert.ok(idle / busy > 2.5 && idle / busy < 3.5, `${busy} ${idle}`);
});

test('policy auto: least connections, and by latency when one is slow; with the reason', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin(three);
  assert.equal(scene.pool.status().policy.rule, 'least-connections');
  for (let i = 0; i < 200; i++) {
    for (const [index, latencyMs] of [2, 30, 2.5].entries()) {
      scene.pool.onReply(scene.backend(index), latencyMs, 1, i);
    }
    await scene.clock.advance(20);
  }
  const { policy } = scene.pool.status();
  assert.equal(policy.name, 'auto');
  assert.equal(policy.rule, 'p2c-ewma');
  assert.match(policy.reason!, /^uneven: 30\.0 ms at the slowest/);
  assert.ok(scene.logger.lines.some((line) => line.startsWith('another policy')));
  scene.attach(90);
  assert.ok(scene.sessions[1]! < 15, scene.sessions.join());
});

test('policy auto: a few slow answers after a restart decide nothing', async () => {
  const scene = await new PoolScene({ roles: 'any' }).begin(three);
  for (let i = 0; i < 100; i++) {
    if (i < 15) scene.pool.onReply(scene.backend(0), 40, 1, i);
    scene.pool.onReply(scene.backend(1), 0.3, 1, i);
    await scene.clock.advance(100);
  }
  assert.equal(scene.pool.status().policy.rule, 'least-connections');
});

test('sets by the subset: who waits gets nothing, and who falls asleep is emptied', async () => {
  const scene = await new PoolScene({ roles: 'any', subset: 'rw-p' }).begin([{}, {}, {}, {}]);
  assert.equal(scene.sets.filter((set) => set === 'awake').length, 2);
  scene.attach(20);
  assert.deepEqual(
    scene.sessions.map((count, index) => count > 0 === (scene.sets[index] === 'awake')),
    [true, true, true, true],
  );
  scene.pool.onWrite();
  await scene.clock.advance(10);
  assert.equal(scene.sets.filter((set) => set === 'awake').length, 3);
  assert.ok(scene.story.at(-1)!.endsWith('waiting→awake: write'));
  await scene.clock.advance(31_000);
  assert.equal(scene.sets.filter((set) => set === 'awake').length, 2);
  assert.ok(scene.story.at(-1)!.endsWith('awake→waiting: quiet'));
  assert.equal([...scene.vacating].filter((line) => line.endsWith('sleep')).length, 1);
});

test('the operator wakes and puts to sleep', async () => {
  const scene = await new PoolScene({ roles: 'any', subset: 'rw-p' }).begin([{}, {}, {}]);
  const waiting = scene.sets.indexOf('waiting');
  assert.equal(scene.pool.wake(`zk${waiting}:2181`), true);
  assert.deepEqual(scene.sets, ['awake', 'awake', 'awake']);
  assert.equal(scene.pool.sleep('zk0:2181'), true);
  assert.equal(scene.pool.sleep('zk1:2181'), false);
});

test('with no awake one left to try, a waiting one is woken', async () => {
  const scene = await new PoolScene({ roles: 'any', subset: 'rw-p' }).begin([{}, {}, {}]);
  const awake = scene.pool.backends().filter(({ set }) => set === 'awake');
  assert.equal(awake.length, 2);
  const chosen = scene.choose({ excluded: new Set(awake) });
  await scene.clock.advance(10);
  assert.equal(scene.pool.backends().find(({ host }) => host === chosen)!.set, 'awake');
});

test('a spared leader takes no part in the rounds while two others are fit', async () => {
  const scene = await new PoolScene({ subset: 'rw-p' }).begin(three);
  await scene.clock.advance(5_000);
  assert.deepEqual(scene.sets, ['awake', 'waiting', 'awake']);
  scene.server(0).state = 'refusing';
  await scene.clock.advance(3_000);
  assert.deepEqual(scene.sets, ['ejected', 'awake', 'awake']);
});

test('auto logs each decision with its reason', async () => {
  const scene = await new PoolScene({ roles: 'any', subset: 'auto' }).begin([{}, {}, {}]);
  scene.server(1).state = 'refusing';
  await scene.clock.advance(3_000);
  assert.ok(scene.story.includes('subset rw-p: a server failed 0 s ago'));
  assert.ok(scene.logger.lines.some((line) => line.startsWith('another rule for the subset')));
  assert.equal(scene.pool.status().subset.rule, 'rw-p');
});

test('nothing is well: a client is still sent somewhere, to be refused by a server and not by us', async () => {
  const scene = await new PoolScene().begin(three);
  for (let i = 0; i < 3; i++) scene.server(i).state = 'refusing';
  await scene.clock.advance(3_000);
  assert.deepEqual(scene.sets, ['ejected', 'ejected', 'ejected']);
  assert.notEqual(scene.choose(), null);
  assert.equal(scene.vacating.size, 0);
});

test('stopped, it leaves no timer', async () => {
  const scene = await new PoolScene().begin(three);
  await scene.pool.stop();
  await scene.clock.advance(10_000);
  assert.equal(scene.clock.pendingTimers, 0);
  assert.equal(scene.farm.open, 0);
});

test('with rw-p sessions never rest on one server while two are healthy, whoever leads', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = new SeededRandom(seed);
    const count = random.between(2, 5);
    const scene = await new PoolScene({ subset: 'rw-p' }, seed).begin(new Array(count).fill({}));
    for (let step = 0; step < 8; step++) {
      const leader = random.below(count);
      for (let i = 0; i < count; i++) {
        const server = scene.server(i);
        server.mode = i === leader ? 'leader' : 'follower';
        server.state = random.pick(['serving', 'serving', 'refusing', 'not-serving'] as const);
      }
      if (random.chance(0.5)) scene.pool.onWrite();
      await scene.clock.advance(3_500);
      const healthy = [...scene.farm.servers.values()].filter(({ state }) => state === 'serving');
      const sessions = scene.attach(40);
      const used = new Set(sessions.map(({ id }) => id));
      if (healthy.length > 0) {
        assert.ok(used.size >= Math.min(2, healthy.length), `seed ${seed} step ${step}`);
        for (const id of used) assert.equal(scene.farm.servers.get(id)!.state, 'serving');
      }
      for (const backend of sessions) scene.detach(backend);
    }
  }
});
