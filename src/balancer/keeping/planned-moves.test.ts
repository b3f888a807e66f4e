import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { RawClient } from './raw-client.fixture.js';
import { Stage, type StageOptions } from './stage.fixture.js';

async function begin(servers = 2, options: StageOptions = {}): Promise<[Stage, RawClient]> {
  const stage = await Stage.start(servers, options);
  stage.ensemble.change({ kind: 'create', path: '/a', data: '' });
  await stage.pass(20);
  const client = await stage.openClient();
  client.keepPinging(1000);
  return [stage, client];
}

void test('a session moves, and its client notices nothing', async () => {
  const moves: string[] = [];
  const [stage, client] = await begin(2, {
    hooks: {
      onMove: (_, reason, outcome, from, to) => {
        moves.push(`${reason} ${outcome} ${from?.id} ${to?.id}`);
      },
    },
  });
  const outcome = stage.session.move('drain');
  assert.equal(stage.session.state, 'quiescing');
  assert.equal(await stage.outcome(outcome), 'moved');
  assert.deepEqual(moves, ['drain moved s1:2181 s2:2181']);
  assert.equal(stage.session.backend?.id, 's2:2181');
  assert.equal(stage.backends.count('lost'), 0);
  assert.equal(stage.backends.count('detached'), 1);
  const xid = client.exists('/a');
  await stage.until(() => client.replyTo(xid) !== null);
  assert.deepEqual(stage.masked, []);
});

void test('a move waits for what is under way, and what comes meanwhile waits for the move', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  await stage.pass(10);
  const outcome = stage.session.move('rebalance');
  await stage.pass(10);
  client.setData('/a', '2');
  client.getData('/a');
  await stage.pass(100);
  assert.equal(stage.session.state, 'quiescing');
  stage.server(0).isLagging = false;
  stage.server(0).onCommitted();
  assert.equal(await stage.outcome(outcome), 'moved');
  await stage.until(() => client.replyTo(3) !== null);
  const { setData, getData, ping } = OpCode;
  const withoutPings = (ops: readonly number[]): number[] => ops.filter((op) => op !== ping);
  assert.deepEqual(withoutPings(stage.server(1).connection.ops), [setData, getData]);
  assert.deepEqual(
    client.replies.filter(({ xid }) => xid > 0).map(({ xid, error }) => `${xid}:${error}`),
    ['1:0', '2:0', '3:0'],
  );
});

void test('a session whose answers take too long stays, and goes on where it is', async () => {
  const [stage, client] = await begin(2, { settings: { quiesceTimeoutMs: 200 } });
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  await stage.pass(10);
  const outcome = stage.session.move('drain');
  await stage.pass(10);
  client.exists('/a');
  assert.equal(await stage.outcome(outcome), 'stayed');
  stage.server(0).isLagging = false;
  stage.server(0).onCommitted();
  await stage.until(() => client.replyTo(2) !== null);
  assert.equal(stage.session.backend?.id, 's1:2181');
  assert.equal(stage.server(1).connections.length, 0);
});

void test('what a client asks while the next server is being reached is not held back', async () => {
  const [stage, client] = await begin();
  stage.network.reception = (_, to) => (to.host === 's2' ? 'ignored' : 'answered');
  const outcome = stage.session.move('drain');
  const xid = client.exists('/a');
  await stage.until(() => client.replyTo(xid) !== null, 100);
  assert.equal(await stage.outcome(outcome), 'stayed');
});

void test('pings are not answered here for longer than the session surely lives', async () => {
  const [stage, client] = await begin();
  client.stopPinging();
  client.ping();
  await stage.pass(3950);
  const { length } = client.replies;
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  const outcome = stage.session.move('drain');
  await stage.pass(30);
  client.ping();
  await stage.pass(5);
  assert.equal(client.replies.length, length + 1, 'what is awaited keeps it from the server');
  await stage.pass(100);
  client.ping();
  await stage.pass(50);
  assert.equal(stage.session.state, 'quiescing');
  assert.equal(client.replies.length, length + 1, 'two thirds of its timeout are over');
  stage.server(0).isLagging = false;
  stage.server(0).onCommitted();
  assert.equal(await stage.outcome(outcome), 'moved');
  await stage.until(() => client.replies.length === length + 3);
});

