import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientClasses } from '../guards/classes.js';
import { EventType } from '../../protocol/events.js';
import type { RawClient } from './raw-client.fixture.js';
import { RequestShare } from './request-share.js';
import { Stage, type StageOptions } from './stage.fixture.js';

const LIMIT = 40;
const STORMERS = 20;

interface Crowd {
  readonly stage: Stage;
  readonly gate: NonNullable<ClientClasses['requests']>;
  /** Of the class `batch`. */
  readonly stormers: readonly RawClient[];
  /** Of the class `shop`, which weighs three times as much. */
  readonly shopper: RawClient;
}

function gateOf(requestsMax: number): Crowd['gate'] {
  const { requests } = new ClientClasses({ weights: { shop: 3, batch: 1 }, requestsMax });
  assert.ok(requests !== null);
  return requests;
}

/** Servers that carry out about a write a millisecond, and their clients. */
async function gather(requestsMax = LIMIT, options: StageOptions = {}): Promise<Crowd> {
  const gate = gateOf(requestsMax);
  const shopHost = `c${STORMERS + 1}`;
  const classOf = (host: string): string => (host === shopHost ? 'shop' : 'batch');
  const stage = await Stage.start(2, { ...options, requestGate: gate, classOf });
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(20);
  const stormers: RawClient[] = [];
  for (let i = 0; i < STORMERS; i++) stormers.push(await stage.openClient(30_000));
  const shopper = await stage.openClient(30_000);
  return { stage, gate, stormers, shopper };
}

function storm(stormers: readonly RawClient[], each: number): number {
  for (const client of stormers) for (let i = 0; i < each; i++) client.setData('/a', 'x');
  return stormers.length * each;
}

/** How long each of so many writes took, one after the other. */
async function latencies({ stage, shopper }: Crowd, count: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    const startedMs = stage.nowMs;
    const xid = shopper.setData('/a', 'y');
    await stage.until(() => shopper.replyTo(xid) !== null);
    found.push(stage.nowMs - startedMs);
  }
  return found;
}

function answersOf(clients: readonly RawClient[]): number {
  return clients.reduce((sum, { replies }) => sum + replies.filter(({ xid }) => xid > 0).length, 0);
}

void test('one tenant’s storm does not make another wait for its end', async () => {
  const crowd = await gather();
  const { stage, gate, stormers } = crowd;
  const asked = storm(stormers, 20);
  await stage.pass(10);
  const found = await latencies(crowd, 4);
  // the storm alone takes some 400 ms
  assert.ok(Math.max(...found) < 100, found.join());
  assert.ok(answersOf(stormers) < asked, 'while the storm goes on');
  await stage.until(() => answersOf(stormers) === asked);
  await stage.pass(50);
  assert.equal(gate.inUse, 0);
});

void test('without a limit it does', async () => {
  const crowd = await gather(100_000);
  storm(crowd.stormers, 20);
  await crowd.stage.pass(10);
  const [first = 0] = await latencies(crowd, 1);
  assert.ok(first > 200, `${first}`);
});

void test('nobody waits while there is room', async () => {
  const { stage, gate, stormers } = await gather(1000);
  storm(stormers, 20);
  await stage.pass(10);
  const classes = gate.status();
  assert.equal(classes.get('batch')?.waiting, 0);
  assert.equal(classes.get('batch')?.inUse, gate.inUse);
  assert.ok(gate.inUse > 300, `${gate.inUse}`);
});

