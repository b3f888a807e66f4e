/** What `zabra init` writes, started as it stands: each server on an address of its own. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fourLetterWord } from '../support/four-letter.js';
import { freePort, repositoryRoot, temporaryDirectory } from '../support/machine.js';
import { TestClient } from '../support/test-client.js';

const program = join(repositoryRoot, 'bin', 'zabra');
const timeoutMs = 120_000;
const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

async function modeOf(host: string, port: number): Promise<string> {
  const answer = await fourLetterWord({ host, port }, 'srvr').catch(() => '');
  return /^Mode: (\w+)$/m.exec(answer)?.[1] ?? 'none';
}

async function untilModes(port: number, wanted: readonly string[]): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const modes = await Promise.all(hosts.map((host) => modeOf(host, port)));
    if (modes.sort().join() === wanted.join()) return;
    if (Date.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${modes.join()}`);
    await sleep(20);
  }
}

function start(dataDir: string): { stop(): Promise<void> } {
  const child = spawn(process.execPath, [program, 'server', join(dataDir, 'zoo.cfg')], {
    stdio: 'ignore',
  });
  living.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      living.delete(child);
      resolve();
    });
  });
  return {
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

test(
  'init: three servers and an observer, from one command, on four addresses',
  { skip: process.platform === 'linux' ? false : 'only Linux listens on all of 127.0.0.0/8' },
  async () => {
    const folder = temporaryDirectory('init');
    const servers: { stop(): Promise<void> }[] = [];
    try {
      const [out, dataDir] = [join(folder, 'out'), join(folder, 'hosts')];
      const port = await freePort();
      const { status, stderr } = spawnSync(process.execPath, [
        ...[program, 'init', '--out', out, '--data-dir', dataDir],
        ...['--server', 'a=127.0.0.1,b=127.0.0.2,c=127.0.0.3', '--observer', 'd=127.0.0.4'],
        ...['--client-port', String(port), '--quorum-port', String(await freePort())],
        ...['--election-port', String(await freePort())],
      ]);
      assert.equal(status, 0, String(stderr));
      cpSync(out, dataDir, { recursive: true });
      const dirs = ['a', 'b', 'c', 'd'].map((name) => join(dataDir, name));
      for (const dir of dirs) servers.push(start(dir));
      await untilModes(port, ['follower', 'follower', 'leader', 'observer']);
      const client = await TestClient.connect({ host: '127.0.0.4', port }, { timeoutMs: 10_000 });
      assert.equal((await client.create('/through-the-observer')).err, 0);
      client.destroy();
      for (const dir of dirs) assert.ok(!existsSync(join(dir, 'initialize')));

      // one that lost its data gets that of the others
      await servers[0]?.stop();
      rmSync(join(dataDir, 'a', 'version-2'), { recursive: true });
      servers[0] = start(join(dataDir, 'a'));
      await untilModes(port, ['follower', 'follower', 'leader', 'observer']);
      const again = await TestClient.connect({ host: '127.0.0.1', port }, { timeoutMs: 10_000 });
      await again.sync('/');
      assert.equal((await again.exists('/through-the-observer')).err, 0);
      again.destroy();
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  },
);
