/** Barriers, counter, lease, group and partitioner against a real server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Client } from 'zabra/client';
import {
  Barrier,
  Counter,
  DoubleBarrier,
  GroupMembership,
  LayoutError,
  Lease,
  NotHeldError,
  SetPartitioner,
  WaitTimeoutError,
  type CounterFormat,
  type Share,
} from 'zabra/recipes';
import { faults, faultyClient } from '../support/faulty-client.js';
import { aborted, patiently, RecipeBench } from '../support/recipe-bench.js';

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

describe('barrier', () => {
  it('holds everybody up until it is removed', async () => {
    const barrier = new Barrier(zk, '/barriers/one');
    await barrier.set();
    await barrier.set();
    let through = 0;
    const waiting = [zk, other].map((client) =>
      new Barrier(client, '/barriers/one').wait().then(() => through++),
    );
    await settle();
    assert.equal(through, 0);
    await assert.rejects(barrier.wait({ timeoutMs: 10 }), WaitTimeoutError);
    await barrier.remove();
    await barrier.remove();
    await Promise.all(waiting);
    await barrier.wait();
  });

  for (const fault of faults) {
    it(`is set, waited for and removed with "${fault}" at any request`, async () => {
      for (let at = 0; ; at++) {
        const path = `/barrier-faults/${fault.replace(' ', '-')}-${at}`;
        const client = await bench.connect();
        const faulty = faultyClient(client, bench.server, at, fault);
        const barrier = new Barrier(faulty.client, path);
        await barrier.set();
        assert.notEqual(await patiently(() => zk.exists(path)), null);
        const waiting = barrier.wait();
        await settle();
        await barrier.remove();
        await waiting;
        const done = faulty.count <= at;
        await client.close();
        if (done) return;
      }
    });
  }
});

describe('double barrier', () => {
  it('lets all begin together and end together', async () => {
    const clients = [zk, other, await bench.connect()];
    const members = clients.map((client) => new DoubleBarrier(client, '/double', { size: 3 }));
    for (let round = 0; round < 3; round++) {
      let inside = 0;
      const jobs = members.map(async (member) => {
        await member.enter();
        assert.equal((await children('/double')).filter((name) => name !== 'ready').length, 3);
        inside++;
        await member.leave();
        assert.equal(inside, 3);
      });
      await Promise.all(jobs);
      await settle();
      assert.deepEqual(await children('/double'), []);
    }
  });

  it('does not let in too few, and gives up without a trace', async () => {
    const members = [zk, other].map((client) => new DoubleBarrier(client, '/too-few', { size: 3 }));
    await Promise.all(
      members.map((member) => assert.rejects(member.enter({ timeoutMs: 50 }), WaitTimeoutError)),
    );
    await settle();
    assert.deepEqual(await children('/too-few'), []);
  });

  it('is not opened by the remains of an earlier round', async () => {
    await zk.create('/old-round/ready', '', { makePath: true });
    const member = new DoubleBarrier(zk, '/old-round', { size: 2 });
    await assert.rejects(member.enter({ timeoutMs: 50 }), WaitTimeoutError);
  });

  for (const fault of faults) {
    it(`is entered and left with "${fault}" at any request`, async () => {
      for (let at = 0; ; at++) {
        const path = `/double-faults/${fault.replace(' ', '-')}-${at}`;
        const client = await bench.connect();
        const faulty = faultyClient(client, bench.server, at, fault);
        const one = new DoubleBarrier(faulty.client, path, { size: 2 });
        const two = new DoubleBarrier(zk, path, { size: 2 });
        await Promise.all([one.enter(), settle().then(() => two.enter())]);
        await Promise.all([one.leave(), two.leave()]);
        await settle();
        assert.deepEqual(await children(path), [], `nothing stays after a fault at ${at}`);
        const done = faulty.count <= at;
        await client.close();
        if (done) return;
      }
    });
  }
});

describe('counter', () => {
  it('counts every change once, whoever makes it', async () => {
    for (const exactlyOnce of [false, true]) {
      const path = `/counter-${exactlyOnce}`;
      const counters = [zk, other].map((client) => new Counter(client, path, { exactlyOnce }));
      const changes = await Promise.all(
        Array.from({ length: 40 }, (_, i) => (counters[i % 2] as Counter).add(i % 3)),
      );
      const sum = changes.reduce((total, { before, after }) => total + after - before, 0n);
      assert.equal(await new Counter(zk, path).get(), sum);
      assert.equal(sum, 39n);
    }
    await settle();
    assert.deepEqual(await children('/counter-true'), []);
  });

  it('compares and sets', async () => {
    const counter = new Counter(zk, '/counter-cas', { initial: 5n });
    assert.equal(await counter.compareAndSet(4, 9), null);
    assert.deepEqual(await counter.compareAndSet(5, 9), { before: 5n, after: 9n });
    assert.deepEqual(await counter.set(-3), { before: 9n, after: -3n });
    assert.deepEqual(await counter.decrement(), { before: -3n, after: -4n });
  });

  it("writes Curator's and kazoo's formats", async () => {
    const expected: Record<CounterFormat, string> = {
      int64: 'fffffffffffffffe',
      int32: 'fffffffe',
      decimal: Buffer.from('-2').toString('hex'),
    };
    for (const [format, hex] of Object.entries(expected)) {
      const counter = new Counter(zk, `/counter-${format}`, { format: format as CounterFormat });
      await counter.add(-2n);
      assert.equal((await zk.getData(`/counter-${format}`)).data.toString('hex'), hex);
      assert.equal(await counter.get(), -2n);
    }
    await assert.rejects(new Counter(zk, '/counter-int32').get(), LayoutError);
    await assert.rejects(
      new Counter(zk, '/counter-int32', { format: 'int32' }).set(2 ** 31),
      RangeError,
    );
  });

  for (const fault of faults) {
    it(`counts once with "${fault}" at any request`, async () => {
      for (let at = 0; ; at++) {
        const path = `/counter-faults/${fault.replace(' ', '-')}-${at}`;
        const exactlyOnce = fault.startsWith('drop');
        const client = await bench.connect();
        const faulty = faultyClient(client, bench.server, at, fault);
        const counter = new Counter(faulty.client, path, { exactlyOnce });
        const outcome = await counter.increment().catch((problem: unknown) => {
          // the one case in which nobody can know
          assert.equal((problem as Error).constructor.name, 'OutcomeUnknownError');
          assert.ok(!exactlyOnce);
          return null;
        });
        const value = await patiently(() => new Counter(zk, path).get());
        if (outcome !== null) assert.equal(value, 1n, `a fault at ${at}`);
        else assert.ok(value <= 1n);
        const done = faulty.count <= at;
        await client.close();
        if (done) return;
      }
    });
  }
});

describe('lease', () => {
  it('is one holder at a time, renewed by that one', async () => {
    const mine = new Lease(zk, '/lease', { durationMs: 60_000, holder: 'me' });
    const yours = new Lease(other, '/lease', { durationMs: 60_000, holder: 'you' });
    const term = await mine.obtain();
    assert.ok(term);
    assert.equal(await yours.obtain(), null);
    const renewed = await mine.obtain();
    assert.ok(renewed);
    assert.ok(renewed.fencingToken > term.fencingToken);
    await zk.create('/leased', '');
    await renewed.guard((tx) => void tx.setData('/leased', 'mine'));
    await assert.rejects(
      term.guard((tx) => void tx.setData('/leased', 'old')),
      NotHeldError,
    );
    const record = JSON.parse((await zk.getData('/lease/lease_holder')).data.toString()) as object;
    assert.deepEqual(Object.keys(record), ['version', 'holder', 'end']);
    await renewed.release();
    assert.ok(renewed.signal.aborted);
    assert.ok(await yours.obtain());
  });

  it('may be taken when its time is over', async () => {
    const record = { version: 1, holder: 'gone', end: '2001-02-03T04:05:06' };
    await zk.create('/lease-over/lease_holder', JSON.stringify(record), { makePath: true });
    const lease = new Lease(zk, '/lease-over', { durationMs: 60_000, holder: 'me' });
    const term = await lease.obtain();
    assert.ok(term);
    assert.equal(
      (await children('/lease-over')).filter((name) => name.startsWith('term-')).length,
      1,
    );
    await term.release();
    assert.deepEqual(await children('/lease-over'), []);
  });

  it("leaves another version of kazoo's format alone", async () => {
    const record = { version: 2, holder: 'me', end: '2001-02-03T04:05:06' };
    await zk.create('/lease-version/lease_holder', JSON.stringify(record), { makePath: true });
    const lease = new Lease(zk, '/lease-version', { durationMs: 60_000, holder: 'me' });
    assert.equal(await lease.obtain(), null);
  });

  it('signals the end of its time', async () => {
    const lease = new Lease(zk, '/lease-short', { durationMs: 1000, holder: 'me' });
    const term = await lease.obtain();
    const reason = await aborted((term ?? assert.fail()).signal);
    assert.ok(reason instanceof NotHeldError && reason.reason === 'expired');
  });

  for (const fault of faults) {
    it(`is obtained with "${fault}" at any request`, async () => {
      for (let at = 0; ; at++) {
        const path = `/lease-faults/${fault.replace(' ', '-')}-${at}`;
        const client = await bench.connect();
        const faulty = faultyClient(client, bench.server, at, fault);
        const lease = new Lease(faulty.client, path, { durationMs: 60_000, holder: 'me' });
        const term = await lease.obtain();
        assert.ok(term, `a fault at ${at}`);
        const names = await children(path);
        assert.equal(names.length, 2, names.join());
        await term.release();
        assert.deepEqual(await children(path), []);
        const done = faulty.count <= at;
        await client.close();
        if (done) return;
      }
    });
  }
});

describe('group membership', () => {
  for (const layout of ['curator', 'kazoo', 'kazoo-shallow'] as const) {
    it(`tells who is there, and who comes and goes (${layout})`, async () => {
      const path = `/group-${layout}`;
      const stop = new AbortController();
      const told: string[][] = [];
      const watching = (async () => {
        const group = new GroupMembership(zk, path, { layout });
        for await (const members of group.changes({ signal: stop.signal })) {
          told.push(members.map(({ id }) => id).sort());
        }
      })();
      await settle();
      const a = new GroupMembership(zk, path, { layout, id: 'a' });
      const b = new GroupMembership(other, path, { layout, id: 'b' });
      await a.join();
      await settle();
      await b.join();
      await settle();
      assert.deepEqual((await a.members()).map(({ id }) => id).sort(), ['a', 'b']);
      await a.leave();
      await settle();
      await b.leave();
      await settle();
      stop.abort();
      await watching;
      assert.deepEqual(told, [[], ['a'], ['a', 'b'], ['b'], []]);
    });
  }

  it('joins again in a new session, and when its znode was deleted', async () => {
    const client = await bench.connect();
    const group = new GroupMembership(client, '/group-again', { id: 'x', data: 'one' });
    await group.join();
    await group.setData('two');
    const changes = group.changes()[Symbol.asyncIterator]();
    await changes.next();
    const isNew = new Promise((resolve) => client.once('session', resolve));
    bench.server.expireSession(client.sessionId);
    await isNew;
    await group.join({ timeoutMs: 60_000 });
    assert.deepEqual(
      (await group.members()).map(({ id, data }) => [id, data.toString()]),
      [['x', 'two']],
    );
    await zk.delete('/group-again/x');
    await settle();
    await settle();
    assert.deepEqual(await children('/group-again'), ['x']);
    await group.leave();
    assert.deepEqual(await children('/group-again'), []);
  });

  for (const fault of faults) {
    it(`is joined and left with "${fault}" at any request`, async () => {
      for (let at = 0; ; at++) {
        const path = `/group-faults/${fault.replace(' ', '-')}-${at}`;
        const client = await bench.connect();
        const faulty = faultyClient(client, bench.server, at, fault);
        const group = new GroupMembership(faulty.client, path, { id: 'x' });
        await group.join();
        await settle();
        await group.leave();
        assert.deepEqual(await children(path), [], `nothing stays after a fault at ${at}`);
        const done = faulty.count <= at;
        await client.close();
        if (done) return;
      }
    });
  }
});

describe('set partitioner', () => {
  it('divides a set, and anew when somebody comes or goes', async () => {
    const items = ['q1', 'q2', 'q3', 'q4', 'q5'];
    const make = (client: Client, identifier: string): SetPartitioner =>
      new SetPartitioner(client, '/partition', items, { identifier, settleMs: 20 });
    const a = make(zk, 'a');
    const alone = await a.acquire();
    assert.deepEqual(alone.items, items);
    const b = make(other, 'b');
    const second = b.acquire();
    await aborted(alone.signal);
    await alone.release();
    const shares = await Promise.all([a.acquire(), second]);
    assert.deepEqual(
      shares.map((share: Share) => share.items),
      [
        ['q1', 'q3', 'q5'],
        ['q2', 'q4'],
      ],
    );
    await shares[1].guard((tx) => void tx.create('/partitioned'));
    await shares[1].release();
    await b.close();
    await aborted(shares[0].signal);
    await shares[0].release();
    const again = await a.acquire();
    assert.deepEqual(again.items, items);
    await again.release();
    await a.close();
    assert.deepEqual(await children('/partition/party'), []);
  });
});
