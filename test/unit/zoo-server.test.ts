/** `ZooServer` alone and as a member: each method of its contract, and what it refuses. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OpCode } from 'zabra/protocol';
import { ZooServer, type ServerStatus, type ZooServerOptions } from 'zabra/server';
import { freePorts } from '../support/machine.js';

/** Nothing here waits for a tick; in one of them a busy machine has to let everybody speak. */
const tickTimeMs = 5000;
const home = mkdtempSync(join(tmpdir(), 'zabra-zoo-server-'));
const running = new Set<ZooServer>();
after(async () => {
  await Promise.all([...running].map((server) => server.stop()));
  rmSync(home, { recursive: true, force: true });
});

function make(id: number, place: string, options: ZooServerOptions = {}): ZooServer {
  const dataDir = join(home, `${place}-${id}`);
  const server = new ZooServer({ id, dataDir, preAllocBytes: 65_536, tickTimeMs, ...options });
  running.add(server);
  return server;
}

async function three(place: string, options: ZooServerOptions = {}): Promise<ZooServer[]> {
  const ports = await freePorts(6);
  const servers: Record<number, string> = {};
  for (const id of [1, 2, 3]) {
    servers[id] = `127.0.0.1:${ports[2 * id - 2] ?? 0}:${ports[2 * id - 1] ?? 0}`;
  }
  const members = [1, 2, 3].map((id) => make(id, place, { servers, ...options }));
  await Promise.all(members.map((member) => member.start()));
  await Promise.all(members.map((member) => member.leaderElection()));
  return members;
}

function byState(members: readonly ZooServer[], state: ServerStatus['state']): ZooServer {
  const found = members.find((member) => member.status().state === state);
  assert.ok(found !== undefined, `one of them is ${state}`);
  return found;
}

async function untilServing(member: ZooServer): Promise<void> {
  while (member.status().leader === null) await once(member, 'state');
}

const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
const create = (path: string) => ({
  op: OpCode.create,
  body: { path, data: new Uint8Array(3), acl, flags: 0 },
});
const exists = (path: string) => ({ op: OpCode.exists, body: { path, watch: false } });

test('a member tells what it is, whom it follows and since when it heard of it', async () => {
  const members = await three('status');
  const leader = byState(members, 'leader');
  const follower = byState(members, 'follower');
  const { id } = leader.status();
  assert.equal(leader.status().leader, id);
  assert.equal(leader.status().votedFor, id);
  assert.equal(leader.status().lastHeartbeatMs, null);
  const status = follower.status();
  assert.equal(status.leader, id);
  assert.equal(status.votedFor, id);
  assert.equal(status.epoch, 1);
  assert.ok(status.lastHeartbeatMs !== null && status.lastHeartbeatMs >= 0);
  assert.ok(status.electionDeadlineMs !== null && status.electionDeadlineMs <= 5 * tickTimeMs);
  assert.equal(status.address, follower.connectString);
});

test('the list of replicas: who hears whom, on which port, and how far each is', async () => {
  const members = await three('replicas');
  const leader = byState(members, 'leader');
  const { zxid } = await byState(members, 'follower').submitRequest(create('/a'));
  await byState(members, 'follower').submitRequest({ op: OpCode.sync, body: { path: '/' } });
  const list = leader.replicaList();
  assert.deepEqual(
    list.map(({ id }) => id),
    [1, 2, 3],
  );
  assert.deepEqual(list.map(({ role }) => role).sort(), ['follower', 'follower', 'leader']);
  for (const replica of list) {
    if (replica.role === 'leader') {
      assert.deepEqual(replica.connections, []);
      assert.equal(replica.zxid, zxid);
      continue;
    }
    const ports = replica.connections.map(({ port }) => port);
    assert.deepEqual(ports, ['election', 'quorum']);
    for (const { connectedMs, lastHeardMs } of replica.connections) {
      assert.ok(lastHeardMs >= 0 && lastHeardMs <= connectedMs);
    }
    assert.ok(replica.lastHeardMs !== null);
    assert.ok(replica.lag !== null && replica.lag >= 0);
  }
  const seen = byState(members, 'follower').replicaList();
  assert.equal(seen.filter(({ role }) => role === 'leader').length, 1);
  assert.equal(seen.filter(({ connections }) => connections.length > 0).length, 2);
});

test('requests go through any member, and a session follows the role', async () => {
  const members = await three('requests');
  for (const [index, member] of members.entries()) {
    assert.equal((await member.submitRequest(create(`/n${index}`))).error, 0);
  }
  const leader = byState(members, 'leader');
  const next = byState(members, 'follower').status().id;
  assert.equal(await leader.leaderElection({ to: next }), next);
  for (const member of members) {
    await untilServing(member);
    assert.equal((await member.submitRequest(exists('/n0'))).error, 0);
  }
  assert.equal(byState(members, 'leader').status().id, next);
});

test('leadership is handed over by the leader alone, and only to whom can take it', async () => {
  const members = await three('election');
  const leader = byState(members, 'leader');
  const follower = byState(members, 'follower');
  await assert.rejects(follower.leaderElection({ to: 1 }), /leads: it alone/);
  await assert.rejects(leader.leaderElection({ to: 77 }), /server 77 not able to lead/);
  const own = leader.status().id;
  assert.equal(await leader.leaderElection({ to: own }), own);
  const best = await leader.leaderElection();
  assert.notEqual(best, own);
  assert.equal(leader.status().leader, best);
});

