/**
 * Ports that nobody listens on. Peers of an ensemble must know each other's ports before any of them
 * listens, so "0: any free one" is not enough for them. Whoever takes the port in between wins: the
 * server that is late says so when it starts.
 */
import { createServer } from 'node:net';

/** Looked at by taking it for a moment. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => done(true)));
  });
}

/**
 * Below the ports that systems give to outgoing connections (32768 and up on Linux): a server that
 * is down for a while must not find its port taken by somebody's connection.
 */
const firstPort = 10_000;
const portCount = 22_000;
const triesMax = 1000;

/** So many different ones, at random. */
export async function freePorts(count: number, host: string): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries >= triesMax) throw new Error(`no ${count} free ports on ${host}`);
    const port = firstPort + Math.floor(Math.random() * portCount);
    if (!ports.has(port) && (await isPortFree(port, host))) ports.add(port);
  }
  return [...ports];
}
