/**
 * Ports for servers that are started again and again: below the range from which the system takes
 * ports for outgoing connections, or one of those sits on the port when a server comes back.
 */
import { createServer } from 'node:net';

const lowest = 20_000;
const highest = 32_000;
let next = lowest + Math.floor(Math.random() * (highest - lowest));

export async function steadyPort(): Promise<number> {
  for (;;) {
    const port = next;
    next = port >= highest ? lowest : port + 1;
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => {
      resolve(false);
    });
    probe.listen(port, () => {
      probe.close(() => {
        resolve(true);
      });
    });
  });
}
