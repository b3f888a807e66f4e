/**
 * How a learner is brought to the leader's history: with what it lacks (DIFF), after cutting off what
 * the leader does not have (TRUNC), or with everything (SNAP). The choices are Apache's, because its
 * learners rely on what each of them means; where Apache's choice is unsafe (ZOOKEEPER-4352: an
 * empty or inverted range, ZOOKEEPER-3526: a cut that the history does not bear out) it is SNAP.
 */
import { isAbove, type CommittedLog } from './committed-log.js';

export interface ZxidPair {
  readonly high: number;
  readonly low: number;
}

export type SyncChoice =
  /** Everything committed above `from` follows. */
  | { readonly kind: 'diff'; readonly from: ZxidPair }
  /** The learner cuts its log after `to`; everything committed above follows. */
  | { readonly kind: 'trunc'; readonly to: ZxidPair }
  /** Too far back for memory: from the log on disk if that reaches, else SNAP. */
  | { readonly kind: 'log'; readonly from: ZxidPair }
  | { readonly kind: 'snap' };

/** `applied`: the leader's tree; what it has committed. `peer`: the end of the learner's log. */
export function chooseSync(peer: ZxidPair, applied: ZxidPair, log: CommittedLog): SyncChoice {
  if (peer.high === applied.high && peer.low === applied.low) return { kind: 'diff', from: peer };
  // an epoch that has begun and has no transaction yet: (epoch, 0) is nobody's to cut off
  const isFreshEpoch = peer.low === 0;
  if (log.count === 0) {
    return isAbove(peer.high, peer.low, applied.high, applied.low)
      ? cutTo(peer, applied, isFreshEpoch)
      : { kind: 'log', from: peer };
  }
  const last = { high: log.lastHigh, low: log.lastLow };
  if (isAbove(peer.high, peer.low, last.high, last.low)) return cutTo(peer, last, isFreshEpoch);
  if (isAbove(log.firstHigh, log.firstLow, peer.high, peer.low)) {
    return { kind: 'log', from: peer };
  }
  const floor = log.floor(peer.high, peer.low);
  if (floor === null) return { kind: 'snap' };
  if (floor.high === peer.high && floor.low === peer.low) return { kind: 'diff', from: peer };
  if (isFreshEpoch) return { kind: 'diff', from: floor };
  return cutTo(peer, floor, false);
}

/** A cut stays within the learner's own epoch: how it got into that one is not in its log. */
function cutTo(peer: ZxidPair, to: ZxidPair, isFreshEpoch: boolean): SyncChoice {
  if (isFreshEpoch || peer.high !== to.high) return { kind: 'snap' };
  return { kind: 'trunc', to };
}
