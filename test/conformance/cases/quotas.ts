/** Quotas: the figures that the server keeps, soft limits, hard limits. */
import { equal, fails, ok } from '../check.js';
import { group, type Trial } from '../suite.js';
import { flags, part } from '../../support/requests.js';
import type { TestClient } from '../../support/test-client.js';

async function setQuota(client: TestClient, path: string, limits: string): Promise<void> {
  let parent = '/zookeeper/quota';
  for (const name of path.split('/').slice(1)) {
    parent = `${parent}/${name}`;
    const made = await client.create(parent);
    if (made.err !== 0) fails(made, 'nodeExists');
  }
  ok(await client.create(`${parent}/zookeeper_limits`, { data: limits }));
  ok(await client.create(`${parent}/zookeeper_stats`, { data: 'count=0,bytes=0' }));
}

async function figures(client: TestClient, path: string): Promise<string> {
  const stats = ok(await client.getData(`/zookeeper/quota${path}/zookeeper_stats`));
  return stats.text;
}

/** A client and a znode /case-n/q with 4 bytes and a child of 3 bytes. */
async function furnished(t: Trial): Promise<[TestClient, string]> {
  const client = await t.connect();
  const path = `${t.path}/q`;
  ok(await client.create(path, { data: 'four' }));
  ok(await client.create(`${path}/kid`, { data: 'kid' }));
  return [client, path];
}

function defineFigures(test: Parameters<Parameters<typeof group>[2]>[0]): void {
  test('the figures are counted when their znode is created, with the znode itself', async (t) => {
    const [client, path] = await furnished(t);
    await setQuota(client, path, 'count=10,bytes=100');
    equal(await figures(client, path), 'count=2,bytes=7', 'figures');
  });

  test('creates, sets and deletes below move the figures', async (t) => {
    const client = await t.connect();
    const path = `${t.path}/q`;
    ok(await client.create(path));
    await setQuota(client, path, 'count=100,bytes=1000');
    equal(await figures(client, path), 'count=1,bytes=0', 'at first');
    ok(await client.create(`${path}/a`, { data: '12345' }));
    equal(await figures(client, path), 'count=2,bytes=5', 'after a create');
    ok(await client.create(`${path}/a/b`, { data: '12' }));
    equal(await figures(client, path), 'count=3,bytes=7', 'after a create further down');
    ok(await client.setData(`${path}/a`, '1'));
    equal(await figures(client, path), 'count=3,bytes=3', 'after a set');
    ok(await client.setData(path, '123'));
    equal(await figures(client, path), 'count=3,bytes=6', 'after a set of the znode itself');
    ok(await client.delete(`${path}/a/b`));
    equal(await figures(client, path), 'count=2,bytes=4', 'after a delete');
    ok(await client.create(`${path}x`, { data: 'other' }));
    equal(await figures(client, path), 'count=2,bytes=4', 'after a create beside it');
    ok(await client.create(`${path}/e`, { data: 'e', flags: flags.ephemeral }));
    ok(await client.multi([part.create(`${path}/m`, { data: 'mm' }), part.setData(path, null)]));
    equal(await figures(client, path), 'count=4,bytes=4', 'after a multi');
  });

  test('ephemerals that go give back', async (t) => {
    const client = await t.connect();
    const owner = await t.connect();
    const path = `${t.path}/q`;
    ok(await client.create(path));
    await setQuota(client, path, 'count=100,bytes=1000');
    ok(await owner.create(`${path}/e`, { data: '123', flags: flags.ephemeral }));
    equal(await figures(client, path), 'count=2,bytes=3', 'while it is there');
    await owner.close();
    equal(await figures(client, path), 'count=1,bytes=0', 'afterwards');
  });

  test('soft limits only warn', async (t) => {
    const client = await t.connect();
    const path = `${t.path}/q`;
    ok(await client.create(path));
    await setQuota(client, path, 'count=1,bytes=1');
    ok(await client.create(`${path}/a`, { data: '12345' }));
    ok(await client.create(`${path}/b`, { data: '12345' }));
    equal(await figures(client, path), 'count=3,bytes=10', 'figures');
  });

  test('the stats do not touch the version or mzxid of their znode', async (t) => {
    const client = await t.connect();
    const path = `${t.path}/q`;
    ok(await client.create(path));
    await setQuota(client, path, 'count=100,bytes=1000');
    const stats = `/zookeeper/quota${path}/zookeeper_stats`;
    const before = ok(await client.exists(stats));
    ok(await client.create(`${path}/a`, { data: '12345' }));
    const after = ok(await client.exists(stats));
    equal(after.version, before.version, 'version');
    equal(after.mzxid, before.mzxid, 'mzxid');
  });

  test('deleting the limits ends the counting', async (t) => {
    const client = await t.connect();
    const path = `${t.path}/q`;
    ok(await client.create(path));
    await setQuota(client, path, 'count=100,bytes=1000');
    ok(await client.delete(`/zookeeper/quota${path}/zookeeper_limits`));
    ok(await client.create(`${path}/a`, { data: '12345' }));
    equal(await figures(client, path), 'count=1,bytes=0', 'figures');
  });

  test('/zookeeper/quota itself cannot be deleted', async (t) => {
    fails(await (await t.connect()).delete('/zookeeper/quota'), 'badArguments');
  });
}

