import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContinuationOp } from '../../protocol/continuation.js';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { RawClient } from './raw-client.fixture.js';
import { Stage, type StageOptions } from './stage.fixture.js';

const TIMEOUT_MS = 6000;

async function begin(servers = 2, options: StageOptions = {}): Promise<[Stage, RawClient]> {
  const stage = await Stage.start(servers, options);
  const client = await stage.openClient(TIMEOUT_MS);
  return [stage, client];
}

void test('pings are answered here only while the session cannot have expired', async () => {
  const [stage, client] = await begin(1);
  await stage.pass(1000);
  client.ping();
  const contactMs = stage.nowMs + 1; // when it passes through the balancer
  await stage.until(() => client.replies.length === 1);
  stage.server(0).kill();
  client.keepPinging(500);
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /safety budget/);
  // the connection was ended a moment before it was noticed
  const endMs = contactMs + (TIMEOUT_MS * 2) / 3;
  assert.ok(client.closedAtMs >= endMs && client.closedAtMs <= endMs + 2, `${client.closedAtMs}`);
  assert.ok(client.replies.length >= 7);
});

void test('the budget counts from when the answered question was sent, not from its answer', async () => {
  const [stage, client] = await begin(1);
  await stage.pass(500);
  // the answer comes so late that a server may have forgotten the question’s touch meanwhile
  stage.ensemble.delayMs = 0;
  const askedMs = stage.nowMs + 1;
  stage.server(0).extraForwardMs = 800;
  client.sync();
  await stage.until(() => client.replies.length === 1);
  assert.ok(stage.nowMs > askedMs + 800);
  stage.server(0).kill();
  client.keepPinging(500);
  await stage.until(() => client.isClosed);
  assert.ok(client.closedAtMs <= askedMs + (TIMEOUT_MS * 2) / 3 + 2);
});

void test('an attach that a server has heard of renews the budget, an attempt does not', async () => {
  const [stage, client] = await begin(3, { settings: { attachTimeoutMs: 300 } });
  client.keepPinging(500);
  await stage.pass(1000);
  for (const server of [1, 2]) stage.server(server).isSilent = true;
  stage.server(0).kill();
  await stage.pass(2000);
  assert.equal(stage.session.state, 'moving');
  assert.ok((stage.session.budgetMs ?? 0) < 3000);
  stage.server(1).isSilent = false;
  stage.server(1).kill();
  await stage.server(1).start();
  await stage.until(() => stage.session.state === 'open');
  assert.equal(stage.session.budgetMs, null);
  assert.equal(client.isClosed, false);
});

void test('a session is brought nowhere for a client that has not been heard of', async () => {
  const [stage, client] = await begin();
  await stage.pass(2500);
  stage.server(0).kill();
  await stage.pass(500);
  assert.equal(stage.session.state, 'moving');
  assert.equal(stage.server(1).connections.length, 0);
  client.ping();
  await stage.until(() => stage.session.state === 'open');
  assert.equal(client.replies.length, 1);
  assert.equal(stage.session.backend?.id, 's2:2181');
});

void test('who is silent for good is dropped, and its session was not touched', async () => {
  const [stage, client] = await begin();
  await stage.pass(2500);
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.equal(stage.server(1).connections.length, 0);
  assert.equal(stage.backends.count('attaching'), 1);
});

void test('who comes with a session is brought nowhere when it may have gone again', async () => {
  const [stage, client] = await begin(1);
  const { sessionId, password } = client;
  stage.server(0).kill();
  client.close();
  const [again, other] = [await stage.client(), await stage.client()];
  again.greet({ sessionId, password, timeoutMs: TIMEOUT_MS });
  other.greet({ timeoutMs: TIMEOUT_MS });
  await stage.pass(TIMEOUT_MS / 3 + 200);
  assert.match(stage.dropped.join(), /it may have gone/);
  assert.equal(again.isClosed, true);
  await stage.server(0).start();
  // what nobody has yet nobody can lose
  await stage.until(() => other.sessionId !== 0n);
});

