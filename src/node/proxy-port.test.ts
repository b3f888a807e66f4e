import assert from 'node:assert/strict';
import net from 'node:net';
import { after, test } from 'node:test';
import type { Logger } from '../ports/logger.js';
import { silentLogger } from '../ports/logger.js';
import type { Listener } from '../ports/network.js';
import { encodeProxyHeader } from '../protocol/proxy-protocol.js';
import { nodeClock } from './clock.js';
import { nodeNetwork } from './network.js';
import { proxiedNetwork, type ProxyPortOptions } from './proxy-port.js';

const listeners: Listener[] = [];
after(() => Promise.all(listeners.map((listener) => listener.close())));

/** Answers each piece with who sent it. */
async function echoPort(
  options: Partial<ProxyPortOptions>,
  logger: Logger = silentLogger,
): Promise<number> {
  const network = proxiedNetwork(
    nodeNetwork,
    { trustedSenders: ['127.0.0.0/8'], isRequired: false, timeoutMs: 60_000, ...options },
    { clock: nodeClock, logger },
  );
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (socket) => ({
    onData(bytes, start, end) {
      const text = Buffer.from(bytes.slice(start, end)).toString('latin1');
      const answer = Buffer.from(`${socket.remoteAddress}:${socket.remotePort} ${text}`);
      socket.write(answer, 0, answer.length);
      if (text.endsWith('.')) socket.end();
    },
    onDrain: () => undefined,
    onClose: () => undefined,
  }));
  listeners.push(listener);
  return listener.port;
}

async function exchange(port: number, pieces: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = net.connect({ host: '127.0.0.1', port });
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  // a port that wants no more of it may reset
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.setNoDelay(true);
  for (const piece of pieces) {
    await Promise.race([closed, new Promise((resolve) => socket.write(piece, resolve))]);
  }
  await closed;
  return answer;
}

const header = encodeProxyHeader(2, {
  sourceAddress: '192.0.2.1',
  sourcePort: 4711,
  destinationAddress: '192.0.2.2',
  destinationPort: 2181,
});

test("behind a header of a trusted sender the connection is the client's", async () => {
  const port = await echoPort({});
  const inOne = await exchange(port, [Buffer.concat([header, Buffer.from('hello.')])]);
  assert.equal(inOne, '192.0.2.1:4711 hello.');
  const bytes = [...header].map((byte) => Uint8Array.of(byte));
  assert.match(await exchange(port, [...bytes, 'hello.']), /^192\.0\.2\.1:4711 /);
  const line = 'PROXY TCP6 2001:db8::5 2001:db8::6 1 2\r\nhello.';
  assert.equal(await exchange(port, [line]), '2001:db8::5:1 hello.');
});

test('a trusted sender without a header speaks for itself, unless it must have one', async () => {
  assert.match(await exchange(await echoPort({}), ['ruok.']), /^127\.0\.0\.1:\d+ ruok\.$/);
  assert.equal(await exchange(await echoPort({ isRequired: true }), ['ruok.']), '');
});

test('to everybody else the bytes of a header are bytes', async () => {
  const port = await echoPort({ trustedSenders: ['10.0.0.0/8'] });
  const answer = await exchange(port, ['PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n.']);
  assert.match(answer, /^127\.0\.0\.1:\d+ PROXY TCP4/);
});

test('what cannot be read closes the connection, with one line', async () => {
  const lines: string[] = [];
  const warn: Logger['warn'] = (message, fields) => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  const port = await echoPort({}, { ...silentLogger, warn });
  assert.equal(await exchange(port, ['PROXY TCP9 \r\n', 'hello.']), '');
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /PROXY header.*neither TCP4/);
});

test('who is trusted and says nothing is not waited for', async () => {
  const port = await echoPort({ timeoutMs: 1 });
  assert.equal(await exchange(port, ['PROXY ']), '');
});
