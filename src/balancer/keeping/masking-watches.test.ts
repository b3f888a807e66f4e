import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContinuationOp } from '../../protocol/continuation.js';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { Writer } from '../../protocol/writer.js';
import { SetWatches } from '../../protocol/records.js';
import type { RawClient } from './raw-client.fixture.js';
import { Stage, type StageOptions } from './stage.fixture.js';

const { nodeCreated, nodeDeleted, nodeDataChanged, nodeChildrenChanged } = EventType;

async function begin(options: StageOptions = {}, isApache = false): Promise<[Stage, RawClient]> {
  const stage = await Stage.start(2, options);
  for (const server of stage.ensemble.servers) server.isApache = isApache;
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(20);
  const client = await stage.openClient();
  client.keepPinging(1000);
  await stage.pass(10);
  return [stage, client];
}

/** What came besides pings. */
function storyOf(client: RawClient): string[] {
  return client.story.filter((one) => one !== '-2:0' && one !== 'welcome');
}

async function answered(stage: Stage, client: RawClient, xid: number): Promise<void> {
  await stage.until(() => client.replyTo(xid) !== null);
}

/** Changes that the first server has no time to tell. */
async function missed(stage: Stage, change: () => void): Promise<void> {
  stage.server(0).isLagging = true;
  change();
  await stage.pass(20);
  stage.server(0).kill();
  await stage.pass(50);
}

void test('each kind of watch hears what it missed: data, exists, children', async () => {
  const [stage, client] = await begin();
  client.getData('/a', true);
  client.exists('/b', true);
  await answered(stage, client, client.getChildren('/a', true));
  await missed(stage, () => {
    stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' });
    stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
    stage.ensemble.change({ kind: 'create', path: '/a/x', data: '' });
  });
  assert.deepEqual(storyOf(client), [
    '1:0',
    '2:-101',
    '3:0',
    `${nodeDataChanged}@/a`,
    `${nodeCreated}@/b`,
    `${nodeChildrenChanged}@/a`,
  ]);
  assert.equal(stage.session.watches, 0);
});

void test('a znode that came and went meanwhile is told as it was', async () => {
  const [stage, client] = await begin();
  await answered(stage, client, client.exists('/b', true));
  await missed(stage, () => {
    stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
    stage.ensemble.change({ kind: 'delete', path: '/b' });
  });
  assert.deepEqual(storyOf(client).slice(1), [`${nodeCreated}@/b`]);
});

void test('persistent and recursive watches hear everything that they missed, and go on', async () => {
  const [stage, client] = await begin();
  client.addWatch('/a', false);
  await answered(stage, client, client.addWatch('/a', true));
  await missed(stage, () => {
    stage.ensemble.change({ kind: 'create', path: '/a/x', data: '' });
    stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' });
    stage.ensemble.change({ kind: 'delete', path: '/a/x' });
  });
  stage.ensemble.change({ kind: 'set', path: '/a', data: 'y' });
  await stage.pass(20);
  assert.deepEqual(storyOf(client).slice(2), [
    `${nodeCreated}@/a/x`,
    `${nodeChildrenChanged}@/a`,
    `${nodeDataChanged}@/a`,
    `${nodeDeleted}@/a/x`,
    `${nodeChildrenChanged}@/a`,
    `${nodeDataChanged}@/a`,
  ]);
});

void test('a watch that was spent or removed is not set elsewhere', async () => {
  const [stage, client] = await begin();
  client.getData('/a', true);
  await answered(stage, client, client.getChildren('/a', true));
  stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' });
  await stage.pass(20);
  await answered(stage, client, client.removeWatches('/a', 1));
  assert.equal(stage.session.watches, 0);
  await missed(stage, () => {
    stage.ensemble.change({ kind: 'set', path: '/a', data: 'y' });
    stage.ensemble.change({ kind: 'create', path: '/a/x', data: '' });
  });
  assert.deepEqual(storyOf(client), ['1:0', '2:0', `${nodeDataChanged}@/a`, '3:0']);
  assert.equal(stage.server(1).connection.ops.includes(ContinuationOp.catchUp), false);
});

void test('a read that fails leaves no watch, and one without a flag neither', async () => {
  const [stage, client] = await begin();
  client.getData('/none', true);
  client.getChildren('/none', true);
  client.getData('/a', false);
  await answered(stage, client, client.removeWatches('/a', 3));
  assert.equal(stage.session.watches, 0);
});

void test('a deletion spends a data and a child watch with one event', async () => {
  const [stage, client] = await begin();
  client.getData('/a', true);
  await answered(stage, client, client.getChildren('/a', true));
  assert.equal(stage.session.watches, 2);
  stage.ensemble.change({ kind: 'delete', path: '/a' });
  await stage.pass(20);
  assert.deepEqual(storyOf(client).slice(2), [`${nodeDeleted}@/a`]);
  assert.equal(stage.session.watches, 0);
});

