import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { ConnectionLossError, UnimplementedError } from './errors.js';
import { HostList } from './host-list.js';
import { Stage, type ScriptedServer } from './stage.fixture.js';
import type { ServerAddress } from './types.js';

function serversOf(...names: string[]): ServerAddress[] {
  return names.map((host) => ({ host, port: 2181 }));
}

describe('other servers', () => {
  /** How many of 6,000 clients are where after the list has changed. */
  function spread(before: readonly string[], after: readonly string[]): Map<string, number> {
    const random = new SeededRandom(7);
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const hosts = new HostList(serversOf(...before), true, () => random.fraction());
      const current = hosts.next()!;
      const isMoving = hosts.update(serversOf(...after), current);
      const { host } = isMoving ? hosts.next()! : current;
      counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    return counts;
  }

  const changes: readonly [string, string][] = [
    ['a b c', 'a b c d e'],
    ['a b c d e', 'a b c'],
    ['a b c', 'd e f'],
    ['a b c', 'b c d'],
    ['a b c d', 'c d e'],
    ['a', 'a b'],
    ['a b c', 'a b c'],
  ];
  for (const [before, after] of changes) {
    test(`from ${before} to ${after}: each gets its share`, () => {
      const names = after.split(' ');
      const counts = spread(before.split(' '), names);
      const share = 6000 / names.length;
      assert.equal(counts.size, names.length);
      for (const count of counts.values()) assert.ok(Math.abs(count - share) < share * 0.1);
    });
  }

  test('the same list again moves nobody, and more servers move only as many as must', () => {
    const random = new SeededRandom(3);
    let moved = 0;
    for (let i = 0; i < 3000; i++) {
      const hosts = new HostList(serversOf('a', 'b', 'c'), true, () => random.fraction());
      const current = hosts.next();
      assert.equal(hosts.update(serversOf('c', 'b', 'a'), current), false);
      if (hosts.update(serversOf('a', 'b', 'c', 'd'), current)) moved++;
    }
    assert.ok(Math.abs(moved - 750) < 90);
  });

  test('updateServers takes a client off a server that goes, losing no call', async () => {
    const stage = new Stage();
    const first = await stage.server('h1');
    const second = await stage.server('h2');
    second.sessions.add(1n);
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const held: (() => void)[] = [];
    first.onRequest = (connection, request) => {
      held.push(() => {
        first.answer(connection, request);
      });
    };
    const sent = client.getData('/');
    await stage.pass(10);
    client.updateServers('h2');
    const waiting = client.getData('/');
    await stage.pass(10);
    assert.equal(client.server?.host, 'h1');
    for (const answer of held) answer();
    await stage.outcome(Promise.all([sent, waiting]));
    assert.deepEqual(client.server, { host: 'h2', port: 2181 });
    assert.deepEqual(second.connection.ops, [OpCode.getData]);
  });

  test('a DNS SRV name is looked up again while connected', async () => {
    const stage = new Stage();
    await stage.server('h1');
    const second = await stage.server('h2');
    second.sessions.add(1n);
    stage.srv.set('zk', serversOf('h1'));
    const client = stage.client('dns-srv://zk');
    await stage.outcome(client.connect());
    stage.srv.set('zk', serversOf('h2'));
    await stage.until(() => client.server?.host === 'h2');
    stage.srv.delete('zk');
    await stage.pass(130_000);
    assert.equal(client.server?.host, 'h2');
    assert.equal(client.sessionId, 1n);
  });
});

describe('read-only servers', () => {
  async function isroStage(): Promise<{ stage: Stage; ro: ScriptedServer }> {
    const stage = new Stage();
    const ro = await stage.server('ro');
    ro.isReadOnly = true;
    ro.nextId = 500n;
    return { stage, ro };
  }

  test('serve until one with a quorum is found; only that one gives a lasting session', async () => {
    const { stage, ro } = await isroStage();
    const client = stage.client('ro,rw', { readOnly: true, shuffle: false });
    await stage.outcome(client.connect());
    assert.equal(client.isReadOnly, true);
    assert.equal(ro.connection.greeting?.readOnly, true);
    await stage.pass(5000);
    assert.equal(client.isReadOnly, true);
    const words: string[] = [];
    const rw = await stage.server('rw');
    rw.onAccept = (connection) => {
      const onData = connection.onData.bind(connection);
      connection.onData = (bytes, start, end): void => {
        const text = new TextDecoder().decode(bytes.subarray(start, end));
        if (text !== 'isro') {
          onData(bytes, start, end);
          return;
        }
        words.push(text);
        connection.sendRaw(new TextEncoder().encode('rw'));
        connection.socket.end();
      };
    };
    await stage.until(() => !client.isReadOnly && client.state === 'connected');
    assert.deepEqual(words, ['isro']);
    assert.equal(rw.connection.greeting?.sessionId, 0n);
    assert.equal(client.sessionId, 1n);
    assert.ok(!stage.log.some((line) => line.endsWith('lost')));
    assert.equal(stage.log.at(-2), 'session 1 new first before 500');
  });
});

