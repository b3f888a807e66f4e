import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContinuationOp } from '../../protocol/continuation.js';
import { ErrorCode } from '../../protocol/errors.js';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { RawClient } from './raw-client.fixture.js';
import { Stage, type StageOptions } from './stage.fixture.js';

/** Two servers, /a, and a client at the first. */
async function begin(options: StageOptions = {}): Promise<[Stage, RawClient]> {
  const stage = await Stage.start(2, options);
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(20);
  const client = await stage.openClient();
  return [stage, client];
}

/** The first server executes what it is sent and dies before it answers. */
async function loseAnswers(stage: Stage): Promise<void> {
  await stage.pass(10);
  stage.server(0).kill();
}

void test('a write that was executed gets its answer from another server, once', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  const xid = client.setData('/a', 'x');
  await loseAnswers(stage);
  await stage.until(() => client.replyTo(xid) !== null);
  const txns = stage.ensemble.log.filter(({ cxid }) => cxid === xid);
  assert.equal(txns.length, 1);
  const { zxid, error, body } = client.replyTo(xid) ?? {};
  assert.deepEqual({ zxid, error }, { zxid: txns[0]?.zxid, error: 0 });
  assert.deepEqual(body, txns[0]?.body);
  assert.equal(stage.server(1).connection.ops.includes(OpCode.setData), false);
});

void test('a write that failed when it was executed failed', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  const xid = client.create('/a');
  await loseAnswers(stage);
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(client.replyTo(xid)?.error, ErrorCode.nodeExists);
  assert.equal(client.replyTo(xid)?.body.length, 0);
});

void test('a write that was not executed is sent again with its number', async () => {
  const [stage, client] = await begin();
  stage.server(0).isCutOff = true;
  const xid = client.setData('/a', 'x');
  await loseAnswers(stage);
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(stage.ensemble.log.filter(({ cxid }) => cxid === xid).length, 1);
  const { ops, xids } = stage.server(1).connection;
  assert.deepEqual(ops, [OpCode.sync, ContinuationOp.fate, OpCode.setData]);
  assert.equal(xids.at(-1), xid);
});

void test('what the lost server still forwards comes too late, and is executed once', async () => {
  const [stage, client] = await begin();
  stage.server(0).extraForwardMs = 400;
  const xid = client.setData('/a', 'x');
  await loseAnswers(stage);
  await stage.until(() => client.replyTo(xid) !== null);
  await stage.pass(1000);
  const txns = stage.ensemble.log.filter(({ cxid }) => cxid === xid);
  assert.deepEqual(
    txns.map(({ error }) => error),
    [0, ErrorCode.sessionMoved],
  );
  assert.equal(client.replies.filter((reply) => reply.xid === xid).length, 1);
});

void test('executed writes are answered, those after them are sent again, in order', async () => {
  const [stage, client] = await begin();
  const server = stage.server(0);
  server.isLagging = true;
  client.setData('/a', '1');
  client.setData('/a', '2');
  await stage.pass(10);
  server.isCutOff = true;
  client.setData('/a', '3');
  client.getData('/a');
  client.ping();
  client.setData('/a', '5');
  await loseAnswers(stage);
  await stage.until(() => client.replyTo(5) !== null);
  assert.deepEqual(client.story.slice(1), ['-2:0', '1:0', '2:0', '3:0', '4:0', '5:0']);
  assert.deepEqual(stage.server(1).connection.ops.slice(2), [
    OpCode.setData,
    OpCode.getData,
    OpCode.setData,
  ]);
});

void test('a read before a write that was executed cannot be answered any more', async () => {
  const [stage, client] = await begin();
  const server = stage.server(0);
  server.isLagging = true;
  client.setData('/a', '1');
  client.getData('/a');
  client.setData('/a', '3');
  await loseAnswers(stage);
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /a request before an executed write/);
  assert.equal(client.replyTo(2), null);
  assert.equal(client.replyTo(3), null);
});

void test('credentials between writes do not stand in their way', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  stage.server(0).isSilent = true;
  await stage.pass(1);
  const { connection } = stage.server(0);
  client.auth('digest', 'me:x');
  await stage.pass(5);
  assert.equal(connection.ops.at(-1), OpCode.auth);
  stage.server(0).isSilent = false;
  client.setData('/a', '1');
  await loseAnswers(stage);
  await stage.until(() => client.replyTo(1) !== null && client.replyTo(-4) !== null);
  await stage.pass(50);
  assert.equal(stage.ensemble.log.filter(({ cxid }) => cxid === 1).length, 1);
  assert.equal(client.isClosed, false);
});

void test('a fate beyond memory ends the connection, and the session stays', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  await stage.pass(10);
  stage.server(1).coversFrom = stage.ensemble.zxid + 1n;
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /what became of a write is not known/);
  const again = await stage.client();
  again.greet({ sessionId: client.sessionId, password: client.password });
  await stage.until(() => again.sessionId !== 0n);
  assert.equal(again.sessionId, client.sessionId);
});

