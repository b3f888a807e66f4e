/**
 * Which sets of servers may decide. Two sets that both may always share a server, whatever the kind:
 * that one server is all that carries a committed transaction from one leader to the next. Kinds are
 * Apache's, and so is who is counted in each, or a mixed ensemble would disagree about who decides.
 */
import { assert } from '../base/assert.js';

export interface Weights {
  /** Zero: may never lead. Of a voter; for others a value that means nothing. */
  weightOf(sid: number): number;
}

export interface Quorum extends Weights {
  readonly voters: ReadonlySet<number>;
  /** Voters among them decide; others in the set are not counted. */
  contains(sids: ReadonlySet<number>): boolean;
  /** Of the configuration that it comes from. */
  readonly version: bigint;
}

/** Of two voters one alone may go on while a third party, which must know better, says so. */
export interface OracleQuorum extends Quorum {
  /**
   * `sids` are the servers that take part, not those that have acknowledged: the oracle is asked
   * only when one of two is alone, never to overtake the other's acknowledgement.
   */
  containsByOracle(sids: ReadonlySet<number>): boolean;
}

export function hasOracle(quorum: Quorum): quorum is OracleQuorum {
  return 'containsByOracle' in quorum;
}

/** With an oracle, and may go on alone: if it leads, it is all the quorum there is. */
export function isOneOfTwo(quorum: Quorum, sid: number): boolean {
  return hasOracle(quorum) && quorum.voters.size === 2 && quorum.voters.has(sid);
}

/** Whoever may lead in one of them. */
export function weightsOf(quorums: readonly Quorum[]): Weights {
  const of = (sid: number): number[] =>
    quorums.map((quorum) => (quorum.voters.has(sid) ? quorum.weightOf(sid) : 0));
  return { weightOf: (sid) => Math.max(...of(sid)) };
}

/** More than half of the voters. */
export function majorityQuorum(voters: Iterable<number>, version: bigint): Quorum {
  const members: ReadonlySet<number> = new Set(voters);
  return {
    voters: members,
    version,
    weightOf: () => 1,
    contains: (sids) => 2 * countOf(sids, members) > members.size,
  };
}

function countOf(sids: ReadonlySet<number>, members: ReadonlySet<number>): number {
  let count = 0;
  for (const sid of sids) if (members.has(sid)) count++;
  return count;
}

/**
 * More than half of the groups that have weight, each with more than half of its weight. A voter
 * without an entry weighs 1. Whoever else stands in a group with a weight adds to what half of the
 * group is, but is not counted.
 */
export function hierarchicalQuorum(
  groupOf: ReadonlyMap<number, number>,
  weightOf: ReadonlyMap<number, number>,
  voters: Iterable<number>,
  version: bigint,
): Quorum {
  const members: ReadonlySet<number> = new Set(voters);
  const weightOfSid = (sid: number): number => weightOf.get(sid) ?? (members.has(sid) ? 1 : 0);
  const groupWeights = new Map<number, number>();
  for (const [sid, group] of groupOf) {
    groupWeights.set(group, (groupWeights.get(group) ?? 0) + weightOfSid(sid));
  }
  const groups = [...groupWeights].filter(([, weight]) => weight > 0);
  return {
    voters: members,
    version,
    weightOf: weightOfSid,
    contains(sids) {
      const present = new Map<number, number>();
      for (const sid of sids) {
        const group = members.has(sid) ? groupOf.get(sid) : undefined;
        if (group === undefined) continue;
        present.set(group, (present.get(group) ?? 0) + weightOfSid(sid));
      }
      const won = groups.filter(([group, weight]) => 2 * (present.get(group) ?? 0) > weight);
      return 2 * won.length > groups.length;
    },
  };
}

/**
 * A majority, and for two voters also one of them while `ask` says yes. With any other number of
 * voters the oracle has no say.
 */
export function oracleQuorum(
  voters: Iterable<number>,
  version: bigint,
  ask: () => boolean,
): OracleQuorum {
  const majority = majorityQuorum(voters, version);
  const members = majority.voters;
  return {
    ...majority,
    containsByOracle: (sids) =>
      majority.contains(sids) || (members.size === 2 && countOf(sids, members) === 1 && ask()),
  };
}

/** The part of a configuration that a quorum follows from. */
export interface QuorumConfig {
  readonly servers: ReadonlyMap<number, { readonly role: 'participant' | 'observer' }>;
  /** Empty: majority. */
  readonly groupOf: ReadonlyMap<number, number>;
  readonly weightOf: ReadonlyMap<number, number>;
  readonly version: bigint;
}

/** With an oracle groups and weights mean nothing. */
export function quorumOf(config: QuorumConfig, askOracle: (() => boolean) | null = null): Quorum {
  const voters: number[] = [];
  for (const [sid, server] of config.servers) {
    assert(sid >= 0, 'servers have numbers from 0');
    if (server.role === 'participant') voters.push(sid);
  }
  if (askOracle !== null) return oracleQuorum(voters, config.version, askOracle);
  return config.groupOf.size === 0
    ? majorityQuorum(voters, config.version)
    : hierarchicalQuorum(config.groupOf, config.weightOf, voters, config.version);
}
