/** multi: all or nothing, one zxid; multiRead: each part for itself. */
import { ErrorCode, OpCode } from 'zabra/protocol';
import { equal, fails, nameOfError, ok, that } from '../check.js';
import { group } from '../suite.js';
import { body, flags, part, perms, writeMultiHeader } from '../../support/requests.js';
import type { MultiPart, MultiResult } from '../../support/requests.js';

const errorsOf = (results: readonly MultiResult[]): string[] =>
  results.map((result) => nameOfError(result.err));
const typesOf = (results: readonly MultiResult[]): number[] => results.map((result) => result.type);

const since39 = (why: string): { since: [number, number, number]; why: string } => ({
  since: [3, 9, 0],
  why,
});

export const multiCases = group('multi', {}, (test) => {
  test(
    'every kind of part, and the types of their results',
    async (t) => {
      const client = await t.connect();
      const reply = await client.multi([
        part.create(`${t.path}/a`, { data: '1' }),
        part.create2(`${t.path}/b`),
        part.createContainer(`${t.path}/c`),
        part.createTtl(`${t.path}/d`, 60_000n),
        part.setData(`${t.path}/a`, '22', 0),
        part.check(`${t.path}/a`, 1),
        part.delete(`${t.path}/b`, 0),
      ]);
      const results = ok(reply);
      const { create, create2, setData, check, delete: delete_ } = OpCode;
      equal(
        typesOf(results),
        [create, create2, create2, create2, setData, check, delete_],
        'types',
      );
      equal(
        results.slice(0, 4).map((result) => result.path),
        ['a', 'b', 'c', 'd'].map((name) => `${t.path}/${name}`),
        'paths',
      );
      equal(results[4]?.stat?.version, 1, 'version after setData');
      equal(results[4]?.stat?.mzxid, reply.zxid, 'mzxid after setData');
      equal(results[1]?.stat?.czxid, reply.zxid, 'czxid of create2');
      equal(ok(await client.getChildren(t.path)), ['a', 'c', 'd'], 'children');
    },
    since39('create2 in a multi'),
  );

  test('an empty multi', async (t) => {
    const client = await t.connect();
    const before = await client.ping();
    const reply = await client.multi([]);
    equal(ok(reply), [], 'results');
    equal(reply.zxid, before.zxid + 1n, 'zxid');
  });

  test('a part that fails: its error, 0 before it, RUNTIMEINCONSISTENCY after it', async (t) => {
    const client = await t.connect();
    const before = await client.ping();
    const reply = await client.multi([
      part.create(`${t.path}/a`),
      part.setData(t.path, 'x'),
      part.delete(`${t.path}/no`),
      part.create(`${t.path}/b`),
      part.create(`${t.path}/c`),
    ]);
    equal(reply.err, 0, 'err of the header');
    const results = ok(reply);
    equal(typesOf(results), [-1, -1, -1, -1, -1], 'types');
    const after = 'runtimeInconsistency';
    equal(errorsOf(results), ['ok', 'ok', 'noNode', after, after], 'errors');
    equal(reply.zxid, before.zxid + 1n, 'the failed multi takes a zxid');
    equal(ok(await client.getChildren(t.path)), [], 'children');
    equal(ok(await client.exists(t.path)).version, 0, 'version');
  });

  const failing: Record<string, [ErrorCodeName, (path: string) => MultiPart]> = {
    'create NODEEXISTS': ['nodeExists', (path) => part.create(path)],
    'create NONODE': ['noNode', (path) => part.create(`${path}/no/a`)],
    'create INVALIDACL': ['invalidACL', (path) => part.create(`${path}/a`, { acl: [] })],
    'create BADARGUMENTS': ['badArguments', (path) => part.create(`${path}/..`)],
    'create NOAUTH': ['noAuth', (path) => part.create(`${path}/closed/a`)],
    'create NOCHILDRENFOREPHEMERALS': [
      'noChildrenForEphemerals',
      (path) => part.create(`${path}/e/a`),
    ],
    'createTTL BADARGUMENTS': ['badArguments', (path) => part.createTtl(`${path}/a`, 0n)],
    'delete NONODE': ['noNode', (path) => part.delete(`${path}/no`)],
    'delete BADVERSION': ['badVersion', (path) => part.delete(`${path}/e`, 3)],
    'delete NOTEMPTY': ['notEmpty', (path) => part.delete(path)],
    'delete NOAUTH': ['noAuth', (path) => part.delete(`${path}/closed/kid`)],
    'delete BADARGUMENTS': ['badArguments', () => part.delete('/zookeeper')],
    'setData NONODE': ['noNode', (path) => part.setData(`${path}/no`, 'x')],
    'setData BADVERSION': ['badVersion', (path) => part.setData(path, 'x', 9)],
    'setData NOAUTH': ['noAuth', (path) => part.setData(`${path}/closed`, 'x')],
    'setData BADARGUMENTS': ['badArguments', () => part.setData('a', 'x')],
    'check NONODE': ['noNode', (path) => part.check(`${path}/no`, 0)],
    'check BADVERSION': ['badVersion', (path) => part.check(path, 9)],
    'check NOAUTH': ['noAuth', (path) => part.check(`${path}/closed`, 0)],
    'check BADARGUMENTS': ['badArguments', () => part.check('//', 0)],
  };
  for (const [name, [error, make]] of Object.entries(failing)) {
    test(`${name} as a part`, async (t) => {
      const client = await t.connect();
      ok(await client.create(`${t.path}/e`, { flags: flags.ephemeral }));
      ok(await client.create(`${t.path}/closed`));
      ok(await client.create(`${t.path}/closed/kid`));
      const acl = [{ perms: perms.admin, scheme: 'world', id: 'anyone' }];
      ok(await client.setAcl(`${t.path}/closed`, acl));
      const results = ok(
        await client.multi([part.create(`${t.path}/new`), make(t.path), part.check(t.path, 0)]),
      );
      equal(errorsOf(results), ['ok', error, 'runtimeInconsistency'], 'errors');
      fails(await client.exists(`${t.path}/new`), 'noNode', 'the first part');
    });
  }

  test('parts see what earlier parts did', async (t) => {
    const client = await t.connect();
    const a = `${t.path}/a`;
    const results = ok(
      await client.multi([
        part.create(a),
        part.create(`${a}/b`),
        part.setData(a, '1', 0),
        part.check(a, 1),
        part.setData(a, '2', 1),
        part.delete(`${a}/b`, 0),
        part.delete(a, 2),
        part.create(a),
        part.check(a, 0),
      ]),
    );
    equal(new Set(errorsOf(results)), new Set(['ok']), 'errors');
    equal(results.length, 9, 'number of results');
    equal(ok(await client.getChildren(t.path)), ['a'], 'children');
    const stat = ok(await client.exists(t.path));
    equal([stat.cversion, stat.numChildren], [3, 1], 'cversion, numChildren');
  });

  test('the version that a check wants is the one at its place', async (t) => {
    const client = await t.connect();
    const results = ok(await client.multi([part.setData(t.path, 'x'), part.check(t.path, 0)]));
    equal(errorsOf(results), ['ok', 'badVersion'], 'errors');
    equal(ok(await client.exists(t.path)).version, 0, 'version');
  });

  test('check with version -1 asks only for existence', async (t) => {
    const client = await t.connect();
    equal(errorsOf(ok(await client.multi([part.check(t.path, -1)]))), ['ok'], 'errors');
  });

  test('a failed multi in flight leaves what is prepared before and after intact', async (t) => {
    const client = await t.connect();
    const a = `${t.path}/a`;
    const sent = [
      client.post(OpCode.create, body.create(a)),
      client.post(OpCode.setData, body.setData(a, '1', 0)),
      client.post(OpCode.multi, body.multi([part.setData(a, '2', 1), part.delete(`${t.path}/no`)])),
      client.post(OpCode.setData, body.setData(a, '3', 1)),
      client.post(OpCode.multi, body.multi([part.delete(a), part.check(t.path, 77)])),
      client.post(OpCode.delete, body.pathAndInt(a, 2)),
    ];
    const errors: number[] = [];
    for (const xid of sent) errors.push((await client.reply(xid)).err);
    equal(errors, [0, 0, 0, 0, 0, 0], 'errors of the headers');
    fails(await client.exists(a), 'noNode');
  });

  test('ephemerals made in a multi belong to the session', async (t) => {
    const owner = await t.connect();
    const client = await t.connect();
    const make = [part.create(`${t.path}/e`, { flags: flags.ephemeral })];
    ok(await owner.multi(make));
    equal(ok(await owner.getEphemerals(t.path)), [`${t.path}/e`], 'ephemerals');
    await owner.close();
    fails(await client.exists(`${t.path}/e`), 'noNode');
  });

  test('ops that may not be parts are MARSHALLINGERROR', async (t) => {
    const client = await t.connect();
    const parts: MultiPart[] = [
      { type: OpCode.setACL, body: body.setAcl(t.path, [], -1) },
      { type: OpCode.exists, body: body.pathAndWatch(t.path, false) },
      { type: OpCode.sync, body: body.path(t.path) },
      { type: 99, body: body.path(t.path) },
    ];
    for (const one of parts) {
      const reply = await client.call(OpCode.multi, body.multi([one]));
      fails(reply, 'marshallingError', `part of type ${one.type}`);
    }
    ok(await client.exists(t.path), 'the connection stays');
  });

  test(
    'what cannot be read as a multi takes a zxid, null lists of ACLs do not',
    async (t) => {
      const client = await t.connect();
      let last = (await client.ping()).zxid;
      const unreadable: [string, MultiPart][] = [
        ['an unknown create flag', part.create(`${t.path}/a`, { flags: 9 })],
        ['the op create with the TTL flag', part.create(`${t.path}/a`, { flags: flags.ttl })],
        ['an op that may not be a part', { type: OpCode.sync, body: body.path(t.path) }],
      ];
      for (const [what, one] of unreadable) {
        const reply = await client.multi([part.create(`${t.path}/new`), one]);
        fails(reply, 'marshallingError', what);
        last += 1n;
        equal(reply.zxid, last, `zxid of ${what}`);
      }
      const reply = await client.multi([part.create(`${t.path}/a`, { acl: null })]);
      fails(reply, 'marshallingError', 'a null ACL');
      equal(reply.zxid, last, 'zxid of a null ACL');
      fails(await client.exists(`${t.path}/new`), 'noNode');
    },
    since39('unknown flags counted as 0'),
  );

  test(
    'the flags of a create decide what it is, not its type',
    async (t) => {
      const client = await t.connect();
      const results = ok(
        await client.multi([
          part.create(`${t.path}/c`, { flags: flags.container }),
          part.createTtl(`${t.path}/p`, -1n, { flags: flags.persistent }),
          part.createContainer(`${t.path}/d`, { flags: flags.persistent }),
        ]),
      );
      equal(typesOf(results), [OpCode.create2, OpCode.create, OpCode.create2], 'types');
    },
    since39('create2 in a multi'),
  );

  test('getData as a part of multi, create as a part of multiRead', async (t) => {
    const client = await t.connect();
    const { zxid } = await client.ping();
    const write = await client.multi([part.getData(t.path)]);
    fails(write, 'marshallingError', 'multi of a read');
    equal(write.zxid, zxid + 1n, 'zxid of a multi of a read');
    const mixed = await client.multi([part.check(t.path, 0), part.getData(t.path)]);
    fails(mixed, 'marshallingError', 'multi of both');
    equal(mixed.zxid, zxid + 2n, 'zxid of a multi of both');
    const read = await client.call(OpCode.multiRead, body.multi([part.create(`${t.path}/a`)]));
    equal(nameOfError(read.err), 'marshallingError', 'multiRead');
  });

  test('the err field of a part header is not looked at', async (t) => {
    const client = await t.connect();
    const reply = await client.call(OpCode.multi, (w) => {
      writeMultiHeader(w, OpCode.create, false, 12345);
      const create = body.create(`${t.path}/a`);
      w.writeBytes(create, 0, create.length);
      writeMultiHeader(w, 7777, true, 99);
    });
    equal(reply.err, 0, 'err');
    ok(await client.exists(`${t.path}/a`));
  });

  test('a thousand parts', async (t) => {
    const client = await t.connect();
    const parts = Array.from({ length: 1_000 }, (_none, n) => part.create(`${t.path}/n${n}`));
    equal(ok(await client.multi(parts)).length, 1_000, 'results');
    equal(ok(await client.exists(t.path)).numChildren, 1_000, 'numChildren');
  });

  test('multiRead: data, children and errors, each for itself', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`, { data: 'abc' }));
    const before = await client.ping();
    const reply = await client.multiRead([
      part.getData(`${t.path}/a`),
      part.getData(`${t.path}/no`),
      part.getChildren(t.path),
      part.getChildren(`${t.path}/no`),
    ]);
    const [data, noData, children, noChildren] = ok(reply);
    equal(data?.stat, ok(await client.exists(`${t.path}/a`)), 'stat');
    equal(Buffer.from(data?.data ?? []).toString(), 'abc', 'data');
    equal(noData, { type: -1, err: ErrorCode.noNode }, 'missing data');
    equal(children?.children, ['a'], 'children');
    equal(noChildren, { type: -1, err: ErrorCode.noNode }, 'missing children');
    equal(reply.zxid, before.zxid, 'no zxid is taken');
  });

  test("multiRead: NOAUTH is the part's own", async (t) => {
    const client = await t.connect();
    const acl = [{ perms: perms.admin, scheme: 'world', id: 'anyone' }];
    ok(await client.create(`${t.path}/closed`, { acl }));
    const results = ok(
      await client.multiRead([
        part.getData(`${t.path}/closed`),
        part.getChildren(`${t.path}/closed`),
        part.getData(t.path),
      ]),
    );
    equal(errorsOf(results), ['noAuth', 'noAuth', 'ok'], 'errors');
  });

  test('an empty multiRead', async (t) => {
    equal(ok(await (await t.connect()).multiRead([])), [], 'results');
  });

  test('no reader sees half of a multi', async (t) => {
    const writer = await t.connect();
    const reader = await t.connect();
    ok(await writer.create(`${t.path}/a`, { data: '0' }));
    ok(await writer.create(`${t.path}/b`, { data: '0' }));
    for (let round = 1; round <= 20; round += 1) {
      const text = String(round);
      const posted = writer.post(
        OpCode.multi,
        body.multi([part.setData(`${t.path}/a`, text), part.setData(`${t.path}/b`, text)]),
      );
      const a = ok(await reader.getData(`${t.path}/a`));
      const b = ok(await reader.getData(`${t.path}/b`));
      that(Number(b.text) >= Number(a.text), 'b is older than an a that was read before it');
      await writer.reply(posted);
    }
  });
});

type ErrorCodeName = keyof typeof ErrorCode;
