/** Containers and TTL znodes: the server deletes them by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { equal, fails, ok, that } from '../check.js';
import { group } from '../suite.js';
import type { TestClient } from '../../support/test-client.js';
import { shown } from './watch-words.js';

async function untilGone(client: TestClient, path: string): Promise<void> {
  for (let left = 200; left > 0; left -= 1) {
    if ((await client.exists(path)).err !== 0) return;
    await sleep(50);
  }
  throw new Error(`${path} was not collected within ten seconds`);
}

async function staysFor(client: TestClient, path: string, ms: number): Promise<void> {
  const until = Date.now() + ms;
  while (Date.now() < until) {
    ok(await client.exists(path), path);
    await sleep(50);
  }
}

export const collectedCases = group(
  'containers and TTL',
  {
    properties: {
      'znode.container.checkIntervalMs': '100',
      'znode.container.maxPerMinute': '60000',
    },
  },
  (test) => {
    test(
      'a container goes when its last child has gone',
      async (t) => {
        const client = await t.connect();
        const path = `${t.path}/c`;
        ok(await client.createContainer(path));
        ok(await client.create(`${path}/a`));
        ok(await client.create(`${path}/b`));
        ok(await client.delete(`${path}/a`));
        await staysFor(client, path, 500);
        ok(await client.delete(`${path}/b`));
        await untilGone(client, path);
      },
      { waits: true },
    );

    test(
      'a container that never had a child stays',
      async (t) => {
        const client = await t.connect();
        ok(await client.createContainer(`${t.path}/c`));
        await staysFor(client, `${t.path}/c`, 1_000);
      },
      { waits: true },
    );

    test(
      'an ordinary znode stays when its children have gone',
      async (t) => {
        const client = await t.connect();
        ok(await client.create(`${t.path}/p`));
        ok(await client.create(`${t.path}/p/a`));
        ok(await client.delete(`${t.path}/p/a`));
        await staysFor(client, `${t.path}/p`, 1_000);
      },
      { waits: true },
    );

    test(
      'watches hear of it',
      async (t) => {
        const client = await t.connect();
        const path = `${t.path}/c`;
        ok(await client.createContainer(path));
        ok(await client.create(`${path}/a`));
        ok(await client.exists(path, true));
        ok(await client.getChildren(t.path, true));
        ok(await client.delete(`${path}/a`));
        equal(shown(await client.event()), `deleted ${path}`, 'event');
        equal(shown(await client.event()), `childrenChanged ${t.path}`, 'event');
      },
      { waits: true },
    );

    test(
      'containers in containers go one after the other',
      async (t) => {
        const client = await t.connect();
        ok(await client.createContainer(`${t.path}/c`));
        ok(await client.createContainer(`${t.path}/c/d`));
        ok(await client.create(`${t.path}/c/d/x`));
        ok(await client.delete(`${t.path}/c/d/x`));
        await untilGone(client, `${t.path}/c`);
      },
      { waits: true },
    );

    test(
      'a TTL znode goes when nothing was done to it for its ttl',
      async (t) => {
        const client = await t.connect();
        const path = `${t.path}/t`;
        ok(await client.createTtl(path, 1_000n));
        await staysFor(client, path, 700);
        await untilGone(client, path);
      },
      { waits: true },
    );

    test(
      'setData starts its ttl again',
      async (t) => {
        const client = await t.connect();
        const path = `${t.path}/t`;
        ok(await client.createTtl(path, 1_000n));
        for (let count = 0; count < 4; count += 1) {
          await sleep(500);
          ok(await client.setData(path, String(count)));
        }
        await untilGone(client, path);
      },
      { waits: true },
    );

    test(
      'a TTL znode with children stays',
      async (t) => {
        const client = await t.connect();
        const path = `${t.path}/t`;
        ok(await client.createTtl(path, 300n));
        ok(await client.create(`${path}/a`));
        await staysFor(client, path, 1_000);
        ok(await client.delete(`${path}/a`));
        await untilGone(client, path);
      },
      { waits: true },
    );

    test('a collection takes a zxid and moves the parent', async (t) => {
      const client = await t.connect();
      const path = `${t.path}/c`;
      ok(await client.createContainer(path));
      ok(await client.create(`${path}/a`));
      ok(await client.exists(path, true));
      const gone = await client.delete(`${path}/a`);
      const event = await client.event();
      equal(shown(event), `deleted ${path}`, 'event');
      that((await client.ping()).zxid > gone.zxid, 'the zxid moved');
      const stat = ok(await client.exists(t.path));
      equal([stat.cversion, stat.numChildren], [2, 0], 'cversion, numChildren');
      that(stat.pzxid > gone.zxid, 'pzxid of the parent');
      fails(await client.getData(path), 'noNode');
    });
  },
);
