import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { BalancerOptions } from '../balancer/options.js';
import {
  isRetryable,
  NoAuthError,
  NotReadOnlyError,
  QuotaExceededError,
} from '../client/errors.js';
import type { Logger } from '../ports/logger.js';
import { silentLogger } from '../ports/logger.js';
import { encodeProxyHeader } from '../protocol/proxy-protocol.js';
import { TestServer } from '../testing/test-server.js';
import { Balancer } from './balancer.js';
import { Client } from './client.js';
import { readControlFile } from './control-file.js';

const certificates = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'tls');
const folder = mkdtempSync(join(tmpdir(), 'zabra-balancer-'));
let server: TestServer;

before(async () => {
  server = await TestServer.start();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

interface Lines extends Logger {
  readonly lines: string[];
}

function lineLogger(): Lines {
  const lines: string[] = [];
  const note: Logger['info'] = (message, fields) => {
    lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  return { ...silentLogger, warn: note, error: note, lines };
}

async function balance(
  context: TestContext,
  options: Partial<BalancerOptions> = {},
  logger: Logger = silentLogger,
): Promise<Balancer> {
  const given = { listen: ['127.0.0.1:0'], servers: server.connectString, control: false };
  const balancer = new Balancer({ ...given, ...options }, { logger });
  context.after(() => balancer.stop());
  await balancer.start();
  return balancer;
}

async function clientOf(context: TestContext, connectString: string): Promise<Client> {
  const client = new Client(connectString);
  context.after(() => client.close());
  return await client.connect();
}

/** What is answered to these bytes until the connection ends. */
function ask(address: string, bytes: string | Uint8Array): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: Number(port) });
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(answer));
    socket.write(bytes);
  });
}

test('a client works through it as at the server, and its words are about itself', async (context) => {
  const balancer = await balance(context, { words: ['*'] });
  const client = await clientOf(context, balancer.connectString);
  await client.create('/through', 'x', { mode: 'ephemeral' });
  assert.equal((await client.getData('/through')).data.toString(), 'x');
  const direct = await clientOf(context, server.connectString);
  assert.equal((await direct.getData('/through')).data.toString(), 'x');

  assert.equal(await ask(balancer.connectString, 'ruok'), 'imok');
  assert.match(await ask(balancer.connectString, 'srvr'), /^Mode: balancer$/m);
  assert.match(await ask(balancer.connectString, 'cons'), /server=127\.0\.0\.1:\d+\)$/m);
  assert.match(await ask(balancer.connectString, 'conf'), /^mask=strict$/m);
  assert.match(await ask(balancer.connectString, 'mntr'), /^zk_server_state\tbalancer$/m);

  const { servers, sessions, connections } = balancer.status();
  assert.deepEqual([sessions.open, connections], [1, 1]);
  assert.deepEqual(
    servers.map(({ id, set, sessions: count }) => [id, set, count]),
    [[server.connectString, 'awake', 1]],
  );
  await client.close();
  assert.equal(balancer.status().sessions.open, 0);
});

test('its end ends connections, not sessions', async (context) => {
  const balancer = await balance(context);
  const other = await balance(context);
  const client = await clientOf(context, `${balancer.connectString},${other.connectString}`);
  await client.create('/stays', '', { mode: 'ephemeral' });
  const { sessionId } = client;
  const [first, second] =
    balancer.status().sessions.open === 1 ? [balancer, other] : [other, balancer];
  await first.stop();
  while (second.status().sessions.open === 0) await new Promise(setImmediate);
  assert.notEqual(await client.exists('/stays'), null);
  assert.equal(client.sessionId, sessionId);
});

