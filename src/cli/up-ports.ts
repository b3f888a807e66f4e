/**
 * The ports of `zabra up`. What a person gets without asking is always the same as long as it is
 * free; a port that somebody else has is passed over, and never silently.
 */
import { freePorts, isPortFree } from '../node/free-port.js';
import { UsageError } from './arguments.js';
import type { Terminal } from './terminal.js';

export const host = '127.0.0.1';

const portsTried = 100;

/** The client ports of an ensemble begin here: one server alone has ZooKeeper's own. */
export const firstEnsemblePort = 2191;

/** From the client ports to those that the servers use among themselves. */
const quorumOffset = 10;
const electionOffset = 20;
export const ensembleSpan = 2 * electionOffset;

export interface ServerPorts {
  readonly client: number;
  readonly quorum: number;
  readonly election: number;
}

/** The first free one, told loudly when it is not `first`. */
export async function portFrom(
  first: number,
  terminal: Pick<Terminal, 'complain'>,
): Promise<number> {
  for (let port = first; port < first + portsTried && port <= 65535; port++) {
    if (!(await isPortFree(port, host))) continue;
    if (port !== first) {
      terminal.complain(`PORT ${first} IS TAKEN: listening on ${port} instead (--port chooses)`);
    }
    return port;
  }
  throw new UsageError(`no free port from ${first} to ${first + portsTried - 1}: choose by --port`);
}

/** Three for each server, in its order; `first` 0: any free ones. */
export async function ensemblePorts(
  count: number,
  first: number,
  terminal: Pick<Terminal, 'complain'>,
): Promise<ServerPorts[]> {
  const [clients, quorums, elections] =
    first === 0
      ? await anyPorts(count)
      : [
          await portsFrom(first, count, terminal),
          await portsFrom(first + quorumOffset, count, terminal),
          await portsFrom(first + electionOffset, count, terminal),
        ];
  return clients.map((client, index) => ({
    client,
    quorum: quorums[index] ?? 0,
    election: elections[index] ?? 0,
  }));
}

async function anyPorts(count: number): Promise<[number[], number[], number[]]> {
  const all = await freePorts(3 * count, host);
  return [all.slice(0, count), all.slice(count, 2 * count), all.slice(2 * count)];
}

async function portsFrom(
  first: number,
  count: number,
  terminal: Pick<Terminal, 'complain'>,
): Promise<number[]> {
  const ports: number[] = [];
  for (let wanted = first; ports.length < count;) {
    const port = await portFrom(wanted, terminal);
    ports.push(port);
    wanted = port + 1;
  }
  return ports;
}
