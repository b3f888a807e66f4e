/** Watches that stay: persistent ones, recursive ones, and how they mix with the one-shot kind. */
import { OpCode } from 'zabra/protocol';
import { equal, fails, ok } from '../check.js';
import { group } from '../suite.js';
import { body, flags, part, perms } from '../../support/requests.js';
import { addWatchMode, shown, watcherType } from './watch-words.js';

const since39 = (why: string): { since: [number, number, number]; why: string } => ({
  since: [3, 9, 0],
  why,
});

export const persistentWatchCases = group('persistent watches', {}, (test) => {
  test('addWatch answers an ErrorResponse of 0', async (t) => {
    const client = await t.connect();
    equal(ok(await client.addWatch(t.path, addWatchMode.persistent)), 0, 'body');
    equal(ok(await client.addWatch('/no/such', addWatchMode.recursive)), 0, 'on a missing znode');
  });

  test('persistent: data, children, deletion and creation, again and again', async (t) => {
    const client = await t.connect();
    const path = `${t.path}/a`;
    ok(await client.addWatch(path, addWatchMode.persistent));
    for (let round = 0; round < 2; round += 1) {
      ok(await client.create(path));
      ok(await client.setData(path, 'x'));
      ok(await client.create(`${path}/c`));
      ok(await client.setData(`${path}/c`, 'x'));
      ok(await client.create(`${path}/c/d`));
      ok(await client.delete(`${path}/c/d`));
      ok(await client.delete(`${path}/c`));
      ok(await client.delete(path));
      equal(
        (await client.pendingEvents()).map(shown),
        ['created', 'dataChanged', 'childrenChanged', 'childrenChanged', 'deleted'].map(
          (name) => `${name} ${path}`,
        ),
        'events',
      );
    }
  });

  test(
    'recursive: every znode below, and never childrenChanged',
    async (t) => {
      const client = await t.connect();
      const path = `${t.path}/a`;
      ok(await client.addWatch(path, addWatchMode.recursive));
      for (let round = 0; round < 2; round += 1) {
        ok(await client.create(path));
        ok(await client.create(`${path}/c`));
        ok(await client.setData(`${path}/c`, 'x'));
        ok(await client.create(`${path}/c/d`));
        ok(await client.setData(path, 'x'));
        ok(await client.delete(`${path}/c/d`));
        ok(await client.delete(`${path}/c`));
        ok(await client.delete(path));
        equal(
          (await client.pendingEvents()).map(shown),
          [
            `created ${path}`,
            `created ${path}/c`,
            `dataChanged ${path}/c`,
            `created ${path}/c/d`,
            `dataChanged ${path}`,
            `deleted ${path}/c/d`,
            `deleted ${path}/c`,
            `deleted ${path}`,
          ],
          'events',
        );
      }
    },
    since39('ZOOKEEPER-4475'),
  );

  test('recursive: names that only begin alike are not below', async (t) => {
    const client = await t.connect();
    ok(await client.addWatch(`${t.path}/a`, addWatchMode.recursive));
    ok(await client.create(`${t.path}/ab`));
    ok(await client.create(`${t.path}/ab/c`));
    equal(await client.pendingEvents(), [], 'events');
  });

  test('recursive on the root sees everything', async (t) => {
    const client = await t.connect();
    ok(await client.addWatch('/', addWatchMode.recursive));
    ok(await client.create(`${t.path}/a`));
    equal((await client.pendingEvents()).map(shown), [`created ${t.path}/a`], 'events');
    ok(await client.removeWatches('/', watcherType.any));
  });

  test('two recursive watches over one change: one event', async (t) => {
    const client = await t.connect();
    ok(await client.addWatch(t.path, addWatchMode.recursive));
    ok(await client.create(`${t.path}/a`));
    ok(await client.addWatch(`${t.path}/a`, addWatchMode.recursive));
    await client.pendingEvents();
    ok(await client.create(`${t.path}/a/b`));
    equal((await client.pendingEvents()).map(shown), [`created ${t.path}/a/b`], 'events');
  });

  test(
    'persistent and recursive on one path: each event once, childrenChanged for the persistent',
    async (t) => {
      const client = await t.connect();
      ok(await client.addWatch(t.path, addWatchMode.persistent));
      ok(await client.addWatch(t.path, addWatchMode.recursive));
      ok(await client.create(`${t.path}/a`));
      ok(await client.setData(t.path, 'x'));
      equal(
        (await client.pendingEvents()).map(shown),
        [`created ${t.path}/a`, `childrenChanged ${t.path}`, `dataChanged ${t.path}`],
        'events',
      );
      ok(await client.removeWatches(t.path, watcherType.persistent));
      ok(await client.create(`${t.path}/b`));
      equal((await client.pendingEvents()).map(shown), [`created ${t.path}/b`], 'events');
      fails(await client.removeWatches(t.path, watcherType.persistent), 'noWatcher');
      ok(await client.removeWatches(t.path, watcherType.recursive));
      ok(await client.create(`${t.path}/c`));
      equal(await client.pendingEvents(), [], 'events');
    },
    since39('ZOOKEEPER-4466'),
  );

  test(
    'a one-shot watch beside a persistent one: one event, and the persistent stays',
    async (t) => {
      const client = await t.connect();
      ok(await client.addWatch(t.path, addWatchMode.persistent));
      ok(await client.getData(t.path, true));
      ok(await client.getChildren(t.path, true));
      ok(await client.setData(t.path, '1'));
      ok(await client.setData(t.path, '2'));
      ok(await client.create(`${t.path}/a`));
      ok(await client.create(`${t.path}/b`));
      equal(
        (await client.pendingEvents()).map(shown),
        ['dataChanged', 'dataChanged', 'childrenChanged', 'childrenChanged'].map(
          (name) => `${name} ${t.path}`,
        ),
        'events',
      );
    },
    since39('ZOOKEEPER-4466'),
  );

  test(
    'a persistent watch keeps its one-shot twin from being seen as removed',
    async (t) => {
      const client = await t.connect();
      ok(await client.addWatch(t.path, addWatchMode.persistent));
      ok(await client.getData(t.path, true));
      ok(await client.removeWatches(t.path, watcherType.data));
      ok(await client.setData(t.path, 'x'));
      equal((await client.pendingEvents()).map(shown), [`dataChanged ${t.path}`], 'events');
      ok(await client.checkWatches(t.path, watcherType.persistent));
    },
    since39('ZOOKEEPER-4471'),
  );

  test('addWatch twice is one watch', async (t) => {
    const client = await t.connect();
    ok(await client.addWatch(t.path, addWatchMode.persistent));
    ok(await client.addWatch(t.path, addWatchMode.persistent));
    ok(await client.setData(t.path, 'x'));
    equal((await client.pendingEvents()).map(shown), [`dataChanged ${t.path}`], 'events');
    ok(await client.removeWatches(t.path, watcherType.any));
    fails(await client.removeWatches(t.path, watcherType.any), 'noWatcher');
  });

  test('addWatch with an unknown mode', async (t) => {
    const client = await t.connect();
    fails(await client.addWatch(t.path, 2), 'marshallingError');
    fails(await client.addWatch(t.path, -1), 'marshallingError');
    ok(await client.exists(t.path), 'the connection stays');
  });

  test('persistent watches end with their connection', async (t) => {
    const client = await t.connect();
    ok(await client.addWatch(t.path, addWatchMode.persistent));
    ok(await client.addWatch(t.path, addWatchMode.recursive));
    const again = t.adopt(await client.reconnect());
    ok(await again.setData(t.path, 'x'));
    equal(await again.pendingEvents(), [], 'events');
  });

  test('recursive: sequentials, ephemerals, containers and multi', async (t) => {
    const client = await t.connect();
    const owner = await t.connect();
    ok(await client.addWatch(t.path, addWatchMode.recursive));
    ok(await owner.create(`${t.path}/s-`, { flags: flags.ephemeralSequential }));
    ok(await owner.createContainer(`${t.path}/c`));
    ok(await owner.multi([part.create(`${t.path}/m`), part.setData(`${t.path}/m`, 'x')]));
    await owner.close();
    const seen = (await client.pendingEvents()).map(shown);
    equal(
      seen.filter((event) => !event.startsWith('childrenChanged')),
      [
        `created ${t.path}/s-0000000000`,
        `created ${t.path}/c`,
        `created ${t.path}/m`,
        `dataChanged ${t.path}/m`,
        `deleted ${t.path}/s-0000000000`,
      ],
      'events',
    );
  });

  test(
    'recursive: nothing about znodes that the watcher may not read',
    async (t) => {
      const watcher = await t.connect();
      const writer = await t.connect();
      ok(await writer.auth('digest', 'w:w'));
      ok(await watcher.addWatch(t.path, addWatchMode.recursive));
      const acl = [{ perms: perms.all, scheme: 'auth', id: '' }];
      ok(await writer.create(`${t.path}/secret`, { acl }));
      ok(await writer.setData(`${t.path}/secret`, 'x'));
      ok(await writer.create(`${t.path}/secret/inner`));
      ok(await writer.create(`${t.path}/public`));
      ok(await writer.delete(`${t.path}/secret/inner`));
      ok(await writer.delete(`${t.path}/secret`));
      equal(
        (await watcher.pendingEvents()).map(shown),
        [
          `created ${t.path}/secret/inner`,
          `created ${t.path}/public`,
          `deleted ${t.path}/secret/inner`,
        ],
        'events',
      );
    },
    { since: [3, 9, 2], why: 'ZOOKEEPER-4799' },
  );

  test('setWatches: what changed meanwhile fires at once, the rest is set', async (t) => {
    const client = await t.connect();
    const at = (name: string): string => `${t.path}/${name}`;
    for (const name of ['same', 'set', 'gone', 'kids', 'kidless', 'was']) {
      ok(await client.create(at(name)));
    }
    const seen = (await client.ping()).zxid;
    ok(await client.setData(at('set'), 'x'));
    ok(await client.delete(at('gone')));
    ok(await client.create(at('kids/new')));
    ok(await client.delete(at('was')));
    ok(await client.create(at('new')));
    const reply = await client.setWatches(seen, {
      data: [at('same'), at('set'), at('gone')],
      exist: [at('new'), at('was'), at('never')],
      child: [at('same'), at('kids'), at('kidless'), at('gone')],
    });
    ok(reply);
    equal([reply.xid, reply.body.length], [-8, 0], 'xid, body');
    const events = await client.pendingEvents();
    equal(
      events.map(shown),
      [
        `dataChanged ${at('set')}`,
        `deleted ${at('gone')}`,
        `created ${at('new')}`,
        `childrenChanged ${at('kids')}`,
        `deleted ${at('gone')}`,
      ],
      'events at once',
    );
    equal(
      events.map((event) => event.zxid),
      events.map(() => -1n),
      'their zxids',
    );
    ok(await client.setData(at('same'), 'y'));
    ok(await client.create(at('same/kid')));
    ok(await client.create(at('kidless/kid')));
    ok(await client.create(at('was')));
    ok(await client.create(at('never')));
    ok(await client.setData(at('set'), 'y'));
    equal(
      (await client.pendingEvents()).map(shown),
      [
        `dataChanged ${at('same')}`,
        `childrenChanged ${at('same')}`,
        `childrenChanged ${at('kidless')}`,
        `created ${at('was')}`,
        `created ${at('never')}`,
      ],
      'events of the watches set',
    );
  });

  test('setWatches events come before its reply', async (t) => {
    const client = await t.connect();
    const seen = (await client.ping()).zxid;
    ok(await client.setData(t.path, 'x'));
    const reply = await client.setWatches(seen, { data: [t.path] });
    const [event] = await client.pendingEvents();
    equal((event?.at ?? 0) + 1, reply.at, 'position of the reply');
  });

  test('setWatches2: persistent watches are set without events', async (t) => {
    const client = await t.connect();
    const seen = (await client.ping()).zxid;
    ok(await client.setData(t.path, 'x'));
    ok(await client.create(`${t.path}/early`));
    ok(
      await client.setWatches2(seen, {
        data: [t.path],
        persistent: [t.path],
        recursive: [`${t.path}/early`],
      }),
    );
    equal((await client.pendingEvents()).map(shown), [`dataChanged ${t.path}`], 'at once');
    ok(await client.create(`${t.path}/late`));
    ok(await client.create(`${t.path}/early/below`));
    ok(await client.setData(t.path, 'y'));
    ok(await client.setData(t.path, 'z'));
    equal(
      (await client.pendingEvents()).map(shown),
      [
        `childrenChanged ${t.path}`,
        `created ${t.path}/early/below`,
        `dataChanged ${t.path}`,
        `dataChanged ${t.path}`,
      ],
      'events',
    );
  });

  test('setWatches with an ordinary xid', async (t) => {
    const client = await t.connect();
    const reply = await client.call(
      OpCode.setWatches,
      body.setWatches(0n, { data: [t.path] }, false),
    );
    equal(reply.err, 0, 'err');
    equal((await client.pendingEvents()).map(shown), [`dataChanged ${t.path}`], 'events');
  });

  test('setWatches of many paths', async (t) => {
    const client = await t.connect();
    const paths = Array.from({ length: 2_000 }, (_none, index) => `${t.path}/n${index}`);
    const { zxid } = await client.ping();
    ok(await client.setWatches(zxid, { exist: paths }));
    ok(await client.create(paths[1234] ?? ''));
    equal((await client.pendingEvents()).map(shown), [`created ${paths[1234] ?? ''}`], 'events');
  });
});
