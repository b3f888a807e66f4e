/**
 * How far the proposals of an epoch are durable on a quorum. Acknowledgements come in order, so a
 * counter for each server says it all: what a server has acknowledged, it has with all before it.
 */
import type { LearnerLink } from './learner-link.js';
import type { Quorum } from './quorum.js';

interface Own {
  readonly sid: number;
  readonly durableLow: number;
  /** Nothing at or below this is of interest. */
  readonly committedLow: number;
}

/** The highest counter that a quorum, by each of those in force, has on disk; 0: none is news. */
export function durableOfAll(
  quorums: readonly Quorum[],
  own: Own,
  links: readonly LearnerLink[],
): number {
  const voices = links.filter(hasWholeHistory);
  let lowest = Infinity;
  for (const quorum of quorums) lowest = Math.min(lowest, durableOf(quorum, own, voices));
  return lowest;
}

function durableOf(quorum: Quorum, own: Own, voices: readonly LearnerLink[]): number {
  const counters = [own.durableLow, ...voices.map(({ ackedLow }) => ackedLow)];
  counters.sort((a, b) => b - a);
  // the first that enough servers have reached: with majorities a position, with weights a search
  for (const counter of counters) {
    if (counter <= own.committedLow) return 0;
    const sids = new Set<number>();
    if (own.durableLow >= counter) sids.add(own.sid);
    for (const { sid, ackedLow } of voices) if (ackedLow >= counter) sids.add(sid);
    if (quorum.contains(sids)) return counter;
  }
  return 0;
}

/** It has acknowledged NEWLEADER: before that, what it says of single proposals proves nothing. */
function hasWholeHistory(learner: LearnerLink): boolean {
  return !learner.isObserver && (learner.phase === 'acknowledged' || learner.phase === 'active');
}
