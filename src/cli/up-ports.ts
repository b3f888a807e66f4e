/**
 * The ports of `zabra up`. What a person gets without asking is always the same as long as it is
 * free; a port that somebody else has is passed over, and never silently.
 */
import { freePorts, isPortFree } from '../node/free-port.js';
import { UsageError } from './arguments.js';
import type { Terminal } from './terminal.js';

export const host = '127.0.0.1';

const portsTried = 100;

/** ZooKeeper's own: where clients go, be it to a server that is alone or to what stands before several. */
const firstPort = 2181;
const firstAdminPort = 8081;

/** From where clients go to the servers of an ensemble, to the ports among them, and to the admin ports. */
const serverOffset = 10;
const quorumOffset = 20;
const electionOffset = 30;
const adminOffset = 40;
const span = adminOffset + serverOffset;

export interface ServerPorts {
  readonly client: number;
  /** 0: a server that is alone has none. */
  readonly quorum: number;
  readonly election: number;
  readonly admin: number;
}

export interface UpPorts {
  readonly servers: readonly ServerPorts[];
  readonly balancers: readonly number[];
}

type Teller = Pick<Terminal, 'complain'>;

/** The first free one, told loudly when it is not `first`. */
export async function portFrom(
  first: number,
  terminal: Teller,
  taken: ReadonlySet<number> = new Set(),
): Promise<number> {
  for (let port = first; port < first + portsTried && port <= 65535; port++) {
    if (taken.has(port) || !(await isPortFree(port, host))) continue;
    if (port !== first) {
      terminal.complain(`PORT ${first} IS TAKEN: listening on ${port} instead (--port chooses)`);
    }
    return port;
  }
  throw new UsageError(`no free port from ${first} to ${first + portsTried - 1}: choose by --port`);
}

/** Each in their order. `first`: of the ports where clients go; null: the usual ones; 0: any. */
export async function portsFor(
  count: number,
  balancerCount: number,
  first: number | null,
  terminal: Teller,
): Promise<UpPorts> {
  if (first !== null && first > 65535 - span) {
    throw new UsageError(
      `--port ${first} leaves no ports for the servers: at most ${65535 - span}`,
    );
  }
  const isAlone = count === 1;
  const free =
    first === 0
      ? anyPorts(await freePorts(4 * count + balancerCount, host))
      : portsFrom(new Set(), terminal);
  const base = first ?? firstPort;
  const balancers = await free(base, balancerCount);
  const clients = await free(isAlone ? base : base + serverOffset, count);
  const quorums = isAlone ? [] : await free(base + quorumOffset, count);
  const elections = isAlone ? [] : await free(base + electionOffset, count);
  const admins = await free(first === null ? firstAdminPort : first + adminOffset, count);
  const servers = clients.map((client, index) => ({
    client,
    quorum: quorums[index] ?? 0,
    election: elections[index] ?? 0,
    admin: admins[index] ?? 0,
  }));
  return { servers, balancers };
}

type Chooser = (first: number, count: number) => Promise<number[]>;

function anyPorts(ports: number[]): Chooser {
  return (_first, count) => Promise.resolve(ports.splice(0, count));
}

function portsFrom(taken: Set<number>, terminal: Teller): Chooser {
  return async (first, count) => {
    const ports: number[] = [];
    for (let wanted = first; ports.length < count;) {
      const port = await portFrom(wanted, terminal, taken);
      ports.push(port);
      taken.add(port);
      wanted = port + 1;
    }
    return ports;
  };
}
