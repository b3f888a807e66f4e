/** The shell by real processes, as scripts call it: streams, exit codes, pipes that close, signals. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestServer } from 'zabra/testing';
import { repositoryRoot, temporaryDirectory } from '../support/machine.js';

let server: TestServer;
before(async () => {
  server = await TestServer.start();
});
after(async () => {
  await server.stop();
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Nobody reads its output any more. */
  closeOutput(): void;
  untilPrinted(text: string): Promise<void>;
}

function start(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(
    join(repositoryRoot, 'bin', 'zkCli.sh'),
    ['-server', server.connectString, ...args],
    { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ZABRA_HISTORY: '', ...env } },
  );
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, out, err }));
  return {
    ended,
    kill: (signal) => {
      child.kill(signal);
    },
    closeOutput: () => {
      child.stdout.destroy();
    },
    async untilPrinted(text) {
      while (!out.includes(text)) await once(child.stdout, 'data');
    },
  };
}

test('bin/zkCli.sh: data on standard output alone, exit codes for scripts', async () => {
  const results = await Promise.all([
    start(['create', '/script', 'hello']).ended,
    start(['get', '/nosuch']).ended,
    start(['get']).ended,
    start([], 'ls /zookeeper\n').ended,
  ]);
  assert.deepEqual(
    results.map(({ code, out }) => [code, out]),
    [
      [0, ''],
      [1, ''],
      [2, ''],
      [0, '[config, quota]\n'],
    ],
  );
  const { out } = await start(['get', '/script']).ended;
  assert.equal(out, 'hello\n');
});

test('what java.env says of the client reaches it', async () => {
  const folder = temporaryDirectory('shell-env');
  const properties = '-Dzookeeper.client.secure=true -Dzookeeper.ssl.keyStore.location=/nosuch.pem';
  writeFileSync(join(folder, 'java.env'), `CLIENT_JVMFLAGS="${properties}"\n`);
  const { code, err } = await start(['ls', '/'], '', { ZOOCFGDIR: folder }).ended;
  rmSync(folder, { recursive: true });
  assert.equal(code, 2);
  assert.match(err, /zookeeper\.ssl\.keyStore\.location: \/nosuch\.pem cannot be read/);
});

test('a reader that has had enough ends it, without a word', async () => {
  const lines = Array.from({ length: 2000 }, () => 'ls -R /').join('\n');
  const running = start([], lines);
  await running.untilPrinted('/zookeeper');
  running.closeOutput();
  const { code, err } = await running.ended;
  assert.deepEqual([code, err], [0, '']);
});

test('SIGINT ends watch with 0 and its session with it', async () => {
  // who was ended by its reader left its session to expire
  const left = server.sessionIds;
  const running = start(['watch', '-R', '/']);
  const seen = running.untilPrinted('created');
  let isSeen = false;
  void seen.then(() => (isSeen = true));
  for (let round = 0; !isSeen; round++) await start(['create', `/seen-${round}`]).ended;
  running.kill('SIGINT');
  const { code, err } = await running.ended;
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(server.sessionIds, left);
});
