import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContinuationOp } from '../../protocol/continuation.js';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import {
  begin,
  create,
  eventsOf,
  missed,
  relist,
  remove,
  set,
  watched,
} from './apache-stage.fixture.js';
import type { RawClient } from './raw-client.fixture.js';
import type { Stage } from './stage.fixture.js';

const { nodeCreated, nodeDeleted, nodeDataChanged, nodeChildrenChanged } = EventType;

void test('a recursive watch hears of what came, changed and went', async () => {
  const [stage, client] = await begin(['/a', '/a/gone', '/a/same', '/a/set', '/b']);
  await watched(stage, client, '/a');
  await missed(stage, create('/a/new'), set('/a/set'), remove('/a/gone'), create('/b/x'));
  assert.deepEqual(eventsOf(client), [
    `${nodeCreated}@/a/new`,
    `${nodeDataChanged}@/a/set`,
    `${nodeDeleted}@/a/gone`,
  ]);
  assert.deepEqual(stage.dropped, []);
  assert.deepEqual(stage.masked, ['s1:2181 s2:2181']);
});

void test('and goes on at the next server, and the one after that', async () => {
  const [stage, client] = await begin(['/a'], { settings: relist }, 3);
  await watched(stage, client, '/a');
  await missed(stage, create('/a/x'));
  stage.ensemble.change(set('/a/x'));
  await stage.pass(20);
  stage.server(1).isLagging = true;
  stage.ensemble.change(remove('/a/x'));
  await stage.pass(20);
  stage.server(1).kill();
  await stage.pass(100);
  assert.deepEqual(eventsOf(client), [
    `${nodeCreated}@/a/x`,
    `${nodeDataChanged}@/a/x`,
    `${nodeDeleted}@/a/x`,
  ]);
});

void test('events carry the zxid of what happened; of a deletion nobody knows it', async () => {
  const [stage, client] = await begin(['/a', '/a/gone', '/a/set']);
  await watched(stage, client, '/a');
  const before = stage.ensemble.zxid;
  await missed(stage, create('/a/new'), set('/a/set'), remove('/a/gone'));
  assert.deepEqual(
    client.events.map(({ zxid }) => zxid),
    [before + 1n, before + 2n, -1n],
  );
});

void test('a znode deleted and created again is told as both, in that order, with all below it', async () => {
  const [stage, client] = await begin(['/a', '/a/b', '/a/b/c', '/a/b/d']);
  await watched(stage, client, '/a');
  await missed(
    stage,
    ...[remove('/a/b/c'), remove('/a/b/d'), remove('/a/b')],
    ...[create('/a/b'), create('/a/b/c'), set('/a/b/c')],
  );
  assert.deepEqual(eventsOf(client), [
    `${nodeDeleted}@/a/b/d`,
    `${nodeDeleted}@/a/b/c`,
    `${nodeDeleted}@/a/b`,
    `${nodeCreated}@/a/b`,
    `${nodeCreated}@/a/b/c`,
    `${nodeDataChanged}@/a/b/c`,
  ]);
});

void test('a subtree that came anew is told from its top, one that went from its leaves', async () => {
  const [stage, client] = await begin(['/a', '/a/old', '/a/old/x', '/a/old/x/y']);
  await watched(stage, client, '/');
  await missed(
    stage,
    ...[create('/a/new'), create('/a/new/x'), create('/a/new/x/y')],
    ...[remove('/a/old/x/y'), remove('/a/old/x'), remove('/a/old')],
  );
  assert.deepEqual(eventsOf(client), [
    `${nodeCreated}@/a/new`,
    `${nodeCreated}@/a/new/x`,
    `${nodeCreated}@/a/new/x/y`,
    `${nodeDeleted}@/a/old/x/y`,
    `${nodeDeleted}@/a/old/x`,
    `${nodeDeleted}@/a/old`,
  ]);
});

