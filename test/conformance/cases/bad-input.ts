/** Bytes that no proper client sends: who gets an error, who gets closed, and nobody else is hurt. */
import { ErrorCode, OpCode } from 'zabra/protocol';
import { equal, fails, nameOfError, ok, that } from '../check.js';
import { group, type Trial } from '../suite.js';
import { body, openAcl, writeAcl, writeMultiHeader } from '../../support/requests.js';
import { bytesOf, ClosedError, framed, type Body } from '../../support/raw-client.js';

const int = (value: number): Uint8Array => bytesOf((w) => w.writeInt(value));

/** The server closes without a word, and goes on serving others. */
async function isClosedSilently(t: Trial, bytes: Uint8Array): Promise<void> {
  const client = await t.open();
  client.sendBytes(bytes);
  await client.untilClosed();
  equal(client.replies.length, 0, 'replies');
  ok(await (await t.connect()).exists(t.path), 'another client');
}

export const badInputCases = group('bad input', {}, (test) => {
  const lengths = {
    '-1': -1,
    'the least int': -0x8000_0000,
    huge: 0x7fffffff,
    'too long': 1_048_576,
  };
  for (const [name, length] of Object.entries(lengths)) {
    test(`a first frame of length ${name}: closed`, async (t) => {
      await isClosedSilently(t, int(length));
    });
    test(`a later frame of length ${name}: closed, the session stays`, async (t) => {
      const client = await t.connect();
      client.sendBytes(int(length));
      await client.untilClosed();
      const again = t.adopt(await client.reconnect());
      equal(again.session.sessionId, client.session.sessionId, 'session');
    });
  }

  test('a frame of length 0 after the handshake: closed', async (t) => {
    const client = await t.connect();
    client.sendBytes(int(0));
    await client.untilClosed();
  });

  test('a connect request that ends too early: closed', async (t) => {
    const whole = bytesOf((w) => {
      w.writeInt(0);
      w.writeLong(0n);
      w.writeInt(30_000);
      w.writeLong(0n);
      w.writeBuffer(new Uint8Array(16));
    });
    for (const length of [0, 3, 4, 11, 16, 23, 27, 28, 43]) {
      await isClosedSilently(t, framed(whole.subarray(0, length)));
    }
  });

  test('a connect request whose password has a bad length: closed', async (t) => {
    for (const length of [-2, 1000, 0x7fffffff]) {
      const request = bytesOf((w) => {
        w.writeInt(0);
        w.writeLong(0n);
        w.writeInt(30_000);
        w.writeLong(0n);
        w.writeInt(length);
        w.writeLong(0n);
        w.writeLong(0n);
        w.writeBool(false);
      });
      await isClosedSilently(t, framed(request));
    }
  });

  test('a request before the handshake: closed', async (t) => {
    const request = bytesOf((w) => {
      w.writeInt(1);
      w.writeInt(OpCode.exists);
      w.writeString('/');
      w.writeBool(false);
    });
    await isClosedSilently(t, framed(request));
  });

  test('a header that ends too early: closed', async (t) => {
    for (const length of [1, 4, 7]) {
      const client = await t.connect();
      client.sendFrame(new Uint8Array(length));
      await client.untilClosed();
    }
  });

  const unknown = [-3, -2, 10, 23, 50, 99, 108, 1_000, 0x7fffffff, -0x8000_0000, -9, -12];
  for (const op of unknown) {
    test(`op code ${op}: UNIMPLEMENTED, then closed`, async (t) => {
      const client = await t.connect();
      const xid = client.post(op, body.path(t.path));
      const reply = await client.reply(xid);
      fails(reply, 'unimplemented');
      await client.untilClosed();
      const again = t.adopt(await client.reconnect());
      equal(again.session.sessionId, client.session.sessionId, 'the session stays');
    });
  }

  const internal: Record<string, number> = {
    'notification (0)': OpCode.notification,
    'check (13) outside a multi': OpCode.check,
    'error (-1)': OpCode.error,
  };
  for (const [name, op] of Object.entries(internal)) {
    test(
      `${name}: UNIMPLEMENTED, then closed`,
      async (t) => {
        const client = await t.connect();
        fails(await client.call(op, body.pathAndInt(t.path, 0)), 'unimplemented');
        await client.untilClosed();
      },
      { since: [3, 9, 3], why: 'ZOOKEEPER-2623' },
    );
  }

  test(
    'createSession from a client',
    async (t) => {
      const client = await t.connect();
      const xid = client.post(OpCode.createSession, int(5_000));
      if (t.target.isApache) {
        // Apache answers as to a handshake: a ConnectResponse where a reply belongs
        const reply = await client.reply(0);
        equal(reply.body.length, 21, 'what follows sixteen bytes of a ConnectResponse');
        return;
      }
      fails(await client.reply(xid), 'unimplemented');
      await client.untilClosed();
    },
    { deviates: 'an internal op code: refused with UNIMPLEMENTED, then closed' },
  );

  test(
    'deleteContainer from a client',
    async (t) => {
      const client = await t.connect();
      ok(await client.createContainer(`${t.path}/c`));
      const reply = await client.call(OpCode.deleteContainer, body.path(`${t.path}/c`));
      if (t.target.isApache) {
        // Apache deletes it for anybody, without looking at an ACL
        equal(reply.err, 0, 'err');
        fails(await client.exists(`${t.path}/c`), 'noNode');
        return;
      }
      fails(reply, 'unimplemented');
      await client.untilClosed();
      ok(await (await t.connect()).exists(`${t.path}/c`));
    },
    {
      deviates: 'an internal op code: refused with UNIMPLEMENTED, then closed',
      since: [3, 9, 0],
      why: 'the record was another one',
    },
  );

  const truncated: [string, number, Uint8Array][] = [
    ['create', OpCode.create, body.create('/bad', { data: 'xy' })],
    ['create2', OpCode.create2, body.create('/bad', { data: 'xy' })],
    ['createContainer', OpCode.createContainer, body.create('/bad', { flags: 4 })],
    ['createTTL', OpCode.createTTL, body.create('/bad', { flags: 5, ttl: 5_000n })],
    ['delete', OpCode.delete, body.pathAndInt('/bad', 0)],
    ['exists', OpCode.exists, body.pathAndWatch('/bad', false)],
    ['getData', OpCode.getData, body.pathAndWatch('/bad', false)],
    ['setData', OpCode.setData, body.setData('/bad', 'xy', 0)],
    ['getACL', OpCode.getACL, body.path('/bad')],
    ['setACL', OpCode.setACL, body.setAcl('/bad', openAcl, 0)],
    ['getChildren', OpCode.getChildren, body.pathAndWatch('/bad', false)],
    ['getChildren2', OpCode.getChildren2, body.pathAndWatch('/bad', false)],
    ['sync', OpCode.sync, body.path('/bad')],
    ['multi', OpCode.multi, body.multi([{ type: OpCode.check, body: body.pathAndInt('/', 0) }])],
    ['multiRead', OpCode.multiRead, body.multi([{ type: 4, body: body.pathAndWatch('/', false) }])],
    ['setWatches', OpCode.setWatches, body.setWatches(0n, {}, false)],
    ['setWatches2', OpCode.setWatches2, body.setWatches(0n, {}, true)],
    ['checkWatches', OpCode.checkWatches, body.pathAndInt('/bad', 1)],
    ['removeWatches', OpCode.removeWatches, body.pathAndInt('/bad', 1)],
    ['addWatch', OpCode.addWatch, body.pathAndInt('/bad', 0)],
    ['getEphemerals', OpCode.getEphemerals, body.path('/bad')],
    ['getAllChildrenNumber', OpCode.getAllChildrenNumber, body.path('/bad')],
  ];
  const writes = new Set([
    'create',
    'create2',
    'createContainer',
    'createTTL',
    'delete',
    'setData',
    'setACL',
  ]);
  const since39 = { since: [3, 9, 0], why: 'unreadable writes took a zxid' } as const;
  for (const [name, op, whole] of truncated) {
    test(
      `${name} that ends too early, at every byte: MARSHALLINGERROR`,
      async (t) => {
        const client = await t.connect();
        let last = (await client.ping()).zxid;
        for (let length = 0; length < whole.length; length += 1) {
          const reply = await client.call(op, whole.subarray(0, length));
          fails(reply, 'marshallingError', `${name}, ${length} of ${whole.length} bytes`);
          // of what cannot be read only a multi takes a zxid
          if (op === OpCode.multi) last += 1n;
          equal(reply.zxid, last, `zxid after ${length} bytes`);
        }
        ok(await client.exists(t.path), 'the connection stays');
      },
      writes.has(name) ? since39 : {},
    );
  }

  test('bytes after a request are not looked at', async (t) => {
    const client = await t.connect();
    const path = `${t.path}/a`;
    const withMore = (whole: Uint8Array): Body =>
      bytesOf((w) => {
        w.writeBytes(whole, 0, whole.length);
        w.writeString('more');
      });
    equal((await client.call(OpCode.create, withMore(body.create(path)))).err, 0, 'create');
    const read = await client.call(OpCode.getData, withMore(body.pathAndWatch(path, false)));
    equal(read.err, 0, 'getData');
    equal((await client.call(OpCode.ping, withMore(new Uint8Array(0)), -2)).err, 0, 'ping');
  });

  test('lengths of strings and buffers that lie: MARSHALLINGERROR', async (t) => {
    const client = await t.connect();
    for (const length of [-2, -0x8000_0000, 0x7fffffff, 1_000_000, 100]) {
      const path = await client.call(OpCode.getData, (w) => {
        w.writeInt(length);
        w.writeString('/x');
      });
      fails(path, 'marshallingError', `path of length ${length}`);
      const data = await client.call(OpCode.setData, (w) => {
        w.writeString(t.path);
        w.writeInt(length);
        w.writeInt(0);
      });
      fails(data, 'marshallingError', `data of length ${length}`);
    }
    ok(await client.exists(t.path), 'the connection stays');
  });

  test('counts of lists that lie', async (t) => {
    const client = await t.connect();
    const create = async (count: number): Promise<string> => {
      const reply = await client.call(OpCode.create, (w) => {
        w.writeString(`${t.path}/a`);
        w.writeBuffer(null);
        w.writeInt(count);
        w.writeInt(0);
      });
      return nameOfError(reply.err);
    };
    equal(await create(0x7fffffff), 'marshallingError', 'huge');
    equal(await create(1_000_000), 'marshallingError', 'large');
    equal(await create(2), 'marshallingError', 'two');
    equal(await create(-2), 'invalidACL', 'below -1 is an empty list');
    equal(await create(-0x8000_0000), 'invalidACL', 'the least int is an empty list');
    ok(await client.exists(t.path), 'the connection stays');
  });

  test('a list of watches that lies: MARSHALLINGERROR, nothing is set', async (t) => {
    const client = await t.connect();
    const reply = await client.call(OpCode.setWatches, (w) => {
      w.writeLong(0n);
      w.writeInt(0x7fffffff);
      w.writeString(t.path);
    });
    fails(reply, 'marshallingError');
    ok(await client.setData(t.path, 'x'));
    equal(await client.pendingEvents(), [], 'events');
  });

  test('a multi without an end: MARSHALLINGERROR', async (t) => {
    const client = await t.connect();
    const reply = await client.call(OpCode.multi, (w) => {
      writeMultiHeader(w, OpCode.create, false, -1);
      const create = body.create(`${t.path}/a`);
      w.writeBytes(create, 0, create.length);
    });
    fails(reply, 'marshallingError');
    fails(await client.exists(`${t.path}/a`), 'noNode');
  });

  test('any byte but 0 is true', async (t) => {
    const client = await t.connect();
    const reply = await client.call(OpCode.getData, (w) => {
      w.writeString(t.path);
      w.writeBytes(new Uint8Array([0x80]), 0, 1);
    });
    equal(reply.err, 0, 'err');
    ok(await client.setData(t.path, 'x'));
    equal((await client.pendingEvents()).length, 1, 'events');
  });

  test('a path that is not UTF-8', async (t) => {
    const client = await t.connect();
    const name = bytesOf((w) => {
      const path = new TextEncoder().encode(`${t.path}/a`);
      w.writeInt(path.length + 2);
      w.writeBytes(path, 0, path.length);
      w.writeBytes(new Uint8Array([0xff, 0xfe]), 0, 2);
    });
    const created = await client.call(OpCode.create, (w) => {
      w.writeBytes(name, 0, name.length);
      w.writeBuffer(null);
      writeAcl(w, openAcl);
      w.writeInt(0);
    });
    // U+FFFD, which bad bytes become, is one of the characters that a path may not have
    fails(created, 'badArguments');
    const read = await client.call(OpCode.getData, (w) => {
      w.writeBytes(name, 0, name.length);
      w.writeBool(false);
    });
    fails(read, 'noNode');
  });

  test('null where an ACL entry has strings', async (t) => {
    const client = await t.connect();
    const acl = [{ perms: 31, scheme: 'world', id: null }];
    fails(await client.create(`${t.path}/a`, { acl }), 'marshallingError');
    ok(await client.exists(t.path), 'the connection stays');
  });

  test(
    'a second connect request is taken for a request',
    async (t) => {
      const client = await t.connect();
      client.sendFrame(
        bytesOf((w) => {
          w.writeInt(0);
          w.writeLong(0n);
          w.writeInt(30_000);
          w.writeLong(0n);
          w.writeBuffer(new Uint8Array(16));
          w.writeBool(false);
        }),
      );
      // xid 0, type 0: the first half of its zxid
      const reply = await client.reply(0);
      equal(reply.err, ErrorCode.unimplemented, 'err');
      await client.untilClosed();
    },
    { since: [3, 9, 3], why: 'op code 0 was answered without an error' },
  );

  test('frames in pieces of one byte', async (t) => {
    const client = await t.open();
    const handshake = framed(
      bytesOf((w) => {
        w.writeInt(0);
        w.writeLong(0n);
        w.writeInt(30_000);
        w.writeLong(0n);
        w.writeBuffer(new Uint8Array(16));
        w.writeBool(false);
      }),
    );
    const answer = client.expectHandshake();
    for (const byte of handshake) {
      client.sendBytes(new Uint8Array([byte]));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    that((await answer) !== null, 'a session');
    const request = framed(
      bytesOf((w) => {
        w.writeInt(9);
        w.writeInt(OpCode.exists);
        w.writeString(t.path);
        w.writeBool(false);
      }),
    );
    for (const byte of request) {
      client.sendBytes(new Uint8Array([byte]));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    equal((await client.reply(9)).err, 0, 'err');
  });

  test('many frames in one write', async (t) => {
    const client = await t.connect();
    const frames: Uint8Array[] = [];
    for (let xid = 1; xid <= 500; xid += 1) {
      frames.push(
        framed(
          bytesOf((w) => {
            w.writeInt(xid);
            w.writeInt(OpCode.exists);
            w.writeString(t.path);
            w.writeBool(false);
          }),
        ),
      );
    }
    client.sendBytes(Buffer.concat(frames));
    for (let xid = 1; xid <= 500; xid += 1) equal((await client.reply(xid)).err, 0, `xid ${xid}`);
  });

  test('a frame cut off by the end of the stream does nothing', async (t) => {
    const client = await t.connect();
    const request = framed(
      bytesOf((w) => {
        w.writeInt(1);
        w.writeInt(OpCode.create);
        const create = body.create(`${t.path}/a`);
        w.writeBytes(create, 0, create.length);
      }),
    );
    client.sendBytes(request.subarray(0, request.length - 1));
    client.end();
    await client.untilClosed();
    fails(await (await t.connect()).exists(`${t.path}/a`), 'noNode');
  });

  test('auth that cannot be read: closed', async (t) => {
    const client = await t.connect();
    const posted = client.post(OpCode.auth, int(0), -4);
    try {
      await client.reply(posted);
      that(false, 'no reply');
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error;
    }
  });

  test('sasl without SASL on the server', async (t) => {
    const client = await t.connect();
    const xid = client.post(OpCode.sasl, (w) => {
      w.writeBuffer(new Uint8Array([1, 2, 3]));
    });
    const reply = await client.reply(xid);
    equal(nameOfError(reply.err), 'ok', 'err');
    equal(reply.body, int(-1), 'a null token');
  });
});
