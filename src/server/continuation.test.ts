import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  AttachStatus,
  ContinuationCapability,
  ContinuationOp,
  Fate,
  writeFateRequest,
} from '../protocol/continuation.js';
import { ErrorCode } from '../protocol/errors.js';
import { EventType } from '../protocol/events.js';
import { OpCode } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import type { Writer } from '../protocol/writer.js';
import { TestServer, type TestServerOptions } from '../testing/test-server.js';
import {
  ContinuingClient,
  createBody,
  everything,
  requestOf,
  type Standing,
} from './continuing-client.fixture.js';

const asksForAll = { capabilities: everything, generation: 0n };
const shows = (generation: bigint): typeof asksForAll => ({ ...asksForAll, generation });
const sequential = 2;
const limits = { timeout: 30_000 };

async function alone(
  options: TestServerOptions,
  act: (port: number, server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await TestServer.start(options);
  try {
    await act(server.port, server);
  } finally {
    await server.stop();
  }
}

test('a block is answered with a block, and none with none', limits, async () => {
  await alone({}, async (port) => {
    const plain = await ContinuingClient.attach(port, null, null);
    assert.equal(plain.standing.attach, null);
    const own = await ContinuingClient.attach(port, null, asksForAll);
    const { capabilities, status, generation, zxid } = own.granted;
    assert.equal(capabilities, everything);
    assert.equal(status, AttachStatus.ok);
    assert.equal(generation, zxid, 'a new session begins with its own transaction');
    const { zxid: next } = await own.create(1, '/a');
    assert.ok(next > zxid, 'what it writes comes behind');
    const again = await ContinuingClient.attach(port, own.standing, null);
    assert.equal(again.standing.attach, null);
  });
});

test('no more is granted than was asked for', limits, async () => {
  await alone({}, async (port) => {
    const { fate } = ContinuationCapability;
    const client = await ContinuingClient.attach(port, null, {
      capabilities: fate,
      generation: 0n,
    });
    assert.equal(client.granted.capabilities, fate);
    assert.deepEqual(await client.fates(1, 0n, []), []);
    client.post(3, ContinuationOp.catchUp);
    assert.equal((await client.reply(3)).error, ErrorCode.unimplemented);
    await client.untilClosed();
  });
});

test('whoever was granted nothing is refused as for any unknown operation', limits, async () => {
  await alone({}, async (port) => {
    for (const op of [ContinuationOp.fate, ContinuationOp.catchUp]) {
      const client = await ContinuingClient.attach(port, null, null);
      assert.equal((await client.call(1, op)).error, ErrorCode.unimplemented);
      await client.untilClosed();
    }
  });
});

test(
  'who is late is refused, and the session keeps the connection that it has',
  limits,
  async () => {
    await alone({}, async (port) => {
      const first = await ContinuingClient.attach(port, null, asksForAll);
      const old = first.granted.generation;
      const second = await ContinuingClient.attach(port, first.standing, asksForAll);
      await first.untilClosed();
      assert.ok(second.granted.generation > old, 'nothing was written, and it is another client');
      const late = await ContinuingClient.attach(port, first.standing, shows(old));
      assert.equal(late.hasSession, false);
      assert.equal(late.granted.status, AttachStatus.superseded);
      await late.untilClosed();
      assert.equal((await second.create(1, '/a')).error, 0, 'it was not disturbed');
      const on = await ContinuingClient.attach(
        port,
        first.standing,
        shows(second.granted.generation),
      );
      assert.equal(on.granted.generation, second.granted.generation);
      await second.untilClosed();
      assert.equal((await on.create(2, '/b')).error, 0);
    });
  },
);

test('a client of Apache’s kind counts as a later one', limits, async () => {
  await alone({}, async (port) => {
    const first = await ContinuingClient.attach(port, null, asksForAll);
    const plain = await ContinuingClient.attach(port, first.standing, null);
    const late = await ContinuingClient.attach(
      port,
      first.standing,
      shows(first.granted.generation),
    );
    assert.equal(late.granted.status, AttachStatus.superseded);
    assert.equal((await plain.create(1, '/a')).error, 0);
  });
});

test('who comes too late does not keep the session alive', limits, async () => {
  const settings = { tickTimeMs: 1000, minSessionTimeoutMs: 2000 };
  await alone({ settings, time: 'virtual' }, async (port, server) => {
    const options = { timeoutMs: 4000 };
    const first = await ContinuingClient.attach(port, null, asksForAll, options);
    const { standing } = first;
    await ContinuingClient.attach(port, standing, asksForAll, options);
    for (let i = 0; i < 3; i++) {
      await server.advance(2000);
      await ContinuingClient.attach(port, standing, shows(first.granted.generation), options);
    }
    assert.deepEqual(server.sessionIds, []);
  });
});

test('a wrong password is refused as ever, whatever generation comes with it', limits, async () => {
  await alone({}, async (port) => {
    const { standing } = await ContinuingClient.attach(port, null, asksForAll);
    const wrong: Standing = { ...standing, password: new Uint8Array(16) };
    const thief = await ContinuingClient.attach(port, wrong, shows(1n));
    assert.equal(thief.hasSession, false);
    assert.equal(thief.granted.status, AttachStatus.ok);
    assert.equal(thief.granted.capabilities, 0);
    await thief.untilClosed();
  });
});

test('generations of before a restart are not met again', limits, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'zabra-continuation-'));
  const one = await TestServer.start({ dataDir });
  const first = await ContinuingClient.attach(one.port, null, asksForAll);
  let last = first;
  // more clients than transactions
  for (let i = 0; i < 5; i++) {
    last = await ContinuingClient.attach(one.port, first.standing, asksForAll);
  }
  await one.stop();
  const two = await TestServer.start({ dataDir });
  try {
    const after = await ContinuingClient.attach(two.port, first.standing, asksForAll);
    assert.ok(after.granted.generation > last.granted.generation);
    const late = await ContinuingClient.attach(
      two.port,
      first.standing,
      shows(last.granted.generation),
    );
    assert.equal(late.granted.status, AttachStatus.superseded);
    assert.equal((await after.create(1, '/a')).error, 0);
  } finally {
    await two.stop();
    await rm(dataDir, { recursive: true });
  }
});

