import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock, settled, worldOf } from './clock.fixture.js';
import { AttemptTimeoutError, FanOutError, NoInstanceError } from './errors.js';
import type { ServiceInstance } from './instance.js';
import type { LoadBalancerOptions } from './load-balancer-options.js';
import { LoadBalancer } from './load-balancer.js';
import type { InstanceStore } from './registry.js';
import { StaticRegistry, type StaticInstance } from './static-registry.js';

function hosts(...names: string[]): StaticInstance[] {
  return names.map((host) => ({ host, port: 80 }));
}

async function balancer(names: readonly string[], options: Partial<LoadBalancerOptions> = {}) {
  const clock = new ManualClock();
  const registry = new StaticRegistry({ s: hosts(...names) }, { settleMs: 30_000 }, worldOf(clock));
  const lb = new LoadBalancer({ registry, service: 's', policy: 'round-robin', ...options });
  const starting = lb.start();
  await clock.advance(0);
  await starting;
  return { clock, registry, lb };
}

/** Never answers; tells when it is called off. */
function silence(signal: AbortSignal, onAbort: () => void): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      onAbort();
      reject(signal.reason as Error);
    });
  });
}

const pendingOf = (lb: LoadBalancer): number =>
  lb.status().targets.reduce((sum, { pending }) => sum + pending, 0);

test('a request that fails goes to the next instance, and the last error is thrown', async () => {
  const { lb } = await balancer(['a', 'b', 'c']);
  const asked: string[] = [];
  const answer = await lb.send({}, ({ host }, { attempt }) => {
    asked.push(host);
    if (attempt < 3) throw new Error(`${host} is broken`);
    return host;
  });
  assert.equal(new Set(asked).size, 3);
  assert.equal(answer, asked[2]);
  await assert.rejects(
    lb.send({ attemptsMax: 1 }, () => Promise.reject(new Error('no'))),
    /no/u,
  );
  assert.equal(pendingOf(lb), 0);
});

test('one dead instance of three is not seen by anybody, and is ejected', async () => {
  const { lb } = await balancer(['a', 'b', 'c']);
  const ejected: string[] = [];
  lb.on('ejection', ({ id }) => ejected.push(id));
  let refused = 0;
  for (let i = 0; i < 60; i++) {
    await lb.send({}, ({ host }) => {
      if (host !== 'b') return host;
      refused++;
      throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    });
  }
  assert.deepEqual(ejected, ['b:80']);
  assert.equal(refused, 5);
});

test('the retry budget bounds what retries add when everything fails', async () => {
  const { lb } = await balancer(['a', 'b', 'c'], {
    retryBudget: { ratio: 0.2, minPerSecond: 0 },
    outliers: false,
  });
  let calls = 0;
  for (let i = 0; i < 100; i++) {
    const fails = lb.send({}, () => {
      calls++;
      throw new Error('down');
    });
    await assert.rejects(fails, /down/u);
  }
  assert.ok(calls <= 120, `${calls} calls of 100 requests`);
});

test('a request that may not be repeated is sent again only where it was not sent', async () => {
  const { lb } = await balancer(['a', 'b']);
  const attemptsOf = async (error: Error): Promise<number> => {
    let attempts = 0;
    await lb
      .send({ isRepeatable: false, attemptsMax: 2 }, () => {
        attempts++;
        throw error;
      })
      .catch(() => undefined);
    return attempts;
  };
  assert.equal(await attemptsOf(new Error('reset')), 1);
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  assert.equal(await attemptsOf(new TypeError('fetch failed', { cause: refused })), 2);
});

test('a verdict of accept is an answer: nothing is retried, nobody is ejected', async () => {
  const { lb } = await balancer(['a', 'b'], { judge: () => 'accept' });
  let calls = 0;
  for (let i = 0; i < 30; i++) {
    await assert.rejects(
      lb.send({}, () => {
        calls++;
        throw new Error('not found');
      }),
    );
  }
  assert.equal(calls, 30);
  assert.ok(lb.status().targets.every(({ isEjected }) => !isEjected));
});

test('a judge that throws ends the request with its error', async () => {
  const { lb } = await balancer(['a', 'b']);
  const judge = (): never => {
    throw new RangeError('no verdict');
  };
  const fails = lb.send({ judge }, () => Promise.reject(new Error('no')));
  await assert.rejects(fails, /no verdict/u);
  assert.equal(pendingOf(lb), 0);
});

