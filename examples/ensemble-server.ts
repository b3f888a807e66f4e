/** Three servers of one ensemble inside your program; in production each has a machine of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpCode } from 'zabra/protocol';
import { ZooServer } from 'zabra/server';

const home = mkdtempSync(join(tmpdir(), 'zabra-example-'));
const ports = await freePorts(6);
const servers = {
  1: `127.0.0.1:${ports[0]}:${ports[1]}`,
  2: `127.0.0.1:${ports[2]}:${ports[3]}`,
  3: `127.0.0.1:${ports[4]}:${ports[5]}`,
};
const members = [1, 2, 3].map(
  (id) => new ZooServer({ id, servers, dataDir: join(home, String(id)), preAllocBytes: 65_536 }),
);
for (const member of members) {
  const { id } = member.status();
  member.on('state', (state) => {
    console.log('server', id, 'is', state);
  });
  member.on('leader', (leader) => {
    console.log('server', id, 'knows the leader:', leader);
  });
  await member.start();
}

// while it looks for a leader: the one that is elected
const elected = await Promise.all(members.map((member) => member.leaderElection()));
const leader = members[(elected[0] ?? 1) - 1];
const [follower] = members.filter((member) => member.status().state === 'follower');
if (leader === undefined || follower === undefined) throw new Error('one leads, others follow');
console.log(leader.status());

// one op through the follower's pipeline: the leader orders it, a quorum makes it durable
const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
const data = new TextEncoder().encode('hello');
const body = { path: '/greeting', data, acl, flags: 0 };
console.log(await follower.submitRequest({ op: OpCode.create, body }));

// who hears whom, on which port, and how far each is
for (const replica of leader.replicaList()) console.log(replica);

// leadership goes to another server, without an election
const next = await leader.leaderElection({ to: follower.status().id });
console.log('server', next, 'leads now');

// zoo.cfg, a dynamic file with the members, and myid: `zabra server` and Apache's start with them
const file = join(home, 'zoo.cfg');
await follower.saveConfig(file);
console.log(await follower.loadConfig(file));

for (const member of members) await member.stop();
rmSync(home, { recursive: true });

/** In production you choose them. */
async function freePorts(count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer());
  const found: number[] = [];
  for (const probe of probes) {
    await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening));
    found.push((probe.address() as AddressInfo).port);
  }
  for (const probe of probes) await new Promise((closed) => probe.close(closed));
  return found;
}
