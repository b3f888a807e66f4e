/** Three workers, one of which leads; it goes, and another one does, with a larger token. */
import assert from 'node:assert/strict';
import { Client } from 'zabra/client';
import { LeaderElection } from 'zabra/recipes';
import { TestServer } from 'zabra/testing';

const server = await TestServer.start();
const end = new AbortController();
const terms: { readonly worker: string; readonly token: bigint }[] = [];

async function work(worker: string): Promise<void> {
  const zk = await new Client(server.connectString).connect();
  const election = new LeaderElection(zk, '/workers/leader', { id: worker });
  await election.run(
    async (hold) => {
      terms.push({ worker, token: hold.fencingToken });
      console.log(`${worker} leads`);
      // lead until the guarantee is gone; here: for a moment
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (terms.length === 6) end.abort();
    },
    { signal: end.signal },
  );
  await zk.close();
}

await Promise.all(['ada', 'bob', 'cyd'].map(work));
// in turn, and never two of them at once: each token is larger than the one before
assert.equal(new Set(terms.map(({ worker }) => worker)).size, 3);
for (const [i, { token }] of terms.entries())
  assert.ok(i === 0 || token > (terms[i - 1]?.token ?? 0n));
await server.stop();
