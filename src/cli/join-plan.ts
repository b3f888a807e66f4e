/**
 * A server that is to join an ensemble: what it is told on the command line, looked at beside who is
 * there already. Everything that would only come out when the ensemble refuses is found here, before a
 * file is written.
 */
import { isIP } from 'node:net';
import type { EnsembleServer } from '../server/config/ensemble-config.js';
import type { Members } from '../server/config/members.js';
import { numberOf, UsageError, type Arguments } from './arguments.js';

export const joinValues = ['id', 'address', 'ports', 'client-port', 'data', 'auth'] as const;

const hostName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const SID_MAX = 255;
const FREE_SHOWN = 3;

/** Where it will be, and as what. Throws UsageError. */
export function joinerOf(args: Arguments): EnsembleServer {
  const sid = numberOf(args, 'id', 1, SID_MAX);
  if (sid === null) throw new UsageError('--id is missing: the number of the new server, 1 to 255');
  const host = args.values.get('address')?.replace(/^\[(.*)\]$/, '$1');
  if (host === undefined) {
    throw new UsageError('--address is missing: where the other servers reach this one');
  }
  if (isIP(host) === 0 && (!hostName.test(host) || /^[\d.]+$/.test(host))) {
    throw new UsageError(`--address: '${host}' is no address of a host (ports are options)`);
  }
  if (host === '0.0.0.0' || host === '::') {
    throw new UsageError(`--address: ${host} is every address; the others need one to connect to`);
  }
  const ports = /^(\d{1,5}):(\d{1,5})$/.exec(args.values.get('ports') ?? '2888:3888');
  if (ports === null) throw new UsageError('--ports is QUORUM:ELECTION, as in 2888:3888');
  const [quorumPort, electionPort] = [Number(ports[1]), Number(ports[2])];
  const port = numberOf(args, 'client-port', 1, 65_535) ?? 2181;
  const all = [quorumPort, electionPort, port];
  if (all.some((one) => one < 1 || one > 65_535) || new Set(all).size < all.length) {
    throw new UsageError(
      'the ports for the quorum, elections and clients are three, from 1 to 65535',
    );
  }
  return {
    sid,
    addresses: [{ host, quorumPort, electionPort }],
    role: args.flags.has('observer') ? 'observer' : 'participant',
    client: { host: isLocal(host) ? host : '0.0.0.0', port },
  };
}

/** Several on one machine must not all listen everywhere. */
function isLocal(host: string): boolean {
  return /^127\./.test(host) || host === '::1' || host === 'localhost';
}

/** Whether it is a member already, as an earlier attempt left it. Throws UsageError. */
export function standingOf(
  joiner: EnsembleServer,
  members: Members,
): 'new' | 'member' | 'other role' {
  const { servers } = members;
  if (members.groupOf.size > 0) {
    throw new UsageError('the ensemble has groups: a reconfiguration must say all its members');
  }
  const taken = servers.get(joiner.sid);
  if (taken !== undefined && placeText(taken) !== placeText(joiner)) {
    throw new UsageError(
      `--id ${joiner.sid} is taken, by the server at ${placeText(taken)}; ` +
        `${freeNumbers(members).join(', ')} are free`,
    );
  }
  for (const other of servers.values()) {
    if (other.sid === joiner.sid) continue;
    const shared = sharedPlace(joiner, other);
    if (shared !== null) throw new UsageError(`${shared} is where server ${other.sid} is`);
  }
  if (taken === undefined) return 'new';
  return taken.role === joiner.role ? 'member' : 'other role';
}

function freeNumbers({ servers }: Members): number[] {
  const free: number[] = [];
  for (let sid = 1; sid <= SID_MAX && free.length < FREE_SHOWN; sid++) {
    if (!servers.has(sid)) free.push(sid);
  }
  return free;
}

export function placeText({ addresses }: EnsembleServer): string {
  const places = addresses.map(({ host, quorumPort, electionPort }) => {
    return `${host.includes(':') ? `[${host}]` : host}:${quorumPort}:${electionPort}`;
  });
  return places.sort().join('|');
}

function sharedPlace(joiner: EnsembleServer, other: EnsembleServer): string | null {
  const taken = new Set(
    other.addresses.flatMap(({ host, quorumPort, electionPort }) => [
      `${host}:${quorumPort}`,
      `${host}:${electionPort}`,
    ]),
  );
  for (const { host, quorumPort, electionPort } of joiner.addresses) {
    for (const port of [quorumPort, electionPort]) {
      if (taken.has(`${host}:${port}`)) return `${host}:${port}`;
    }
  }
  return null;
}
