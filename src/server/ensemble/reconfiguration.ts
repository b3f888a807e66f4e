/**
 * What a client that asks for another configuration gets: the next configuration, or the reason why
 * not. The checks are Apache's, in Apache's order, so that operators' scripts meet the same errors.
 */
import { ErrorCode } from '../../protocol/errors.js';
import type { ReconfigRequest } from '../../protocol/records.js';
import type { Zxid } from '../../protocol/zxid.js';
import { parseEnsembleServer, type EnsembleServer } from '../config/ensemble-config.js';
import { readMembers, votersOf, type Members } from '../config/members.js';

export interface ReconfigState {
  readonly lastSeen: Members;
  /** One is proposed and not in force. */
  readonly isPending: boolean;
  readonly standaloneEnabled: boolean;
  readonly multiAddressEnabled: boolean;
  /** Voters of it that are connected and up to date, this server included, are a quorum of it. */
  hasQuorumOf(members: Members): boolean;
}

export type NextMembers =
  | { readonly ok: true; readonly members: Members }
  | { readonly ok: false; readonly error: number; readonly reason: string };

/** Asked for with the current version, whatever that is. */
const ANY_VERSION = -1n;

export function nextMembers(
  request: ReconfigRequest,
  state: ReconfigState,
  zxid: Zxid,
): NextMembers {
  const { lastSeen, isPending } = state;
  if (isPending) return refused(ErrorCode.reconfigInProgress, 'another one is under way');
  const { curConfigId } = request;
  if (curConfigId !== ANY_VERSION && curConfigId !== lastSeen.version) {
    return refused(
      ErrorCode.badVersion,
      `from version ${curConfigId.toString(16)}, but it is ${lastSeen.version.toString(16)}`,
    );
  }
  const asked =
    request.newMembers === null ? changed(request, lastSeen) : whole(request.newMembers, state);
  if (!asked.ok) return asked;
  const members = { ...asked.members, version: zxid };
  for (const { sid, addresses } of members.servers.values()) {
    if (addresses.length > 1 && !state.multiAddressEnabled) {
      return bad(`server ${sid} has several addresses, and multiAddress.enabled is not set`);
    }
  }
  const votersMin = state.standaloneEnabled ? 2 : 1;
  if (votersOf(members).length < votersMin) {
    return bad(`fewer than ${votersMin} voters would be left`);
  }
  if (!state.hasQuorumOf(members)) {
    return refused(ErrorCode.newConfigNoQuorum, 'no quorum of it is connected and up to date');
  }
  return { ok: true, members };
}

function refused(error: number, reason: string): NextMembers & { readonly ok: false } {
  return { ok: false, error, reason };
}

function bad(reason: string): NextMembers & { readonly ok: false } {
  return refused(ErrorCode.badArguments, reason);
}

/** What Apache's parser does not foresee ends as an exception of Java's, told as this. */
function malformed(reason: string): NextMembers & { readonly ok: false } {
  return refused(ErrorCode.marshallingError, reason);
}

// ------------------------------------------------------------------ all members at once

function whole(text: string, state: ReconfigState): NextMembers {
  const reading = readMembers(text.replaceAll(',', '\n'));
  if (!reading.ok) return reading.isMalformed ? malformed(reading.reason) : bad(reading.reason);
  const { members } = reading;
  const voters = votersOf(members).length;
  const observers = members.servers.size - voters;
  if (voters === 0 && (!state.standaloneEnabled || observers > 0)) {
    return malformed('nobody would vote');
  }
  if (voters === 1 && state.standaloneEnabled && observers > 0) {
    return malformed('observers of a single server');
  }
  return { ok: true, members };
}

// ------------------------------------------------------------------ some join, some leave

function changed(request: ReconfigRequest, lastSeen: Members): NextMembers {
  // with groups and weights nobody could say where a joiner belongs
  if (lastSeen.groupOf.size > 0) return bad('there are groups: all members must be given');
  const servers = new Map(lastSeen.servers);
  for (const leaving of parts(request.leavingServers, ',')) {
    if (!/^[+-]?\d+$/.test(leaving)) return malformed(`'${leaving}' is no number`);
    servers.delete(Number(leaving));
  }
  for (const joining of parts(request.joiningServers, ',')) {
    const [key = '', value, more] = parts(joining, '=');
    if (value === undefined || more !== undefined) return bad(`'${joining}' is no server.N=…`);
    const sidText = key.slice(key.lastIndexOf('.') + 1);
    if (!/^[+-]?\d+$/.test(sidText)) return malformed(`'${key}' has no number`);
    const sid = Number(sidText);
    if (sid < 0 || sid > 255) return bad(`server numbers go from 0 to 255, not ${sidText}`);
    const reading = parseEnsembleServer(sid, value);
    if (!reading.ok) return bad(reading.reason);
    if (reading.server.client === null) return bad(`server.${sid} has no client port`);
    for (const other of servers.values()) {
      const shared = other.sid === sid ? null : sharedAddress(reading.server, other);
      if (shared !== null) return bad(`server.${sid} and server.${other.sid} share ${shared}`);
    }
    servers.delete(sid);
    servers.set(sid, reading.server);
  }
  return { ok: true, members: { ...lastSeen, servers } };
}

function parts(text: string | null, separator: string): string[] {
  if (text === null) return [];
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Addresses that mean this machine, or any of its own, are not compared: as in Apache's tests. */
function sharedAddress(a: EnsembleServer, b: EnsembleServer): string | null {
  const taken = new Set(placesOf(b));
  return placesOf(a).find((place) => taken.has(place)) ?? null;
}

function placesOf({ addresses, client }: EnsembleServer): string[] {
  const all = addresses.flatMap(({ host, quorumPort, electionPort }) => [
    { host, port: quorumPort },
    { host, port: electionPort },
  ]);
  if (client !== null) all.push(client);
  return all
    .filter(({ host }) => !/^(localhost|127\..*|::1|0\.0\.0\.0|::|0:0:0:0:0:0:0:[01])$/i.test(host))
    .map(({ host, port }) => `${host.toLowerCase()}:${port}`);
}
