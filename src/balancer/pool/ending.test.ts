import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Network, Socket } from '../../ports/network.js';
import { ManualClock } from '../../discovery/clock.fixture.js';
import { Farm, PoolScene } from './servers.fixture.js';

test('stopped, a pool asks nobody any more, and has no timer and no socket left', async () => {
  const scene = await new PoolScene().begin([{}, { state: 'silent' }, { state: 'hanging-up' }]);
  await scene.clock.advance(345);
  scene.pool.onLost(scene.backend(0));
  await scene.clock.advance(1);
  assert.ok(scene.farm.open > 0, 'in the middle of checks');
  await scene.pool.stop();
  await scene.clock.advance(0); // sockets tell that they are closed
  assert.deepEqual([scene.farm.open, scene.clock.pendingTimers], [0, 0]);
  const asked = scene.server(0).asked.length;
  await scene.clock.advance(60_000);
  assert.equal(scene.server(0).asked.length, asked);
});

test('what a list of servers tells after the end begins nothing', async () => {
  const scene = await new PoolScene().begin([{}]);
  await scene.pool.stop();
  scene.pool.update([{ host: 'zk9', port: 2181 }]);
  const [first] = scene.pool.backends();
  if (first !== undefined) scene.pool.onLost(first);
  await scene.clock.advance(60_000);
  assert.equal(scene.clock.pendingTimers, 0);
  assert.deepEqual(
    scene.pool.backends().map(({ host }) => host),
    ['zk0'],
  );
});

test('a stop in the middle of a look lasts', async () => {
  const stopped: Promise<void>[] = [];
  const scene = new PoolScene({
    hooks: {
      onSet: (_backend, set) => {
        if (set === 'ejected') stopped.push(scene.pool.stop());
      },
    },
  });
  await scene.begin([{}, {}]);
  scene.server(0).state = 'refusing';
  await scene.clock.advance(5_000);
  assert.ok(stopped.length > 0);
  await Promise.all(stopped);
  assert.equal(scene.clock.pendingTimers, 0);
});

test('its end waits for connections that are being made', async () => {
  const clock = new ManualClock();
  const farm = new Farm(clock);
  const open = new Set<number>();
  const network: Network = {
    listen: () => farm.listen(),
    connect: async (to, accept) => {
      // nothing can stop an attempt, but it ends in time
      await new Promise<void>((resolve) => void clock.after(to.timeoutMs - 1, resolve));
      open.add(to.timeoutMs);
      const socket = {
        write: () => assert.fail('too late for questions'),
        destroy: () => void open.delete(to.timeoutMs),
      } as unknown as Socket;
      accept(socket);
      return socket;
    },
  };
  const scene = new PoolScene({}, 1, { clock, farm, network });
  scene.pool.update([{ host: 'zk0', port: 2181 }]);
  scene.pool.start();
  await clock.advance(10);
  let isOver = false;
  const stopping = scene.pool.stop().then(() => (isOver = true));
  await clock.advance(100);
  assert.equal(isOver, false);
  await clock.advance(1_000);
  await stopping;
  assert.deepEqual([open.size, clock.pendingTimers], [0, 0]);
});

test('a server that has left is not asked any more either', async () => {
  const scene = await new PoolScene().begin([{}, { state: 'silent' }]);
  await scene.clock.advance(2_001);
  scene.pool.update([{ host: 'zk0', port: 2181 }]);
  const asked = scene.server(1).asked.length;
  await scene.clock.advance(30_000);
  assert.equal(scene.server(1).asked.length, asked);
  assert.equal(scene.farm.open, 0);
  await scene.pool.stop();
});
