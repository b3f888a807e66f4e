import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readOptions } from '../balancer/options.js';
import { silentLogger } from '../ports/logger.js';
import { parseConfig } from '../server/config/config.js';
import { UsageError } from './arguments.js';
import { main } from './main.js';
import type { Terminal } from './terminal.js';
import { UpChild } from './up-child.js';
import { UpFolder } from './up-folder.js';
import { growEnsemble } from './up-growth.js';
import { portsFor } from './up-ports.js';
import { screenFor, tableOf } from './up-screen.js';
import { readBalancerSight, readSight, type Sight } from './up-sight.js';
import { readUpState, removeUpState, writeUpState } from './up-state.js';
import { UpStory } from './up-story.js';

async function inFolder(act: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zabra-up-'));
  try {
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A terminal that only listens; nothing may be started. */
function listening(columns?: number): { terminal: Terminal; out: () => string; err: () => string } {
  let [out, err] = ['', ''];
  const terminal: Terminal = {
    env: {},
    inputFd: -1,
    columns,
    print: (text) => void (out += text),
    complain: (line) => void (err += `${line}\n`),
    startServer: () => Promise.reject(new Error('nothing may be started')),
    untilStopped: () => Promise.resolve('SIGTERM'),
    onCrash: () => undefined,
  };
  return { terminal, out: () => out, err: () => err };
}

const nobodyToTell = {
  complain: (line: string): void => {
    throw new Error(`there is nothing to tell: ${line}`);
  },
};

function data(folder: string, sid: number, file = 'snapshot.0'): void {
  mkdirSync(join(folder, String(sid), 'version-2'), { recursive: true });
  writeFileSync(join(folder, String(sid), 'version-2', file), '');
}

function serving(role: string, zxid: bigint): Sight {
  const latencyMs = { average: '0.5', max: '3' };
  return { kind: 'serving', role, zxid, sessions: 1, latencyMs };
}

test('up: the number of servers is one of three', async () => {
  for (const size of ['0', '2', '9', 'x']) {
    const { terminal, err } = listening();
    assert.equal(await main(['up', '--servers', size], terminal), 2);
    assert.equal(err(), `zabra up: --servers is one of 1, 3, 5, 7, not '${size}'\n`);
  }
});

test('up: what holds the data of three servers is not started as one', async () => {
  await inFolder(async (folder) => {
    data(folder, 1);
    data(folder, 3);
    const { terminal, err } = listening();
    assert.equal(await main(['up', '--data', folder, '--servers', '1'], terminal), 2);
    assert.match(err(), /holds the data of 3 servers, and an ensemble cannot shrink/);
  });
});

test('up: a folder that another process uses is left alone', async () => {
  await inFolder(async (folder) => {
    const held = UpFolder.take(folder);
    const { terminal, err } = listening();
    assert.equal(await main(['up', '--data', folder, '--fresh'], terminal), 2);
    assert.match(err(), /is using .*: --data names another folder/);
    held.release();
  });
});

test('up: a folder knows how many servers it is of', async () => {
  await inFolder((path) => {
    const folder = UpFolder.take(path);
    assert.equal(folder.size, 0);
    mkdirSync(join(path, '3', 'version-2'), { recursive: true });
    assert.equal(folder.size, 0, 'without a history there is nothing to keep');
    data(path, 1);
    assert.equal(folder.size, 1);
    data(path, 4);
    assert.equal(folder.size, 5);
    folder.throwAway();
    assert.equal(folder.size, 0);
    assert.ok(!existsSync(join(path, '4')));
    folder.release();
  });
});

test('up: the configuration it writes is one that the server reads', async () => {
  await inFolder(async (path) => {
    const strange = join(path, 'é \\ folder');
    const folder = UpFolder.take(strange);
    const { servers: ports } = await portsFor(3, 2, 0, nobodyToTell);
    const file = folder.prepare(2, ports);
    const result = parseConfig({
      ...{ text: readFileSync(file, 'latin1'), file, env: {}, properties: new Map() },
      myid: readFileSync(join(strange, '2', 'myid'), 'utf8'),
    });
    assert.ok('config' in result, 'problems' in result ? result.problems[0]?.message : '');
    const { config, warnings } = result;
    assert.deepEqual(warnings, []);
    assert.equal(config.dataDir, join(strange, '2'));
    assert.equal(config.myid, 2);
    assert.equal(config.clientPort, ports[1]?.client);
    assert.equal(config.preAllocBytes, 1024 * 1024);
    assert.ok(config.autopurgePurgeIntervalHours > 0);
    assert.ok(config.fourLetterWhitelist.has('wchc'));
    assert.deepEqual(
      [...config.ensemble.servers.values()].map(({ addresses }) => addresses),
      ports.map(({ quorum, election }) => [
        { host: '127.0.0.1', quorumPort: quorum, electionPort: election },
      ]),
    );
    folder.release();
  });
});

test('up: the configuration of one server alone knows of no others', async () => {
  await inFolder(async (path) => {
    const folder = UpFolder.take(path);
    const { servers: ports } = await portsFor(1, 0, 0, nobodyToTell);
    const file = folder.prepare(1, ports);
    const text = readFileSync(file, 'latin1');
    const result = parseConfig({ text, file, env: {}, properties: new Map(), myid: '1' });
    assert.ok('config' in result);
    assert.deepEqual(result.warnings, []);
    assert.equal(result.config.ensemble.isDistributed, false);
    assert.equal(result.config.adminServerAddress, '127.0.0.1');
    assert.equal(result.config.adminServerPort, ports[0]?.admin);
    folder.release();
  });
});

test('up: no port is given out twice, whatever is taken', async () => {
  const holder = createServer();
  await new Promise<void>((done) => holder.listen(0, '127.0.0.1', done));
  const { port: taken } = holder.address() as AddressInfo;
  const told: string[] = [];
  try {
    // so that the ports for clients are pushed over those of the quorum
    const first = Math.min(taken, 65_300);
    const { servers, balancers } = await portsFor(7, 2, first, {
      complain: (line) => void told.push(line),
    });
    const all = servers.flatMap(({ client, quorum, election, admin }) => [
      ...[client, quorum, election, admin],
    ]);
    all.push(...balancers);
    assert.equal(new Set(all).size, 30);
    assert.ok(!all.includes(taken));
  } finally {
    holder.close();
  }
  assert.match(told[0] ?? '', /^PORT \d+ IS TAKEN/);
  await assert.rejects(portsFor(3, 2, 65_530, nobodyToTell), /leaves no ports/);
});

test('up: --fresh throws servers away, and nothing else', async () => {
  await inFolder((path) => {
    data(path, 1);
    const precious = join(path, '1', 'thesis.txt');
    writeFileSync(precious, 'precious');
    const folder = UpFolder.take(path);
    assert.throws(() => folder.throwAway(), /thesis\.txt is not a server's, nothing is deleted/);
    assert.ok(folder.hasData(1));
    rmSync(precious);
    folder.throwAway();
    assert.ok(!existsSync(join(path, '1')));
    folder.release();
  });
});

test('up: what stays of a minority is copied, and what that may cost is told', async () => {
  await inFolder(async (path) => {
    data(path, 3, 'snapshot.5');
    const folder = UpFolder.take(path);
    const told: string[] = [];
    const tell = (line: string): void => void told.push(line);
    await assert.rejects(growEnsemble(folder, 3, { logger: silentLogger, tell }));
    assert.match(told[0] ?? '', /^only 1 of 3 servers' data is left: .* is lost$/);
    folder.release();
  });
});

test('up: status and stop of what does not run', async () => {
  await inFolder(async (path) => {
    for (const verb of ['status', 'stop']) {
      const { terminal, out, err } = listening();
      assert.equal(await main(['up', verb, '--data', join(path, 'nowhere')], terminal), 1);
      assert.match(err(), /^no zabra up runs in .*nowhere: /);
      assert.equal(out(), '');
      assert.ok(!existsSync(join(path, 'nowhere')), 'to ask makes no folder');
    }
    // what a killed one left, with a number that another process has by now
    const servers = [{ sid: 1, clientPort: 1, adminPort: 2, pid: 3, restarts: 0 }];
    writeUpState(path, { pid: process.pid, servers });
    const { terminal, err } = listening();
    assert.equal(await main(['up', 'status', '--data', path], terminal), 1);
    assert.match(err(), /^no zabra up runs in /);
    assert.equal(await main(['up', 'stop', '--data', path], terminal), 1);
    // and what is no `up` at all is not ended
    const held = UpFolder.take(path);
    removeUpState(path);
    const other = listening();
    assert.equal(await main(['up', 'stop', '--data', path], other.terminal), 1);
    assert.match(other.err(), /is using .*, and has not told that it is a zabra up/);
    held.release();
  });
});

test('up: a state that nobody wrote is none', async () => {
  await inFolder((path) => {
    for (const text of ['', '{', '[]', '{"pid":1}', '{"pid":"1","servers":[]}']) {
      writeFileSync(join(path, 'up.json'), text);
      assert.equal(readUpState(path), null, text);
    }
    writeFileSync(join(path, 'up.json'), '{"pid":1,"servers":[{"sid":1}]}');
    assert.equal(readUpState(path), null);
  });
});

test('up: each log of the time before is kept once', async () => {
  await inFolder(async (path) => {
    const folder = UpFolder.take(path);
    const { servers: ports } = await portsFor(3, 2, 0, nobodyToTell);
    folder.prepare(1, ports);
    writeFileSync(folder.logFile(1), 'before');
    folder.prepare(1, ports);
    assert.equal(readFileSync(`${folder.logFile(1)}.1`, 'utf8'), 'before');
    assert.ok(!existsSync(folder.logFile(1)));
    folder.release();
  });
});

test('up: where there is no data at all, each server is told that it may begin without', async () => {
  await inFolder((path) => {
    const folder = UpFolder.take(path);
    folder.allowEmptyStart(3);
    for (const sid of [1, 2, 3]) {
      assert.ok(existsSync(join(folder.serverFolder(sid), 'initialize')));
      assert.ok(!folder.hasData(sid));
    }
    folder.release();
  });
});

test('up: a history that cannot be read stops the growth, and nothing is copied', async () => {
  await inFolder(async (path) => {
    data(path, 1, 'snapshot.5');
    const folder = UpFolder.take(path);
    const growing = growEnsemble(folder, 3, { logger: silentLogger, tell: nobodyToTell.complain });
    await assert.rejects(growing, /snapshot\.5/);
    assert.ok(!existsSync(folder.serverFolder(2)));
    folder.release();
  });
});

test('up: a server that runs keeps --fresh from everything', async () => {
  await inFolder((path) => {
    data(path, 1);
    data(path, 2);
    const folder = UpFolder.take(path);
    const running = folder.lockData(2);
    assert.throws(() => folder.throwAway(), UsageError);
    assert.ok(folder.hasData(1));
    running?.release();
    folder.throwAway();
    assert.ok(!folder.hasData(1));
    folder.release();
  });
});

test('up: the table fits into 80 columns', () => {
  const sight = { ...serving('follower', 0x7_ffff_ffffn), sessions: 12_345 };
  const row = {
    name: '7',
    clientPort: 21_811,
    pid: 419_430,
    isStarting: false,
    restarts: 12,
    sight,
  };
  for (const line of tableOf([row])) assert.ok(line.length < 80, `${line.length}: ${line}`);
});

test('up: a server that cannot start is told with its last words, and tried again later and later', async () => {
  await inFolder(async (path) => {
    const deaths: [string, number][] = [];
    await new Promise<void>((resolve) => {
      const child = new UpChild({
        command: ['server', join(path, 'zoo.cfg')],
        logFile: join(path, 'server.log'),
        onDeath: (reason, pauseMs) => {
          deaths.push([reason, pauseMs]);
          if (deaths.length === 2) resolve(child.stop());
        },
      });
      child.start();
    });
    const reason = 'exit code 2: Invalid config, exiting abnormally';
    assert.deepEqual(deaths, [
      [reason, 250],
      [reason, 500],
    ]);
  });
});

test('up: the story of an ensemble is told by its changes', () => {
  const story = new UpStory();
  const silent: Sight = { kind: 'silent' };
  const look = (...sights: Sight[]): string[] =>
    story.look(new Map(sights.map((sight, index) => [index + 1, sight])));
  assert.deepEqual(look(silent, silent, silent), []);
  const begun = [serving('follower', 1n), serving('follower', 1n), serving('leader', 1n)];
  assert.deepEqual(look(...begun), ['server 3 leads', 'server 1 follows', 'server 2 follows']);
  assert.deepEqual(look(...begun), []);
  story.onDeath(3);
  const looking: Sight = { kind: 'looking' };
  assert.deepEqual(look(looking, serving('follower', 1n), silent), [
    'server 1 looks for a leader',
    'nobody leads: 1 of 3 servers serve',
  ]);
  assert.deepEqual(look(serving('follower', 2n), serving('leader', 2n), silent), [
    'server 2 leads',
    'server 1 is back and follows',
  ]);
  assert.deepEqual(look(serving('follower', 2n), serving('leader', 2n), serving('follower', 2n)), [
    'server 3 is back and follows',
  ]);
});

test('up: a look reads srvr and mntr', () => {
  const srvr =
    'Zookeeper version: 3.9.5\nLatency min/avg/max: 0/1.25/7\nConnections: 4\nOutstanding: 0\n' +
    'Zxid: 0x100000002\nMode: follower\nNode count: 5\n';
  assert.deepEqual(readSight(srvr, 'zk_version\t3\nzk_global_sessions\t9\n'), {
    ...{ kind: 'serving', role: 'follower', zxid: 0x100000002n, sessions: 9 },
    latencyMs: { average: '1.25', max: '7' },
  });
  const not = 'This ZooKeeper instance is not currently serving requests\n';
  assert.deepEqual(readSight(not, not), { kind: 'looking' });
});

test('up: a look at a balancer reads mntr', () => {
  const monitor =
    'zk_version\t3\nzk_server_state\tbalancer\nzk_avg_latency\t0.5\nzk_max_latency\t4\n' +
    'zk_balancer_sessions_open\t7\n';
  const sight = readBalancerSight(monitor);
  assert.deepEqual(sight, {
    ...{ kind: 'serving', role: 'balancer', zxid: 0n, sessions: 7 },
    latencyMs: { average: '0.5', max: '4' },
  });
  const row = { name: 'b1', clientPort: 1, pid: 1, isStarting: false, restarts: 0, sight };
  const [, line = ''] = tableOf([row]);
  assert.deepEqual(line.split(/ {2,}/).slice(0, 6), ['b1', '1', 'balancer', '-', '-', '7']);
  assert.deepEqual(readBalancerSight('zk_server_state\tleader\n'), { kind: 'looking' });
});

test('up: what it writes for a balancer is what a balancer reads', async () => {
  await inFolder(async (path) => {
    const folder = UpFolder.take(path);
    const ports = await portsFor(3, 2, 0, nobodyToTell);
    const file = folder.prepareBalancer(2, ports);
    const options = readOptions(JSON.parse(readFileSync(file, 'utf8')));
    assert.deepEqual(options.listen, [`127.0.0.1:${ports.balancers[1] ?? 0}`]);
    const places = ports.servers.map(({ client }) => `127.0.0.1:${client}`);
    assert.equal(options.servers, places.join(','));
    folder.release();
  });
});

test('up: the table tells who lags and who is down', () => {
  const silent: Sight = { kind: 'silent' };
  const looking: Sight = { kind: 'looking' };
  const rows = [
    {
      name: '1',
      clientPort: 1,
      pid: 10,
      isStarting: false,
      restarts: 0,
      sight: serving('leader', 0x200000005n),
    },
    {
      name: '2',
      clientPort: 1,
      pid: 20,
      isStarting: false,
      restarts: 0,
      sight: serving('follower', 0x200000002n),
    },
    {
      name: '3',
      clientPort: 1,
      pid: 30,
      isStarting: false,
      restarts: 0,
      sight: serving('follower', 0x100000009n),
    },
    {
      name: '4',
      clientPort: 1,
      pid: null,
      isStarting: false,
      restarts: 0,
      sight: silent,
    },
    { name: '5', clientPort: 1, pid: 50, isStarting: true, restarts: 1, sight: silent },
    { name: '6', clientPort: 1, pid: 60, isStarting: false, restarts: 1, sight: silent },
    { name: '7', clientPort: 1, pid: 70, isStarting: true, restarts: 1, sight: looking },
  ];
  assert.deepEqual(
    tableOf(rows).map((line) => line.split(/ {2,}/).slice(2, 5)),
    [
      ['role', 'zxid', 'lag'],
      ['leader', '0x200000005', '0'],
      ['follower', '0x200000002', '3'],
      ['follower', '0x100000009', 'epoch'],
      ['down', '-', '-'],
      ['starting', '-', '-'],
      ['silent', '-', '-'],
      ['looking', '-', '-'],
    ],
  );
});

test('up: a terminal has one table, drawn again in its place; a pipe has lines', () => {
  const wide = listening(40);
  const screen = screenFor(wide.terminal, ['connect to a:1', 'second']);
  const rows = [
    {
      name: '1',
      clientPort: 1,
      pid: 10,
      isStarting: false,
      restarts: 0,
      sight: serving('leader', 1n),
    },
  ];
  assert.equal(wide.out(), 'connect to a:1\nsecond\n');
  screen.show(rows);
  const drawn = wide.out();
  screen.show(rows);
  assert.equal(wide.out(), drawn, 'what has not changed is not drawn again');
  screen.tell('server 1 leads');
  const last = wide.out().slice(drawn.length);
  assert.match(last, /^\x1b\[\d+F\x1b\[J\nserver /u);
  assert.match(last, /\d\d:\d\d:\d\d server 1 leads\n$/);
  for (const line of last.split('\n').slice(1)) assert.ok(line.length < 40, line);

  const pipe = listening();
  const lines = screenFor(pipe.terminal, ['connect to a:1']);
  lines.show(rows);
  lines.tell('server 1 leads');
  assert.equal(pipe.out(), 'connect to a:1\nserver 1 leads\n');
});