test('while there is no quorum nobody is served, and the election resolves when there is one', async () => {
  const ports = await freePorts(4);
  const servers = {
    1: `127.0.0.1:${ports[0] ?? 0}:${ports[1] ?? 0}`,
    2: `127.0.0.1:${ports[2] ?? 0}:${ports[3] ?? 0}`,
  };
  const [one, two] = [make(1, 'alone', { servers }), make(2, 'alone', { servers })];
  const states: string[] = [];
  one.on('state', (state) => states.push(state));
  await one.start();
  assert.equal(one.status().state, 'looking');
  assert.equal(one.status().leader, null);
  assert.equal(one.status().votedFor, 1);
  await assert.rejects(one.submitRequest(exists('/')), /looks for a leader/);
  const elected = one.leaderElection();
  await two.start();
  assert.equal(await elected, 2);
  assert.deepEqual(states, ['starting', 'looking', 'follower']);
  const told = once(one, 'leader');
  await two.stop();
  assert.deepEqual(await told, [null]);
  const stopped = one.leaderElection();
  await Promise.all([assert.rejects(stopped, /was stopped/), one.stop()]);
});

test('sessions are told on every member, and configurations that come into force', async () => {
  const members = await three('events');
  const follower = byState(members, 'follower');
  const created = once(follower, 'session');
  await byState(members, 'leader').submitRequest(exists('/'));
  const [event] = (await created) as [{ kind: string; id: bigint }];
  assert.equal(event.kind, 'created');
});

test('what is saved can be loaded again, and started on', async () => {
  const members = await three('saved', { snapCount: 5000 });
  const leader = byState(members, 'leader');
  const { id } = leader.status();
  const file = join(home, 'saved.cfg');
  await leader.saveConfig(file);
  const text = readFileSync(file, 'utf8');
  assert.match(text, /^snapCount=5000$/m);
  const dynamic = /^dynamicConfigFile=(.+)$/m.exec(text)?.[1] ?? '';
  assert.equal(readFileSync(dynamic, 'utf8').match(/^server\.\d=/gm)?.length, 3);
  assert.equal(readFileSync(join(home, `saved-${id}`, 'myid'), 'utf8').trim(), String(id));
  assert.deepEqual(await leader.loadConfig(file), { applied: [], needRestart: [] });

  writeFileSync(file, text.replace('snapCount=5000', 'snapCount=6000\nmaxClientCnxns=7'));
  const loaded = await leader.loadConfig(file);
  assert.deepEqual(loaded, { applied: ['maxClientCnxns'], needRestart: ['snapCount'] });
  // also for the servers that this member will be in its next roles
  await leader.leaderElection();
  assert.equal(leader.config.maxClientCnxns, 7);
  writeFileSync(file, 'clientPort=nonsense\n');
  await assert.rejects(leader.loadConfig(file), /clientPort/);
});

test('a server joins, is a member after a start of its own, and leaves', async () => {
  const members = await three('growing');
  const [one] = members;
  assert.ok(one !== undefined);
  await one.submitRequest(create('/before'));
  const four = make(4, 'growing');
  const heard = once(one, 'config');
  await four.join(`127.0.0.1:1,${one.connectString}`);
  await heard;
  assert.deepEqual([...one.config.ensemble.servers.keys()].sort(), [1, 2, 3, 4]);
  assert.equal((await four.submitRequest(exists('/before'))).error, 0);
  assert.equal(four.status().state, 'follower');
  await assert.rejects(four.join(one.connectString), /not running/);
  await four.stop();

  const again = make(4, 'growing');
  await again.start();
  await again.leaderElection();
  assert.equal((await again.submitRequest(exists('/before'))).error, 0);
  await again.leave();
  assert.equal(again.status().state, 'stopped');
  assert.deepEqual([...one.config.ensemble.servers.keys()].sort(), [1, 2, 3]);
  await assert.rejects(again.start(), /no server\.4 in the configuration/);

  const observer = make(5, 'growing', { peerType: 'observer' });
  await observer.join(one.connectString);
  while (observer.status().state !== 'observer') await once(observer, 'state');
  assert.equal(observer.status().state, 'observer');
  assert.equal(one.config.ensemble.servers.get(5)?.role, 'observer');
});

test('a leader that leaves hands leadership over first', async () => {
  const members = await three('leaving');
  const leader = byState(members, 'leader');
  const others = members.filter((member) => member !== leader);
  await leader.leave();
  await Promise.all(others.map(untilServing));
  for (const other of others) assert.notEqual(other.status().leader, leader.status().id);
  for (const other of others) {
    assert.equal(other.config.ensemble.servers.size, 2);
    assert.equal((await other.submitRequest(create(`/after-${other.status().id}`))).error, 0);
  }
});

test('a server that stands alone is a member of nothing', async () => {
  const server = make(1, 'single');
  await server.start();
  assert.equal(await server.leaderElection(), 1);
  await assert.rejects(server.leaderElection({ to: 2 }), /stands alone/);
  await assert.rejects(server.leave(), /stands alone/);
  const other = make(2, 'single');
  await assert.rejects(other.join(server.connectString), /is no member of an ensemble/);
  assert.equal(other.status().state, 'stopped');
});
