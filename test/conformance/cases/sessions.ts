/** Sessions: the handshake in all its forms, reconnecting, moving, closing, expiring. */
import { ErrorCode, OpCode } from 'zabra/protocol';
import { setTimeout as sleep } from 'node:timers/promises';
import { equal, fails, ok, that } from '../check.js';
import { group, tickMs } from '../suite.js';
import { body, flags } from '../../support/requests.js';
import { bytesOf, ClosedError, connectBytes } from '../../support/raw-client.js';
import type { TestClient } from '../../support/test-client.js';
import { shown } from './watch-words.js';

const zeros = new Uint8Array(16);

/** Resolves with the milliseconds until `path` is gone. */
async function untilGone(client: TestClient, path: string, limitMs: number): Promise<number> {
  const started = Date.now();
  while ((await client.exists(path)).err === 0) {
    if (Date.now() - started > limitMs) throw new Error(`${path} is still there`);
    await sleep(20);
  }
  return Date.now() - started;
}

export const sessionCases = group('sessions', {}, (test) => {
  test('a new session: id, password, version', async (t) => {
    const client = await t.connect();
    const { session } = client;
    that(session.sessionId !== 0n, 'an id');
    equal(session.password.length, 16, 'length of the password');
    equal(session.protocolVersion, 0, 'protocolVersion');
    equal(session.timeoutMs, 30_000, 'timeout');
    equal(client.handshakeBytes.length, 4 + 4 + 8 + 4 + 16 + 1, 'length of the reply');
    const other = await t.connect();
    equal(other.session.sessionId, session.sessionId + 1n, 'ids count up');
  });

  test('the first byte of the id is the number of the server, 1 where it is alone', async (t) => {
    const { sessionId } = (await t.connect()).session;
    equal(BigInt.asUintN(64, sessionId) >> 56n, BigInt(t.target.sid), 'the first byte');
  });

  test('the password is a function of the id', async (t) => {
    const { sessionId, password } = (await t.connect()).session;
    // java.util.Random, seeded with the id and a constant, fills 16 bytes
    const mask = (1n << 48n) - 1n;
    let seed = (sessionId ^ 0xb341_5c00n ^ 0x5deece66dn) & mask;
    const expected = Buffer.alloc(16);
    for (let at = 0; at < 16; at += 4) {
      seed = (seed * 0x5deece66dn + 0xbn) & mask;
      expected.writeInt32LE(Number(BigInt.asIntN(32, seed >> 16n)), at);
    }
    equal(password, new Uint8Array(expected), 'password');
  });

  test('a new session takes a zxid', async (t) => {
    const client = await t.connect();
    const before = await client.ping();
    const other = await t.connect();
    equal((await other.ping()).zxid, before.zxid + 1n, 'zxid after the second session');
  });

  test('timeouts are clamped', async (t) => {
    const asked: [number, number][] = [
      [1, 2 * tickMs],
      [0, 2 * tickMs],
      [-5, 2 * tickMs],
      [2 * tickMs + 1, 2 * tickMs + 1],
      [60_001, 60_000],
      [0x7fffffff, 60_000],
    ];
    for (const [timeoutMs, given] of asked) {
      equal((await t.connect({ timeoutMs })).session.timeoutMs, given, `asked for ${timeoutMs}`);
    }
  });

  test('the flag readOnly: asked for or not, a server with a quorum says false', async (t) => {
    equal((await t.connect({ readOnly: true })).session.readOnly, false, 'readOnly');
    equal((await t.connect({ readOnly: false })).session.readOnly, false, 'readOnly');
  });

  test(
    'a request of 44 bytes, without readOnly: the reply leaves it out too',
    async (t) => {
      const client = await t.open();
      const reply = await client.handshake({ readOnly: undefined });
      equal(reply?.readOnly, undefined, 'readOnly');
      equal(client.handshakeBytes.length, 36, 'length of the reply');
      equal((await client.ping()).err, 0, 'the session works');
    },
    { since: [3, 9, 3], why: 'ZOOKEEPER-4814' },
  );

  test('the version is not looked at, and the reply says 0', async (t) => {
    for (const protocolVersion of [1, -1, 77]) {
      const client = await t.connect({ protocolVersion });
      equal(client.session.protocolVersion, 0, 'protocolVersion');
    }
  });

  test('a password of any length, or none, opens a new session', async (t) => {
    for (const password of [null, new Uint8Array(0), new Uint8Array(5), new Uint8Array(100)]) {
      equal((await t.connect({ password })).session.password.length, 16, 'length');
    }
  });

  test('bytes after the request are not looked at', async (t) => {
    const client = await t.open();
    const fields = {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs: 30_000,
      sessionId: 0n,
      password: zeros,
      readOnly: false,
    };
    const request = connectBytes(fields);
    const reply = await client.handshakeWith(
      bytesOf((w) => {
        w.writeBytes(request, 0, request.length);
        w.writeString('and more');
      }),
    );
    that(reply !== null && reply.sessionId !== 0n, 'a session');
    equal((await client.ping()).err, 0, 'and it works');
  });

  test('lastZxidSeen ahead of the server: closed without an answer', async (t) => {
    const client = await t.open();
    equal(await client.handshake({ lastZxidSeen: 0x7fff_0000_0000n }), null, 'reply');
    const { zxid } = await (await t.connect()).ping();
    const same = await t.connect({ lastZxidSeen: zxid });
    that(same.session.sessionId !== 0n, 'the same zxid is fine');
  });

  test('reconnect by id and password', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/e`, { flags: flags.ephemeral }));
    const { sessionId, password } = client.session;
    client.destroy();
    const again = t.adopt(await client.reconnect({ timeoutMs: 20_000 }));
    equal(again.session.sessionId, sessionId, 'id');
    equal(again.session.password, password, 'password');
    equal(again.session.timeoutMs, 20_000, 'the timeout is negotiated again');
    ok(await again.exists(`${t.path}/e`));
    equal(ok(await again.getEphemerals('/')), [`${t.path}/e`], 'ephemerals');
  });

  test('reconnect takes no zxid', async (t) => {
    const client = await t.connect();
    const before = await client.ping();
    const again = t.adopt(await client.reconnect());
    equal((await again.ping()).zxid, before.zxid, 'zxid');
  });

  test('reconnect while the old connection lives: the old one is closed', async (t) => {
    const client = await t.connect();
    const again = t.adopt(await client.reconnect());
    await client.untilClosed();
    equal((await again.ping()).err, 0, 'the new one works');
  });

  test('a wrong password: session 0, timeout 0, closed, and the session lives on', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/e`, { flags: flags.ephemeral }));
    const thief = t.adopt(await client.reconnect({ password: zeros }));
    const { sessionId, timeoutMs, password } = thief.session;
    equal([sessionId, timeoutMs], [0n, 0], 'id, timeout');
    equal(password, zeros, 'password');
    await thief.untilClosed();
    // Apache closes the connection that the session had before it looks at the password
    await client.untilClosed();
    const again = t.adopt(await client.reconnect());
    ok(await again.exists(`${t.path}/e`));
  });

  test('passwords of other lengths are wrong', async (t) => {
    const client = await t.connect();
    for (const password of [null, new Uint8Array(0), client.session.password.slice(0, 15)]) {
      const thief = t.adopt(await client.reconnect({ password }));
      equal(thief.session.sessionId, 0n, 'id');
      await thief.untilClosed();
    }
  });

  test('an unknown session id', async (t) => {
    const client = await t.connect();
    const sessionId = client.session.sessionId + 1_000_000n;
    const stranger = await t.open();
    const reply = await stranger.handshake({ sessionId, password: zeros });
    equal([reply?.sessionId, reply?.timeoutMs], [0n, 0], 'id, timeout');
    await stranger.untilClosed();
  });

  test('a closed session cannot be taken up again', async (t) => {
    const client = await t.connect();
    await client.close();
    const again = t.adopt(await client.reconnect());
    equal([again.session.sessionId, again.session.timeoutMs], [0n, 0], 'id, timeout');
    equal(again.session.password, zeros, 'password');
    await again.untilClosed();
  });

  test('closeSession: a reply, ephemerals gone, then the end of the connection', async (t) => {
    const client = await t.connect();
    const other = await t.connect();
    ok(await client.create(`${t.path}/e`, { flags: flags.ephemeral }));
    const before = await client.ping();
    const reply = await client.call(OpCode.closeSession);
    equal([reply.err, reply.body.length], [0, 0], 'err, body');
    equal(reply.zxid, before.zxid + 1n, 'zxid');
    fails(await other.exists(`${t.path}/e`), 'noNode');
    await client.untilClosed();
  });

  test('requests pipelined before closeSession are answered', async (t) => {
    const client = await t.connect();
    const created = client.post(OpCode.create, body.create(`${t.path}/a`));
    const closed = client.post(OpCode.closeSession);
    equal((await client.reply(created)).err, 0, 'create');
    equal((await client.reply(closed)).err, 0, 'closeSession');
    await client.untilClosed();
    ok(await (await t.connect()).exists(`${t.path}/a`));
  });

  test('reads between a write and closeSession are answered as ever', async (t) => {
    const client = await t.connect();
    const sent = [
      client.post(OpCode.create, body.create(`${t.path}/e`, { flags: flags.ephemeral })),
      client.post(OpCode.getData, body.pathAndWatch(`${t.path}/e`, true)),
      client.post(OpCode.getEphemerals, body.path('/')),
      client.post(OpCode.sync, body.path('/')),
      client.post(OpCode.addWatch, body.pathAndInt(t.path, 0)),
      client.post(OpCode.closeSession),
    ];
    for (const xid of sent) equal((await client.reply(xid)).err, 0, `err of xid ${xid}`);
    await client.untilClosed();
  });

  test('several ephemerals go in one zxid', async (t) => {
    const owner = await t.connect();
    const client = await t.connect();
    for (const name of ['a', 'b', 'c']) {
      ok(await owner.create(`${t.path}/${name}`, { flags: flags.ephemeral }));
    }
    ok(await client.getChildren(t.path, true));
    await owner.close();
    const events = await client.pendingEvents();
    equal(events.map(shown), [`childrenChanged ${t.path}`], 'events');
    equal(ok(await client.getChildren(t.path)), [], 'children');
    equal(ok(await client.exists(t.path)).cversion, 6, 'cversion');
  });

  test('a half-closed connection ends the connection, not the session', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/e`, { flags: flags.ephemeral }));
    client.end();
    await client.untilClosed();
    const again = t.adopt(await client.reconnect());
    ok(await again.exists(`${t.path}/e`));
  });

  test('auth does not survive a reconnect', async (t) => {
    const client = await t.connect();
    ok(await client.auth('digest', 'a:b'));
    const again = t.adopt(await client.reconnect());
    equal(ok(await again.whoAmI()).length, 1, 'infos');
  });

  test(
    'an expired session: connection closed, ephemerals gone in one zxid',
    async (t) => {
      const timeoutMs = 3 * tickMs;
      const owner = await t.connect({ timeoutMs });
      const client = await t.connect();
      for (const name of ['a', 'b']) {
        ok(await owner.create(`${t.path}/${name}`, { flags: flags.ephemeral }));
      }
      await owner.ping();
      const took = await untilGone(client, `${t.path}/a`, 10_000);
      that(took >= timeoutMs - 50, `expired after ${took} ms already`);
      that(took <= timeoutMs + 3 * tickMs + 500, `expired only after ${took} ms`);
      fails(await client.exists(`${t.path}/b`), 'noNode');
      await owner.untilClosed();
      const again = t.adopt(await owner.reconnect());
      equal([again.session.sessionId, again.session.timeoutMs], [0n, 0], 'id, timeout');
      await again.untilClosed();
    },
    { waits: true },
  );

  test(
    'pings keep a session',
    async (t) => {
      const client = await t.connect({ timeoutMs: 2 * tickMs });
      for (let count = 0; count < 12; count += 1) {
        await sleep(tickMs / 2);
        equal((await client.ping()).err, 0, 'ping');
      }
    },
    { waits: true },
  );

  test(
    'requests keep a session as pings do',
    async (t) => {
      const client = await t.connect({ timeoutMs: 2 * tickMs });
      for (let count = 0; count < 12; count += 1) {
        await sleep(tickMs / 2);
        ok(await client.exists(t.path));
      }
    },
    { waits: true },
  );

  test(
    'a session without a connection expires',
    async (t) => {
      const owner = await t.connect({ timeoutMs: 2 * tickMs });
      ok(await owner.create(`${t.path}/e`, { flags: flags.ephemeral }));
      owner.destroy();
      await untilGone(await t.connect(), `${t.path}/e`, 10_000);
    },
    { waits: true },
  );

  test(
    'reconnecting in time keeps it',
    async (t) => {
      let owner = await t.connect({ timeoutMs: 4 * tickMs });
      ok(await owner.create(`${t.path}/e`, { flags: flags.ephemeral }));
      for (let count = 0; count < 5; count += 1) {
        owner.destroy();
        await sleep(2 * tickMs);
        owner = t.adopt(await owner.reconnect({ timeoutMs: 4 * tickMs }));
        ok(await owner.exists(`${t.path}/e`));
      }
    },
    { waits: true },
  );

  test(
    'a watcher hears of an expiry',
    async (t) => {
      const owner = await t.connect({ timeoutMs: 2 * tickMs });
      const watcher = await t.connect();
      ok(await owner.create(`${t.path}/e`, { flags: flags.ephemeral }));
      ok(await watcher.exists(`${t.path}/e`, true));
      equal(shown(await watcher.event()), `deleted ${t.path}/e`, 'event');
    },
    { waits: true },
  );

  test('ops of a session that was closed on another connection do nothing', async (t) => {
    const client = await t.connect();
    const again = t.adopt(await client.reconnect());
    await client.untilClosed();
    const posted = client.post(OpCode.create, body.create(`${t.path}/late`));
    try {
      await client.reply(posted);
      that(false, 'a reply on the old connection');
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error;
    }
    fails(await again.exists(`${t.path}/late`), 'noNode');
  });

  test('handshake and requests in one write', async (t) => {
    const client = await t.open();
    const fields = {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs: 30_000,
      sessionId: 0n,
      password: zeros,
      readOnly: false,
    };
    const handshake = client.handshakeWith(connectBytes(fields));
    const created = client.post(OpCode.create, body.create(`${t.path}/a`));
    const read = client.post(OpCode.exists, body.pathAndWatch(`${t.path}/a`, false));
    that((await handshake) !== null, 'a session');
    equal((await client.reply(created)).err, ErrorCode.ok, 'create');
    equal((await client.reply(read)).err, ErrorCode.ok, 'exists');
  });
});

export const defaultTimeouts = group(
  'sessions with default timeouts',
  { config: { tickTime: '3000', maxSessionTimeout: null } },
  (test) => {
    test('between 2 and 20 ticks', async (t) => {
      equal((await t.connect({ timeoutMs: 10 })).session.timeoutMs, 6_000, 'the least');
      equal((await t.connect({ timeoutMs: 6_500 })).session.timeoutMs, 6_500, 'between');
      equal((await t.connect({ timeoutMs: 999_999 })).session.timeoutMs, 60_000, 'the most');
    });
  },
);

export const configuredTimeouts = group(
  'sessions with configured timeouts',
  { config: { minSessionTimeout: '5000', maxSessionTimeout: '7000' } },
  (test) => {
    test('between the two', async (t) => {
      equal((await t.connect({ timeoutMs: 10 })).session.timeoutMs, 5_000, 'the least');
      equal((await t.connect({ timeoutMs: 999_999 })).session.timeoutMs, 7_000, 'the most');
    });
  },
);