void test('a client that pings before it is welcomed is welcomed first', async () => {
  const stage = await Stage.start(1);
  stage.ensemble.delayMs = 20;
  const client = await stage.client();
  client.greet({});
  client.ping();
  await stage.until(() => client.replies.length === 1);
  assert.deepEqual(client.story, ['welcome', '-2:0']);
});

void test('the next server hangs up while answers are awaited: what was held back goes on', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  await stage.pass(10);
  const outcome = stage.session.move('drain');
  await stage.pass(10);
  client.exists('/a');
  await stage.pass(10);
  stage.server(1).kill();
  assert.equal(await stage.outcome(outcome), 'stayed');
  stage.server(0).isLagging = false;
  stage.server(0).onCommitted();
  await stage.until(() => client.replyTo(2) !== null);
});

void test('and it does not wait until another one is found', async () => {
  const [stage, client] = await begin(3);
  stage.network.reception = (_, to) => (to.host === 's3' ? 'ignored' : 'answered');
  const server = stage.server(0);
  server.isLagging = true;
  client.setData('/a', '1');
  await stage.pass(10);
  const outcome = stage.session.move('drain');
  await stage.pass(10);
  client.exists('/a');
  await stage.pass(10);
  stage.server(1).kill();
  server.isLagging = false;
  server.onCommitted();
  await stage.until(() => client.replyTo(2) !== null, 100);
  assert.equal(await stage.outcome(outcome), 'stayed');
});

void test('what a client does meanwhile may keep it from being moved', async () => {
  const [stage, client] = await begin();
  const outcome = stage.session.move('drain');
  client.request(OpCode.sasl, (out) => out.writeString('token'));
  assert.equal(await stage.outcome(outcome), 'stayed');
  assert.equal(client.isClosed, false);
});

void test('without another server a session stays', async () => {
  const [stage, client] = await begin(1);
  assert.equal(await stage.outcome(stage.session.move('drain')), 'stayed');
  const xid = client.exists('/a');
  await stage.until(() => client.replyTo(xid) !== null);
});

void test('a server that cannot be reached costs a session nothing', async () => {
  const [stage, client] = await begin(2);
  stage.server(1).kill();
  const outcome = stage.session.move('drain');
  const xid = client.exists('/a');
  assert.equal(await stage.outcome(outcome), 'stayed');
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(stage.server(0).connections.length, 1);
  assert.equal(stage.backends.count('lost'), 0);
});

void test('once a server was asked there is no way back, but there may be others', async () => {
  const [stage, client] = await begin(3, { settings: { attachTimeoutMs: 300 } });
  stage.server(1).isSilent = true;
  const outcome = stage.session.move('drain');
  const xid = client.exists('/a');
  assert.equal(await stage.outcome(outcome), 'moved');
  await stage.until(() => client.replyTo(xid) !== null);
  assert.equal(stage.session.backend?.id, 's3:2181');
});

void test('the server that is left may be the one that has it again', async () => {
  const [stage, client] = await begin(2, { settings: { attachTimeoutMs: 300 } });
  stage.server(1).isSilent = true;
  const outcome = stage.session.move('drain');
  await stage.outcome(outcome);
  assert.equal(stage.session.backend?.id, 's1:2181');
  assert.equal(client.isClosed, false);
});

/** Something happens that the client is not told, and the second server begins to remember behind it. */
async function beginForgetful(servers: number): Promise<[Stage, RawClient]> {
  const [stage, client] = await begin(servers);
  const xid = client.exists('/a', true);
  await stage.until(() => client.replyTo(xid) !== null);
  client.stopPinging();
  stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
  await stage.pass(20);
  stage.server(1).coversFrom = stage.ensemble.zxid;
  return [stage, client];
}

