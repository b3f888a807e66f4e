/** What is still there after the server was stopped or killed and started again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { equal, fails, ok, that } from '../check.js';
import { group, tickMs, type Trial } from '../suite.js';
import { flags, openAcl, part, perms } from '../../support/requests.js';
import type { TestClient } from '../../support/test-client.js';

const signals = ['SIGTERM', 'SIGKILL'] as const;

/** All znodes from `path` down, with data, stat and ACL. */
async function dump(client: TestClient, path: string): Promise<unknown[]> {
  const read = await client.getData(path);
  if (read.err !== 0) return [{ path, err: read.err }];
  const { data, stat } = ok(read);
  const { acl } = ok(await client.getAcl(path));
  // members of an ensemble write it there by themselves, each time they begin to serve
  const mtime = path === '/zookeeper/config' ? 0n : stat.mtime;
  const all: unknown[] = [{ path, data, stat: { ...stat, mtime }, acl }];
  for (const name of ok(await client.getChildren(path))) {
    all.push(...(await dump(client, `${path === '/' ? '' : path}/${name}`)));
  }
  return all;
}

async function again(t: Trial, client: TestClient): Promise<TestClient> {
  return t.adopt(await client.reconnect({ timeoutMs: 30_000 }, t.server));
}

export const persistenceCases = group('persistence', { owns: true }, (test) => {
  for (const signal of signals) {
    test(`${signal}: tree, stats, ACLs and sessions come back`, async (t) => {
      const client = await t.connect();
      const at = (name: string): string => `${t.path}/${name}`;
      ok(await client.create(at('data'), { data: 'x' }));
      ok(await client.create(at('null')));
      ok(await client.create(at('empty'), { data: '' }));
      ok(await client.create(at('ephemeral'), { flags: flags.ephemeral }));
      ok(await client.createContainer(at('container')));
      ok(await client.createTtl(at('ttl'), 600_000n));
      ok(await client.create(at('acl'), { acl: [{ perms: 17, scheme: 'world', id: 'anyone' }] }));
      ok(
        await client.create(at('digest'), {
          acl: [
            { perms: perms.all, scheme: 'digest', id: 'a:aaaaaaaaaaaaaaaaaaaaaaaaaaa=' },
            ...openAcl,
          ],
        }),
      );
      ok(await client.setData(at('data'), 'y'));
      ok(await client.setAcl(at('data'), openAcl));
      ok(
        await client.multi([
          part.create(at('m1')),
          part.create(at('m1/m2')),
          part.delete(at('null')),
        ]),
      );
      ok(await client.create(at('s-'), { flags: flags.persistentSequential }));
      const before = await dump(client, t.path);
      const { zxid } = await client.ping();
      await t.restart(signal);
      const back = await again(t, client);
      equal(back.session.sessionId, client.session.sessionId, 'session');
      // the others have elected a new leader meanwhile, if this server was it
      if (t.target.mode !== 'leader') equal((await back.ping()).zxid, zxid, 'zxid');
      equal(await dump(back, t.path), before, 'the tree');
      equal(ok(await back.getEphemerals(t.path)), [at('ephemeral')], 'ephemerals');
      await back.close();
      const other = await t.connect();
      fails(await other.exists(at('ephemeral')), 'noNode', 'the ephemeral after the close');
    });

    test(`${signal}: sequences go on`, async (t) => {
      const client = await t.connect();
      const sequential = { flags: flags.persistentSequential };
      ok(await client.create(`${t.path}/s`, sequential));
      const last = ok(await client.create(`${t.path}/s`, sequential));
      ok(await client.delete(last));
      await t.restart(signal);
      const back = await again(t, client);
      equal(ok(await back.create(`${t.path}/s`, sequential)), `${t.path}/s0000000002`, 'path');
    });

    test(`${signal}: zxids go on, error txns included`, async (t) => {
      const client = await t.connect();
      ok(await client.create(`${t.path}/a`));
      const failed = await client.create(`${t.path}/a`);
      fails(failed, 'nodeExists');
      await t.restart(signal);
      const back = await again(t, client);
      equal((await back.ping()).zxid, failed.zxid, 'zxid');
      equal((await back.setData(t.path, 'x')).zxid, failed.zxid + 1n, 'the next zxid');
    });
  }

  test('an ephemeral of a session that nobody takes up again goes', async (t) => {
    // longer than a server needs to come back while others lead
    const owner = await t.connect({ timeoutMs: 15 * tickMs });
    ok(await owner.create(`${t.path}/e`, { flags: flags.ephemeral }));
    await t.restart('SIGKILL');
    const client = await t.connect();
    ok(await client.exists(`${t.path}/e`), 'right after the start');
    for (let left = 200; (await client.exists(`${t.path}/e`)).err === 0 && left > 0; left -= 1) {
      await sleep(50);
    }
    fails(await client.exists(`${t.path}/e`), 'noNode');
    const back = await again(t, owner);
    equal(back.session.sessionId, 0n, 'the session is over');
  });

  test('quotas come back with their figures', async (t) => {
    const client = await t.connect();
    const quota = `/zookeeper/quota${t.path}`;
    ok(await client.create(quota));
    ok(await client.create(`${quota}/zookeeper_limits`, { data: 'count=100,bytes=100' }));
    ok(await client.create(`${quota}/zookeeper_stats`, { data: 'count=0,bytes=0' }));
    ok(await client.create(`${t.path}/a`, { data: '123' }));
    await t.restart('SIGKILL');
    const back = await again(t, client);
    const figures = async (): Promise<string> =>
      ok(await back.getData(`${quota}/zookeeper_stats`)).text;
    equal(await figures(), 'count=2,bytes=3', 'figures');
    ok(await back.create(`${t.path}/b`, { data: '1' }));
    equal(await figures(), 'count=3,bytes=4', 'figures after a create');
  });

  test('a closed session stays closed', async (t) => {
    const client = await t.connect();
    await client.close();
    await t.restart('SIGKILL');
    equal((await again(t, client)).session.sessionId, 0n, 'id');
  });

  test('session ids are not used again', async (t) => {
    const before = (await t.connect()).session.sessionId;
    await t.restart('SIGKILL');
    that((await t.connect()).session.sessionId > before, 'a higher id');
  });

  test('auth, watches and connections do not survive, the password does', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    ok(await client.auth('digest', 'a:b'));
    await t.restart('SIGTERM');
    await client.untilClosed();
    const back = await again(t, client);
    equal(back.session.password, client.session.password, 'password');
    equal(ok(await back.whoAmI()).length, 1, 'identities');
    ok(await back.setData(t.path, 'x'));
    equal(await back.pendingEvents(), [], 'events');
  });

  test('setWatches after a restart catches up', async (t) => {
    const client = await t.connect();
    const other = await t.connect();
    const { zxid } = await client.ping();
    ok(await other.setData(t.path, 'x'));
    await t.restart('SIGKILL');
    const back = await again(t, client);
    ok(await back.setWatches(zxid, { data: [t.path], child: [t.path] }));
    equal(
      (await back.pendingEvents()).map((event) => event.type),
      [3],
      'types',
    );
  });
});

export const snapshotCases = group(
  'persistence with many snapshots',
  { owns: true, properties: { 'zookeeper.snapCount': '20' } },
  (test) => {
    test('snapshots and logs together give the tree', async (t) => {
      for (let round = 0; round < 3; round += 1) {
        const client = await t.connect();
        for (let count = 0; count < 50; count += 1) {
          const path = `${t.path}/n${round}-${count}`;
          ok(await client.create(path, { data: String(count) }));
          if (count % 3 === 0) ok(await client.setData(path, 'changed'));
          if (count % 7 === 0) ok(await client.delete(path));
        }
        const before = await dump(client, '/');
        await t.restart('SIGKILL');
        const after = await t.connect();
        equal(await dump(after, '/'), before, `the tree after kill ${round}`);
      }
    });
  },
);
