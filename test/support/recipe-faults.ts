/** A recipe under a fault at its n-th request, for every n there is; and writes that get through faults. */
import { OutcomeUnknownError, type ZkClient } from 'zabra/client';
import { faultyClient, type Fault } from './faulty-client.js';
import { patiently, type RecipeBench } from './recipe-bench.js';

/** `play` gets a client of its own, and a path that nobody else has. */
export async function withFaults(
  bench: RecipeBench,
  fault: Fault,
  name: string,
  play: (client: ZkClient, path: string, at: number) => Promise<void>,
): Promise<void> {
  for (let at = 0; ; at++) {
    const client = await bench.connect();
    const faulty = faultyClient(client, bench.server, at, fault);
    await play(faulty.client, `/faults/${name}-${fault.replace(' ', '-')}-${at}`, at);
    const isDone = faulty.count <= at;
    await client.close();
    if (isDone) return;
  }
}

/** Faults strike the onlookers' writes too; these may be made twice. */
export async function insist(write: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await patiently(write);
      return;
    } catch (problem) {
      if (!(problem instanceof OutcomeUnknownError)) throw problem;
    }
  }
}
