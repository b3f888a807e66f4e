import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLogger } from '../ports/logger.js';
import {
  startControl,
  startMetrics,
  type Controllable,
  type HttpPort,
} from './balancer-control.js';
import {
  controlDirectory,
  findControlFiles,
  readControlFile,
  removeControlFile,
  removeDeadControlFiles,
  writeControlFile,
} from './control-file.js';

const ports: HttpPort[] = [];
const folder = mkdtempSync(join(tmpdir(), 'zabra-control-'));
after(async () => {
  await Promise.all(ports.map((port) => port.close()));
  rmSync(folder, { recursive: true });
});

const calls: string[] = [];
class ControlError extends Error {
  override readonly name = 'ControlError';
}
const balancer: Controllable = {
  status: () => ({ version: 'x' }),
  metricsText: () => '# HELP a\n',
  drain: (server, { force }) => {
    if (server !== 'a:1') throw new ControlError(`there is no server ${server}`);
    calls.push(`drain ${server} ${force}`);
  },
  undrain: (server) => void calls.push(`undrain ${server}`),
  wake: (server) => void calls.push(`wake ${server}`),
  sleep: (server) => void calls.push(`sleep ${server}`),
  setWeight: (server, weight) => void calls.push(`weight ${server} ${weight}`),
};

async function ask(
  port: HttpPort,
  path: string,
  body?: unknown,
  token = 'secret',
): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port.port}${path}`, {
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

async function control(): Promise<HttpPort> {
  const at = { host: '127.0.0.1', port: 0, token: 'secret' };
  const port = await startControl(balancer, at, silentLogger);
  ports.push(port);
  return port;
}

test('who shows the token may look and steer', async () => {
  const port = await control();
  assert.deepEqual(await ask(port, '/status'), { status: 200, text: '{"version":"x"}\n' });
  assert.equal((await ask(port, '/metrics')).text, '# HELP a\n');
  for (const [path, more] of [
    ['/drain', { force: true }],
    ['/undrain', {}],
    ['/wake', {}],
    ['/sleep', {}],
    ['/weight', { weight: 2.5 }],
  ] as const) {
    assert.equal((await ask(port, path, { server: 'a:1', ...more })).status, 200, path);
  }
  assert.deepEqual(calls.splice(0), [
    'drain a:1 true',
    'undrain a:1',
    'wake a:1',
    'sleep a:1',
    'weight a:1 2.5',
  ]);
});

test('nobody else may do anything', async () => {
  const port = await control();
  for (const token of ['', 'secreT', 'secretsecret']) {
    assert.equal((await ask(port, '/status', undefined, token)).status, 401);
    assert.equal((await ask(port, '/drain', { server: 'a:1' }, token)).status, 401);
  }
  assert.equal((await fetch(`http://127.0.0.1:${port.port}/metrics`)).status, 401);
  assert.deepEqual(calls, []);
});

test('what cannot be done is told in a sentence', async () => {
  const port = await control();
  const unknown = await ask(port, '/drain', { server: 'b:1' });
  assert.deepEqual(unknown, { status: 409, text: '{"error":"there is no server b:1"}\n' });
  assert.equal((await ask(port, '/weight', { server: 'a:1', weight: -1 })).status, 400);
  assert.equal((await ask(port, '/drain', {})).status, 400);
  assert.equal((await ask(port, '/drain', { server: 'x'.repeat(10_000) })).status, 400);
  assert.equal((await ask(port, '/nothing', { server: 'a:1' })).status, 404);
  assert.equal((await ask(port, '/nothing')).status, 404);
});

test('a port for metrics has nothing else', async () => {
  const port = await startMetrics(balancer, { host: '127.0.0.1', port: 0 });
  ports.push(port);
  assert.equal((await fetch(`http://127.0.0.1:${port.port}/metrics`)).status, 200);
  assert.equal((await ask(port, '/status')).status, 404);
  assert.equal((await ask(port, '/drain', { server: 'a:1' })).status, 404);
});

test('a control file is for its owner, and found as long as its process lives', () => {
  const place = { host: '127.0.0.1', port: 1, token: 't', pid: process.pid, listen: ['h:1'] };
  const file = join(folder, 'balance-2181.json');
  writeFileSync(file, 'left behind');
  chmodSync(file, 0o644);
  writeControlFile(file, place);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readControlFile(file), place);
  // no process has this number
  writeControlFile(join(folder, 'balance-1.json'), { ...place, pid: 2 ** 22 + 1 });
  writeFileSync(join(folder, 'balance-2.json'), '{}');
  assert.deepEqual(findControlFiles(folder), [{ file, place }]);
  removeDeadControlFiles(folder);
  assert.deepEqual(readdirSync(folder).sort(), ['balance-2.json', 'balance-2181.json']);
  removeControlFile(file);
  assert.deepEqual(findControlFiles(folder), []);
});

test('a folder that others can read is not used', () => {
  const runtime = join(folder, 'runtime');
  const env = { XDG_RUNTIME_DIR: runtime };
  const directory = controlDirectory(env);
  assert.equal(directory, join(runtime, 'zabra'));
  chmodSync(directory, 0o755);
  assert.throws(() => controlDirectory(env), /not this user's alone/);
});
