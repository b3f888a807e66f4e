/**
 * The members of an ensemble that is to be, from the words of a command line: `a=10.0.0.1`. Everything
 * that would only come out when the last host refuses to start is found here, before a file is
 * written.
 */
import { isIP, isIPv6 } from 'node:net';
import { UsageError } from './arguments.js';

export interface PlannedServer {
  /** Of its folder; for people. */
  readonly name: string;
  readonly host: string;
  readonly sid: number;
  readonly role: 'participant' | 'observer';
}

export interface InitPlan {
  readonly servers: readonly PlannedServer[];
  /** All of them live on this machine, each at a loopback address of its own. */
  readonly isLocal: boolean;
  readonly warnings: readonly string[];
}

const folderName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const hostName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** Voters have the first numbers, in their order; then come the observers. Throws UsageError. */
export function planOf(voters: readonly string[], observers: readonly string[]): InitPlan {
  const servers = [
    ...voters.map((text) => ({ text, role: 'participant' as const })),
    ...observers.map((text) => ({ text, role: 'observer' as const })),
  ].map(({ text, role }, index) => ({ ...nameAndHost(text), sid: index + 1, role }));
  refuseTwins(servers, 'name');
  refuseTwins(servers, 'host');
  if (voters.length === 0)
    throw new UsageError('--server names the servers: --server a=10.0.0.1,…');
  if (voters.length === 1) {
    throw new UsageError(
      'one server that may vote is no ensemble, and needs no init: zabra server --data DIR',
    );
  }
  const local = servers.filter(({ host }) => isLoopback(host));
  const [first] = local;
  if (first !== undefined && local.length < servers.length) {
    throw new UsageError(
      `${first.name}: on every other host ${first.host} is that host itself: ` +
        'give the address that the others reach it by',
    );
  }
  return { servers, isLocal: first !== undefined, warnings: warningsOf(voters.length) };
}

/** `127.0.0.0/8`, `::1` and the name of both. */
export function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host) || host === '::1' || host === 'localhost';
}

/** As a zoo.cfg and a connect string have it. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function nameAndHost(text: string): Pick<PlannedServer, 'name' | 'host'> {
  const at = text.indexOf('=');
  const host = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
  const name = at < 0 ? host : text.slice(0, at);
  if (isIPv6(host) ? false : !hostName.test(host)) {
    throw new UsageError(
      `'${text}': '${host}' is no address of a host: NAME=HOST, as in a=10.0.0.1 (ports are options)`,
    );
  }
  if (isIP(host) === 0 && /^[\d.]+$/.test(host)) {
    throw new UsageError(`'${text}': '${host}' is no IPv4 address`);
  }
  if (host === '0.0.0.0' || host === '::') {
    throw new UsageError(`'${text}': ${host} is every address; the others need one to connect to`);
  }
  if (!folderName.test(name)) {
    throw new UsageError(
      `'${text}': '${name}' becomes the name of a folder: letters, digits, '.', '_' and '-'`,
    );
  }
  return { name, host };
}

function refuseTwins(servers: readonly PlannedServer[], key: 'name' | 'host'): void {
  const seen = new Map<string, PlannedServer>();
  for (const server of servers) {
    // names of hosts, and of files on some systems, are the same in capitals
    const value = server[key].toLowerCase();
    const other = seen.get(value);
    if (other !== undefined) {
      throw new UsageError(
        key === 'name'
          ? `two servers are called ${server.name}`
          : `${other.name} and ${server.name} are one host, ${server.host}: they would fail together`,
      );
    }
    seen.set(value, server);
  }
}

function warningsOf(voters: number): string[] {
  if (voters % 2 === 1) return [];
  const survives = voters / 2 - 1;
  const alternative = voters === 2 ? 'one server alone' : `${voters - 1}`;
  return [
    `${voters} voters go on after the loss of ${survives}, no more than ${alternative}: ` +
      'an odd number is better, or --observer for the last one',
  ];
}
