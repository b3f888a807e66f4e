/** Limits: the length of a frame, the number of connections, and how much is in flight. */
import { OpCode } from 'zabra/protocol';
import { equal, fails, ok, that } from '../check.js';
import { group, type Trial } from '../suite.js';
import { body } from '../../support/requests.js';

const header = 8;

export const bufferCases = group(
  'jute.maxbuffer',
  { properties: { 'jute.maxbuffer': '4096' } },
  (test) => {
    /** A create whose frame has exactly this length. */
    const createOf = (path: string, frame: number): Uint8Array => {
      const empty = body.create(path, { data: '' }).length + header;
      return body.create(path, { data: new Uint8Array(frame - empty) });
    };

    test('a frame as long as allowed', async (t) => {
      const client = await t.connect();
      const reply = await client.call(OpCode.create, createOf(`${t.path}/a`, 4_095));
      equal(reply.err, 0, 'one byte less');
    });

    test('a frame that is one byte longer: closed, the session stays', async (t) => {
      const client = await t.connect();
      client.post(OpCode.create, createOf(`${t.path}/a`, 4_097));
      await client.untilClosed();
      const again = t.adopt(await client.reconnect());
      fails(await again.exists(`${t.path}/a`), 'noNode');
    });

    test('a frame of exactly the limit', async (t) => {
      const client = await t.connect();
      const reply = await client.call(OpCode.create, createOf(`${t.path}/a`, 4_096));
      equal(reply.err, 0, 'err');
    });

    test('replies may be longer', async (t) => {
      const client = await t.connect();
      for (let count = 0; count < 300; count += 1) {
        ok(await client.create(`${t.path}/a-name-that-is-long-enough-${count}`));
      }
      const reply = await client.getChildren(t.path);
      that(reply.body.length > 4_096, 'a reply longer than the limit');
      equal(ok(reply).length, 300, 'children');
    });

    test('fields within a frame may be as long as the frame', async (t) => {
      const client = await t.connect();
      const data = new Uint8Array(3_900);
      ok(await client.create(`${t.path}/a`, { data }));
      ok(await client.setData(`${t.path}/a`, data));
    });
  },
);

/** The server closes at once, before or while the handshake is sent. */
async function isRefused(t: Trial): Promise<boolean> {
  try {
    const client = await t.open();
    return (await client.handshake()) === null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EPIPE' || code === 'ECONNRESET') return true;
    throw error;
  }
}

export const connectionLimitCases = group(
  'maxClientCnxns',
  { config: { maxClientCnxns: '3' }, owns: true },
  (test) => {
    test('one connection too many is closed, and there is room again after one went', async (t) => {
      const clients = [await t.connect(), await t.connect(), await t.connect()];
      that(await isRefused(t), 'the fourth is closed');
      await clients[0]?.close();
      let isStillFull = true;
      for (let left = 50; isStillFull && left > 0; left -= 1) isStillFull = await isRefused(t);
      that(!isStillFull, 'a connection after one has gone');
    });
  },
);

export const totalLimitCases = group(
  'maxCnxns',
  { config: { maxCnxns: '2', maxClientCnxns: '0' }, owns: true },
  (test) => {
    test('all addresses together', async (t) => {
      await t.connect();
      await t.connect();
      that(await isRefused(t), 'the third is closed');
    });
  },
);

export const outstandingCases = group(
  'globalOutstandingLimit',
  { config: { globalOutstandingLimit: '5' } },
  (test) => {
    test('more than the limit in flight: all are answered, in order', async (t) => {
      const client = await t.connect();
      const xids: number[] = [];
      for (let count = 0; count < 500; count += 1) {
        xids.push(client.post(OpCode.setData, body.setData(t.path, String(count), -1)));
      }
      let last = -1;
      for (const xid of xids) {
        const reply = await client.reply(xid);
        equal(reply.err, 0, 'err');
        that(reply.at > last, 'order');
        last = reply.at;
      }
      equal(ok(await client.exists(t.path)).version, 500, 'version');
    });

    test('several clients at once', async (t) => {
      const clients = await Promise.all([1, 2, 3, 4].map(async () => t.connect()));
      const posted = clients.map((client) =>
        Array.from({ length: 100 }, () =>
          client.post(OpCode.getData, body.pathAndWatch(t.path, false)),
        ),
      );
      for (const [index, client] of clients.entries()) {
        for (const xid of posted[index] ?? []) equal((await client.reply(xid)).err, 0, 'err');
      }
    });
  },
);

export const loadCases = group('load', {}, (test) => {
  test('a client that does not read for a while', async (t) => {
    const client = await t.connect();
    const data = new Uint8Array(100_000).fill(1);
    ok(await client.create(`${t.path}/big`, { data }));
    client.pause();
    const xids: number[] = [];
    for (let count = 0; count < 200; count += 1) {
      xids.push(client.post(OpCode.getData, body.pathAndWatch(`${t.path}/big`, false)));
    }
    const other = await t.connect();
    for (let count = 0; count < 20; count += 1) ok(await other.exists(t.path));
    client.resume();
    for (const xid of xids) equal((await client.reply(xid, 30_000)).err, 0, 'err');
  });

  test('ten thousand children', async (t) => {
    const client = await t.connect();
    const xids: number[] = [];
    for (let count = 0; count < 10_000; count += 1) {
      xids.push(client.post(OpCode.create, body.create(`${t.path}/n${count}`)));
    }
    for (const xid of xids) equal((await client.reply(xid, 60_000)).err, 0, 'err');
    const { children, stat } = ok(await client.getChildren2(t.path));
    equal([children.length, stat.numChildren, stat.cversion], [10_000, 10_000, 10_000], 'counts');
    equal(ok(await client.getAllChildrenNumber(t.path)), 10_000, 'getAllChildrenNumber');
  });

  test('two hundred sessions at once', async (t) => {
    // more than maxClientCnxns from one address would be refused: forty at a time
    for (let round = 0; round < 5; round += 1) {
      const clients = await Promise.all(Array.from({ length: 40 }, async () => t.connect()));
      const ids = new Set(clients.map((client) => client.session.sessionId));
      equal(ids.size, 40, 'different ids');
      await Promise.all(clients.map(async (client) => client.close()));
    }
  });

  test('a long path and a deep one', async (t) => {
    const client = await t.connect();
    const long = `${t.path}/${'x'.repeat(10_000)}`;
    equal(ok(await client.create(long)), long, 'path');
    equal(ok(await client.getChildren(t.path)), ['x'.repeat(10_000)], 'children');
    let deep = t.path;
    for (let level = 0; level < 300; level += 1) {
      deep = `${deep}/d`;
      ok(await client.create(deep));
    }
    ok(await client.exists(deep));
    equal(ok(await client.getAllChildrenNumber(t.path)), 301, 'all below');
  });
});
