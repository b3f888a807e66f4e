/**
 * The lock against a real server: order, re-entrance, giving up, and above all every fault at every
 * step of acquiring and releasing it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TransactionError, type Client, type ZkClient } from 'zabra/client';
import { Lock, MultiLock, NotHeldError, WaitTimeoutError, type Hold } from 'zabra/recipes';
import type { TestServer } from 'zabra/testing';
import { faults, faultyClient } from '../support/faulty-client.js';
import { aborted, patiently, RecipeBench } from '../support/recipe-bench.js';

let bench: RecipeBench;
let server: TestServer;
let zk: Client;
let other: Client;

before(async () => {
  bench = await RecipeBench.start();
  ({ server, zk } = bench);
  other = await bench.connect();
});
after(() => bench[Symbol.asyncDispose]());

const connect = (): Promise<Client> => bench.connect();
const children = (path: string): Promise<string[]> => bench.children(path);
const settle = (): Promise<void> => bench.settle();

describe('lock', () => {
  it('is held by one after the other, in order, with growing tokens', async () => {
    const order: number[] = [];
    const tokens: bigint[] = [];
    let holders = 0;
    const work = async (client: ZkClient, i: number): Promise<void> => {
      const hold = await new Lock(client, '/order').acquire();
      assert.equal(++holders, 1);
      order.push(i);
      tokens.push(hold.fencingToken);
      await client.sync('/');
      holders--;
      await hold.release();
    };
    const jobs: Promise<void>[] = [];
    for (let i = 0; i < 20; i++) {
      jobs.push(work(i % 2 === 0 ? zk : other, i));
      await settle();
    }
    await Promise.all(jobs);
    assert.deepEqual(order, [...Array(20).keys()]);
    assert.deepEqual(
      tokens,
      [...tokens].sort((a, b) => (a < b ? -1 : 1)),
    );
    assert.equal((await children('/order')).length, 0);
  });

  it('is released by `await using` or dispose', async () => {
    const hold = await new Lock(zk, '/dispose').acquire();
    await hold[Symbol.asyncDispose]();
    assert.equal((await children('/dispose')).length, 0);
    assert.ok(hold.signal.aborted);
  });

  it('writes each layout, and waits for all of them', async () => {
    const patterns = {
      curator: /^_c_[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}-lock-\d{10}$/,
      go: /^_c_[0-9a-f]{32}-lock-\d{10}$/,
      kazoo: /^[0-9a-f]{32}__lock__\d{10}$/,
    };
    const names = Object.keys(patterns) as (keyof typeof patterns)[];
    const holds: Hold[] = [];
    for (const layout of [...names, ...names]) {
      const waiting = new Lock(zk, '/mixed', { layout }).acquire();
      void waiting.then((hold) => holds.push(hold));
      await settle();
    }
    for (let i = 0; i < 6; i++) {
      assert.equal(holds.length, i + 1);
      const { path } = holds[i] as Hold;
      assert.match(path.slice('/mixed/'.length), patterns[names[i % 3] ?? 'go']);
      await holds[i]?.release();
      await settle();
    }
  });

  it('is re-entrant for an owner, and only for that one', async () => {
    const lock = new Lock(zk, '/owner');
    const first = await lock.acquire({ owner: 'me' });
    const [second, third] = await Promise.all([
      lock.acquire({ owner: 'me' }),
      lock.acquire({ owner: 'me' }),
    ]);
    assert.equal(second.path, first.path);
    assert.equal(await lock.tryAcquire({ owner: 'you' }), null);
    await first.release();
    await second.release();
    assert.ok(second.signal.aborted);
    assert.ok(!third.signal.aborted);
    assert.equal(await lock.tryAcquire(), null);
    await third.release();
    const last = await lock.tryAcquire();
    assert.ok(last);
    await last.release();
  });

  it('gives up at its time or signal and leaves nothing behind', async () => {
    const hold = await new Lock(other, '/give-up').acquire();
    const lock = new Lock(zk, '/give-up');
    await assert.rejects(lock.acquire({ timeoutMs: 20 }), WaitTimeoutError);
    const stop = new AbortController();
    const waiting = lock.acquire({ signal: stop.signal });
    await settle();
    stop.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    const early = AbortSignal.abort(new Error('before'));
    await assert.rejects(lock.acquire({ signal: early }), /before/);
    await settle();
    assert.deepEqual(await children('/give-up'), [hold.path.slice('/give-up/'.length)]);
    await hold.release();
  });

  it('bears one signal for many waits', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    const hold = await new Lock(other, '/one-signal').acquire();
    const stop = new AbortController();
    const lock = new Lock(zk, '/one-signal');
    const waits = Array.from({ length: 30 }, () => lock.acquire({ signal: stop.signal }));
    const all = Promise.allSettled(waits);
    await settle();
    stop.abort(new Error('enough'));
    for (const { status } of await all) assert.equal(status, 'rejected');
    await hold.release();
    await settle();
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
    assert.deepEqual(await children('/one-signal'), []);
  });

  it('given up at any moment, leaves nothing behind', async () => {
    for (let turns = 0; turns < 40; turns++) {
      const stop = new AbortController();
      const waiting = new Lock(zk, '/any-moment').acquire({ signal: stop.signal });
      waiting.catch(() => undefined);
      for (let i = 0; i < turns; i++) await new Promise(setImmediate);
      stop.abort(new Error('enough'));
      const hold = await waiting.catch(() => null);
      await hold?.release();
    }
    await settle();
    assert.deepEqual(await children('/any-moment'), []);
  });

  it('tells the holder of a revocation', async () => {
    let revoked = 0;
    const hold = await new Lock(zk, '/revoke').acquire({ onRevoke: () => revoked++ });
    assert.equal(await new Lock(other, '/revoke').revoke(), true);
    await settle();
    await settle();
    assert.equal(revoked, 1);
    assert.ok(!hold.signal.aborted);
    await hold.release();
    assert.equal(await new Lock(other, '/revoke').revoke(), false);
  });

  it('loses it when somebody deletes its znode, and guards no more', async () => {
    await zk.create('/guarded', '0');
    const hold = await new Lock(zk, '/deleted').acquire();
    await hold.guard((tx) => void tx.setData('/guarded', '1'));
    await other.delete(hold.path);
    await assert.rejects(
      hold.guard((tx) => void tx.setData('/guarded', '2')),
      (problem: Error) => problem instanceof NotHeldError && problem.reason === 'deleted',
    );
    const reason = await aborted(hold.signal);
    assert.ok(reason instanceof NotHeldError && reason.reason === 'deleted');
    assert.equal((await zk.getData('/guarded')).data.toString(), '1');
    await hold.release();
  });

  it('tells which guarded write failed', async () => {
    await using hold = await new Lock(zk, '/guard-error').acquire();
    await assert.rejects(
      hold.guard((tx) => void tx.check('/guarded').delete('/nowhere')),
      (problem) => {
        assert.ok(problem instanceof TransactionError);
        const { codeName, index, op, path, results, message } = problem;
        assert.deepEqual([codeName, index, op, path], ['NONODE', 1, 'delete', '/nowhere']);
        assert.equal(results.length, 2);
        assert.match(message, /^write 1 of the transaction, delete: NONODE/);
        return true;
      },
    );
    assert.ok(!hold.signal.aborted);
  });

  it('signals SUSPENDED by the standard policy, and LOST by that of the session', async () => {
    const client = await connect();
    const standard = await new Lock(client, '/policy/a').acquire();
    const session = await new Lock(client, '/policy/b', { errorPolicy: 'session' }).acquire();
    server.dropConnections();
    const reason = await aborted(standard.signal);
    assert.ok(reason instanceof NotHeldError && reason.reason === 'suspended');
    await patiently(() => client.exists('/'));
    assert.ok(!session.signal.aborted);
    await session.guard((tx) => void tx.setData('/guarded', '3'));
    server.expireSession(client.sessionId);
    const end = await aborted(session.signal);
    // the server deletes the znode before it ends the connection
    assert.ok(end instanceof NotHeldError && ['session', 'deleted'].includes(end.reason));
    await assert.rejects(
      session.guard((tx) => void tx.setData('/guarded', '4')),
      NotHeldError,
    );
    await session.release();
    await standard.release();
    await client.close();
  });

  it('released without a connection, leaves nothing behind (CURATOR-678)', async () => {
    const client = await connect();
    const hold = await new Lock(client, '/orphan').acquire();
    server.dropConnections();
    await hold.release();
    assert.deepEqual(await children('/orphan'), []);
    await client.close();
  });

  it('acquires again as an owner after SUSPENDED', async () => {
    const client = await connect();
    const lock = new Lock(client, '/owner-again');
    const lost = await lock.acquire({ owner: 1 });
    server.dropConnections();
    await aborted(lost.signal);
    const again = await lock.acquire({ owner: 1 });
    assert.notEqual(again.path, lost.path);
    await lost.release();
    assert.ok(!again.signal.aborted);
    await again.release();
    assert.deepEqual(await children('/owner-again'), []);
    await client.close();
  });

  for (const fault of faults) {
    it(`is acquired and released with "${fault}" at any request`, async () => {
      for (let at = 0; ; at++) {
        const path = `/faults/${fault.replace(' ', '-')}-${at}`;
        const client = await connect();
        const faulty = faultyClient(client, server, at, fault);
        const hold = await new Lock(faulty.client, path).acquire();
        const isStruck = faulty.count > at;
        if (!isStruck) assert.ok(!hold.signal.aborted);
        const rest = (await children(path)).filter((name) => !hold.path.endsWith(name));
        assert.deepEqual(rest, [], `nobody else stands in line after a fault at ${at}`);
        await hold.release();
        assert.deepEqual(await children(path), [], `nothing stays after a fault at ${at}`);
        const done = faulty.count <= at;
        await client.close();
        if (done) return;
      }
    });

    it(`is acquired in its turn with "${fault}" at any request`, async () => {
      for (let at = 0; ; at++) {
        const path = `/turns/${fault.replace(' ', '-')}-${at}`;
        const first = await new Lock(zk, path).acquire();
        const client = await connect();
        const faulty = faultyClient(client, server, at, fault);
        const waiting = new Lock(faulty.client, path, { errorPolicy: 'session' }).acquire();
        let isHeld = false;
        void waiting.then(() => (isHeld = true));
        await settle();
        assert.ok(!isHeld);
        await first.release();
        const hold = await waiting;
        await hold.release();
        assert.deepEqual(await children(path), [], `nothing stays after a fault at ${at}`);
        const done = faulty.count <= at;
        await client.close();
        if (done) return;
      }
    });
  }

  it('wakes one contender of a thousand with each release', async () => {
    const contenders = 1000;
    const clients = await Promise.all([...Array(10).keys()].map(() => connect()));
    const counting = clients.map((client) => faultyClient(client, server, -1, 'drop before'));
    const count = (): number => counting.reduce((sum, one) => sum + one.count, 0);
    const order: bigint[] = [];
    const turns: Hold[] = [];
    let next = (): void => undefined;
    await zk.create('/herd');
    for (let i = 0; i < contenders; i++) {
      const client = counting[i % counting.length]?.client ?? zk;
      void new Lock(client, '/herd').acquire().then((hold) => {
        turns.push(hold);
        next();
      });
    }
    const turn = async (): Promise<Hold> => {
      if (turns.length === 0) await new Promise<void>((resolve) => (next = resolve));
      assert.equal(turns.length, 1);
      return turns.pop() as Hold;
    };
    const settleAll = () => Promise.all(clients.map((client) => client.sync('/')));
    let hold = await turn();
    for (let i = 1; i < contenders; i++) {
      order.push(hold.fencingToken);
      const isCounted = i % 50 === 0;
      if (isCounted) for (let j = 0; j < 3; j++) await settleAll();
      const before = count();
      await hold.release();
      hold = await turn();
      if (isCounted) for (let j = 0; j < 3; j++) await settleAll();
      // delete, a list, the watch of the own znode; and of the watched one, when it was gone already
      if (isCounted) assert.ok(count() - before <= 4, `${count() - before} requests`);
    }
    assert.deepEqual(
      order,
      [...order].sort((a, b) => (a < b ? -1 : 1)),
    );
    assert.ok(
      count() <= 6 * contenders + clients.length * 100,
      `${count()} requests for ${contenders} turns`,
    );
    await Promise.all(clients.map((client) => client.close()));
  });
});

describe('multi-lock', () => {
  it('holds all or none', async () => {
    const multi = new MultiLock(zk, ['/multi/b', '/multi/a']);
    assert.deepEqual(multi.paths, ['/multi/a', '/multi/b']);
    const hold = await multi.acquire();
    assert.equal(await new Lock(other, '/multi/a').tryAcquire(), null);
    assert.equal(await new Lock(other, '/multi/b').tryAcquire(), null);
    await hold.guard((tx) => void tx.setData('/guarded', 'multi'));
    await hold.release();
    await using single = await new Lock(other, '/multi/b').acquire();
    assert.equal(await multi.tryAcquire(), null);
    await assert.rejects(multi.acquire({ timeoutMs: 20 }), WaitTimeoutError);
    await settle();
    assert.deepEqual(await children('/multi/a'), []);
    assert.ok(!single.signal.aborted);
  });
});