void test('a znode that came and went in between is not seen', async () => {
  const [stage, client] = await begin(['/a']);
  await watched(stage, client, '/a');
  await missed(stage, create('/a/x'), remove('/a/x'));
  assert.deepEqual(eventsOf(client), []);
  assert.deepEqual(stage.dropped, []);
});

void test('a persistent watch hears of its znode and of its children, not of theirs', async () => {
  const [stage, client] = await begin(['/a', '/a/x', '/c']);
  await watched(stage, client, '/a', false);
  await watched(stage, client, '/b', false);
  await watched(stage, client, '/c', false);
  await missed(stage, set('/a/x'), create('/a/y'), set('/a'), create('/b'), remove('/c'));
  assert.deepEqual(eventsOf(client), [
    `${nodeChildrenChanged}@/a`,
    `${nodeDataChanged}@/a`,
    `${nodeCreated}@/b`,
    `${nodeDeleted}@/c`,
  ]);
});

void test('a persistent watch on a znode that came with children hears of both', async () => {
  const [stage, client] = await begin(['/c']);
  await watched(stage, client, '/b', false);
  await watched(stage, client, '/c', false);
  await missed(stage, create('/b'), create('/b/x'), remove('/c'), create('/c'));
  assert.deepEqual(eventsOf(client), [
    `${nodeCreated}@/b`,
    `${nodeChildrenChanged}@/b`,
    `${nodeDeleted}@/c`,
    `${nodeCreated}@/c`,
  ]);
});

void test('what passed before the loss is known, and not told again', async () => {
  const [stage, client] = await begin(['/a', '/a/x']);
  await watched(stage, client, '/a');
  stage.ensemble.change(create('/a/y'));
  stage.ensemble.change(remove('/a/x'));
  stage.ensemble.change(set('/a/y'));
  await stage.pass(20);
  assert.equal(client.events.length, 3);
  await missed(stage, remove('/a/y'));
  assert.deepEqual(eventsOf(client).slice(3), [`${nodeDeleted}@/a/y`]);
});

void test('of a transaction that was half told the rest is told', async () => {
  const [stage, client] = await begin(['/a', '/a/n', '/a/old']);
  await watched(stage, client, '/a');
  const { connection } = stage.server(0);
  const zxid = stage.ensemble.zxid + 1n;
  stage.server(0).isLagging = true;
  stage.ensemble.change(create('/a/m'), set('/a/n'), remove('/a/old'), create('/a/o'));
  connection.sendEvent(zxid, nodeCreated, '/a/m');
  connection.sendEvent(zxid, nodeDataChanged, '/a/n');
  await stage.pass(20);
  stage.server(0).kill();
  await stage.pass(100);
  assert.deepEqual(eventsOf(client), [
    `${nodeCreated}@/a/m`,
    `${nodeDataChanged}@/a/n`,
    `${nodeDeleted}@/a/old`,
    `${nodeCreated}@/a/o`,
  ]);
});

