/**
 * Shared values, caches and nodes that stay against a real server, with every fault at every step.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { OutcomeUnknownError, type Client } from 'zabra/client';
import {
  NodeCache,
  PersistentNode,
  SharedValue,
  TreeCache,
  TtlNode,
  type CachedNode,
} from 'zabra/recipes';
import { TestServer } from 'zabra/testing';
import { faults } from '../support/faulty-client.js';
import { patiently, RecipeBench } from '../support/recipe-bench.js';
import { insist, withFaults } from '../support/recipe-faults.js';

let bench: RecipeBench;
let zk: Client;
let other: Client;

before(async () => {
  bench = await RecipeBench.start();
  zk = bench.zk;
  other = await bench.connect();
});
after(() => bench[Symbol.asyncDispose]());

const until = (isSo: () => boolean | Promise<boolean>): Promise<void> => bench.until(isSo);

const dataOf = (path: string): Promise<string> => bench.dataOf(path);

describe('shared value', () => {
  it('is changed by one at a time, and told to all', async () => {
    const value = new SharedValue(zk, '/value', { initial: '0' });
    const seen: string[] = [];
    value.on('change', ({ value: now }) => seen.push(now.toString()));
    const first = await value.start();
    assert.deepEqual([first.value.toString(), first.version], ['0', 0]);
    const second = new SharedValue(other, '/value');
    const next = await second.compareAndSet(first, '1');
    assert.ok(next !== null && next.version === 1 && next.zxid > first.zxid);
    assert.equal(await value.compareAndSet(first, '2'), null);
    await Promise.all(
      [value, second, value, second].map((one) =>
        one.update((now) => String(Number(now.toString()) + 1)),
      ),
    );
    await until(() => value.current?.value.toString() === '5');
    assert.deepEqual(seen, [...seen].sort());
    assert.equal(seen.at(-1), '5');
    await value.set('x');
    assert.equal((await second.get()).value.toString(), 'x');
    await value.close();
  });

  it('is an iterator of what it becomes', async () => {
    const value = new SharedValue(zk, '/value-changes', { initial: 'a' });
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const { value: now } of value.changes({ signal: stop.signal })) {
      seen.push(now.toString());
      if (seen.length === 3) stop.abort();
      else await new SharedValue(other, '/value-changes').set(`${now.toString()}+`);
    }
    assert.deepEqual(seen, ['a', 'a+', 'a++']);
    await value.close();
  });

  for (const exactlyOnce of [true, false]) {
    for (const fault of faults) {
      it(`adds once with "${fault}"${exactlyOnce ? ', by a mark' : ''}`, () =>
        withFaults(bench, fault, `value-${exactlyOnce}`, async (client, path, at) => {
          const value = new SharedValue(client, path, { initial: '0', exactlyOnce });
          let unknown = 0;
          for (let i = 0; i < 3; i++) {
            await value
              .update((now) => String(Number(now.toString()) + 1))
              .catch((problem: unknown) => {
                assert.ok(problem instanceof OutcomeUnknownError);
                assert.ok(!exactlyOnce || fault.startsWith('expire'));
                unknown++;
              });
          }
          const sum = Number(await dataOf(path));
          assert.ok(sum <= 3 && sum >= 3 - unknown, `${at}: ${sum}, ${unknown} unknown`);
        }));
    }
  }
});

describe('node cache', () => {
  it('follows one znode through everything', async () => {
    const cache = new NodeCache(zk, '/node');
    const seen: (string | null)[] = [];
    cache.on('change', (node) => seen.push(node === null ? null : node.data.toString()));
    assert.deepEqual([cache.current], [undefined]);
    assert.equal(await cache.start(), null);
    const became = (data: string | null): Promise<void> =>
      until(() => seen.at(-1) === data && (cache.current?.data.toString() ?? null) === data);
    await other.create('/node', 'a');
    await became('a');
    await other.setData('/node', 'b');
    await became('b');
    await other.delete('/node');
    await became(null);
    await other.create('/node', 'c');
    await became('c');
    bench.server.expireSession(zk.sessionId);
    await insist(() => other.setData('/node', 'd'));
    await became('d');
    bench.server.dropConnections();
    await insist(() => other.setData('/node', 'e'));
    await became('e');
    assert.deepEqual(seen, ['a', 'b', null, 'c', 'd', 'e']);
    cache.close();
    await other.setData('/node', 'f');
    await bench.settle();
    assert.equal(cache.current?.data.toString(), 'e');
  });

  it('tells what may not be read', async () => {
    const acl = [{ perms: 2, scheme: 'world', id: 'anyone' }];
    await zk.create('/unreadable', '', { acl });
    await assert.rejects(new NodeCache(zk, '/unreadable').start(), { codeName: 'NOAUTH' });
  });

  for (const fault of faults) {
    it(`comes to what is there with "${fault}" at any request`, () =>
      withFaults(bench, fault, 'node-cache', async (client, path) => {
        const cache = new NodeCache(client, path);
        await cache.start();
        for (const data of ['a', 'b', 'c']) {
          if (data === 'a')
            await insist(() => zk.create(path, data, { makePath: true }).catch(ignoreExisting));
          else await insist(() => zk.setData(path, data));
          await until(() => cache.current?.data.toString() === data);
        }
        cache.close();
      }));
  }
});

/** What a cache holds, by path. */
function contents(cache: Iterable<CachedNode>): Record<string, string> {
  const nodes = [...cache].sort((a, b) => (a.path < b.path ? -1 : 1));
  return Object.fromEntries(nodes.map(({ path, data }) => [path, data.toString()]));
}

