import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ArgumentError, BadVersionError, Client, ErrorCode, TransactionError } from 'zabra/client';
import { TestServer } from 'zabra/testing';

async function clientFor(t: TestContext): Promise<Client> {
  const server = await TestServer.start();
  const client = new Client(server.connectString, { sessionTimeoutMs: 10_000 });
  t.after(async () => {
    await client.close();
    await server.stop();
  });
  return await client.connect();
}

test('writes happen together, and are answered in order', async (t) => {
  const client = await clientFor(t);
  const [made, queued, set, checked, gone] = await client
    .transaction()
    .create('/a', 'one')
    .create('/a/q-', '', { mode: 'persistent-sequential' })
    .setData('/a', 'two', { version: 0 })
    .check('/a', { version: 1 })
    .delete('/a/q-0000000000')
    .commit();
  assert.deepEqual(made, { type: 'create', path: '/a', stat: null });
  assert.equal(queued.path, '/a/q-0000000000');
  assert.equal(set.stat.version, 1);
  assert.equal(checked.type, 'check');
  assert.equal(gone.path, '/a/q-0000000000');
  const { data, stat } = await client.getData('/a');
  assert.equal(data.toString(), 'two');
  assert.equal(stat.czxid, stat.mzxid, 'all of it is one transaction');
});

test('one that fails undoes all, and says which it was', async (t) => {
  const client = await clientFor(t);
  await client.create('/a');
  const transaction = client.transaction().create('/b').setData('/a', 'x', { version: 7 });
  await assert.rejects(transaction.delete('/a').commit(), (error) => {
    assert.ok(error instanceof TransactionError);
    assert.equal(error.index, 1);
    assert.equal(error.code, ErrorCode.badVersion);
    assert.ok(error.cause instanceof BadVersionError);
    assert.equal(error.path, '/a');
    assert.deepEqual(
      error.results.map((one) => one?.codeName ?? 'ok'),
      ['ok', 'BADVERSION', 'RUNTIMEINCONSISTENCY'],
    );
    return true;
  });
  assert.equal(await client.exists('/b'), null);
});

test('containers and znodes with a time to live tell their stat', async (t) => {
  const client = await clientFor(t);
  const [container, passing] = await client
    .transaction()
    .create('/c', '', { mode: 'container' })
    .create('/t', '', { mode: 'persistent-ttl', ttlMs: 60_000 })
    .commit();
  assert.equal(container.stat?.version, 0);
  assert.ok((passing.stat?.czxid ?? 0n) > 0n);
});

test('a handle on another root has its own paths there too', async (t) => {
  const client = await clientFor(t);
  await client.create('/app');
  const app = client.chroot('/app');
  const [made] = await app.transaction().create('/x', 'y').check('/').commit();
  assert.equal(made.path, '/x');
  assert.equal((await client.getData('/app/x')).data.toString(), 'y');
  await assert.rejects(app.transaction().delete('/none').commit(), /: \/none$/);
});

test('nothing is sent that is wrong, empty, or committed before', async (t) => {
  const client = await clientFor(t);
  assert.deepEqual(await client.transaction().commit(), []);
  const transaction = client.transaction().create('/a');
  assert.throws(() => transaction.create('/b//c'), ArgumentError);
  await transaction.commit();
  await assert.rejects(transaction.commit(), /committed before/);
  assert.throws(() => transaction.delete('/a'), /nothing can be added/);
  const aborted = client.transaction().create('/b');
  const signal = AbortSignal.abort(new Error('no more'));
  await assert.rejects(aborted.commit({ signal }), /no more/);
  assert.equal(await client.exists('/b'), null);
});

test('a thousand writes in one transaction', async (t) => {
  const client = await clientFor(t);
  const transaction = client.transaction().create('/many');
  for (let i = 0; i < 1000; i++) transaction.create(`/many/${i}`, 'x'.repeat(100));
  const results = await transaction.commit();
  assert.equal(results.length, 1001);
  assert.equal((await client.getChildren('/many')).children.length, 1000);
});
