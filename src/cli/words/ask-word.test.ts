import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { askWord, NoAnswerError } from './ask-word.js';

/** Where somebody listens who does this once four bytes have come. */
async function listening(
  t: TestContext,
  answer: (socket: Socket, word: string) => void,
): Promise<{ host: string; port: number; open: Set<Socket> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
    socket.setEncoding('latin1').on('data', (word: string) => {
      answer(socket, word);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, open };
}

test('an answer is what comes until the server closes, whatever its pieces', async (t) => {
  const asked: string[] = [];
  const place = await listening(t, (socket, word) => {
    asked.push(word);
    const bytes = Buffer.from('zk_ä\t€\n');
    socket.write(bytes.subarray(0, 4), () => socket.end(bytes.subarray(4)));
  });
  assert.equal(await askWord('mntr', place, { timeoutMs: 60_000 }), 'zk_ä\t€\n');
  assert.deepEqual(asked, ['mntr']);
});

test('no answer is told: a closed connection, nobody there, more than is wanted', async (t) => {
  const closes = await listening(t, (socket) => socket.end());
  await assert.rejects(askWord('srvr', closes, { timeoutMs: 60_000 }), /closed without an answer/);
  const talks = await listening(t, (socket) => socket.write('x'.repeat(2000)));
  const options = { timeoutMs: 60_000, answerBytesMax: 1000 };
  await assert.rejects(askWord('srvr', talks, options), /answers more than 1000 bytes/);
  const nobody = createServer();
  await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
  const { port } = nobody.address() as AddressInfo;
  await new Promise((resolve) => nobody.close(resolve));
  await assert.rejects(askWord('srvr', { host: '127.0.0.1', port }, { timeoutMs: 60_000 }), {
    code: 'ECONNREFUSED',
  });
});

test('who is silent, or speaks without end, is not waited for', async (t) => {
  const silent = await listening(t, () => undefined);
  await assert.rejects(askWord('srvr', silent, { timeoutMs: 300 }), NoAnswerError);
  const drips = await listening(t, (socket) => {
    const drip = setInterval(() => socket.write('.'), 5);
    socket.on('close', () => {
      clearInterval(drip);
    });
  });
  await assert.rejects(askWord('srvr', drips, { timeoutMs: 200 }), (error) => {
    assert.ok(error instanceof NoAnswerError);
    return true;
  });
});
