import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../arguments.js';
import { clientOptionsOf } from './client-options.js';
import { launchOf } from './launch.js';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'zabra-options-'));
});
after(() => {
  rmSync(folder, { recursive: true });
});

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

test('the options of zkCli, with one dash or two, before the command', async () => {
  const launch = launchOf(
    ['-server', 'h:1/root', '-timeout', '5000', '-r', '--waitforconnection', 'ls', '-R', '/'],
    {},
  );
  assert.equal(launch.server, 'h:1/root');
  assert.deepEqual(
    [launch.timeoutMs, launch.isReadOnly, launch.waitsForConnection],
    [5000, true, true],
  );
  assert.deepEqual(launch.words, ['ls', '-R', '/']);
  assert.deepEqual(await clientOptionsOf(launch), {
    name: 'zabra cli',
    sessionTimeoutMs: 5000,
    readOnly: true,
  });
  assert.equal(launchOf([], {}).server, 'localhost:2181');
});

const stores = fileURLToPath(new URL('../../../test/fixtures/tls/', import.meta.url));

test('limits and TLS by the properties of Apache, those of the file before -Ds', async () => {
  const file = written(
    'client.cfg',
    `# for the shell
zookeeper.client.secure=true
zookeeper.ssl.keyStore.location = ${stores}alice.pem
zookeeper.ssl.trustStore.location=${stores}ca.p12
zookeeper.ssl.trustStore.passwordPath=${written('password', 'secret\n')}
zookeeper.ssl.hostnameVerification=false
zookeeper.request.timeout=1000
`,
  );
  const env = { CLIENT_JVMFLAGS: '-Dzookeeper.request.timeout=7 -Djute.maxbuffer=4096' };
  const options = await clientOptionsOf(launchOf(['-client-configuration', file], env));
  const { tls } = options;
  assert.ok(typeof tls === 'object');
  assert.match(String(tls.key), /BEGIN PRIVATE KEY/);
  assert.match(String(tls.cert), /BEGIN CERTIFICATE/);
  assert.match(String(tls.ca), /BEGIN CERTIFICATE/);
  assert.equal(tls.verifyHostname, false);
  assert.equal(options.requestTimeoutMs, 1000);
  assert.equal(options.maxReplyBytes, 4096);
  assert.equal((await clientOptionsOf(launchOf([], env))).tls, undefined);
});

test('a store that is none, and one of a kind that is not read, is told with its key', async () => {
  for (const [store, reason] of [
    [
      `${stores}server.jks`,
      /^zookeeper\.ssl\.keyStore\.location: .*server\.jks: it is a JKS store/,
    ],
    [
      join(folder, 'nosuch.pem'),
      /^zookeeper\.ssl\.keyStore\.location: .*nosuch\.pem cannot be read/,
    ],
  ] as const) {
    const flags = `-Dzookeeper.client.secure=true -Dzookeeper.ssl.keyStore.location=${store}`;
    await assert.rejects(clientOptionsOf(launchOf([], { CLIENT_JVMFLAGS: flags })), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, reason);
      return true;
    });
  }
});

test('SASL by a login file, unless it is switched off', async () => {
  const file = written(
    'jaas.conf',
    `Client { org.apache.zookeeper.server.auth.DigestLoginModule required
      username="bob" password="secret"; };
    Half { org.apache.zookeeper.server.auth.DigestLoginModule required username="bob"; };
    Ticket { com.sun.security.auth.module.Krb5LoginModule required principal="bob@X"; };`,
  );
  const saslOf = async (more: string): Promise<unknown> => {
    const flags = `-Djava.security.auth.login.config=${file} ${more}`;
    return (await clientOptionsOf(launchOf([], { JVMFLAGS: flags }))).sasl;
  };
  assert.deepEqual(await saslOf(''), { username: 'bob', password: 'secret' });
  assert.equal(await saslOf('-Dzookeeper.sasl.client=false'), undefined);
  assert.equal(await saslOf('-Dzookeeper.sasl.clientconfig=Nobody'), undefined);
  assert.equal(typeof (await saslOf('-Dzookeeper.sasl.clientconfig=Ticket')), 'function');
  await assert.rejects(saslOf('-Dzookeeper.sasl.clientconfig=Half'), UsageError);
  written('jaas.conf', 'Client {');
  await assert.rejects(saslOf(''), /jaas\.conf:1: /);
});
