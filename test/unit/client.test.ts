/** The client as its users have it, by the package's name, against real servers in this process. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Acls,
  BadVersionError,
  Client,
  ConnectionLossError,
  isRetryable,
  NoAuthError,
  NoNodeError,
  NotEmptyError,
  OutcomeUnknownError,
  SessionExpiredError,
  TransactionError,
  ZkError,
  type ClientState,
  type NodeMode,
  type WatchEvent,
} from 'zabra/client';
import { TestEnsemble, TestServer } from 'zabra/testing';

async function once(client: Client, wanted: ClientState): Promise<void> {
  if (client.state === wanted) return;
  await new Promise<void>((resolve) => {
    const off = client.on('state', (state) => {
      if (state !== wanted) return;
      off();
      resolve();
    });
  });
}

describe('the client on one server', () => {
  test('every operation, and what it answers', async () => {
    const server = await TestServer.start();
    const zk = await new Client(server.connectString).connect();
    try {
      const modes: readonly NodeMode[] = [
        'persistent',
        'ephemeral',
        'container',
        'persistent-ttl',
        'persistent-sequential',
      ];
      for (const mode of modes) {
        const ttl = mode === 'persistent-ttl' ? { ttlMs: 60_000 } : {};
        const { path, stat } = await zk.create(`/${mode}`, 'data', { mode, ...ttl });
        assert.ok(path.startsWith(`/${mode}`));
        assert.equal(stat.ephemeralOwner === zk.sessionId, mode === 'ephemeral');
        assert.equal(stat.dataLength, 4);
      }
      await zk.create('/deep/down/here', Uint8Array.of(0, 255), { makePath: true });
      const { data, stat } = await zk.getData('/deep/down/here');
      assert.deepEqual([...data], [0, 255]);
      assert.ok(Buffer.isBuffer(data));
      assert.equal(
        (await zk.setData('/deep/down/here', 'ü', { version: stat.version })).version,
        1,
      );
      await assert.rejects(zk.setData('/deep/down/here', '', { version: 0 }), BadVersionError);
      await assert.rejects(zk.delete('/deep'), NotEmptyError);
      await assert.rejects(zk.getData('/nowhere'), NoNodeError);
      assert.equal(await zk.exists('/nowhere'), null);
      assert.equal((await zk.exists('/deep'))?.numChildren, 1);
      assert.deepEqual((await zk.getChildren('/deep')).children, ['down']);
      assert.equal(await zk.sync('/deep'), '/deep');
      assert.deepEqual(await zk.getEphemerals(), ['/ephemeral']);
      assert.equal(await zk.getAllChildrenNumber('/deep'), 2);
      assert.deepEqual((await zk.getACL('/deep')).acl, Acls.open);
      await zk.addAuth('digest', 'user:secret');
      assert.ok((await zk.whoAmI()).some(({ scheme, id }) => scheme === 'digest' && id === 'user'));
      assert.equal((await zk.setACL('/deep', Acls.creatorAll)).aversion, 1);
      const stranger = await new Client(server.connectString).connect();
      await assert.rejects(stranger.getData('/deep'), NoAuthError);
      await stranger.close();
      const [first, second, third] = await zk.multiRead([
        { type: 'getData', path: '/deep/down/here' },
        { type: 'getChildren', path: '/deep' },
        { type: 'getData', path: '/nowhere' },
      ]);
      assert.ok(first !== undefined && 'data' in first && String(first.data) === 'ü');
      assert.ok(second !== undefined && 'children' in second);
      assert.ok(third instanceof NoNodeError);
      await zk.delete('/deep', { recursive: true });
      assert.equal(await zk.exists('/deep'), null);
    } finally {
      await zk.close();
      await server.stop();
    }
  });

  test('a transaction happens whole or not at all', async () => {
    const server = await TestServer.start();
    const zk = await new Client(server.connectString).connect();
    const [created, set] = await zk
      .transaction()
      .create('/a', '1')
      .setData('/a', '2', { version: 0 })
      .commit();
    assert.equal(created.path, '/a');
    assert.equal(set.stat.version, 1);
    const failing = zk.transaction().setData('/a', '3').check('/a', { version: 7 }).delete('/a');
    const error: unknown = await failing.commit().catch((reason: unknown) => reason);
    assert.ok(error instanceof TransactionError);
    assert.equal(error.index, 1);
    assert.ok(error instanceof ZkError);
    assert.equal(String((await zk.getData('/a')).data), '2');
    await zk.close();
    await server.stop();
  });

  test('connections come and go, the session and its watches stay', async () => {
    const server = await TestServer.start();
    const zk = await new Client(server.connectString).connect();
    const events: WatchEvent[] = [];
    const watch = (event: WatchEvent): void => {
      events.push(event);
    };
    await zk.create('/e', '', { mode: 'ephemeral' });
    await zk.getData('/e', { watch });
    const id = zk.sessionId;
    for (let i = 0; i < 3; i++) {
      const suspended = once(zk, 'suspended');
      server.dropConnections();
      await suspended;
      assert.notEqual(await zk.exists('/e'), null);
    }
    await zk.setData('/e', 'x');
    await zk.sync('/');
    assert.equal(zk.sessionId, id);
    assert.deepEqual(
      events.map(({ type, path }) => ({ type, path })),
      [{ type: 'changed', path: '/e' }],
    );
    await zk.close();
    await server.stop();
  });

  test('an expired session is told, and replaced', async () => {
    const server = await TestServer.start();
    const zk = await new Client(server.connectString).connect();
    const states: ClientState[] = [];
    zk.on('state', (state) => states.push(state));
    await zk.create('/e', '', { mode: 'ephemeral' });
    const before = zk.sessionId;
    const session = new Promise<bigint | null>((resolve) => {
      zk.once('session', ({ previousId }) => {
        resolve(previousId);
      });
    });
    server.expireSession(before);
    assert.equal(await session, before);
    await once(zk, 'connected');
    assert.equal(await zk.exists('/e'), null);
    assert.deepEqual(states, ['suspended', 'lost', 'connected']);
    await zk.close();
    await server.stop();
  });

  test('a session goes from one client to another, with what belongs to it', async () => {
    const server = await TestServer.start();
    const first = await new Client(server.connectString).connect();
    await first.create('/e', '', { mode: 'ephemeral' });
    const ticket = JSON.stringify(await first.detach());
    const second = await Client.resume(JSON.parse(ticket) as never);
    assert.notEqual(await second.exists('/e'), null);
    await second.close();
    await assert.rejects(Client.resume(JSON.parse(ticket) as never), SessionExpiredError);
    assert.deepEqual(server.sessionIds, []);
    await server.stop();
  });

  test('a busy loop of its own does not cost the session', async () => {
    const server = await TestServer.start({ settings: { tickTimeMs: 200 } });
    const zk = await new Client(server.connectString, { sessionTimeoutMs: 1500 }).connect();
    const stalled = new Promise<number>((resolve) => {
      zk.on('stall', ({ lateMs }) => {
        resolve(lateMs);
      });
    });
    const id = zk.sessionId;
    const untilMs = performance.now() + 1100;
    while (performance.now() < untilMs);
    // it looks for the first time after a third of the timeout
    assert.ok((await stalled) >= 500);
    while (zk.state !== 'connected') await once(zk, 'connected');
    assert.notEqual(await zk.exists('/'), null);
    assert.equal(zk.sessionId, id);
    await zk.close();
    await server.stop();
  });

  test('is closed by `Symbol.asyncDispose`, and its session with it', async () => {
    const server = await TestServer.start();
    const zk = await new Client(server.connectString).connect();
    assert.deepEqual(server.sessionIds, [zk.sessionId]);
    await zk[Symbol.asyncDispose]();
    assert.deepEqual(server.sessionIds, []);
    await server.stop();
  });
});

describe('the client on an ensemble', () => {
  test('a leader that dies: each write is done, not done, or in doubt, and all of it is true', async () => {
    const ensemble = await TestEnsemble.start(3);
    const zk = await new Client(ensemble.connectString, { sessionTimeoutMs: 10_000 }).connect();
    const id = zk.sessionId;
    await zk.create('/w', '');
    await zk.create('/e', '', { mode: 'ephemeral' });
    const done: string[] = [];
    const undone: string[] = [];
    let isOver = false;
    const writer = (async (): Promise<void> => {
      for (let i = 0; !isOver; i++) {
        const path = `/w/${i}`;
        try {
          await zk.create(path);
          done.push(path);
        } catch (error) {
          if (error instanceof OutcomeUnknownError) continue;
          assert.ok(isRetryable(error), String(error));
          undone.push(path);
        }
      }
    })();
    await sleep(300);
    const { leader } = ensemble;
    assert.ok(leader !== null);
    await ensemble.kill(leader);
    await ensemble.untilServing();
    const before = done.length;
    while (done.length < before + 100) await sleep(10);
    isOver = true;
    await writer;
    await zk.sync('/w');
    const { children } = await zk.getChildren('/w');
    const there = new Set(children.map((name) => `/w/${name}`));
    assert.ok(done.every((path) => there.has(path)));
    assert.ok(undone.every((path) => !there.has(path)));
    assert.equal(zk.sessionId, id);
    assert.notEqual(await zk.exists('/e'), null);
    await zk.close();
    await ensemble.stop();
  });

  test('a server that stands still is left for another', async () => {
    const ensemble = await TestEnsemble.start(3);
    const zk = await new Client(ensemble.connectString, { sessionTimeoutMs: 6000 }).connect();
    const seat = ensemble.servers.find(({ port }) => port === zk.server?.port);
    assert.ok(seat !== undefined);
    await ensemble.pause(seat.id);
    const id = zk.sessionId;
    const reading = zk.getData('/').catch((error: unknown) => error);
    await once(zk, 'suspended');
    assert.ok((await reading) instanceof ConnectionLossError);
    await once(zk, 'connected');
    assert.notEqual(zk.server?.port, seat.port);
    assert.equal(zk.sessionId, id);
    await zk.close();
    await ensemble.resume(seat.id);
    await ensemble.stop();
  });

  test('updateServers leaves a server that is taken out', async () => {
    const ensemble = await TestEnsemble.start(3);
    const zk = await new Client(ensemble.connectString).connect();
    const others = ensemble.servers.filter(({ port }) => port !== zk.server?.port);
    zk.updateServers(others.map(({ connectString }) => connectString).join(','));
    await once(zk, 'suspended');
    await once(zk, 'connected');
    assert.ok(others.some(({ port }) => port === zk.server?.port));
    await zk.close();
    await ensemble.stop();
  });
});
