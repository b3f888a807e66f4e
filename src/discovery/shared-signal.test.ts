/** One signal may end a thousand requests: Node takes more than ten listeners for a leak. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { ManualClock, worldOf } from './clock.fixture.js';
import { LoadBalancer } from './load-balancer.js';
import { StaticRegistry } from './static-registry.js';

const COUNT = 1000;

function balancer(): LoadBalancer {
  const registry = new StaticRegistry({ s: [{ host: 'a' }] }, {}, worldOf(new ManualClock()));
  return new LoadBalancer({ registry, service: 's' });
}

test('a thousand requests put one listener on their signal, and leave none', async () => {
  const lb = balancer();
  const { signal } = new AbortController();
  const sent = Array.from({ length: COUNT }, (_, i) => lb.send({ signal }, () => i));
  const fanned = Array.from({ length: COUNT }, (_, i) => lb.fanOut({ signal }, () => i));
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  assert.deepEqual((await Promise.all(sent)).at(-1), COUNT - 1);
  assert.equal((await Promise.all(fanned)).length, COUNT);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('one signal ends a thousand requests', async () => {
  const lb = await balancer().start();
  const controller = new AbortController();
  const { signal } = controller;
  const sent = Array.from({ length: COUNT }, () =>
    lb.send({ signal }, () => new Promise<never>(() => undefined)),
  );
  const reason = new Error('the process stops');
  await Promise.resolve();
  controller.abort(reason);
  for (const { status, ...rest } of await Promise.allSettled(sent)) {
    assert.equal(status, 'rejected');
    assert.equal((rest as { reason: unknown }).reason, reason);
  }
});