test(
  'writes under way on the connection before are executed, and told of once',
  limits,
  async () => {
    await alone({}, async (port) => {
      const before = await ContinuingClient.attach(port, null, asksForAll);
      const { generation, zxid } = before.granted;
      assert.equal((await before.create(1, '/q')).error, 0);
      for (let xid = 2; xid <= 40; xid++) {
        before.post(xid, OpCode.create, createBody('/q/n-', sequential));
      }
      before.post(41, OpCode.create, createBody('/no/parent'));
      // all has been read before the next connection comes
      await before.reply(2);
      const after = await ContinuingClient.attach(port, before.standing, shows(generation));
      const cxids = Array.from({ length: 42 }, (_, index) => index + 1);
      const fates = await after.fates(100, zxid, cxids);
      for (const one of fates) {
        if (one.cxid === 42) {
          assert.equal(one.fate, Fate.never, 'nobody asked for it');
          continue;
        }
        assert.equal(one.fate, Fate.executed, `cxid ${one.cxid}`);
        assert.equal(one.error, one.cxid === 41 ? ErrorCode.noNode : ErrorCode.ok);
      }
      const second = fates[1];
      assert.ok(second?.fate === Fate.executed);
      const { body } = second;
      assert.equal(new Reader().reset(body, 0, body.length).readString(), '/q/n-0000000000');
    });
  },
);