void test('however little it asks for, it is brought to a server that is there', async () => {
  const [stage, client] = await begin(1);
  const { sessionId, password } = client;
  client.close();
  const again = await stage.client();
  again.greet({ sessionId, password, timeoutMs: 0 });
  await stage.until(() => again.sessionId === sessionId);
});

void test('no server for a while, as during an election, is waited out', async () => {
  const [stage, client] = await begin();
  client.keepPinging(500);
  const xid = client.exists('/');
  await stage.until(() => client.replyTo(xid) !== null);
  for (const server of stage.ensemble.servers) server.kill();
  const asked = client.exists('/');
  await stage.pass(2000);
  await stage.server(1).start();
  await stage.until(() => client.replyTo(asked) !== null);
  assert.equal(stage.session.backend?.id, 's2:2181');
  assert.deepEqual(stage.dropped, []);
});

void test('pings that were under way when the server died are answered', async () => {
  const [stage, client] = await begin();
  stage.server(0).isSilent = true;
  client.ping();
  client.ping();
  await stage.pass(5);
  stage.server(0).kill();
  await stage.until(() => client.replies.length === 2);
  assert.deepEqual(client.story, ['welcome', '-2:0', '-2:0']);
  await stage.until(() => stage.session.state === 'open');
  assert.equal(stage.server(1).connection.ops.includes(OpCode.ping), false);
});

void test('a server that leaves questions unanswered and says nothing is lost', async () => {
  const [stage, client] = await begin();
  await stage.pass(100);
  stage.server(0).isSilent = true;
  const xid = client.exists('/');
  const askedMs = stage.nowMs;
  await stage.until(() => client.replyTo(xid) !== null);
  const tookMs = stage.nowMs - askedMs;
  assert.ok(tookMs >= TIMEOUT_MS / 6 && tookMs < TIMEOUT_MS / 6 + 300, `${tookMs}`);
  assert.equal(stage.backends.count('lost'), 1);
});

void test('a balancer that was late itself takes nobody for silent', async () => {
  const [stage, client] = await begin();
  await stage.pass(30);
  stage.server(0).extraForwardMs = 200;
  const xid = client.sync();
  await stage.pass(5);
  // the answer comes while nobody looks, behind the time to look whether it has
  stage.stall(3000);
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(stage.backends.count('lost'), 0);
});

void test('a server that is asked nothing may be silent', async () => {
  const [stage] = await begin();
  await stage.pass(5500);
  assert.equal(stage.backends.count('lost'), 0);
});

void test('another timeout than before is not the same session', async () => {
  const [stage, client] = await begin();
  stage.server(1).timeoutMs = 5000;
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /another timeout/);
});

void test('another session than before is not the same session either', async () => {
  const [stage, client] = await begin();
  stage.server(1).givesAnother = true;
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /another session/);
});

void test('each server that takes the session over has heard of it, even if it dies then', async () => {
  const [stage, client] = await begin(3);
  client.keepPinging(500);
  await stage.pass(1000);
  for (const server of stage.ensemble.servers) server.poison.add(ContinuationOp.fate);
  stage.server(0).isCutOff = true;
  const xid = client.create('/b');
  await stage.pass(5);
  stage.server(0).kill();
  await stage.pass(TIMEOUT_MS);
  assert.equal(stage.session.state, 'moving');
  stage.server(2).poison.clear();
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(stage.ensemble.log.filter(({ cxid }) => cxid === xid).length, 1);
});

