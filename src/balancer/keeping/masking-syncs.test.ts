import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContinuationOp } from '../../protocol/continuation.js';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import type { RawClient } from './raw-client.fixture.js';
import { Stage } from './stage.fixture.js';

/** Two servers, /a, and a client at the first. */
async function begin(): Promise<[Stage, RawClient]> {
  const stage = await Stage.start(2);
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(20);
  const client = await stage.openClient();
  client.keepPinging(1000);
  await stage.pass(10);
  return [stage, client];
}

/** The first server does everything that it is asked, and nobody hears of it. */
function gag(stage: Stage): void {
  stage.server(0).connection.send = () => undefined;
}

async function lose(stage: Stage): Promise<void> {
  await stage.pass(30);
  stage.server(0).kill();
}

function zxidsOf(client: RawClient, ...xids: number[]): bigint[] {
  return xids.map((xid) => client.replyTo(xid)?.zxid ?? -1n);
}

/** How often the write was carried out. */
function timesOf(stage: Stage, xid: number): number {
  return stage.ensemble.log.filter(({ cxid, error }) => cxid === xid && error === 0).length;
}

void test('a sync between executed writes is answered in its turn, by what came true', async () => {
  const [stage, client] = await begin();
  gag(stage);
  client.setData('/a', '1');
  client.sync('/a/somewhere');
  client.setData('/a', '3');
  await lose(stage);
  await stage.until(() => client.replyTo(3) !== null);
  assert.deepEqual(
    client.replies.filter(({ xid }) => xid > 0).map(({ xid, error }) => [xid, error]),
    [
      [1, 0],
      [2, 0],
      [3, 0],
    ],
  );
  const [first = 0n, synced = 0n, last = 0n] = zxidsOf(client, 1, 2, 3);
  assert.ok(first <= synced && synced === last - 1n, `${first} ${synced} ${last}`);
  const { body = new Uint8Array(0) } = client.replyTo(2) ?? {};
  assert.equal(new Reader(body).readString(), '/a/somewhere');
  assert.deepEqual([timesOf(stage, 1), timesOf(stage, 3)], [1, 1]);
  const { ops } = stage.server(1).connection;
  assert.deepEqual(ops.slice(0, 2), [OpCode.sync, ContinuationOp.fate]);
  assert.equal(ops.includes(OpCode.setData), false);
  assert.equal(ops.filter((op) => op === OpCode.sync).length, 1, 'the balancer’s own is enough');
  assert.deepEqual(stage.dropped, []);
});

void test('several syncs at the head are all answered before the write', async () => {
  const [stage, client] = await begin();
  gag(stage);
  client.sync();
  client.sync('/a');
  client.setData('/a', '3');
  client.sync();
  await lose(stage);
  await stage.until(() => client.replyTo(4) !== null);
  const zxids = zxidsOf(client, 1, 2, 3, 4);
  assert.deepEqual(
    zxids,
    [...zxids].sort((a, b) => Number(a - b)),
  );
  assert.deepEqual(
    client.replies.filter(({ xid }) => xid > 0).map(({ xid }) => xid),
    [1, 2, 3, 4],
  );
  assert.equal(timesOf(stage, 3), 1);
  // the last one stands behind everything that was executed, so a server answers it
  const { ops } = stage.server(1).connection;
  assert.equal(ops.filter((op) => op === OpCode.sync).length, 2);
});

void test('events older than the write come before the sync, the write’s own behind it', async () => {
  const [stage, client] = await begin();
  client.addWatch('/', true);
  await stage.until(() => client.replyTo(1) !== null);
  gag(stage);
  client.setData('/a', '2');
  client.sync();
  await stage.pass(20);
  stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
  client.setData('/a', '4');
  await stage.pass(20);
  stage.ensemble.change({ kind: 'create', path: '/c', data: '' });
  await lose(stage);
  await stage.until(() => client.replyTo(4) !== null);
  await stage.pass(20);
  const { nodeCreated, nodeDataChanged } = EventType;
  assert.deepEqual(client.story.filter((one) => one !== '-2:0').slice(2), [
    `${nodeDataChanged}@/a`,
    '2:0',
    `${nodeCreated}@/b`,
    '3:0',
    `${nodeDataChanged}@/a`,
    '4:0',
    `${nodeCreated}@/c`,
  ]);
});

void test('a sync before a write that was never executed is asked again with it', async () => {
  const [stage, client] = await begin();
  gag(stage);
  client.setData('/a', '1');
  await stage.pass(20);
  stage.server(0).isCutOff = true;
  client.sync();
  client.setData('/a', '3');
  await lose(stage);
  await stage.until(() => client.replyTo(3) !== null);
  const { ops } = stage.server(1).connection;
  const asked = [OpCode.sync, ContinuationOp.fate, OpCode.sync, OpCode.setData];
  assert.deepEqual(
    ops.filter((op) => op !== OpCode.ping),
    asked,
  );
  assert.deepEqual([timesOf(stage, 1), timesOf(stage, 3)], [1, 1]);
});

void test('a read beside the sync is an obstacle as ever', async () => {
  const [stage, client] = await begin();
  gag(stage);
  client.sync();
  client.getData('/a');
  client.setData('/a', '3');
  await lose(stage);
  await stage.until(() => client.isClosed);
  assert.match(stage.dropped.join(), /a request before an executed write/);
  assert.equal(client.replyTo(1), null, 'nothing is told when the rest cannot be');
});

void test('the server that is asked dies too: nothing is answered twice', async () => {
  const [stage, client] = await begin();
  const third = await stage.ensemble.start('s3');
  stage.backends.list.push(third.backend);
  gag(stage);
  client.setData('/a', '1');
  client.sync();
  client.setData('/a', '3');
  await stage.pass(30);
  const second = stage.server(1);
  second.isLagging = true;
  stage.server(0).kill();
  await stage.until(() => second.connections.length === 1);
  await stage.pass(10);
  second.kill();
  await stage.until(() => client.replyTo(3) !== null);
  await stage.pass(50);
  assert.deepEqual(
    client.replies.filter(({ xid }) => xid > 0).map(({ xid }) => xid),
    [1, 2, 3],
  );
  assert.deepEqual([timesOf(stage, 1), timesOf(stage, 3)], [1, 1]);
});