describe('servers that are older than an operation', () => {
  function refuse(server: ScriptedServer, op: number, how: 'word' | 'silence'): void {
    server.onRequest = (connection, request) => {
      if (request.op !== op) {
        server.answer(connection, request);
        return;
      }
      if (how === 'word') connection.reply(request.xid, ErrorCode.unimplemented);
      connection.socket.end();
    };
  }

  test('are asked once: then the fallback, without a reconnect', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    refuse(server, OpCode.multiRead, 'word');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const reads = [
      { type: 'getData', path: '/' },
      { type: 'getData', path: '/no' },
    ] as const;
    for (let i = 0; i < 3; i++) {
      const [found, missing] = await stage.outcome(client.multiRead(reads));
      assert.ok(found !== undefined && 'data' in found);
      assert.ok(missing instanceof Error);
    }
    assert.equal(server.connections.length, 2);
  });

  test('without a fallback: said to be unimplemented, and the connection stays', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    refuse(server, OpCode.whoAmI, 'word');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    for (let i = 0; i < 3; i++) {
      assert.ok((await stage.failure(client.whoAmI())) instanceof UnimplementedError);
      await stage.pass(1000);
      assert.equal(client.state, 'connected');
    }
    assert.equal(server.connections.length, 2);
  });

  test('those that close without a word are believed after the second time', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    refuse(server, OpCode.getAllChildrenNumber, 'silence');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    for (let i = 0; i < 2; i++) {
      const error = await stage.failure(client.getAllChildrenNumber('/'));
      assert.ok(error instanceof ConnectionLossError);
      await stage.until(() => client.state === 'connected');
    }
    assert.equal(await stage.outcome(client.getAllChildrenNumber('/')), 0);
    assert.equal(server.connections.length, 3);
  });
});

describe('a session that comes to a server older than its persistent watches', () => {
  for (const how of ['word', 'silence'] as const) {
    test(`which says so by ${how}: they are followed by one-shot ones, without end`, async () => {
      const stage = new Stage();
      const young = await stage.server('h1');
      const old = await stage.server('h2');
      old.sessions.add(1n);
      old.onRequest = (connection, request) => {
        const isYoung = request.op === OpCode.setWatches2 || request.op === OpCode.addWatch;
        if (!isYoung) {
          old.answer(connection, request);
          return;
        }
        if (how === 'word') connection.reply(request.xid, ErrorCode.unimplemented);
        connection.socket.end();
      };
      const client = stage.client('h1,h2', { shuffle: false });
      await stage.outcome(client.connect());
      const told: string[] = [];
      await stage.outcome(client.addWatch('/', {}, ({ type }) => told.push(type)));
      stage.network.reception = (_, { host }) => (host === 'h1' ? 'refused' : 'answered');
      young.connection.socket.destroy();
      await stage.pass(5000);
      assert.equal(client.state, 'connected');
      const connections = old.connections.length;
      assert.ok(connections <= 4, `${connections} connections`);
      await stage.pass(60_000);
      assert.equal(old.connections.length, connections);
      assert.ok(told.includes('gap'));
      told.length = 0;
      old.connection.event(3, '/');
      await stage.pass(100);
      assert.ok(old.connection.ops.includes(OpCode.exists));
      assert.equal(client.sessionId, 1n);
    });
  }
});

describe('a session that moves house', () => {
  test('detach answers what was asked, leaves, and the ticket takes it on', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1/app');
    await stage.outcome(client.connect());
    const reading = client.getData('/').catch(() => 'no such');
    const ticket = await stage.outcome(client.detach());
    assert.equal(await reading, 'no such');
    assert.equal(client.state, 'closed');
    assert.ok(!server.connection.ops.includes(OpCode.closeSession));
    const copy = JSON.parse(JSON.stringify(ticket)) as typeof ticket;
    assert.deepEqual(copy, {
      connectString: 'h1:2181/app',
      sessionId: '0x1',
      password: Buffer.alloc(16, 7).toString('base64'),
      timeoutMs: 6000,
      lastZxid: '0x66',
    });
    const heir = stage.heir(copy);
    await stage.outcome(heir.connect());
    assert.equal(heir.sessionId, 1n);
    assert.equal(server.connection.greeting?.lastZxidSeen, 0x66n);
    assert.deepEqual([...(server.connection.greeting.passwd ?? [])], Array(16).fill(7));
    assert.equal(stage.log.at(-2), 'session 1 same resumed before none');
  });

  test('a ticket of a session that is over: the heir is told', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    const ticket = await stage.outcome(client.detach());
    server.sessions.clear();
    const heir = stage.heir(ticket);
    const error = await stage.failure(heir.connect());
    assert.match(error.message, /^SESSIONEXPIRED/);
    assert.equal(heir.state, 'closed');
  });
});