void test('a server that has forgotten what watches missed gives the session back', async () => {
  const [stage, client] = await beginForgetful(2);
  assert.equal(await stage.outcome(stage.session.move('drain')), 'stayed');
  assert.equal(stage.session.backend?.id, 's1:2181');
  stage.ensemble.change({ kind: 'set', path: '/a', data: 'x' });
  await stage.until(() => client.events.length === 1);
  assert.equal(stage.backends.count('lost') + stage.backends.count('failed'), 0);
  assert.deepEqual(stage.dropped, []);
});

void test('but first the others are asked', async () => {
  const [stage, client] = await beginForgetful(3);
  assert.equal(await stage.outcome(stage.session.move('drain')), 'moved');
  assert.equal(stage.session.backend?.id, 's3:2181');
  assert.equal(client.isClosed, false);
});

void test('one that could not be reached is asked once more before that is given up', async () => {
  const [stage, client] = await beginForgetful(3);
  // reached before the second one is, and once more behind it
  stage.backends.preferred = stage.server(2).backend;
  stage.server(2).kill();
  stage.server(0).isSilent = true;
  const outcome = stage.session.move('drain');
  await stage.until(() => stage.backends.count('failed') === 1);
  await stage.server(2).start();
  stage.server(0).kill();
  assert.equal(await stage.outcome(outcome), 'moved');
  assert.equal(stage.session.backend?.id, 's3:2181');
  assert.equal(client.isClosed, false);
});

void test('when nobody remembers, the connection ends, once each has been asked', async () => {
  const [stage, client] = await beginForgetful(2);
  stage.server(0).coversFrom = stage.ensemble.zxid;
  assert.equal(await stage.outcome(stage.session.move('drain')), 'dropped');
  assert.match(stage.dropped.join(), /what its watches missed is forgotten/);
  await stage.until(() => client.isClosed);
  // first of all, then at the second one, then back at the first one
  assert.equal(stage.backends.count('attaching'), 3);
});

void test('what the server that was left still says is not looked at, and nothing is lost', async () => {
  const [stage, client] = await begin();
  client.addWatch('/', true);
  await stage.until(() => client.replyTo(1) !== null);
  const old = stage.server(0).connection;
  let isTold = false;
  const outcome = stage.session.move('drain');
  await stage.until(() => {
    // from the moment on when the new server is asked
    if (stage.server(1).connections.length > 0 && !isTold) {
      isTold = true;
      stage.ensemble.change({ kind: 'create', path: '/b', data: '' });
      old.sendEvent(stage.ensemble.zxid, EventType.nodeCreated, '/b');
    }
    return stage.session.state === 'open';
  });
  assert.equal(await outcome, 'moved');
  await stage.pass(50);
  assert.deepEqual(
    client.events.map(({ type, path }) => `${type}@${path}`),
    [`${EventType.nodeCreated}@/b`],
  );
});

void test('its server dies while a session waits to be moved: then it is moved at once', async () => {
  const [stage, client] = await begin();
  stage.server(0).isLagging = true;
  client.setData('/a', '1');
  await stage.pass(10);
  const outcome = stage.session.move('drain');
  stage.server(0).kill();
  assert.equal(await stage.outcome(outcome), 'moved');
  await stage.until(() => client.replyTo(1) !== null);
});

void test('a client that goes away ends the move', async () => {
  const [stage, client] = await begin();
  stage.server(1).isSilent = true;
  const outcome = stage.session.move('drain');
  await stage.pass(20);
  client.close();
  assert.equal(await stage.outcome(outcome), 'dropped');
});