/** What is there, by path. */
async function tree(path: string, into: Record<string, string> = {}): Promise<typeof into> {
  try {
    const { data } = await patiently(() => zk.getData(path));
    into[path] = data.toString();
    const { children } = await patiently(() => zk.getChildren(path));
    for (const child of children.sort()) await tree(`${path}/${child}`, into);
  } catch (problem) {
    if ((problem as { codeName?: string }).codeName !== 'NONODE') throw problem;
  }
  return into;
}

describe('tree cache', () => {
  it('holds the tree, and tells what becomes of it in order', async () => {
    await zk.create('/tree/a/b', '1', { makePath: true });
    await zk.create('/tree/c', '2');
    const cache = new TreeCache(zk, '/tree');
    const log: string[] = [];
    cache.on('added', ({ path }) => log.push(`+${path}`));
    cache.on('changed', ({ path, data }, previous) =>
      log.push(`${path} ${previous.data.toString()}>${data.toString()}`),
    );
    cache.on('removed', ({ path }) => log.push(`-${path}`));
    cache.on('initialized', () => log.push('initialized'));
    await cache.start();
    assert.equal(log.pop(), 'initialized');
    assert.deepEqual(log.splice(0), ['+/tree', '+/tree/a', '+/tree/a/b', '+/tree/c']);
    assert.deepEqual([...cache.children('/tree').keys()].sort(), ['a', 'c']);
    await other.setData('/tree/c', '3');
    await until(() => log.length === 1);
    await other.create('/tree/d');
    await other.delete('/tree/a/b');
    await other.delete('/tree/a');
    await until(() => log.length === 4);
    assert.deepEqual(log.splice(0), ['/tree/c 2>3', '+/tree/d', '-/tree/a/b', '-/tree/a']);
    assert.equal(cache.size, 3);
    assert.equal(cache.get('/tree/c')?.data.toString(), '3');
    bench.server.expireSession(zk.sessionId);
    await insist(() => other.delete('/tree/c').catch(ignoreMissing));
    await until(() => cache.size === 2);
    assert.deepEqual(log, ['-/tree/c']);
    cache.close();
  });

  it('is initialized with nothing where nothing is', async () => {
    const cache = new TreeCache(zk, '/nothing', { data: false });
    await cache.start({ timeoutMs: 60_000 });
    assert.equal(cache.size, 0);
    await other.create('/nothing/at/all', 'x', { makePath: true });
    await until(() => cache.size === 3);
    assert.equal(cache.get('/nothing/at/all')?.data.length, 0);
    await other.delete('/nothing', { recursive: true });
    await until(() => cache.size === 0);
    cache.close();
  });

  it('reads thousands, and gives up when it is told to', async () => {
    const transaction = zk.transaction().create('/thousands');
    for (let i = 0; i < 2000; i++) transaction.create(`/thousands/${i}`, String(i));
    await transaction.commit();
    const cache = new TreeCache(zk, '/thousands');
    await cache.start();
    assert.equal(cache.size, 2001);
    assert.equal(cache.get('/thousands/1999')?.data.toString(), '1999');
    cache.close();
    const late = new TreeCache(zk, '/thousands');
    await assert.rejects(late.start({ signal: AbortSignal.abort(new Error('no')) }), /no/);
    late.close();
  });

  for (const fault of faults) {
    it(`comes to what is there with "${fault}" while it changes`, () =>
      withFaults(bench, fault, 'tree-cache', async (client, path, at) => {
        await insist(() => zk.create(path, 'r', { makePath: true }).catch(ignoreExisting));
        const cache = new TreeCache(client, path);
        const starting = cache.start();
        const zxids = new Map<string, bigint>();
        const check = ({ path: at, stat }: CachedNode): void => {
          assert.ok(stat.mzxid >= (zxids.get(at) ?? 0n), `${at} goes back`);
          zxids.set(at, stat.mzxid);
        };
        cache.on('added', check);
        cache.on('changed', check);
        for (let i = 0; i < 4; i++) {
          await insist(() => zk.create(`${path}/${i}`).catch(ignoreExisting));
          await insist(() => zk.setData(`${path}/${i}`, String(i)));
        }
        await insist(() => zk.delete(`${path}/2`).catch(ignoreMissing));
        await starting;
        const there = await tree(path);
        await until(() => sameContents(contents(cache), there));
        assert.deepEqual(contents(cache), there, `${at}`);
        cache.close();
      }));
  }
});

