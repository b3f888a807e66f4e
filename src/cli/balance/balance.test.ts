import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { statusWith } from '../../balancer/telling/status.fixture.js';
import { Balancer } from '../../node/balancer.js';
import { Client } from '../../node/client.js';
import { writeControlFile } from '../../node/control-file.js';
import { TestServer } from '../../testing/test-server.js';
import { parseArguments } from '../arguments.js';
import { main } from '../main.js';
import type { Terminal } from '../terminal.js';
import { balanceFlags, balanceLists, balanceValues, givenOptions } from './options-of.js';
import { statusLines } from './status-table.js';

const folder = mkdtempSync(join(tmpdir(), 'zabra-balance-'));
let server: TestServer;

before(async () => {
  server = await TestServer.start();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  argv: readonly string[],
  untilStopped: () => Promise<string> = () => Promise.resolve('SIGTERM'),
): Promise<Outcome> {
  let [out, err] = ['', ''];
  const terminal: Terminal = {
    env: { XDG_RUNTIME_DIR: join(folder, 'runtime') },
    inputFd: -1,
    print: (text) => void (out += text),
    complain: (line) => void (err += `${line}\n`),
    startServer: () => Promise.reject(new Error('not of this command')),
    untilStopped,
    onCrash: () => undefined,
  };
  return { code: await main(['balance', ...argv], terminal), out, err };
}

async function running(
  context: TestContext,
): Promise<{ readonly balancer: Balancer; readonly control: readonly string[] }> {
  const file = join(folder, `control-${Math.trunc(performance.now() * 1000)}.json`);
  const balancer = new Balancer({
    ...{ listen: ['127.0.0.1:0'], servers: server.connectString, control: { file } },
  });
  context.after(() => balancer.stop());
  await balancer.start();
  return { balancer, control: ['--control-file', file] };
}

function optionsOf(...argv: string[]): Record<string, unknown> {
  const args = parseArguments(argv, {
    ...{ values: balanceValues, lists: balanceLists, flags: balanceFlags },
  });
  return givenOptions(args);
}

test('the command line says what a configuration file can say', () => {
  assert.deepEqual(
    optionsOf(
      ...['--listen', '127.0.0.1:2181,127.0.0.1:2182', '--listen-tls', ':2281'],
      ...['--listen-read-only', ':2183', '--proxy-from', '10.0.0.0/8,10.1.1.1'],
      ...['--servers', 'a:1, b:2', '--servers', 'c:3', '--policy', 'random', '--zone', 'eu/west'],
      ...['--rate', '100/500', '--rate-wait', '250', '--deny', 'reconfig,setACL'],
      ...['--max-client-connections', '60', '--max-client-watches', '900'],
      ...['--tls-key-store', 'k.pem', '--upstream-ca', 'ca.pem', '--metrics', ':9141'],
      ...['--dns-server', '127.0.0.1:8600'],
      ...['--control', 'off', '--access-log', 'a.log', '--access-log-requests', '--words', '*'],
      ...['--relist-persistent', '--max-outstanding', '500'],
    ),
    {
      listen: [
        ...['127.0.0.1:2181', '127.0.0.1:2182'].map((address) => ({
          address,
          proxyProtocol: { trusted: ['10.0.0.0/8', '10.1.1.1'] },
        })),
        { address: ':2281', tls: true },
        {
          address: ':2183',
          readOnly: true,
          proxyProtocol: { trusted: ['10.0.0.0/8', '10.1.1.1'] },
        },
      ],
      servers: 'a:1,b:2,c:3',
      dns: { servers: ['127.0.0.1:8600'] },
      policy: 'random',
      zone: 'eu/west',
      relistPersistent: true,
      classes: { requestsMax: 500 },
      words: ['*'],
      guards: {
        denyOps: ['reconfig', 'setACL'],
        perAddress: {
          ...{ connections: 60, watches: 900 },
          rate: { perSecond: 100, burst: 500, waitMs: 250 },
        },
      },
      tls: { keyStore: 'k.pem' },
      upstreamTls: { caFile: 'ca.pem' },
      metrics: { listen: ':9141' },
      control: false,
      accessLog: { file: 'a.log', requests: true },
    },
  );
});

test('what the command line says stands over the file', () => {
  const file = join(folder, 'options.json');
  const guards = { connections: 5, perAddress: { watches: 3 } };
  writeFileSync(file, JSON.stringify({ policy: 'random', servers: 'a:1', guards }));
  assert.deepEqual(optionsOf('--config', file, '--policy', 'auto', '--max-connections', '9'), {
    policy: 'auto',
    servers: 'a:1',
    guards: { connections: 9, perAddress: { watches: 3 } },
  });
});

test('what cannot be meant is told, all at once, with exit code 2', async () => {
  const { code, err } = await run(['--listen', 'x:99999', '--servers', 'a:1', '--mask', 'all']);
  assert.equal(code, 2);
  assert.equal(err, 'zabra balance: mask: expected one of strict, best-effort, off\n');
  assert.match((await run([])).err, /listen: is missing\nzabra balance: servers: is missing/);
  assert.match((await run(['--listen', ':1', '--rate', 'x'])).err, /--rate is requests a second/);
  const alone = await run(['--listen', ':1', '--rate-wait', '5']);
  assert.match(alone.err, /--rate-wait belongs to --rate/);
  assert.match((await run(['--config', '/nowhere.json'])).err, /--config: ENOENT/);
  assert.match((await run(['drane'])).err, /'drane' is none of status, drain/);
});

test('it runs until a signal, and a client works meanwhile', async () => {
  const log = join(folder, 'balance.log');
  let answer = '';
  const { code } = await run(
    [
      ...['--listen', '127.0.0.1:0', '--servers', server.connectString],
      ...['--control-file', join(folder, 'run.json'), '--log-file', log],
    ],
    async () => {
      const serving = /serving clients address=(\S+)/;
      while (!serving.test(readFileSync(log, { encoding: 'utf8', flag: 'a+' }))) {
        await new Promise(setImmediate);
      }
      const [, address = ''] = serving.exec(readFileSync(log, 'utf8')) ?? [];
      const client = new Client(address);
      await client.connect();
      answer = (await client.getChildren('/')).children.join();
      await client.close();
      return 'SIGTERM';
    },
  );
  assert.equal(code, 0);
  assert.equal(answer, 'zookeeper');
  assert.match(readFileSync(log, 'utf8'), /stopping signal=SIGTERM[^]*stopped\n$/);
});

test('a port that is taken is one line, and exit code 1', async () => {
  const taken = net.createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as net.AddressInfo;
  const log = ['--log-file', join(folder, 'taken.log')];
  const outcome = await run(['--listen', `127.0.0.1:${port}`, '--servers', 'a:1', ...log]);
  taken.close();
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, new RegExp(`another process listens on 127.0.0.1:${port} already`));
});

