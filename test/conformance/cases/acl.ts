/** ACL schemes: who is who, who may do what, and what getACL gives away. */
import { createHash } from 'node:crypto';
import { OpCode } from 'zabra/protocol';
import { equal, fails, ok, that } from '../check.js';
import { group, superPassword } from '../suite.js';
import { body, openAcl, perms, type Acl } from '../../support/requests.js';
import type { TestClient } from '../../support/test-client.js';

/** The id that the scheme digest makes of `user:password`. */
function digestId(credential: string): string {
  const hash = createHash('sha1').update(credential).digest('base64');
  return `${credential.split(':')[0] ?? ''}:${hash}`;
}

const digestAcl = (credential: string, allowed: number = perms.all): Acl[] => [
  { perms: allowed, scheme: 'digest', id: digestId(credential) },
];
const ipAcl = (id: string): Acl[] => [{ perms: perms.all, scheme: 'ip', id }];

export const aclCases = group('acl', {}, (test) => {
  type Try = (c: TestClient, path: string) => Promise<{ err: number; body: Uint8Array }>;
  const needs: Record<string, [number, Try]> = {
    'getData needs READ': [perms.read, async (c, path) => c.getData(path)],
    'getChildren needs READ': [perms.read, async (c, path) => c.getChildren(path)],
    'getChildren2 needs READ': [perms.read, async (c, path) => c.getChildren2(path)],
    'getAllChildrenNumber needs READ': [
      perms.read,
      async (c, path) => c.getAllChildrenNumber(path),
    ],
    'setData needs WRITE': [perms.write, async (c, path) => c.setData(path, 'x')],
    'create needs CREATE': [perms.create, async (c, path) => c.create(`${path}/new`)],
    'delete needs DELETE': [perms.delete, async (c, path) => c.delete(`${path}/kid`)],
    'setACL needs ADMIN': [perms.admin, async (c, path) => c.setAcl(path)],
  };
  for (const [name, [needed, attempt]] of Object.entries(needs)) {
    test(`${name} and nothing else`, async (t) => {
      const client = await t.connect();
      for (const only of [false, true]) {
        const path = `${t.path}/${only}`;
        ok(await client.create(path));
        ok(await client.create(`${path}/kid`));
        const allowed = only ? needed : perms.all & ~needed;
        ok(await client.setAcl(path, [{ perms: allowed, scheme: 'world', id: 'anyone' }]));
        const reply = await attempt(client, path);
        if (only) equal(reply.err, 0, 'with it alone');
        else fails(reply, 'noAuth', 'with all others');
      }
    });
  }

  test('digest: only who has said the password', async (t) => {
    const owner = await t.connect();
    const other = await t.connect();
    ok(await owner.create(`${t.path}/a`, { acl: digestAcl('bob:secret'), data: 'x' }));
    fails(await owner.getData(`${t.path}/a`), 'noAuth', 'before auth');
    ok(await owner.auth('digest', 'bob:secret'));
    equal(ok(await owner.getData(`${t.path}/a`)).text, 'x', 'data');
    ok(await other.auth('digest', 'bob:wrong'));
    fails(await other.getData(`${t.path}/a`), 'noAuth', 'with a wrong password');
    ok(await other.auth('digest', 'bob:secret'));
    ok(await other.getData(`${t.path}/a`), 'identities add up');
  });

  test('auth answers with xid -4, zxid 0 and no body', async (t) => {
    const client = await t.connect();
    const reply = await client.auth('digest', 'a:b');
    equal([reply.xid, reply.err, reply.body.length], [-4, 0, 0], 'xid, err, body');
    equal(reply.zxid, 0n, 'zxid');
    const xid = client.post(OpCode.auth, body.auth('digest', 'a:c'));
    equal((await client.reply(xid)).err, 0, 'err with an ordinary xid');
  });

  test('the scheme auth becomes the identities of the session', async (t) => {
    const client = await t.connect();
    ok(await client.auth('digest', 'a:a'));
    ok(await client.auth('digest', 'b:b'));
    const acl = [{ perms: perms.read | perms.admin, scheme: 'auth', id: 'whatever' }];
    ok(await client.create(`${t.path}/x`, { acl }));
    const stored = ok(await client.getAcl(`${t.path}/x`)).acl;
    const sorted = [...stored].sort((one, two) => (show(one) < show(two) ? -1 : 1));
    equal(
      sorted,
      [
        { perms: 17, scheme: 'digest', id: digestId('a:a') },
        { perms: 17, scheme: 'digest', id: digestId('b:b') },
      ],
      'acl',
    );
  });

  test('the scheme auth leaves out ip identities', async (t) => {
    const client = await t.connect();
    const acl = [{ perms: perms.all, scheme: 'auth', id: '' }];
    fails(await client.create(`${t.path}/x`, { acl }), 'invalidACL');
    fails(await client.setAcl(t.path, acl), 'invalidACL');
  });

  test('auth before the pipelined create counts for it', async (t) => {
    const client = await t.connect();
    client.post(OpCode.auth, body.auth('digest', 'a:a'), -4);
    const acl = [{ perms: perms.all, scheme: 'auth', id: '' }];
    const created = client.post(OpCode.create, body.create(`${t.path}/x`, { acl }));
    equal((await client.reply(created)).err, 0, 'err');
  });

  test('auth right behind the connect request is answered after it', async (t) => {
    const client = await t.open();
    const connected = client.handshake();
    client.post(OpCode.auth, body.auth('digest', 'a:a'), -4);
    that((await connected) !== null, 'the session comes first');
    equal((await client.reply(-4)).err, 0, 'err');
    equal(ok(await client.whoAmI()).length, 2, 'identities');
  });

  test('the same credential again adds nothing', async (t) => {
    const client = await t.connect();
    for (let count = 0; count < 3; count += 1) ok(await client.auth('digest', 'a:a'));
    equal(ok(await client.whoAmI()).length, 2, 'identities');
  });

  test('auth with an unknown scheme: AUTHFAILED, then closed', async (t) => {
    for (const scheme of ['nonsense', 'auth', '']) {
      const client = await t.connect();
      fails(await client.auth(scheme, 'x'), 'authFailed', scheme);
      await client.untilClosed();
      const again = t.adopt(await client.reconnect());
      equal(again.session.sessionId, client.session.sessionId, 'the session stays');
    }
  });

  test('auth with the scheme world: AUTHFAILED', async (t) => {
    const client = await t.connect();
    fails(await client.auth('world', 'anyone'), 'authFailed');
    await client.untilClosed();
  });

  test('auth with the scheme ip is done by connecting', async (t) => {
    const client = await t.connect();
    ok(await client.auth('ip', ''));
    equal(ok(await client.whoAmI()), [{ scheme: 'ip', user: '127.0.0.1' }], 'identities');
  });

  test('digest: odd credentials', async (t) => {
    for (const credential of ['nocolon', ':', 'a:b:c', '']) {
      const client = await t.connect();
      ok(await client.auth('digest', credential), credential);
      const infos = ok(await client.whoAmI());
      equal(infos.length, 2, `identities of ${JSON.stringify(credential)}`);
    }
  });

  test('ip: one address, a network, another network', async (t) => {
    const client = await t.connect();
    const allowed = ['127.0.0.1', '127.0.0.1/32', '127.0.0.0/8', '126.0.0.0/7', '127.9.9.9/8'];
    for (const id of allowed) {
      const path = `${t.path}/${encodeURIComponent(id)}`;
      ok(await client.create(path, { acl: ipAcl(id) }), id);
      ok(await client.getData(path), id);
    }
    for (const id of ['127.0.0.2', '10.0.0.0/8', '128.0.0.0/1', '127.0.0.2/32']) {
      const path = `${t.path}/${encodeURIComponent(id)}`;
      ok(await client.create(path, { acl: ipAcl(id) }), id);
      fails(await client.getData(path), 'noAuth', id);
    }
  });

  test('ip: what is not an address', async (t) => {
    const client = await t.connect();
    const bad = [
      '',
      'localhost',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '1.2.3.4/',
      '1.2.3.4/x',
      ':::1',
      '1::2::3',
    ];
    for (const id of bad) {
      fails(await client.create(`${t.path}/a`, { acl: ipAcl(id) }), 'invalidACL', id);
    }
  });

  test('several entries: any of them is enough', async (t) => {
    const client = await t.connect();
    const acl = [
      ...digestAcl('x:x'),
      { perms: perms.read, scheme: 'world', id: 'anyone' },
      { perms: perms.write, scheme: 'ip', id: '127.0.0.1' },
    ];
    ok(await client.create(`${t.path}/a`, { acl }));
    ok(await client.getData(`${t.path}/a`), 'READ by world');
    ok(await client.setData(`${t.path}/a`, 'x'), 'WRITE by ip');
    fails(await client.setAcl(`${t.path}/a`), 'noAuth', 'ADMIN by nobody');
  });

  test('super may do everything', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`, { acl: digestAcl('nobody:knows') }));
    fails(await client.getData(`${t.path}/a`), 'noAuth');
    ok(await client.auth('digest', superPassword));
    ok(await client.getData(`${t.path}/a`));
    ok(await client.setData(`${t.path}/a`, 'x'));
    ok(await client.create(`${t.path}/a/b`));
    ok(await client.delete(`${t.path}/a/b`));
    equal(ok(await client.getAcl(`${t.path}/a`)).acl, digestAcl('nobody:knows'), 'acl');
    ok(await client.setAcl(`${t.path}/a`, openAcl));
    equal(
      ok(await client.whoAmI()).some((info) => info.scheme === 'super'),
      true,
      'super among the identities',
    );
  });

  test('super with a wrong password is an ordinary identity', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`, { acl: digestAcl('nobody:knows') }));
    ok(await client.auth('digest', 'super:wrong'));
    fails(await client.getData(`${t.path}/a`), 'noAuth');
  });

  test('getACL hides digests from those without ADMIN', async (t) => {
    const client = await t.connect();
    const acl = [
      { perms: perms.read, scheme: 'world', id: 'anyone' },
      { perms: perms.all, scheme: 'digest', id: digestId('bob:secret') },
      { perms: perms.write, scheme: 'ip', id: '10.1.2.3' },
    ];
    ok(await client.create(`${t.path}/a`, { acl }));
    const hidden = acl.map((one) => (one.scheme === 'digest' ? { ...one, id: 'bob:x' } : one));
    equal(ok(await client.getAcl(`${t.path}/a`)).acl, hidden, 'without ADMIN');
    ok(await client.auth('digest', 'bob:secret'));
    equal(ok(await client.getAcl(`${t.path}/a`)).acl, acl, 'with ADMIN');
  });

  test('perms are kept as they are, also bits that mean nothing', async (t) => {
    const client = await t.connect();
    const acl = [{ perms: 0x7fffffff, scheme: 'world', id: 'anyone' }];
    ok(await client.create(`${t.path}/a`, { acl }));
    equal(ok(await client.getAcl(`${t.path}/a`)).acl, acl, 'acl');
    ok(await client.create(`${t.path}/b`, { acl: [{ perms: 0, scheme: 'world', id: 'anyone' }] }));
    fails(await client.getAcl(`${t.path}/b`), 'noAuth', 'with no perms at all');
  });

  test('the ACL of a parent is not inherited', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    ok(await client.create(`${t.path}/a/b`));
    ok(await client.setAcl(`${t.path}/a`, digestAcl('nobody:knows')));
    ok(await client.getData(`${t.path}/a/b`));
    ok(await client.setData(`${t.path}/a/b`, 'x'));
  });

  test(
    'IPv6 addresses are valid',
    async (t) => {
      const client = await t.connect();
      ok(await client.create(`${t.path}/a`, { acl: ipAcl('::1') }));
      fails(await client.getData(`${t.path}/a`), 'noAuth');
    },
    { since: [3, 9, 4], why: 'ZOOKEEPER-4240' },
  );

  test('an ACL that is set counts once its setACL is answered', async (t) => {
    const client = await t.connect();
    ok(await client.setAcl(t.path, [{ perms: perms.admin, scheme: 'world', id: 'anyone' }]));
    fails(await client.setData(t.path, 'x'), 'noAuth');
    ok(await client.setAcl(t.path, openAcl));
    ok(await client.setData(t.path, 'x'));
  });
});

function show(acl: Acl): string {
  return `${acl.scheme}:${acl.id}`;
}

export const skipAclCases = group(
  'skipACL',
  { properties: { 'zookeeper.skipACL': 'yes' } },
  (test) => {
    test('no ACL is looked at, but it must be valid and is stored', async (t) => {
      const client = await t.connect();
      ok(await client.create(`${t.path}/a`, { acl: digestAcl('nobody:knows') }));
      ok(await client.getData(`${t.path}/a`));
      ok(await client.setData(`${t.path}/a`, 'x'));
      equal(ok(await client.getAcl(`${t.path}/a`)).acl, digestAcl('nobody:knows'), 'acl');
      fails(await client.create(`${t.path}/b`, { acl: [] }), 'invalidACL');
    });
  },
);
