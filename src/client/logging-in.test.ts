import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OpCode } from '../protocol/opcodes.js';
import { AuthFailedError, ConnectionLossError } from './errors.js';
import { SaslError, type SaslMechanism } from './sasl.js';
import { Stage, type ScriptedServer } from './stage.fixture.js';

/** Says hello to each host, and is content with the second answer. */
function chatty(): SaslMechanism {
  let answers = 0;
  return {
    name: 'CHATTY',
    start: (host) => new TextEncoder().encode(`hello ${host}`),
    respond: (token) => {
      answers++;
      if (new TextDecoder().decode(token ?? new Uint8Array()) === 'no') throw new Error('refused');
      return answers === 2 ? null : new TextEncoder().encode('and so');
    },
  };
}

function saslServer(server: ScriptedServer, says: readonly string[]): string[] {
  const heard: string[] = [];
  server.onRequest = (connection, request) => {
    if (request.op !== OpCode.sasl) {
      heard.push(`op ${request.op}`);
      server.answer(connection, request);
      return;
    }
    heard.push(request.reader.readString() ?? '');
    const answer = says[heard.length - 1] ?? 'more';
    if (answer === 'close') connection.socket.end();
    else if (answer === 'deny') connection.reply(request.xid, -115);
    else connection.reply(request.xid, 0, (writer) => writer.writeString(answer));
  };
  return heard;
}

/** It ends each connection that long after it has welcomed the client. */
function closeAfter(stage: Stage, server: ScriptedServer, delayMs: number): void {
  server.onGreeting = (connection, request) => {
    server.greet(connection, request);
    stage.timeline.at(stage.timeline.nowMs + delayMs, () => {
      connection.socket.end();
    });
  };
}

