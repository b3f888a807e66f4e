/**
 * Where to connect: `h1:2181,h2,[::1]:2182/chroot`, as every ZooKeeper client writes it, or
 * `dns-srv://name/chroot` (as Apache's from 3.10), which leaves hosts and ports to the DNS.
 *
 * Apache's parser takes what it can and shrugs at the rest (`h1,,h2:` is two hosts), and the mistake
 * shows up as a server that never answers. Here each fault is refused with its position. White space
 * around hosts is what configuration files do, and is let pass.
 */
import { checkPath } from './arguments.js';
import { ArgumentError, describeValue } from './argument-error.js';
import type { ServerAddress } from './types.js';

export interface ConnectString {
  /** As they were written; empty when `srvName` says where to look. */
  readonly servers: readonly ServerAddress[];
  /** The name whose SRV records are the servers; null: the list is given. */
  readonly srvName: string | null;
  /** What all paths are relative to; empty for none. */
  readonly root: string;
}

export const portDefault = 2181;
const SRV_PREFIX = 'dns-srv://';
const WHAT = 'connectString';

/** Throws `ArgumentError`. Hosts come out without brackets, in lower case where they are names. */
export function parseConnectString(text: unknown): ConnectString {
  if (typeof text !== 'string') {
    throw new ArgumentError(WHAT, '', 0, `expected a string, not ${describeValue(text)}`);
  }
  const isSrv = text.trimStart().toLowerCase().startsWith(SRV_PREFIX);
  const start = isSrv ? text.length - text.trimStart().length + SRV_PREFIX.length : 0;
  const slash = text.indexOf('/', start);
  const end = slash < 0 ? text.length : slash;
  const root = slash < 0 ? '' : parseRoot(text, slash);
  if (isSrv) return { servers: [], srvName: parseSrvName(text, start, end), root };
  return { servers: parseServers(text, end), srvName: null, root };
}

/** The shortest text that parses to the same. */
export function printConnectString({ servers, srvName, root }: ConnectString): string {
  if (srvName !== null) return `${SRV_PREFIX}${srvName}${root}`;
  return `${servers.map(printServer).join(',')}${root}`;
}

/** `host:port`, with brackets where the host is an IPv6 address. */
export function printServer({ host, port }: ServerAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** One server, as in a connect string; `at` is where it begins in `text`, for the error. */
export function parseServer(server: string, text = server, at = 0): ServerAddress {
  if (server.startsWith('[')) return parseBracketed(server, text, at);
  const colon = server.indexOf(':');
  if (colon !== server.lastIndexOf(':')) {
    throw new ArgumentError(WHAT, text, at, 'an IPv6 address goes in brackets: [::1]:2181');
  }
  const host = colon < 0 ? server : server.slice(0, colon);
  checkHostName(host, text, at);
  const port = colon < 0 ? portDefault : parsePort(server.slice(colon + 1), text, at + colon + 1);
  return { host: host.toLowerCase(), port };
}

function parseRoot(text: string, slash: number): string {
  const root = text.slice(slash).trimEnd();
  if (root === '/') return '';
  try {
    checkPath(root, WHAT);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const reason = `the chroot ${root} is not a path: ${error.reason}`;
    throw new ArgumentError(WHAT, text, slash + error.position, reason);
  }
  return root;
}

function parseServers(text: string, end: number): ServerAddress[] {
  const servers: ServerAddress[] = [];
  const seen = new Set<string>();
  for (let at = 0; at <= end;) {
    const comma = text.indexOf(',', at);
    const next = comma < 0 || comma > end ? end : comma;
    const part = text.slice(at, next);
    const trimmed = part.trim();
    const begin = at + (part.length - part.trimStart().length);
    if (trimmed === '') {
      const isAlone = at === 0 && next === end;
      throw new ArgumentError(
        WHAT,
        text,
        Math.min(at, text.length),
        isAlone ? 'no server is named' : 'a comma without a server beside it',
      );
    }
    const server = parseServer(trimmed, text, begin);
    const printed = printServer(server);
    if (seen.has(printed)) throw new ArgumentError(WHAT, text, begin, `${printed} is named twice`);
    seen.add(printed);
    servers.push(server);
    at = next + 1;
  }
  return servers;
}

function parseBracketed(server: string, text: string, at: number): ServerAddress {
  const close = server.indexOf(']');
  if (close < 0) throw new ArgumentError(WHAT, text, at, 'the bracket is not closed');
  const inside = server.slice(1, close);
  // the part after % names an interface, where case matters
  const percent = inside.indexOf('%');
  const addressEnd = percent < 0 ? inside.length : percent;
  const host = inside.slice(0, addressEnd).toLowerCase() + inside.slice(addressEnd);
  if (!isIPv6(host)) {
    throw new ArgumentError(WHAT, text, at + 1, 'what is in brackets is not an IPv6 address');
  }
  if (close === server.length - 1) return { host, port: portDefault };
  if (server[close + 1] !== ':') {
    throw new ArgumentError(WHAT, text, at + close + 1, 'expected :port after the bracket');
  }
  return { host, port: parsePort(server.slice(close + 2), text, at + close + 2) };
}

function parsePort(digits: string, text: string, at: number): number {
  const port = /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65535) {
    throw new ArgumentError(WHAT, text, at, 'a port is a number from 1 to 65535');
  }
  return port;
}

function parseSrvName(text: string, start: number, end: number): string {
  const part = text.slice(start, end);
  const name = part.trim();
  const at = start + (part.length - part.trimStart().length);
  if (name === '') throw new ArgumentError(WHAT, text, at, 'expected a name after dns-srv://');
  const odd = /[,:]/.exec(name);
  if (odd !== null) {
    throw new ArgumentError(
      WHAT,
      text,
      at + odd.index,
      'after dns-srv:// comes one name: hosts and ports are in the DNS',
    );
  }
  checkHostName(name, text, at);
  return name.toLowerCase();
}

/** What a resolver may be asked for; IPv4 addresses look like names and pass. */
function checkHostName(host: string, text: string, at: number): void {
  if (host === '') throw new ArgumentError(WHAT, text, at, 'no host is named before the port');
  const odd = /[^\p{L}\p{M}\p{N}._-]/u.exec(host);
  if (odd !== null) {
    throw new ArgumentError(WHAT, text, at + odd.index, 'a host name does not hold this character');
  }
  const empty = host.startsWith('.') ? 0 : host.indexOf('..');
  if (empty >= 0) throw new ArgumentError(WHAT, text, at + empty, 'a host name with an empty part');
  if (host.length > HOST_NAME_MAX) {
    throw new ArgumentError(
      WHAT,
      text,
      at + HOST_NAME_MAX,
      'a host name has at most 253 characters',
    );
  }
}

const HOST_NAME_MAX = 253;

/** RFC 4291, 2.2: eight groups, of which `::` may stand for one or more, the last two maybe IPv4. */
function isIPv6(host: string): boolean {
  const [address = '', zone, ...more] = host.split('%');
  if (more.length > 0 || (zone !== undefined && !/^[\w.-]+$/.test(zone))) return false;
  const halves = address.split('::');
  if (halves.length > 2) return false;
  let count = 0;
  for (const [i, half] of halves.entries()) {
    if (half === '') continue;
    const groups = half.split(':');
    const last = groups.at(-1) ?? '';
    if (i === halves.length - 1 && last.includes('.')) {
      if (!isIPv4(last)) return false;
      groups.splice(-1, 1, '0', '0');
    }
    if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return false;
    count += groups.length;
  }
  return halves.length === 2 ? count <= 7 : count === 8;
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}
