/**
 * Who must have promised an epoch before it may begin: a quorum, because any quorum that committed
 * something shares a server with it, and that server knows. A server that lost its disk knows nothing,
 * so it is not counted; unless every voter has promised, for then all that is known is known.
 * Paper: Zab, phase 1, which takes for granted that nobody forgets.
 */
import type { Quorum } from './quorum.js';
import type { ZxidPair } from './sync-choice.js';

/**
 * By ACKEPOCH: a history is an epoch that was acknowledged as current, or at least transactions from
 * before there were epochs. What has transactions of an epoch and none that is current is in the
 * midst of its first synchronisation.
 */
export function hasHistory(currentEpoch: number, lastLogged: ZxidPair): boolean {
  return currentEpoch > 0 || (lastLogged.high === 0 && lastLogged.low > 0);
}

/** All voters that count towards any of these quorums. */
export function isEverybody(quorums: readonly Quorum[], sids: readonly number[]): boolean {
  return quorums.every((quorum) =>
    [...quorum.voters].every((sid) => sids.includes(sid) || quorum.weightOf(sid) === 0),
  );
}
