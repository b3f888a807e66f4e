import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ServerConfig } from '../server/config/config.js';
import { shortVersion } from '../server/version.js';
import { javaProperties, parseArguments, UsageError } from './arguments.js';
import { main } from './main.js';
import type { Terminal } from './terminal.js';
import { portFrom } from './up-ports.js';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What a server was started with. */
  readonly started: readonly ServerConfig[];
  readonly stopped: number;
}

interface Surroundings {
  readonly env?: Record<string, string>;
  readonly startError?: Error;
  readonly inputFd?: number;
}

async function run(argv: readonly string[], given: Surroundings = {}): Promise<Outcome> {
  let [out, err, stopped] = ['', '', 0];
  const started: ServerConfig[] = [];
  const terminal: Terminal = {
    env: given.env ?? {},
    inputFd: given.inputFd ?? -1,
    print: (text) => void (out += text),
    complain: (line) => void (err += `${line}\n`),
    startServer: (config) => {
      if (given.startError !== undefined) return Promise.reject(given.startError);
      started.push(config);
      return Promise.resolve({
        host: '127.0.0.1',
        clientPort: config.clientPort,
        stop: () => {
          stopped++;
          return Promise.resolve();
        },
      });
    },
    untilStopped: () => Promise.resolve('SIGTERM'),
    onCrash: () => undefined,
  };
  const code = await main(argv, terminal);
  return { code, out, err, started, stopped };
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zabra-cli-'));
  try {
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function serverArgs(folder: string, ...more: string[]): string[] {
  return ['server', ...more, '--log-file', join(folder, 'log')];
}

test('an unknown command is one line and exit code 2', async () => {
  const { code, out, err } = await run(['frobnicate']);
  assert.equal(code, 2);
  assert.equal(out, '');
  assert.equal(err.trimEnd().split('\n').length, 1);
});

test('help lists the commands, help of a command tells it', async () => {
  const { code, out } = await run([]);
  assert.equal(code, 0);
  assert.ok(out.startsWith(`zabra ${shortVersion}\n`));
  const names = ['up', 'init', 'server', 'join', 'leave', 'handover', 'word', 'purge', 'recover'];
  for (const name of [...names, 'version']) {
    assert.match(out, new RegExp(`^ {2}${name} `, 'm'));
    assert.match((await run(['help', name])).out, new RegExp(`^zabra ${name}`));
    assert.match((await run([name, '--help'])).out, new RegExp(`^zabra ${name}`));
  }
});

test('what was probably meant is told', async () => {
  for (const [slip, hint] of [
    [['unit'], /there is no command 'unit'; did you mean init\?$/m],
    [['recovr'], /did you mean recover\?$/m],
    [['frobnicate'], /zabra help lists them$/m],
    [['up', '--server', '3'], /Unknown option '--server'; zabra help up tells them$/m],
    [['init', '--out'], /zabra help init tells them$/m],
    [['word', 'ruok', 'a:1', 'b'], /Unexpected argument 'b'; zabra help word tells them$/m],
  ] as const) {
    const { code, err } = await run(slip);
    assert.equal(code, 2);
    assert.match(err, hint);
  }
});

test('the commands that the documents and the help show are there, with those options', async () => {
  const root = new URL('../../', import.meta.url);
  const shown: string[] = [];
  for (const file of ['README.md', 'docs/operations.md']) {
    const text = readFileSync(new URL(file, root), 'utf8');
    const blocks = [...text.matchAll(/^```(?:sh|ini)\n(.*?)^```/gms)].map(
      ([, block = '']) => block,
    );
    for (const line of blocks.join('').split('\n')) {
      const [command = ''] = line.split(' # ');
      const match = /(?:^|[ /])zabra ((?:[a-z]+\b).*)$/.exec(command.replace(/ +#.*$/, ''));
      if (match?.[1] !== undefined) shown.push(match[1].trim());
    }
  }
  for (const name of [
    'up',
    'init',
    'server',
    'join',
    'leave',
    'handover',
    'word',
    'purge',
    'recover',
  ]) {
    const { out } = await run(['help', name]);
    const examples = [...out.matchAll(/^ {2}zabra (.*)$/gm)].map(([, command = '']) => command);
    assert.ok(examples.length > 0, `help ${name} has an example`);
    shown.push(...examples.map((command) => command.replace(/ &$/, '')));
  }
  assert.ok(shown.length > 20, 'the documents show commands');
  for (const command of shown) {
    const [name = '', ...words] = command.split(/\s+/);
    const { code, out } = await run([name, '--help']);
    assert.equal(code, 0, command);
    for (const option of words.filter((word) => word.startsWith('--'))) {
      assert.ok(out.includes(option.replace(/=.*/, '')), `${command}: ${option}`);
    }
  }
});

test('version has the words that scripts look for', async () => {
  const { out } = await run(['version']);
  assert.match(out, /Apache ZooKeeper, version 3\.9\.5 \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$/);
});

test('server: zoo.cfg, then -D of the environment, then of the command line, then options', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'zoo.cfg');
    writeFileSync(file, `dataDir=${folder}/data\nclientPort=2181\ntickTime=1000\nsnapCount=10\n`);
    const env = {
      SERVER_JVMFLAGS: '-Xmx1000m -Dzookeeper.snapCount=20 -Djute.maxbuffer=5000',
      JVMFLAGS: '-Dzookeeper.snapCount=30 -verbose:gc',
    };
    const args = serverArgs(folder, file, '-Dzookeeper.tickTime=7', '--client-port', '0');
    const { code, started, stopped } = await run(args, { env });
    assert.equal(code, 0);
    assert.equal(stopped, 1);
    const [config] = started;
    assert.ok(config);
    assert.equal(config.snapCount, 30);
    assert.equal(config.juteMaxBufferBytes, 5000);
    assert.equal(config.tickTimeMs, 7);
    assert.equal(config.clientPort, 0);
    assert.equal(config.dataDir, `${folder}/data`);
    const log = readFileSync(join(folder, 'log'), 'utf8');
    assert.match(log, /INFO {2}serving clients address=127\.0\.0\.1:0\n/);
    assert.match(log, /stopping signal=SIGTERM\n/);
  });
});

