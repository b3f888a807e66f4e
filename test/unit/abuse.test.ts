/**
 * What a hostile or broken client can do to a standalone server, each in short: the server goes on,
 * and an honest client beside it does not notice.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { ErrorCode, OpCode } from 'zabra/protocol';
import { TestServer, type TestServerOptions } from 'zabra/testing';
import { fourLetterWord } from '../support/four-letter.js';
import { connectBytes, framed, RawClient } from '../support/raw-client.js';
import { body, flags, part } from '../support/requests.js';
import { TestClient } from '../support/test-client.js';

const MIB = 1024 * 1024;

interface Scene {
  readonly server: TestServer;
  readonly address: { readonly host: string; readonly port: number };
  connect(): Promise<TestClient>;
  open(): Promise<TestClient>;
  plain(): Promise<Socket>;
}

/** Runs an attack; afterwards somebody else must still be served. */
async function attack(
  settings: NonNullable<TestServerOptions['settings']>,
  run: (scene: Scene) => Promise<void>,
): Promise<void> {
  const fourLetterWhitelist = new Set(['srvr', 'mntr', 'wchs', 'wchp', 'cons']);
  const server = await TestServer.start({ settings: { fourLetterWhitelist, ...settings } });
  const address = { host: '127.0.0.1', port: server.port };
  const clients: RawClient[] = [];
  const sockets: Socket[] = [];
  const kept = <T extends RawClient>(client: T): T => {
    clients.push(client);
    return client;
  };
  try {
    await run({
      server,
      address,
      connect: async () => kept(await TestClient.connect(address)),
      open: async () => kept(await TestClient.open(address)),
      plain: async () => {
        const socket = connect(address.port, address.host);
        sockets.push(socket);
        socket.on('error', () => {
          // closed by the server: what most of these tests are about
        });
        await new Promise((resolve) => socket.once('connect', resolve));
        return socket;
      },
    });
  } finally {
    for (const client of clients) client.destroy();
    for (const socket of sockets) socket.destroy();
    await server.stop();
  }
}

function isClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.resume();
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

test('a handshake of one byte now and then is cut off in time', async () => {
  await attack({ sessionlessCnxnTimeoutMs: 300, tickTimeMs: 100 }, async (scene) => {
    const honest = await scene.connect();
    const slow = await Promise.all(Array.from({ length: 20 }, () => scene.plain()));
    const request = framed(new Uint8Array(45));
    let at = 0;
    const drip = setInterval(() => {
      for (const socket of slow) socket.write(request.subarray(at, at + 1));
      at++;
    }, 40);
    try {
      await Promise.all(slow.map(isClosed));
      assert.ok(at < 45, 'closed before the request was whole');
    } finally {
      clearInterval(drip);
    }
    assert.equal((await honest.exists('/')).err, 0);
  });
});

test('connections that never say a word are closed too', async () => {
  await attack({ sessionlessCnxnTimeoutMs: 200, tickTimeMs: 100 }, async (scene) => {
    const silent = await Promise.all(Array.from({ length: 20 }, () => scene.plain()));
    await Promise.all(silent.map(isClosed));
  });
});

test('promises of a megabyte on many connections cost no memory', async () => {
  await attack({}, async (scene) => {
    const honest = await scene.connect();
    const before = process.memoryUsage();
    const promise = Buffer.alloc(8);
    promise.writeInt32BE(0xfffff);
    const liars = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const client = await scene.connect();
        client.sendBytes(promise);
        return client;
      }),
    );
    assert.equal((await honest.exists('/')).err, 0);
    const after = process.memoryUsage();
    const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
    assert.ok(grown < 100 * MIB, `${Math.round(grown / MIB)} MiB for 300 promises`);
    assert.ok(liars.every((client) => !client.isClosed));
  });
});

test('lengths beyond the limit close at once, on every connection', async () => {
  await attack({}, async (scene) => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => scene.plain()));
    for (const [i, socket] of sockets.entries()) {
      socket.write(Buffer.from(i % 2 === 0 ? [0x7f, 0xff, 0xff, 0xff] : [0, 0x10, 0, 0]));
    }
    await Promise.all(sockets.map(isClosed));
    assert.equal((await (await scene.connect()).exists('/')).err, 0);
  });
});

