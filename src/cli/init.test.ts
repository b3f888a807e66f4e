import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig, type ServerConfig } from '../server/config/config.js';
import { main } from './main.js';
import type { Terminal } from './terminal.js';

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zabra-init-'));
  try {
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function init(
  ...args: string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const terminal: Terminal = {
    env: {},
    inputFd: -1,
    print: (text) => void (out += text),
    complain: (line) => void (err += `${line}\n`),
    startServer: () => Promise.reject(new Error('nothing may be started')),
    untilStopped: () => Promise.resolve('SIGTERM'),
    onCrash: () => undefined,
  };
  const code = await main(['init', ...args], terminal);
  return { code, out, err };
}

/** As the server that starts in this folder reads it. */
function configIn(folder: string): ServerConfig {
  const file = join(folder, 'zoo.cfg');
  const result = parseConfig({
    ...{ text: readFileSync(file, 'latin1'), file, env: {}, properties: new Map() },
    myid: readFileSync(join(folder, 'myid'), 'utf8'),
  });
  assert.ok('config' in result, 'problems' in result ? result.problems[0]?.message : '');
  assert.deepEqual(result.warnings, []);
  return result.config;
}

test('init: every host has a folder that its server reads', async () => {
  await inFolder(async (folder) => {
    const out = join(folder, 'out');
    const { code, out: said } = await init(
      ...['--server', 'a=10.0.0.1,b=zk2.example.org', '--server', 'c=fd00::3'],
      ...['--observer', 'd=10.1.0.1', '--out', out],
    );
    assert.equal(code, 0);
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) {
      const config = configIn(join(out, name));
      assert.equal(config.myid, index + 1);
      assert.equal(config.dataDir, '/var/lib/zabra');
      assert.equal(config.clientPort, 2181);
      assert.equal(config.adminServerAddress, '127.0.0.1');
      assert.equal(config.dbAutoCreate, false);
      assert.ok(config.ensemble.isDistributed);
      assert.deepEqual(
        [...config.ensemble.servers.values()].map(({ addresses, role }) => [
          ...[addresses[0]?.host, addresses[0]?.quorumPort, addresses[0]?.electionPort, role],
        ]),
        [
          ['10.0.0.1', 2888, 3888, 'participant'],
          ['zk2.example.org', 2888, 3888, 'participant'],
          ['fd00::3', 2888, 3888, 'participant'],
          ['10.1.0.1', 2888, 3888, 'observer'],
        ],
      );
      // whoever has no vote has no say in whether there is no data yet
      assert.equal(existsSync(join(out, name, 'initialize')), name !== 'd');
    }
    const readme = readFileSync(join(out, 'b', 'README'), 'utf8');
    assert.match(readme, /^ {2}ssh zk2\.example\.org mkdir -p \/var\/lib\/zabra && scp -r /m);
    assert.match(readme, /^ {2}ssh zk2\.example\.org zabra server \/var\/lib\/zabra\/zoo\.cfg$/m);
    const connect = '10.0.0.1:2181,zk2.example.org:2181,[fd00::3]:2181,10.1.0.1:2181';
    assert.match(readme, new RegExp(`^Clients: ${connect.replace(/[[\]]/g, '\\$&')}$`, 'm'));
    assert.ok(said.endsWith(`clients connect to ${connect}\n`), said);
  });
});

test('init: ports and the data directory are what the options say', async () => {
  await inFolder(async (folder) => {
    const out = join(folder, 'out');
    const { code } = await init(
      ...['--server', 'one,two,three', '--out', out, '--data-dir', "/srv/it's é"],
      ...['--client-port', '1', '--quorum-port', '2', '--election-port', '3'],
    );
    assert.equal(code, 0);
    const config = configIn(join(out, 'two'));
    assert.equal(config.dataDir, "/srv/it's é");
    assert.deepEqual(config.ensemble.servers.get(2), {
      sid: 2,
      addresses: [{ host: 'two', quorumPort: 2, electionPort: 3 }],
      role: 'participant',
      client: { host: '0.0.0.0', port: 1 },
    });
    assert.ok(readFileSync(join(out, 'two', 'README'), 'utf8').includes(`'/srv/it'\\''s é'`));
  });
});

test('init: servers on one machine have addresses and directories of their own', async () => {
  await inFolder(async (folder) => {
    const out = join(folder, 'out');
    const servers = 'a=127.0.0.1,b=127.0.0.2,c=127.0.0.3';
    assert.equal((await init('--server', servers, '--out', out, '--data-dir', '/d')).code, 0);
    const config = configIn(join(out, 'b'));
    assert.equal(config.dataDir, '/d/b');
    assert.equal(config.clientPortAddress, '127.0.0.2');
    assert.equal(config.adminServerAddress, '127.0.0.2');
  });
});

test('init: nothing is written over', async () => {
  await inFolder(async (folder) => {
    const args = ['--server', 'a=h1,b=h2,c=h3', '--out', folder];
    writeFileSync(join(folder, 'thesis.txt'), 'precious');
    const refused = await init(...args);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /is there already, and not empty: --out names another folder/);
    assert.ok(!existsSync(join(folder, 'a')));
    rmSync(join(folder, 'thesis.txt'));
    assert.equal((await init(...args)).code, 0, 'an empty folder is as good as none');
    assert.equal((await init(...args)).code, 2);
  });
});

test('init: an even number of voters is told what it is worth', async () => {
  await inFolder(async (folder) => {
    const four = await init('--server', 'a,b,c,d', '--out', join(folder, '4'));
    assert.deepEqual(
      [four.code, four.err],
      [
        0,
        '4 voters go on after the loss of 1, no more than 3: ' +
          'an odd number is better, or --observer for the last one\n',
      ],
    );
    const three = await init('--server', 'a,b,c', '--observer', 'd', '--out', join(folder, '3'));
    assert.deepEqual([three.code, three.err], [0, '']);
  });
});

test('init: what cannot work is refused before a file is written', async () => {
  await inFolder(async (folder) => {
    const out = join(folder, 'out');
    mkdirSync(out);
    for (const [args, reason] of [
      [[], /--server names the servers/],
      [['--server', 'a=10.0.0.1'], /needs no init/],
      [['--observer', 'a=10.0.0.1,b=10.0.0.2'], /--server names the servers/],
      [['--server', 'a=10.0.0.1,b=10.0.0.1'], /a and b are one host/],
      [['--server', 'a=10.0.0.1,b=10.0.0.2', '--observer', 'c=10.0.0.1'], /a and c are one host/],
      [['--server', 'a=h1,A=h2'], /two servers are called A/],
      [['--server', 'a=h1,../b=h2'], /becomes the name of a folder/],
      [['--server', 'a=h1,b=h2:2888'], /is no address of a host/],
      [['--server', 'a=h1,b='], /is no address of a host/],
      [['--server', 'a=h1,b=300.1'], /is no IPv4 address/],
      [['--server', 'a=h1,b=0.0.0.0'], /is every address/],
      [['--server', 'a=h1,b=localhost'], /is that host itself/],
      [['--server', 'a=h1,b=h2', '--quorum-port', '2181'], /must differ/],
      [['--server', 'a=h1,b=h2', '--client-port', '0'], /from 1 to 65535/],
      [['--server', 'a=h1,b=h2', '--data-dir', 'data'], /from the root/],
    ] as const) {
      const { code, err } = await init(...args, '--out', out);
      assert.equal(code, 2, args.join(' '));
      assert.match(err, reason);
      assert.equal(err.trimEnd().split('\n').length, 1);
    }
    assert.equal((await init('--server', 'a,b,c', '--out', out)).code, 0, 'it is empty still');
  });
});