void test('a memory that reaches back to what the client saw last is enough', async () => {
  const [stage, client] = await begin();
  for (let i = 0; i < 5; i++) client.setData('/a', `${i}`);
  await stage.until(() => client.replies.length === 5);
  const seen = client.replies.at(-1)?.zxid ?? 0n;
  stage.server(0).isLagging = true;
  const xid = client.setData('/a', 'x');
  await stage.pass(10);
  stage.server(1).coversFrom = seen;
  stage.server(0).kill();
  await stage.until(() => client.replyTo(xid) !== null);
  assert.deepEqual(stage.dropped, []);
});

void test('a long pipeline of writes does not ask further back than it must', async () => {
  const [stage, client] = await begin();
  // never without an unanswered write
  for (let i = 0; i < 30; i++) {
    client.setData('/a', `${i}`);
    await stage.pass(1);
  }
  await stage.until(() => client.replies.length > 25);
  const seen = client.replies[10]?.zxid ?? 0n;
  stage.server(0).isLagging = true;
  client.setData('/a', 'x');
  await stage.pass(10);
  stage.server(1).coversFrom = seen;
  stage.server(0).kill();
  await stage.until(() => client.replies.length === 31);
  assert.deepEqual(stage.dropped, []);
});

void test('Apache cannot be asked: an unanswered write ends the connection', async () => {
  const [stage, client] = await begin();
  for (const server of stage.ensemble.servers) server.isApache = true;
  client.close();
  const other = await stage.openClient();
  stage.server(0).isLagging = true;
  other.setData('/a', '1');
  await loseAnswers(stage);
  await stage.until(() => other.isClosed);
  assert.match(stage.dropped.join(), /a write has no answer/);
  const again = await stage.client();
  again.greet({ sessionId: other.sessionId, password: other.password });
  await stage.until(() => again.sessionId !== 0n);
});

void test('the next server does not speak the extension: nothing of it is sent there', async () => {
  const [stage, client] = await begin();
  stage.server(1).isApache = true;
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  await loseAnswers(stage);
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /a write has no answer/);
  assert.deepEqual(stage.server(1).connections, []);
});

void test('an event of an executed write comes before its answer, later ones after it', async () => {
  const [stage, client] = await begin();
  client.addWatch('/', true);
  await stage.until(() => client.replies.length === 1);
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  await stage.pass(10);
  stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
  client.setData('/a', '2');
  await stage.pass(10);
  stage.ensemble.change({ kind: 'create', path: '/c', data: '' });
  await stage.pass(10);
  stage.server(0).kill();
  await stage.until(() => client.replyTo(3) !== null);
  const { nodeCreated, nodeDataChanged } = EventType;
  assert.deepEqual(client.story.slice(2), [
    `${nodeDataChanged}@/a`,
    '2:0',
    `${nodeCreated}@/b`,
    `${nodeDataChanged}@/a`,
    '3:0',
    `${nodeCreated}@/c`,
  ]);
});

void test('two writes with one number: nobody can tell which was executed', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  client.nextXid = 1;
  client.setData('/a', '2');
  await loseAnswers(stage);
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /the same number/);
});

void test('what an earlier client of the session wrote by the same number is not this one’s doing', async () => {
  const [stage, earlier] = await begin();
  const first = earlier.create('/b');
  await stage.until(() => earlier.replyTo(first) !== null);
  earlier.close();
  const client = await stage.client();
  // it has seen nothing of that, and is shown nothing before its server is lost
  const { sessionId, password } = earlier;
  client.greet({ sessionId, password, lastZxidSeen: 0n });
  await stage.until(() => client.sessionId !== 0n);
  stage.server(0).isCutOff = true;
  client.create('/c');
  await loseAnswers(stage);
  await stage.until(() => client.replyTo(first) !== null);
  const txns = stage.ensemble.log.filter(({ cxid }) => cxid === first);
  assert.equal(txns.length, 2);
  assert.equal(client.replyTo(first)?.zxid, txns[1]?.zxid);
  assert.ok(stage.ensemble.tree.has('/c'));
});

void test('a session that ended while its end was being asked for has ended', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  const xid = client.request(OpCode.closeSession);
  await loseAnswers(stage);
  await stage.until(() => client.isClosed);
  assert.equal(client.replyTo(xid)?.error, 0);
  assert.deepEqual(stage.dropped, []);
});

void test('a session’s end that never came to be is asked for again', async () => {
  const [stage, client] = await begin();
  stage.server(0).isCutOff = true;
  const xid = client.request(OpCode.closeSession);
  await loseAnswers(stage);
  await stage.until(() => client.isClosed);
  assert.equal(client.replyTo(xid)?.error, 0);
  assert.equal(stage.ensemble.sessions.get(client.sessionId)?.isOpen, false);
});

void test('a session that is gone while a write waits is no answer to it', async () => {
  const [stage, client] = await begin();
  stage.server(0).isCutOff = true;
  client.setData('/a', '1');
  client.request(OpCode.closeSession);
  await stage.pass(10);
  stage.ensemble.expire(client.sessionId);
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.equal(client.replies.length, 0);
});
