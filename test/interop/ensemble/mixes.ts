/**
 * Three servers, each ours or Apache's, in one mix: what is written through any of them is on all of
 * them, before and after the leader is killed, and when it has come back.
 */
import { OpCode } from 'zabra/protocol';
import { Members, type Kind } from '../../cluster/members.js';
import { commonDigests, differences, pictureOf } from '../../cluster/picture.js';
import { body, flags, part, perms } from '../../support/requests.js';
import { TestClient } from '../../support/test-client.js';
import { continuations } from './continuations.js';
import type { Tally } from './tally.js';

const configPath = '/zookeeper/config';

/** One znode of each kind, changes of each kind, and one of each refusal, below a name of its own. */
async function write(client: TestClient, path: string, tally: Tally): Promise<void> {
  const errors: number[] = [];
  const note = ({ err }: { readonly err: number }): void => {
    errors.push(err);
  };
  note(await client.create(path, { data: 'first' }));
  note(await client.create(path));
  note(await client.create(`${path}/q-`, { data: 'a', flags: flags.persistentSequential }));
  note(await client.create(`${path}/q-`, { data: 'b', flags: flags.persistentSequential }));
  note(await client.create(`${path}/e`, { data: 'mine', flags: flags.ephemeral }));
  note(await client.create(`${path}/e/below`));
  note(await client.createContainer(`${path}/container`));
  note(await client.createTtl(`${path}/ttl`, 3_600_000n, { data: 'an hour' }));
  note(await client.setData(path, 'second', 0));
  note(await client.setData(path, 'third', 0));
  const acl = [{ perms: perms.read, scheme: 'world', id: 'anyone' }];
  note(await client.create(`${path}/read-only`, { data: 'x' }));
  note(await client.setAcl(`${path}/read-only`, acl));
  note(await client.create(`${path}/gone`, { data: 'x' }));
  note(await client.delete(`${path}/gone`));
  note(await client.delete(`${path}/gone`));
  note(
    await client.multi([
      part.create(`${path}/m`, { data: 'm' }),
      part.setData(`${path}/m`, 'n'),
      part.check(path, 1),
    ]),
  );
  const failing = await client.multi([part.create(`${path}/never`), part.check(path, 100)]);
  // Apache 3.9 answers a failed multi without an error in the header
  note({ err: failing.value?.[1]?.err ?? failing.err });
  note(await client.sync(path));
  note(await client.exists(`${path}/never`));
  // last: an Apache leader goes by the old ACL until it has applied the new one itself
  note(await client.setData(`${path}/read-only`, 'y'));
  const wanted = '0 -110 0 0 0 -108 0 0 0 -103 0 0 0 0 -101 0 -103 0 -101 -102';
  tally.check(`answers below ${path}`, errors.join(' '), wanted);
}

async function compare(members: Members, sids: readonly number[], tally: Tally): Promise<void> {
  const pictures = await Promise.all(sids.map((sid) => pictureOf(members.addressOf(sid))));
  const [first] = pictures;
  if (first === undefined) return;
  for (const [index, other] of pictures.entries()) {
    if (index === 0) continue;
    const names = `servers ${sids[0] ?? 0} and ${sids[index] ?? 0}`;
    const found = differences(first, other, names);
    tally.none(`${names} show the same`, found);
  }
  tally.check('znodes are compared', first.znodes.size > 20, true);
}

/** Each server writes it there by itself. */
async function configurations(members: Members, tally: Tally): Promise<void> {
  const texts: string[] = [];
  for (const sid of members.sids) {
    const client = await TestClient.connect(members.addressOf(sid));
    texts.push((await client.getData(configPath)).value?.text ?? '');
    await client.close();
  }
  for (const [index, text] of texts.entries()) {
    const servers = text.match(/^server\.\d=127\.0\.0\.1:\d+:\d+:participant$/gm) ?? [];
    const what = `configuration that clients read from ${members.sids[index] ?? 0}`;
    tally.check(`${what}: servers`, servers.length, members.sids.length);
    tally.check(`${what}: as elsewhere`, text, texts[0]);
  }
}

/** A watch on one server tells of a change through each other one. */
async function watches(clients: readonly TestClient[], tally: Tally): Promise<void> {
  for (const [index, client] of clients.entries()) {
    const other = clients[(index + 1) % clients.length];
    if (other === undefined) continue;
    const path = `/watched-${index}`;
    await client.exists(path, true);
    await other.create(path);
    const event = await client.event();
    tally.check(`event on ${index}`, `${event.type} ${event.path}`, `1 ${path}`);
    await client.sync('/');
    tally.check(`and what it tells of is there`, (await client.exists(path)).err, 0);
    await other.delete(path);
  }
}

const PIPELINED = 400;

/**
 * Several sessions on each server ask for syncs and writes without waiting for answers. A server of
 * Apache's expects its leader to answer syncs in their place among the commits: out of its place, one
 * leaves all of that server's later writes without an answer.
 */
