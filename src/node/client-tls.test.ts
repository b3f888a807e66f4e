import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { ArgumentError } from '../client/argument-error.js';
import type { TlsOptions } from '../client/tls.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { tlsClientNetwork } from './client-tls.js';

const folder = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));
const pem = (name: string): string => readFileSync(`${folder}${name}.pem`, 'utf8');
const ca = pem('ca');

/** Echoes by TLS. */
async function serve(context: TestContext, options: tls.TlsOptions = {}): Promise<number> {
  const server = tls.createServer(
    { key: pem('server'), cert: pem('server'), ...options },
    (socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** What comes back for `hello`, or why nothing does. */
async function hello(
  port: number,
  options: TlsOptions | true,
  host = 'localhost',
): Promise<string> {
  const target = { host: '127.0.0.1', port, timeoutMs: 60_000, serverName: host };
  let opened: Socket | null = null;
  const heard = await new Promise<string>((resolve) => {
    const handler: SocketHandler = {
      onData: (bytes, start, end) => resolve(Buffer.from(bytes.subarray(start, end)).toString()),
      onDrain: () => undefined,
      onClose: (error) => resolve(error?.message ?? 'closed'),
    };
    tlsClientNetwork(options)
      .connect(target, (socket) => {
        opened = socket;
        return handler;
      })
      .then(
        (socket) => {
          socket.write(Buffer.from('hello'), 0, 5);
        },
        (error: unknown) => resolve(error instanceof Error ? error.message : ''),
      );
  });
  (opened as Socket | null)?.destroy();
  return heard;
}

test('a server is believed whose certificate is signed and names it', async (context) => {
  const port = await serve(context);
  assert.equal(await hello(port, { ca }), 'hello');
  assert.equal(await hello(port, { caFile: `${folder}ca.pem` }), 'hello');
  assert.equal(await hello(port, { ca: [pem('mallory'), Buffer.from(ca)] }), 'hello');
  assert.equal(await hello(port, { ca }, '127.0.0.1'), 'hello');
  assert.equal(await hello(port, { ca, minVersion: 'TLSv1.3' }), 'hello');
  assert.match(
    await hello(port, true),
    /^localhost:\d+: the server's certificate is signed by nobody/,
  );
  assert.match(
    await hello(port, { ca }, 'zk1.example'),
    /^zk1\.example:\d+: the server's certificate is for another host \(ERR_TLS_CERT_ALTNAME_INVALID/,
  );
  assert.equal(await hello(port, { ca, serverName: 'localhost' }, 'zk1.example'), 'hello');
  assert.equal(await hello(port, { ca, verifyHostname: false }, 'zk1.example'), 'hello');
  assert.match(await hello(port, { verifyHostname: false }), /signed by nobody/);
  assert.equal(await hello(port, { rejectUnauthorized: false }), 'hello');
});

test('a certificate for an address is compared with the address', async (context) => {
  const port = await serve(context, { key: pem('wrong'), cert: pem('wrong') });
  assert.match(await hello(port, { ca }, '127.0.0.1'), /is for another host/);
  assert.equal(await hello(port, { ca, serverName: 'elsewhere.example' }, '127.0.0.1'), 'hello');
});

test('a client shows its certificate, in PEM or PKCS12', async (context) => {
  const port = await serve(context, { ca, requestCert: true, rejectUnauthorized: true });
  const alice = `${folder}alice`;
  assert.equal(await hello(port, { ca, cert: pem('alice'), key: pem('alice') }), 'hello');
  assert.equal(
    await hello(port, { ca, certFile: `${alice}.pem`, keyFile: `${alice}.pem` }),
    'hello',
  );
  assert.equal(await hello(port, { ca, pfxFile: `${alice}.p12`, passphrase: 'secret' }), 'hello');
  const pfx = Uint8Array.from(readFileSync(`${alice}.p12`));
  assert.equal(await hello(port, { ca, pfx, passphrase: 'secret' }), 'hello');
  assert.match(await hello(port, { ca }), /wants a client certificate|closed within the TLS/);
});

test('what does not speak TLS is told apart', async (context) => {
  const plain = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('this is no TLS at all, whatever you expected\n'));
  });
  const rude = net.createServer((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  const silent = net.createServer((socket) => {
    socket.on('error', () => undefined);
    context.after(() => socket.destroy());
  });
  const portOf = async (server: net.Server): Promise<number> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    context.after(() => server.close());
    return (server.address() as net.AddressInfo).port;
  };
  assert.match(
    await hello(await portOf(plain), { ca }),
    /does not speak TLS: is this secureClientPort/,
  );
  assert.match(await hello(await portOf(rude), { ca }), /closed within the TLS handshake/);
  const port = await portOf(silent);
  await assert.rejects(
    tlsClientNetwork({ ca }).connect(
      { host: '127.0.0.1', port, timeoutMs: 50, serverName: 'localhost' },
      () => assert.fail('there is no connection'),
    ),
    new RegExp(`no TLS handshake with localhost:${port} in 50 ms`),
  );
});

test('options that cannot be used are refused when the client is made', () => {
  const cases: readonly (readonly [TlsOptions, RegExp])[] = [
    [{ cert: pem('alice') }, /cert and key belong together/],
    [{ key: pem('alice') }, /cert and key belong together/],
    [{ caFile: '/no/such/file' }, /tls\.caFile: the file cannot be read: ENOENT/],
    [{ cert: 'x', key: 'y' }, /ca, cert, key or pfx cannot be used/],
    [{ cert: pem('alice'), key: pem('mallory') }, /cannot be used/],
    [{ pfxFile: `${folder}alice.p12`, passphrase: 'wrong' }, /is passphrase right\?/],
    [{ ciphers: 'nonsense' }, /cannot be used/],
  ];
  for (const [options, reason] of cases) {
    assert.throws(
      () => tlsClientNetwork(options),
      (error) => error instanceof ArgumentError && reason.test(error.message),
      String(reason),
    );
  }
});