function sameContents(a: Record<string, string>, b: Record<string, string>): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function ignoreExisting(problem: unknown): void {
  if ((problem as { codeName?: string }).codeName !== 'NODEEXISTS') throw problem as Error;
}

function ignoreMissing(problem: unknown): void {
  if ((problem as { codeName?: string }).codeName !== 'NONODE') throw problem as Error;
}

describe('persistent node', () => {
  for (const mode of [
    'ephemeral',
    'persistent',
    'container',
    'ephemeral-sequential',
    'persistent-sequential',
  ] as const) {
    it(`stays, whoever deletes it and whatever becomes of sessions (${mode})`, async () => {
      const client = await bench.connect();
      const node = new PersistentNode(client, `/stays/${mode}/n`, { mode, data: 'x' });
      const path = await node.start();
      assert.equal(await dataOf(path), 'x');
      if (mode.endsWith('sequential')) assert.match(path, /\/_c_[0-9a-f-]{36}-n\d{10}$/);
      const isThere = async (): Promise<boolean> =>
        node.isUp && (await patiently(() => zk.exists(path))) !== null;
      await zk.delete(path);
      await until(isThere);
      const { sessionId } = client;
      bench.server.expireSession(sessionId);
      await until(() => client.sessionId !== sessionId);
      await until(isThere);
      const stat = await patiently(() => zk.exists(path));
      assert.equal(stat?.ephemeralOwner, mode.startsWith('ephemeral') ? client.sessionId : 0n);
      await node.setData('y');
      assert.equal(await dataOf(path), 'y');
      await zk.delete(path);
      await until(isThere);
      assert.equal(await dataOf(path), 'y');
      assert.equal((await bench.children(`/stays/${mode}`)).length, 1);
      await node.close();
      assert.deepEqual(await bench.children(`/stays/${mode}`), []);
      await client.close();
    });
  }

  it('takes over what is there, and waits for what others have', async () => {
    await zk.create('/taken-over', 'old');
    const node = new PersistentNode(zk, '/taken-over', {
      mode: 'persistent',
      data: 'new',
      keep: true,
    });
    await node.start();
    assert.equal(await dataOf('/taken-over'), 'new');
    await node.close();
    assert.equal(await dataOf('/taken-over'), 'new');
    await other.create('/theirs', 'a', { mode: 'ephemeral' });
    const ours = new PersistentNode(zk, '/theirs', { data: 'b' });
    const starting = ours.start();
    await bench.settle();
    assert.equal(await dataOf('/theirs'), 'a');
    await other.delete('/theirs');
    await starting;
    assert.equal(await dataOf('/theirs'), 'b');
    await ours.close();
  });

  for (const mode of ['ephemeral', 'ephemeral-sequential', 'persistent-sequential'] as const) {
    for (const fault of faults) {
      it(`is there once with "${fault}" at any request (${mode})`, () =>
        withFaults(bench, fault, `persistent-${mode}`, async (client, path, at) => {
          const node = new PersistentNode(client, `${path}/n`, { mode, data: 'x' });
          await node.start();
          await until(async () => node.isUp && (await bench.children(path)).length === 1);
          assert.equal(await dataOf(node.path ?? ''), 'x');
          await node.close();
          assert.deepEqual(await bench.children(path), [], `${at}`);
        }));
    }
  }
});

describe('ttl node', () => {
  it('is touched as long as somebody looks after it', async () => {
    const server = await TestServer.start({ settings: { extendedTypesEnabled: true } });
    const { Client } = await import('zabra/client');
    const client = await new Client(server.connectString).connect();
    const node = new TtlNode(client, '/ttl', { ttlMs: 400, data: 'x' });
    await node.start();
    const first = await patiently(async () => {
      for (;;) {
        const stat = await client.exists('/ttl/touch');
        if (stat !== null) return stat;
      }
    });
    for (;;) {
      const stat = await client.exists('/ttl/touch');
      if (stat !== null && stat.mzxid > first.mzxid) break;
    }
    await node.setData('y');
    assert.equal((await client.getData('/ttl')).data.toString(), 'y');
    await node.close();
    assert.notEqual(await client.exists('/ttl'), null);
    await client.close();
    await server.stop();
  });
});
