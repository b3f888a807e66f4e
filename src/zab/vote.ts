/**
 * A vote: whom a server wants to lead, with the history that speaks for it. Within one round votes
 * only get better, and what is better is the same for everyone; that is why an election ends. The
 * order is that of histories: the epoch first, because a longer history of an older epoch can hold
 * nothing that was committed and the newer one does not have (ZOOKEEPER-1419 is the story of an
 * order that was none).
 */
import type { PeerState } from '../protocol/peer/notification.js';
import type { Zxid } from '../protocol/zxid.js';
import type { Weights } from './quorum.js';

/** Fields are as wide as on the wire: what other servers say is compared before it is believed. */
export interface Vote {
  /** The server it is for. */
  readonly leader: bigint;
  /** The end of that server's history, and the epoch this history was last led in. */
  readonly zxid: Zxid;
  readonly peerEpoch: bigint;
  /** The round it was cast in; no part of the order. */
  readonly electionEpoch: bigint;
}

/** A vote as another server told it. */
export interface HeardVote extends Vote {
  /** Of the server that told it. */
  readonly state: PeerState;
  /** Of the message's layout. */
  readonly version: number;
}

/** What a server without history to vouch for says: it loses against every history, and is ignored. */
export const noHistory: Zxid = -1n;

const least = -(1n << 63n);

/** Of a server that has no vote of its own, and only wants to hear whom the others elect. */
export function emptyVote(electionEpoch: bigint): Vote {
  return { leader: least, zxid: least, peerEpoch: least, electionEpoch };
}

/** By epoch, zxid and, between equal histories, server number. Negative, zero or positive. */
export function compareVotes(a: Vote, b: Vote): number {
  return (
    compareNumbers(a.peerEpoch, b.peerEpoch) ||
    compareNumbers(a.zxid, b.zxid) ||
    compareNumbers(a.leader, b.leader)
  );
}

function compareNumbers(a: bigint, b: bigint): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/**
 * `candidate` should replace `current`. A server without weight never leads, so a vote for one wins
 * against nothing, and loses against any for a server that may.
 */
export function isBetter(candidate: Vote, current: Vote, quorum: Weights): boolean {
  if (quorum.weightOf(Number(candidate.leader)) === 0) return false;
  if (quorum.weightOf(Number(current.leader)) === 0) return true;
  return compareVotes(candidate, current) > 0;
}

/** For this server, with a history that it had before it was restarted. */
export function isPhantom(
  vote: Vote,
  sid: number,
  own: { readonly zxid: Zxid; readonly peerEpoch: number },
): boolean {
  if (vote.leader !== BigInt(sid)) return false;
  return vote.zxid !== own.zxid || vote.peerEpoch !== BigInt(own.peerEpoch);
}

/** The same choice in the same round. */
export function isSameVote(a: Vote, b: Vote): boolean {
  return a.electionEpoch === b.electionEpoch && compareVotes(a, b) === 0;
}

/**
 * Of servers that have decided: an epoch is led once and by one server, so nothing else need be
 * equal, and after the election zxid and round may differ. The oldest servers do not tell the epoch.
 */
export function isSameLeader(a: HeardVote, b: HeardVote): boolean {
  if (a.leader !== b.leader) return false;
  return a.version > 0 === b.version > 0 ? a.peerEpoch === b.peerEpoch : true;
}

/** The vote alone of what carries one. */
export function voteOf({ leader, zxid, peerEpoch, electionEpoch }: Vote): Vote {
  return { leader, zxid, peerEpoch, electionEpoch };
}

/** Whose vote fits. */
export function supportersIn(
  votes: ReadonlyMap<number, HeardVote>,
  agrees: (vote: HeardVote) => boolean,
): Set<number> {
  const supporters = new Set<number>();
  for (const [sid, vote] of votes) if (agrees(vote)) supporters.add(sid);
  return supporters;
}
