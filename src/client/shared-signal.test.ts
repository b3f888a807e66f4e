/** One signal may end a thousand calls: of a whole request, of a process that stops. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test, type TestContext } from 'node:test';
import type { Client } from './client.js';
import { Stage } from './stage.fixture.js';

const COUNT = 1000;

/** Fails the test when this process warns of anything from now on. */
function refuseWarnings(t: TestContext): () => Promise<void> {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(String(warning));
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  return async () => {
    // they are told a turn later
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(warnings, []);
  };
}

const many = <T>(make: (i: number) => T): T[] => Array.from({ length: COUNT }, (_, i) => make(i));

async function connected(): Promise<{ stage: Stage; client: Client }> {
  const stage = new Stage();
  await stage.server('h1');
  const client = stage.client('h1');
  await stage.outcome(client.connect());
  return { stage, client };
}

const kinds: readonly (readonly [
  name: string,
  call: (client: Client, signal: AbortSignal) => Promise<unknown>,
])[] = [
  ['reads', (client, signal) => client.getData('/', { signal })],
  ['writes', (client, signal) => client.setData('/', 'x', { signal })],
  ['watches', (client, signal) => client.addWatch('/', { signal }, () => undefined)],
  ['credentials', (client, signal) => client.addAuth('digest', 'a:b', { signal })],
];

for (const [name, call] of kinds) {
  test(`${name}: a thousand at one signal warn of nothing and leave nothing behind`, async (t) => {
    const check = refuseWarnings(t);
    const { stage, client } = await connected();
    const { signal } = new AbortController();
    const calls = many(() => call(client, signal));
    assert.ok(getEventListeners(signal, 'abort').length <= 1);
    await stage.outcome(Promise.all(calls));
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    await check();
  });

  test(`${name}: a thousand are ended by one signal`, async (t) => {
    const check = refuseWarnings(t);
    const { stage, client } = await connected();
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Promise.allSettled(many(() => call(client, signal)));
    const reason = new Error('enough');
    controller.abort(reason);
    const outcomes = await stage.outcome(calls);
    assert.ok(outcomes.every((one) => one.status === 'rejected' && one.reason === reason));
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    await check();
  });
}

test('calls of connect: a thousand at one signal', async (t) => {
  const check = refuseWarnings(t);
  const stage = new Stage();
  await stage.server('h1');
  const client = stage.client('h1');
  const { signal } = new AbortController();
  const calls = many(() => client.connect({ signal }));
  assert.ok(getEventListeners(signal, 'abort').length <= 1);
  await stage.outcome(Promise.all(calls));
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  await check();
});

test('streams: a thousand at one signal, ended by it or by themselves', async (t) => {
  const check = refuseWarnings(t);
  const { stage, client } = await connected();
  const controller = new AbortController();
  const { signal } = controller;
  const streams = many(() => client.watch('/', { signal }));
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  await stage.pass(100);
  const [first, ...others] = streams;
  await stage.outcome(first?.return?.() ?? Promise.reject(new Error('there is none')));
  const reason = new Error('enough');
  const outcomes = Promise.allSettled(others.map((stream) => stream.next()));
  controller.abort(reason);
  for (const one of await stage.outcome(outcomes)) {
    assert.ok(one.status === 'rejected' && one.reason === reason);
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  const { signal: other } = new AbortController();
  for (const stream of many(() => client.watch('/', { signal: other }))) {
    await stage.outcome(stream.return?.() ?? Promise.reject(new Error('there is none')));
  }
  assert.equal(getEventListeners(other, 'abort').length, 0);
  await check();
});
