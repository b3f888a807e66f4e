/** One-shot watches: which read sets which, which change fires which, and in what order. */
import { ErrorCode, OpCode } from 'zabra/protocol';
import { equal, fails, ok, that } from '../check.js';
import { group } from '../suite.js';
import { body, flags, openAcl, part, perms } from '../../support/requests.js';
import type { WatchEvent } from '../../support/raw-client.js';
import type { TestClient } from '../../support/test-client.js';
import { addWatchMode, eventType, shown, watcherType } from './watch-words.js';

export const watchCases = group('watches', {}, (test) => {
  const kinds = {
    exists: async (c: TestClient, path: string) => c.exists(path, true),
    getData: async (c: TestClient, path: string) => c.getData(path, true),
    getChildren: async (c: TestClient, path: string) => c.getChildren(path, true),
    getChildren2: async (c: TestClient, path: string) => c.getChildren2(path, true),
  };
  type Change = (c: TestClient, path: string) => Promise<unknown>;
  const changes: Record<string, Change> = {
    'create a child': async (c, path) => ok(await c.create(`${path}/child`)),
    'delete a child': async (c, path) => ok(await c.delete(`${path}/old`)),
    'set data': async (c, path) => ok(await c.setData(path, 'x')),
    'set data of a child': async (c, path) => ok(await c.setData(`${path}/old`, 'x')),
    'set the ACL': async (c, path) => ok(await c.setAcl(path, openAcl)),
    'create a grandchild': async (c, path) => ok(await c.create(`${path}/old/new`)),
    'delete it': async (c, path) => {
      ok(await c.delete(`${path}/old`));
      await c.ping();
      ok(await c.delete(path));
    },
  };
  const dataEvents: Record<string, string[]> = {
    'set data': ['dataChanged'],
    'delete it': ['deleted'],
  };
  const childEvents: Record<string, string[]> = {
    'create a child': ['childrenChanged'],
    'delete a child': ['childrenChanged'],
    'delete it': ['childrenChanged'],
  };
  for (const [kind, watch] of Object.entries(kinds)) {
    for (const [change, make] of Object.entries(changes)) {
      const all = kind.startsWith('getChildren') ? childEvents : dataEvents;
      const expected = all[change] ?? [];
      test(`${kind}, ${change}: ${expected.join() || 'nothing'}`, async (t) => {
        const watcher = await t.connect();
        const changer = await t.connect();
        const path = `${t.path}/node`;
        ok(await changer.create(path));
        ok(await changer.create(`${path}/old`));
        equal((await watch(watcher, path)).err, 0, 'the read that sets the watch');
        await make(changer, path);
        equal(
          (await watcher.pendingEvents()).map(shown),
          expected.map((name) => `${name} ${path}`),
          'events',
        );
      });
    }
  }

  test('getChildren, then the znode itself goes: deleted', async (t) => {
    const watcher = await t.connect();
    ok(await watcher.getChildren(t.path, true));
    ok(await watcher.delete(t.path));
    equal((await watcher.pendingEvents()).map(shown), [`deleted ${t.path}`], 'events');
  });

  test('exists on a missing znode, then created', async (t) => {
    const client = await t.connect();
    fails(await client.exists(`${t.path}/a`, true), 'noNode');
    const made = await client.create(`${t.path}/a`);
    const events = await client.pendingEvents();
    equal(events.map(shown), [`created ${t.path}/a`], 'events');
    equal(events[0]?.state, 3, 'state');
    that((events[0]?.at ?? 0) < made.at, 'the event comes before the reply');
  });

  test('getData and getChildren on a missing znode set no watch', async (t) => {
    const client = await t.connect();
    fails(await client.getData(`${t.path}/a`, true), 'noNode');
    fails(await client.getChildren(`${t.path}/a`, true), 'noNode');
    ok(await client.create(`${t.path}/a`));
    ok(await client.create(`${t.path}/a/b`));
    equal(await client.pendingEvents(), [], 'events');
  });

  test('a read that fails for its ACL sets no watch', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    ok(await client.setAcl(`${t.path}/a`, [{ perms: 30, scheme: 'world', id: 'anyone' }]));
    fails(await client.getData(`${t.path}/a`, true), 'noAuth');
    ok(await client.setAcl(`${t.path}/a`));
    ok(await client.setData(`${t.path}/a`, 'x'));
    equal(await client.pendingEvents(), [], 'events');
  });

  test('a watch fires once', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    ok(await client.setData(t.path, '1'));
    ok(await client.setData(t.path, '2'));
    equal((await client.pendingEvents()).map(shown), [`dataChanged ${t.path}`], 'events');
  });

  test('set twice fires once; data and child watches are apart', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    ok(await client.exists(t.path, true));
    ok(await client.getChildren(t.path, true));
    ok(await client.create(`${t.path}/a`));
    ok(await client.setData(t.path, '1'));
    equal(
      (await client.pendingEvents()).map(shown),
      [`childrenChanged ${t.path}`, `dataChanged ${t.path}`],
      'events',
    );
  });

  test('data and child watch on a znode that goes: one event', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    ok(await client.getChildren(t.path, true));
    ok(await client.delete(t.path));
    equal((await client.pendingEvents()).map(shown), [`deleted ${t.path}`], 'events');
  });

  test(
    'the event carries the zxid of its change',
    async (t) => {
      const client = await t.connect();
      ok(await client.getData(t.path, true));
      const set = await client.setData(t.path, 'x');
      const [event] = await client.pendingEvents();
      equal(event?.zxid, set.zxid, 'zxid of the event');
    },
    { since: [3, 9, 0], why: 'ZOOKEEPER-4655' },
  );

  test('event before reply, event before new data', async (t) => {
    const watcher = await t.connect();
    const writer = await t.connect();
    for (let round = 0; round < 30; round += 1) {
      ok(await watcher.getData(t.path, true));
      const posted = writer.post(OpCode.setData, body.setData(t.path, String(round), -1));
      const reads: number[] = [];
      for (let read = 0; read < 20; read += 1) {
        reads.push(watcher.post(OpCode.getData, body.pathAndWatch(t.path, false)));
      }
      const set = await writer.reply(posted);
      const event: WatchEvent = await watcher.event();
      for (const xid of reads) {
        const reply = await watcher.reply(xid);
        const isNew = reply.zxid >= set.zxid;
        that(!isNew || event.at < reply.at, 'a reply with new data came before the event');
        that(isNew || reply.at < event.at, 'a reply with old data came after the event');
      }
    }
  });

  test('a watch set while the change is in flight sees it or reads it', async (t) => {
    const client = await t.connect();
    const first = client.post(OpCode.setData, body.setData(t.path, '1', -1));
    const read = client.post(OpCode.getData, body.pathAndWatch(t.path, true));
    const second = client.post(OpCode.setData, body.setData(t.path, '2', -1));
    await client.reply(first);
    await client.reply(read);
    const set = await client.reply(second);
    const events = await client.pendingEvents();
    equal(events.map(shown), [`dataChanged ${t.path}`], 'events');
    that((events[0]?.at ?? 0) < set.at, 'before the reply of the second set');
  });

  test('events of a multi come after all of it', async (t) => {
    const watcher = await t.connect();
    const writer = await t.connect();
    ok(await writer.create(`${t.path}/a`));
    ok(await watcher.getData(`${t.path}/a`, true));
    fails(await watcher.exists(`${t.path}/b`, true), 'noNode');
    ok(await watcher.getChildren(t.path, true));
    const reply = await writer.multi([
      part.setData(`${t.path}/a`, 'x'),
      part.create(`${t.path}/b`),
      part.setData(`${t.path}/b`, 'y'),
    ]);
    ok(reply);
    const events = await watcher.pendingEvents();
    equal(
      events.map(shown),
      [`dataChanged ${t.path}/a`, `created ${t.path}/b`, `childrenChanged ${t.path}`],
      'events',
    );
  });

  test('a multi that fails fires nothing', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    ok(await client.getChildren(t.path, true));
    ok(
      await client.multi([
        part.setData(t.path, 'x'),
        part.create(`${t.path}/a`),
        part.check(t.path, 99),
      ]),
    );
    equal(await client.pendingEvents(), [], 'events');
  });

  test('the create of an ephemeral and its end with the session', async (t) => {
    const watcher = await t.connect();
    const owner = await t.connect();
    fails(await watcher.exists(`${t.path}/e`, true), 'noNode');
    ok(await watcher.getChildren(t.path, true));
    ok(await owner.create(`${t.path}/e`, { flags: flags.ephemeral }));
    equal(
      (await watcher.pendingEvents()).map(shown),
      [`created ${t.path}/e`, `childrenChanged ${t.path}`],
      'events of the create',
    );
    ok(await watcher.exists(`${t.path}/e`, true));
    ok(await watcher.getChildren(t.path, true));
    await owner.close();
    equal(
      (await watcher.pendingEvents()).map(shown),
      [`deleted ${t.path}/e`, `childrenChanged ${t.path}`],
      'events of the close',
    );
  });

  test('watches end with their connection', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    const again = t.adopt(await client.reconnect());
    ok(await again.setData(t.path, 'x'));
    equal(await again.pendingEvents(), [], 'events');
  });

  test('the watches of two connections are apart', async (t) => {
    const one = await t.connect();
    const two = await t.connect();
    ok(await one.getData(t.path, true));
    ok(await two.getData(t.path, true));
    ok(await one.setData(t.path, 'x'));
    equal((await one.pendingEvents()).map(shown), [`dataChanged ${t.path}`], 'of one');
    equal((await two.pendingEvents()).map(shown), [`dataChanged ${t.path}`], 'of two');
  });

  test('a failed setData fires nothing', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    fails(await client.setData(t.path, 'x', 99), 'badVersion');
    equal(await client.pendingEvents(), [], 'events');
  });

  test(
    'no event for a znode that the watcher may not read any more',
    async (t) => {
      const watcher = await t.connect();
      const writer = await t.connect();
      ok(await writer.auth('digest', 'w:w'));
      ok(await writer.create(`${t.path}/a`));
      ok(await watcher.getData(`${t.path}/a`, true));
      const acl = [{ perms: perms.all, scheme: 'auth', id: '' }];
      ok(await writer.setAcl(`${t.path}/a`, acl));
      ok(await writer.setData(`${t.path}/a`, 'secret'));
      equal(await watcher.pendingEvents(), [], 'events');
      ok(await writer.setAcl(`${t.path}/a`));
      ok(await writer.setData(`${t.path}/a`, 'public'));
      equal(await watcher.pendingEvents(), [], 'the watch is spent all the same');
    },
    { since: [3, 8, 4], why: 'ZOOKEEPER-4799' },
  );

  test('multiRead sets no watch, even when asked to', async (t) => {
    const client = await t.connect();
    ok(
      await client.multiRead([
        { type: OpCode.getData, body: body.pathAndWatch(t.path, true) },
        { type: OpCode.getChildren, body: body.pathAndWatch(t.path, true) },
      ]),
    );
    ok(await client.setData(t.path, 'x'));
    ok(await client.create(`${t.path}/a`));
    equal(await client.pendingEvents(), [], 'events');
  });

  test(
    'checkWatches tells the kinds apart',
    async (t) => {
      const client = await t.connect();
      const kindsThere = async (): Promise<string[]> => {
        const there: string[] = [];
        for (const [name, type] of Object.entries(watcherType)) {
          const reply = await client.checkWatches(t.path, type);
          if (reply.err === 0) there.push(name);
          else equal(reply.err, ErrorCode.noWatcher, name);
        }
        return there;
      };
      equal(await kindsThere(), [], 'at first');
      ok(await client.exists(t.path, true));
      equal(await kindsThere(), ['data', 'any'], 'after exists');
      ok(await client.getChildren(t.path, true));
      equal(await kindsThere(), ['children', 'data', 'any'], 'after getChildren');
      ok(await client.removeWatches(t.path, watcherType.data));
      equal(await kindsThere(), ['children', 'any'], 'after removing data');
      ok(await client.addWatch(t.path, addWatchMode.persistent));
      equal(await kindsThere(), ['children', 'any', 'persistent'], 'with a persistent');
      ok(await client.addWatch(t.path, addWatchMode.recursive));
      ok(await client.removeWatches(t.path, watcherType.any));
      equal(await kindsThere(), [], 'after removing any');
    },
    { since: [3, 9, 0], why: 'the types 4 and 5 are new' },
  );

  test('removeWatches: no event comes any more, and what is not there is NOWATCHER', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    ok(await client.getChildren(t.path, true));
    ok(await client.removeWatches(t.path, watcherType.data));
    fails(await client.removeWatches(t.path, watcherType.data), 'noWatcher');
    ok(await client.setData(t.path, 'x'));
    equal(await client.pendingEvents(), [], 'events');
    ok(await client.removeWatches(t.path, watcherType.children));
    ok(await client.create(`${t.path}/a`));
    equal(await client.pendingEvents(), [], 'events');
    fails(await client.removeWatches(t.path, watcherType.any), 'noWatcher');
    fails(await client.checkWatches(t.path, watcherType.any), 'noWatcher');
  });

  test('checkWatches and removeWatches with an unknown type', async (t) => {
    const client = await t.connect();
    fails(await client.checkWatches(t.path, 99), 'marshallingError');
    fails(await client.removeWatches(t.path, 0), 'marshallingError');
    ok(await client.exists(t.path), 'the connection stays');
  });

  test(
    "another connection's watches are not touched",
    async (t) => {
      const one = await t.connect();
      const two = await t.connect();
      ok(await one.getData(t.path, true));
      fails(await two.checkWatches(t.path, watcherType.data), 'noWatcher');
      fails(await two.removeWatches(t.path, watcherType.data), 'noWatcher');
      ok(await two.setData(t.path, 'x'));
      equal((await one.pendingEvents())[0]?.type, eventType.dataChanged, 'type');
    },
    { since: [3, 9, 0], why: 'removeWatches answered ok for what others watch' },
  );
});
