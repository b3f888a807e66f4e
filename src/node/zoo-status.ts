/** What `ZooServer` tells of itself and of the servers around it. */
import type { HearingView, PeerView } from '../server/commands/ensemble-view.js';
import type { ServerConfig } from '../server/config/config.js';
import type { EnsembleServer } from '../server/config/ensemble-config.js';
import type { Member } from '../server/ensemble/member.js';
import type { RunningMember, RunningServer } from './run-server.js';

export type ServerState =
  | 'stopped'
  | 'starting'
  | 'standalone'
  /** No leader is known, nobody is served. */
  | 'looking'
  /** The same, but read-only clients are served. */
  | 'read-only'
  | 'leader'
  | 'follower'
  | 'observer';

export interface ServerStatus {
  readonly id: number;
  readonly name: string;
  /** For clients; empty while it does not run. */
  readonly address: string;
  readonly state: ServerState;
  /** Null: none is known. */
  readonly leader: number | null;
  /** Its vote now, or the one that brought it its role. */
  readonly votedFor: number | null;
  /** Milliseconds since the leader was heard; null: this server follows nobody. */
  readonly lastHeartbeatMs: number | null;
  /**
   * Milliseconds until it gives up its leader for lost if that stays silent, or, while it looks for
   * one, until the election's next step; null: nothing is due.
   */
  readonly electionDeadlineMs: number | null;
  readonly epoch: number;
  readonly zxid: bigint;
}

/** A connection between two servers. */
export interface PeerConnection {
  /** What it is for: votes, or learner and leader. */
  readonly port: 'election' | 'quorum';
  /** The other end. */
  readonly address: string;
  readonly connectedMs: number;
  /** Milliseconds since something came over it. */
  readonly lastHeardMs: number;
}

export interface ReplicaInfo {
  readonly id: number;
  /** For clients, where it is known; otherwise its host. */
  readonly address: string;
  /** To this server's knowledge. */
  readonly role: Exclude<ServerState, 'stopped' | 'starting'> | 'unknown';
  /** Null: this server has no way to know; leaders know of their followers, learners of the leader. */
  readonly zxid: bigint | null;
  /** Transactions behind what is committed; null: not known. */
  readonly lag: number | null;
  /** Who hears whom; empty for the server itself. */
  readonly connections: readonly PeerConnection[];
  /** Milliseconds since it was last heard on any of them; 0: itself; null: it is not connected. */
  readonly lastHeardMs: number | null;
  /**
   * Since when (wall clock, milliseconds) an autopilot has it out of the configuration, which it is let
   * into again when it returns; null: it is a member.
   */
  readonly outSinceMs: number | null;
}

export type Running = RunningServer | RunningMember;

const modes = { leading: 'leader', following: 'follower', observing: 'observer' } as const;

export function stateOf(running: Running): Exclude<ServerState, 'stopped' | 'starting'> {
  if (!('member' in running)) return 'standalone';
  const { state, readOnlyServer } = running.member;
  if (state !== 'looking') return modes[state];
  return readOnlyServer === null ? 'looking' : 'read-only';
}

/** Of one that runs. */
export function statusOf(
  running: Running,
  own: Pick<ServerStatus, 'id' | 'name' | 'address'>,
): ServerStatus {
  const state = stateOf(running);
  if (!('member' in running)) {
    const { lastZxid: zxid } = running.server.view.figures();
    return {
      ...own,
      state,
      leader: own.id,
      votedFor: own.id,
      ...{ lastHeartbeatMs: null, electionDeadlineMs: null },
      epoch: Number(zxid >> 32n),
      zxid,
    };
  }
  const { member } = running;
  const lastHeartbeatMs = heartbeatMs(member);
  return {
    ...own,
    state,
    leader: state === 'looking' || state === 'read-only' ? null : member.leaderSid,
    votedFor: member.votedFor,
    lastHeartbeatMs,
    electionDeadlineMs: deadlineMs(member, lastHeartbeatMs),
    epoch: member.epoch,
    zxid: member.zxid,
  };
}

function heartbeatMs(member: Member): number | null {
  const { leaderSid, roleView, world } = member;
  if (leaderSid === null || leaderSid === member.sid) return null;
  const hearing = roleView?.hearing(leaderSid) ?? null;
  return hearing === null ? null : world.clock.monotonicMs() - hearing.heardMs;
}

function deadlineMs(member: Member, lastHeartbeatMs: number | null): number | null {
  const { ensemble, tickTimeMs } = member.config;
  if (lastHeartbeatMs !== null) {
    return Math.max(0, ensemble.syncLimit * tickTimeMs - lastHeartbeatMs);
  }
  return member.electionDeadlineMs;
}

/** All servers of the configuration, and those that are to return, in the order of their numbers. */
export function replicasOf(running: Running, own: ServerStatus): ReplicaInfo[] {
  const { id, address, zxid } = own;
  const self = {
    ...{ id, address, zxid, role: stateOf(running) },
    ...{ lag: 0, connections: [], lastHeardMs: 0, outSinceMs: null },
  };
  if (!('member' in running)) return [self];
  const { member } = running;
  const { servers } = member.configuration.members;
  const nowMs = member.world.clock.monotonicMs();
  const others = [...member.ensembleView.peers()].map((peer) =>
    replicaOf(peer, { server: servers.get(peer.sid), nowMs, outSinceMs: null }),
  );
  const out = [...member.ensembleView.takenOut()].filter(({ sid }) => sid !== id);
  const absent = out.map(({ peer, server, sinceMs: outSinceMs }) =>
    replicaOf(peer, { server, nowMs, outSinceMs }),
  );
  return [self, ...others, ...absent].sort((one, other) => one.id - other.id);
}

function replicaOf(
  peer: PeerView,
  given: {
    readonly server: EnsembleServer | undefined;
    readonly nowMs: number;
    readonly outSinceMs: number | null;
  },
): ReplicaInfo {
  const { server, nowMs, outSinceMs } = given;
  const connections: PeerConnection[] = [];
  for (const port of ['election', 'quorum'] as const) {
    const hearing = peer[port];
    if (hearing !== null) connections.push(connectionOf(port, hearing, nowMs));
  }
  const heard = connections.map(({ lastHeardMs }) => lastHeardMs);
  return {
    id: peer.sid,
    address: addressOf(server),
    role: peer.role,
    zxid: peer.zxid,
    lag: peer.lag,
    connections,
    lastHeardMs: heard.length === 0 ? null : Math.min(...heard),
    outSinceMs,
  };
}

function connectionOf(
  port: PeerConnection['port'],
  hearing: HearingView,
  nowMs: number,
): PeerConnection {
  return {
    port,
    address: hostAndPort(hearing.address, hearing.port),
    connectedMs: nowMs - hearing.sinceMs,
    lastHeardMs: nowMs - hearing.heardMs,
  };
}

function addressOf(server: EnsembleServer | undefined): string {
  if (server === undefined) return '';
  const host = server.addresses[0]?.host ?? '';
  const { client } = server;
  if (client === null) return host;
  return hostAndPort(client.host === '0.0.0.0' ? host : client.host, client.port);
}

export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The configuration with the members that are in force. */
export function configInForce(config: ServerConfig, member: Member | null): ServerConfig {
  if (member === null) return config;
  return { ...config, ensemble: { ...config.ensemble, ...member.configuration.members } };
}
