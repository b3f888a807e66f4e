/** The shell scripts as operators run them: real processes, real files, a free port. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/', import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** For a server to serve, or to have ended, on a busy machine. */
const patienceMs = 60_000;

class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'zabra scripts-'));
  readonly conf = join(this.path, 'conf');
  readonly data = join(this.path, 'data');

  constructor() {
    mkdirSync(this.conf);
  }

  configure(port: number): void {
    const lines = [`dataDir=${this.data}`, `clientPort=${port}`, 'admin.enableServer=false'];
    writeFileSync(join(this.conf, 'zoo.cfg'), `# a server\n${lines.join('\n')}\n`);
  }

  /** What servers have written: an answer to "why did it not start". */
  get output(): string {
    const logs = join(this.path, 'logs');
    if (!existsSync(logs)) return '';
    const files = readdirSync(logs).filter((name) => name.endsWith('.out'));
    return files.map((name) => readFileSync(join(logs, name), 'utf8')).join('');
  }

  run(script: string, args: readonly string[], env: Record<string, string> = {}): Outcome {
    const { status, stdout, stderr } = spawnSync('sh', [join(bin, script), ...args], {
      encoding: 'utf8',
      cwd: this.path,
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE: process.execPath,
        HOSTNAME: 'here',
        ZOOCFGDIR: this.conf,
        ZOO_LOG_DIR: join(this.path, 'logs'),
        ...env,
      },
    });
    return { code: status, out: stdout, err: stderr };
  }

  /** Of a server that was started: that it is there is told before it serves. */
  async status(env: Record<string, string> = {}): Promise<Outcome> {
    const endMs = Date.now() + patienceMs;
    for (;;) {
      const outcome = this.run('zkServer.sh', ['status'], env);
      if (outcome.code === 0 || Date.now() > endMs) return outcome;
      await sleep(100);
    }
  }

  /** What a server has written, once it fits: `stop` does not wait for the last of it. */
  async log(name: string, pattern: RegExp): Promise<string> {
    const endMs = Date.now() + patienceMs;
    for (;;) {
      const text = readFileSync(join(this.path, 'logs', name), 'utf8');
      if (pattern.test(text) || Date.now() > endMs) return text;
      await sleep(100);
    }
  }
}

