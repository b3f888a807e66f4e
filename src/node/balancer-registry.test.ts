import assert from 'node:assert/strict';
import { once, EventEmitter } from 'node:events';
import { test, type TestContext } from 'node:test';
import type { RegistryView } from '../balancer/pool/registry.js';
import { silentLogger } from '../ports/logger.js';
import { TestServer } from '../testing/test-server.js';
import { BalancerRegistry, type BalancerRegistryOptions } from './balancer-registry.js';
import { Client } from './client.js';

class Seat extends EventEmitter {
  readonly registry: BalancerRegistry;
  view: RegistryView | null = null;

  constructor(options: BalancerRegistryOptions) {
    super();
    this.registry = new BalancerRegistry(options);
    this.registry.start((view) => {
      this.view = view;
      this.emit('view');
    });
  }

  async until(is: (view: RegistryView) => boolean): Promise<RegistryView> {
    for (;;) {
      const { view } = this;
      if (view !== null && is(view)) return view;
      await once(this, 'view');
    }
  }
}

async function stage(
  t: TestContext,
  options: Partial<BalancerRegistryOptions> = {},
): Promise<{ readonly server: TestServer; readonly seat: (name: string) => Seat }> {
  const server = await TestServer.start();
  const seats: Seat[] = [];
  t.after(async () => {
    await Promise.all(seats.map(({ registry }) => registry.stop()));
    await server.stop();
  });
  const seat = (name: string): Seat => {
    const { connectString } = server;
    const added = new Seat({ connectString, name, logger: silentLogger, ...options });
    seats.push(added);
    return added;
  };
  return { server, seat };
}

test('balancers see each other, one is elected, and what it publishes all hear', async (t) => {
  const { seat } = await stage(t);
  const seats = [seat('one'), seat('two'), seat('three')];
  const views = await Promise.all(
    seats.map((one) => one.until(({ position }) => position?.count === 3)),
  );
  assert.deepEqual(views.map(({ position }) => position!.index).sort(), [0, 1, 2]);
  assert.equal(views.filter(({ isElected }) => isElected).length, 1);
  const elected = seats[views.findIndex(({ isElected }) => isElected)]!;
  for (const awake of [['a:1'], ['a:1', 'b:2']]) {
    elected.registry.publish({ awake, rule: 'rw', by: 'it' });
    for (const one of seats) {
      const { published } = await one.until(
        (view) => view.published?.awake.length === awake.length,
      );
      assert.deepEqual(published, { awake, rule: 'rw', by: 'it' });
    }
  }
});

test('one that leaves is missed, and another is elected', async (t) => {
  const { seat } = await stage(t);
  const seats = [seat('one'), seat('two')];
  const views = await Promise.all(
    seats.map((one) => one.until(({ position }) => position?.count === 2)),
  );
  const first = views.findIndex(({ isElected }) => isElected);
  await seats[first]!.registry.stop();
  const view = await seats[1 - first]!.until(({ position }) => position?.count === 1);
  assert.equal(view.isElected, true);
});

test('a write at one is heard by the others, not by itself', async (t) => {
  const { seat } = await stage(t);
  const [one, other] = [seat('one'), seat('other')];
  await Promise.all([one, other].map((it) => it.until(({ position }) => position?.count === 2)));
  one.registry.reportWrite();
  await other.until(({ foreignWrites }) => foreignWrites === 1);
  assert.equal(one.view!.foreignWrites, 0);
});

test('whose session is over publishes nothing, and comes back with a new one', async (t) => {
  const { server, seat } = await stage(t);
  const one = seat('one');
  await one.until(({ isElected }) => isElected);
  for (const id of server.sessionIds) server.expireSession(id);
  await one.until(({ isConnected }) => !isConnected);
  const view = await one.until(({ isConnected }) => isConnected);
  assert.equal(view.isElected, true);
  one.registry.publish({ awake: ['x:1'], rule: 'rw', by: '' });
  await one.until(({ published }) => published?.awake[0] === 'x:1');
});

test('with an identity nobody else can say what is awake; what is no subset is not believed', async (t) => {
  const auth = { scheme: 'digest', auth: 'balancer:secret' };
  const { server, seat } = await stage(t, { auth, path: '/lb' });
  const one = seat('one');
  await one.until(({ isElected }) => isElected);
  one.registry.publish({ awake: ['a:1'], rule: 'rw', by: '' });
  await one.until(({ published }) => published !== null);
  const stranger = await new Client(server.connectString).connect();
  await assert.rejects(stranger.setData('/lb/agreed/subset', 'x'), { code: -102 });
  await stranger.addAuth('digest', 'balancer:secret');
  await stranger.setData('/lb/agreed/subset', 'no JSON');
  await one.until(({ published }) => published === null);
  await stranger.close();
});
