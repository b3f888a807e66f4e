import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { TestEnsemble } from '../testing/test-ensemble.js';
import { askMembers } from './ask-members.js';

const host = '127.0.0.1';

async function listening(t: TestContext, meet: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
    meet(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('a member tells who belongs to it, and the session is closed again', async (t) => {
  const ensemble = await TestEnsemble.start(3);
  t.after(() => ensemble.stop());
  const [first = ''] = ensemble.connectString.split(',');
  const port = Number(first.slice(first.lastIndexOf(':') + 1));
  const text = await askMembers({ host, port, timeoutMs: 10_000 });
  assert.equal(text.match(/^server\.\d=/gm)?.length, 3);
});

test('who is not there, or no server, is told at once, and why', async (t) => {
  const nobody = createServer();
  await new Promise<void>((resolve) => nobody.listen(0, host, resolve));
  const { port } = nobody.address() as AddressInfo;
  await new Promise((resolve) => nobody.close(resolve));
  const timeoutMs = 600_000;
  await assert.rejects(askMembers({ host, port, timeoutMs }), /ECONNREFUSED/);
  const closing = await listening(t, (socket) => socket.on('data', () => socket.end()));
  await assert.rejects(askMembers({ host, port: closing, timeoutMs }), /closed the connection/);
  const babbling = await listening(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await assert.rejects(askMembers({ host, port: babbling, timeoutMs }), /is no answer/);
});

test('who takes the connection and says nothing is not waited for', async (t) => {
  const port = await listening(t, (socket) => socket.resume());
  await assert.rejects(askMembers({ host, port, timeoutMs: 50 }), /no session within 50 ms/);
});
