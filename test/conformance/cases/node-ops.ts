/** delete, exists, getData, setData, getChildren, sync and the other ops on existing znodes. */
import { OpCode } from 'zabra/protocol';
import { equal, fails, ok, that } from '../check.js';
import { group, type Trial } from '../suite.js';
import { body, flags, openAcl, perms } from '../../support/requests.js';
import type { TestClient } from '../../support/test-client.js';

/** A znode whose ACL lacks `lacking`, with a child. */
async function restricted(t: Trial, client: TestClient, lacking: number): Promise<string> {
  const path = `${t.path}/restricted`;
  ok(await client.create(path));
  ok(await client.create(`${path}/child`));
  ok(await client.setAcl(path, [{ perms: perms.all & ~lacking, scheme: 'world', id: 'anyone' }]));
  return path;
}

const badPaths = ['a', '/a/', '//', '/a//b', '/.', '/..', '/a\u0001'];

export const nodeOpCases = group('ops', {}, (test) => {
  test('delete: ok, with version and with any', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    ok(await client.delete(`${t.path}/a`, 0));
    ok(await client.create(`${t.path}/a`));
    ok(await client.setData(`${t.path}/a`, 'x'));
    fails(await client.delete(`${t.path}/a`, 0), 'badVersion');
    fails(await client.delete(`${t.path}/a`, -2), 'badVersion', 'version -2');
    ok(await client.delete(`${t.path}/a`, -1));
    fails(await client.exists(`${t.path}/a`), 'noNode');
  });

  test('delete: NONODE, also when only the parent is missing', async (t) => {
    const client = await t.connect();
    fails(await client.delete(`${t.path}/no`), 'noNode');
    fails(await client.delete(`${t.path}/no/no`), 'noNode');
  });

  test('delete: NOTEMPTY', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    fails(await client.delete(t.path), 'notEmpty');
    fails(await client.delete(t.path, 5), 'badVersion', 'the version is looked at first');
  });

  test('delete: NOAUTH without DELETE on the parent', async (t) => {
    const client = await t.connect();
    const path = await restricted(t, client, perms.delete);
    fails(await client.delete(`${path}/child`), 'noAuth');
    fails(await client.delete(`${path}/no`), 'noAuth', 'for a znode that is not there too');
  });

  test('delete: the ACL of the znode itself does not matter', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`, { acl: [{ perms: 1, scheme: 'world', id: 'anyone' }] }));
    ok(await client.delete(`${t.path}/a`));
  });

  test('delete: BADARGUMENTS for the root, special znodes and paths without a slash', async (t) => {
    const client = await t.connect();
    const special = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'];
    for (const path of ['', 'a', `${t.path}/a\u0000`, ...special]) {
      fails(await client.delete(path), 'badArguments', JSON.stringify(path));
    }
    fails(await client.delete(`${t.path}/`), 'noNode', 'a path that ends with a slash');
  });

  test('exists', async (t) => {
    const client = await t.connect();
    equal(ok(await client.exists(t.path)).numChildren, 0, 'numChildren');
    fails(await client.exists(`${t.path}/no`), 'noNode');
    fails(await client.exists('no-slash'), 'noNode');
    fails(await client.exists(`${t.path}/\u0000`), 'badArguments');
    fails(await client.exists(null), 'marshallingError');
    ok(await client.exists('/'), 'the root');
    ok(await client.exists(''), 'the root as an empty path');
  });

  test(
    'exists: NOAUTH without READ',
    async (t) => {
      const client = await t.connect();
      fails(await client.exists(await restricted(t, client, perms.read)), 'noAuth');
    },
    { since: [3, 9, 2], why: 'ZOOKEEPER-2590' },
  );

  test('getData: ok, NONODE, NOAUTH', async (t) => {
    const client = await t.connect();
    const path = await restricted(t, client, perms.read);
    fails(await client.getData(path), 'noAuth');
    fails(await client.getData(`${t.path}/no`), 'noNode');
    fails(await client.getData('no-slash'), 'noNode');
    fails(await client.getData(`${t.path}/\u0000`), 'noNode');
    fails(await client.getData(null), 'marshallingError');
    equal(ok(await client.getData('')).stat.czxid, 0n, 'czxid of the root');
  });

  test('reads carry the last zxid and take none', async (t) => {
    const client = await t.connect();
    const made = await client.create(`${t.path}/a`);
    equal((await client.getData(`${t.path}/a`)).zxid, made.zxid, 'zxid of getData');
    equal((await client.exists(`${t.path}/no`)).zxid, made.zxid, 'zxid of an error');
    equal((await client.ping()).zxid, made.zxid, 'zxid of a ping');
  });

  test('setData: versions', async (t) => {
    const client = await t.connect();
    const path = `${t.path}/a`;
    ok(await client.create(path, { data: '0' }));
    const reply = await client.setData(path, '12', 0);
    const stat = ok(reply);
    equal([stat.version, stat.dataLength], [1, 2], 'version, dataLength');
    equal(stat.mzxid, reply.zxid, 'mzxid');
    that(stat.czxid < stat.mzxid, 'czxid stays');
    fails(await client.setData(path, 'x', 0), 'badVersion');
    fails(await client.setData(path, 'x', 7), 'badVersion');
    equal(ok(await client.setData(path, null, -1)).version, 2, 'version');
    equal(ok(await client.getData(path)).data, null, 'null data');
  });

  test('setData: NONODE, NOAUTH, BADARGUMENTS', async (t) => {
    const client = await t.connect();
    const path = await restricted(t, client, perms.write);
    fails(await client.setData(path, 'x'), 'noAuth');
    fails(await client.setData(path, 'x', 99), 'noAuth', 'the ACL is looked at first');
    fails(await client.setData(`${t.path}/no`, 'x'), 'noNode');
    for (const bad of badPaths) {
      fails(await client.setData(bad, 'x'), 'badArguments', JSON.stringify(bad));
    }
    fails(await client.setData('', 'x'), 'badArguments', 'an empty path');
    fails(await client.setData(null, 'x'), 'badArguments', 'a null path');
  });

  test('setData on the root', async (t) => {
    const client = await t.connect();
    const { stat } = ok(await client.getData('/'));
    equal(ok(await client.setData('/', 'root')).version, stat.version + 1, 'version');
    ok(await client.setData('/', ''));
  });

  test('getACL: ok, NONODE, and NOAUTH only without READ and ADMIN', async (t) => {
    const client = await t.connect();
    equal(ok(await client.getAcl(t.path)).acl, openAcl, 'acl');
    fails(await client.getAcl(`${t.path}/no`), 'noNode');
    const path = await restricted(t, client, perms.read);
    ok(await client.getAcl(path), 'with ADMIN');
    ok(await client.setAcl(path, [{ perms: perms.read, scheme: 'world', id: 'anyone' }]));
    ok(await client.getAcl(path), 'with READ');
    const other = `${t.path}/none`;
    ok(await client.create(other, { acl: [{ perms: 2, scheme: 'world', id: 'anyone' }] }));
    fails(await client.getAcl(other), 'noAuth', 'with neither');
  });

  test('setACL: aversion counts, data versions do not', async (t) => {
    const client = await t.connect();
    const stat = ok(await client.setAcl(t.path, openAcl, 0));
    equal([stat.aversion, stat.version, stat.cversion], [1, 0, 0], 'aversion, version, cversion');
    fails(await client.setAcl(t.path, openAcl, 0), 'badVersion');
    equal(ok(await client.setAcl(t.path, openAcl, -1)).aversion, 2, 'aversion');
    const after = ok(await client.exists(t.path));
    equal(after.mzxid, after.czxid, 'mzxid stays');
  });

  test('setACL: NONODE, NOAUTH, INVALIDACL, BADARGUMENTS', async (t) => {
    const client = await t.connect();
    fails(await client.setAcl(`${t.path}/no`), 'noNode');
    fails(await client.setAcl(t.path, []), 'invalidACL');
    fails(await client.setAcl(t.path, null), 'invalidACL');
    fails(await client.setAcl(`${t.path}/no`, []), 'invalidACL', 'before NONODE');
    for (const bad of badPaths) {
      fails(await client.setAcl(bad), 'badArguments', JSON.stringify(bad));
    }
    const path = await restricted(t, client, perms.admin);
    fails(await client.setAcl(path), 'noAuth');
    fails(await client.setAcl(path, openAcl, 99), 'noAuth', 'before BADVERSION');
  });

  test('getChildren and getChildren2', async (t) => {
    const client = await t.connect();
    equal(ok(await client.getChildren(t.path)), [], 'none');
    for (const name of ['b', 'a', 'c']) ok(await client.create(`${t.path}/${name}`));
    equal(ok(await client.getChildren(t.path)), ['a', 'b', 'c'], 'children');
    const both = ok(await client.getChildren2(t.path));
    equal(both.children, ['a', 'b', 'c'], 'children');
    equal(both.stat, ok(await client.exists(t.path)), 'stat');
    fails(await client.getChildren(`${t.path}/no`), 'noNode');
    fails(await client.getChildren2(`${t.path}/no`), 'noNode');
    fails(await client.getChildren(`${t.path}/`), 'noNode', 'a path that ends with a slash');
    const path = await restricted(t, client, perms.read);
    fails(await client.getChildren(path), 'noAuth');
    fails(await client.getChildren2(path), 'noAuth');
  });

  test('the root lists zookeeper', async (t) => {
    const client = await t.connect();
    that(ok(await client.getChildren('/')).includes('zookeeper'), 'zookeeper under /');
    equal(ok(await client.getChildren('/zookeeper')), ['config', 'quota'], 'under /zookeeper');
  });

  test('getAllChildrenNumber counts all below', async (t) => {
    const client = await t.connect();
    equal(ok(await client.getAllChildrenNumber(t.path)), 0, 'none');
    for (const path of ['/a', '/a/b', '/a/b/c', '/d', '/aa'])
      ok(await client.create(t.path + path));
    equal(ok(await client.getAllChildrenNumber(t.path)), 5, 'all');
    equal(ok(await client.getAllChildrenNumber(`${t.path}/a`)), 2, 'below a, not aa');
    fails(await client.getAllChildrenNumber(`${t.path}/no`), 'noNode');
    const path = await restricted(t, client, perms.read);
    fails(await client.getAllChildrenNumber(path), 'noAuth');
    that(ok(await client.getAllChildrenNumber('/')) >= 7, 'the root counts everything');
  });

  test('getEphemerals: of this session, by prefix', async (t) => {
    const client = await t.connect();
    const other = await t.connect();
    ok(await other.create(`${t.path}/other`, { flags: flags.ephemeral }));
    ok(await client.create(`${t.path}/dir`));
    ok(await client.create(`${t.path}/dir/e1`, { flags: flags.ephemeral }));
    ok(await client.create(`${t.path}/e2`, { flags: flags.ephemeral }));
    const both = [`${t.path}/dir/e1`, `${t.path}/e2`];
    for (const all of ['/', '', ' ', null]) {
      equal(ok(await client.getEphemerals(all)), both, `prefix ${JSON.stringify(all)}`);
    }
    equal(ok(await client.getEphemerals(`${t.path}/dir`)), [`${t.path}/dir/e1`], 'by prefix');
    equal(ok(await client.getEphemerals(`${t.path}/d`)), [`${t.path}/dir/e1`], 'not a whole name');
    equal(ok(await client.getEphemerals('/no')), [], 'none');
  });

  test('sync echoes the path, whatever it is', async (t) => {
    const client = await t.connect();
    equal(ok(await client.sync(t.path)), t.path, 'path');
    equal(ok(await client.sync('/no/such')), '/no/such', 'path');
    equal(ok(await client.sync('junk')), 'junk', 'path');
  });

  test('sync comes after the writes before it', async (t) => {
    const writer = await t.connect();
    const made = await writer.create(`${t.path}/a`);
    const reply = await (await t.connect()).sync('/');
    that(reply.zxid >= made.zxid, 'zxid of sync');
  });

  test('whoAmI', async (t) => {
    const client = await t.connect();
    equal(ok(await client.whoAmI()), [{ scheme: 'ip', user: '127.0.0.1' }], 'infos');
    ok(await client.auth('digest', 'bob:secret'));
    const infos = ok(await client.whoAmI());
    that(
      infos.some((info) => info.scheme === 'digest' && info.user === 'bob'),
      'digest bob among the infos, without the hash',
    );
  });

  test('reconfig is disabled', async (t) => {
    const client = await t.connect();
    fails(await client.reconfig('server.1=h:1:2;3'), 'reconfigDisabled');
  });

  test('/zookeeper/config is there and readable', async (t) => {
    const client = await t.connect();
    const { data, stat } = ok(await client.getData('/zookeeper/config'));
    const isAlone = t.target.mode === 'standalone';
    equal(data?.length === 0, isAlone, 'the config of a server that is alone is empty');
    equal(stat.version, isAlone ? 0 : -1, 'version');
    equal(
      ok(await client.getAcl('/zookeeper/config')).acl,
      [{ perms: 1, scheme: 'world', id: 'anyone' }],
      'acl',
    );
    fails(await client.setData('/zookeeper/config', 'x'), 'noAuth');
  });

  test('replies come in the order of the requests', async (t) => {
    const client = await t.connect();
    const posted = [
      client.post(OpCode.create, body.create(`${t.path}/a`)),
      client.post(OpCode.getData, body.pathAndWatch(`${t.path}/a`, false)),
      client.post(OpCode.setData, body.setData(`${t.path}/a`, 'x', 0)),
      client.post(OpCode.sync, body.path(t.path)),
      client.post(OpCode.exists, body.pathAndWatch(`${t.path}/a`, false)),
      client.post(OpCode.delete, body.pathAndInt(`${t.path}/a`, 1)),
      client.post(OpCode.exists, body.pathAndWatch(`${t.path}/a`, false)),
    ];
    const replies = [];
    for (const xid of posted) replies.push(await client.reply(xid));
    equal(
      replies.map((reply) => reply.err),
      [0, 0, 0, 0, 0, 0, -101],
      'errors',
    );
    equal(
      replies.map((reply) => reply.at),
      replies.map((_reply, index) => index),
      'order of arrival',
    );
    for (const [index, reply] of replies.entries()) {
      that(
        index === 0 || reply.zxid >= (replies[index - 1]?.zxid ?? 0n),
        `zxids do not go back: ${replies.map((one) => one.zxid.toString(16)).join(' ')}`,
      );
    }
  });
});
