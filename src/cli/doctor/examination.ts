/**
 * What the doctor has seen of an ensemble: the answers of its servers and, where it stands on one of
 * their hosts, what lies there. Nothing here judges; the faults do that, from this alone, so that each
 * of them can be shown an examination and asked.
 */
import { figureOf } from '../../protocol/four-letter-words.js';
import type { Members } from '../../server/config/members.js';
import { votersOf } from '../../server/config/members.js';
import { quorumOf } from '../../zab/quorum.js';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export type Health =
  /** Nobody listens, or the host is not there. */
  | 'silent'
  /** The connection stands, and nothing comes. */
  | 'hanging'
  /** It answers that it serves nobody: it looks for a leader. */
  | 'not-serving'
  | 'read-only'
  | 'serving';

export interface ServerSight {
  readonly place: Place;
  readonly health: Health;
  /** Why it is silent. */
  readonly reason: string;
  /** As it says, or as the configuration says of who is at that address; null: nobody knows. */
  readonly sid: number | null;
  /** As `conf` says. */
  readonly claimedSid: number | null;
  /** leader, follower, observer, standalone, read-only. */
  readonly mode: string | null;
  /** 3.9.5, 3.9.5-zabra-0.1.0. */
  readonly version: string | null;
  readonly zxid: bigint | null;
  /** A little later. */
  readonly laterZxid: bigint | null;
  /** Of `mntr`, without their zk_; empty where the word is not allowed. */
  readonly figures: ReadonlyMap<string, string>;
  /** Of `conf`; empty where the word is not allowed. */
  readonly settings: ReadonlyMap<string, string>;
  /** What it believes the ensemble to be; null: it did not say. */
  readonly members: Members | null;
}

/** A port between servers that nobody can be reached at from here. */
export interface ClosedPort {
  readonly sid: number;
  readonly place: Place;
  readonly reason: string;
}

/** The host that the doctor stands on, by one server's configuration. */
export interface HostSight {
  readonly configFile: string;
  readonly dataDir: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly snapshotFiles: number;
  readonly logFiles: number;
  readonly purgeIntervalHours: number;
  readonly isFlushing: boolean;
  /** What stands in myid; null: there is none. */
  readonly myid: string | null;
  /** Of the configuration's `server.N`. */
  readonly sids: readonly number[];
}

export interface Examination {
  readonly servers: readonly ServerSight[];
  /** Of the newest configuration that was told; null: of no server. */
  readonly members: Members | null;
  readonly closedPorts: readonly ClosedPort[];
  readonly host: HostSight | null;
}

/** How much more may be lost. */
export interface Redundancy {
  readonly voters: number;
  /** Servers that decide, at least. */
  readonly quorum: number;
  readonly serving: number;
  /** Voters that nobody could be asked about; they count as serving in `spare`. */
  readonly unknown: number;
  /** So many more of the voters may fail, whichever they are; -1: there is no quorum now. */
  readonly spare: number;
}

const VOTERS_TRIED_MAX = 15;

export function figure(server: ServerSight, name: string): number | null {
  return figureOf(server.figures, name);
}

/** `server 2 (10.0.0.2:2181)`, as far as it is known. */
export function nameOf(server: ServerSight): string {
  const at = placeText(server.place);
  return server.sid === null ? at : `server ${server.sid} (${at})`;
}

export function placeText({ host, port }: Place): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function isServing({ health }: ServerSight): boolean {
  return health === 'serving';
}

/**
 * Null: it is one server alone. Where nobody tells who belongs to the ensemble (all look for a leader),
 * the servers that were named are taken for its voters.
 */
export function redundancyOf({ servers, members }: Examination): Redundancy | null {
  if (members === null) {
    const voters = servers.length;
    if (voters < 2 || servers.some(({ mode }) => mode === 'standalone')) return null;
    const serving = servers.filter(isServing).length;
    const quorum = Math.floor(voters / 2) + 1;
    return { voters, quorum, serving, unknown: 0, spare: Math.max(-1, serving - quorum) };
  }
  const voters = votersOf(members);
  if (voters.length === 0) return null;
  const quorum = quorumOf(members);
  const serving = voters.filter((sid) =>
    servers.some((server) => server.sid === sid && isServing(server)),
  );
  const unasked = voters.filter((sid) => !servers.some((server) => server.sid === sid));
  if (members.groupOf.size === 0 || voters.length > VOTERS_TRIED_MAX) {
    const needed = Math.floor(voters.length / 2) + 1;
    // the leader knows of all of them
    const led = servers.find(({ mode }) => mode === 'leader');
    const synced = led === undefined ? null : figure(led, 'synced_followers');
    const told = synced !== null && unasked.length > 0 && 1 + synced >= serving.length;
    const count = told ? Math.min(voters.length, 1 + synced) : serving.length;
    const unknown = told ? 0 : unasked.length;
    const spare = Math.max(-1, count + unknown - needed);
    return { voters: voters.length, quorum: needed, serving: count, unknown, spare };
  }
  // groups and weights: the smallest loss that ends it, whichever servers it takes
  const able = [...serving, ...unasked];
  let spare = able.length;
  let needed = voters.length;
  for (const kept of subsetsOf(able)) {
    if (!quorum.contains(kept)) spare = Math.min(spare, able.length - kept.size - 1);
  }
  for (const kept of subsetsOf(voters)) {
    if (quorum.contains(kept)) needed = Math.min(needed, kept.size);
  }
  return {
    ...{ voters: voters.length, quorum: needed, serving: serving.length },
    ...{ unknown: unasked.length, spare },
  };
}

function* subsetsOf(sids: readonly number[]): Generator<ReadonlySet<number>> {
  for (let bits = 0; bits < 1 << sids.length; bits++) {
    yield new Set(sids.filter((_, i) => (bits & (1 << i)) !== 0));
  }
}
