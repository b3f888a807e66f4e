/** `zabra balance` as a process of its own, before an ensemble, with clients that must notice nothing. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Balancer } from 'zabra/balancer';
import { Client } from 'zabra/client';
import { ZooServer } from 'zabra/server';
import { TestEnsemble } from 'zabra/testing';
import { fourLetterWord } from '../support/four-letter.js';
import { freePort, repositoryRoot, run, temporaryDirectory } from '../support/machine.js';
import { ZabraBalancer } from '../support/zabra-balancer.js';

const timeoutMs = 120_000;
let ensemble: TestEnsemble;

before(async () => {
  ensemble = await TestEnsemble.start(3);
});
after(() => ensemble.stop());

interface Steered {
  readonly balancer: ZabraBalancer;
  readonly metricsPort: number;
  steer(...words: string[]): Promise<{ readonly code: number | null; readonly stdout: string }>;
}

async function balance(context: TestContext, ...options: string[]): Promise<Steered> {
  const folder = temporaryDirectory('balance');
  const file = join(folder, 'control.json');
  const metricsPort = await freePort();
  const balancer = await ZabraBalancer.start(ensemble.connectString.split(','), [
    ...['--control-file', file, '--metrics', `127.0.0.1:${metricsPort}`, '--words', '*'],
    ...options,
  ]);
  context.after(async () => {
    await balancer.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  const program = join(repositoryRoot, 'bin', 'zabra');
  const steer: Steered['steer'] = (...words) =>
    run(process.execPath, [program, 'balance', ...words, '--control-file', file], { timeoutMs });
  return { balancer, metricsPort, steer };
}

/** A client, and every state that it was in after it was connected. */
async function watchedClient(
  context: TestContext,
  connectString: string,
): Promise<{ readonly client: Client; readonly states: string[] }> {
  const client = new Client(connectString);
  context.after(() => client.close());
  await client.connect();
  const states: string[] = [];
  client.on('state', (state) => states.push(state));
  return { client, states };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadlineMs, 'in time');
    await sleep(20);
  }
}

interface Status {
  readonly servers: readonly {
    readonly id: string;
    readonly set: string;
    readonly sessions: number;
  }[];
}

async function serverOf(steered: Steered): Promise<string> {
  const { stdout } = await steered.steer('status', '--json');
  const { servers } = JSON.parse(stdout) as Status;
  return servers.find(({ sessions }) => sessions > 0)?.id ?? '';
}

test('a server is drained and killed, and a client that writes, reads and watches notices nothing', async (context) => {
  const steered = await balance(context);
  const { client, states } = await watchedClient(context, steered.balancer.connectString);
  const writer = await watchedClient(context, ensemble.connectString);
  await client.create('/drained', '0', { mode: 'ephemeral' });
  const heard: string[] = [];
  await client.getData('/drained', { watch: ({ type, path }) => heard.push(`${type} ${path}`) });
  const { sessionId } = client;

  const first = await serverOf(steered);
  const drained = await steered.steer('drain', first);
  assert.deepEqual([drained.code, drained.stdout], [0, `${first} is empty\n`]);
  const second = await serverOf(steered);
  assert.notEqual(second, first);
  await writer.client.setData('/drained', '1');
  await until(() => heard.length > 0);
  assert.deepEqual(heard, ['changed /drained']);
  assert.equal((await steered.steer('undrain', first)).code, 0);

  const killed = ensemble.servers.find(({ connectString }) => connectString === second);
  assert.ok(killed !== undefined);
  await ensemble.kill(killed.id);
  for (let version = 2; version < 12; version++) {
    const stat = await client.setData('/drained', String(version));
    assert.equal(stat.version, version, 'each write happens once');
  }
  assert.deepEqual(states, []);
  assert.equal(client.sessionId, sessionId);
  assert.notEqual(await serverOf(steered), second);
  await ensemble.restart(killed.id);

  const metrics = await (await fetch(`http://127.0.0.1:${steered.metricsPort}/metrics`)).text();
  assert.match(metrics, /^zabra_zookeeper_setdata_rq 10$/m);
  assert.match(metrics, /^zabra_balancer_masked_failovers_total 1$/m);
  assert.match(metrics, /^zabra_balancer_moves_total\{reason="drain",outcome="moved"\} 1$/m);
});

