/** `zabra up` by real processes: the one that a person starts, and those that it starts. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import type { Address } from '../support/four-letter.js';
import { repositoryRoot, temporaryDirectory } from '../support/machine.js';
import { TestClient } from '../support/test-client.js';

const timeoutMs = 120_000;

async function until<T>(what: string, look: () => T | null | Promise<T | null>): Promise<T> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}

/** Children do not outlive us, however we end. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

class Up {
  readonly #child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly #folder: string;
  #out = '';

  constructor(folder: string, ...args: string[]) {
    this.#folder = folder;
    const program = join(repositoryRoot, 'bin', 'zabra');
    this.#child = spawn(
      process.execPath,
      [program, 'up', '--data', folder, '--port', '0', ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    living.add(this.#child);
    const add = (chunk: Buffer): void => void (this.#out += chunk.toString());
    this.#child.stdout?.on('data', add);
    this.#child.stderr?.on('data', add);
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code) => {
        living.delete(this.#child);
        resolve(code);
      });
    });
  }

  /** The first place where it said so, from `from` on. */
  async says(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    try {
      return await until(String(pattern), () => pattern.exec(this.#out.slice(from)));
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#out}`);
    }
  }

  get saidChars(): number {
    return this.#out.length;
  }

  /** Where clients are to go. */
  async addresses(): Promise<Address[]> {
    return addressesIn(await this.says(/^connect to (\S+)$/m));
  }

  /** The servers' addresses, in the order of their numbers. */
  async servers(): Promise<Address[]> {
    return addressesIn(await this.says(/^servers behind the balancers: (\S+)$/m));
  }

  pidOf(sid: number): number {
    const file = join(this.#folder, String(sid), 'version-2', '.lock');
    return Number(readFileSync(file, 'utf8'));
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return await this.exited;
  }
}

function addressesIn([, text = '']: RegExpExecArray): Address[] {
  return text.split(',').map((one) => {
    const [host = '', port] = one.split(':');
    return { host, port: Number(port) };
  });
}

function zabra(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(repositoryRoot, 'bin', 'zabra');
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', timeout: timeoutMs });
}

async function listens(address: Address): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(address.port, address.host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

/** While servers elect, connections are refused and end: as every client, it tries again. */
async function insist<T>(address: Address, ask: (client: TestClient) => Promise<T>): Promise<T> {
  let problem: unknown;
  const answer = async (): Promise<T | null> => {
    try {
      const client = await TestClient.connect(address, { timeoutMs: 10_000 });
      try {
        return await ask(client);
      } finally {
        client.destroy();
      }
    } catch (error) {
      problem = error;
      return null;
    }
  };
  try {
    return await until(`an answer of port ${address.port}`, answer);
  } catch (error) {
    throw new Error((error as Error).message, { cause: problem });
  }
}

async function write(address: Address, path: string): Promise<void> {
  // the answer to an earlier try may have been lost
  const err = await insist(address, async (client) => (await client.create(path)).err);
  assert.ok(err === 0 || err === -110, `${path}: ${err}`);
}

async function read(address: Address, path: string): Promise<void> {
  const err = await insist(address, async (client) => {
    await client.sync('/');
    return (await client.exists(path)).err;
  });
  assert.equal(err, 0, path);
}

test('one server grows into three that outlive the death of any one', async () => {
  const folder = temporaryDirectory('up');
  try {
    const one = new Up(folder, '--servers', '1');
    const [alone] = await one.addresses();
    assert.ok(alone);
    await write(alone, '/from-one');
    assert.equal(await one.end('SIGINT'), 0);

    // as `npm start`
    const up = new Up(folder);
    const servers = await up.servers();
    assert.equal(servers.length, 3);
    const balancers = await up.addresses();
    assert.equal(balancers.length, 2);
    for (const balancer of balancers) await read(balancer, '/from-one');
    const leader = Number((await up.says(/server (\d) leads/))[1]);
    const others = servers.filter((_, index) => index + 1 !== leader);
    const [first, second] = others;
    const ledBefore = servers[leader - 1];
    assert.ok(first && second && ledBefore);
    for (const server of servers) await read(server, '/from-one');
    await write(first, '/through-a-follower');
    await read(second, '/through-a-follower');

    const before = up.saidChars;
    process.kill(up.pidOf(leader), 'SIGKILL');
    await up.says(new RegExp(`server ${leader} died \\(SIGKILL\\): it starts again`), before);
    await up.says(/server \d leads/, before);
    await write(second, '/after-the-leader');
    await read(first, '/after-the-leader');
    await up.says(new RegExp(`server ${leader} is back and `), before);
    await read(ledBefore, '/after-the-leader');
    assert.equal(await up.end('SIGINT'), 0);
    await up.says(/stopped\n$/);

    // without a number: as many as there were
    const again = new Up(folder);
    const orphans = [...(await again.servers()), ...(await again.addresses())];
    for (const server of orphans) await read(server, '/after-the-leader');
    await again.end('SIGKILL');
    await until('no server without its `up`', async () => {
      const alive = await Promise.all(orphans.map(listens));
      return alive.includes(true) ? null : true;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
});

test('any of them may be killed again and again', async () => {
  const folder = temporaryDirectory('up');
  try {
    const up = new Up(folder);
    const servers = await up.servers();
    await up.says(/^ready after \d+\.\d s, server \d leads$/m);
    for (const [index, sid] of [1, 2, 3, 3, 2, 1].entries()) {
      const server = servers[sid - 1];
      assert.ok(server);
      await write(server, `/before-${index}`);
      const before = up.saidChars;
      process.kill(up.pidOf(sid), 'SIGKILL');
      // at once, however often: it had served
      await up.says(
        new RegExp(`^server ${sid} died \\(SIGKILL\\): .* again in 0\\.25 s$`, 'm'),
        before,
      );
      await up.says(new RegExp(`^server ${sid} is back and (leads|follows)$`, 'm'), before);
      await read(server, `/before-${index}`);
    }
    // even with nothing left: the others have everything
    const before = up.saidChars;
    const last = up.pidOf(2);
    rmSync(join(folder, '2'), { recursive: true });
    process.kill(last, 'SIGKILL');
    await up.says(/^server 2 is back and follows$/m, before);
    const [, second] = servers;
    assert.ok(second);
    await read(second, '/before-5');
    const { status, stdout } = zabra('up', 'status', '--data', folder);
    assert.equal(status, 0, stdout);
    const rows = stdout.split('\n').filter((line) => /^[123] /.test(line));
    assert.deepEqual(
      rows.map((row) => row.split(/ {2,}/)[7]),
      ['2', '3', '2'],
      stdout,
    );
    assert.equal(await up.end('SIGTERM'), 0);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
});

test('a client notices nothing while each server is killed in turn, and a balancer is started again', async () => {
  const folder = temporaryDirectory('up');
  try {
    const up = new Up(folder);
    await up.says(/^ready after /m);
    const [first] = await up.addresses();
    assert.ok(first);
    const client = new Client(`${first.host}:${first.port}`);
    const states: string[] = [];
    client.on('state', (state) => states.push(state));
    await client.connect();
    await client.create('/counted');
    let version = 0;
    for (const sid of [1, 2, 3]) {
      const before = up.saidChars;
      process.kill(up.pidOf(sid), 'SIGKILL');
      await up.says(new RegExp(`^server ${sid} died`, 'm'), before);
      for (let i = 0; i < 20; i++) {
        assert.equal((await client.setData('/counted', '')).version, ++version);
      }
      await up.says(new RegExp(`^server ${sid} is back and (leads|follows)$`, 'm'), before);
    }
    assert.deepEqual(states, ['connected']);
    const { stdout } = zabra('up', 'status', '--data', folder);
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
    const balancer = rows.find(([name]) => name === 'b1');
    assert.equal(balancer?.[2], 'balancer', stdout);
    const before = up.saidChars;
    process.kill(Number(balancer[8]), 'SIGKILL');
    await up.says(/^balancer 1 died \(SIGKILL\): it starts again in 0\.25 s$/m, before);
    await until('the session is there again', () => (states.length >= 3 ? true : null));
    assert.deepEqual(states, ['connected', 'suspended', 'connected']);
    assert.equal((await client.setData('/counted', '')).version, ++version);
    await client.close();
    assert.equal(await up.end('SIGINT'), 0);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
});

test('from another terminal: its status, its AdminServers, its end', async () => {
  const folder = temporaryDirectory('up');
  try {
    const up = new Up(folder);
    await up.says(/^ready after /m);
    const status = zabra('up', 'status', '--data', folder);
    assert.equal(status.status, 0, status.stdout);
    const connect = /^connect to \S+$/m;
    assert.equal(connect.exec(status.stdout)?.[0], (await up.says(connect))[0]);
    const [, ports = ''] = await up.says(/^AdminServer: .* ports (.*)$/m);
    for (const port of ports.split(', ')) {
      const response = await fetch(`http://127.0.0.1:${port}/commands/ruok`);
      assert.equal(response.status, 200);
    }
    assert.equal(ports.split(', ').length, 3);
    const stopped = zabra('up', 'stop', '--data', folder);
    assert.deepEqual([stopped.status, stopped.stdout], [0, 'stopped\n'], stopped.stderr);
    assert.equal(await up.exited, 0);
    assert.equal(zabra('up', 'status', '--data', folder).status, 1);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
});

test('one folder is of one `up` at a time', async () => {
  const folder = temporaryDirectory('up');
  try {
    const up = new Up(folder);
    await up.addresses();
    const refused = new Up(folder, '--fresh');
    await refused.says(/is using .*: --data names another folder/);
    assert.equal(await refused.exited, 2);
    assert.equal(await up.end('SIGTERM'), 0);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
});
