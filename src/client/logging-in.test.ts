import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OpCode } from '../protocol/opcodes.js';
import { AuthFailedError, ConnectionLossError } from './errors.js';
import type { SaslMechanism } from './sasl.js';
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

  test('a server that asks for ever is no server', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    saslServer(server, []);
    const endless: SaslMechanism = { ...chatty(), respond: () => new Uint8Array(1) };
    const client = stage.client('h1', { sasl: () => endless, sessionTimeoutMs: 3000 });
    assert.ok((await stage.failure(client.connect(), 3100)) instanceof AuthFailedError);
  });
});