describe('logging in by SASL', () => {
  test('comes before credentials, watches and calls, on every connection', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const heard = saslServer(server, ['one', 'two']);
    const client = stage.client('h1', {
      sasl: chatty,
      auth: [{ scheme: 'digest', auth: 'a:b' }],
    });
    const connecting = client.connect();
    const reading = client.getData('/', { watch: () => undefined });
    await stage.outcome(connecting);
    await stage.outcome(reading);
    const first = ['hello h1', 'and so', `op ${OpCode.auth}`];
    assert.deepEqual(heard, [...first, `op ${OpCode.getData}`]);
    server.connection.socket.destroy();
    await stage.until(() => client.state === 'suspended');
    await stage.outcome(client.exists('/'));
    assert.deepEqual(heard.slice(4), [...first, `op ${OpCode.setWatches}`, `op ${OpCode.exists}`]);
  });

  for (const [what, says] of [
    ['a mechanism that does not trust the server', ['no']],
    ['a server that refuses', ['one', 'deny']],
  ] as const) {
    test(`${what}: connect fails, the event says so`, async () => {
      const stage = new Stage();
      const server = await stage.server('h1');
      saslServer(server, says);
      const client = stage.client('h1', { sasl: chatty });
      const told: string[] = [];
      client.on('auth', ({ scheme }) => told.push(scheme));
      const error = await stage.failure(client.connect());
      assert.ok(error instanceof AuthFailedError);
      assert.ok(error.cause instanceof Error);
      assert.deepEqual(told, ['sasl']);
      assert.equal(client.state, 'connecting');
    });
  }

  test('a server that goes away meanwhile is tried again, in bounded time', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    saslServer(server, Array<string>(1000).fill('close'));
    const client = stage.client('h1', { sasl: chatty, sessionTimeoutMs: 3000 });
    const error = await stage.failure(client.connect(), 3100);
    assert.ok(error instanceof ConnectionLossError);
  });

  describe('a mechanism that never comes to an end, as where no KDC answers', () => {
    /** Begun and given up, each with how long it was waited for. */
    function silent(isSilent = (): boolean => true): { start: () => SaslMechanism; log: string[] } {
      const log: string[] = [];
      const start = (): SaslMechanism => ({
        ...chatty(),
        name: 'SILENT',
        start: () => {
          log.push('asked');
          return isSilent() ? new Promise<never>(() => undefined) : new Uint8Array();
        },
        giveUp: (waitedMs) => {
          log.push(`silent for ${waitedMs}`);
          return new SaslError(`nobody has answered for ${waitedMs} ms`, { isTemporary: true });
        },
      });
      return { start, log };
    }

    for (const [what, options, connecting, bounds] of [
      ['a short attempt', { connectTimeoutMs: 100 }, {}, [50, 100]],
      [
        'an attempt as long as a short session allows',
        { sessionTimeoutMs: 3000 },
        {},
        [1000, 2000],
      ],
      ['a short connect()', {}, { timeoutMs: 700 }, [350, 700]],
      ['an attempt that outlasts the session', { connectTimeoutMs: 60_000 }, {}, [5990, 6000]],
    ] as const) {
      test(`${what} ends by saying so`, async () => {
        const stage = new Stage();
        const server = await stage.server('h1');
        closeAfter(stage, server, server.timeoutMs);
        const { start, log } = silent();
        const client = stage.client('h1', { sasl: start, ...options });
        const told: Error[] = [];
        client.on('auth', ({ reason }) => told.push(reason));
        const error = await stage.failure(client.connect(connecting), 40_000);
        assert.ok(error instanceof AuthFailedError, String(error));
        assert.ok(error.cause instanceof SaslError);
        assert.match(error.cause.message, /^nobody has answered for \d+ ms$/);
        const waitedMs = Number(/\d+/.exec(error.cause.message)?.[0]);
        assert.ok(waitedMs >= bounds[0] && waitedMs <= bounds[1], `${waitedMs} ms`);
        assert.deepEqual(log, ['asked', `silent for ${waitedMs}`]);
        assert.deepEqual(told, 'timeoutMs' in connecting ? [] : [error]);
        assert.equal(client.state, 'connecting');
      });
    }

    test('is not blamed for a server that leaves at once', async () => {
      const stage = new Stage();
      const server = await stage.server('h1');
      closeAfter(stage, server, 10);
      const { start, log } = silent();
      const client = stage.client('h1', { sasl: start, sessionTimeoutMs: 3000 });
      const error = await stage.failure(client.connect({ rounds: 1 }));
      assert.ok(error instanceof ConnectionLossError);
      assert.match(String(error.cause), /h1:2181 closed the connection/);
      assert.deepEqual(log, ['asked']);
    });

    test('costs a client that was connected no more than the time', async () => {
      const stage = new Stage();
      const server = await stage.server('h1');
      let isSilent = false;
      const { start, log } = silent(() => isSilent);
      const client = stage.client('h1', { sasl: start, connectTimeoutMs: 1000 });
      const told: string[] = [];
      client.on('auth', ({ reason }) => told.push(reason.name));
      await stage.outcome(client.connect());
      isSilent = true;
      server.connection.socket.destroy();
      await stage.until(() => told.length === 2);
      assert.equal(client.state, 'suspended');
      isSilent = false;
      await stage.until(() => client.state === 'connected');
      assert.deepEqual(
        log.filter((what) => what !== 'asked'),
        ['silent for 996', 'silent for 996'],
      );
    });

    for (const [what, withinMs] of [
      ['its attempt', Infinity],
      ['its server', 700],
    ] as const) {
      test(`who closes the client on being told that ${what} is over is asked for no more`, async () => {
        const stage = new Stage();
        const server = await stage.server('h1');
        server.timeoutMs = Math.min(server.timeoutMs, withinMs);
        closeAfter(stage, server, withinMs);
        const client = stage.client('h1', { sasl: silent().start, connectTimeoutMs: 1000 });
        client.on('auth', () => void client.close());
        await stage.failure(client.connect());
        await stage.pass(20_000);
        assert.equal(client.state, 'closed');
        assert.equal(server.connections.length, 1);
      });
    }
  });

  test('a server that asks for ever is no server', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    saslServer(server, []);
    const endless: SaslMechanism = { ...chatty(), respond: () => new Uint8Array(1) };
    const client = stage.client('h1', { sasl: () => endless, sessionTimeoutMs: 3000 });
    assert.ok((await stage.failure(client.connect(), 3100)) instanceof AuthFailedError);
  });
});
