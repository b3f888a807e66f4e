import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { silentLogger, type Logger } from '../ports/logger.js';
import type { Listener, Socket, SocketHandler } from '../ports/network.js';
import type { TlsConfig } from '../server/config/tls-config.js';
import { StartError } from '../storage/start-error.js';
import { tlsNetworks } from './tls-port.js';

const folder = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));
const pem = (name: string): string => readFileSync(`${folder}${name}.pem`, 'utf8');
const ca = pem('ca');
const alice = { key: pem('alice'), cert: pem('alice') };
const mallory = { key: pem('mallory'), cert: pem('mallory') };

const config: TlsConfig = {
  keyStore: {
    ...{ key: 'ssl.keyStore', path: `${folder}server.pem`, type: 'PEM' },
    ...{ password: null, passwordPath: null },
  },
  trustStore: {
    ...{ key: 'ssl.trustStore', path: `${folder}ca.pem`, type: 'PEM' },
    ...{ password: null, passwordPath: null },
  },
  clientAuth: 'need',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: null,
  handshakeTimeoutMs: 60_000,
  handshakesMax: -1,
};

interface Accepted {
  readonly socket: Socket;
  readonly received: Buffer[];
  readonly closed: Promise<Error | null>;
}

class Port {
  readonly accepted: Accepted[] = [];
  readonly warnings: string[] = [];
  listener: Listener | null = null;

  static async open(
    context: TestContext,
    given: Partial<TlsConfig> = {},
    kind: 'secure' | 'unified' = 'secure',
  ): Promise<Port> {
    const opened = new Port();
    const logger: Logger = {
      ...silentLogger,
      warn: (message, fields) => opened.warnings.push(`${message}: ${String(fields?.['reason'])}`),
    };
    const network = tlsNetworks({ ...config, ...given }, logger)[kind];
    const accept = (socket: Socket): SocketHandler => opened.#serve(socket);
    opened.listener = await network.listen({ host: '127.0.0.1', port: 0 }, accept);
    context.after(async () => {
      const closed = opened.listener?.close();
      for (const { socket } of opened.accepted) socket.destroy();
      await closed;
    });
    return opened;
  }

  get port(): number {
    return this.listener?.port ?? 0;
  }

  /** Echoes. */
  #serve(socket: Socket): SocketHandler {
    const received: Buffer[] = [];
    let onClosed: (error: Error | null) => void = () => undefined;
    const closed = new Promise<Error | null>((resolve) => {
      onClosed = resolve;
    });
    this.accepted.push({ socket, received, closed });
    return {
      onData(bytes, start, end) {
        received.push(Buffer.from(bytes.subarray(start, end)));
        socket.write(bytes.slice(start, end), 0, end - start);
      },
      onDrain() {
        // nothing waits here
      },
      onClose: onClosed,
    };
  }

  async connect(options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
    const socket = tls.connect({ port: this.port, host: '127.0.0.1', ca, ...alice, ...options });
    await once(socket, 'secureConnect');
    return socket;
  }

  /** What a client hears that is not let in. */
  async refused(options: tls.ConnectionOptions): Promise<string> {
    const socket = tls.connect({ port: this.port, host: '127.0.0.1', ca, ...options });
    return await new Promise((resolve) => {
      socket.on('error', (error: Error) => resolve(error.message));
      socket.on('close', () => resolve('closed'));
      socket.on('data', () => resolve('let in'));
      socket.on('secureConnect', () => socket.write('hello'));
    });
  }
}

async function echo(socket: net.Socket, text: string): Promise<string> {
  socket.write(text);
  let heard = '';
  while (heard.length < text.length) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    heard += chunk.toString();
  }
  return heard;
}