test('a client that never reads its events loses its connection, not its session', async () => {
  await attack({ juteMaxBufferBytes: 64 * 1024 }, async (scene) => {
    const deaf = await scene.connect();
    const writer = await scene.connect();
    // long names make long events
    const parent = `/${'n'.repeat(8000)}`;
    await writer.create(parent);
    await deaf.addWatch('/', 1);
    deaf.pause();
    const isDropped = async (): Promise<boolean> => !(await shown()).has(deaf.session.sessionId);
    const shown = async (): Promise<Set<bigint>> => {
      const lines = await fourLetterWord(scene.address, 'cons');
      return new Set([...lines.matchAll(/sid=0x([0-9a-f]+)/g)].map((m) => BigInt(`0x${m[1]}`)));
    };
    let rounds = 0;
    while (!(await isDropped())) {
      assert.ok(++rounds < 100, 'events are kept for it without bound');
      const xids = Array.from({ length: 100 }, () =>
        writer.post(OpCode.setData, body.setData(parent, 'x', -1)),
      );
      for (const xid of xids) assert.equal((await writer.reply(xid)).err, 0);
    }
    assert.ok(scene.server.sessionIds.includes(deaf.session.sessionId), 'the session lives');
    const again = await deaf.reconnect();
    assert.equal(again.session.sessionId, deaf.session.sessionId);
    again.destroy();
  });
});

test('a multi of ten thousand operations, and one that fails at its end', async () => {
  await attack({}, async (scene) => {
    const honest = await scene.connect();
    const client = await scene.connect();
    const parts = Array.from({ length: 10_000 }, (_, i) => part.create(`/m${i}`));
    const failing = client.multi([...parts, part.check('/none', 0)]);
    const beside = honest.exists('/');
    const results = (await failing).value ?? [];
    assert.equal((await beside).err, 0);
    assert.equal(results.length, 10_001);
    assert.equal((await honest.getAllChildrenNumber('/m0')).err, -101, 'nothing is left of it');
    assert.equal((await client.multi(parts)).value?.length, 10_000);
    assert.equal((await honest.exists('/m9999')).err, 0);
  });
});

test('setWatches with very many paths', async () => {
  await attack({}, async (scene) => {
    const honest = await scene.connect();
    const client = await scene.connect();
    const exist = Array.from({ length: 50_000 }, (_, i) => `/absent${i}`);
    assert.equal((await client.setWatches(0n, { exist })).err, 0);
    // of data, each is an event at once: what it watched is gone
    const data = exist.slice(0, 20_000);
    assert.equal((await client.setWatches2(0n, { data })).err, 0);
    assert.equal((await client.pendingEvents()).length, 20_000);
    assert.equal((await honest.create('/absent7')).err, 0);
    assert.deepEqual(
      (await client.pendingEvents()).map((event) => event.path),
      ['/absent7'],
    );
    client.destroy();
    while (!/Total watches:0/.test(await fourLetterWord(scene.address, 'wchs'))) await sleep(5);
  });
});

test('setWatches that owes more events than its client reads: closed, and no watch is left', async () => {
  await attack({ juteMaxBufferBytes: 512 * 1024 }, async (scene) => {
    const client = await scene.connect();
    client.pause();
    const path = `/${'p'.repeat(500)}`;
    for (let round = 0; round < 20; round++) {
      const data = Array.from({ length: 800 }, (_, i) => `${path}${i}`);
      client.post(OpCode.setWatches, body.setWatches(0n, { data, exist: ['/left'] }, false));
    }
    client.resume();
    await client.ping().catch(() => null);
    client.destroy();
    while (!/Total watches:0/.test(await fourLetterWord(scene.address, 'wchs'))) await sleep(5);
  });
});

test('more connections than one address may have are refused, those before stay', async () => {
  await attack({ maxClientCnxns: 20 }, async (scene) => {
    const honest = await scene.connect();
    const flood = await Promise.all(Array.from({ length: 200 }, () => scene.plain()));
    let closed = 0;
    for (const socket of flood) {
      socket.resume();
      socket.once('close', () => closed++);
    }
    while (flood.filter((socket) => socket.closed).length < 181) await sleep(5);
    assert.ok(closed <= 181, 'those within the limit stay');
    assert.equal((await honest.exists('/')).err, 0);
    for (const socket of flood) socket.destroy();
    let later: TestClient | null = null;
    while (later === null) later = await scene.connect().catch(() => null);
    assert.equal((await later.exists('/')).err, 0, 'room again');
  });
});

test('a session that cannot be proven is not given, and not disturbed by wrong guesses', async () => {
  await attack({}, async (scene) => {
    const owner = await scene.connect();
    await owner.create('/mine', { flags: flags.ephemeral });
    const { sessionId } = owner.session;
    for (let guess = 0; guess < 200; guess++) {
      const thief = await scene.open();
      const near = guess % 2 === 0 ? sessionId : sessionId + BigInt(guess);
      const reply = await thief.handshake({
        sessionId: near,
        password: new Uint8Array(16).fill(guess),
      });
      assert.equal(reply?.sessionId, 0n, `guess ${guess}`);
      await thief.untilClosed();
    }
    assert.ok(scene.server.sessionIds.includes(sessionId));
    const again = await owner.reconnect();
    assert.equal((await again.exists('/mine')).err, 0);
    again.destroy();
  });
});