test('status tells people and programs how it stands', async (context) => {
  const { balancer, control } = await running(context);
  const told = await run(['status', ...control]);
  assert.equal(told.code, 0, told.err);
  assert.match(told.out, new RegExp(`^listens on  ${balancer.connectString}$`, 'm'));
  assert.match(told.out, new RegExp(`^${server.connectString} +awake +\\S+ +0 `, 'm'));
  const { out } = await run(['status', '--json', ...control]);
  const { subset } = JSON.parse(out) as { subset: unknown };
  assert.deepEqual(subset, balancer.status().subset);
});

test('a server is emptied, filled and weighed', async (context) => {
  const { balancer, control } = await running(context);
  const id = server.connectString;
  const setOf = (): string | undefined => balancer.status().servers[0]?.set;
  const drained = await run(['drain', id, ...control]);
  assert.deepEqual([drained.code, drained.out, setOf()], [0, `${id} is empty\n`, 'draining']);
  const status = await run(['status', ...control]);
  assert.equal(status.code, 1, 'nobody is served');
  assert.equal((await run(['undrain', id, ...control])).code, 0);
  assert.equal(setOf(), 'awake');
  assert.equal((await run(['weight', id, '2.5', ...control])).code, 0);
  assert.equal(balancer.status().servers[0]?.weight, 2.5);
});

test('who cannot go anywhere is told of; by force it goes', async (context) => {
  const { balancer, control } = await running(context);
  const client = new Client(balancer.connectString);
  context.after(() => client.close());
  await client.connect();
  const stays = await run(['drain', server.connectString, '--timeout', '0', ...control]);
  assert.equal(stays.code, 1);
  assert.match(stays.err, /^1 sessions are still at .* --force ends their connections/);
  assert.equal((await run(['drain', server.connectString, '--no-wait', ...control])).code, 0);
});

test('mistakes of the operator are one sentence', async (context) => {
  const { control } = await running(context);
  const unknown = await run(['drain', 'nobody:1', ...control]);
  assert.deepEqual(unknown, {
    ...{ code: 1, out: '' },
    err: `there is no server nobody:1; there are ${server.connectString}\n`,
  });
  assert.match((await run(['wake', server.connectString, ...control])).err, /cannot be woken/);
  assert.equal((await run(['drain', ...control])).code, 2);
  assert.match((await run(['weight', 'a:1', 'x', ...control])).err, /'x' is no number/);
  assert.match((await run(['status'])).err, /no balancer of this user runs on this machine/);
  assert.match((await run(['status', '--control-file', folder])).err, /is no control file/);
});

test('of several balancers one has to be named', async () => {
  const directory = join(folder, 'runtime', 'zabra');
  const place = { host: '127.0.0.1', port: 1, token: '', pid: process.pid, listen: ['h:1'] };
  await run(['status']);
  writeControlFile(join(directory, 'balance-1.json'), place);
  assert.match((await run(['status'])).err, /^the balancer at h:1: connect ECONNREFUSED/);
  writeControlFile(join(directory, 'balance-2.json'), { ...place, listen: ['h:2', 'h:3'] });
  const { code, err } = await run(['status']);
  assert.equal(code, 2);
  assert.match(err, /several balancers run here[^]*balance-1\.json {2}\(h:1\)[^]*\(h:2, h:3\)/);
});

test('the table shows what an operator has to know', () => {
  const lines = statusLines(
    statusWith({ policy: { name: 'auto', rule: 'p2c-ewma', reason: 'uneven' }, mask: 'off' }),
  );
  assert.deepEqual(lines.slice(0, 4), [
    'listens on  127.0.0.1:2181',
    'policy      auto (now p2c-ewma)',
    'subset      rw, ensemble',
    'masking     off',
  ]);
  assert.deepEqual(lines.slice(-4), [
    'server  set      role      sessions  lag  latency  weight  zone  note',
    'a:2181  awake    leader    4         0    0.3 ms   1       -',
    'b:2181  waiting  follower  0         2    0.3 ms   1       -',
    'c:2181  ejected  -         0         -    -        1       -     no answer',
  ]);
});