test('when all have been tried, it begins again after a pause', async () => {
  const { lb, clock } = await balancer(['only'], { outliers: false });
  const sending = lb.send({}, (_, { attempt }) => {
    if (attempt < 3) throw new Error('not yet');
    return attempt;
  });
  await clock.advance(1_000);
  assert.equal(await sending, 3);
});

test('an attempt that takes too long is called off and another instance asked', async () => {
  const { lb, clock } = await balancer(['a', 'b'], { attemptTimeoutMs: 100 });
  let aborted = 0;
  const sending = lb.send({}, ({ host }, { signal, attempt }) =>
    attempt === 1 ? silence(signal, () => aborted++) : host,
  );
  await clock.advance(100);
  assert.match(await sending, /a|b/u);
  assert.equal(aborted, 1);
  const late = lb.send({ attemptsMax: 1 }, (_, { signal }) => silence(signal, () => undefined));
  const rejected = assert.rejects(late, AttemptTimeoutError);
  await clock.advance(100);
  await rejected;
  assert.equal(pendingOf(lb), 0);
  assert.equal(clock.pendingTimers, 0);
});

test("the caller's signal calls everything off, with its reason", async () => {
  const { lb, clock } = await balancer(['a', 'b'], { attemptTimeoutMs: 500 });
  const caller = new AbortController();
  let aborted = 0;
  const sending = lb.send({ signal: caller.signal }, (_, { signal }) =>
    silence(signal, () => aborted++),
  );
  const rejected = assert.rejects(sending, /enough/u);
  await clock.advance(10);
  caller.abort(new Error('enough'));
  await rejected;
  assert.equal(aborted, 1);
  assert.equal(pendingOf(lb), 0);
  assert.equal(clock.pendingTimers, 0);
  await assert.rejects(
    lb.send({ signal: caller.signal }, () => 1),
    /enough/u,
  );
});

test('a hedge goes out after what nearly all take, and the slower one is called off', async () => {
  const { lb, clock } = await balancer(['a', 'b', 'c'], { hedge: { ratio: 1 } });
  for (let i = 0; i < 40; i++) {
    const sending = lb.send({}, () => new Promise((resolve) => clock.after(10, () => resolve(0))));
    await clock.advance(10);
    await sending;
  }
  const began: number[] = [];
  let aborted = 0;
  const start = clock.monotonicMs();
  const hedged = lb.hedge({}, ({ host }, { attempt, signal }) => {
    began.push(clock.monotonicMs() - start);
    return attempt === 1 ? silence(signal, () => aborted++) : host;
  });
  await clock.advance(100);
  assert.match(await hedged, /a|b|c/u);
  assert.equal(began.length, 2);
  assert.ok(began[1]! >= 10 && began[1]! <= 12, `after ${began[1]} ms`);
  assert.equal(aborted, 1);
  assert.equal(pendingOf(lb), 0);
});

test('hedges are never more than their ratio of the requests', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0, 0.05, 0.1, 0.5), async (ratio) => {
      const { lb, clock } = await balancer(['a', 'b', 'c'], {
        hedge: { ratio, delayMs: 5 },
        outliers: false,
      });
      let calls = 0;
      for (let i = 0; i < 50; i++) {
        const sending = lb.hedge({}, () => {
          calls++;
          return new Promise((resolve) => clock.after(20, () => resolve(0)));
        });
        await clock.advance(40);
        await sending;
      }
      assert.ok(calls - 50 <= Math.ceil(50 * ratio), `${calls - 50} hedges`);
    }),
    { numRuns: 8 },
  );
});

test('fan-out asks different instances at once and is done when enough have answered', async () => {
  const { lb } = await balancer(['a', 'b', 'c', 'd']);
  const asked: string[] = [];
  let aborted = 0;
  const answers = await lb.fanOut({ count: 3, needed: 2 }, ({ host }, { signal }) => {
    asked.push(host);
    return asked.length === 1 ? silence(signal, () => aborted++) : host;
  });
  assert.equal(new Set(asked).size, 3);
  assert.deepEqual(
    answers.map(({ instance }) => instance.host),
    asked.slice(1),
  );
  await settled();
  assert.equal(aborted, 1);
  await assert.rejects(
    lb.fanOut({ needed: 3 }, ({ host }) => {
      if (host < 'c') throw new Error(host);
      return host;
    }),
    FanOutError,
  );
  assert.equal(pendingOf(lb), 0);
});

