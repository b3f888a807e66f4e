/** Every operation, its answer and its refusals. */
import assert from 'node:assert/strict';
import {
  Acls,
  BadVersionError,
  NoAuthError,
  NodeExistsError,
  NoNodeError,
  NotEmptyError,
  OutcomeUnknownError,
  Perms,
  TransactionError,
  type NodeMode,
} from 'zabra/client';
import type { Case } from './suite.js';

const modes: readonly (readonly [mode: NodeMode, isSequential: boolean, isMortal: boolean])[] = [
  ['persistent', false, false],
  ['ephemeral', false, true],
  ['persistent-sequential', true, false],
  ['ephemeral-sequential', true, true],
  ['container', false, false],
  ['persistent-ttl', false, false],
  ['persistent-sequential-ttl', true, false],
];

export const operationCases: readonly Case[] = [
  {
    name: 'create in every mode, read back',
    async run({ client, path }) {
      const zk = await client();
      for (const [mode, isSequential, isMortal] of modes) {
        const options = mode.endsWith('ttl') ? { mode, ttlMs: 3_600_000 } : { mode };
        const asked = `${path}/${mode}-`;
        const created = await zk.create(asked, `data of ${mode}`, options);
        assert.match(created.path, isSequential ? /-\d{10}$/ : /-$/);
        const { data, stat } = await zk.getData(created.path);
        assert.equal(data.toString(), `data of ${mode}`);
        assert.deepEqual(stat, created.stat);
        if (isMortal) assert.equal(stat.ephemeralOwner, zk.sessionId);
        assert.equal(stat.czxid, stat.mzxid);
        assert.ok(Math.abs(stat.ctime - Date.now()) < 60_000);
      }
    },
  },
  {
    name: 'data of every size, also none and bytes that are no text',
    async run({ client, path }) {
      const zk = await client();
      for (const size of [0, 1, 1000, 900_000]) {
        const bytes = Buffer.alloc(size, 0xff);
        await zk.setData(path, bytes);
        assert.deepEqual((await zk.getData(path)).data, bytes);
      }
      await assert.rejects(zk.setData(path, Buffer.alloc(2 ** 21)), TypeError);
      assert.equal((await zk.exists(path))?.dataLength, 900_000);
    },
  },
  {
    name: 'refusals are errors with a type, a code and the path',
    async run({ client, path }) {
      const zk = await client();
      const missing = `${path}/missing`;
      const check = async (refused: Promise<unknown>, type: unknown, code: string, at: string) => {
        await assert.rejects(refused, (error: NoNodeError) => {
          assert.ok(error instanceof (type as typeof NoNodeError), String(error));
          assert.equal(error.codeName, code);
          assert.equal(error.path, at);
          return true;
        });
      };
      await check(zk.getData(missing), NoNodeError, 'NONODE', missing);
      await check(zk.setData(missing, ''), NoNodeError, 'NONODE', missing);
      await check(zk.delete(missing), NoNodeError, 'NONODE', missing);
      await check(zk.getChildren(missing), NoNodeError, 'NONODE', missing);
      await check(zk.getACL(missing), NoNodeError, 'NONODE', missing);
      await check(zk.create(path), NodeExistsError, 'NODEEXISTS', path);
      await check(zk.create(`${missing}/x`), NoNodeError, 'NONODE', `${missing}/x`);
      await zk.create(`${path}/child`);
      await check(zk.delete(path), NotEmptyError, 'NOTEMPTY', path);
      await check(zk.setData(path, '', { version: 7 }), BadVersionError, 'BADVERSION', path);
      await check(zk.delete(path, { version: 7 }), BadVersionError, 'BADVERSION', path);
      await zk.create(`${path}/mortal`, '', { mode: 'ephemeral' });
      await assert.rejects(zk.create(`${path}/mortal/x`), { codeName: 'NOCHILDRENFOREPHEMERALS' });
      assert.equal(await zk.exists(missing), null);
    },
  },
  {
    name: 'what cannot be a request is refused before it is sent, with the position',
    async run({ client }) {
      const zk = await client();
      await assert.rejects(zk.create('no-slash'), { name: 'ArgumentError' });
      await assert.rejects(zk.getData('/a//b'), /3|2/);
      await assert.rejects(zk.create('/x', '', { mode: 'persistent-ttl' }), TypeError);
      await assert.rejects(zk.create('/x', '', { acl: [] }), TypeError);
      await assert.rejects(zk.setData('/x', 7 as never), TypeError);
      assert.equal(zk.state, 'connected');
    },
  },
  {
    name: 'parents are made, trees are deleted',
    async run({ client, path }) {
      const zk = await client();
      await zk.create(`${path}/a/b/c/d`, 'deep', { makePath: true });
      await zk.create(`${path}/a/b/c/e`, 'beside', { makePath: true });
      assert.equal((await zk.getData(`${path}/a/b/c/d`)).data.toString(), 'deep');
      assert.equal(await zk.getAllChildrenNumber(path), 5);
      for (let i = 0; i < 300; i++) void zk.create(`${path}/a/n-${i}`);
      await zk.delete(`${path}/a`, { recursive: true });
      assert.deepEqual((await zk.getChildren(path)).children, []);
    },
  },
  {
    name: 'ephemerals of a session, below a prefix',
    since: [3, 6],
    async run({ client, path }) {
      const zk = await client();
      await zk.create(`${path}/one`, '', { mode: 'ephemeral' });
      await zk.create(`${path}/two`, '', { mode: 'ephemeral' });
      assert.deepEqual((await zk.getEphemerals(path)).sort(), [`${path}/one`, `${path}/two`]);
      assert.deepEqual(await zk.getEphemerals(`${path}/one`), [`${path}/one`]);
    },
  },
  {
    name: 'ACLs keep others out',
    async run({ client, path }) {
      const zk = await client({ auth: [{ scheme: 'digest', auth: 'alice:secret' }] });
      const other = await client();
      await zk.create(`${path}/mine`, 'private', { acl: Acls.creatorAll });
      const { acl } = await zk.getACL(`${path}/mine`);
      assert.equal(acl[0]?.scheme, 'digest');
      assert.match(acl[0].id, /^alice:/);
      assert.equal(acl[0].perms, Perms.all);
      await assert.rejects(other.getData(`${path}/mine`), NoAuthError);
      await other.addAuth('digest', 'alice:secret');
      assert.equal((await other.getData(`${path}/mine`)).data.toString(), 'private');
      await zk.setACL(`${path}/mine`, Acls.readOnly);
      await assert.rejects(other.setData(`${path}/mine`, 'x'), NoAuthError);
    },
  },
  {
    name: 'who am I',
    since: [3, 7],
    async run({ client }) {
      const zk = await client({ auth: [{ scheme: 'digest', auth: 'bob:secret' }] });
      const ids = await zk.whoAmI();
      assert.ok(ids.some(({ scheme, id }) => scheme === 'digest' && id.startsWith('bob')));
    },
  },
  {
    name: 'a transaction does all or nothing, and says which part was refused',
    async run({ client, path }) {
      const zk = await client();
      const results = await zk
        .transaction()
        .create(`${path}/a`, 'one')
        .setData(path, 'set')
        .check(path, { version: 1 })
        .create(`${path}/gone`)
        .delete(`${path}/gone`)
        .commit();
      assert.equal(results.length, 5);
      assert.equal((await zk.getData(path)).data.toString(), 'set');
      const refused = zk
        .transaction()
        .create(`${path}/b`)
        .check(path, { version: 99 })
        .delete(`${path}/a`)
        .commit();
      await assert.rejects(refused, (error: TransactionError) => {
        assert.ok(error instanceof TransactionError);
        assert.equal(error.index, 1);
        assert.equal(error.codeName, 'BADVERSION');
        return true;
      });
      assert.equal(await zk.exists(`${path}/b`), null);
    },
  },
  {
    name: 'many reads in one',
    async run({ client, path }) {
      const zk = await client();
      await zk.create(`${path}/x`, 'data');
      const [data, children, missing] = await zk.multiRead([
        { type: 'getData', path: `${path}/x` },
        { type: 'getChildren', path },
        { type: 'getData', path: `${path}/none` },
      ]);
      assert.ok(data !== undefined && 'data' in data && data.data.toString() === 'data');
      assert.ok(children !== undefined && 'children' in children);
      assert.deepEqual(children.children, ['x']);
      assert.ok(missing instanceof Error && 'codeName' in missing);
      assert.equal(missing.codeName, 'NONODE');
    },
  },
  {
    name: 'a thousand calls at once are done in the order in which they were made',
    async run({ client, path }) {
      const zk = await client();
      const made = await Promise.all(
        Array.from({ length: 1000 }, (_, i) =>
          zk.create(`${path}/q-`, String(i), { mode: 'persistent-sequential' }),
        ),
      );
      const numbers = made.map((one) => Number(one.path.slice(-10)));
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
      );
      // a read between two writes sees the first and not the second
      const before = zk.setData(path, 'first');
      const read = zk.getData(path);
      const after = zk.setData(path, 'second');
      assert.equal((await read).data.toString(), 'first');
      await Promise.all([before, after]);
    },
  },
  {
    name: 'a handle on another root',
    async run({ client, path }) {
      const zk = await client({ root: path });
      const created = await zk.create('/below', 'x');
      assert.equal(created.path, '/below');
      const below = zk.chroot('/below');
      await below.create('/deeper', 'y');
      const whole = await client();
      assert.equal((await whole.getData(`${path}/below/deeper`)).data.toString(), 'y');
      await assert.rejects(below.getData('/nothing'), { path: '/nothing' });
      assert.equal(below.sessionId, zk.sessionId);
      await zk.setData('/', 'the root of the handle');
      assert.equal((await whole.getData(path)).data.toString(), 'the root of the handle');
    },
  },
  {
    name: 'sync, then a read sees what was finished before',
    async run({ client, path }) {
      const zk = await client();
      const other = await client();
      for (let i = 0; i < 20; i++) {
        await zk.setData(path, String(i));
        await other.sync(path);
        assert.equal((await other.getData(path)).data.toString(), String(i));
      }
    },
  },
  {
    name: 'a call that is given up: not sent, a read, a write',
    async run({ client, path }) {
      const zk = await client();
      const gone = AbortSignal.abort(new Error('given up'));
      await assert.rejects(zk.create(`${path}/never`, '', { signal: gone }), /given up/);
      assert.equal(await zk.exists(`${path}/never`), null);
      const reading = new AbortController();
      const read = zk.getData(path, { signal: reading.signal });
      const writing = new AbortController();
      const write = zk.create(`${path}/perhaps`, '', { signal: writing.signal });
      // after this turn both are on their way
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      reading.abort(new Error('no matter'));
      writing.abort(new Error('too late'));
      const results = await Promise.allSettled([read, write]);
      const [one, two] = results;
      if (one.status === 'rejected') assert.match(String(one.reason), /no matter/);
      if (two.status === 'rejected') assert.ok(two.reason instanceof OutcomeUnknownError);
      assert.equal((await zk.getData(path)).data.length, 0);
      assert.equal(zk.state, 'connected');
    },
  },
  {
    name: 'the configuration of an ensemble is read',
    needsEnsemble: true,
    async run({ client }) {
      const zk = await client();
      const { data } = await zk.getConfig();
      assert.equal(data.toString().match(/^server\.\d=/gm)?.length, 3);
    },
  },
];
