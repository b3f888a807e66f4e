/** How long a client's watches are gone for after its connection broke, through a relay that breaks it. */
import { connect, createServer, type Socket } from 'node:net';
import { Client } from 'zabra/client';

/** From the break until the last of `count` watches is known to be in place again. */
export async function reconnectMs(server: string, count: number): Promise<number> {
  const { hostname, port } = new URL(`tcp://${server}`);
  const open = new Set<Socket>();
  const relay = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port), noDelay: true });
    near.setNoDelay(true);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  const relayPort = address !== null && typeof address === 'object' ? address.port : 0;
  const zk = await new Client(`127.0.0.1:${relayPort}`).connect();
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
  for (const socket of open) socket.destroy();
  await connected;
  // answered after the watches are in place: requests of a session are answered in order
  await zk.exists('/');
  const took = performance.now() - began;
  await zk.close();
  await new Promise<void>((resolve) => void relay.close(() => resolve()));
  return took;
}