test('server: --config, ZOOCFGDIR and a folder name the file in it', async () => {
  await inFolder(async (folder) => {
    writeFileSync(join(folder, 'zoo.cfg'), `dataDir=${folder}/a\nclientPort=1\n`);
    writeFileSync(join(folder, 'other.cfg'), `dataDir=${folder}/b\nclientPort=1\n`);
    const dataDirOf = async (argv: string[], env: Record<string, string> = {}): Promise<string> =>
      (await run(['server', '--print', 'dataDir', ...argv], { env })).out.trimEnd();
    assert.equal(await dataDirOf(['--config', folder]), `${folder}/a`);
    assert.equal(await dataDirOf([folder]), `${folder}/a`);
    assert.equal(await dataDirOf([], { ZOOCFGDIR: folder }), `${folder}/a`);
    assert.equal(await dataDirOf([], { ZOOCFGDIR: folder, ZOOCFG: 'other.cfg' }), `${folder}/b`);
  });
});

test('server: without a file the variables of the image, or options, are enough', async () => {
  await inFolder(async (folder) => {
    const env = { ZOOCFGDIR: join(folder, 'empty'), ZOO_DATA_DIR: folder, ZOO_TICK_TIME: '5' };
    const [byEnvironment] = (await run(serverArgs(folder), { env })).started;
    assert.ok(byEnvironment);
    assert.equal(byEnvironment.tickTimeMs, 5);
    assert.equal(byEnvironment.clientPort, 2181);
    const [byOptions] = (
      await run(serverArgs(folder, '--data', folder, '--client-port', '2199'), {
        env: { ZOOCFGDIR: join(folder, 'empty') },
      })
    ).started;
    assert.ok(byOptions);
    assert.equal(byOptions.clientPort, 2199);
    assert.equal(byOptions.dataDir, folder);
  });
});

test('server: every problem is told, nothing is started, exit code 2', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'zoo.cfg');
    writeFileSync(file, 'tickTime=x\nclientPort=y\n');
    const { code, err, started } = await run(serverArgs(folder, file));
    assert.equal(code, 2);
    assert.equal(started.length, 0);
    assert.deepEqual(err.trimEnd().split('\n'), [
      `${file}:1: tickTime: 'x' is not a whole number`,
      `${file}:2: clientPort: 'y' is not a whole number`,
      `${file}: dataDir is not set`,
      'Invalid config, exiting abnormally',
    ]);
  });
});

test('server: an ensemble needs to know which of its servers this is', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'zookeeper.properties');
    const fixture = new URL('../../test/fixtures/config/ensemble.properties', import.meta.url);
    writeFileSync(file, readFileSync(fixture));
    const { code, err } = await run(serverArgs(folder, file));
    assert.equal(code, 2);
    assert.match(err, /there is no myid file in dataDir, and an ensemble needs it/);
  });
});