test('four-letter words in masses, some of them never read', async () => {
  await attack({}, async (scene) => {
    const honest = await scene.connect();
    await honest.create('/watched');
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        fourLetterWord(scene.address, i % 2 === 0 ? 'mntr' : 'srvr'),
      ),
    );
    assert.ok(answers.every((text) => text.length > 100));
    const deaf = await Promise.all(Array.from({ length: 50 }, () => scene.plain()));
    for (const socket of deaf) {
      socket.pause();
      socket.write('cons');
    }
    assert.equal((await honest.exists('/')).err, 0);
  });
});

test('a storm of containers', async () => {
  await attack(
    { containerCheckIntervalMs: 50, containerMaxPerMinute: 1_000_000 },
    async (scene) => {
      const honest = await scene.connect();
      const storm = await scene.connect();
      const xids: number[] = [];
      for (let i = 0; i < 2000; i++) {
        const container = { flags: flags.container };
        xids.push(storm.post(OpCode.createContainer, body.create(`/c${i}`, container)));
        xids.push(storm.post(OpCode.create, body.create(`/c${i}/child`)));
        xids.push(storm.post(OpCode.delete, body.pathAndInt(`/c${i}/child`, -1)));
      }
      for (const xid of xids) {
        const { err } = await storm.reply(xid, 30_000);
        assert.ok(err === 0 || err === -101, `error ${err}`);
      }
      const left = async (): Promise<number> =>
        (await honest.getChildren('/')).value?.filter((name) => name.startsWith('c')).length ?? 0;
      while ((await left()) > 0) await sleep(20);
    },
  );
});

test('very many ids on one session: refused from some number on, or each costs the same', async () => {
  await attack({}, async (scene) => {
    const honest = await scene.connect();
    const spammer = await scene.connect();
    /** The time for a thousand new ids; null: they are refused, and the connection is closed. */
    const thousand = async (from: number): Promise<number | null> => {
      const started = performance.now();
      const xids: number[] = [];
      for (let i = from; i < from + 1000; i++) {
        xids.push(spammer.post(OpCode.auth, body.auth('digest', `u${i}:p`), -4));
      }
      for (const xid of xids) {
        const { err } = await spammer.reply(xid);
        if (err === ErrorCode.ok) continue;
        assert.equal(err, ErrorCode.authFailed);
        await spammer.untilClosed();
        return null;
      }
      return performance.now() - started;
    };
    const times: number[] = [];
    for (let from = 0; from < 5000; from += 1000) {
      const time = await thousand(from);
      if (time === null) break;
      times.push(Math.round(time));
    }
    const [first = 0] = times;
    const last = times[times.length - 1] ?? 0;
    assert.ok(times.length < 5 || last < 3 * first + 200, `${times.join(', ')} ms per thousand`);
    assert.equal((await honest.exists('/')).err, 0);
  });
});

test('a handshake again and again for the same session', async () => {
  await attack({}, async (scene) => {
    const owner = await scene.connect();
    const { sessionId, password } = owner.session;
    const request = framed(
      connectBytes({
        protocolVersion: 0,
        lastZxidSeen: 0n,
        timeoutMs: 10_000,
        sessionId,
        password,
        readOnly: false,
      }),
    );
    const sockets = await Promise.all(Array.from({ length: 50 }, () => scene.plain()));
    for (const socket of sockets) socket.write(request);
    const last = await owner.reconnect();
    assert.equal((await last.exists('/')).err, 0);
    last.destroy();
    assert.deepEqual(scene.server.sessionIds, [sessionId], 'one session all the time');
  });
});

test('whoever does not read is not waited for once his session is over, or to hear a word', async () => {
  await attack({ sessionlessCnxnTimeoutMs: 300, tickTimeMs: 100 }, async (scene) => {
    const honest = await scene.connect();
    await honest.create('/big', { data: new Uint8Array(900_000) });
    const deaf = await Promise.all(Array.from({ length: 5 }, () => scene.connect()));
    for (const client of deaf) {
      client.pause();
      // far more than the kernel holds for it
      for (let i = 0; i < 12; i++) client.post(OpCode.getData, body.pathAndWatch('/big', false));
    }
    const exist = Array.from({ length: 40_000 }, (_, i) => `/absent-${'x'.repeat(200)}${i}`);
    for (let at = 0; at < exist.length; at += 4000) {
      await honest.setWatches(0n, { exist: exist.slice(at, at + 4000) });
    }
    const askers = await Promise.all(Array.from({ length: 5 }, () => scene.plain()));
    for (const socket of askers) {
      socket.pause();
      socket.write('wchp');
    }
    for (const client of deaf) scene.server.expireSession(client.session.sessionId);
    const deadline = Date.now() + 60_000;
    for (;;) {
      await honest.ping();
      const shown = await fourLetterWord(scene.address, 'srvr');
      const connections = Number(/Connections: (\d+)/.exec(shown)?.[1]);
      // the honest one's and the one that asks
      if (connections <= 2) break;
      assert.ok(Date.now() < deadline, `${connections} connections are still there`);
      await sleep(50);
    }
  });
});
