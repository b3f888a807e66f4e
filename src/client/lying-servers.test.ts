import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { OpCode } from '../protocol/opcodes.js';
import { ConnectionLossError, ProtocolViolationError, ZkError } from './errors.js';
import { Stage, writeStat, type ScriptedConnection, type ScriptedServer } from './stage.fixture.js';
import type { Client } from './client.js';

/** Longest that anything may take: the session's timeout, and a little. */
const boundMs = 6_500;

function greetWith(server: ScriptedServer, greet: (connection: ScriptedConnection) => void): void {
  server.onGreeting = greet;
}

describe('servers that lie about the session', () => {
  const lies: Readonly<Record<string, (connection: ScriptedConnection) => void>> = {
    'say nothing': () => undefined,
    'close at once': (connection) => {
      connection.socket.destroy();
    },
    'send garbage': (connection) => {
      connection.sendRaw(Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 0xff));
    },
    'announce a huge frame': (connection) => {
      connection.sendRaw(Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 1, 2, 3));
    },
    'announce a negative one': (connection) => {
      connection.sendRaw(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    },
    'send a frame too short for an answer': (connection) => {
      connection.sendRaw(Uint8Array.of(0, 0, 0, 2, 0, 0));
    },
    'send an empty frame': (connection) => {
      connection.sendRaw(Uint8Array.of(0, 0, 0, 0));
    },
    'give no session to a new client': (connection) => {
      connection.server.welcome(connection, 0n, 0);
    },
    'give a negative timeout': (connection) => {
      connection.server.welcome(connection, 5n, -1);
    },
    'send a byte a second': (connection) => {
      const drip = (): void => {
        if (connection.isClosed) return;
        connection.sendRaw(Uint8Array.of(0));
        stageOf.get(connection.server)?.world.clock.after(1000, drip);
      };
      drip();
    },
  };
  const stageOf = new WeakMap<ScriptedServer, Stage>();

  for (const [what, lie] of Object.entries(lies)) {
    test(`${what}: connect fails in time, and finds an honest server instead`, async () => {
      const stage = new Stage();
      const liar = await stage.server('liar');
      stageOf.set(liar, stage);
      greetWith(liar, lie);
      const alone = stage.client('liar', { sessionTimeoutMs: 6000 });
      const error = await stage.failure(alone.connect(), boundMs);
      assert.ok(error instanceof ConnectionLossError);
      assert.ok(error.cause instanceof Error);
      await stage.server('honest');
      const client = stage.client('liar,honest', { sessionTimeoutMs: 6000, shuffle: false });
      await stage.outcome(client.connect(), boundMs);
      assert.equal(client.server?.host, 'honest');
    });
  }
});

describe('servers that lie about answers', () => {
  const lies: Readonly<Record<string, (connection: ScriptedConnection, xid: number) => void>> = {
    'say nothing': () => undefined,
    'answer another call': (connection, xid) => {
      connection.reply(xid + 7, 0);
    },
    'answer what was not asked': (connection) => {
      connection.reply(-2, 0);
      connection.reply(-2, 0);
    },
    'answer with an unknown number': (connection) => {
      connection.reply(-77, 0);
    },
    'cut the answer short': (connection, xid) => {
      connection.reply(xid, 0, (writer) => {
        writer.writeString('abc');
        writer.writeInt(1);
      });
    },
    'announce more data than there is': (connection, xid) => {
      connection.reply(xid, 0, (writer) => {
        writer.writeInt(1 << 30);
        writeStat(writer, 0);
      });
    },
    'announce negative data': (connection, xid) => {
      connection.reply(xid, 0, (writer) => {
        writer.writeInt(-9);
        writeStat(writer, 0);
      });
    },
    'announce a huge frame': (connection) => {
      connection.sendRaw(Uint8Array.of(0x7f, 0xff, 0xff, 0xff));
    },
    'send half a frame and stop': (connection) => {
      connection.sendRaw(Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 1));
    },
  };

  for (const [what, lie] of Object.entries(lies)) {
    test(`${what}: the call fails in time, and the client goes on`, async () => {
      const stage = new Stage();
      const server = await stage.server('h1');
      const client = stage.client('h1');
      await stage.outcome(client.connect());
      server.onRequest = (connection, request) => {
        if (request.op === OpCode.getData) lie(connection, request.xid);
        else server.answer(connection, request);
      };
      const error = await stage.failure(client.getData('/'), boundMs);
      assert.ok(error instanceof ConnectionLossError);
      assert.ok(error.cause instanceof Error);
      server.onRequest = (connection, request) => {
        server.answer(connection, request);
      };
      await stage.outcome(client.getData('/'), boundMs);
    });
  }

  test('pings answered and nothing else: the oldest call ends the connection', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    server.onRequest = (connection, request) => {
      if (request.op === OpCode.ping) connection.reply(-2, 0);
    };
    const error = await stage.failure(client.getData('/'), boundMs);
    assert.match(String(error.cause), /has not answered for/);
  });

  test('an event or an answer to setWatches that nobody waits for does no harm', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    server.connection.event(3, '/nobody');
    server.connection.event(77, '/nobody');
    server.connection.reply(-8, -6);
    server.connection.reply(-4, 0);
    await stage.outcome(client.getData('/'));
    assert.equal(server.connections.length, 1);
  });

  test('whatever bytes come, every call settles in time and nothing is thrown', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const stage = new Stage(seed);
      const random = new SeededRandom(seed);
      const server = await stage.server('h1');
      const client: Client = stage.client('h1', { sessionTimeoutMs: 6000 });
      await stage.outcome(client.connect());
      server.onRequest = (connection, request) => {
        if (random.chance(0.7)) {
          server.answer(connection, request);
          return;
        }
        const length = random.below(60);
        const frame = Uint8Array.from({ length: 4 + length }, () => random.below(256));
        if (random.chance(0.8)) frame.set([0, 0, 0, length]);
        if (random.chance(0.5) && length >= 8) frame.set([0, 0, 0, request.xid & 0xff], 4);
        connection.sendRaw(frame);
      };
      const calls: Promise<PromiseSettledResult<unknown>[]>[] = [];
      for (let i = 0; i < 20; i++) {
        const call = random.chance(0.5) ? client.getData('/') : client.setData('/', `${i}`);
        calls.push(Promise.allSettled([call]));
        await stage.pass(random.below(50));
      }
      const settled = await stage.outcome(Promise.all(calls), 4 * boundMs);
      for (const one of settled.flat()) {
        if (one.status === 'rejected') assert.ok(one.reason instanceof ZkError);
      }
    }
  });

  test('a reply longer than maxReplyBytes is named as such', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    server.data.set('/', 'x'.repeat(5000));
    const client = stage.client('h1', { maxReplyBytes: 1000 });
    await stage.outcome(client.connect());
    const error = await stage.failure(client.getData('/'));
    assert.ok(error.cause instanceof ProtocolViolationError);
    assert.match(error.cause.message, /maxReplyBytes/);
  });
});
