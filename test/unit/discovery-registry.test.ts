/** Discovery against real servers of ours: registrations, caches, load balancing while servers die. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Acls, Client, NoAuthError } from 'zabra/client';
import { LoadBalancer, ServerSetLayout, DubboLayout, ZkRegistry } from 'zabra/discovery';
import { TestEnsemble, TestServer } from 'zabra/testing';

const options = { sessionTimeoutMs: 2_000, backoff: { minMs: 20, maxMs: 200 } };

async function connected(connectString: string): Promise<Client> {
  return await new Client(connectString, options).connect();
}

/** Looks until it holds; nothing here takes long. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 12_000; i++) {
    if (await holds()) return;
    await sleep(10);
  }
  assert.fail(`in vain: ${what}`);
}

const settings = { tickTimeMs: 500 };

const namesOf = (instances: readonly { readonly host: string }[]): string =>
  instances
    .map(({ host }) => host)
    .sort()
    .join(' ');

async function withServer(body: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await TestServer.start({ settings });
  try {
    await body(server);
  } finally {
    await server.stop();
  }
}

test('what is registered is found, changed and gone again', async () => {
  await withServer(async ({ connectString }) => {
    const [server, seeker] = [await connected(connectString), await connected(connectString)];
    const registry = new ZkRegistry(server);
    const lb = new LoadBalancer({ registry: new ZkRegistry(seeker), service: 'web' });
    assert.deepEqual(await new ZkRegistry(seeker).instances('web'), []);
    const one = await registry.register({ service: 'web', host: 'one', port: 80, weight: 2 });
    const two = await registry.register({ service: 'web', host: 'two', port: 80, id: 'two' });
    assert.equal(two.path, '/services/web/two');
    await lb.start();
    await until('both', () => namesOf(lb.instances) === 'one two');
    assert.equal(lb.instances.find(({ host }) => host === 'one')?.weight, 2);

    await one.update({ health: 'draining', metadata: { why: 'deploy' } });
    await until('one drains', () => lb.instances.some(({ health }) => health === 'draining'));
    for (let i = 0; i < 10; i++) assert.equal(await lb.send({}, ({ host }) => host), 'two');

    await one.unregister();
    await until('one is gone', () => namesOf(lb.instances) === 'two');
    await lb.close();
    await Promise.all([server.close(), seeker.close()]);
  });
});

test('a registration survives the loss of its session, and a deletion by mistake', async () => {
  await withServer(async (server) => {
    const client = await connected(server.connectString);
    const other = await connected(server.connectString);
    const { path } = await new ZkRegistry(client).register({ service: 'web', host: 'a', port: 1 });
    const before = (await other.exists(path))?.ephemeralOwner;
    assert.equal(before, client.sessionId);

    assert.equal(server.expireSession(client.sessionId), true);
    await until('it is registered in a new session', async () => {
      const owner = (await other.exists(path))?.ephemeralOwner;
      return owner !== undefined && owner !== before && owner === client.sessionId;
    });

    await other.delete(path);
    await until('it is back', async () => (await other.exists(path)) !== null);
    await Promise.all([client.close(), other.close()]);
  });
});

test('of two processes with one id the later one has it, and the earlier one lets it go', async () => {
  await withServer(async ({ connectString }) => {
    const [first, second] = [await connected(connectString), await connected(connectString)];
    const spec = { service: 'web', host: 'h', port: 1, id: 'fixed' };
    const early = await new ZkRegistry(first).register(spec);
    const late = await new ZkRegistry(second).register({ ...spec, host: 'later' });
    await until('the earlier one has heard of it', () => !early.isActive);
    assert.equal(late.isActive, true);
    const [instance] = await new ZkRegistry(first).instances('web');
    assert.equal(instance?.host, 'later');
    await early.unregister(); // takes nothing from the other
    assert.equal((await first.exists(late.path))?.ephemeralOwner, second.sessionId);
    await Promise.all([first.close(), second.close()]);
  });
});

test('what cannot be registered is refused; what can be later waits as long as it may', async () => {
  const server = await TestServer.start({ settings });
  const zk = await connected(server.connectString);
  await zk.create('/services', '', { acl: Acls.readOnly });
  const spec = { service: 'web', host: 'h', port: 1 };
  await assert.rejects(new ZkRegistry(zk).register(spec), NoAuthError);
  await assert.rejects(new ZkRegistry(zk).register({ ...spec, port: 70_000 }), TypeError);
  const elsewhere = new ZkRegistry(zk, { basePath: '/elsewhere' });
  const registration = await elsewhere.register(spec);
  await server.stop();
  await until('the server is away', () => zk.state !== 'connected');
  const signal = AbortSignal.timeout(100);
  await assert.rejects(elsewhere.register(spec, { signal }), { name: 'TimeoutError' });
  const unregistering = registration.unregister();
  await zk.close(); // ends the session, or leaves it to end: either way there is nothing to wait for
  await unregistering;
});

test('an instance that dies is gone with its session, and requests never see it', async () => {
  await withServer(async (server) => {
    const clients = await Promise.all([0, 1, 2].map(() => connected(server.connectString)));
    const alive = new Set(['h0', 'h1', 'h2']);
    for (const [i, client] of clients.entries()) {
      await new ZkRegistry(client).register({ service: 'web', host: `h${i}`, port: 80 });
    }
    const seeker = await connected(server.connectString);
    const lb = new LoadBalancer({ registry: new ZkRegistry(seeker), service: 'web' });
    const ask = (): Promise<string> =>
      lb.send({}, ({ host }) => {
        if (!alive.has(host)) throw new Error(`${host} is dead`);
        return host;
      });
    for (let i = 0; i < 50; i++) await ask();

    const [dead] = clients;
    alive.delete('h0');
    for (let i = 0; i < 100; i++) assert.notEqual(await ask(), 'h0');
    assert.equal(server.expireSession(dead?.sessionId ?? 0n), true);
    await dead?.close();
    await until('its znode is gone', () => namesOf(lb.instances) === 'h1 h2');
    for (let i = 0; i < 100; i++) assert.notEqual(await ask(), 'h0');
    await lb.close();
    await Promise.all([...clients.slice(1), seeker].map((client) => client.close()));
  });
});

test('while the registry is away requests go on; it comes back empty and nobody is forgotten', async () => {
  const first = await TestServer.start({ settings });
  const { port } = first;
  const client = await connected(first.connectString);
  const seeker = await connected(first.connectString);
  const service = 'web';
  for (const host of ['a', 'b']) await new ZkRegistry(client).register({ service, host, port: 80 });
  const lb = new LoadBalancer({ registry: new ZkRegistry(seeker), service });
  await lb.start();
  await until('both', () => namesOf(lb.instances) === 'a b');
  const reachable: boolean[] = [];
  lb.on('registry', ({ isReachable }) => reachable.push(isReachable));
  await first.stop();
  await until('it is known to be away', () => !lb.status().isReachable);
  assert.match(await lb.send({}, ({ host }) => host), /a|b/u);

  // another server in its place, with nothing in it: both sessions are over
  const second = await TestServer.start({ port, settings });
  await until('it is back, with the registrations', async () => {
    const isBack = lb.status().isReachable && lb.status().limboSize === 0;
    assert.equal(namesOf(lb.instances), 'a b'); // all the time
    assert.match(await lb.send({}, ({ host }) => host), /a|b/u);
    return isBack;
  });
  assert.deepEqual(reachable, [false, true]);
  await lb.close();
  await Promise.all([client.close(), seeker.close()]);
  await second.stop();
});

test('ServerSets and Dubbo providers are read where they are', async () => {
  await withServer(async ({ connectString }) => {
    const zk = await connected(connectString);
    const member = { serviceEndpoint: { host: '10.0.0.1', port: 31_000 }, status: 'ALIVE' };
    await zk.create('/twitter/jobs/member_0000000000', JSON.stringify(member), { makePath: true });
    const url = encodeURIComponent('dubbo://10.0.0.2:20880/com.foo.Bar?version=1&weight=50');
    await zk.create(`/dubbo/com.foo.Bar/providers/${url}`, '', { makePath: true });
    const sets = new ZkRegistry(zk, { layout: new ServerSetLayout('/twitter') });
    assert.equal(namesOf(await sets.instances('jobs')), '10.0.0.1');
    const dubbo = new ZkRegistry(zk, { layout: new DubboLayout() });
    const lb = new LoadBalancer({ registry: dubbo, service: 'com.foo.Bar' });
    assert.equal(await lb.send({}, ({ host, port }) => `${host}:${port}`), '10.0.0.2:20880');
    const more = encodeURIComponent('dubbo://10.0.0.3:20880/com.foo.Bar?version=1');
    await zk.create(`/dubbo/com.foo.Bar/providers/${more}`);
    await until('the new provider', () => namesOf(lb.instances) === '10.0.0.2 10.0.0.3');
    await assert.rejects(dubbo.register({ service: 'x', host: 'h', port: 1 }), TypeError);
    await lb.close();
    await zk.close();
  });
});

test('a znode that is no instance is told and left out', async () => {
  await withServer(async ({ connectString }) => {
    const zk = await connected(connectString);
    const registry = new ZkRegistry(zk);
    await registry.register({ service: 'web', host: 'good', port: 80 });
    const lb = new LoadBalancer({ registry, service: 'web' });
    const warnings: string[] = [];
    lb.on('warning', (text) => warnings.push(text));
    await lb.start();
    await zk.create('/services/web/bad', '{"name":');
    await until('a warning', () => warnings.some((text) => text.includes('/services/web/bad')));
    assert.equal(namesOf(lb.instances), 'good');
    await lb.close();
    await zk.close();
  });
});

test('peers share the instances evenly, by places that ZooKeeper gives them', async () => {
  await withServer(async ({ connectString }) => {
    const zk = await connected(connectString);
    const registry = new ZkRegistry(zk);
    const count = 12;
    for (let i = 0; i < count; i++) {
      await registry.register({ service: 'web', host: `h${i}`, port: 80 });
    }
    const clients = await Promise.all(Array.from({ length: 6 }, () => connected(connectString)));
    const lbs = clients.map(
      (client) =>
        new LoadBalancer({
          ...{ registry: new ZkRegistry(client), service: 'web', subset: 'deterministic' },
        }),
    );
    await Promise.all(lbs.map((lb) => lb.start()));
    await until('all have places', () => {
      const places = lbs.map((lb) => lb.status().position);
      const indexes = new Set(places.map((place) => place?.index));
      const isWhole = places.every((place) => place?.count === 6) && indexes.size === 6;
      return isWhole && lbs.every((lb) => lb.instances.length === count);
    });
    const shares = new Map<string, number>();
    for (const lb of lbs) {
      const { targets, size } = lb.status();
      assert.ok(size <= 4, `${size} of ${count}`);
      for (const { id, share } of targets) shares.set(id, (shares.get(id) ?? 0) + share);
    }
    const all = [...shares.values()];
    assert.ok(Math.max(...all) / Math.min(...all) < 1.01);

    await lbs[0]?.close();
    await until('the others move together', () =>
      lbs.slice(1).every((lb) => lb.status().position?.count === 5),
    );
    await Promise.all(lbs.slice(1).map((lb) => lb.close()));
    await Promise.all([zk, ...clients].map((client) => client.close()));
  });
});

test('the leader of the registry dies: registrations stay, requests see nothing', async () => {
  const ensemble = await TestEnsemble.start(3);
  try {
    const server = await connected(ensemble.connectString);
    const seeker = await connected(ensemble.connectString);
    const registry = new ZkRegistry(server);
    for (const host of ['a', 'b']) await registry.register({ service: 'web', host, port: 80 });
    const lb = new LoadBalancer({ registry: new ZkRegistry(seeker), service: 'web' });
    await lb.start();
    await until('both', () => namesOf(lb.instances) === 'a b');
    const { leader } = ensemble;
    assert.ok(leader !== null);
    const killed = ensemble.kill(leader);
    for (let i = 0; i < 50; i++) {
      assert.match(await lb.send({}, ({ host }) => host), /a|b/u);
      await sleep(5);
    }
    await killed;
    await ensemble.untilServing();
    const third = await registry.register({ service: 'web', host: 'c', port: 80 });
    await until('the third', () => namesOf(lb.instances) === 'a b c');
    await third.unregister();
    await lb.close();
    await Promise.all([server.close(), seeker.close()]);
  } finally {
    await ensemble.stop();
  }
});