test('keys stay where they are while instances come and go', async () => {
  const { lb, registry } = await balancer(['a', 'b', 'c', 'd'], { policy: 'consistent-hash' });
  const placeOf = (key: string): Promise<string> => lb.send({ key }, ({ host }) => host);
  const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);
  const before = await Promise.all(keys.map(placeOf));
  registry.set('s', hosts('a', 'b', 'c'));
  const after = await Promise.all(keys.map(placeOf));
  for (const [i, host] of before.entries()) if (host !== 'd') assert.equal(after[i], host);
  assert.throws(
    () =>
      new LoadBalancer({
        ...{ registry, service: 's', policy: 'consistent-hash', subset: 'deterministic' },
      }),
    TypeError,
  );
});

test('without the registry the last list serves; without any list there is nobody', async () => {
  const { lb, registry } = await balancer(['a', 'b']);
  registry.setReachable(false);
  assert.equal(await lb.send({}, () => 'answer'), 'answer');
  assert.equal(lb.status().isReachable, false);
  registry.set('s', []);
  assert.equal(await lb.send({}, () => 'answer'), 'answer');
  const none = await balancer([]);
  await assert.rejects(
    none.lb.send({}, () => 1),
    NoInstanceError,
  );
});

test('the stored list serves when the registry does not answer, and is replaced when it does', async () => {
  const clock = new ManualClock();
  const registry = new StaticRegistry({ s: hosts('a', 'b') }, {}, worldOf(clock));
  const kept = new Map<string, readonly ServiceInstance[]>();
  const store: InstanceStore = {
    load: (service) => Promise.resolve(kept.get(service) ?? null),
    save: (service, list) => Promise.resolve(void kept.set(service, list)),
  };
  const first = new LoadBalancer({ registry, service: 's', store });
  await Promise.all([first.start(), clock.advance(0)]);
  await first.close();
  assert.equal(kept.get('s')?.length, 2);

  registry.setReachable(false);
  const second = new LoadBalancer({ registry, service: 's', store, registryWaitMs: 500 });
  const sending = second.send({}, ({ host }) => host);
  await clock.advance(499);
  assert.equal(second.instances.length, 0);
  await clock.advance(1);
  assert.match(await sending, /a|b/u);
  registry.setReachable(true);
  registry.set('s', hosts('c'));
  assert.equal(await second.send({}, ({ host }) => host), 'c');
});

test('who drains or starts gets nothing new; who is down only in panic', async () => {
  const { lb, registry } = await balancer(['a', 'b']);
  registry.set('s', [
    { host: 'a', port: 80, health: 'draining' },
    { host: 'b', port: 80, health: 'starting' },
    { host: 'c', port: 80 },
    { host: 'd', port: 80, health: 'down' },
  ]);
  for (let i = 0; i < 20; i++) assert.equal(await lb.send({}, ({ host }) => host), 'c');
  registry.set('s', [
    { host: 'c', port: 80, health: 'down' },
    { host: 'd', port: 80, health: 'down' },
  ]);
  assert.equal(lb.status().isPanicking, true);
  assert.match(await lb.send({}, ({ host }) => host), /c|d/u);
});

test('a subset uses its part by its position among the peers', async () => {
  const clock = new ManualClock();
  const names = Array.from({ length: 30 }, (_, i) => `h${i}`);
  const seen = new Map<string, number>();
  for (let index = 0; index < 10; index++) {
    const registry = new StaticRegistry(
      { s: hosts(...names) },
      { position: { index, count: 10 } },
      worldOf(clock),
    );
    const lb = new LoadBalancer({ registry, service: 's', subset: 'deterministic' });
    await Promise.all([lb.start(), clock.advance(0)]);
    const { size, targets } = lb.status();
    assert.ok(size <= 4, `${size} of 30`);
    for (const { id, share } of targets) seen.set(id, (seen.get(id) ?? 0) + share);
  }
  const shares = [...seen.values()];
  assert.ok(Math.max(...shares) / Math.min(...shares) < 1 + 1e-6);
});

test('picked by hand, ended once', async () => {
  const { lb } = await balancer(['a']);
  const picked = lb.pick();
  assert.equal(pendingOf(lb), 1);
  picked?.end('success');
  picked?.end('failure');
  assert.equal(pendingOf(lb), 0);
  assert.equal(lb.pick({}, ['a:80']), null);
});

test('closed is closed', async () => {
  const { lb, registry } = await balancer(['a']);
  await lb.close();
  await assert.rejects(
    lb.send({}, () => 1),
    NoInstanceError,
  );
  registry.set('s', hosts('b'));
  assert.equal(lb.instances[0]?.host, 'a');
});