void test('events that share a zxid: those that were delivered are not told again', async () => {
  const [stage, client] = await begin();
  await answered(stage, client, client.addWatch('/', true));
  // the first server tells two of four events of one transaction, the second a torn one
  const zxid = stage.ensemble.zxid + 1n;
  const { connection } = stage.server(0);
  stage.server(0).isLagging = true;
  stage.ensemble.change(
    { kind: 'create', path: '/m', data: '' },
    { kind: 'delete', path: '/m' },
    { kind: 'create', path: '/m', data: '' },
    { kind: 'create', path: '/n', data: '' },
  );
  connection.sendEvent(zxid, nodeCreated, '/m');
  connection.sendEvent(zxid, nodeDeleted, '/m');
  connection.socket.write(Uint8Array.from([0, 0, 0, 32, 0xff, 0xff]), 0, 6);
  await stage.pass(20);
  stage.server(0).kill();
  await stage.pass(50);
  assert.deepEqual(storyOf(client).slice(1), [
    `${nodeCreated}@/m`,
    `${nodeDeleted}@/m`,
    `${nodeCreated}@/m`,
    `${nodeCreated}@/n`,
  ]);
});

void test('a reply with the zxid of events settles that there are no more of them', async () => {
  const [stage, client] = await begin();
  await answered(stage, client, client.addWatch('/a', false));
  stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' });
  await stage.pass(20);
  await answered(stage, client, client.exists('/a'));
  stage.server(0).kill();
  await stage.pass(50);
  assert.deepEqual(storyOf(client), ['1:0', `${nodeDataChanged}@/a`, '2:0']);
});

void test('an event that was received and not whole was not delivered', async () => {
  const [stage, client] = await begin();
  await answered(stage, client, client.getData('/a', true));
  const { connection } = stage.server(0);
  stage.server(0).isLagging = true;
  stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' });
  connection.socket.write(Uint8Array.from([0, 0, 0, 30, 0xff, 0xff, 0xff, 0xff, 0, 0]), 0, 10);
  await stage.pass(10);
  assert.equal(client.events.length, 0);
  stage.server(0).kill();
  await stage.pass(50);
  assert.deepEqual(storyOf(client), ['1:0', `${nodeDataChanged}@/a`]);
});

void test('reads that were under way are asked again, with their numbers and their watches', async () => {
  const [stage, client] = await begin();
  stage.server(0).isSilent = true;
  client.getData('/a', true);
  client.exists('/b', true);
  client.getChildren('/', false);
  await stage.pass(10);
  stage.server(0).kill();
  await stage.until(() => client.replyTo(3) !== null);
  assert.deepEqual(storyOf(client), ['1:0', '2:-101', '3:0']);
  assert.equal(stage.session.watches, 2);
  stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
  await stage.pass(20);
  assert.deepEqual(storyOf(client).slice(3), [`${nodeCreated}@/b`]);
});

void test('a client’s own setWatches is in the ledger, without those that fired at once', async () => {
  const [stage, client] = await begin();
  const seen = client.replies.at(-1)?.zxid ?? 0n;
  stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' });
  await stage.pass(20);
  client.request(
    OpCode.setWatches,
    (out) =>
      SetWatches.write(out, {
        relativeZxid: seen,
        dataWatches: ['/a', '/'],
        existWatches: ['/b'],
        childWatches: ['/'],
      }),
    -8,
  );
  await answered(stage, client, -8);
  assert.deepEqual(storyOf(client), [`${nodeDataChanged}@/a`, '-8:0']);
  assert.equal(stage.session.watches, 3);
  await missed(stage, () => stage.ensemble.change({ kind: 'create', path: '/b', data: '' }));
  assert.deepEqual(storyOf(client).slice(2), [`${nodeCreated}@/b`, `${nodeChildrenChanged}@/`]);
});

void test('a client that sets its watches in several requests is taken at its word for each', async () => {
  const [stage, client] = await begin();
  const seen = client.replies.at(-1)?.zxid ?? 0n;
  stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' });
  await stage.pass(20);
  for (const path of ['/', '/a']) {
    const lists = { dataWatches: [path], existWatches: [], childWatches: [] };
    const write = (out: Writer): void => {
      SetWatches.write(out, { relativeZxid: seen, ...lists });
    };
    client.request(OpCode.setWatches, write, -8);
  }
  await stage.until(() => client.replies.filter(({ xid }) => xid === -8).length === 2);
  assert.deepEqual(storyOf(client), ['-8:0', `${nodeDataChanged}@/a`, '-8:0']);
  assert.equal(stage.session.watches, 1);
});

void test('watches that were half set when the server died cannot be known', async () => {
  const [stage, client] = await begin();
  stage.server(0).isSilent = true;
  client.request(
    OpCode.setWatches,
    (out) => {
      const dataWatches = ['/a', '/'];
      SetWatches.write(out, { relativeZxid: 1n, dataWatches, existWatches: [], childWatches: [] });
    },
    -8,
  );
  await stage.pass(5);
  stage.server(0).connection.sendEvent(-1n, nodeDataChanged, '/a');
  await stage.pass(5);
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /half set/);
});