export const quotaCases = group('quotas', {}, (test) => {
  defineFigures(test);

  test('hard limits do nothing unless they are enforced', async (t) => {
    const client = await t.connect();
    const path = `${t.path}/q`;
    ok(await client.create(path));
    await setQuota(client, path, 'count=-1,bytes=-1=;byteHardLimit=1;countHardLimit=1');
    ok(await client.create(`${path}/a`, { data: '12345' }));
    ok(await client.create(`${path}/b`, { data: '12345' }));
  });
});

export const enforcedQuotaCases = group(
  'enforced quotas',
  { properties: { 'zookeeper.enforceQuota': 'true' } },
  (test) => {
    test('a hard limit of the number', async (t) => {
      const client = await t.connect();
      const path = `${t.path}/q`;
      ok(await client.create(path));
      await setQuota(client, path, 'count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3');
      ok(await client.create(`${path}/a`));
      ok(await client.create(`${path}/b`));
      const before = await client.ping();
      const refused = await client.create(`${path}/c`);
      fails(refused, 'quotaExceeded');
      equal(refused.zxid, before.zxid + 1n, 'zxid');
      fails(await client.create(`${path}/a/c`), 'quotaExceeded', 'further down');
      // counted where writes are prepared
      if (t.target.mode === 'standalone' || t.target.mode === 'leader') {
        const name = `zk_${t.path.slice(1)}_quota_exceeded_error_per_namespace`;
        const [, count] =
          new RegExp(`^${name}\\t(\\d+)$`, 'm').exec(await t.fourLetter('mntr')) ?? [];
        equal(count, '2', name);
      }
      ok(await client.create(`${t.path}/beside`), 'beside it');
      ok(await client.delete(`${path}/a`));
      ok(await client.create(`${path}/c`), 'after a delete');
    });

    test('a hard limit of the bytes', async (t) => {
      const client = await t.connect();
      const path = `${t.path}/q`;
      ok(await client.create(path));
      await setQuota(client, path, 'count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=-1');
      ok(await client.create(`${path}/a`, { data: '12345' }));
      fails(await client.create(`${path}/b`, { data: '123456' }), 'quotaExceeded');
      ok(await client.create(`${path}/b`, { data: '12345' }));
      fails(await client.setData(`${path}/b`, '123456'), 'quotaExceeded');
      ok(await client.setData(`${path}/b`, '123'));
      ok(await client.setData(`${path}/b`, '12345'));
      ok(await client.create(`${path}/c`), 'without data');
    });

    test('within a multi', async (t) => {
      const client = await t.connect();
      const path = `${t.path}/q`;
      ok(await client.create(path));
      await setQuota(client, path, 'count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2');
      ok(await client.create(`${path}/a`));
      const results = ok(await client.multi([part.create(`${path}/b`)]));
      equal(
        results.map((result) => result.err),
        [-125],
        'errors',
      );
    });

    test('soft limits only warn', async (t) => {
      const client = await t.connect();
      const path = `${t.path}/q`;
      ok(await client.create(path));
      await setQuota(client, path, 'count=1,bytes=1=;byteHardLimit=-1;countHardLimit=-1');
      ok(await client.create(`${path}/a`, { data: '12345' }));
      ok(await client.create(`${path}/b`, { data: '12345' }));
    });
  },
);