test('a client with a good certificate is let in, and is whom that names', async (context) => {
  const port = await Port.open(context);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = await port.connect({ maxVersion: version });
    assert.equal(client.getProtocol(), version);
    assert.equal(await echo(client, 'hello'), 'hello');
    const accepted = port.accepted.at(-1);
    assert.ok(accepted !== undefined);
    assert.equal(accepted.socket.tls?.subject, 'CN=alice,OU=clients,O=Zabra tests,C=DE');
    assert.equal(accepted.socket.remoteAddress, '127.0.0.1');
    assert.equal(accepted.socket.remotePort, client.localPort);
    client.end();
    assert.equal(await accepted.closed, null);
  }
});

test('a resumed session knows its client as well', async (context) => {
  const port = await Port.open(context);
  const first = await port.connect();
  const [session] = (await once(first, 'session')) as [Buffer];
  first.destroy();
  const second = await port.connect({ session });
  await echo(second, 'x');
  assert.equal(second.isSessionReused(), true);
  assert.equal(port.accepted.at(-1)?.socket.tls?.subject, 'CN=alice,OU=clients,O=Zabra tests,C=DE');
  second.destroy();
});

test('need: nobody without a certificate, nobody with one of a stranger', async (context) => {
  const port = await Port.open(context);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    assert.notEqual(await port.refused({ maxVersion }), 'let in');
    assert.notEqual(await port.refused({ ...mallory, maxVersion }), 'let in');
  }
  assert.equal(port.accepted.length, 0);
  assert.ok(port.warnings.some((line) => line.startsWith('a TLS handshake failed: ')));
});

test('want: without a certificate as nobody, with one of a stranger not at all', async (context) => {
  const port = await Port.open(context, { clientAuth: 'want' });
  const anonymous = await port.connect({ key: undefined, cert: undefined });
  assert.equal(await echo(anonymous, 'x'), 'x');
  assert.equal(port.accepted[0]?.socket.tls?.subject, null);
  anonymous.destroy();
  assert.notEqual(await port.refused(mallory), 'let in');
  const known = await port.connect();
  assert.equal(await echo(known, 'x'), 'x');
  assert.match(port.accepted.at(-1)?.socket.tls?.subject ?? '', /CN=alice/);
  known.destroy();
  assert.equal(port.accepted.length, 2);
});

test('want without a trust store trusts nobody, rather than everybody', async (context) => {
  const port = await Port.open(context, { clientAuth: 'want', trustStore: null });
  assert.notEqual(await port.refused(alice), 'let in');
  assert.equal(await port.refused({}), 'let in');
});

test('none: a certificate is not asked for', async (context) => {
  const port = await Port.open(context, { clientAuth: 'none', trustStore: null });
  const client = await port.connect();
  await echo(client, 'x');
  assert.equal(port.accepted[0]?.socket.tls?.subject, null);
  client.destroy();
});

test('an authority that only stands in the key store vouches for no client', async (context) => {
  const keyStore = { ...config.keyStore, path: `${folder}server.p12`, type: 'PKCS12' } as const;
  const port = await Port.open(context, {
    keyStore: { ...keyStore, password: 'secret' },
    clientAuth: 'want',
    trustStore: null,
  });
  assert.notEqual(await port.refused(alice), 'let in');
});

test('much that is written arrives, and it is told when it has left', async (context) => {
  const port = await Port.open(context);
  const client = await port.connect();
  await echo(client, 'x');
  const accepted = port.accepted[0];
  assert.ok(accepted !== undefined);
  const mebi = new Uint8Array(1 << 20).fill(0x61);
  client.pause();
  let isFree = true;
  for (let i = 0; i < 16; i++) isFree = accepted.socket.write(mebi, 0, mebi.length);
  // the buffer is the caller's again: what it does with it changes nothing
  mebi.fill(0x62);
  assert.equal(isFree, false);
  assert.ok(accepted.socket.pendingBytes > 0);
  let heard = 0;
  client.on('data', (chunk: Buffer) => {
    heard += chunk.length;
    assert.equal(chunk.includes(0x62), false);
  });
  client.resume();
  accepted.socket.end();
  await once(client, 'close');
  assert.equal(heard, 16 << 20);
});

