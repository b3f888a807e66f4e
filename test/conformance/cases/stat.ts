/** The fields of Stat: who moves which counter and which zxid. */
import { equal, ok, that } from '../check.js';
import { group } from '../suite.js';
import { flags, openAcl, part } from '../../support/requests.js';

export const statCases = group('stat', {}, (test) => {
  test('a child created: cversion and pzxid of the parent, nothing else', async (t) => {
    const client = await t.connect();
    const before = ok(await client.exists(t.path));
    const made = await client.create(`${t.path}/a`);
    const after = ok(await client.exists(t.path));
    equal(
      after,
      { ...before, cversion: 1, numChildren: 1, pzxid: made.zxid },
      'stat of the parent',
    );
  });

  test('a child deleted: cversion and pzxid of the parent', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    const gone = await client.delete(`${t.path}/a`);
    const stat = ok(await client.exists(t.path));
    equal([stat.cversion, stat.numChildren], [2, 0], 'cversion, numChildren');
    equal(stat.pzxid, gone.zxid, 'pzxid');
  });

  test('cversion counts creates and deletes', async (t) => {
    const client = await t.connect();
    for (const name of ['a', 'b', 'c']) ok(await client.create(`${t.path}/${name}`));
    for (const name of ['a', 'b']) ok(await client.delete(`${t.path}/${name}`));
    const stat = ok(await client.exists(t.path));
    equal([stat.cversion, stat.numChildren], [5, 1], 'cversion, numChildren');
  });

  test('setData: version, mzxid, mtime, dataLength', async (t) => {
    const client = await t.connect();
    const before = ok(await client.exists(t.path));
    const set = await client.setData(t.path, 'hello');
    const after = ok(await client.exists(t.path));
    equal(after, ok(set), 'the stat that setData answered');
    that(after.mtime >= before.mtime, 'mtime does not go back');
    equal(
      after,
      { ...before, version: 1, mzxid: set.zxid, mtime: after.mtime, dataLength: 5 },
      'stat',
    );
  });

  test('setACL: aversion only', async (t) => {
    const client = await t.connect();
    const before = ok(await client.exists(t.path));
    equal(ok(await client.setAcl(t.path, openAcl)), { ...before, aversion: 1 }, 'its answer');
    equal(ok(await client.exists(t.path)), { ...before, aversion: 1 }, 'stat');
  });

  test('a grandchild or data of a child does not touch the parent', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    const before = ok(await client.exists(t.path));
    ok(await client.create(`${t.path}/a/b`));
    ok(await client.setData(`${t.path}/a`, 'x'));
    ok(await client.setAcl(`${t.path}/a`, openAcl));
    equal(ok(await client.exists(t.path)), before, 'stat of the parent');
  });

  test('getData, exists, getChildren2, getACL show the same stat', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`, { data: 'x' }));
    const stat = ok(await client.exists(t.path));
    equal(ok(await client.getData(t.path)).stat, stat, 'getData');
    equal(ok(await client.getChildren2(t.path)).stat, stat, 'getChildren2');
    equal(ok(await client.getAcl(t.path)).stat, stat, 'getACL');
  });

  test('ops of one multi share zxid and time', async (t) => {
    const client = await t.connect();
    const reply = await client.multi([
      part.create(`${t.path}/a`),
      part.create(`${t.path}/b`),
      part.setData(`${t.path}/a`, 'x'),
    ]);
    ok(reply);
    const a = ok(await client.exists(`${t.path}/a`));
    const b = ok(await client.exists(`${t.path}/b`));
    equal([a.czxid, a.mzxid, b.czxid], [reply.zxid, reply.zxid, reply.zxid], 'zxids');
    equal(a.ctime, b.ctime, 'ctime');
    const parent = ok(await client.exists(t.path));
    equal([parent.cversion, parent.numChildren], [2, 2], 'cversion, numChildren');
    equal(parent.pzxid, reply.zxid, 'pzxid');
  });

  test('a multi that creates and deletes again leaves only the counters', async (t) => {
    const client = await t.connect();
    const reply = await client.multi([part.create(`${t.path}/a`), part.delete(`${t.path}/a`)]);
    ok(reply);
    const stat = ok(await client.exists(t.path));
    equal([stat.cversion, stat.numChildren], [2, 0], 'cversion, numChildren');
    equal(stat.pzxid, reply.zxid, 'pzxid');
  });

  test('an ephemeral gone with its session moves pzxid and cversion', async (t) => {
    const owner = await t.connect();
    ok(await owner.create(`${t.path}/e`, { flags: flags.ephemeral }));
    const client = await t.connect();
    await owner.close();
    const reply = await client.ping();
    const stat = ok(await client.exists(t.path));
    equal([stat.cversion, stat.numChildren], [2, 0], 'cversion, numChildren');
    equal(stat.pzxid, reply.zxid, 'pzxid is the zxid of the close');
  });

  test('the root', async (t) => {
    const client = await t.connect();
    const stat = ok(await client.exists('/'));
    equal([stat.czxid, stat.ctime, stat.ephemeralOwner], [0n, 0n, 0n], 'czxid, ctime, owner');
    const other = ok(await client.exists('/zookeeper'));
    equal([other.czxid, other.mzxid], [0n, 0n], 'zxids of /zookeeper');
    equal(other.numChildren, 2, 'numChildren of /zookeeper');
  });
});
