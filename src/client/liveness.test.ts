import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OpCode } from '../protocol/opcodes.js';
import { Stage } from './stage.fixture.js';

const timeoutMs = 6000;

describe('liveness', () => {
  test('an idle client pings three times in a timeout, and no more', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    await stage.pass(60_000);
    assert.equal(client.state, 'connected');
    assert.ok(Math.abs(server.connection.ops.length - 30) <= 1);
    assert.ok(server.connection.ops.every((op) => op === OpCode.ping));
  });

  test('a server that falls silent: suspended at two thirds, another one in time', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const other = await stage.server('h2');
    other.sessions.add(1n);
    const client = stage.client('h1,h2', { shuffle: false });
    await stage.outcome(client.connect());
    await stage.pass(10_000);
    server.onRequest = () => undefined;
    const heardMs = server.connection.received.length * (timeoutMs / 3);
    await stage.until(() => client.state === 'suspended');
    assert.ok(stage.timeline.nowMs - heardMs <= (timeoutMs * 2) / 3 + 20);
    await stage.until(() => client.state === 'connected');
    assert.ok(stage.timeline.nowMs - heardMs < timeoutMs);
    assert.equal(client.sessionId, 1n);
    assert.equal(client.server?.host, 'h2');
  });

  test('its own busy loop does not cost the session: it is told, and the server asked', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    stage.stall(5000);
    await stage.pass(5100);
    assert.equal(client.state, 'connected');
    assert.equal(server.connections.length, 1);
    const log = stage.log.slice(2);
    assert.match(log[0] ?? '', /^stall 3\d\d\d$/);
    assert.match(log[1] ?? '', /suspended$/);
    assert.match(log[2] ?? '', /connected$/);
    assert.equal(client.sessionId, 1n);
  });

  test('an answer to what was asked before a stall proves nothing about the time after', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    await stage.until(() => server.connection.ops.length === 1);
    // the answer comes while the client is busy, and the server never speaks again
    server.onRequest = () => undefined;
    stage.stall(3900);
    await stage.pass(3950);
    assert.equal(client.state, 'connected');
    await stage.until(() => client.state === 'suspended');
    assert.ok(stage.timeline.nowMs <= 2000 + 4000 + 20);
  });

  test('a stall over the whole timeout: the server is asked, and says that it is over', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    stage.timeline.after(6500, () => {
      server.sessions.clear();
      server.connection.socket.destroy();
    });
    stage.stall(10_000);
    await stage.pass(12_000);
    const states = stage.log.slice(2).map((line) => line.replace(/^\d+ /, ''));
    assert.deepEqual(
      states.filter((line) => !line.startsWith('stall')),
      ['suspended', 'lost', 'session 2 new expired before 1', 'connected'],
    );
  });

  test("a short pause of the process is nobody's concern", async () => {
    const stage = new Stage();
    await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    for (let i = 0; i < 10; i++) {
      stage.stall(700);
      await stage.pass(1900);
    }
    assert.equal(stage.log.length, 2);
  });

  test('a busy client does not ping', async () => {
    const stage = new Stage();
    const server = await stage.server('h1');
    const client = stage.client('h1');
    await stage.outcome(client.connect());
    for (let i = 0; i < 40; i++) {
      await stage.outcome(client.getData('/'));
      await stage.pass(500);
    }
    assert.ok(!server.connection.ops.includes(OpCode.ping));
  });
});