test('its words are about itself, its status about the ensemble', async (context) => {
  const steered = await balance(context, '--subset', 'rw-p', '--scope', 'local');
  const srvr = await steered.balancer.word('srvr');
  assert.match(srvr, /^Mode: balancer$/m);
  assert.match(srvr, /^Subset: rw-p \(rw-p, local\): 2 awake, 1 waiting/m);
  const { code, stdout } = await steered.steer('status');
  assert.equal(code, 0);
  assert.equal(stdout.match(/ awake | waiting /g)?.length, 3);
});

test('a balancer that is killed leaves its clients’ sessions to the next one', async (context) => {
  const [one, other] = [await balance(context), await balance(context)];
  const both = `${one.balancer.connectString},${other.balancer.connectString}`;
  const { client, states } = await watchedClient(context, both);
  await client.create('/kept', '', { mode: 'ephemeral' });
  const { sessionId } = client;
  const isAtOne = (await one.steer('status')).stdout.includes('1 open');
  await (isAtOne ? one : other).balancer.kill('SIGKILL');
  await until(() => states.includes('connected'));
  assert.ok((await client.exists('/kept')) !== null);
  assert.deepEqual([client.sessionId, states], [sessionId, ['suspended', 'connected']]);
});

test('TLS on both sides, with the client’s address inside', async (context) => {
  const certificates = join(repositoryRoot, 'test', 'fixtures', 'tls');
  const authorities = { caFile: join(certificates, 'ca.pem'), verifyHostname: false };
  const dataDir = temporaryDirectory('balance-tls');
  const server = new ZooServer({
    ...{ dataDir, clientPort: 0, clientPortAddress: '127.0.0.1', preAllocBytes: 0 },
    ...{ clientPortUnification: true, sslClientAuth: 'none' },
    sslKeyStoreLocation: join(certificates, 'server.pem'),
    proxyProtocolTrustedSenders: ['127.0.0.1'],
    fourLetterWhitelist: new Set(['srvr', 'cons']),
  });
  await server.start();
  const balancer = new Balancer({
    listen: { address: '127.0.0.1:0', tls: true },
    tls: { keyStore: join(certificates, 'server.pem') },
    ...{ servers: server.connectString, upstreamTls: authorities, sendProxy: 'v1', control: false },
  });
  context.after(async () => {
    await balancer.stop();
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  await balancer.start();
  await until(() => balancer.status().servers[0]?.kind === 'zabra');
  const client = new Client(balancer.connectString, { tls: authorities });
  context.after(() => client.close());
  await client.connect();
  await client.create('/encrypted');
  const [session] = balancer.sessions();
  const { address, port } = session?.origin ?? { address: '', port: 0 };
  const at = { host: '127.0.0.1', port: Number(server.connectString.split(':').at(-1)) };
  assert.ok((await fourLetterWord(at, 'cons', 5000)).includes(` /${address}:${port}[`));
});

test('a server that trusts the balancer knows its clients by their own addresses', async (context) => {
  const dataDir = temporaryDirectory('balance-proxy');
  const server = new ZooServer({
    ...{ dataDir, clientPort: 0, clientPortAddress: '127.0.0.1', preAllocBytes: 0 },
    proxyProtocolTrustedSenders: ['127.0.0.0/8'],
    fourLetterWhitelist: new Set(['srvr', 'cons']),
  });
  await server.start();
  const balancer = new Balancer({
    ...{ listen: '127.0.0.1:0', servers: server.connectString, sendProxy: 'v2', control: false },
  });
  context.after(async () => {
    await balancer.stop();
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  await balancer.start();
  await until(() => balancer.status().servers[0]?.kind === 'zabra');
  const { client } = await watchedClient(context, balancer.connectString);
  await client.getChildren('/');
  const [session] = balancer.sessions();
  const { address, port } = session?.origin ?? { address: '', port: 0 };
  const at = { host: '127.0.0.1', port: Number(server.connectString.split(':').at(-1)) };
  assert.ok((await fourLetterWord(at, 'cons', 5000)).includes(` /${address}:${port}[`));
});
