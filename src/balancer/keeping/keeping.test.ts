import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContinuationCapability, writeAttachRequest } from '../../protocol/continuation.js';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Writer } from '../../protocol/writer.js';
import { Stage } from './stage.fixture.js';

void test('requests and answers pass, and the client sees a server’s welcome', async () => {
  const stage = await Stage.start(1);
  stage.ensemble.change({ kind: 'create', path: '/a', data: 'x' });
  await stage.pass(20);
  const client = await stage.openClient();
  const xid = client.getData('/a');
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(client.replyTo(xid)?.error, 0);
  assert.equal(client.timeoutMs, 6000);
  assert.deepEqual(stage.backends.calls, ['attaching s1:2181', 'attached zabra s1:2181']);
});

void test('the extension’s block is stripped before the client sees the response', async () => {
  const stage = await Stage.start(1);
  const client = await stage.openClient();
  assert.equal(client.welcomeBytes, 4 + 4 + 8 + 4 + 16 + 1);
  assert.equal(stage.server(0).connection.attach?.generation, 0n);
});

void test('a block of the client’s own is not passed on', async () => {
  const stage = await Stage.start(1);
  const client = await stage.client();
  const trailer = new Writer();
  writeAttachRequest(trailer, { capabilities: 1, generation: 77n });
  client.greet({ readOnly: false, trailer: trailer.take() });
  await stage.until(() => client.sessionId !== 0n);
  const { fate, catchUp, global } = ContinuationCapability;
  assert.deepEqual(stage.server(0).connection.attach, {
    capabilities: fate | catchUp | global,
    generation: 0n,
  });
  assert.equal(client.welcomeBytes, 37);
});

void test('a client from before 3.4 gets no readOnly back, and is kept like any other', async () => {
  const stage = await Stage.start(2);
  const client = await stage.client();
  client.greet({ readOnly: null });
  await stage.until(() => client.sessionId !== 0n);
  assert.equal(client.isReadOnly, null);
  assert.equal(client.welcomeBytes, 36);
  stage.server(0).kill();
  await stage.pass(50);
  assert.equal(stage.session.backend?.id, 's2:2181');
});

void test('masking off: a server is asked for nothing that a client would not ask', async () => {
  const stage = await Stage.start(2, { settings: { mask: 'off' } });
  const client = await stage.openClient();
  assert.equal(stage.server(0).connection.attach, null);
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /masking is off/);
});

void test('a first server that fails is not the client’s affair: the next one is asked', async () => {
  const stage = await Stage.start(3, { settings: { attachTimeoutMs: 200 } });
  stage.server(0).kill();
  stage.server(1).isSilent = true;
  const client = await stage.client();
  client.greet({});
  await stage.until(() => client.sessionId !== 0n);
  assert.equal(stage.session.backend?.id, 's3:2181');
  assert.equal(stage.backends.count('failed'), 2);
});

void test('a client waits for its first server only so long', async () => {
  const stage = await Stage.start(1, { settings: { firstAttachTimeoutMs: 2000 } });
  stage.backends.isBarren = true;
  const client = await stage.client();
  client.greet({});
  await stage.pass(1900);
  assert.equal(client.isClosed, false);
  await stage.pass(300);
  assert.equal(client.isClosed, true);
  assert.match(stage.dropped.join(), /no server was found/);
});

void test('what a client asks before it has a server waits, and is asked in order', async () => {
  const stage = await Stage.start(1);
  stage.backends.isBarren = true;
  const client = await stage.client();
  client.greet({});
  client.create('/a', 'x');
  client.getData('/a');
  await stage.pass(500);
  stage.backends.isBarren = false;
  await stage.until(() => client.replies.length === 2);
  assert.deepEqual(client.story, ['welcome', '1:0', '2:0']);
});

void test('a client that comes back is shown only servers that are not behind it', async () => {
  const stage = await Stage.start(1);
  const zxid = stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(20);
  const client = await stage.client();
  client.greet({ lastZxidSeen: zxid });
  await stage.until(() => client.sessionId !== 0n);
  assert.equal(stage.backends.needs[0]?.minZxid, zxid);
  assert.equal(stage.server(0).connection.lastZxidSeen, zxid);
});

void test('a client that comes with a session that is over is told so', async () => {
  const stage = await Stage.start(1);
  const client = await stage.client();
  client.greet({ sessionId: 99n });
  await stage.until(() => client.isClosed);
  assert.deepEqual(client.inbox, [{ kind: 'welcome', sessionId: 0n, timeoutMs: 0 }]);
  assert.deepEqual(stage.dropped, []);
});

