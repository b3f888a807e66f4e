/**
 * The servers of an ensemble and where clients reach them, out of the text of /zookeeper/config:
 *
 *   server.1=zk1:2888:3888:participant;0.0.0.0:2181
 *   version=100000000
 *
 * Where the client port is bound to every address, the server's own host is the one to go to.
 */
import type { BackendAddress } from './backend.js';

/**
 * Servers that name no client port have `portElse`, or are left out when it is null (their own
 * configuration file names it then, which nobody but they can read).
 */
export function clientAddresses(config: string, portElse: number | null): BackendAddress[] {
  const addresses: BackendAddress[] = [];
  for (const line of config.split('\n')) {
    const match = /^\s*server\.\d+\s*=\s*([^;|]+)[^;]*(?:;(.*))?$/.exec(line);
    if (match === null) continue;
    const [, server = '', client] = match;
    const host = hostOf(server.trim());
    const place = client === undefined ? null : clientPlace(client.trim());
    const port = place?.port ?? portElse;
    if (host === null || port === null) continue;
    const bound = place?.host ?? '';
    addresses.push({ host: anywhere.has(bound) ? host : bound, port });
  }
  return addresses;
}

const anywhere: ReadonlySet<string> = new Set(['', '0.0.0.0', '::', '0:0:0:0:0:0:0:0', '*']);

function hostOf(server: string): string | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):\d+/.exec(server);
  return match?.[1] ?? match?.[2] ?? null;
}

function clientPlace(client: string): { host: string | null; port: number } | null {
  const match = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(client);
  if (match === null) return null;
  return { host: match[1] ?? match[2] ?? null, port: Number(match[3]) };
}
