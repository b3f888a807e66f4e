import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import tls from 'node:tls';
import { Client, NoAuthError } from 'zabra/client';
import { ZooServer, type ZooServerOptions } from 'zabra/server';
import { repositoryRoot } from '../support/machine.js';

const certificates = join(repositoryRoot, 'test', 'fixtures', 'tls');

/** A server with users and certificates inside this process. */
async function start(context: TestContext, given: ZooServerOptions = {}): Promise<ZooServer> {
  const work = mkdtempSync(join(tmpdir(), 'secure-port-'));
  const jaasFile = join(work, 'jaas.conf');
  const digest = 'org.apache.zookeeper.server.auth.DigestLoginModule required';
  writeFileSync(jaasFile, `Server { ${digest} user_bob="secret"; };`);
  const server = new ZooServer({
    ...{ dataDir: join(work, 'data'), preAllocBytes: 0, jaasFile },
    clientPortUnification: true,
    sslKeyStoreLocation: join(certificates, 'server.pem'),
    sslTrustStoreLocation: join(certificates, 'ca.pem'),
    ...given,
  });
  context.after(async () => {
    await server.stop();
    rmSync(work, { recursive: true, force: true });
  });
  await server.start();
  return server;
}

function portOf(server: ZooServer): number {
  return Number(server.connectString.split(':').at(-1));
}

test('a server inside a program has users and certificates as well', async (context) => {
  const server = await start(context);
  const file = join(certificates, 'alice.pem');
  const options = {
    sasl: { username: 'bob', password: 'secret' },
    tls: { caFile: join(certificates, 'ca.pem'), certFile: file, keyFile: file },
  };
  const secure = new Client(server.connectString, options);
  await secure.connect();
  const name = 'CN=alice,OU=clients,O=Zabra tests,C=DE';
  assert.deepEqual(await secure.whoAmI(), [
    { scheme: 'ip', id: '127.0.0.1' },
    { scheme: 'x509', id: name },
    { scheme: 'sasl', id: 'bob' },
  ]);
  await secure.create('/hers', 'x', { acl: [{ perms: 31, scheme: 'x509', id: name }] });
  const plain = new Client(server.connectString);
  await plain.connect();
  await assert.rejects(plain.getData('/hers'), NoAuthError);
  await plain.close();
  await secure.close();
});

test('a port without TLS closes who says hello by TLS, and goes on', async (context) => {
  const server = await start(context, { clientPortUnification: false });
  for (let i = 0; i < 20; i++) {
    const socket = tls.connect({ port: portOf(server), host: '127.0.0.1' });
    const [error] = (await once(socket, 'error')) as [Error];
    assert.match(error.message, /disconnected|reset|EPIPE/);
  }
  const client = new Client(server.connectString);
  await client.connect();
  await client.close();
});

test('what is no handshake, on a port that takes both, leaves nothing behind', async (context) => {
  const server = await start(context, { sslHandshakeTimeoutMs: 200 });
  const beginnings = [
    Buffer.from([0x16]),
    Buffer.from([0x16, 3, 1, 0xff, 0xff]),
    Buffer.from([0x7f, 0xff, 0xff, 0xff]),
    Buffer.alloc(64, 0xff),
    Buffer.from('ruok'),
    Buffer.alloc(0),
  ];
  const closed = beginnings.map(async (bytes) => {
    const socket = net.connect(portOf(server), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    if (bytes.length > 0) socket.write(bytes);
    await once(socket, 'close');
  });
  await Promise.all(closed);
  const client = new Client(server.connectString);
  await client.connect();
  await client.close();
});

test('a server with a wrong key or no users for SASL does not start, and says why', async (context) => {
  const starts: readonly (readonly [ZooServerOptions, RegExp])[] = [
    [
      { sslKeyStoreLocation: '/none.pem' },
      /^ssl\.keyStore\.location: \/none\.pem cannot be read: ENOENT/,
    ],
    [
      { sslKeyStoreLocation: join(certificates, 'server.p12'), sslKeyStorePassword: 'wrong' },
      /server\.p12: the password is wrong/,
    ],
    [{ jaasFile: '/none.conf' }, /^\/none\.conf: no such file/],
    [{ fipsMode: true }, /fips-mode=true does not allow DIGEST-MD5/],
  ];
  for (const [options, reason] of starts) {
    await assert.rejects(start(context, options), (error: Error) => reason.test(error.message));
  }
});