test('fates are told behind a sync and what was asked before, in one write', limits, async () => {
  await alone({}, async (port) => {
    const before = await ContinuingClient.attach(port, null, asksForAll);
    const { generation, zxid } = before.granted;
    for (let xid = 1; xid <= 50; xid++) before.post(xid, OpCode.create, createBody(`/n${xid}`));
    await before.reply(1);
    const alongside = [
      requestOf(60, OpCode.sync, (out) => out.writeString('/')),
      requestOf(61, OpCode.create, createBody('/behind')),
      requestOf(62, ContinuationOp.fate, (out) => writeFateRequest(out, zxid, [50, 61])),
    ];
    const options = { alongside };
    const after = await ContinuingClient.attach(port, before.standing, shows(generation), options);
    await after.reply(62);
    assert.deepEqual(after.heard, [60, 61, 62]);
  });
});

test('what is not remembered is unknown, and watches cannot be taken over', limits, async () => {
  await alone({ settings: { recentHistoryBytes: 0 } }, async (port) => {
    const client = await ContinuingClient.attach(port, null, asksForAll);
    const { zxid } = client.granted;
    assert.equal((await client.create(1, '/a')).error, 0);
    assert.deepEqual(await client.fates(2, zxid, [1, 9]), [
      { cxid: 1, fate: Fate.unknown },
      { cxid: 9, fate: Fate.unknown },
    ]);
    assert.equal(await client.catchUp(4, zxid, { data: ['/a'] }), ErrorCode.dataInconsistency);
    await client.call(5, OpCode.setData, setDataBody('/a'));
    assert.deepEqual(client.events, [], 'nothing was registered');
  });
});

test('events that were missed leave before the reply, the rest is watched', limits, async () => {
  await alone({}, async (port) => {
    const writer = await ContinuingClient.attach(port, null, asksForAll);
    const client = await ContinuingClient.attach(port, null, asksForAll);
    const { zxid: since } = client.granted;
    const created = (await writer.create(1, '/a')).zxid;
    const changed = (await writer.call(2, OpCode.setData, setDataBody('/a'))).zxid;
    const lists = { data: ['/b'], exist: ['/a', '/b'], persistent: ['/a'], recursive: ['/'] };
    await writer.create(3, '/b');
    assert.equal(await client.catchUp(7, since, lists), ErrorCode.ok);
    assert.equal(client.heard.at(-1), 7, 'the reply is the last');
    assert.deepEqual(client.events.slice(0, 2), [
      { type: EventType.nodeCreated, path: '/a', zxid: created },
      { type: EventType.nodeDataChanged, path: '/a', zxid: changed },
    ]);
    const missed = client.events.length;
    await writer.call(4, OpCode.setData, setDataBody('/a'));
    await client.until(() => client.events.length > missed);
    await client.call(8, OpCode.exists, (out) => {
      out.writeString('/a');
      out.writeBool(false);
    });
    assert.equal(client.events.length, missed + 1, 'once for all watches of a connection');
  });
});

test('lists in parts are one question, and one answer', limits, async () => {
  await alone({}, async (port) => {
    const writer = await ContinuingClient.attach(port, null, asksForAll);
    const client = await ContinuingClient.attach(port, null, asksForAll);
    const { zxid: since } = client.granted;
    await writer.create(1, '/a');
    await writer.create(2, '/b');
    assert.equal(await client.catchUp(1, since, { exist: ['/b'] }, true), ErrorCode.ok);
    assert.deepEqual(client.events, [], 'more is to come');
    assert.equal(await client.catchUp(2, since, { exist: ['/a', '/c'] }), ErrorCode.ok);
    assert.deepEqual(
      client.events.map(({ path }) => path),
      ['/a', '/b'],
      'in the order in which it happened',
    );
    await writer.create(3, '/c');
    await client.until(() => client.events.length === 3);
  });
});

