/** `zabra recover` by real processes: an ensemble loses its majority for good, and what is left goes on. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fourLetterWord } from '../support/four-letter.js';
import { freePort, repositoryRoot, temporaryDirectory } from '../support/machine.js';
import { TestClient } from '../support/test-client.js';

const program = join(repositoryRoot, 'bin', 'zabra');
const host = '127.0.0.1';
const timeoutMs = 120_000;

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

class Ensemble {
  readonly folder = temporaryDirectory('recover');
  readonly #ports: number[] = [];
  readonly #children = new Map<number, ChildProcess>();

  static async start(size: number): Promise<Ensemble> {
    const ensemble = new Ensemble();
    const taken = new Set<number>();
    while (taken.size < 3 * size) taken.add(await freePort());
    const ports = [...taken];
    ensemble.#ports.push(...ports.slice(0, size));
    const lines = ensemble.#ports.map((client, index) => {
      const [quorum, election] = [ports[size + index], ports[2 * size + index]];
      return `server.${index + 1}=${host}:${quorum}:${election};${host}:${client}`;
    });
    for (let sid = 1; sid <= size; sid++) {
      const dataDir = ensemble.dataDir(sid);
      mkdirSync(dataDir);
      writeFileSync(join(dataDir, 'myid'), `${sid}\n`);
      const settings = `tickTime=500\ninitLimit=20\nsyncLimit=10\ndataDir=${dataDir}\n`;
      const rest = `admin.enableServer=false\npreAllocSize=64\n${lines.join('\n')}\n`;
      writeFileSync(join(dataDir, 'zoo.cfg'), settings + rest);
      ensemble.run(sid);
    }
    await ensemble.untilServing(...ensemble.#ports.keys());
    return ensemble;
  }

  dataDir(sid: number): string {
    return join(this.folder, String(sid));
  }

  run(sid: number): void {
    const child = spawn(process.execPath, [program, 'server', join(this.dataDir(sid), 'zoo.cfg')], {
      stdio: 'ignore',
    });
    living.add(child);
    this.#children.set(sid, child);
  }

  async kill(...sids: number[]): Promise<void> {
    for (const sid of sids) {
      const child = this.#children.get(sid);
      if (child === undefined) continue;
      this.#children.delete(sid);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      living.delete(child);
    }
  }

  destroy(...sids: number[]): void {
    for (const sid of sids) rmSync(this.dataDir(sid), { recursive: true });
  }

  /** `indexes`: one less than the sids. */
  async untilServing(...indexes: number[]): Promise<void> {
    const deadlineMs = Date.now() + timeoutMs;
    for (const index of indexes) {
      for (;;) {
        const address = { host, port: this.#ports[index] ?? 0 };
        const answer = await fourLetterWord(address, 'srvr').catch(() => '');
        if (/^Mode: (leader|follower)/m.test(answer)) break;
        if (Date.now() > deadlineMs)
          throw new Error(`server ${index + 1} does not serve: ${answer}`);
        await sleep(20);
      }
    }
  }

  /** Tries again: right after an election a server may still turn clients away. */
  async write(sid: number, path: string): Promise<void> {
    await this.#with(sid, async (client) => {
      const { err } = await client.create(path);
      assert.ok(err === 0 || err === -110, `${path}: ${err}`);
    });
  }

  async read(sid: number, path: string): Promise<void> {
    await this.#with(sid, async (client) => {
      await client.sync('/');
      assert.equal((await client.exists(path)).err, 0, path);
    });
  }

  async zxidOf(sid: number): Promise<bigint> {
    const answer = await fourLetterWord({ host, port: this.#ports[sid - 1] ?? 0 }, 'srvr');
    return BigInt(/^Zxid: (\S+)$/m.exec(answer)?.[1] ?? '0');
  }

  async dispose(): Promise<void> {
    await this.kill(...this.#children.keys());
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #with(sid: number, act: (client: TestClient) => Promise<void>): Promise<void> {
    const address = { host, port: this.#ports[sid - 1] ?? 0 };
    for (let tries = 0; ; tries++) {
      try {
        const client = await TestClient.connect(address, { timeoutMs: 10_000 });
        try {
          await act(client);
          return;
        } finally {
          client.destroy();
        }
      } catch (error) {
        if (tries === 50 || error instanceof assert.AssertionError) throw error;
        await sleep(100);
      }
    }
  }
}

function recover(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'recover', ...args], {
    encoding: 'utf8',
    timeout: timeoutMs,
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test('of three servers one is left: it serves alone, with all that it knew', async () => {
  const ensemble = await Ensemble.start(3);
  try {
    for (let index = 0; index < 10; index++) await ensemble.write(2, `/n${index}`);
    await ensemble.kill(1, 2, 3);
    ensemble.destroy(1, 3);
    const said = recover(ensemble.dataDir(2), '--yes');
    assert.match(said, /It serves alone until it has company/);
    ensemble.run(2);
    await ensemble.untilServing(1);
    for (let index = 0; index < 10; index++) await ensemble.read(2, `/n${index}`);
    await ensemble.write(2, '/after');
    // no transaction of the lost ones can have its zxid
    assert.ok((await ensemble.zxidOf(2)) >> 32n > 1000n);
    await ensemble.kill(2);
    ensemble.run(2);
    await ensemble.untilServing(1);
    await ensemble.read(2, '/after');
  } finally {
    await ensemble.dispose();
  }
});

test('of five servers two are left, with different histories: both go on with the newer one', async () => {
  const ensemble = await Ensemble.start(5);
  try {
    await ensemble.write(1, '/known-to-all');
    await ensemble.kill(5);
    await ensemble.write(2, '/after-the-fifth');
    // server 5 has the highest number, and its history is the older one
    await ensemble.kill(1, 2, 3, 4);
    ensemble.destroy(1, 3, 4);
    const places = [ensemble.dataDir(2), ensemble.dataDir(5)];
    assert.match(recover(...places, '--show'), /^5 .*(behind|of an older epoch)/m);
    assert.match(recover(...places, '--yes'), /newest history left is that of server 2/);
    ensemble.run(2);
    ensemble.run(5);
    await ensemble.untilServing(1, 4);
    for (const sid of [2, 5]) {
      await ensemble.read(sid, '/known-to-all');
      await ensemble.read(sid, '/after-the-fifth');
    }
    await ensemble.write(5, '/after');
    await ensemble.read(2, '/after');
  } finally {
    await ensemble.dispose();
  }
});
