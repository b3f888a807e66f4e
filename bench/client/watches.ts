/** How long a client's watches are gone for after its connection broke, through a gate that breaks it. */
import { Client } from 'zabra/client';
import { Gate } from '../../test/support/gate.js';

/** From the break until the last of `count` watches is known to be in place again. */
export async function reconnectMs(server: string, count: number): Promise<number> {
  const gate = await Gate.before(Number(new URL(`tcp://${server}`).port));
  const zk = await new Client(gate.connectString).connect();
  const watched = Array.from({ length: count }, (_, i) => `/client-bench-watched-node-${i}`);
  await Promise.all(watched.map((path) => zk.exists(path, { watch: () => undefined })));
  const connected = new Promise<void>((resolve) => {
    let wasSuspended = false;
    zk.on('state', (state) => {
      if (state === 'suspended') wasSuspended = true;
      if (state === 'connected' && wasSuspended) resolve();
    });
  });
  const began = performance.now();
  gate.cut();
  await connected;
  // answered after the watches are in place: requests of a session are answered in order
  await zk.exists('/');
  const took = performance.now() - began;
  await zk.close();
  await gate.close();
  return took;
}
