/**
 * Discovery with real processes: this file, started again with ROLE=instance, is an HTTP server that
 * registers itself and is killed as kill -9 does.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import { FileInstanceStore, LoadBalancer, undiciBalance, ZkRegistry } from 'zabra/discovery';
import type { UndiciDispatch, UndiciHandler, UndiciOptions } from 'zabra/discovery';
import { TestServer } from 'zabra/testing';

const options = { sessionTimeoutMs: 4_000, backoff: { minMs: 20, maxMs: 200 } };
const settings = { tickTimeMs: 500 };

async function serve(connectString: string): Promise<void> {
  const server = createServer((_, response) => {
    response.end(String(process.pid));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const zk = await new Client(connectString, options).connect();
  const spec = { service: 'web', host: '127.0.0.1', port, metadata: { pid: String(process.pid) } };
  await new ZkRegistry(zk).register(spec);
  process.send?.('registered');
  // whoever started it has gone: nobody would ever kill it
  process.once('disconnect', () => process.exit(0));
}

class Fleet {
  readonly children: ChildProcess[] = [];
  readonly #connectString: string;

  constructor(connectString: string) {
    this.#connectString = connectString;
  }

  async grow(count: number): Promise<void> {
    const fresh = Array.from({ length: count }, () =>
      spawn(process.execPath, [import.meta.filename], {
        env: { ...process.env, ROLE: 'instance', CONNECT: this.#connectString },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    );
    this.children.push(...fresh);
    await Promise.all(fresh.map((child) => once(child, 'message')));
  }

  async kill(child: ChildProcess | undefined): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => this.kill(child)));
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 12_000; i++) {
    if (holds()) return;
    await sleep(10);
  }
  assert.fail(`in vain: ${what}`);
}

async function withFleet(
  count: number,
  body: (world: { server: TestServer; fleet: Fleet; zk: Client }) => Promise<void>,
): Promise<void> {
  const server = await TestServer.start({ settings });
  const fleet = new Fleet(server.connectString);
  const zk = await new Client(server.connectString, options).connect();
  try {
    await fleet.grow(count);
    await body({ server, fleet, zk });
  } finally {
    await fleet.stop();
    await zk.close();
    await server.stop();
  }
}

/** What undici gives to `fetch` as its dispatcher, of the copy that Node itself has. */
interface Dispatcher {
  dispatch: UndiciDispatch<UndiciOptions>;
}

async function ownDispatcher(): Promise<Dispatcher> {
  await fetch('data:,'); // makes Node load it
  const found: unknown = Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1'));
  return found as Dispatcher;
}

function main(): void {
  test('an instance is killed: no request sees it, and its znode goes', async () => {
    await withFleet(3, async ({ fleet, zk }) => {
      const lb = new LoadBalancer({ registry: new ZkRegistry(zk), service: 'web' });
      const answered = new Set<string>();
      let isOver = false;
      const asking = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          const response = await lb.fetch('http://web/');
          assert.equal(response.status, 200);
          answered.add(await response.text());
        }
      });
      await until('all three answer', () => answered.size === 3);
      const [victim] = fleet.children;
      await fleet.kill(victim);
      await until('its znode is gone', () => lb.instances.length === 2);
      answered.clear();
      await until('the others answer', () => answered.size === 2);
      assert.equal(answered.has(String(victim?.pid)), false);
      await fleet.grow(1);
      await until('a new one answers', () => answered.size === 3);
      isOver = true;
      await Promise.all(asking);
      await lb.close();
    });
  });

  test("undici's dispatcher goes to the instances, past one that was killed", async () => {
    await withFleet(2, async ({ fleet, zk }) => {
      const registry = new ZkRegistry(zk);
      const lb = new LoadBalancer({ registry, service: 'web', policy: 'round-robin' });
      const own = await ownDispatcher();
      const dispatch = undiciBalance<UndiciOptions>(lb)(
        (to: UndiciOptions, handler: UndiciHandler) => own.dispatch(to, handler),
      );
      const dispatcher = { dispatch } as unknown;
      const ask = async (): Promise<string> => {
        const init = { dispatcher } as RequestInit;
        return await (await fetch('http://web/', init)).text();
      };
      const before = new Set<string>();
      for (let i = 0; i < 10; i++) before.add(await ask());
      assert.equal(before.size, 2);
      const [victim] = fleet.children;
      await fleet.kill(victim);
      for (let i = 0; i < 20; i++) assert.notEqual(await ask(), String(victim?.pid));
      const { targets } = lb.status();
      assert.ok(targets.every(({ pending }) => pending === 0));
      await fleet.stop();
      await assert.rejects(ask());
      await lb.close();
    });
  });

  test('a process that starts while the registry is away begins with its last good list', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'zabra-discovery-'));
    try {
      await withFleet(2, async ({ server, zk }) => {
        const store = new FileInstanceStore(directory);
        const registry = new ZkRegistry(zk);
        const first = new LoadBalancer({ registry, service: 'web', store });
        await first.start();
        await until('both', () => first.instances.length === 2);
        await first.close();
        await server.stop();
        const cut = new Client(server.connectString, options);
        const connecting = cut.connect().catch(() => null); // in vain
        const second = new LoadBalancer({
          ...{ registry: new ZkRegistry(cut), service: 'web', store, registryWaitMs: 100 },
        });
        assert.equal((await second.fetch('http://web/')).status, 200);
        await second.close();
        await cut.close();
        await connecting;
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}

const { ROLE, CONNECT } = process.env;
if (ROLE === 'instance' && CONNECT !== undefined) await serve(CONNECT);
else main();
