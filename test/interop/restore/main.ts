/**
 * `node build/test/interop/restore/main.js [names…]`: the admin commands `snapshot` and `restore`, between
 * Apache's server and ours in both directions, in an ensemble of ours and in a mixed one, and what both
 * refuse. What is restored is the same: each znode with its stat, and the tree's digest.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Members, type Kind } from '../../cluster/members.js';
import { differences, pictureOf } from '../../cluster/picture.js';
import { MissingError } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { startOracle } from '../../support/oracle.js';
import { flags, perms } from '../../support/requests.js';
import type { ServerProcess } from '../../support/server-process.js';
import { TestClient } from '../../support/test-client.js';
import { startZabra } from '../../support/zabra-process.js';
import { Tally } from '../ensemble/tally.js';
import { ask, digestIn, restore, takeSnapshot } from './backup.js';

const config = { 'admin.enableServer': 'true', 'admin.rateLimiterIntervalInMS': '0' };
const ownAcl = [{ perms: perms.all, scheme: 'digest', id: 'bob:vlUvLnd8MnWl+9vPZDYcIqx0mqY=' }];

async function start(kind: Kind, more: Record<string, string> = {}): Promise<ServerProcess> {
  const options = {
    config: { ...config, ...more },
    properties: { 'zookeeper.extendedTypesEnabled': 'true' },
  };
  return await (kind === 'apache' ? startOracle('3.9.5', options) : startZabra(options));
}

/** Something of everything; the client's session stays. */
async function fill(server: { readonly host: string; readonly port: number }): Promise<TestClient> {
  const client = await TestClient.connect(server, { timeoutMs: 30_000 });
  for (const path of ['/a', '/a/b', '/a/b/c', '/ünïcode', '/gone']) {
    await client.create(path, { data: `data of ${path}` });
  }
  for (let i = 0; i < 300; i++) await client.create(`/a/b/n-${i}`, { data: 'x'.repeat(i) });
  await client.create('/null', { data: null });
  await client.create('/seq/', { flags: flags.persistentSequential });
  await client.create('/a/seq-', { flags: flags.persistentSequential });
  await client.create('/mine', { acl: ownAcl });
  await client.createContainer('/container');
  await client.create('/container/child');
  await client.createTtl('/ttl', 3_600_000n);
  await client.create('/ephemeral', { flags: flags.ephemeral });
  for (let i = 0; i < 5; i++) await client.setData('/a', `version ${i}`);
  await client.delete('/gone');
  return client;
}

/** Takes what `from` has to a new server of the kind `to`; the two show the same. */
async function carry(from: Kind, to: Kind, tally: Tally): Promise<void> {
  const [source, target] = await Promise.all([start(from), start(to)]);
  try {
    const client = await fill(source);
    const before = await fill(target);
    await before.create('/only-here');
    const watcher = await TestClient.connect(target, { timeoutMs: 30_000 });
    await watcher.exists('/a', true);
    const taken = await takeSnapshot(source.adminPort);
    tally.check('snapshot: status', taken.status, 200);
    tally.check('snapshot: type', taken.type, 'application/octet-stream');
    tally.check('snapshot: size', taken.size, taken.bytes.length);
    tally.check('snapshot: last zxid', /^0x[0-9a-f]+$/.test(taken.lastZxid), true);
    const { status, fields } = await restore(target.adminPort, taken.bytes);
    tally.check('restore: status', status, 200);
    tally.check('restore: fields', Object.keys(fields).join(' '), 'last_zxid command error');
    tally.check('restore: last zxid', fields['last_zxid'], BigInt(taken.lastZxid));
    const [one, other] = await Promise.all([pictureOf(source), pictureOf(target)]);
    tally.none(
      'the same znodes',
      differences(
        { ...one, digests: new Map() },
        { ...other, digests: new Map() },
        `${from}, ${to}`,
      ),
    );
    tally.check('the znode of before is gone', other.znodes.has('/only-here'), false);
    const again = await takeSnapshot(target.adminPort);
    tally.check('the same digest', digestIn(again.bytes), digestIn(taken.bytes));
    const late = await TestClient.connect(target);
    tally.check('it is written to', (await late.create('/late')).err, 0);
    await late.close();
    for (const other of [client, before, watcher]) other.destroy();
    if (to === 'zabra') await durable(target, tally);
  } finally {
    await Promise.all([source.dispose(), target.dispose()]);
  }
}

/** What was restored and written then is there after a kill -9. */
async function durable(target: ServerProcess, tally: Tally): Promise<void> {
  const before = await pictureOf(target);
  await target.kill('SIGKILL');
  const again = await target.startAgain();
  const after = await pictureOf(again);
  await again.kill('SIGKILL');
  // the ephemerals' sessions may have ended meanwhile
  const digests = new Map<string, string>();
  const [one, other] = [before, after].map((picture) => ({ ...picture, digests }));
  if (one === undefined || other === undefined) throw new Error('two pictures');
  tally.none('it is there after kill -9', differences(one, other, 'before, after'));
}

