/** Time, delays and cut connections, as tests of other people make them happen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestEnsemble, TestServer } from 'zabra/testing';
import { flags } from '../support/requests.js';
import { TestClient } from '../support/test-client.js';

const host = '127.0.0.1';

test('virtual time: a session is silent for a minute, in no time, and takes its ephemerals along', async () => {
  const server = await TestServer.start({ time: 'virtual' });
  try {
    const silent = await TestClient.connect({ host, port: server.port }, { timeoutMs: 30_000 });
    assert.equal((await silent.create('/here', { flags: flags.ephemeral })).err, 0);
    const began = performance.now();
    await server.advance(15_000);
    assert.equal((await silent.exists('/here')).err, 0);
    await server.advance(60_000);
    // that minute was not waited for
    assert.ok(performance.now() - began < 60_000);
    assert.deepEqual(server.sessionIds, []);
    const other = await TestClient.connect({ host, port: server.port }, { timeoutMs: 30_000 });
    assert.notEqual((await other.exists('/here')).err, 0);
    other.destroy();
    silent.destroy();
  } finally {
    await server.stop();
  }
});

test('time of a server in real time cannot be moved, nor backwards', async () => {
  const server = await TestServer.start();
  await assert.rejects(server.advance(1), /start the server with time: 'virtual'/);
  await server.stop();
  const other = await TestServer.start({ time: 'virtual' });
  await assert.rejects(other.advance(-1), /time goes forward/);
  await other.stop();
});

test('an ensemble in virtual time elects, loses its leader and serves again', async () => {
  const ensemble = await TestEnsemble.start(3, { time: 'virtual' });
  try {
    const { leader } = ensemble;
    assert.ok(leader !== null);
    await ensemble.kill(leader);
    await ensemble.advance(20_000);
    await ensemble.untilServing();
    assert.notEqual(ensemble.leader, leader);
    await ensemble.restart(leader);
    assert.equal(ensemble.servers[leader - 1]?.state, 'follower');
    const port = ensemble.servers[0]?.port ?? 0;
    const client = await TestClient.connect({ host, port }, { timeoutMs: 10_000 });
    assert.equal((await client.create('/gone', { flags: flags.ephemeral })).err, 0);
    await ensemble.advance(60_000);
    client.destroy();
    const other = await TestClient.connect({ host, port }, { timeoutMs: 10_000 });
    assert.notEqual((await other.exists('/gone')).err, 0);
    other.destroy();
  } finally {
    await ensemble.stop();
  }
});

test('a session of an ensemble expires when a test says so', async () => {
  const ensemble = await TestEnsemble.start(3);
  try {
    const [first, second] = ensemble.servers;
    const client = await TestClient.connect(
      { host, port: first?.port ?? 0 },
      { timeoutMs: 10_000 },
    );
    assert.equal((await client.create('/mine', { flags: flags.ephemeral })).err, 0);
    assert.equal(ensemble.expireSession(client.session.sessionId), true);
    assert.equal(ensemble.expireSession(77n), false);
    const other = await TestClient.connect(
      { host, port: second?.port ?? 0 },
      { timeoutMs: 10_000 },
    );
    await other.sync('/');
    assert.notEqual((await other.exists('/mine')).err, 0);
    other.destroy();
    client.destroy();
  } finally {
    await ensemble.stop();
  }
});

test('what reaches a server late is answered late, in order, and again in time', async () => {
  const ensemble = await TestEnsemble.start(3, { time: 'virtual' });
  try {
    const [first] = ensemble.servers;
    const client = await TestClient.connect(
      { host, port: first?.port ?? 0 },
      { timeoutMs: 10_000 },
    );
    const paths = ['/', '/none', '/zookeeper'];
    const answered: string[] = [];
    const ask = async (path: string): Promise<void> => {
      await client.exists(path);
      answered.push(path);
    };
    ensemble.delay(150, first?.id ?? 0);
    const late = Promise.all(paths.map(ask));
    let tookMs = 0;
    for (; answered.length < paths.length; tookMs += 10) {
      assert.ok(answered.length === 0 || tookMs >= 150, `answered after ${tookMs} ms`);
      await ensemble.advance(10);
    }
    assert.ok(tookMs >= 150, `answered after ${tookMs} ms`);
    await late;
    assert.deepEqual(answered, paths);
    ensemble.delay(0);
    // its time stands still, and yet it answers
    assert.equal((await client.exists('/')).err, 0);
    client.destroy();
  } finally {
    await ensemble.stop();
  }
});

test('the delay is one of real time where nobody else moves it', async () => {
  const ensemble = await TestEnsemble.start(3);
  try {
    const [first] = ensemble.servers;
    const client = await TestClient.connect(
      { host, port: first?.port ?? 0 },
      { timeoutMs: 10_000 },
    );
    const timed = async (): Promise<number> => {
      const began = performance.now();
      await Promise.all([client.exists('/'), client.exists('/zookeeper')]);
      return performance.now() - began;
    };
    ensemble.delay(150, first?.id ?? 0);
    assert.ok((await timed()) >= 150);
    ensemble.delay(0);
    await timed();
    client.destroy();
  } finally {
    await ensemble.stop();
  }
});

test('connections are cut, of one server or of all, and sessions live on', async () => {
  const ensemble = await TestEnsemble.start(3);
  try {
    const clients = await Promise.all(
      ensemble.servers.map(({ port }) => TestClient.connect({ host, port }, { timeoutMs: 10_000 })),
    );
    ensemble.dropConnections(1);
    await clients[0]?.untilClosed();
    assert.equal((await clients[1]?.exists('/'))?.err, 0);
    ensemble.dropConnections();
    await clients[1]?.untilClosed();
    await clients[2]?.untilClosed();
    assert.throws(() => ensemble.dropConnections(9), /there is no server 9/);
  } finally {
    await ensemble.stop();
  }
});