void test('a session that comes from Apache gets a generation, and shows it from then on', async () => {
  const stage = await Stage.start(3);
  stage.server(0).isApache = true;
  const client = await stage.openClient();
  client.keepPinging(1000);
  stage.server(0).kill();
  await stage.until(() => stage.masked.length === 1);
  assert.equal(stage.server(1).connection.attach?.generation, 0n);
  const generation = stage.ensemble.sessions.get(client.sessionId)?.generation;
  stage.server(1).kill();
  await stage.until(() => stage.masked.length === 2);
  assert.equal(stage.session.backend?.id, 's3:2181');
  assert.equal(stage.server(2).connection.attach?.generation, generation);
});

void test('a session that is over is not kept alive by anybody', async () => {
  const [stage, client] = await begin();
  stage.ensemble.expire(client.sessionId);
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /the session is over/);
});

void test('what a later client has is not taken back', async () => {
  const [stage, client] = await begin();
  // it comes past the balancer
  const session = stage.ensemble.sessions.get(client.sessionId);
  assert.ok(session !== undefined);
  const other = stage.server(1);
  stage.ensemble.attach(session, 0n, stage.server(0).connection);
  const generation = session.generation;
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /a later client/);
  assert.equal(session.generation, generation);
  assert.equal(other.connections.length, 0);
});

void test('the generation of the first attach is shown again', async () => {
  const [stage, client] = await begin();
  const generation = stage.ensemble.sessions.get(client.sessionId)?.generation;
  stage.server(0).kill();
  await stage.until(() => stage.masked.length === 1);
  assert.equal(stage.server(1).connection.attach?.generation, generation);
  assert.equal(stage.ensemble.sessions.get(client.sessionId)?.generation, generation);
});

void test('SASL belongs to its connection: such a session fails over visibly', async () => {
  const [stage, client] = await begin();
  client.request(OpCode.sasl, (out) => out.writeString('token'));
  await stage.pass(10);
  assert.equal(stage.session.obstacle, 'it logs in by SASL');
  assert.deepEqual(stage.session.authSchemes, ['sasl']);
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.equal(stage.server(1).connections.length, 0);
});

void test('so does one that shows a certificate', async () => {
  const [stage, client] = await begin(2, { origin: { certificateSubject: 'CN=me' } });
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /certificate/);
});

void test('a local session dies when it moves, so it is not moved', async () => {
  const stage = await Stage.start(2);
  stage.server(0).isGlobal = false;
  const client = await stage.openClient();
  assert.equal(stage.session.obstacle, 'it is a local session');
  assert.equal(await stage.session.move('drain'), 'stayed');
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.equal(stage.server(1).connections.length, 0);
});

void test('Apache cannot say that a session is local, its operator can', async () => {
  const stage = await Stage.start(2, { settings: { hasLocalSessions: true } });
  for (const server of stage.ensemble.servers) server.isApache = true;
  const client = await stage.openClient();
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /may be a local session/);
});

void test('a session at a server without a quorum is nowhere else', async () => {
  const stage = await Stage.start(2);
  stage.server(0).isReadOnly = true;
  const client = await stage.client();
  client.greet({ readOnly: true });
  await stage.until(() => client.sessionId !== 0n);
  assert.equal(client.isReadOnly, true);
  assert.equal(stage.session.isReadOnly, true);
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
});

void test('credentials are shown to the next server before anything is asked there', async () => {
  const [stage, client] = await begin();
  client.auth('digest', 'me:x');
  client.auth('digest', 'me:x');
  client.auth('super', 'y');
  await stage.until(() => client.replies.length === 3);
  assert.deepEqual(stage.session.authSchemes, ['digest', 'super']);
  stage.server(0).isCutOff = true;
  client.create('/b');
  await stage.pass(5);
  stage.server(0).kill();
  await stage.until(() => client.replyTo(1) !== null);
  const { auth, sync, create } = OpCode;
  const { ops } = stage.server(1).connection;
  assert.deepEqual(ops, [auth, auth, sync, ContinuationOp.fate, create]);
  assert.equal(client.replies.length, 4, 'their answers are not the client’s');
});

