import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '../../protocol/opcodes.js';
import { Stage } from '../keeping/stage.fixture.js';

const KIB = 1024;

void test('a client that does not read pauses its server’s connection, and gets everything later', async () => {
  const stage = await Stage.start(1, {
    settings: { pauseBytesMax: 64 * KIB },
    quality: { windowBytes: 32 * KIB },
  });
  stage.ensemble.change({ kind: 'create', path: '/a', data: 'x'.repeat(16 * KIB) });
  await stage.pass(100);
  const client = await stage.openClient();
  client.socket.pause();
  for (let i = 0; i < 40; i++) client.getData('/a');
  await stage.pass(2000);
  const [socket] = [...stage.network.links()].filter(({ far }) => far.host.name === 'balancer');
  assert.ok(socket !== undefined && socket.far.pendingBytes < 200 * KIB);
  client.socket.resume();
  await stage.until(() => client.replies.length === 40);
  assert.deepEqual(
    client.replies.map(({ xid }) => xid),
    Array.from({ length: 40 }, (_, i) => i + 1),
  );
  assert.equal(stage.backends.count('lost'), 0);
});

void test('it does not keep others waiting', async () => {
  const stage = await Stage.start(1, { quality: { windowBytes: 32 * KIB } });
  stage.ensemble.change({ kind: 'create', path: '/a', data: 'x'.repeat(16 * KIB) });
  await stage.pass(100);
  const slow = await stage.openClient();
  slow.socket.pause();
  for (let i = 0; i < 200; i++) slow.getData('/a');
  await stage.pass(500);
  const other = await stage.openClient();
  const xid = other.getData('/a');
  await stage.until(() => other.replyTo(xid) !== null, 200);
});

void test('a client that takes nothing for too long is dropped', async () => {
  const stage = await Stage.start(1, {
    settings: { slowClientTimeoutMs: 2000 },
    quality: { windowBytes: 32 * KIB },
  });
  stage.ensemble.change({ kind: 'create', path: '/a', data: 'x'.repeat(16 * KIB) });
  await stage.pass(100);
  const client = await stage.openClient(30_000);
  client.socket.pause();
  for (let i = 0; i < 40; i++) client.getData('/a');
  await stage.pass(1800);
  assert.deepEqual(stage.dropped, []);
  await stage.pass(600);
  assert.match(stage.dropped.join(), /does not read/);
  assert.equal(stage.keeper.size, 0);
});

void test('a client that asks more than may be unanswered is not read from until it is', async () => {
  const stage = await Stage.start(1, { settings: { inFlightBytesMax: 8 * KIB } });
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(20);
  const client = await stage.openClient();
  stage.server(0).isLagging = true;
  for (let i = 0; i < 30; i++) client.setData('/a', 'x'.repeat(1000));
  await stage.pass(100);
  // a read that has begun is taken whole
  assert.ok(stage.session.outstanding <= 30);
  for (let i = 0; i < 30; i++) client.setData('/a', 'y'.repeat(1000));
  await stage.pass(100);
  const held = stage.session.outstanding;
  assert.ok(held < 60, `${held}`);
  stage.server(0).isLagging = false;
  stage.server(0).onCommitted();
  await stage.until(() => client.replies.length === 60);
});

void test('requests larger than the network takes at once arrive whole, and are kept until answered', async () => {
  const stage = await Stage.start(2, { quality: { windowBytes: 8 * KIB, readBytesMax: 3000 } });
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(50);
  const client = await stage.openClient();
  const text = 'abcdefghij'.repeat(4000);
  for (let i = 0; i < 5; i++) client.setData('/a', `${i}${text}`);
  await stage.until(() => stage.server(0).connection.ops.length >= 2);
  stage.server(0).kill();
  await stage.until(() => client.replies.length === 5);
  assert.deepEqual(
    client.replies.map(({ error }) => error),
    [0, 0, 0, 0, 0],
  );
  const sets = stage.ensemble.log.filter(({ cxid, error }) => cxid > 0 && error === 0);
  assert.deepEqual(
    sets.flatMap(({ changes }) => changes.map((one) => ('data' in one ? one.data[0] : ''))),
    ['0', '1', '2', '3', '4'],
  );
  const xid = client.getData('/a');
  await stage.until(() => client.replyTo(xid) !== null);
  const body = new TextDecoder().decode(client.replyTo(xid)?.body);
  assert.equal(body.slice(4, 4 + text.length + 1), `4${text}`);
});

void test('what a server has not taken is not written over by what comes behind it', async () => {
  const stage = await Stage.start(1, { quality: { windowBytes: 8 * KIB } });
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(50);
  const client = await stage.openClient(30_000);
  const server = stage.server(0);
  server.isLagging = true;
  client.setData('/a', 'a'.repeat(30_000));
  await stage.until(() => server.connection.ops.length === 1);
  server.connection.socket.pause();
  client.setData('/a', 'b'.repeat(30_000));
  await stage.pass(50);
  server.isLagging = false;
  server.onCommitted();
  await stage.until(() => client.replies.length === 1);
  client.setData('/a', 'c'.repeat(25_000));
  await stage.pass(50);
  server.connection.socket.resume();
  await stage.until(() => client.replies.length === 3);
  const texts = stage.ensemble.log.flatMap(({ changes }) =>
    changes.map((one) => ('data' in one ? [...new Set(one.data)].join('') : '')),
  );
  assert.deepEqual(texts, ['', 'a', 'b', 'c']);
});

void test('a client that hangs up while it is being sent to leaves nothing behind', async () => {
  const stage = await Stage.start(1, { quality: { windowBytes: 8 * KIB } });
  stage.ensemble.change({ kind: 'create', path: '/a', data: 'x'.repeat(16 * KIB) });
  await stage.pass(100);
  const client = await stage.openClient();
  client.socket.pause();
  for (let i = 0; i < 10; i++) client.getData('/a');
  client.request(OpCode.closeSession);
  await stage.pass(7000);
  assert.equal(stage.keeper.size, 0);
  await stage.pass(10_000);
  const open = [...stage.network.links()].filter(
    ({ far }) => far.host.name === 'balancer' && !far.isClosed,
  );
  assert.deepEqual(open, []);
});
