import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OpCode } from '../protocol/opcodes.js';
import {
  AuthFailedError,
  ClientClosedError,
  ConnectionLossError,
  OutcomeUnknownError,
  SessionExpiredError,
} from './errors.js';
import { reasonOf, Stage } from './stage.fixture.js';

describe('coming to a session', () => {
  test('connects, is told its session first, and says goodbye', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    assert.equal(client.sessionId, 1n);
    assert.equal(client.sessionTimeoutMs, 6000);
    assert.deepEqual(client.server, { host: 'h1', port: 2181 });
    await stage.outcome(client.close());
    assert.deepEqual(server.connection.ops, [OpCode.closeSession]);
    assert.deepEqual(stage.log, ['session 1 new first before none', '4 connected', '6 closed']);
    const late = await stage.failure(client.getData('/'));
    assert.ok(late instanceof ClientClosedError);
  });

  test('goes through the list, and through a host that has several addresses', async () => {
    const stage = new Stage();
    await stage.server('10.0.0.2');
    stage.addresses.set('many', ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    const client = stage.client('gone:2181,many:2181', { shuffle: false });
    await stage.outcome(client.connect());
    assert.deepEqual(client.server, { host: 'many', port: 2181 });
    assert.deepEqual(stage.asked, ['gone', 'many']);
  });

  test('asks the resolver at every attempt, and finds a server that has moved', async () => {
    const stage = new Stage();
    await stage.server('10.0.0.1');
    const second = await stage.server('10.0.0.2');
    second.sessions.add(1n);
    stage.addresses.set('zk', ['10.0.0.1']);
    const client = stage.client('zk');
    await stage.outcome(client.connect());
    stage.addresses.set('zk', ['10.0.0.2']);
    stage.servers[0]?.connection.socket.destroy();
    await stage.until(() => client.state === 'suspended');
    await stage.until(() => client.state === 'connected');
    assert.equal(second.connections.length, 1);
    assert.equal(client.sessionId, 1n);
  });

  test('connect gives up in time when nobody answers, and may be called again', async () => {
    const stage = new Stage();
    const client = stage.client('h1', { sessionTimeoutMs: 5000 });
    const [failed, waiting] = await stage.outcomes([client.connect(), client.getData('/')]);
    assert.ok(failed instanceof ConnectionLossError);
    assert.match(String(failed.cause), /ECONNREFUSED/);
    assert.ok(waiting instanceof ConnectionLossError);
    assert.ok(Math.abs(stage.timeline.nowMs - 5000) < 10);
    await stage.server('h1');
    await stage.outcome(client.connect());
    assert.equal(client.state, 'connected');
  });

  test('connect gives up when all were tried so often as it is told', async () => {
    const stage = new Stage();
    const client = stage.client('h1,h2', { backoff: { minMs: 1000, maxMs: 1000 } });
    let tried = 0;
    stage.network.reception = () => {
      tried++;
      return 'refused';
    };
    const failed = await stage.failure(client.connect({ rounds: 1 }));
    assert.ok(failed instanceof ConnectionLossError);
    assert.match(String(failed.cause), /ECONNREFUSED/);
    assert.equal(tried, 2);
    assert.ok(stage.timeline.nowMs < 100);
    await stage.failure(client.connect({ rounds: 3 }));
    assert.equal(tried, 2 + 6);
    await stage.pass(10_000);
    assert.equal(tried, 2 + 6);
  });

  test('pauses between rounds grow, with jitter, up to their bound', async () => {
    const stage = new Stage();
    const client = stage.client('h1,h2', { backoff: { minMs: 100, maxMs: 1600 } });
    client.connect({ timeoutMs: 20_000 }).catch(() => undefined);
    const times: number[] = [];
    stage.network.reception = () => {
      times.push(stage.timeline.nowMs);
      return 'refused';
    };
    await stage.pass(19_000);
    const pauses = times.filter((_, i) => i % 2 === 0).map((at, i, all) => at - (all[i - 1] ?? 0));
    const first = pauses.slice(1, 5);
    assert.ok(first.every((ms, i) => ms >= 50 * 2 ** i && ms <= 100 * 2 ** i + 10));
    assert.ok(pauses.slice(6).every((ms) => ms >= 800 && ms <= 1610));
    assert.ok(new Set(pauses.slice(6).map((ms) => Math.round(ms))).size > 3);
  });

  test('a signal ends connect, and everything that it had begun', async () => {
    const stage = new Stage();
    const client = stage.client('h1');
    const controller = new AbortController();
    const connecting = client.connect({ signal: controller.signal });
    await stage.pass(100);
    controller.abort(new Error('enough'));
    assert.equal((await stage.failure(connecting)).message, 'enough');
    const attempts = stage.asked.length;
    await stage.pass(60_000);
    assert.equal(stage.asked.length, attempts);
  });

  test("credentials are shown before anything else, and a refusal is connect's", async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    server.onRequest = (connection, request) => {
      if (request.op === OpCode.auth) {
        connection.reply(request.xid, -115);
        connection.socket.end();
      } else {
        server.answer(connection, request);
      }
    };
    const client = stage.client('h1', { auth: [{ scheme: 'digest', auth: 'a:b' }] });
    const reading = client.connect().then(() => client.getData('/'));
    assert.ok((await stage.failure(reading)) instanceof AuthFailedError);
    assert.deepEqual(server.connections[0]?.ops, [OpCode.auth]);
  });

  test('servers of a DNS SRV name, asked anew before each round', async () => {
    const stage = new Stage();
    await stage.server('10.0.0.7', 4000);
    const client = stage.client('dns-srv://zk.example');
    const connecting = client.connect();
    await stage.pass(1000);
    assert.ok(stage.asked.length > 1);
    stage.srv.set('zk.example', [{ host: '10.0.0.7', port: 4000 }]);
    await stage.outcome(connecting);
    assert.deepEqual(client.server, { host: '10.0.0.7', port: 4000 });
  });
});