void test('a move waits for a sign of life', async () => {
  const [stage, client] = await begin();
  client.stopPinging();
  await stage.pass(3000);
  const outcome = stage.session.move('drain');
  await stage.pass(500);
  assert.equal(stage.server(1).connections.length, 0);
  client.ping();
  assert.equal(await stage.outcome(outcome), 'moved');
  assert.equal(client.isClosed, false);
});

void test('its server dies while a sign of life is awaited: there is nowhere to stay', async () => {
  const [stage, client] = await begin();
  client.stopPinging();
  await stage.pass(3000);
  const outcome = stage.session.move('drain');
  await stage.pass(10);
  stage.server(0).kill();
  await stage.pass(500);
  assert.equal(stage.session.state, 'moving');
  client.ping();
  assert.equal(await stage.outcome(outcome), 'moved');
  assert.equal(client.isClosed, false);
});

void test('without a sign of life a session stays', async () => {
  const [stage, client] = await begin();
  client.stopPinging();
  await stage.pass(3000);
  assert.equal(await stage.outcome(stage.session.move('drain')), 'stayed');
  assert.equal(stage.session.backend?.id, 's1:2181');
});

void test('one move at a time', async () => {
  const [stage] = await begin();
  const first = stage.session.move('drain');
  assert.equal(await stage.session.move('drain'), 'stayed');
  assert.equal(await stage.outcome(first), 'moved');
});

void test('Apache, strict: a session with a watch stays', async () => {
  const [stage, client] = await begin();
  for (const server of stage.ensemble.servers) server.isApache = true;
  stage.server(0).kill();
  await stage.until(() => stage.session.state === 'open');
  const xid = client.getData('/a', true);
  await stage.until(() => client.replyTo(xid) !== null);
  await stage.server(0).start();
  assert.equal(await stage.session.move('drain'), 'stayed');
});

void test('one server is asked for so many sessions at a time, and all get their turn', async () => {
  const settings = { attachesAtOnceMax: 3, retryDelayMs: 60_000 };
  const stage = await Stage.start(2, { settings });
  const clients: RawClient[] = [];
  for (let i = 0; i < 20; i++) clients.push(await stage.openClient());
  for (const client of clients) client.keepPinging(1000);
  await stage.pass(10);
  let most = 0;
  stage.server(0).kill();
  await stage.until(() => {
    const { backends } = stage;
    const ended = backends.count('attached') + backends.count('failed');
    most = Math.max(most, backends.count('attaching') - ended);
    return stage.masked.length === 20;
  });
  assert.equal(most, 3);
  assert.ok(clients.every(({ isClosed }) => !isClosed));
});

void test('a server that does not answer keeps nobody from the others', async () => {
  const stage = await Stage.start(3, { settings: { attachesAtOnceMax: 2 } });
  const clients: RawClient[] = [];
  for (let i = 0; i < 10; i++) clients.push(await stage.openClient());
  for (const client of clients) client.keepPinging(1000);
  stage.server(1).isSilent = true;
  stage.server(0).kill();
  await stage.until(() => stage.masked.length === 8, 1000);
  await stage.until(() => stage.masked.length === 10);
});

void test('fifty sessions leave a server, and none of their clients notices', async () => {
  const stage = await Stage.start(2, { settings: { attachesAtOnceMax: 50 } });
  const clients = await Promise.all(Array.from({ length: 50 }, () => stage.openClient()));
  for (const client of clients) client.keepPinging(1000);
  const xids = clients.map((client) => client.exists('/', true));
  stage.backends.preferred = stage.server(1).backend;
  const outcomes = [...stage.keeper.sessions()].map((session) => session.move('drain'));
  const all = await stage.outcome(Promise.all(outcomes));
  assert.ok(all.every((outcome) => outcome === 'moved'));
  await stage.until(() => clients.every((client, i) => client.replyTo(xids[i] ?? 0) !== null));
  assert.equal(stage.server(0).connections.length, 0);
  assert.equal(stage.server(1).connections.length, 50);
});
