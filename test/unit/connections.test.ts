import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestServer } from 'zabra/testing';
import { OpCode } from 'zabra/protocol';
import { TestClient } from '../support/test-client.js';
import { body } from '../support/requests.js';

async function withServer(
  run: (connect: () => Promise<TestClient>, server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await TestServer.start();
  const clients: TestClient[] = [];
  try {
    await run(async () => {
      const client = await TestClient.connect({ host: '127.0.0.1', port: server.port });
      clients.push(client);
      return client;
    }, server);
  } finally {
    for (const client of clients) client.destroy();
    await server.stop();
  }
}

test('a thousand reads one by one, with nothing else going on, are all answered', async () => {
  await withServer(async (connect) => {
    const clients = await Promise.all([connect(), connect(), connect()]);
    for (let round = 0; round < 400; round++) {
      for (const client of clients) assert.equal((await client.exists('/')).err, 0);
    }
  });
});

test('replies keep the order of requests when reads wait behind writes', async () => {
  await withServer(async (connect) => {
    const client = await connect();
    const xids: number[] = [];
    for (let i = 0; i < 300; i++) {
      xids.push(client.post(OpCode.create, body.create(`/n${i}`)));
      xids.push(client.post(OpCode.exists, body.pathAndWatch(`/n${i}`, false)));
      xids.push(client.post(OpCode.exists, body.pathAndWatch(`/n${i + 1}`, false)));
    }
    let index = 0;
    for (const xid of xids) {
      const { err } = await client.reply(xid);
      assert.equal(err, index % 3 === 2 ? -101 : 0, `request ${index}`);
      index++;
    }
  });
});

test('a list of very many children is of one moment, and what follows waits behind it', async () => {
  await withServer(async (connect) => {
    const writer = await connect();
    const reader = await connect();
    const count = 12_000;
    const xids: number[] = [];
    for (let i = 0; i < count; i++) xids.push(writer.post(OpCode.create, body.create(`/c${i}`)));
    for (const xid of xids) assert.equal((await writer.reply(xid, 30_000)).err, 0);
    const listed = reader.getChildren('/', true);
    const after = reader.exists('/c0');
    const changed = writer.delete('/c11999');
    const born = writer.create('/late');
    const children = (await listed).value ?? [];
    await Promise.all([changed, born]);
    const own = children.filter((name) => name.startsWith('c')).length;
    assert.ok(own === count || own === count - 1, `${own} children`);
    assert.equal(new Set(children).size, children.length, 'no child twice');
    assert.equal((await after).err, 0);
    assert.deepEqual((await reader.pendingEvents()).length, 1, 'the watch fires behind the list');
  });
});

test('a session that expires takes its connection and its ephemerals with it', async () => {
  await withServer(async (connect, server) => {
    const owner = await connect();
    const other = await connect();
    await owner.create('/e', { flags: 1 });
    await other.exists('/e', true);
    assert.equal(server.expireSession(owner.session.sessionId), true);
    const event = await other.event();
    assert.deepEqual([event.type, event.path], [2, '/e']);
    await owner.untilClosed();
  });
});

test('dropped connections keep their sessions', async () => {
  await withServer(async (connect, server) => {
    const client = await connect();
    await client.create('/e', { flags: 1 });
    server.dropConnections();
    await client.untilClosed();
    const again = await client.reconnect();
    assert.equal((await again.exists('/e')).err, 0);
    again.destroy();
  });
});