const badBeginnings: readonly (readonly [string, Buffer])[] = [
  ['plaintext', Buffer.from('ruok\n')],
  ['a connect request', Buffer.concat([Buffer.from([0, 0, 0, 45]), Buffer.alloc(45)])],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['a record of impossible length', Buffer.from([0x16, 3, 1, 0xff, 0xff, 1, 2, 3])],
  ['a hello of garbage', Buffer.concat([Buffer.from([0x16, 3, 1, 1, 0]), Buffer.alloc(256, 0x5a)])],
  ['an alert', Buffer.from([0x15, 3, 3, 0, 2, 2, 40])],
  ['noise', Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 7919) & 0xff))],
];

test('what is no handshake is closed, and nobody hears of it', async (context) => {
  const port = await Port.open(context);
  for (const [what, bytes] of badBeginnings) {
    const socket = net.connect(port.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    socket.resume();
    socket.write(bytes);
    await closed;
    assert.equal(port.accepted.length, 0, what);
  }
  const client = await port.connect();
  assert.equal(await echo(client, 'still there'), 'still there');
  client.destroy();
});

test('who stops within a handshake is closed in time', async (context) => {
  for (const kind of ['secure', 'unified'] as const) {
    const port = await Port.open(context, { handshakeTimeoutMs: 50 }, kind);
    const beginnings = ['', '\x16', '\x16\x03\x01\x02\x00\x01'];
    // too short to be known as no record, where nothing else is taken
    if (kind === 'secure') beginnings.push('ruok');
    for (const bytes of beginnings) {
      const socket = net.connect(port.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      if (bytes !== '') socket.write(Buffer.from(bytes, 'latin1'));
      await once(socket, 'close');
    }
    assert.equal(port.accepted.length, 0);
  }
});

test('more handshakes at once than allowed are closed', async (context) => {
  const port = await Port.open(context, { handshakesMax: 2 });
  const waiting = [net.connect(port.port, '127.0.0.1'), net.connect(port.port, '127.0.0.1')];
  await Promise.all(waiting.map((socket) => once(socket, 'connect')));
  const third = net.connect(port.port, '127.0.0.1');
  third.on('error', () => undefined);
  third.resume();
  await once(third, 'close');
  const gone = waiting.map((socket) => once(socket, 'close'));
  for (const socket of waiting) socket.destroy();
  await Promise.all(gone);
  // the server may hear of their end a little later
  for (;;) {
    const outcome = await port.refused(alice);
    if (outcome === 'let in') break;
  }
});

test('a unified port takes both, each byte by byte', async (context) => {
  const port = await Port.open(context, {}, 'unified');
  const secure = await port.connect();
  assert.equal(await echo(secure, 'by TLS'), 'by TLS');
  assert.match(port.accepted[0]?.socket.tls?.subject ?? '', /CN=alice/);
  const plain = net.connect(port.port, '127.0.0.1');
  plain.write('r');
  assert.equal(String((await once(plain, 'data'))[0]), 'r');
  assert.equal(await echo(plain, 'uok'), 'uok');
  assert.equal(port.accepted[1]?.socket.tls, undefined);
  plain.destroy();
  secure.destroy();
});

test('a port that closes lets go of those in their handshake', async (context) => {
  const port = await Port.open(context);
  const socket = net.connect(port.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  // it has been accepted when a later one is through
  (await port.connect()).destroy();
  const gone = once(socket, 'close');
  socket.resume();
  const closed = port.listener?.close();
  await gone;
  for (const accepted of port.accepted) accepted.socket.destroy();
  await closed;
});

test('keys and ciphers that do not fit are refused at the start', () => {
  assert.throws(
    () => tlsNetworks({ ...config, ciphers: 'NO-SUCH-CIPHER' }, silentLogger),
    (error: Error) =>
      error instanceof StartError && error.message.startsWith('TLS cannot be set up'),
  );
});