async function pipelines(clients: readonly TestClient[], round: string, tally: Tally) {
  await Promise.all(
    clients.map(async (client, index) => {
      const path = `/${round}-pipelined-${index}`;
      await client.create(path);
      const asked: number[] = [];
      for (let i = 0; i < PIPELINED; i++) {
        const isSync = i % 3 === 1;
        asked.push(
          isSync
            ? client.post(OpCode.sync, body.path(path))
            : client.post(OpCode.setData, body.setData(path, String(i), -1)),
        );
        // in pieces, so that what others ask comes between
        if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const errors: number[] = [];
      for (const xid of asked) errors.push((await client.reply(xid)).err);
      const refused = errors.filter((error) => error !== 0).length;
      tally.check(`pipelined syncs and writes of session ${index}: refused`, refused, 0);
    }),
  );
}

/** A session goes from server to server with its ephemeral, and ends for all of them. */
async function moves(members: Members, sids: readonly number[], tally: Tally): Promise<void> {
  const [home] = sids;
  if (home === undefined) return;
  let client = await TestClient.connect(members.addressOf(home), { timeoutMs: 20_000 });
  await client.create('/mover', { flags: flags.ephemeral });
  for (const sid of [...sids.slice(1), home]) {
    const earlier = client;
    client = await client.reconnect({ timeoutMs: 20_000 }, members.addressOf(sid));
    const owner = client.session.sessionId;
    tally.check(`the session goes on over ${sid}`, owner, earlier.session.sessionId);
    tally.check(`and writes over ${sid}`, (await client.setData('/mover', String(sid))).err, 0);
    earlier.destroy();
  }
  await client.close();
  for (const sid of sids) {
    const other = await TestClient.connect(members.addressOf(sid));
    await other.sync('/');
    tally.check(`its ephemeral is gone on ${sid}`, (await other.exists('/mover')).err, -101);
    await other.close();
  }
}

/** Sessions over survivors outlive the leader: the same password, the same ephemerals. */
async function outlive(
  members: Members,
  survivors: readonly number[],
  leader: number,
  tally: Tally,
): Promise<void> {
  const clients: TestClient[] = [];
  for (const sid of survivors) {
    const client = await TestClient.connect(members.addressOf(sid), { timeoutMs: 30_000 });
    await client.create(`/outlives-${sid}`, { flags: flags.ephemeral });
    clients.push(client);
  }
  await members.end(leader);
  const next = await members.leader();
  tally.check('the highest number that is left leads', next, Math.max(...survivors));
  for (const [index, client] of clients.entries()) {
    const sid = survivors[index] ?? 0;
    await untilServing(members, sid);
    const again = await client.reconnect({ timeoutMs: 30_000 });
    tally.check(`${sid} knows the session`, again.session.sessionId, client.session.sessionId);
    const ephemerals = (await again.getEphemerals('/outlives')).value ?? [];
    tally.check(`${sid} knows its ephemeral`, ephemerals.join(), `/outlives-${sid}`);
    const shown = again.post(OpCode.setData, body.setData(`/outlives-${sid}`, 'again', -1));
    tally.check(`${sid} takes its write`, (await again.reply(shown)).err, 0);
    await again.close();
  }
}

async function untilServing(members: Members, sid: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) if ((await members.modeOf(sid)) !== '') return;
  throw new Error(`server ${sid} does not serve again`);
}

async function writeThroughEach(
  members: Members,
  sids: readonly number[],
  round: string,
  tally: Tally,
): Promise<void> {
  const clients: TestClient[] = [];
  for (const sid of sids) clients.push(await TestClient.connect(members.addressOf(sid)));
  await Promise.all(
    clients.map((client, index) => write(client, `/${round}-${sids[index] ?? 0}`, tally)),
  );
  await pipelines(clients, round, tally);
  await compare(members, sids, tally);
  await watches(clients, tally);
  await Promise.all(clients.map((client) => client.close()));
  await moves(members, sids, tally);
  await compare(members, sids, tally);
}

/** Server 3 leads at first: the kinds are those of servers 1, 2 and 3. */
export async function mix(kinds: readonly Kind[], tally: Tally): Promise<void> {
  const [one = 'zabra', two = 'zabra', three = 'zabra'] = kinds;
  tally.begin(`leader ${three}, followers ${two} and ${one}`);
  const members = await Members.prepare(kinds, {
    purpose: 'mix',
    properties: { 'zookeeper.extendedTypesEnabled': 'true' },
  });
  let isKept = true;
  try {
    const before = tally.failed;
    await members.startAll([2, 3]);
    await members.start(1);
    await members.untilAllServe();
    tally.check('the leader', await members.leader(), 3);
    await configurations(members, tally);
    await writeThroughEach(members, members.sids, 'first', tally);
    await continuations(members, tally);
    await outlive(members, [1, 2], 3, tally);
    await writeThroughEach(members, [1, 2], 'second', tally);
    await members.start(3);
    await members.untilAllServe();
    tally.check('who was the leader follows', await members.modeOf(3), 'follower');
    await writeThroughEach(members, members.sids, 'third', tally);
    const [left, right] = await Promise.all([1, 3].map((sid) => pictureOf(members.addressOf(sid))));
    const common = left === undefined || right === undefined ? 0 : commonDigests(left, right);
    tally.check('digests are compared', common > 0, true);
    tally.none('nobody ended by itself', members.deaths);
    isKept = tally.failed > before;
  } finally {
    await members.dispose(isKept);
    if (isKept) console.log(`what the servers left behind: ${members.home}`);
  }
}