test('parts that ask from different zxids are refused as a whole', limits, async () => {
  await alone({}, async (port) => {
    const client = await ContinuingClient.attach(port, null, asksForAll);
    const { zxid: since } = client.granted;
    await client.catchUp(1, since, { exist: ['/a'] }, true);
    await client.catchUp(2, since - 1n, { exist: ['/b'] }, true);
    assert.equal(await client.catchUp(3, since, { exist: ['/c'] }), ErrorCode.badArguments);
    for (const [xid, path] of [
      [4, '/a'],
      [5, '/b'],
      [6, '/c'],
    ] as const) {
      await client.create(xid, path);
    }
    assert.deepEqual(client.events, []);
    await client.catchUp(7, since, { exist: ['/d'] }, true);
    await client.call(8, ContinuationOp.catchUp, (out) => out.writeInt(-1));
    assert.equal(await client.catchUp(9, since, { exist: ['/e'] }), ErrorCode.badArguments);
    await client.create(10, '/d');
    assert.deepEqual(client.events, []);
    assert.equal(await client.catchUp(11, since, { data: ['/a'] }), ErrorCode.ok, 'a new question');
  });
});

test('what cannot be read is answered so, and nothing is watched', limits, async () => {
  await alone({}, async (port) => {
    const client = await ContinuingClient.attach(port, null, asksForAll);
    for (const op of [ContinuationOp.fate, ContinuationOp.catchUp]) {
      const reply = await client.call(op, op, (out) => out.writeInt(-1));
      assert.equal(reply.error, ErrorCode.marshallingError);
      assert.equal(reply.body.length, 0);
    }
  });
});

test('more events than a connection may be owed at once: they are not told', limits, async () => {
  await alone({ settings: { juteMaxBufferBytes: 1024 } }, async (port) => {
    const writer = await ContinuingClient.attach(port, null, asksForAll);
    const client = await ContinuingClient.attach(port, null, asksForAll);
    const { zxid: since } = client.granted;
    const name = 'n'.repeat(900);
    const count = 1500;
    for (let i = 1; i <= count; i++) {
      writer.post(i, OpCode.create, createBody(`/${name}${i}`));
    }
    await writer.reply(count);
    assert.equal(await client.catchUp(1, since, { recursive: ['/'] }), ErrorCode.dataInconsistency);
    assert.deepEqual(client.events, []);
    assert.equal((await client.create(2, '/a')).error, 0, 'it is not closed for that');
  });
});

test(
  'what was granted and refused is counted, and shown once there is something',
  limits,
  async () => {
    const settings = { fourLetterWhitelist: new Set(['mntr']) };
    await alone({ settings }, async (port) => {
      assert.deepEqual(await ownFigures(port), []);
      const client = await ContinuingClient.attach(port, null, asksForAll);
      const { generation, zxid } = client.granted;
      await client.create(1, '/a');
      await client.fates(2, zxid, [1, 8, 9]);
      await client.catchUp(4, zxid, { data: ['/a'] });
      await client.catchUp(5, 0n, { data: ['/a'] });
      const later = await ContinuingClient.attach(port, client.standing, asksForAll);
      await ContinuingClient.attach(port, client.standing, shows(generation));
      assert.deepEqual(await later.fates(1, -1n, [7]), [{ cxid: 7, fate: Fate.unknown }]);
      assert.deepEqual(await ownFigures(port), [
        'zk_attaches_superseded\t1',
        'zk_fates_executed\t1',
        'zk_fates_never\t2',
        'zk_fates_unknown\t1',
        'zk_catch_ups_covered\t2',
      ]);
    });
  },
);

async function ownFigures(port: number): Promise<string[]> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.end('mntr');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  const lines = Buffer.concat(chunks).toString().split('\n');
  return lines.filter((line) => /^zk_(attaches|fates|catch_ups)_/.test(line));
}

function setDataBody(path: string): (out: Writer) => void {
  return (out) => {
    out.writeString(path);
    out.writeBuffer(Uint8Array.of(1));
    out.writeInt(-1);
  };
}
