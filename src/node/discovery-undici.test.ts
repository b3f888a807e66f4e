import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NoInstanceError } from '../discovery/errors.js';
import { LoadBalancer } from '../discovery/load-balancer.js';
import { StaticRegistry } from './discovery-static.js';
import { balance, type UndiciOptions } from './discovery-undici.js';

interface Sent {
  readonly options: UndiciOptions;
  /** Calls an event of the handler, as undici would. */
  tell(name: string, ...args: unknown[]): void;
}

/** A dispatcher that keeps what it is given, and a handler that writes down what it hears. */
function stage(hosts: readonly string[], handles: readonly string[]) {
  const registry = new StaticRegistry({ s: hosts.map((host) => ({ host, port: 80 })) });
  const lb = new LoadBalancer({ registry, service: 's', policy: 'round-robin' });
  const sent: Sent[] = [];
  const heard: { readonly name: string; readonly args: readonly unknown[] }[] = [];
  const handler = Object.fromEntries(
    handles.map((name) => [name, (...args: unknown[]) => void heard.push({ name, args })]),
  );
  const dispatch = balance<UndiciOptions>(lb)((options, wrapped) => {
    sent.push({
      options,
      tell(name, ...args) {
        const method: unknown = Reflect.get(wrapped, name);
        assert.ok(typeof method === 'function');
        Reflect.apply(method, wrapped, args);
      },
    });
    return true;
  });
  const pending = (): number =>
    lb.status().targets.reduce((sum, target) => sum + target.pending, 0);
  return { lb, sent, heard, pending, handler, dispatch };
}

const seventh = ['onRequestStart', 'onResponseStart', 'onResponseEnd', 'onResponseError'];
const sixth = ['onConnect', 'onHeaders', 'onComplete', 'onError'];

function controller() {
  const calls: unknown[] = [];
  return { calls, abort: (reason: unknown) => void calls.push(reason) };
}

test('undici 7: an attempt that fails before its answer is made again elsewhere, unseen', async () => {
  const { lb, sent, heard, pending, handler, dispatch } = stage(['a', 'b'], seventh);
  await lb.start();
  dispatch({ origin: 'http://s', method: 'GET' }, handler);
  await lb.start();
  const [one, two] = [controller(), controller()];
  sent[0]?.tell('onRequestStart', one, {});
  sent[0]?.tell('onResponseError', one, new Error('reset'));
  assert.equal(sent.length, 2);
  sent[1]?.tell('onRequestStart', two, {});
  const origins = sent.map(({ options }) => String(options.origin)).sort();
  assert.deepEqual(origins, ['http://a:80', 'http://b:80']);

  // what the user was given with the first attempt calls the second one off
  const [handle] = heard[0]?.args ?? [];
  (handle as { abort(reason: unknown): void }).abort('enough');
  assert.deepEqual([one.calls, two.calls], [[], ['enough']]);

  sent[1]?.tell('onResponseStart', two, 200, {}, 'OK');
  assert.equal(pending(), 0);
  sent[1]?.tell('onResponseEnd', two, {});
  assert.deepEqual(
    heard.map(({ name }) => name),
    ['onRequestStart', 'onResponseStart', 'onResponseEnd'],
  );
});

test('undici 6: a failure after the answer has begun is told, and so is the last one', async () => {
  const { lb, sent, heard, pending, handler, dispatch } = stage(['a', 'b'], sixth);
  await lb.start();
  dispatch({ origin: 'http://s', method: 'GET' }, handler);
  await lb.start();
  sent[0]?.tell('onConnect', () => undefined);
  sent[0]?.tell('onHeaders', 200, [], () => undefined, 'OK');
  sent[0]?.tell('onError', new Error('cut off'));
  assert.equal(sent.length, 1);
  dispatch({ origin: 'http://s', method: 'POST', body: 'x' }, handler);
  await lb.start();
  sent[1]?.tell('onError', new Error('refused'));
  assert.equal(sent.length, 2);
  assert.equal(heard.filter(({ name }) => name === 'onError').length, 2);
  assert.equal(pending(), 0);
});

test('with nobody to send to, either generation hears of it', async () => {
  for (const handles of [sixth, seventh]) {
    const { lb, sent, heard, handler, dispatch } = stage([], handles);
    dispatch({ origin: 'http://s' }, handler);
    await lb.start();
    assert.equal(sent.length, 0);
    assert.ok(heard.at(-1)?.args.at(-1) instanceof NoInstanceError);
  }
});