test('server: --check tells warnings and starts nothing', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'zoo.cfg');
    writeFileSync(file, `dataDir=${folder}\nclientPort=1\nfancy=1\n`);
    const { code, err, started } = await run(['server', '--check', file]);
    assert.equal(code, 0);
    assert.match(err, /^fancy: nobody knows this/);
    assert.equal(started.length, 0);
  });
});

test('server: --print gives values in zoo.cfg terms, also out of a file with problems', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'zoo.cfg');
    const keys = 'dataDir,dataLogDir,clientPort,preAllocSize,initLimit';
    writeFileSync(file, `dataDir=${folder}\nclientPort=1\npreAllocSize=64\ninitLimit=5\n`);
    const print = async (): Promise<string> => (await run(['server', '--print', keys, file])).out;
    assert.equal(await print(), `${folder}\n\n1\n64\n5\n`);
    writeFileSync(file, `dataDir=${folder}\nclientPort=1\ntickTime=x\n`);
    assert.equal(await print(), `${folder}\n\n1\n\n\n`);
  });
});

test('server: why it does not start is one line, with the exit code the error has', async () => {
  await inFolder(async (folder) => {
    const args = serverArgs(folder, '--data', folder);
    const refused = Object.assign(new Error('the directory is in use'), { exitCode: 3 });
    assert.equal((await run(args, { startError: refused })).code, 3);
    const taken = Object.assign(new Error('listen EADDRINUSE: address already in use :::2181'), {
      code: 'EADDRINUSE',
    });
    const { code, err } = await run(args, { startError: taken });
    assert.equal(code, 1);
    assert.equal(err, 'another process listens on :::2181 already (EADDRINUSE)\n');
  });
});

test('wrong options are one line and exit code 2', async () => {
  for (const argv of [
    ['server', '--no-such-option'],
    ['server', 'a', 'b'],
    ['server', '--data', '/d', '--client-port', '70000'],
    ['up', '--port', 'x'],
    ['up', 'again'],
    ['up', '--log-level', 'loud'],
    ['word', 'toolong'],
    ['word', 'ruok', 'nowhere'],
    ['purge', '/tmp', '-n', '2'],
    ['purge', '-n', '3'],
  ]) {
    const { code, err } = await run(argv);
    assert.equal(code, 2, argv.join(' '));
    assert.equal(err.trimEnd().split('\n').length, 1, err);
  }
});

test('up: when the port is taken the next free one is used, and told loudly', async () => {
  const holder = createServer();
  await new Promise<void>((done) => holder.listen(0, '127.0.0.1', done));
  const { port: taken } = holder.address() as AddressInfo;
  const told: string[] = [];
  try {
    const port = await portFrom(taken, { complain: (line) => void told.push(line) });
    assert.ok(port > taken);
    assert.deepEqual(told, [
      `PORT ${taken} IS TAKEN: listening on ${port} instead (--port chooses)`,
    ]);
  } finally {
    holder.close();
  }
});

test('word: asks and prints, says so when nobody answers', async () => {
  const server = createServer((socket) => {
    socket.once('data', (bytes) => socket.end(String(bytes) === 'ruok' ? 'imok' : ''));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  assert.deepEqual(await run(['word', 'ruok', address]), {
    ...{ code: 0, out: 'imok', err: '', started: [], stopped: 0 },
  });
  assert.equal((await run(['word', 'wchc', address])).code, 1);
  await new Promise((done) => server.close(done));
  const { code, err } = await run(['word', 'ruok', address]);
  assert.equal(code, 1);
  assert.match(err, /ECONNREFUSED/);
});

test('purge: nothing to keep, nothing to delete', async () => {
  await inFolder(async (folder) => {
    mkdirSync(join(folder, 'version-2'));
    const { code, out } = await run(['purge', folder, '-n', '3']);
    assert.deepEqual([code, out], [0, '']);
  });
});

test("arguments: Java's -D with and without a value, the last one counts", () => {
  const { properties, positionals } = parseArguments(
    ['-Da=1', 'file', '-Db', '-Da=2=3', '-D', 'c=4'],
    {
      positionals: 1,
    },
  );
  assert.deepEqual(
    [...properties],
    [
      ['a', '2=3'],
      ['b', ''],
      ['c', '4'],
    ],
  );
  assert.deepEqual(positionals, ['file']);
  assert.throws(() => parseArguments(['one'], {}), UsageError);
  assert.deepEqual(
    [...javaProperties('  -Xmx1g -Da=1\t-Db=x -agentlib:x -D ')],
    [
      ['a', '1'],
      ['b', 'x'],
    ],
  );
});
