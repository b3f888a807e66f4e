import assert from 'node:assert/strict';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackendAddress } from '../balancer/pool/backend.js';
import { TestServer } from '../testing/test-server.js';
import { ClientConfigSource } from './balancer-config-source.js';
import { Client } from './client.js';

function addressOf({ connectString }: TestServer): BackendAddress {
  const [host = '', port = ''] = connectString.split(':');
  return { host, port: Number(port) };
}

/** A way to the server that ends with the first read, and from then on does not. */
async function cutAtFirstRead(context: TestContext, server: TestServer): Promise<string> {
  let hasCut = false;
  const sockets = new Set<net.Socket>();
  const relay = net.createServer((socket) => {
    const upstream = net.connect(server.port, '127.0.0.1');
    socket.on('data', (chunk: Buffer) => {
      if (!hasCut && chunk.includes('/zookeeper/config')) {
        hasCut = true;
        socket.destroy();
      } else upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => socket.write(chunk));
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
    for (const one of [socket, upstream]) {
      one.on('error', () => undefined);
      sockets.add(one);
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  });
  return `127.0.0.1:${(relay.address() as net.AddressInfo).port}`;
}

test('a connection that ends in the middle of reading is no problem', async (context) => {
  const server = await TestServer.start();
  const source = new ClientConfigSource(await cutAtFirstRead(context, server));
  context.after(async () => {
    await source.stop();
    await server.stop();
  });
  const problems: string[] = [];
  const text = await new Promise<string>((resolve) => {
    source.start({ onText: resolve, onProblem: (problem) => problems.push(problem) });
  });
  assert.equal(text, '', 'a server that stands alone has no members');
  assert.deepEqual(problems, []);
});

test('every other text is told, whenever it comes', async (context) => {
  const server = await TestServer.start();
  const source = new ClientConfigSource(server.connectString);
  const admin = new Client(server.connectString);
  context.after(async () => {
    await Promise.all([source.stop(), admin.close()]);
    await server.stop();
  });
  const texts: string[] = [];
  source.start({ onText: (text) => texts.push(text), onProblem: (text) => assert.fail(text) });
  while (texts.length === 0) await sleep(5);
  await admin.connect();
  server.dropConnections();
  await sleep(0);
  for (const id of server.sessionIds) if (id !== admin.sessionId) server.expireSession(id);
  // with its session the watch is gone, and it reads again
  while (texts.length < 2) await sleep(5);
  assert.equal(texts[1], texts[0]);
});

test('who follows an ensemble finds it when all servers that it knew first are gone', async (context) => {
  const [first, next] = [await TestServer.start(), await TestServer.start()];
  context.after(() => Promise.all([first.stop(), next.stop()]));
  const texts: string[] = [];
  const source = new ClientConfigSource(first.connectString);
  context.after(() => source.stop());
  source.start({ onText: (text) => texts.push(text), onProblem: () => undefined });
  while (texts.length === 0) await sleep(5);
  // it is not behind what was seen at the first
  const writer = new Client(next.connectString);
  await writer.connect();
  for (let i = 0; i < 10; i++) await writer.create(`/${i}`);
  await writer.close();
  const found = (): boolean => next.sessionIds.length > 0;
  assert.equal(found(), false);
  source.follow([addressOf(next)]);
  await first.stop();
  while (!found()) await sleep(5);
  await source.stop();
});
