import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../discovery/clock.fixture.js';
import { silentLogger } from '../ports/logger.js';
import type { Listener, Network, Socket, SocketHandler } from '../ports/network.js';
import { Balancer } from './balancer.js';
import { QuietSocket } from './guards/guarded-client.fixture.js';
import { keepingDefaults } from './keeping/keeping-types.js';
import { StaticMembership } from './pool/membership.js';
import { Farm } from './pool/servers.fixture.js';
import { metricsDefaults } from './telling/metrics.js';

class Door implements Network {
  accept: (socket: Socket) => SocketHandler = () => assert.fail('nobody listens');
  isOpen = false;
  opening: Promise<void> = Promise.resolve();

  async listen(_at: object, accept: (socket: Socket) => SocketHandler): Promise<Listener> {
    await this.opening;
    this.accept = accept;
    this.isOpen = true;
    const close = (): Promise<void> => {
      this.isOpen = false;
      return Promise.resolve();
    };
    return { host: '127.0.0.1', port: 2181, close };
  }

  connect(): never {
    assert.fail('servers are elsewhere');
  }
}

function balancerAt(door: Door): { balancer: Balancer; clock: ManualClock; farm: Farm } {
  const clock = new ManualClock();
  const farm = new Farm(clock);
  for (const id of ['zk0:2181', 'zk1:2181']) farm.add(id);
  farm.add('zk2:2181', { state: 'silent' });
  const servers = ['zk0', 'zk1', 'zk2'].map((host) => ({ host, port: 2181 }));
  const balancer = new Balancer(
    {
      version: '1',
      listeners: [{ network: door, host: '', port: 2181, isTls: false, isReadOnly: false }],
      keeping: keepingDefaults,
      pool: { subset: 'rw-p' },
      membership: new StaticMembership(servers),
      rebalancing: {},
      classes: {},
      guards: {},
      metrics: metricsDefaults,
      zone: null,
      origins: [],
      words: new Set(),
      accessLog: null,
      shown: [],
    },
    {
      ...{ clock, network: farm, random: () => 0.5, logger: silentLogger },
      names: { addresses: (host) => Promise.resolve([host]) },
    },
  );
  return { balancer, clock, farm };
}

test('stopped, a balancer has no timer and no socket left, whoever was on the way in', async () => {
  const door = new Door();
  const { balancer, clock, farm } = balancerAt(door);
  await balancer.start();
  await clock.advance(500);
  const silent = new QuietSocket();
  const handler = door.accept(silent);
  assert.ok(farm.open > 0 && clock.pendingTimers > 0);
  const stopping = balancer.stop();
  await clock.advance(0);
  await stopping;
  assert.deepEqual([door.isOpen, silent.isDestroyed, farm.open], [false, true, 0]);
  handler.onClose(null);
  assert.equal(clock.pendingTimers, 0);
  const asked = farm.servers.get('zk0:2181')!.asked.length;
  await clock.advance(60_000);
  assert.equal(farm.servers.get('zk0:2181')!.asked.length, asked);
});

test('stopped while it starts, it opens no port', async () => {
  const door = new Door();
  let open: () => void = () => undefined;
  door.opening = new Promise((resolve) => void (open = resolve));
  const { balancer, clock } = balancerAt(door);
  const starting = assert.rejects(balancer.start(), /stopped while it started/);
  await clock.advance(10);
  const stopping = balancer.stop();
  open();
  await Promise.all([starting, stopping]);
  assert.equal(door.isOpen, false);
  await clock.advance(1_500);
  assert.equal(clock.pendingTimers, 0);
});
