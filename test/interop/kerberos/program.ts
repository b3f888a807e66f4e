/** Our client in a process of its own: connects as it is told, then a line answers each line. */
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, gssapi, type Acl, type ClientOptions } from 'zabra/client';
import type { Task } from './user.js';

const task = JSON.parse(process.argv[2] ?? '') as Task;

function optionsOf({ sasl, sessionTimeoutMs = 20_000 }: Task): ClientOptions {
  if (sasl === null) return { sessionTimeoutMs };
  return { sessionTimeoutMs, sasl: 'gssapi' in sasl ? gssapi(sasl.gssapi) : sasl };
}

function aclOf(who: string): Acl[] {
  const [scheme = '', id = ''] = who.split(':');
  return [{ perms: 31, scheme, id }];
}

/** An error with what it is due to, each as `name: message`. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, message, cause } = error;
  const all = `${name}: ${message}${cause === undefined ? '' : ` <- ${told(cause)}`}`;
  return all.replaceAll('\n', ' ');
}

const zk = new Client(task.hosts, optionsOf(task));
let refusals = 0;
let wake: () => void = () => undefined;
zk.on('auth', () => {
  refusals++;
  wake();
});
zk.on('state', () => {
  wake();
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise<void>((resolve) => (wake = resolve));
}

const commands: Readonly<Record<string, (path: string, acl: string) => Promise<string>>> = {
  who: async () => {
    const all = (await zk.whoAmI()).map(({ scheme, id }) => `${scheme}:${id}`);
    // Apache's are in no order
    return all.sort().join(' ');
  },
  create: async (path, acl) => {
    await zk.create(path, path, { acl: aclOf(acl) });
    const set = await zk.getACL(path);
    return set.acl.map(({ scheme, id }) => `${scheme}:${id}`).join();
  },
  get: async (path) => (await zk.getData(path)).data.toString(),
  session: () => Promise.resolve(zk.sessionId.toString(16)),
  suspended: async () => {
    await until(() => zk.state === 'suspended');
    return 'suspended';
  },
  refused: async () => {
    const before = refusals;
    await until(() => refusals > before);
    return zk.state;
  },
  /** Are threads left for files when more clients log in than the process has threads? */
  crowd: async () => {
    const crowd = Array.from({ length: 8 }, () => new Client(task.hosts, optionsOf(task)));
    for (const one of crowd) one.connect().catch(() => undefined);
    // all of them are at the KDC by then, or wait for their turn
    await sleep(2_000);
    const beforeMs = Date.now();
    await stat('.');
    const tookMs = Date.now() - beforeMs;
    await Promise.all(crowd.map((one) => one.close()));
    return tookMs < 2_000 ? 'free' : `held up for ${tookMs} ms`;
  },
  connected: async () => {
    await until(() => zk.state === 'connected');
    return 'connected';
  },
};

const startedMs = Date.now();
try {
  await zk.connect();
  console.log('connected');
} catch (error) {
  console.log(`${told(error)} after ${Date.now() - startedMs} ms, refused ${refusals} times`);
}
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', path = '', acl = ''] = line.split(' ');
  try {
    console.log((await commands[name]?.(path, acl)) ?? 'no such command');
  } catch (error) {
    console.log(told(error));
  }
}
await zk.close();
