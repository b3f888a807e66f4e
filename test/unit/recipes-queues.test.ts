/**
 * Queues against a real server: order, many producers and takers, giving up, and every fault at every
 * step of putting and taking: nothing is lost and nothing is given out twice.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Acls, OutcomeUnknownError, type Client, type ZkClient } from 'zabra/client';
import {
  DelayQueue,
  LayoutError,
  LockingQueue,
  NotHeldError,
  PriorityQueue,
  Queue,
  WaitTimeoutError,
  type QueueClaim,
  type QueueItem,
  type QueueLayout,
} from 'zabra/recipes';
import { TestEnsemble } from 'zabra/testing';
import { faults } from '../support/faulty-client.js';
import { aborted, patiently, RecipeBench } from '../support/recipe-bench.js';
import { withFaults } from '../support/recipe-faults.js';

let bench: RecipeBench;
let zk: Client;
let other: Client;

before(async () => {
  bench = await RecipeBench.start();
  zk = bench.zk;
  other = await bench.connect();
});
after(() => bench[Symbol.asyncDispose]());

const layouts: readonly QueueLayout[] = ['curator', 'curator-framed', 'kazoo'];
const text = ({ data }: { readonly data: Buffer }): string => data.toString();

function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => String(from + i));
}

async function drain(queue: { tryTake(): Promise<QueueItem | null> }): Promise<string[]> {
  const items: string[] = [];
  for (;;) {
    const item = await queue.tryTake();
    if (item === null) return items;
    items.push(text(item));
  }
}

describe('queue', () => {
  it('tells what may not be put or taken, as if its own mark were no part of it', async () => {
    await zk.create('/sealed', '', { acl: Acls.readOnly });
    await zk.create('/closed', '');
    await new Queue(zk, '/closed').put('x');
    await zk.setACL('/closed', Acls.readOnly);
    const refused = { name: 'TransactionError', codeName: 'NOAUTH', index: 0 };
    await assert.rejects(new Queue(zk, '/sealed').put('x'), { ...refused, op: 'create' });
    await assert.rejects(new Queue(zk, '/closed').take(), { ...refused, op: 'delete' });
  });

  for (const layout of layouts) {
    it(`gives out in the order of putting (${layout})`, async () => {
      const queue = new Queue(zk, `/order-${layout}`, { layout });
      await Promise.all(numbers(300).map((i) => queue.put(i)));
      assert.equal(await queue.size(), 300);
      const first = await queue.take();
      assert.equal(text(first), '0');
      const some = await queue.takeMany(100);
      assert.deepEqual(some.map(text), numbers(some.length, 1));
      assert.deepEqual(
        await drain(new Queue(other, queue.path, { layout })),
        numbers(299 - some.length, 1 + some.length),
      );
      assert.equal(await queue.size(), 0);
      await queue.close();
      assert.deepEqual(
        (await bench.children(`${queue.path}-marks`)).length,
        1,
        'the mark of the other is left until its session ends',
      );
    });

    it(`gives each item to one of many takers (${layout})`, async () => {
      const path = `/many-${layout}`;
      const end = new AbortController();
      const taken: string[] = [];
      const takers = [zk, other, await bench.connect()].map(async (client) => {
        const queue = new Queue(client, path, { layout });
        for await (const item of queue.items({ signal: end.signal })) {
          taken.push(text(item));
          if (taken.length === 400) end.abort();
        }
      });
      const producers = [zk, other].map(async (client, i) => {
        const queue = new Queue(client, path, { layout });
        for (const item of numbers(200, 200 * i)) await queue.put(item);
      });
      await Promise.all([...producers, ...takers]);
      assert.deepEqual(
        taken
          .map(Number)
          .sort((a, b) => a - b)
          .map(String),
        numbers(400),
      );
    });
  }

  it('takes by priority where the layout has it', async () => {
    const queue = new Queue(zk, '/kazoo-priority', { layout: 'kazoo' });
    for (const priority of [7, 100, 0, 999, 7]) {
      await queue.put(String(priority), { priority });
    }
    await queue.put('unsaid');
    assert.deepEqual(await drain(queue), ['0', '7', '7', '100', 'unsaid', '999']);
    await assert.rejects(queue.put('x', { priority: 1000 }), RangeError);
    await assert.rejects(new Queue(zk, '/no-priority').put('x', { priority: 1 }), TypeError);
  });

  it('writes the names and frames of each layout', async () => {
    const names = {
      curator: /^qn-\d{10}$/,
      'curator-framed': /^queue-\d{10}$/,
      kazoo: /^entry-100-\d{10}$/,
    };
    for (const layout of layouts) {
      const path = `/names-${layout}`;
      await new Queue(zk, path, { layout }).put('ab');
      const [name = ''] = await bench.children(path);
      assert.match(name, names[layout]);
      const { data } = await zk.getData(`${path}/${name}`);
      const framed = Buffer.from([0, 1, 0, 1, 1, 0, 0, 0, 2, 97, 98, 2]);
      assert.deepEqual(data, layout === 'curator-framed' ? framed : Buffer.from('ab'));
    }
    await new PriorityQueue(zk, '/names-priority').put('x', -2);
    assert.deepEqual(await bench.children('/names-priority'), ['queue-0FFFFFFFE0000000000']);
    await new DelayQueue(zk, '/names-delay').put('x', { atMs: 0x123456789ab });
    assert.deepEqual(await bench.children('/names-delay'), ['queue-|123456789AB|0000000000']);
  });

  it('reads several items in one frame, and tells once of what is in none', async () => {
    const path = '/frames';
    await zk.create(path);
    const frame = [0, 1, 0, 1, 1, 0, 0, 0, 1, 97, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 98, 2];
    await zk.create(`${path}/queue-0000000001`, Buffer.from(frame));
    await zk.create(`${path}/queue-0000000002`, 'no frame');
    await zk.create(`${path}/queue-0000000003`, Buffer.from([0, 1, 0, 1, 1, 0, 0, 0, 9, 97, 2]));
    await zk.create(`${path}/foreign`);
    const queue = new Queue(zk, path, { layout: 'curator-framed' });
    assert.deepEqual((await queue.takeMany(2)).map(text), ['a', '']);
    assert.equal(text(await queue.take()), 'b');
    await assert.rejects(queue.tryTake(), LayoutError);
    await assert.rejects(queue.tryTake(), LayoutError);
    assert.equal(await queue.tryTake(), null);
    assert.equal((await bench.children(path)).length, 3);
  });

  it('waits for an item, for so long or until it is told not to', async () => {
    const queue = new Queue(zk, '/wait');
    assert.equal(await queue.tryTake(), null);
    await assert.rejects(queue.take({ timeoutMs: 10 }), WaitTimeoutError);
    const stop = new AbortController();
    const given = queue.take({ signal: stop.signal });
    const waiting = queue.take();
    stop.abort(new Error('enough'));
    await assert.rejects(given, /enough/);
    await new Queue(other, '/wait').put('x');
    assert.equal(text(await waiting), 'x');
    await assert.rejects(queue.put('x', { signal: AbortSignal.abort(new Error('no')) }), /no/);
    assert.equal(await queue.size(), 0);
  });

  it('loses nothing when takers give up at any moment', async () => {
    const queue = new Queue(zk, '/any-moment');
    for (let turns = 0; turns < 60; turns++) {
      await queue.put(String(turns));
      const stop = new AbortController();
      const taking = queue.take({ signal: stop.signal }).then(text, () => null);
      for (let i = 0; i < turns; i++) await new Promise(setImmediate);
      stop.abort();
      const item = (await taking) ?? text(await queue.take());
      assert.equal(item, String(turns));
    }
    const stop = new AbortController();
    await queue.put('last');
    const taking = queue.take({ signal: stop.signal }).then(text, () => null);
    await bench.settle();
    stop.abort();
    await queue.close();
    const next = new Queue(other, '/any-moment');
    assert.deepEqual(
      [await taking, ...(await drain(next))].filter((item) => item !== null),
      ['last'],
    );
  });

  it('refuses what is too large before anything is sent, and takes the rest', async () => {
    const queue = new Queue(zk, '/large');
    const large = queue.put(Buffer.alloc(2_000_000));
    const rest = [
      queue.put(Buffer.alloc(900_000)),
      queue.put('c'),
      queue.put(Buffer.alloc(900_000)),
    ];
    await assert.rejects(large, TypeError);
    await Promise.all(rest);
    assert.deepEqual(
      (await drain(queue)).map(({ length }) => length),
      [900_000, 1, 900_000],
    );
  });

  it('comes back when its directory was deleted', async () => {
    const queue = new Queue(zk, '/directory');
    const waiting = queue.take();
    await bench.settle();
    await other.delete('/directory');
    await new Queue(other, '/directory').put('x');
    assert.equal(text(await waiting), 'x');
  });
});

describe('queue, with a fault at any request', () => {
  for (const fault of faults) {
    for (const layout of ['curator', 'kazoo'] as const) {
      it(`puts once, "${fault}" (${layout})`, () =>
        withFaults(bench, fault, `put-${layout}`, async (client, path, at) => {
          const queue = new Queue(client, path, { layout });
          let unknown = '';
          for (const item of ['a', 'b', 'c']) {
            await queue.put(item).catch((problem: unknown) => {
              // a session that ended with the answer is the one exception
              assert.ok(problem instanceof OutcomeUnknownError, String(problem));
              assert.ok(fault.startsWith('expire'));
              unknown = item;
            });
          }
          const items = (await drain(new Queue(zk, path, { layout }))).join('');
          assert.ok(items === 'abc' || items === 'abc'.replace(unknown, ''), `${at}: ${items}`);
        }));
    }

    for (const delivery of ['at-most-once', 'at-least-once'] as const) {
      it(`takes, "${fault}" (${delivery})`, () =>
        withFaults(bench, fault, `take-${delivery}`, async (client, path, at) => {
          await new Queue(zk, path).putMany(['a', 'b', 'c']);
          const queue = new Queue(client, path, { delivery });
          const taken: string[] = [];
          for (let item = await queue.tryTake(); item !== null; item = await queue.tryTake()) {
            taken.push(text(item));
          }
          const left = await drain(new Queue(zk, path));
          const items = [...taken, ...left].join('');
          if (fault === 'expire after' && delivery === 'at-most-once') {
            assert.match(items, /^a?b?c?$/, `${at}: ${items}`);
            assert.ok(items.length >= 2, `${at}: ${items}`);
          } else assert.equal(items, 'abc', `${at}`);
        }));
    }

    it(`takes by priority, "${fault}"`, () =>
      withFaults(bench, fault, 'priority', async (client, path, at) => {
        const before = new PriorityQueue(zk, path);
        for (const priority of [3, -1, 2]) await before.put(String(priority), priority);
        const queue = new PriorityQueue(client, path, { delivery: 'at-least-once' });
        assert.deepEqual(await drain(queue), ['-1', '2', '3'], `${at}`);
      }));
  }
});

describe('priority queue', () => {
  it('gives out the smallest first, whenever it came', async () => {
    const queue = new PriorityQueue(zk, '/priority');
    const priorities = [5, -3, 0, 2 ** 31 - 1, -(2 ** 31), 5, 1000];
    for (const priority of priorities) await queue.put(String(priority), priority);
    assert.equal(text(await queue.take()), String(-(2 ** 31)));
    await new PriorityQueue(other, '/priority').put('first', -99);
    await bench.settle();
    const item = await queue.take();
    assert.deepEqual([text(item), item.priority], ['first', -99]);
    assert.deepEqual(await drain(queue), ['-3', '0', '5', '5', '1000', '2147483647']);
    await assert.rejects(queue.put('x', 0.5), RangeError);
    await assert.rejects(queue.put('x', 2 ** 31), RangeError);
  });
});

describe('delay queue', () => {
  it('gives out nothing before its time, and then the earliest first', async () => {
    const queue = new DelayQueue(zk, '/delay');
    const nowMs = zk.world.clock.wallMs();
    await queue.put('late', { atMs: nowMs + 60 });
    await queue.put('past', { atMs: nowMs - 1000 });
    await queue.put('soon', { delayMs: 30 });
    await queue.put('never', { delayMs: 1e8 });
    assert.equal(text(await queue.take()), 'past');
    assert.equal(await queue.size(), 3);
    for (const name of ['soon', 'late']) {
      const item = await queue.take();
      assert.equal(text(item), name);
      assert.ok(zk.world.clock.wallMs() >= item.dueMs);
    }
    assert.equal(await queue.tryTake(), null);
    const waiting = queue.take();
    await bench.settle();
    await new DelayQueue(other, '/delay').put('now', { delayMs: 0 });
    assert.equal(text(await waiting), 'now');
    await assert.rejects(queue.put('x', { atMs: -1 }), RangeError);
  });
});

describe('locking queue', () => {
  for (const layout of ['kazoo', 'curator'] as const) {
    it(`claims in order, gives back, and lets go for good (${layout})`, async () => {
      const queue = new LockingQueue(zk, `/locking-${layout}`, { layout });
      const second = new LockingQueue(other, `/locking-${layout}`, { layout });
      await queue.putMany(['a', 'b', 'c']);
      const a = await queue.take();
      const b = await second.take();
      assert.deepEqual([text(a), text(b)], ['a', 'b']);
      await a.release();
      assert.ok(a.signal.reason instanceof NotHeldError);
      const again = await second.take();
      assert.equal(text(again), 'a');
      assert.ok(again.fencingToken > a.fencingToken);
      await assert.rejects(a.acknowledge(), NotHeldError);
      await again.acknowledge();
      await again.release();
      await assert.rejects(again.acknowledge(), NotHeldError);
      await b.acknowledge();
      await (await queue.take()).acknowledge();
      assert.equal(await queue.size(), 0);
      assert.equal(await queue.tryTake(), null);
      const taken = layout === 'kazoo' ? `${queue.path}/taken` : `${queue.path}-locks`;
      assert.deepEqual(await bench.children(taken), []);
    });
  }

  it('gives back the items of takers that are gone', async () => {
    const queue = new LockingQueue(zk, '/comes-back');
    await queue.put('x');
    const dying = await bench.connect();
    const claim = await new LockingQueue(dying, '/comes-back').take();
    const waiting = queue.take();
    await bench.settle();
    bench.server.expireSession(dying.sessionId);
    const next = await waiting;
    assert.equal(text(next), 'x');
    await aborted(claim.signal);
    await assert.rejects(claim.acknowledge(), NotHeldError);
    await next[Symbol.asyncDispose]();
    await (await queue.take()).acknowledge();
    assert.equal(await queue.size(), 0);
  });

  it('acknowledges with writes in one transaction, or not at all', async () => {
    const queue = new LockingQueue(zk, '/with-writes');
    await zk.create('/result', '0');
    await queue.put('x', { priority: 3 });
    const claim = await queue.take();
    await assert.rejects(
      claim.acknowledge((tx) => tx.setData('/result', '1', { version: 9 })),
      { name: 'TransactionError', codeName: 'BADVERSION', index: 0, op: 'setData' },
    );
    assert.ok(!claim.signal.aborted);
    await claim.acknowledge((tx) => tx.setData('/result', '1', { version: 0 }));
    assert.equal((await zk.getData('/result')).data.toString(), '1');
    assert.equal(await queue.size(), 0);
    assert.ok(claim.signal.aborted);
  });

  it('waits, gives up, and tells what cannot be opened', async () => {
    const queue = new LockingQueue(zk, '/locking-wait', { layout: 'curator' });
    await assert.rejects(queue.take({ timeoutMs: 10 }), WaitTimeoutError);
    const stop = new AbortController();
    const ended = (async () => {
      const seen: string[] = [];
      for await (const claim of queue.items({ signal: stop.signal })) {
        seen.push(text(claim));
        await claim.acknowledge();
        stop.abort();
      }
      return seen;
    })();
    await new LockingQueue(other, '/locking-wait', { layout: 'curator' }).put('x');
    assert.deepEqual(await ended, ['x']);
    await zk.create('/locking-wait/queue-0000000099', 'no frame');
    await assert.rejects(queue.tryTake(), LayoutError);
    assert.equal(await queue.tryTake(), null);
  });

  for (const fault of faults) {
    it(`is worked off with "${fault}" at any request: each item takes effect once`, () =>
      withFaults(bench, fault, 'locking', async (client, path, at) => {
        const results = `/results-${path.replaceAll('/', '-')}`;
        await patiently(() => zk.create(results).catch(ignoreExisting));
        await new LockingQueue(zk, path).putMany(['a', 'b', 'c']);
        const work = async (from: ZkClient): Promise<void> => {
          const queue = new LockingQueue(from, path);
          for (;;) {
            const claim = await queue.tryTake();
            if (claim === null) return;
            await acknowledge(claim, results);
          }
        };
        await work(client);
        await bench.settle();
        await work(zk);
        assert.deepEqual(await bench.children(results), ['a', 'b', 'c'], `${at}`);
        assert.deepEqual(await bench.children(`${path}/taken`), [], `${at}`);
      }));
  }
});

async function acknowledge(claim: QueueClaim, results: string): Promise<void> {
  try {
    await claim.acknowledge((tx) => tx.create(`${results}/${text(claim)}`));
  } catch (problem) {
    // it comes again
    const isLost = problem instanceof NotHeldError || problem instanceof OutcomeUnknownError;
    if (!isLost) throw problem;
  }
}

function ignoreExisting(problem: { codeName?: string }): void {
  if (problem.codeName !== 'NODEEXISTS') throw problem as Error;
}

describe('queues on an ensemble whose leader is killed', () => {
  it('lose nothing and give out nothing twice', async () => {
    const ensemble = await TestEnsemble.start(3);
    try {
      const { Client } = await import('zabra/client');
      const connect = (): Promise<Client> =>
        new Client(ensemble.connectString, { sessionTimeoutMs: 10_000 }).connect();
      const clients = await Promise.all([connect(), connect(), connect()]);
      const [producer, taker, worker] = clients;
      const total = 120;
      const put = new Queue(producer, '/e/plain');
      const putLocking = new LockingQueue(producer, '/e/locking');
      const producing = (async () => {
        for (const item of numbers(total)) {
          await Promise.all([put.put(item), putLocking.put(item)]);
          if (item === '40') await ensemble.kill(ensemble.leader ?? 1);
        }
      })();
      const taken: string[] = [];
      const taking = (async () => {
        const queue = new Queue(taker, '/e/plain');
        while (taken.length < total) taken.push(text(await queue.take()));
      })();
      const done: string[] = [];
      const working = (async () => {
        const queue = new LockingQueue(worker, '/e/locking', { errorPolicy: 'session' });
        while (done.length < total) {
          const claim = await queue.take();
          await claim.acknowledge();
          done.push(text(claim));
        }
      })();
      await Promise.all([producing, taking, working]);
      assert.deepEqual(taken, numbers(total));
      assert.deepEqual(done, numbers(total));
      await Promise.all(clients.map((client) => client.close()));
    } finally {
      await ensemble.stop();
    }
  });
});
