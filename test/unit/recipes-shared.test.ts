/** Read-write lock, semaphore, latch and election against a real server, with faults at every step. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Client } from 'zabra/client';
import {
  LayoutError,
  LeaderElection,
  LeaderLatch,
  NotHeldError,
  ReadWriteLock,
  Semaphore,
  UpgradeError,
  WaitTimeoutError,
  type Hold,
} from 'zabra/recipes';
import { faults, faultyClient } from '../support/faulty-client.js';
import { aborted, RecipeBench } from '../support/recipe-bench.js';

let bench: RecipeBench;
let zk: Client;
let other: Client;

before(async () => {
  bench = await RecipeBench.start();
  zk = bench.zk;
  other = await bench.connect();
});
after(() => bench[Symbol.asyncDispose]());

const children = (path: string): Promise<string[]> => bench.children(path);
const settle = (): Promise<void> => bench.settle();

describe('read-write lock', () => {
  for (const layout of ['curator', 'kazoo'] as const) {
    it(`lets readers in together and writers alone, in order (${layout})`, async () => {
      const path = `/rw-${layout}`;
      const log: string[] = [];
      const holds = new Map<string, Hold>();
      const ask = async (name: string, client: Client): Promise<void> => {
        const lock = new ReadWriteLock(client, path, { layout });
        const side = name.startsWith('r') ? lock.read : lock.write;
        void side.acquire().then((hold) => {
          log.push(name);
          holds.set(name, hold);
        });
        await settle();
      };
      const names = ['r1', 'r2', 'w3', 'r4', 'r5', 'w6'];
      for (const [i, name] of names.entries()) await ask(name, i % 2 === 0 ? zk : other);
      assert.deepEqual(log, ['r1', 'r2']);
      for (const [name, next] of [
        ['r1', ['r1', 'r2']],
        ['r2', ['r1', 'r2', 'w3']],
        ['w3', ['r1', 'r2', 'w3', 'r4', 'r5']],
        ['r4', ['r1', 'r2', 'w3', 'r4', 'r5']],
        ['r5', ['r1', 'r2', 'w3', 'r4', 'r5', 'w6']],
        ['w6', names],
      ] as const) {
        await holds.get(name)?.release();
        await settle();
        assert.deepEqual([...log].sort(byNumber), [...next].sort(byNumber));
      }
      assert.deepEqual(await children(path), []);
    });
  }

  it('lets a writer become a reader without letting another writer in between', async () => {
    const lock = new ReadWriteLock(zk, '/downgrade');
    const write = await lock.write.acquire({ owner: 'me' });
    const waiting = new ReadWriteLock(other, '/downgrade').write.acquire();
    let isWritten = false;
    void waiting.then(() => (isWritten = true));
    await settle();
    const read = await lock.read.acquire({ owner: 'me' });
    await write.release();
    await settle();
    assert.ok(!isWritten);
    assert.ok(!read.signal.aborted);
    await read.release();
    await (await waiting).release();
    assert.deepEqual(await children('/downgrade'), []);
  });

  it('refuses to let a reader wait for itself', async () => {
    const lock = new ReadWriteLock(zk, '/upgrade');
    const read = await lock.read.acquire({ owner: 'me' });
    await assert.rejects(lock.write.acquire({ owner: 'me' }), UpgradeError);
    assert.equal(await lock.write.tryAcquire({ owner: 'you' }), null);
    await read.release();
    const write = await lock.write.acquire({ owner: 'me' });
    await write.release();
  });
});

function byNumber(a: string, b: string): number {
  return Number(a.slice(1)) - Number(b.slice(1));
}

describe('semaphore', () => {
  for (const layout of ['curator', 'kazoo'] as const) {
    it(`lets in so many and no more, in order (${layout})`, async () => {
      const path = `/semaphore-${layout}`;
      const inside: number[] = [];
      const order: number[] = [];
      const holds: Hold[] = [];
      for (let i = 0; i < 8; i++) {
        const client = i % 2 === 0 ? zk : other;
        const semaphore = new Semaphore(client, path, { maxLeases: 3, layout });
        void semaphore.acquire().then((hold) => {
          order.push(i);
          inside.push(i);
          holds[i] = hold;
        });
        await settle();
      }
      for (let i = 0; i < 8; i++) {
        assert.deepEqual(
          inside,
          [i, i + 1, i + 2].filter((one) => one < 8),
        );
        inside.shift();
        await holds[i]?.release();
        await settle();
      }
      assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
      assert.deepEqual(await new Semaphore(zk, path, { maxLeases: 3, layout }).holders(), []);
    });
  }

  it('gives up at its time and leaves nothing behind', async () => {
    const semaphore = new Semaphore(zk, '/semaphore-full', { maxLeases: 1 });
    const hold = await semaphore.acquire();
    await assert.rejects(semaphore.acquire({ timeoutMs: 30 }), WaitTimeoutError);
    assert.equal(await semaphore.tryAcquire(), null);
    await settle();
    assert.equal((await children('/semaphore-full/leases')).length, 1);
    assert.equal((await children('/semaphore-full/locks')).length, 0);
    await hold.release();
  });

  it("refuses another number than the one in kazoo's znode", async () => {
    await zk.create('/semaphore-number', '5');
    const semaphore = new Semaphore(zk, '/semaphore-number', { maxLeases: 4, layout: 'kazoo' });
    await assert.rejects(semaphore.acquire(), LayoutError);
  });

  for (const layout of ['curator', 'kazoo'] as const) {
    for (const fault of faults) {
      it(`gives a lease with "${fault}" at any request (${layout})`, async () => {
        for (let at = 0; ; at++) {
          const path = `/semaphore-faults-${layout}/${fault.replace(' ', '-')}-${at}`;
          const options = { maxLeases: 1, layout, errorPolicy: 'session' } as const;
          const held = await new Semaphore(zk, path, options).acquire();
          const client = await bench.connect();
          const faulty = faultyClient(client, bench.server, at, fault);
          const waiting = new Semaphore(faulty.client, path, options).acquire();
          await settle();
          await held.release();
          const hold = await waiting;
          // the fault may have struck once more after that
          const holders = await new Semaphore(zk, path, options).holders();
          if (holders.length === 0) await aborted(hold.signal);
          else assert.equal(holders.length, 1);
          await hold.release();
          await settle();
          assert.deepEqual(await new Semaphore(zk, path, options).holders(), [], `fault at ${at}`);
          const next = await new Semaphore(zk, path, options).acquire();
          await next.release();
          const done = faulty.count <= at;
          await client.close();
          if (done) return;
        }
      });
    }
  }
});

describe('leader latch', () => {
  it('leads in order, and when the leader closes the next does', async () => {
    const latches = [zk, other, zk].map((client, i) => {
      return new LeaderLatch(client, '/latch', { id: `l${i}` });
    });
    for (const latch of latches) {
      latch.start();
      await settle();
    }
    for (const [i, latch] of latches.entries()) {
      await latch.untilLeader({ timeoutMs: 60_000 });
      assert.deepEqual(
        latches.map((one) => one.hasLeadership),
        latches.map((one) => one === latch),
      );
      const participants = await latch.participants();
      assert.deepEqual(
        participants.map(({ id, isLeader }) => [id, isLeader]),
        latches.slice(i).map(({ id }, j) => [id, j === 0]),
      );
      await latch.close();
    }
    assert.deepEqual(await children('/latch'), []);
  });

  it('loses leadership when suspended, and leads again with the same token', async () => {
    const client = await bench.connect();
    const latch = new LeaderLatch(client, '/latch-suspended').start();
    const hold = await latch.untilLeader();
    bench.server.dropConnections();
    const reason = await aborted(hold.signal);
    assert.ok(reason instanceof NotHeldError && reason.reason === 'suspended');
    await new Promise<void>((resolve) => latch.on('leader', () => resolve()));
    const again = await latch.untilLeader();
    assert.equal(again.fencingToken, hold.fencingToken);
    await hold.release();
    assert.ok(latch.hasLeadership);
    await latch.close();
    assert.deepEqual(await children('/latch-suspended'), []);
  });

  it('lines up again after its session, its znode or its hold was given up', async () => {
    const client = await bench.connect();
    const latch = new LeaderLatch(client, '/latch-again').start();
    for (const end of ['session', 'znode', 'hold']) {
      const hold = await latch.untilLeader();
      const isLost = new Promise<void>((resolve) => latch.on('follower', () => resolve()));
      if (end === 'session') bench.server.expireSession(client.sessionId);
      else if (end === 'znode') await zk.delete(hold.path);
      else await hold.release();
      await isLost;
      const again = await latch.untilLeader({ timeoutMs: 60_000 });
      assert.ok(again.fencingToken > hold.fencingToken);
    }
    await latch.close();
    await assert.rejects(latch.untilLeader(), NotHeldError);
    assert.deepEqual(await children('/latch-again'), []);
  });

  for (const fault of faults) {
    it(`leads with "${fault}" at any request`, async () => {
      for (let at = 0; ; at++) {
        const path = `/latch-faults/${fault.replace(' ', '-')}-${at}`;
        const client = await bench.connect();
        const faulty = faultyClient(client, bench.server, at, fault);
        const latch = new LeaderLatch(faulty.client, path).start();
        await latch.untilLeader();
        await latch.close();
        assert.deepEqual(await children(path), [], `nothing stays after a fault at ${at}`);
        const done = faulty.count <= at;
        await client.close();
        if (done) return;
      }
    });
  }
});

describe('leader election', () => {
  it('runs one at a time, again and again, until told to stop', async () => {
    const runs: string[] = [];
    let leaders = 0;
    const stop = new AbortController();
    const run = (id: string, client: Client): Promise<void> =>
      new LeaderElection(client, '/election', { id }).run(
        async (hold) => {
          assert.equal(++leaders, 1);
          assert.ok(!hold.signal.aborted);
          runs.push(id);
          await client.sync('/');
          leaders--;
          if (runs.length === 9) stop.abort();
        },
        { signal: stop.signal },
      );
    await Promise.all([run('a', zk), run('b', other), run('c', zk)]);
    assert.deepEqual(new Set(runs.slice(0, 3)), new Set(['a', 'b', 'c']));
    assert.deepEqual(await children('/election'), []);
  });

  it('tells the function to stop, and waits for it', async () => {
    const stop = new AbortController();
    let hasEnded = false;
    const election = new LeaderElection(zk, '/election-stop', { id: 'x' });
    const running = election.run(
      async ({ signal }) => {
        assert.ok(election.hasLeadership);
        assert.deepEqual(
          (await election.participants()).map(({ id }) => id),
          ['x'],
        );
        stop.abort();
        await aborted(signal);
        hasEnded = true;
      },
      { signal: stop.signal },
    );
    await running;
    assert.ok(hasEnded);
    assert.deepEqual(await children('/election-stop'), []);
  });

  it('ends with the error of the function, after giving leadership back', async () => {
    const election = new LeaderElection(zk, '/election-error');
    await assert.rejects(
      election.run(() => Promise.reject(new Error('cannot lead'))),
      /cannot lead/,
    );
    assert.equal(await election.runOnce(() => Promise.resolve(7)), 7);
    assert.deepEqual(await children('/election-error'), []);
  });
});