describe('losing a connection', () => {
  test('what was sent fails, what was not is sent to the next server, in order', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    server.onRequest = () => undefined;
    const sent = Promise.allSettled([client.getData('/'), client.setData('/', 'x')]);
    await stage.pass(10);
    server.onRequest = (connection, request) => {
      server.answer(connection, request);
    };
    server.connection.socket.destroy();
    await stage.until(() => client.state === 'suspended');
    const later = [client.setData('/', 'y'), client.getData('/')] as const;
    const [read, write] = (await stage.outcome(sent)).map((one) => reasonOf(one));
    assert.ok(read instanceof ConnectionLossError);
    assert.ok(write instanceof OutcomeUnknownError);
    assert.deepEqual([write.xid, write.path], [2, '/']);
    await stage.outcome(later[0]);
    assert.equal(String((await stage.outcome(later[1])).data), 'y');
    assert.deepEqual(server.connection.ops, [OpCode.setData, OpCode.getData]);
    assert.deepEqual(
      server.connection.received.map(({ xid }) => xid),
      [3, 4],
    );
    assert.equal(server.connection.greeting?.sessionId, 1n);
  });

  test('a server that says the session has expired: lost, then a new one', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    server.sessions.clear();
    server.connection.socket.destroy();
    await stage.until(() => client.state === 'suspended');
    const inOld = client.getData('/');
    assert.ok((await stage.failure(inOld)) instanceof SessionExpiredError);
    await stage.until(() => client.state === 'connected');
    assert.deepEqual(
      stage.log.map((line) => line.replace(/^\d+ /, '')),
      [
        'session 1 new first before none',
        'connected',
        'suspended',
        'lost',
        'session 2 new expired before 1',
        'connected',
      ],
    );
    assert.equal(String((await stage.outcome(client.getData('/'))).data), '');
  });

  test('a server that silently gives another session: lost, and it is said so', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    server.onGreeting = (connection) => {
      server.welcome(connection, 99n, 6000);
    };
    server.connection.socket.destroy();
    await stage.until(() => client.sessionId === 99n);
    assert.deepEqual(
      stage.log.slice(2).map((line) => line.replace(/^\d+ /, '')),
      ['suspended', 'lost', 'session 99 new replaced before 1', 'connected'],
    );
  });

  test('without recreateSession the client is closed when its session is lost', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1', { recreateSession: false });
    await stage.outcome(client.connect());
    server.sessions.clear();
    server.connection.socket.destroy();
    await stage.until(() => client.state === 'closed');
    assert.ok((await stage.failure(client.getData('/'))) instanceof ClientClosedError);
    await stage.pass(60_000);
    assert.equal(server.connections.length, 2);
  });

  test('no word for the whole timeout: lost, without any server saying so', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const fromMs = stage.timeline.nowMs;
    stage.network.reception = () => 'ignored';
    server.connection.socket.destroy();
    await stage.until(() => client.state === 'lost');
    assert.ok(Math.abs(stage.timeline.nowMs - fromMs - 6000) < 20);
    stage.network.reception = () => 'answered';
    await stage.until(() => client.state === 'connected');
    assert.equal(client.sessionId, 2n);
  });
});
