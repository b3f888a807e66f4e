/** An ensemble of one grows to three while it serves, and a server leaves it again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZooServer } from 'zabra/server';

const home = mkdtempSync(join(tmpdir(), 'zabra-example-'));
const options = (id: number) => ({ id, dataDir: join(home, String(id)), preAllocBytes: 65_536 });

// the first member says where it is; alone it is a quorum
const [quorumPort, electionPort, clientPort] = await freePorts(3);
const servers = { 1: `127.0.0.1:${quorumPort}:${electionPort};127.0.0.1:${clientPort}` };
const first = new ZooServer({ ...options(1), servers });
first.on('config', ({ ensemble }) => {
  console.log('members:', [...ensemble.servers.keys()].join(', '));
});
await first.start();
await first.leaderElection();

// the others need one address of any member; a free port is found for whatever is not given
const second = new ZooServer(options(2));
await second.join(first.connectString);
const third = new ZooServer({ ...options(3), peerType: 'participant' });
await third.join(`${first.connectString},${second.connectString}`);
for (const replica of first.replicaList()) console.log(replica.id, replica.role, replica.address);

// a member that has joined is one after its next start, too
await third.stop();
await third.start();
console.log('the leader is', await third.leaderElection());

// whoever leaves hands leadership over first, if it has it, and stops
await first.leave();
console.log('server 1 is', first.status().state);
console.log('the leader is', await second.leaderElection());

await third.stop();
await second.stop();
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
