/** create, create2, createContainer, createTTL: what they answer and every way they refuse. */
import { OpCode } from 'zabra/protocol';
import { equal, fails, ok, that } from '../check.js';
import { group } from '../suite.js';
import { body, flags, openAcl, perms } from '../../support/requests.js';

export const createCases = group('create', {}, (test) => {
  test('answers the path', async (t) => {
    const client = await t.connect();
    equal(ok(await client.create(`${t.path}/a`, { data: 'x' })), `${t.path}/a`, 'path');
    const read = ok(await client.getData(`${t.path}/a`));
    equal(read.text, 'x', 'data');
  });

  test('null data stays null and empty data stays empty', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/null`, { data: null }));
    ok(await client.create(`${t.path}/empty`, { data: '' }));
    equal(ok(await client.getData(`${t.path}/null`)).data, null, 'null data');
    equal(ok(await client.getData(`${t.path}/empty`)).data?.length, 0, 'length of empty data');
    equal(ok(await client.exists(`${t.path}/null`)).dataLength, 0, 'dataLength of null data');
  });

  test('the reply header carries the czxid', async (t) => {
    const client = await t.connect();
    const made = await client.create(`${t.path}/a`);
    equal(ok(await client.exists(`${t.path}/a`)).czxid, made.zxid, 'czxid');
  });

  test('create2 answers path and stat', async (t) => {
    const client = await t.connect();
    const before = BigInt(Date.now()) - 2_000n;
    const reply = await client.create2(`${t.path}/a`, { data: 'four' });
    const { path, stat } = ok(reply);
    equal(path, `${t.path}/a`, 'path');
    equal(stat.czxid, reply.zxid, 'czxid');
    equal(stat.mzxid, reply.zxid, 'mzxid');
    equal(stat.pzxid, reply.zxid, 'pzxid');
    that(stat.ctime > before && stat.ctime < before + 60_000n, 'ctime is about now');
    equal(stat.mtime, stat.ctime, 'mtime');
    equal([stat.version, stat.cversion, stat.aversion], [0, 0, 0], 'versions');
    equal([stat.dataLength, stat.numChildren], [4, 0], 'dataLength, numChildren');
    equal(stat.ephemeralOwner, 0n, 'ephemeralOwner');
  });

  test('NODEEXISTS', async (t) => {
    const client = await t.connect();
    fails(await client.create(t.path), 'nodeExists');
    fails(await client.create2(t.path), 'nodeExists');
    fails(await client.createContainer(t.path), 'nodeExists');
    fails(await client.createTtl(t.path, 5_000n), 'nodeExists');
    fails(await client.create('/'), 'nodeExists', 'the root');
  });

  test('NONODE when the parent is missing', async (t) => {
    const client = await t.connect();
    fails(await client.create(`${t.path}/no/a`), 'noNode');
    fails(await client.create2(`${t.path}/no/a`), 'noNode');
    fails(await client.createContainer(`${t.path}/no/a`), 'noNode');
    fails(await client.createTtl(`${t.path}/no/a`, 5_000n), 'noNode');
  });

  test('NOCHILDRENFOREPHEMERALS', async (t) => {
    const client = await t.connect();
    const parent = `${t.path}/e`;
    ok(await client.create(parent, { flags: flags.ephemeral }));
    fails(await client.create(`${parent}/a`), 'noChildrenForEphemerals');
    fails(await client.create2(`${parent}/a`), 'noChildrenForEphemerals');
    fails(
      await client.create(`${parent}/a`, { flags: flags.ephemeral }),
      'noChildrenForEphemerals',
    );
    fails(await client.createContainer(`${parent}/a`), 'noChildrenForEphemerals');
    equal(ok(await client.exists(parent)).cversion, 0, 'cversion of the ephemeral');
  });

  test('NOAUTH without CREATE on the parent', async (t) => {
    const client = await t.connect();
    const acl = [{ perms: perms.all & ~perms.create, scheme: 'world', id: 'anyone' }];
    ok(await client.create(`${t.path}/p`, { acl }));
    fails(await client.create(`${t.path}/p/a`), 'noAuth');
    fails(await client.create2(`${t.path}/p/a`), 'noAuth');
    fails(await client.createContainer(`${t.path}/p/a`), 'noAuth');
    fails(await client.createTtl(`${t.path}/p/a`, 5_000n), 'noAuth');
  });

  test('INVALIDACL', async (t) => {
    const client = await t.connect();
    const bad = [
      null,
      [],
      [{ perms: 31, scheme: 'nonsense', id: 'x' }],
      [{ perms: 31, scheme: null, id: 'anyone' }],
      [{ perms: 31, scheme: 'world', id: 'somebody' }],
      [{ perms: 31, scheme: 'digest', id: 'no-colon' }],
      [{ perms: 31, scheme: 'digest', id: 'a:b:c' }],
      [{ perms: 31, scheme: 'ip', id: '300.1.1.1' }],
      [{ perms: 31, scheme: 'ip', id: '10.0.0.0/33' }],
      [{ perms: 31, scheme: 'ip', id: '10.0.0.0/-1' }],
      [{ perms: 31, scheme: 'auth', id: '' }],
      [...openAcl, { perms: 31, scheme: 'nonsense', id: 'x' }],
    ];
    for (const acl of bad) {
      fails(await client.create(`${t.path}/a`, { acl }), 'invalidACL', JSON.stringify(acl));
    }
  });

  test('the same ACL entry twice is stored once, in the order given', async (t) => {
    const client = await t.connect();
    const ip = { perms: perms.read, scheme: 'ip', id: '10.0.0.0/8' };
    const world = { perms: perms.all, scheme: 'world', id: 'anyone' };
    ok(await client.create(`${t.path}/a`, { acl: [ip, world, ip, world] }));
    equal(ok(await client.getAcl(`${t.path}/a`)).acl, [ip, world], 'acl');
  });

  test('BADARGUMENTS for bad paths', async (t) => {
    const client = await t.connect();
    const bad = [
      '',
      'a',
      `${t.path}/`,
      `${t.path}//a`,
      `${t.path}/.`,
      `${t.path}/..`,
      `${t.path}/../a`,
      `${t.path}/./a`,
      `${t.path}/a\u0000b`,
      `${t.path}/a\u0001b`,
      `${t.path}/a\u001fb`,
      `${t.path}/a\u007fb`,
      `${t.path}/a\u009fb`,
      `${t.path}/a\ufff0b`,
      `${t.path}/a\u{1f980}b`,
      `${t.path}/a\ue000b`,
      `${t.path}/a\uf8ffb`,
      `${t.path}/a\uffffb`,
    ];
    for (const path of bad) {
      const missingParent = path.includes('/../a') || path.includes('/./a') || path.includes('//');
      const name = missingParent ? 'noNode' : 'badArguments';
      fails(await client.create(path), name, JSON.stringify(path));
    }
  });

  test('odd paths that are allowed', async (t) => {
    const client = await t.connect();
    for (const name of [
      '...',
      '.a',
      'a.',
      ' ',
      'ä',
      '日本',
      'a:b',
      '%2f',
      '\\',
      '\ud7ff',
      '\uf900',
    ]) {
      equal(ok(await client.create(`${t.path}/${name}`), name), `${t.path}/${name}`, 'path');
    }
    equal(ok(await client.getChildren(t.path)).length, 11, 'children');
  });

  test('a null path is MARSHALLINGERROR and takes a zxid', async (t) => {
    const client = await t.connect();
    const before = await client.create(`${t.path}/a`);
    const reply = await client.create(null);
    fails(reply, 'marshallingError');
    equal(reply.zxid, before.zxid + 1n, 'zxid');
  });

  test('BADARGUMENTS for unknown flags', async (t) => {
    const client = await t.connect();
    for (const bad of [7, 8, -1, 0x7fffffff]) {
      fails(await client.create(`${t.path}/a`, { flags: bad }), 'badArguments', `flags ${bad}`);
    }
  });

  test('an error takes a zxid of its own', async (t) => {
    const client = await t.connect();
    const first = await client.create(`${t.path}/a`);
    const second = await client.create(`${t.path}/a`);
    fails(second, 'nodeExists');
    equal(second.zxid, first.zxid + 1n, 'zxid of the error');
    equal((await client.create(`${t.path}/b`)).zxid, first.zxid + 2n, 'zxid of the next');
  });

  test('ephemerals belong to the session', async (t) => {
    const client = await t.connect();
    const { stat } = ok(await client.create2(`${t.path}/e`, { flags: flags.ephemeral }));
    equal(stat.ephemeralOwner, client.session.sessionId, 'ephemeralOwner');
    equal(ok(await client.getEphemerals(t.path)), [`${t.path}/e`], 'getEphemerals');
  });

  test('the op create with the container flag makes an ordinary znode', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/c`, { flags: flags.container }));
    equal(ok(await client.exists(`${t.path}/c`)).ephemeralOwner, 0n, 'ephemeralOwner');
  });

  test('createContainer: clients see no ephemeralOwner', async (t) => {
    const client = await t.connect();
    const { path, stat } = ok(await client.createContainer(`${t.path}/c`, { data: 'x' }));
    equal(path, `${t.path}/c`, 'path');
    equal(stat.ephemeralOwner, 0n, 'ephemeralOwner');
    ok(await client.create(`${t.path}/c/child`));
  });

  test('createTTL: clients see no ephemeralOwner; its limits', async (t) => {
    const client = await t.connect();
    const { stat } = ok(await client.createTtl(`${t.path}/a`, 60_000n));
    equal(stat.ephemeralOwner, 0n, 'ephemeralOwner');
    ok(await client.create(`${t.path}/a/child`), 'a child of a TTL znode');
    ok(await client.createTtl(`${t.path}/max`, 0xff_ffff_ffffn), 'the longest');
    fails(await client.createTtl(`${t.path}/b`, 0n), 'badArguments', 'ttl 0');
    fails(await client.createTtl(`${t.path}/b`, -1n), 'badArguments', 'ttl -1');
    fails(await client.createTtl(`${t.path}/b`, 0x100_0000_0000n), 'badArguments', 'too long');
    fails(
      await client.createTtl(`${t.path}/b`, 5_000n, { flags: flags.persistent }),
      'badArguments',
      'a ttl with the flag for persistent',
    );
    fails(
      await client.create(`${t.path}/b`, { flags: flags.ttl }),
      'badArguments',
      'the op create with the TTL flag',
    );
  });

  test('sequential TTL', async (t) => {
    const client = await t.connect();
    const { path } = ok(
      await client.createTtl(`${t.path}/s-`, 60_000n, { flags: flags.ttlSequential }),
    );
    equal(path, `${t.path}/s-0000000000`, 'path');
  });

  test('below /zookeeper clients may create', async (t) => {
    const client = await t.connect();
    const path = `/zookeeper/x${t.path.slice(1)}`;
    equal(ok(await client.create(path)), path, 'path');
    ok(await client.delete(path));
  });

  test('the reply comes with the xid that was asked', async (t) => {
    const client = await t.connect();
    for (const xid of [77, 3, 0x7fffffff, -77]) {
      client.post(OpCode.create, body.create(`${t.path}/x${xid}`), xid);
      equal((await client.reply(xid)).err, 0, `err of xid ${xid}`);
    }
  });

  test('data as long as a frame allows', async (t) => {
    const client = await t.connect();
    const data = new Uint8Array(1_000_000).fill(7);
    ok(await client.create(`${t.path}/big`, { data }));
    equal(ok(await client.getData(`${t.path}/big`)).data?.length, data.length, 'length');
  });
});

export const createWithoutTtl = group(
  'create without extended types',
  { properties: { 'zookeeper.extendedTypesEnabled': null } },
  (test) => {
    test('createTTL is UNIMPLEMENTED', async (t) => {
      const client = await t.connect();
      fails(await client.createTtl(`${t.path}/a`, 60_000n), 'unimplemented');
      fails(
        await client.createTtl(`${t.path}/a`, 60_000n, { flags: flags.ttlSequential }),
        'unimplemented',
      );
      ok(await client.create(`${t.path}/a`), 'and the connection stays');
    });
  },
);