describe('guards', () => {
  test('a read-only listener takes no writes', async (context) => {
    const listen = [{ address: '127.0.0.1:0', readOnly: true }];
    const balancer = await balance(context, { listen });
    const client = await clientOf(context, balancer.connectString);
    await client.getChildren('/');
    await assert.rejects(client.create('/refused'), NotReadOnlyError);
    assert.match(balancer.metricsText(), /refused_requests_total\{reason="read-only"\} 1/);
  });

  test('what is denied is answered in its turn', async (context) => {
    const paths = [{ prefix: '/secret', action: 'deny' as const }];
    const balancer = await balance(context, { guards: { paths } });
    const client = await clientOf(context, balancer.connectString);
    const answers = await Promise.allSettled([
      client.getChildren('/'),
      client.create('/secret'),
      client.exists('/other'),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    const [, refused] = answers;
    assert.ok(refused.status === 'rejected' && refused.reason instanceof NoAuthError);
    await assert.rejects(client.transaction().create('/secret/a').commit());
  });

  test('who is too fast waits for its turn, or is refused where it must not wait', async (context) => {
    const rate = { perSecond: 100, burst: 1 };
    const slow = await balance(context, {
      guards: { perAddress: { rate: { ...rate, waitMs: 5000 } } },
    });
    const strict = await balance(context, { guards: { perAddress: { rate } } });
    const startMs = performance.now();
    const patient = await clientOf(context, slow.connectString);
    const eleven = Array.from({ length: 11 }, () => patient.exists('/'));
    await Promise.all(eleven);
    assert.ok(performance.now() - startMs >= 95, 'ten tokens take a tenth of a second');
    const hasty = await clientOf(context, strict.connectString);
    const both = await Promise.allSettled([hasty.exists('/'), hasty.exists('/')]);
    const [, second] = both;
    assert.ok(second.status === 'rejected' && isRetryable(second.reason));
    assert.match(strict.metricsText(), /refused_requests_total\{reason="rate"\} 1/);
  });

  test('watches below a path are so many, and one that has fired makes room', async (context) => {
    const paths = [{ prefix: '/hot', watches: 1 }];
    const balancer = await balance(context, { guards: { paths } });
    const client = await clientOf(context, balancer.connectString);
    const other = await clientOf(context, balancer.connectString);
    await client.create('/hot');
    const fired = new Promise<void>((resolve, reject) => {
      client.exists('/hot', { watch: () => resolve() }).catch(reject);
    });
    while (balancer.status().watches === 0) await new Promise(setImmediate);
    await assert.rejects(other.exists('/hot', { watch: () => undefined }), QuotaExceededError);
    await other.setData('/hot', 'x');
    await fired;
    await other.exists('/hot', { watch: () => undefined });
  });

  test('an address has so many connections and no more', async (context) => {
    const guards = { perAddress: { connections: 1 } };
    const logger = lineLogger();
    const balancer = await balance(context, { guards }, logger);
    const client = await clientOf(context, balancer.connectString);
    assert.equal(await ask(balancer.connectString, 'ruok'), '');
    await client.close();
    assert.match(logger.lines.join('\n'), /more than 1 connections from one address/);
    assert.equal(balancer.status().totals.refusedConnections, 1);
  });
});

test('behind a proxy the client has the address that its header names', async (context) => {
  const proxyProtocol = { trusted: ['127.0.0.1'] };
  const listen = [{ address: '127.0.0.1:0', proxyProtocol }];
  const balancer = await balance(context, { listen, words: ['*'] });
  const header = encodeProxyHeader(2, {
    sourceAddress: '192.0.2.9',
    sourcePort: 4711,
    destinationAddress: '192.0.2.1',
    destinationPort: 2181,
  });
  assert.equal(
    await ask(balancer.connectString, Buffer.concat([header, Buffer.from('ruok')])),
    'imok',
  );
  assert.equal(await ask(balancer.connectString, 'ruok'), '', 'who has none is not let in');
});

test('a Zabra server is told the clients’ addresses', async (context) => {
  const behind = await TestServer.start();
  context.after(() => behind.stop());
  const logger = lineLogger();
  const seen: string[] = [];
  // what stands in for the server's own port, which trusts the balancer
  const relay = net.createServer((socket) => {
    const upstream = net.connect(behind.port, '127.0.0.1');
    let isFirst = true;
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      const end = isFirst && text.startsWith('PROXY ') ? text.indexOf('\r\n') + 2 : 0;
      if (end > 0) seen.push(text.slice(0, end - 2));
      isFirst = false;
      upstream.write(chunk.subarray(end));
    });
    upstream.on('data', (chunk: Buffer) => socket.write(chunk));
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
    for (const one of [socket, upstream]) one.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  context.after(() => relay.close());
  const { port } = relay.address() as net.AddressInfo;
  const options = { servers: `127.0.0.1:${port}`, sendProxy: 'v1' as const };
  const balancer = await balance(context, options, logger);
  // it is not known to be Zabra's before it has been asked
  while (balancer.status().servers[0]?.kind !== 'zabra') await new Promise(setImmediate);
  const client = await clientOf(context, balancer.connectString);
  await client.getChildren('/');
  assert.match(seen[0] ?? '', /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+$/);
  assert.match(seen[0] ?? '', new RegExp(` ${balancer.connectString.split(':')[1] ?? ''}$`));
});

test('TLS towards clients', async (context) => {
  const listen = [{ address: '127.0.0.1:0', tls: true }];
  const tls = { keyStore: join(certificates, 'server.pem') };
  const balancer = await balance(context, { listen, tls });
  const client = new Client(balancer.connectString, {
    tls: { caFile: join(certificates, 'ca.pem'), verifyHostname: false },
  });
  context.after(() => client.close());
  await client.connect();
  assert.deepEqual((await client.getChildren('/zookeeper')).children.sort(), ['config', 'quota']);
  assert.deepEqual(
    balancer.listeners.map(({ isTls }) => isTls),
    [true],
  );
});

test('a list that cannot be followed leaves the servers that were given', async (context) => {
  const logger = lineLogger();
  const balancer = await balance(context, { followConfig: true }, logger);
  const client = await clientOf(context, balancer.connectString);
  await client.getChildren('/');
  // a server that stands alone is in no configuration
  while (logger.lines.length === 0) await new Promise(setImmediate);
  assert.match(logger.lines[0] ?? '', /^the list of servers: \/zookeeper\/config names no server/);
  assert.equal(balancer.status().servers.length, 1);
});

test('metrics, the access log and the control endpoint are where they were asked for', async (context) => {
  const file = join(folder, 'control.json');
  const log = join(folder, 'access.log');
  const balancer = await balance(context, {
    metrics: { listen: '127.0.0.1:0', prefix: 'envoy_zk' },
    control: { file },
    accessLog: { file: log, requests: true },
  });
  const client = await clientOf(context, balancer.connectString);
  await client.getChildren('/');
  const metrics = await (await fetch(`http://${balancer.metricsAddress ?? ''}/metrics`)).text();
  assert.match(metrics, /^envoy_zk_zookeeper_getchildren2_rq 1$/m);
  const place = readControlFile(file);
  assert.ok(place !== null);
  assert.deepEqual(place.listen, [balancer.connectString]);
  const ofControl = (token: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${place.port}/status`, {
      headers: { authorization: `Bearer ${token}` },
    });
  assert.equal((await ofControl('')).status, 401);
  const status = (await (await ofControl(place.token)).json()) as { connections: number };
  assert.equal(status.connections, 1);
  await client.close();
  await balancer.stop();
  assert.equal(readControlFile(file), null);
  const events = readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { message: string; op?: string; session: string });
  assert.deepEqual(
    events.filter(({ op }) => op !== 'close').map(({ message }) => message),
    ['open', 'request', 'close'],
  );
  assert.equal(new Set(events.map(({ session }) => session)).size, 1);
});

test('a server that is given by name is reached, and so is a group of them behind one name', async (context) => {
  for (const servers of [`localhost:${server.port}`, `dns://localhost:${server.port}`]) {
    const balancer = await balance(context, { servers });
    const client = await clientOf(context, balancer.connectString);
    await client.getChildren('/');
    const ids = balancer.status().servers.map(({ id }) => id);
    if (servers.startsWith('dns://')) {
      assert.ok(ids.includes(`127.0.0.1:${server.port}`), ids.join());
    } else assert.deepEqual(ids, [servers]);
  }
});

test('what cannot be meant is told before anything is begun', () => {
  const given = { listen: ['nowhere'], servers: 'a:2181/root' };
  assert.throws(() => new Balancer(given), /the root \/root belongs to clients/);
  assert.throws(() => new Balancer({ ...given, servers: 'a:1' }), /'nowhere' is no host:port/);
  const dns = { servers: ['no address'] };
  assert.throws(() => new Balancer({ listen: [':0'], servers: 'a:1', dns }), /dns\.servers: /);
  const followed = { listen: [':0'], followConfig: true };
  assert.throws(() => new Balancer({ ...followed, servers: 'dns://a:1' }), /followConfig needs/);
  const listen = [{ address: ':0', tls: true }];
  const tls = { keyStore: '/nowhere.pem' };
  assert.throws(
    () => new Balancer({ listen, servers: 'a:1', tls }),
    /tls\.keyStore.*cannot be read/,
  );
});

test('a port that is taken is told, and nothing is left behind', async (context) => {
  const balancer = await balance(context);
  const other = new Balancer({
    listen: ['127.0.0.1:0', balancer.connectString],
    servers: server.connectString,
    control: false,
  });
  await assert.rejects(other.start(), /EADDRINUSE/);
  assert.deepEqual(other.listeners, []);
});
