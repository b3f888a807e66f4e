/**
 * What an operator sees when a server cannot start or cannot go on: one line that says what, where
 * and what to do, an exit code that means something, and nothing lost that was acknowledged.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { repositoryRoot } from '../support/machine.js';
import { TestClient } from '../support/test-client.js';

const scratch = mkdtempSync(join(tmpdir(), 'zabra-start-faults-'));
after(() => {
  rmSync(scratch, { recursive: true, force: true });
});
const onlyPosix = { skip: process.platform === 'win32' ? 'needs a POSIX shell' : false };
const server = [process.execPath, join(repositoryRoot, 'bin', 'zabra'), 'server'];
let configs = 0;

function configFile(lines: readonly string[]): string {
  const path = join(scratch, `zoo-${++configs}.cfg`);
  writeFileSync(path, [...lines, ''].join('\n'));
  return path;
}

interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ending>;
  #output = '';

  constructor(command: readonly string[]) {
    const [program = '', ...args] = command;
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        this.#output += bytes.toString();
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        resolve({ code, signal, output: this.#output });
      });
    });
  }

  /** The port on which it serves; rejects with what it said if it ends before. */
  async port(): Promise<number> {
    for (;;) {
      const found = /serving clients address=\S+:(\d+)/.exec(this.#output);
      if (found !== null) return Number(found[1]);
      const isOver = await Promise.race([
        this.ended.then(() => true),
        new Promise<false>((resolve) => {
          setTimeout(resolve, 20, false);
        }),
      ]);
      if (isOver) throw new Error(`it did not start: ${this.#output}`);
    }
  }
}

/** Refuses to start: the exit code, and one line that fits. */
async function refuses(config: string, code: number, line: RegExp): Promise<void> {
  const { code: got, output } = await new Running([...server, config]).ended;
  assert.equal(got, code, output);
  const fitting = output.split('\n').filter((text) => line.test(text));
  assert.equal(fitting.length, 1, output);
  assert.doesNotMatch(output, /^\s+at /m, 'no stack traces');
}

test('a data directory that cannot be made', async () => {
  const file = join(scratch, 'file');
  writeFileSync(file, '');
  const config = configFile([`dataDir=${join(file, 'data')}`, 'clientPort=0', 'tickTime=2000']);
  await refuses(config, 3, /ENOTDIR|not a directory/);
});

test('a port that somebody has', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, resolve));
  const { port } = holder.address() as AddressInfo;
  const dataDir = join(scratch, 'port-taken');
  const config = configFile([`dataDir=${dataDir}`, `clientPort=${port}`, 'tickTime=2000']);
  try {
    await refuses(config, 1, new RegExp(`another process listens on \\S+${port} already`));
  } finally {
    holder.close();
  }
});

test('a data directory that another server has', async () => {
  const dataDir = join(scratch, 'shared');
  mkdirSync(dataDir);
  const config = configFile([
    `dataDir=${dataDir}`,
    'clientPort=0',
    'admin.enableServer=false',
    'tickTime=2000',
  ]);
  const first = new Running([...server, config]);
  await first.port();
  await refuses(config, 3, /is in use by process \d+/);
  first.child.kill();
  assert.equal((await first.ended).code, 0);
});

test('a disk that fills up: nothing acknowledged is lost', onlyPosix, async () => {
  const dataDir = join(scratch, 'full');
  const config = configFile([
    `dataDir=${dataDir}`,
    'clientPort=0',
    'admin.enableServer=false',
    'tickTime=2000',
    'preAllocSize=16',
  ]);
  // a file of more than 256 KiB cannot be written: as on a full disk, writes fail or fall short
  const limited = `trap '' XFSZ; ulimit -f 256; exec "$@"`;
  const first = new Running(['bash', '-c', limited, 'bash', ...server, config]);
  const client = await TestClient.connect({ host: '127.0.0.1', port: await first.port() });
  let acknowledged = 0;
  try {
    for (; acknowledged < 10_000; acknowledged++) {
      const answer = await client.create(`/n${acknowledged}`, { data: 'x'.repeat(900) });
      assert.equal(answer.err, 0);
    }
  } catch (problem) {
    assert.ok(!(problem instanceof assert.AssertionError), String(problem));
  }
  const { code, output } = await first.ended;
  assert.equal(code, 10, output);
  assert.match(output, /Writing the transaction log failed: .*log\.[0-9a-f]+/);
  assert.ok(acknowledged > 100 && acknowledged < 10_000, String(acknowledged));

  const second = new Running([...server, config]);
  const again = await TestClient.connect({ host: '127.0.0.1', port: await second.port() });
  const { value } = await again.getChildren('/');
  assert.ok(value !== null && value.length >= acknowledged, 'all that was acknowledged is there');
  again.destroy();
  second.child.kill();
  assert.equal((await second.ended).code, 0);
});