void test('events that come while the znodes are listed again are told once, behind what was missed', async () => {
  const paths = Array.from({ length: 400 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', ...paths]);
  await watched(stage, client, '/a');
  stage.server(0).isLagging = true;
  stage.ensemble.change(create('/a/missed'));
  await stage.pass(20);
  stage.server(0).kill();
  const second = stage.server(1);
  await stage.until(() => second.connections.some(({ ops }) => ops.length > 100));
  assert.equal(client.events.length, 0);
  for (const path of ['/a/n0', '/a/n399', '/a/missed']) {
    stage.ensemble.change(set(path));
    stage.ensemble.change(remove(path));
  }
  stage.ensemble.change(create('/a/late'));
  stage.ensemble.change(create('/a/n0'));
  await stage.pass(100);
  assert.deepEqual(eventsOf(client), [
    `${nodeCreated}@/a/missed`,
    ...['/a/n0', '/a/n399', '/a/missed'].flatMap((path) => [
      `${nodeDataChanged}@${path}`,
      `${nodeDeleted}@${path}`,
    ]),
    `${nodeCreated}@/a/late`,
    `${nodeCreated}@/a/n0`,
  ]);
});

void test('a loss while they are listed again: nothing was told, and the next server is asked', async () => {
  const paths = Array.from({ length: 400 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', ...paths], { settings: relist }, 3);
  await watched(stage, client, '/a');
  stage.server(0).isLagging = true;
  stage.ensemble.change(create('/a/x'));
  stage.ensemble.change(remove('/a/n7'));
  await stage.pass(20);
  stage.server(0).kill();
  const second = stage.server(1);
  await stage.until(() => second.connections.some(({ ops }) => ops.length > 100));
  stage.ensemble.change(set('/a/n9'));
  await stage.pass(2);
  second.kill();
  assert.equal(client.events.length, 0);
  await stage.pass(500);
  assert.deepEqual(eventsOf(client), [
    `${nodeCreated}@/a/x`,
    `${nodeDeleted}@/a/n7`,
    `${nodeDataChanged}@/a/n9`,
  ]);
  assert.deepEqual(stage.dropped, []);
});

void test('what was missed comes before any later answer', async () => {
  const [stage, client] = await begin(['/a']);
  await watched(stage, client, '/a');
  stage.server(0).isSilent = true;
  stage.server(0).isLagging = true;
  stage.ensemble.change(create('/a/x'));
  const xid = client.getChildren('/a');
  await stage.pass(20);
  stage.server(0).kill();
  await stage.until(() => client.replyTo(xid) !== null);
  assert.deepEqual(client.story.slice(-2), [`${nodeCreated}@/a/x`, `${xid}:0`]);
});

void test('a znode that may not be read is not there: nothing is told of it', async () => {
  const paths = ['/a', '/a/hidden', '/a/shown', '/a/turned'];
  const [stage, client] = await begin(paths, { settings: relist }, 3);
  for (const server of stage.ensemble.servers) server.hidden.add('/a/hidden');
  await watched(stage, client, '/a');
  for (const server of stage.ensemble.servers) server.hidden.add('/a/turned');
  await missed(stage, remove('/a/hidden'), set('/a/turned'), set('/a/shown'));
  assert.deepEqual(eventsOf(client), [`${nodeDataChanged}@/a/shown`]);
  for (const server of stage.ensemble.servers) server.hidden.clear();
  stage.ensemble.change(set('/a/turned'));
  await stage.pass(20);
  assert.deepEqual(eventsOf(client).slice(1), [`${nodeDataChanged}@/a/turned`]);
  stage.server(1).isLagging = true;
  stage.ensemble.change(remove('/a/turned'));
  await stage.pass(20);
  stage.server(1).kill();
  await stage.pass(200);
  assert.deepEqual(eventsOf(client).slice(2), [`${nodeDeleted}@/a/turned`]);
});

void test('no server will do that is older than what was seen at the last one', async () => {
  const [stage, client] = await begin(['/a', '/a/x'], { settings: relist }, 3);
  await watched(stage, client, '/a');
  stage.server(2).isLagging = true;
  client.stopPinging();
  await missed(stage, remove('/a/x'));
  const seen = stage.ensemble.zxid;
  stage.server(1).kill();
  await stage.pass(20);
  const need = stage.backends.needs.at(-1);
  assert.ok(need !== undefined && need.minZxid >= seen, `${need?.minZxid} ${seen}`);
  stage.server(2).isLagging = false;
  stage.server(2).onCommitted();
  await stage.pass(500);
  assert.deepEqual(eventsOf(client), [`${nodeDeleted}@/a/x`]);
});

void test('a planned move makes it good, too', async () => {
  const [stage, client] = await begin(['/a', '/a/x']);
  await watched(stage, client, '/a');
  assert.equal(await stage.outcome(stage.session.move('drain')), 'moved');
  stage.ensemble.change(remove('/a/x'));
  await stage.pass(20);
  assert.deepEqual(eventsOf(client), [`${nodeDeleted}@/a/x`]);
  assert.equal(stage.session.backend?.id, 's2:2181');
});

void test('one-shot watches beside them: strict tells the loss, best effort sets them again', async () => {
  for (const mask of ['strict', 'best-effort'] as const) {
    const [stage, client] = await begin(['/a', '/a/x', '/o'], { settings: { ...relist, mask } });
    await watched(stage, client, '/a');
    client.getData('/o', true);
    client.getData('/a/x', true);
    await stage.pass(20);
    await missed(stage, create('/a/y'), remove('/a/x'), set('/o'));
    assert.equal(client.isClosed, mask === 'strict');
    if (mask === 'strict') continue;
    assert.deepEqual(eventsOf(client).toSorted(), [
      `${nodeCreated}@/a/y`,
      `${nodeDeleted}@/a/x`,
      `${nodeDataChanged}@/o`,
    ]);
    assert.equal(stage.session.watches, 1);
  }
});

void test('a server that says everything is asked for everything', async () => {
  const [stage, client] = await begin(['/a']);
  stage.server(1).isApache = false;
  await watched(stage, client, '/a');
  await missed(stage, create('/a/x'), remove('/a/x'));
  assert.deepEqual(eventsOf(client), [`${nodeCreated}@/a/x`, `${nodeDeleted}@/a/x`]);
  const { ops } = stage.server(1).connection;
  assert.deepEqual(
    ops.filter((op) => op !== OpCode.ping),
    [ContinuationOp.catchUp],
  );
  assert.equal(stage.keeper.pictures.left, 500_000);
});

void test('from there to one that does not there is no picture', async () => {
  const [stage, client] = await begin(['/a']);
  stage.server(0).isApache = false;
  client.close();
  await stage.pass(20);
  const other = await stage.openClient();
  const xid = other.addWatch('/a', true);
  await stage.until(() => other.replyTo(xid) !== null);
  await stage.pass(50);
  assert.equal(stage.server(0).connection.ops.includes(OpCode.getChildren), false);
  stage.server(0).kill();
  await stage.until(() => other.isClosed);
  assert.match(stage.dropped.join(), /it holds persistent watches/);
});

void test('more than may be kept in mind at the next server: the loss is not hidden', async () => {
  const [stage, client] = await begin(['/a'], { settings: { ...relist, relistNodesMax: 5 } });
  await watched(stage, client, '/a');
  await missed(stage, ...Array.from({ length: 20 }, (_, i) => create(`/a/n${i}`)));
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /too many znodes/);
  assert.deepEqual(eventsOf(client), []);
});

/** What the second server does while it is being asked for many znodes. */
async function whileListing(
  mask: 'strict' | 'best-effort',
  happens: (stage: Stage) => void,
): Promise<[Stage, RawClient]> {
  const paths = Array.from({ length: 400 }, (_, i) => `/a/n${i}`);
  const [stage, client] = await begin(['/a', '/o', ...paths], { settings: { ...relist, mask } });
  await watched(stage, client, '/a');
  if (mask === 'best-effort') {
    const xid = client.exists('/o', true);
    await stage.until(() => client.replyTo(xid) !== null);
  }
  stage.server(0).kill();
  const second = stage.server(1);
  await stage.until(() => second.connections.some(({ ops }) => ops.length > 100));
  happens(stage);
  await stage.pass(100);
  return [stage, client];
}

void test('a one-shot watch that fires meanwhile tells its event and nothing else', async () => {
  const [, client] = await whileListing('best-effort', ({ ensemble }) => {
    ensemble.change(remove('/o'));
  });
  assert.deepEqual(eventsOf(client), [`${nodeDeleted}@/o`]);
});

void test('an event without a zxid meanwhile is told, and is the last that can be relied on', async () => {
  const [stage, client] = await whileListing('strict', ({ ensemble }) => {
    ensemble.servers[1]?.connection.sendEvent(-1n, nodeDataChanged, '/a/n1');
  });
  assert.deepEqual(eventsOf(client), [`${nodeDataChanged}@/a/n1`]);
  assert.match(stage.session.obstacle ?? '', /without their zxids/);
});