void test('who waits is not read from, and goes on in turn', async () => {
  const { stage, gate, stormers } = await gather(LIMIT, { quality: { readBytesMax: 64 } });
  const asked = storm(stormers, 20);
  await stage.pass(10);
  const status = gate.status().get('batch');
  assert.ok((status?.waiting ?? 0) > 5, JSON.stringify(status));
  assert.ok(gate.inUse <= LIMIT + 20, `${gate.inUse}`);
  const seen = [...stage.keeper.sessions()].reduce((sum, { outstanding }) => sum + outstanding, 0);
  assert.ok(seen < asked / 2, `${seen} of ${asked} are here`);
  await stage.until(() => answersOf(stormers) === asked);
  for (const client of stormers) {
    const xids = client.replies.map(({ xid }) => xid).filter((xid) => xid > 0);
    assert.deepEqual(
      xids,
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  }
});

void test('who is dropped while it waits leaves its place, and what it held', async () => {
  const { stage, gate, stormers } = await gather();
  storm(stormers, 20);
  await stage.pass(5);
  // the last ones wait, the first ones have been admitted
  for (const { sessionId } of stormers.slice(5)) stage.keeper.session(sessionId)?.drop('enough');
  assert.equal(gate.status().get('batch')?.waiting, 3);
  await stage.until(() => answersOf(stormers.slice(0, 5)) === 100);
  await stage.pass(50);
  assert.equal(gate.inUse, 0);
});

void test('who hangs up leaves nothing behind', async () => {
  const { stage, gate, stormers } = await gather();
  storm(stormers, 20);
  await stage.pass(10);
  for (const client of stormers) client.close();
  await stage.pass(100);
  assert.equal(gate.inUse, 0);
  assert.equal(gate.status().get('batch')?.waiting, 0);
});

void test('a server that is lost while they wait: all have their answers from another', async () => {
  const { stage, gate, stormers, shopper } = await gather();
  const asked = storm(stormers, 20);
  shopper.setData('/a', 'y');
  await stage.pass(10);
  stage.server(0).kill();
  await stage.until(() => answersOf([...stormers, shopper]) === asked + 1);
  await stage.pass(50);
  assert.deepEqual(stage.dropped, []);
  assert.equal(gate.inUse, 0);
});

void test('and those that are moved by plan', async () => {
  const { stage, gate, stormers } = await gather();
  const asked = storm(stormers, 20);
  await stage.pass(10);
  const moves = [...stage.keeper.sessions()].map((session) => session.move('drain'));
  const outcomes = await stage.outcome(Promise.all(moves));
  assert.ok(outcomes.includes('moved'), outcomes.join());
  await stage.until(() => answersOf(stormers) === asked);
  await stage.pass(50);
  assert.equal(gate.inUse, 0);
});

void test('waiting never costs a session: after a sixth of its timeout it goes on', async () => {
  const gate = gateOf(1);
  const stage = await Stage.start(1, { requestGate: gate });
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(20);
  const client = await stage.openClient(6000);
  client.keepPinging(1000);
  await stage.pass(20);
  // somebody whose server takes for ever
  gate.enter('default', { onAdmitted: () => undefined }, 1);
  const xid = client.exists('/a');
  await stage.pass(800);
  assert.equal(client.replyTo(xid), null);
  assert.equal(gate.status().get('default')?.waiting, 1);
  await stage.until(() => client.replyTo(xid) !== null, 400);
  await stage.pass(5000);
  gate.leave('default', 1);
  await stage.pass(50);
  assert.equal(gate.inUse, 0);
  assert.deepEqual(stage.dropped, []);
});

void test('events come to those who wait', async () => {
  const { stage, stormers } = await gather(1);
  const [watcher, other] = stormers;
  assert.ok(watcher !== undefined && other !== undefined);
  const xid = watcher.exists('/b', true);
  await stage.until(() => watcher.replyTo(xid) !== null);
  stage.server(0).isLagging = true;
  other.setData('/a', 'x');
  await stage.pass(5);
  watcher.getData('/a');
  await stage.pass(5);
  stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
  stage.server(0).isLagging = false;
  stage.server(0).onCommitted();
  await stage.until(() => watcher.events.length === 1);
  assert.equal(watcher.events[0]?.type, EventType.nodeCreated);
});

void test('what was given and is not under way is given back, not more', () => {
  const gate = gateOf(10);
  let turns = 0;
  const clock = { monotonicMs: () => 0 } as Stage['keeper']['world']['clock'];
  const session = { onTurn: (): void => void (turns += 1) };
  const one = new RequestShare(gate, 'batch', session, clock);
  const other = new RequestShare(gate, 'batch', session, clock);
  assert.equal(one.admits(20), true);
  assert.equal(other.admits(5), false);
  assert.equal(other.isWaiting, true);
  one.settle(20);
  assert.equal(gate.inUse, 20);
  one.settle(3);
  assert.deepEqual([gate.inUse, turns], [8, 1]);
  other.settle(0);
  assert.equal(gate.inUse, 8, 'what it was given has not been sent yet');
  assert.equal(other.admits(6), true);
  other.settle(0);
  one.release();
  one.release();
  assert.equal(gate.inUse, 0);
});