/** What they refuse, both alike; Apache's answers say no reason. */
async function refusals(tally: Tally): Promise<void> {
  const told: string[][] = [];
  for (const kind of ['apache', 'zabra'] as const) {
    const lines: string[] = [];
    const note = (what: string, answer: { status: number; fields: object }): void => {
      lines.push(`${what}: ${answer.status} ${Object.keys(answer.fields).sort().join(' ')}`);
    };
    const server = await start(kind, { 'admin.rateLimiterIntervalInMS': '60000' });
    try {
      const port = server.adminPort;
      for (const command of ['snapshot', 'restore'] as const) {
        const method = command === 'restore' ? 'POST' : 'GET';
        const shown = [null, 'digest', 'nobody knows:this', 'digest a:b c', 'world anyone'];
        for (const authorization of shown) {
          const answer = await ask(port, command, { method, authorization });
          note(`${command}, ${authorization ?? 'nothing'}`, answer);
        }
      }
      // 60000 is a minute for restore, and 60 ms for snapshot
      await sleep(100);
      note('not streaming', await ask(port, 'snapshot?streaming=false'));
      note('at once', await ask(port, 'snapshot?streaming=false'));
      await sleep(100);
      note('a little later', await ask(port, 'snap?streaming=false'));
      const garbage = new TextEncoder().encode('this is no snapshot');
      note('garbage', await ask(port, 'restore', { method: 'POST', body: garbage }));
      note('at once', await ask(port, 'rest', { method: 'POST', body: garbage }));
      const client = await TestClient.connect(server);
      await client.create('/kept');
      await client.setAcl('/', ownAcl);
      note('not permitted', await ask(port, 'snapshot'));
      note('nor ip', await ask(port, 'snapshot', { authorization: 'ip' }));
      client.destroy();
    } finally {
      await server.dispose();
    }
    const off = await start(kind, {
      'admin.snapshot.enabled': 'false',
      'admin.restore.enabled': 'false',
    });
    try {
      note('switched off', await ask(off.adminPort, 'snapshot'));
      note('switched off', await ask(off.adminPort, 'restore', { method: 'POST' }));
    } finally {
      await off.dispose();
    }
    told.push(lines);
  }
  const [apache = [], zabra = []] = told;
  for (const [index, line] of apache.entries()) tally.check('refusals', zabra[index], line);
}

/** The leader restores, and all others take it over; nothing of what a majority had then is left. */
async function ensemble(kinds: readonly Kind[], tally: Tally): Promise<void> {
  const members = await Members.prepare(kinds, {
    purpose: 'restore',
    config,
    properties: { 'zookeeper.extendedTypesEnabled': 'true' },
  });
  let isKept = true;
  const failed = tally.failed;
  try {
    await members.startAll();
    await members.untilAllServe();
    const leader = await members.leader();
    tally.check('ours leads', members.kindOf(leader), 'zabra');
    const client = await fill(members.addressOf(leader));
    const taken = await takeSnapshot(members.adminPortOf(leader));
    for (let i = 0; i < 100; i++) await client.create(`/later-${i}`);
    const watcher = await TestClient.connect(members.addressOf(leader), { timeoutMs: 30_000 });
    const follower = members.sids.find((sid) => sid !== leader && members.kindOf(sid) === 'zabra');
    if (follower !== undefined) {
      const { status } = await restore(members.adminPortOf(follower), taken.bytes);
      tally.check('a follower does not restore alone', status, 500);
    }
    const startMs = Date.now();
    const { status, fields } = await restore(members.adminPortOf(leader), taken.bytes);
    console.log(`restored in the ensemble after ${Date.now() - startMs} ms`);
    tally.check('restore: status', `${status} ${String(fields['error'])}`, '200 null');
    tally.check('restore: last zxid', fields['last_zxid'], BigInt(taken.lastZxid));
    await members.untilAllServe();
    await compare(members, tally, 'restored');
    const writer = await TestClient.connect(members.addressOf(leader));
    for (let i = 0; i < 50; i++) await writer.create(`/after-${i}`);
    await writer.close();
    await compare(members, tally, 'written to');
    for (const other of [client, watcher]) other.destroy();
    await Promise.all(members.sids.map((sid) => members.end(sid)));
    await members.startAll();
    await members.untilAllServe();
    await compare(members, tally, 'after kill -9 of all');
    tally.none('nobody ended by itself', members.deaths);
    isKept = tally.failed > failed;
  } finally {
    await members.dispose(isKept);
    if (isKept) console.log(`what the servers left behind: ${members.home}`);
  }
}

async function compare(members: Members, tally: Tally, when: string): Promise<void> {
  const pictures = await Promise.all(members.sids.map((sid) => pictureOf(members.addressOf(sid))));
  const [first, ...others] = pictures;
  if (first === undefined) throw new Error('there are servers');
  for (const [index, other] of others.entries()) {
    tally.none(`${when}: 1 and ${index + 2}`, differences(first, other, when));
  }
  tally.check(`${when}: what came later is gone`, first.znodes.has('/later-99'), false);
  tally.check(`${when}: what was there is`, first.znodes.has('/a/b/n-299'), true);
}

const scenes: Readonly<Record<string, (tally: Tally) => Promise<void>>> = {
  'apache-to-zabra': (tally) => carry('apache', 'zabra', tally),
  'zabra-to-apache': (tally) => carry('zabra', 'apache', tally),
  'zabra-to-zabra': (tally) => carry('zabra', 'zabra', tally),
  refusals,
  ensemble: (tally) => ensemble(['zabra', 'zabra', 'zabra'], tally),
  'mixed-ensemble': (tally) => ensemble(['zabra', 'apache', 'zabra'], tally),
};

async function main(): Promise<number> {
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(scenes);
  const tally = new Tally();
  let skipped = 0;
  for (const name of wanted) {
    const scene = scenes[name];
    if (scene === undefined)
      throw new Error(`no ${name}; there are: ${Object.keys(scenes).join(', ')}`);
    tally.begin(name);
    const startMs = Date.now();
    try {
      await requireJava();
      await scene(tally);
    } catch (problem) {
      if (problem instanceof MissingError) {
        skipped++;
        console.log(`skip: ${problem.message}`);
        continue;
      }
      const why = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
      tally.none('it comes to its end', [why]);
    }
    console.log(`${name}: ${((Date.now() - startMs) / 1000).toFixed(1)} s`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
