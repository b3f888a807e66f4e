/**
 * The members of an ensemble: what a dynamic file says, what servers tell each other of their
 * configuration, what a reconfiguration asks for and `/zookeeper/config` shows. The same few lines
 * everywhere, `server.N=…`, groups, weights, and the version.
 */
import { parseEnsembleServer, type EnsembleServer } from './ensemble-config.js';
import { parseProperties } from './java-properties.js';

export interface Members {
  readonly servers: ReadonlyMap<number, EnsembleServer>;
  /** sid to group id; empty: majority quorums. */
  readonly groupOf: ReadonlyMap<number, number>;
  readonly weightOf: ReadonlyMap<number, number>;
  /** The zxid of the transaction that brought it; 0: it stands in a file and nobody agreed to it. */
  readonly version: bigint;
}

export type MembersReading =
  | { readonly ok: true; readonly members: Members }
  /** `isMalformed`: Apache fails on it with an exception of Java's instead of its own. */
  | { readonly ok: false; readonly reason: string; readonly isMalformed: boolean };

const hexadecimal = /^[0-9a-fA-F]{1,16}$/;

export function readMembers(text: string): MembersReading {
  const servers = new Map<number, EnsembleServer>();
  const groupOf = new Map<number, number>();
  const weightOf = new Map<number, number>();
  let version = 0n;
  const wrong = (reason: string, isMalformed = false): MembersReading => ({
    ok: false,
    reason,
    isMalformed,
  });
  // of a repeated key the last counts, in the place of the first
  const values = new Map<string, string>();
  for (const { key, value } of parseProperties(text).entries) values.set(key.trim(), value.trim());
  for (const [key, value] of values) {
    if (key === 'version') {
      if (!hexadecimal.test(value)) return wrong(`version: '${value}'`, true);
      version = BigInt(`0x${value}`);
      continue;
    }
    const [, kind, idText = ''] = /^(server|group|weight)\.(.*)$/.exec(key) ?? [];
    if (kind === undefined) return wrong(`Unrecognised parameter: ${key}`);
    const id = wholeOf(idText);
    if (id === null) return wrong(`${key}: no number`, true);
    if (kind === 'server') {
      const reading = parseEnsembleServer(id, value);
      if (!reading.ok) return wrong(`${key}: ${reading.reason}`);
      servers.set(id, reading.server);
    } else if (kind === 'weight') {
      const weight = wholeOf(value);
      if (weight === null) return wrong(`${key}: '${value}' is no number`, true);
      weightOf.set(id, weight);
    } else {
      for (const member of value.split(':')) {
        const sid = wholeOf(member);
        if (sid === null) return wrong(`${key}: '${member}' is no number`, true);
        if (groupOf.has(sid)) return wrong(`${key}: server ${sid} is in two groups`);
        groupOf.set(sid, id);
      }
    }
  }
  if (groupOf.size > 0 || weightOf.size > 0) {
    for (const { sid, role } of servers.values()) {
      if (role !== 'participant') continue;
      if (!groupOf.has(sid)) return wrong(`server ${sid} is in no group`);
      if (!weightOf.has(sid)) weightOf.set(sid, 1);
    }
  }
  return { ok: true, members: { servers, groupOf, weightOf, version } };
}

function wholeOf(text: string): number | null {
  const value = /^\s*\d+\s*$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : null;
}

export function votersOf({ servers }: Members): number[] {
  return [...servers.values()].filter(({ role }) => role === 'participant').map(({ sid }) => sid);
}

/** The same servers in the same roles at the same places; the version is not looked at. */
export function areSameMembers(a: Members, b: Members): boolean {
  if (a.servers.size !== b.servers.size) return false;
  for (const [sid, server] of a.servers) {
    const other = b.servers.get(sid);
    if (other === undefined || !isSameServer(server, other)) return false;
  }
  return isSameMap(a.groupOf, b.groupOf) && isSameMap(a.weightOf, b.weightOf);
}

function isSameServer(a: EnsembleServer, b: EnsembleServer): boolean {
  return (
    a.role === b.role &&
    a.client?.host === b.client?.host &&
    a.client?.port === b.client?.port &&
    isAtSamePlace(a, b)
  );
}

/** Where the other servers reach it. */
export function isAtSamePlace(a: EnsembleServer, b: EnsembleServer): boolean {
  const places = ({ addresses }: EnsembleServer): string =>
    addresses
      .map(({ host, quorumPort, electionPort }) => `${host}:${quorumPort}:${electionPort}`)
      .sort()
      .join('|');
  return places(a) === places(b);
}

function isSameMap(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
