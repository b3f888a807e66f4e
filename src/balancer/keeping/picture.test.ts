import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import {
  begin,
  create,
  eventsOf,
  missed,
  obstacleIn,
  relist,
  remove,
  set,
  watched,
} from './apache-stage.fixture.js';

const { nodeCreated, nodeDeleted } = EventType;

void test('a client that is not heard of has nothing asked for it', async () => {
  const paths = Array.from({ length: 300 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', ...paths], {
    settings: relist,
    quality: { latencyMs: 400 },
  });
  client.stopPinging();
  await stage.pass(2000);
  client.addWatch('/a', true);
  await stage.pass(10_000);
  const asked = (): number =>
    stage.server(0).connection.ops.filter((op) => op === OpCode.getChildren).length;
  assert.ok(asked() > 30 && asked() < 150, `${asked()}`);
  client.keepPinging(1000);
  await stage.until(() => stage.session.obstacle === null);
  assert.equal(asked(), 301);
});

void test('one that becomes hidden is forgotten', async () => {
  const [stage, client] = await begin(['/a', '/a/x', '/a/y']);
  await watched(stage, client, '/a');
  assert.equal(stage.keeper.pictures.left, 500_000 - 3);
  for (const server of stage.ensemble.servers) server.hidden.add('/a/x');
  await missed(stage);
  assert.equal(stage.keeper.pictures.left, 500_000 - 2);
  assert.deepEqual(eventsOf(client), []);
});