async function inFolder(act: (folder: Folder) => void | Promise<void>): Promise<void> {
  const folder = new Folder();
  try {
    await act(folder);
  } finally {
    folder.run('zkServer.sh', ['stop']);
    rmSync(folder.path, { recursive: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });
}

const onlyPosix = { skip: process.platform === 'win32' ? 'the scripts are for sh' : false };

test(
  'zkServer.sh starts, asks and stops a server with the lines and codes of Apache',
  onlyPosix,
  async () => {
    await inFolder(async (folder) => {
      const port = await freePort();
      folder.configure(port);
      const found = `Client port found: ${port}. Client address: localhost. Client SSL: false.\n`;

      const idle = folder.run('zkServer.sh', ['status']);
      assert.deepEqual(idle, {
        code: 1,
        out: `${found}Error contacting service. It is probably not running.\n`,
        err: `Using config: ${folder.conf}/zoo.cfg\n`,
      });

      const started = folder.run('zkServer.sh', ['start']);
      const isStarted = [0, 'Starting zookeeper ... STARTED\n'];
      assert.deepEqual([started.code, started.out], isStarted, folder.output);
      const pidFile = join(folder.data, 'zookeeper_server.pid');
      const pid = readFileSync(pidFile, 'utf8');
      assert.match(pid, /^\d+$/);

      const again = folder.run('zkServer.sh', ['start']);
      const line = `Starting zookeeper ... already running as process ${pid}.\n`;
      assert.deepEqual([again.code, again.out], [1, line]);

      const status = await folder.status();
      assert.deepEqual([status.code, status.out], [0, `${found}Mode: standalone\n`]);

      // without its pid file the server is found by the lock of its data
      rmSync(pidFile);
      const stopped = folder.run('zkServer.sh', ['stop']);
      assert.deepEqual([stopped.code, stopped.out], [0, 'Stopping zookeeper ... STOPPED\n']);

      const none = folder.run('zkServer.sh', ['stop']);
      const nothing = `Stopping zookeeper ... no zookeeper to stop (could not find file ${pidFile})\n`;
      assert.deepEqual([none.code, none.out], [0, nothing]);
      const last = /stopped\n$/;
      assert.match(await folder.log('zookeeper--server-here.out', last), last);
    });
  },
);

test(
  'zkServer.sh restart replaces the process; a name beside zoo.cfg and a pid file are heeded',
  onlyPosix,
  async () => {
    await inFolder(async (folder) => {
      folder.configure(await freePort());
      const text = readFileSync(join(folder.conf, 'zoo.cfg'), 'utf8');
      writeFileSync(join(folder.conf, 'other.cfg'), text);
      rmSync(join(folder.conf, 'zoo.cfg'));
      const env = { ZOOPIDFILE: join(folder.path, 'run', 'pid') };
      assert.equal(folder.run('zkServer.sh', ['start', 'other.cfg'], env).code, 0);
      const first = readFileSync(env.ZOOPIDFILE, 'utf8');
      const restarted = folder.run('zkServer.sh', ['restart', join(folder.conf, 'other.cfg')], env);
      assert.equal(
        restarted.out,
        'Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n',
        restarted.err,
      );
      assert.notEqual(readFileSync(env.ZOOPIDFILE, 'utf8'), first);
      assert.equal(folder.run('zkServer.sh', ['stop', 'other.cfg'], env).code, 0);
    });
  },
);

test('zkServer.sh start tells what is wrong with zoo.cfg', onlyPosix, async () => {
  await inFolder((folder) => {
    writeFileSync(join(folder.conf, 'zoo.cfg'), 'clientPort=x\n');
    const { code, out, err } = folder.run('zkServer.sh', ['start']);
    assert.deepEqual([code, out], [1, 'Starting zookeeper ... FAILED TO START\n']);
    assert.match(err, /zoo\.cfg:1: clientPort: 'x' is not a whole number\n/);
    const foreground = folder.run('zkServer.sh', ['start-foreground']);
    assert.equal(foreground.code, 2);
  });
});

test('zkServer.sh start-foreground is the server itself', onlyPosix, async () => {
  await inFolder((folder) => {
    writeFileSync(join(folder.conf, 'zoo.cfg'), `dataDir=${folder.data}\nclientPort=1\nssl.x=y\n`);
    const { err } = folder.run('zkServer.sh', ['start-foreground'], {
      JVMFLAGS: '-Dzookeeper.tickTime=never',
    });
    assert.match(err, /ssl\.x: nobody knows this key of TLS/);
    assert.match(err, /-Dzookeeper\.tickTime: tickTime: 'never'/);
  });
});

test('zkServer.sh: usage, version, print-cmd, and being linked to', onlyPosix, async () => {
  await inFolder((folder) => {
    folder.configure(2181);
    assert.match(folder.run('zkServer.sh', []).err, /^Usage: \S.*\{start\|start-foreground\|/);
    assert.match(folder.run('zkServer.sh', ['version']).out, /version 3\.9\.5/);
    const command = folder.run('zkServer.sh', ['--config', folder.conf, 'print-cmd']).out;
    assert.ok(command.endsWith(`/logs/zookeeper--server-here.out" 2>&1 < /dev/null\n`));
    assert.ok(command.includes(` server "${folder.conf}/zoo.cfg" > `));
    const link = join(folder.path, 'linked.sh');
    symlinkSync(join(bin, 'zkServer.sh'), link);
    const { stdout } = spawnSync('sh', [link, 'version'], { encoding: 'utf8' });
    assert.match(stdout, /version 3\.9\.5/);
  });
});

test('zkServer.sh without a zoo.cfg runs by the variables of the image', onlyPosix, async () => {
  await inFolder(async (folder) => {
    const port = await freePort();
    const env = {
      ZOO_DATA_DIR: folder.data,
      ZOO_SERVERS: `server.1=localhost:2888:3888;${port}`,
      ZOO_ADMINSERVER_ENABLED: 'false',
    };
    assert.equal(folder.run('zkServer.sh', ['start'], env).code, 0);
    assert.match((await folder.status(env)).out, /Mode: standalone\n$/);
    assert.match(folder.run('zkServer.sh', ['stop'], env).out, /STOPPED\n$/);
  });
});

test(
  'zkServer-initialize.sh makes directories, myid and initialize, and deletes only by force',
  onlyPosix,
  async () => {
    await inFolder((folder) => {
      const script = 'zkServer-initialize.sh';
      assert.equal(
        folder.run(script, []).out,
        `Unable to find config file at ${folder.conf}/zoo.cfg\n`,
      );
      folder.configure(2181);
      const first = folder.run(script, ['--myid=7']);
      assert.deepEqual([first.code, first.out], [0, 'Using myid of 7\n']);
      assert.equal(readFileSync(join(folder.data, 'myid'), 'utf8'), '7\n');
      assert.deepEqual(readdirSync(folder.data).sort(), ['initialize', 'myid', 'version-2']);
      writeFileSync(join(folder.data, 'version-2', 'log.1'), 'x');
      const second = folder.run(script, []);
      assert.equal(second.code, 1);
      assert.match(second.out, /already exists at .* \(or use --force/);
      const forced = folder.run(script, ['--force']);
      assert.equal(forced.code, 0);
      assert.match(forced.out, /^Force enabled.*\nNo myid provided/);
      assert.ok(!existsSync(join(folder.data, 'version-2', 'log.1')));
      assert.ok(!existsSync(join(folder.data, 'myid')));
      assert.equal(folder.run(script, ['--what']).code, 1);
      assert.equal(folder.run(script, ['--help']).code, 1);
    });
  },
);

test('zkServer-initialize.sh does not delete under a running server', onlyPosix, async () => {
  await inFolder((folder) => {
    folder.configure(2181);
    mkdirSync(join(folder.data, 'version-2'), { recursive: true });
    writeFileSync(join(folder.data, 'zookeeper_server.pid'), String(process.pid));
    const { code, out } = folder.run('zkServer-initialize.sh', ['--force']);
    rmSync(join(folder.data, 'zookeeper_server.pid'));
    assert.equal(code, 1);
    assert.match(out, /is using .*, nothing is deleted/);
    assert.ok(existsSync(join(folder.data, 'version-2')));
  });
});

test('zkCleanup.sh finds the directories in zoo.cfg', onlyPosix, async () => {
  await inFolder((folder) => {
    folder.configure(2181);
    mkdirSync(join(folder.data, 'version-2'), { recursive: true });
    assert.equal(folder.run('zkCleanup.sh', ['-n', '3']).code, 0);
    const { code, err } = folder.run('zkCleanup.sh', ['-n', '2']);
    assert.equal(code, 2);
    assert.match(err, /from 3 to/);
  });
});