void test('credentials that the next server refuses cannot be hidden', async () => {
  const [stage, client] = await begin();
  client.auth('digest', 'me:x');
  await stage.until(() => client.replies.length === 1);
  stage.server(1).refusedSchemes.add('digest');
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /credentials were refused/);
});

void test('a server that refuses credentials ends the connection, and that is that', async () => {
  const [stage, client] = await begin();
  stage.server(0).refusedSchemes.add('digest');
  client.auth('digest', 'me:x');
  await stage.until(() => client.isClosed);
  assert.equal(client.replyTo(-4)?.error, ErrorCode.authFailed);
  assert.equal(stage.server(1).connections.length, 0);
});

void test('a request upon which servers hang up is not carried from one to the next', async () => {
  const [stage, client] = await begin(3);
  for (const server of stage.ensemble.servers) server.poison.add(OpCode.getData);
  client.getData('/');
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /were lost before/);
  assert.equal(stage.backends.count('attached zabra'), 6);
});

void test('one server after another may die, as long as each has answered something', async () => {
  const [stage, client] = await begin(2);
  client.keepPinging(300);
  for (let i = 0; i < 12; i++) {
    const xid = client.exists('/');
    stage.server(i % 2).kill();
    await stage.until(() => client.replyTo(xid) !== null);
    await stage.pass(400);
    await stage.server(i % 2).start();
  }
  assert.equal(client.isClosed, false);
  assert.equal(stage.masked.length, 12);
});

void test('an answer that nobody asked for is a server’s fault, and it is left', async () => {
  const [stage, client] = await begin();
  const xid = client.exists('/');
  await stage.until(() => client.replyTo(xid) !== null);
  stage.server(0).connection.reply(77, 1n, 0);
  await stage.until(() => stage.masked.length === 1);
  assert.equal(client.replyTo(77), null);
  assert.ok(stage.logged.some((line) => line.includes('no answer')));
});

void test('an answer out of turn too', async () => {
  const [stage, client] = await begin();
  stage.server(0).isSilent = true;
  client.exists('/');
  client.exists('/a');
  await stage.pass(5);
  stage.server(0).connection.reply(2, 1n, 0);
  await stage.until(() => client.replyTo(2) !== null);
  assert.deepEqual(client.story.slice(1), ['1:0', '2:-101']);
  assert.equal(stage.masked.length, 1);
});

void test('a torn answer is not passed on', async () => {
  const [stage, client] = await begin();
  stage.server(0).isSilent = true;
  const xid = client.exists('/');
  await stage.pass(5);
  stage.server(0).connection.socket.write(Uint8Array.from([0, 0, 0, 88, 0, 0, 0, xid]), 0, 8);
  await stage.pass(5);
  stage.server(0).kill();
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(client.replies.length, 1);
});

void test('a server that dies while it takes a session over is one more that was lost', async () => {
  const [stage, client] = await begin(3);
  stage.server(0).isCutOff = true;
  const xid = client.create('/b');
  await stage.pass(5);
  stage.server(1).poison.add(ContinuationOp.fate);
  stage.server(0).kill();
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(stage.session.backend?.id, 's3:2181');
  assert.equal(stage.ensemble.log.filter(({ cxid }) => cxid === xid).length, 1);
  assert.equal(stage.backends.count('failed'), 1);
});

void test('a client that goes away while a server is looked for leaves nothing behind', async () => {
  const [stage, client] = await begin();
  stage.server(1).isSilent = true;
  client.ping();
  await stage.pass(5);
  stage.server(0).kill();
  await stage.pass(10);
  assert.equal(stage.session.state, 'moving');
  client.close();
  await stage.pass(10);
  assert.equal(stage.keeper.size, 0);
  assert.equal(stage.server(1).connections.length, 0);
  assert.equal(stage.backends.count('abandoned'), 1);
  await stage.pass(10_000);
  assert.deepEqual(stage.dropped, []);
});