void test('a client that comes again takes its session from its old connection here', async () => {
  const stage = await Stage.start(2);
  const first = await stage.openClient();
  first.keepPinging(1000);
  const second = await stage.client();
  second.greet({ sessionId: first.sessionId, password: first.password });
  await stage.until(() => second.sessionId === first.sessionId);
  assert.equal(first.isClosed, true);
  assert.equal(stage.keeper.size, 1);
  await stage.pass(5000);
  assert.equal(second.isClosed, false);
});

void test('whoever does not know the password takes nobody’s connection', async () => {
  const stage = await Stage.start(1);
  const first = await stage.openClient();
  first.keepPinging(1000);
  const thief = await stage.client();
  thief.greet({ sessionId: first.sessionId, password: new Uint8Array(16) });
  await stage.until(() => thief.isClosed);
  assert.equal(first.isClosed, false);
  const xid = first.exists('/');
  await stage.until(() => first.replyTo(xid) !== null);
});

void test('a request that a hook refuses is answered in its turn, and no server sees it', async () => {
  const stage = await Stage.start(1, {
    hooks: { onRequest: (_, op) => (op === OpCode.setData ? ErrorCode.noAuth : 0) },
  });
  const client = await stage.openClient();
  client.setData('/', 'x');
  client.create('/a');
  client.setData('/a', 'x');
  client.exists('/a');
  client.setData('/a', 'x');
  await stage.until(() => client.replies.length === 5);
  assert.deepEqual(client.story.slice(1), ['1:-102', '2:0', '3:-102', '4:0', '5:-102']);
  const zxids = client.replies.map(({ zxid }) => zxid);
  assert.deepEqual(zxids, [...zxids].sort());
  assert.deepEqual(stage.server(0).connection.ops, [OpCode.create, OpCode.exists]);
});

void test('operations of the extension are no client’s', async () => {
  const stage = await Stage.start(1);
  const client = await stage.openClient();
  const { connection } = stage.server(0);
  client.request(0x5a42_0001, (out) => out.writeLong(0n));
  await stage.until(() => client.isClosed);
  assert.deepEqual(connection.ops, []);
});

for (const [what, bytes] of [
  ['negative', [0xff, 0xff, 0xff, 0xff]],
  ['too long', [0x00, 0x20, 0x00, 0x00]],
  ['too short to be a request', [0, 0, 0, 4, 1, 2, 3, 4]],
] as const) {
  void test(`a frame that is ${what} ends the client’s connection`, async () => {
    const malformed: string[] = [];
    const stage = await Stage.start(1, {
      hooks: { onMalformed: (_, text) => malformed.push(text) },
    });
    const client = await stage.openClient();
    client.raw(Uint8Array.from(bytes));
    await stage.until(() => client.isClosed);
    assert.equal(malformed.length, 1);
  });
}

void test('a client that does not say what it wants is not waited for', async () => {
  const stage = await Stage.start(1, { settings: { handshakeTimeoutMs: 1000 } });
  const client = await stage.client();
  await stage.pass(1200);
  assert.equal(client.isClosed, true);
});

void test('the end of a session passes, and ends both connections', async () => {
  const stage = await Stage.start(1);
  const client = await stage.openClient();
  const xid = client.request(OpCode.closeSession);
  await stage.until(() => client.isClosed);
  assert.equal(client.replyTo(xid)?.error, 0);
  assert.equal(stage.backends.count('lost'), 0);
  assert.equal(stage.backends.count('detached'), 1);
  assert.equal(stage.keeper.size, 0);
});

void test('each attach ends in one way, and each session that was attached is detached', async () => {
  const stage = await Stage.start(2);
  const clients = await Promise.all([1, 2, 3].map(() => stage.openClient()));
  stage.server(0).kill();
  await stage.pass(100);
  clients[0]?.close();
  await stage.pass(100);
  await stage.keeper.stop();
  await stage.pass(100);
  assert.ok(clients.every(({ isClosed }) => isClosed));
  const { backends } = stage;
  const ends = backends.count('attached') + backends.count('failed') + backends.count('abandoned');
  assert.equal(backends.count('attaching'), ends);
  assert.equal(backends.count('detached'), backends.count('attached'));
  assert.equal(backends.count('lost'), 3);
});