void test('what the first listing shows was known from then on, whenever it came', async () => {
  const paths = Array.from({ length: 200 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', '/a/b', ...paths]);
  client.stopPinging();
  await stage.pass(1000);
  const xid = client.addWatch('/a', true);
  await stage.until(() => client.replyTo(xid) !== null);
  // nobody is told, and it may be read when its parent is listed
  const { hidden } = stage.server(0);
  hidden.add('/a/b/late');
  stage.ensemble.change(create('/a/b/late'));
  await stage.until(() => stage.server(0).tree.has('/a/b/late'));
  hidden.clear();
  await stage.until(() => stage.session.obstacle === null);
  assert.equal(stage.keeper.pictures.left, 500_000 - 203);
  await missed(stage);
  assert.deepEqual(eventsOf(client), []);
});

void test('a loss before the znodes are known is not hidden', async () => {
  const paths = Array.from({ length: 200 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', ...paths]);
  const xid = client.addWatch('/a', true);
  await stage.until(() => client.replyTo(xid) !== null);
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /is not known yet/);
});

void test('events that come while they are listed first are told as ever, and taken into account', async () => {
  const paths = Array.from({ length: 200 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', ...paths]);
  const xid = client.addWatch('/a', true);
  await stage.until(() => client.replyTo(xid) !== null);
  stage.ensemble.change(remove('/a/n0'));
  stage.ensemble.change(create('/a/late'));
  stage.ensemble.change(remove('/a/n199'));
  const answers = Array.from({ length: 20 }, () => client.getData('/a'));
  await stage.until(() => stage.session.obstacle === null);
  await stage.until(() => client.replyTo(answers.at(-1) ?? 0) !== null);
  assert.deepEqual(
    client.replies.map(({ xid: one }) => one).filter((one) => one > 0),
    [xid, ...answers],
    'the balancer’s own answers are not passed on',
  );
  const told = eventsOf(client);
  assert.deepEqual(told, [
    `${nodeDeleted}@/a/n0`,
    `${nodeCreated}@/a/late`,
    `${nodeDeleted}@/a/n199`,
  ]);
  await missed(stage, remove('/a/late'));
  assert.deepEqual(eventsOf(client).slice(3), [`${nodeDeleted}@/a/late`]);
});

void test('more znodes than one client may have kept in mind: the loss is not hidden', async () => {
  const settings = { ...relist, relistNodesMax: 5 };
  const [stage, client] = await begin(['/a', '/a/1', '/a/2', '/a/3'], { settings });
  await watched(stage, client, '/a');
  stage.ensemble.change(create('/a/4'));
  await stage.pass(20);
  assert.equal(stage.session.obstacle, null);
  stage.ensemble.change(create('/a/5'));
  await stage.pass(20);
  assert.match(obstacleIn(stage), /too many znodes/);
  assert.equal(stage.keeper.pictures.left, 500_000, 'what was kept makes room for others');
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /too many znodes/);
});

void test('more than one listing could hold is not asked for', async () => {
  const settings = { ...relist, relistNodesMax: 50 };
  const paths = Array.from({ length: 100 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', ...paths], { settings });
  const xid = client.addWatch('/a', true);
  await stage.until(() => client.replyTo(xid) !== null);
  await stage.pass(50);
  assert.match(obstacleIn(stage), /too many znodes/);
  const { ops } = stage.server(0).connection;
  assert.equal(ops.filter((op) => op === OpCode.getChildren).length, 1);
});

void test('all clients together have a bound, and who leaves makes room', async () => {
  const settings = { ...relist, relistNodesInAllMax: 5 };
  const [stage, client] = await begin(['/a', '/a/1', '/a/2'], { settings });
  await watched(stage, client, '/a');
  assert.equal(stage.keeper.pictures.left, 2);
  const other = await stage.openClient();
  const xid = other.addWatch('/a', true);
  await stage.until(() => other.replyTo(xid) !== null);
  await stage.pass(50);
  const view = stage.keeper.session(other.sessionId);
  assert.match(view?.obstacle ?? '', /too many znodes/);
  assert.equal(stage.keeper.session(client.sessionId)?.obstacle, null);
  client.close();
  other.close();
  await stage.pass(50);
  assert.equal(stage.keeper.pictures.left, 5);
});

void test('watches that are removed leave nothing behind', async () => {
  const [stage, client] = await begin(['/a', '/a/x', '/b', '/b/y']);
  await watched(stage, client, '/a');
  await watched(stage, client, '/b');
  await watched(stage, client, '/b/y', false);
  assert.equal(stage.keeper.pictures.left, 500_000 - 4);
  let xid = client.removeWatches('/b', 5);
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(stage.keeper.pictures.left, 500_000 - 3);
  xid = client.removeWatches('/a', 5);
  await stage.until(() => client.replyTo(xid) !== null);
  await missed(stage, create('/a/z'), remove('/b/y'));
  assert.deepEqual(eventsOf(client), [`${nodeDeleted}@/b/y`]);
});

void test('questions that are under way when the watch goes are nobody’s', async () => {
  const paths = Array.from({ length: 200 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', ...paths]);
  client.addWatch('/a', true);
  await stage.until(() => stage.session.watches === 1);
  client.removeWatches('/a', 5);
  const { connection } = stage.server(0);
  await stage.until(() => connection.ops.includes(OpCode.removeWatches));
  stage.server(0).isSilent = true;
  await stage.until(() => stage.session.watches === 0);
  await stage.pass(10);
  assert.ok(stage.session.outstanding > 0);
  stage.server(0).kill();
  const last = client.getData('/a');
  await stage.until(() => client.replyTo(last) !== null);
  const { ops } = stage.server(1).connection;
  assert.deepEqual(
    ops.filter((op) => op !== OpCode.ping),
    [OpCode.getData],
  );
  assert.equal(stage.keeper.pictures.left, 500_000);
  assert.deepEqual(stage.dropped, []);
});

void test('events without a zxid cannot be told from those that were missed', async () => {
  const [stage, client] = await begin(['/a']);
  await watched(stage, client, '/a');
  stage.server(0).connection.sendEvent(-1n, nodeCreated, '/a/x');
  await stage.pass(20);
  assert.match(obstacleIn(stage), /without their zxids/);
});

void test('a session that is kept so costs one question for each znode, others none', async () => {
  const paths = ['/a', '/a/1', '/a/2', '/a/2/3', '/b'];
  const [stage, client] = await begin(paths);
  await watched(stage, client, '/a');
  stage.ensemble.change(create('/a/4'));
  stage.ensemble.change(set('/a/4'));
  await stage.pass(100);
  const asked = stage.server(0).connection.ops.filter((op) => op === OpCode.getChildren);
  assert.equal(asked.length, 4);
  const [other, plain] = await begin(paths, {});
  plain.addWatch('/a', true);
  await other.pass(100);
  assert.equal(other.server(0).connection.ops.includes(OpCode.getChildren), false);
  assert.equal(other.session.obstacle, 'it holds persistent watches');
});