void test('very many watches are set in several requests that count as one', async () => {
  const [stage, client] = await begin();
  const long = 'x'.repeat(200);
  for (let i = 0; i < 1500; i++) client.exists(`/${long}${i}`, true);
  await stage.until(() => client.replyTo(1500) !== null);
  await missed(stage, () => {
    stage.ensemble.change({ kind: 'create', path: `/${long}1499`, data: '' });
    stage.ensemble.change({ kind: 'create', path: `/${long}0`, data: '' });
  });
  const { ops } = stage.server(1).connection;
  assert.equal(ops.filter((op) => op === ContinuationOp.catchUp).length, 3);
  assert.deepEqual(storyOf(client).slice(1500), [
    `${nodeCreated}@/${long}1499`,
    `${nodeCreated}@/${long}0`,
  ]);
  assert.equal(stage.session.watches, 1498);
});

void test('what is beyond the server’s memory ends the connection', async () => {
  const [stage, client] = await begin();
  await answered(stage, client, client.getData('/a', true));
  client.stopPinging();
  stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
  await stage.pass(50);
  stage.server(1).coversFrom = stage.ensemble.zxid;
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /what its watches missed is forgotten/);
});

void test('best effort accepts that, but not for watches that last', async () => {
  for (const isLasting of [false, true]) {
    const [stage, client] = await begin({ settings: { mask: 'best-effort' } });
    const xid = isLasting ? client.addWatch('/a', false) : client.getData('/a', true);
    await answered(stage, client, xid);
    stage.server(1).coversFrom = 1n << 40n;
    await missed(stage, () => stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' }));
    assert.equal(client.isClosed, isLasting);
    if (!isLasting) assert.deepEqual(storyOf(client), ['1:0', `${nodeDataChanged}@/a`]);
  }
});

void test('and asks once for what was refused in several parts', async () => {
  const [stage, client] = await begin({ settings: { mask: 'best-effort' } });
  const long = 'x'.repeat(200);
  for (let i = 0; i < 1500; i++) client.exists(`/${long}${i}`, true);
  await stage.until(() => client.replyTo(1500) !== null);
  const server = stage.server(1);
  server.coversFrom = 1n << 40n;
  server.refusesParts = true;
  await missed(stage, () => {
    stage.ensemble.change({ kind: 'create', path: `/${long}7`, data: '' });
  });
  const { ops } = server.connection;
  assert.equal(ops.filter((op) => op === OpCode.setWatches).length, 3);
  assert.deepEqual(storyOf(client).slice(1500), [`${nodeCreated}@/${long}7`]);
});

void test('Apache, strict: a client with a watch sees its server go', async () => {
  const [stage, client] = await begin({}, true);
  await answered(stage, client, client.getData('/a', true));
  assert.equal(stage.session.obstacle, 'it holds watches');
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /it holds watches/);
});

void test('Apache, best effort: watches are set from what was delivered', async () => {
  const [stage, client] = await begin({ settings: { mask: 'best-effort' } }, true);
  client.getData('/a', true);
  await answered(stage, client, client.exists('/b', true));
  await missed(stage, () => stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' }));
  assert.deepEqual(storyOf(client), ['1:0', '2:-101', `${nodeDataChanged}@/a`]);
  assert.deepEqual(stage.server(1).connection.ops.slice(0, 1), [OpCode.setWatches]);
  assert.equal(client.replyTo(-8), null, 'the balancer’s own answer is not passed on');
  stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
  await stage.pass(20);
  assert.deepEqual(storyOf(client).slice(3), [`${nodeCreated}@/b`]);
});

void test('Apache: a watch that lasts loses events in any case, so its client is told', async () => {
  const [stage, client] = await begin({ settings: { mask: 'best-effort' } }, true);
  await answered(stage, client, client.addWatch('/a', true));
  stage.server(0).kill();
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /persistent watches/);
});

void test('a second loss while watches are caught up tells nothing twice', async () => {
  const [stage, client] = await begin();
  const third = await stage.ensemble.start('s3');
  await answered(stage, client, client.addWatch('/', true));
  stage.server(0).isLagging = true;
  stage.ensemble.change({ kind: 'create', path: '/m', data: '' });
  stage.ensemble.change({ kind: 'create', path: '/n', data: '' });
  await stage.pass(20);
  const second = stage.server(1);
  stage.server(0).kill();
  await stage.until(() => client.events.length > 0);
  second.kill();
  stage.backends.list.push(third.backend);
  await stage.pass(500);
  stage.ensemble.change({ kind: 'create', path: '/o', data: '' });
  await stage.pass(50);
  assert.deepEqual(storyOf(client).slice(1), [
    `${nodeCreated}@/m`,
    `${nodeCreated}@/n`,
    `${nodeCreated}@/o`,
  ]);
});
