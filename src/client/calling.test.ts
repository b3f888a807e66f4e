import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OpCode } from '../protocol/opcodes.js';
import { ArgumentError } from './argument-error.js';
import { ConnectionLossError, OutcomeUnknownError, RequestTimeoutError } from './errors.js';
import { reasonOf, Stage } from './stage.fixture.js';
import type { WatchEvent } from './types.js';

describe('calls', () => {
  test('made in one turn leave in one write and come back in order', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const order: number[] = [];
    const calls = Array.from({ length: 300 }, (_, i) =>
      (i % 3 === 0 ? client.setData('/', `${i}`) : client.getData('/')).then(() => order.push(i)),
    );
    assert.equal(server.connection.received.length, 0);
    await stage.outcome(Promise.all(calls));
    assert.deepEqual(order, [...order.keys()]);
    assert.equal(String((await stage.outcome(client.getData('/'))).data), '297');
  });

  test('what is wrong with the arguments is refused before anything is sent', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1', { maxRequestBytes: 100 });
    await stage.outcome(client.connect());
    const refused = await stage.outcomes([
      client.getData('a'),
      client.getData('/a//b'),
      client.create('/a/', ''),
      client.create('/a', 'x'.repeat(101)),
      client.create('/a', '', { mode: 'persistent-ttl' }),
      client.create('/a', '', { acl: [] }),
      client.setData('/a', '', { version: 1.5 }),
      client.getData('/a', { watch: 'me' as never }),
      client.multiRead([{ type: 'exists' as never, path: '/' }]),
      client.removeWatches('/a', { kind: 'all' as never }),
    ]);
    for (const error of refused) assert.ok(error instanceof ArgumentError, String(error));
    assert.equal(server.connection.received.length, 0);
    const inMiddle = refused[1] as ArgumentError;
    assert.equal(inMiddle.position, 3);
  });

  test('a signal: not sent is withdrawn, a read is dropped, a write is in doubt', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const held: (() => void)[] = [];
    server.onRequest = (connection, request) => {
      held.push(() => {
        server.answer(connection, request);
      });
    };
    const controller = new AbortController();
    const { signal } = controller;
    const sent = [client.getData('/', { signal }), client.setData('/', 'x', { signal })];
    const outcomes = Promise.allSettled(sent);
    await stage.pass(10);
    const withdrawn = Promise.allSettled([client.setData('/', 'y', { signal })]);
    const after = client.getData('/');
    const reason = new Error('changed my mind');
    controller.abort(reason);
    const [read, write] = await stage.outcome(outcomes);
    assert.equal(reasonOf(read), reason);
    const unknown = reasonOf(write);
    assert.ok(unknown instanceof OutcomeUnknownError);
    assert.equal(unknown.cause, reason);
    const [third] = await stage.outcome(withdrawn);
    assert.equal(reasonOf(third), reason);
    await stage.pass(10);
    for (const answer of held) answer();
    assert.equal(String((await stage.outcome(after)).data), 'x');
    assert.deepEqual(server.connection.ops, [OpCode.getData, OpCode.setData, OpCode.getData]);
    const again = client.getData('/', { signal });
    assert.equal(await stage.failure(again), reason);
  });

  test('requestTimeoutMs: reads and waiting calls time out, writes are in doubt', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1', { requestTimeoutMs: 500 });
    await stage.outcome(client.connect());
    server.onRequest = () => undefined;
    const fromMs = stage.timeline.nowMs;
    const [read, write] = await stage.outcomes([client.getData('/'), client.setData('/', '')]);
    assert.ok(read instanceof RequestTimeoutError);
    assert.ok(write instanceof OutcomeUnknownError);
    assert.ok(write.cause instanceof RequestTimeoutError);
    assert.ok(Math.abs(stage.timeline.nowMs - fromMs - 500) < 10);
    stage.network.reception = () => 'refused';
    server.connection.socket.destroy();
    await stage.until(() => client.state === 'suspended');
    const waiting = await stage.failure(client.getData('/'));
    assert.ok(waiting instanceof RequestTimeoutError);
  });

  test('nothing waits for a connection for longer than the session timeout', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    stage.network.reception = () => 'refused';
    server.connection.socket.destroy();
    await stage.until(() => client.state === 'lost');
    const fromMs = stage.timeline.nowMs;
    const [error] = await stage.outcomes([client.setData('/', '')]);
    assert.ok(error instanceof ConnectionLossError);
    assert.ok(stage.timeline.nowMs - fromMs <= 30_010);
  });

  test('many megabytes in one turn are cut into writes that the socket takes', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const data = 'z'.repeat(200_000);
    await stage.outcome(Promise.all(Array.from({ length: 40 }, () => client.setData('/', data))));
    assert.equal(server.connection.received.length, 40);
  });
});

describe('watches', () => {
  test('an event is told after the answers before it and before those behind it', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const order: string[] = [];
    const watch = (event: WatchEvent): void => {
      order.push(`${event.type} ${event.path}`);
    };
    server.onRequest = (connection, request) => {
      server.answer(connection, request);
      if (connection.received.length === 1) connection.event(3, '/');
    };
    const first = client.getData('/', { watch }).then(() => order.push('first'));
    const second = client.getData('/', { watch }).then(() => order.push('second'));
    await stage.outcome(Promise.all([first, second]));
    assert.deepEqual(order, ['first', 'changed /', 'second']);
    server.connection.event(3, '/');
    server.connection.event(3, '/');
    await stage.pass(10);
    assert.equal(order.length, 4);
  });

  test('are set again on the next server, before the calls that wait', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const watch = (): void => undefined;
    await stage.outcome(client.getData('/', { watch }));
    await stage.outcome(client.exists('/not/yet', { watch }));
    server.connection.socket.destroy();
    await stage.until(() => client.state === 'suspended');
    await stage.outcome(client.getData('/'));
    assert.deepEqual(server.connection.ops, [OpCode.setWatches, OpCode.getData]);
    const [setting] = server.connection.received;
    assert.equal(setting?.reader.readLong(), 102n);
  });

  test('paths of a handle are relative, in calls, answers and events', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    server.data.set('/app', 'a').set('/app/one/x', 'b');
    const client = stage.client('h1/app');
    await stage.outcome(client.connect());
    const one = client.chroot('/one');
    const told: WatchEvent[] = [];
    const got = await stage.outcome(one.getData('/x', { watch: (event) => told.push(event) }));
    assert.equal(String(got.data), 'b');
    assert.equal(String((await stage.outcome(client.getData('/'))).data), 'a');
    server.connection.event(2, '/app/one/x');
    await stage.pass(10);
    assert.deepEqual(told, [{ type: 'deleted', path: '/x', zxid: 101n + 2n }]);
    assert.equal((await stage.outcome(one.create('/y', ''))).path, '/y');
    assert.ok(server.data.has('/app/one/y'));
    assert.equal((await stage.failure(one.getData('/nope'))).message.includes('/app'), false);
  });
});
