/**
 * What voters have said in one round of an election: a vote, or that they have none. A voter without
 * history has none, which is worth knowing: once every voter was heard, nobody's history can be
 * overlooked, and even those who have forgotten theirs may vote for the best of what was heard.
 */
import type { Quorum, Weights } from './quorum.js';
import {
  compareVotes,
  isBetter,
  noHistory,
  supportersIn,
  voteOf,
  type HeardVote,
  type Vote,
} from './vote.js';

export class Ballots {
  readonly #votes = new Map<number, HeardVote>();
  readonly #voteless = new Set<number>();

  /** By voter. */
  get votes(): ReadonlyMap<number, HeardVote> {
    return this.#votes;
  }

  clear(): void {
    this.#votes.clear();
    this.#voteless.clear();
  }

  /** In place of whatever the voter said before. */
  cast(voter: number, vote: HeardVote): void {
    this.withdraw(voter);
    if (vote.zxid === noHistory) this.#voteless.add(voter);
    else this.#votes.set(voter, vote);
  }

  withdraw(voter: number): void {
    this.#votes.delete(voter);
    this.#voteless.delete(voter);
  }

  /** It looks for a leader, and has said what it can. */
  isHeard(voter: number): boolean {
    return this.#voteless.has(voter) || this.#votes.get(voter)?.state === 'looking';
  }

  /** All others that count towards a quorum were heard. */
  areComplete(quorums: readonly Quorum[], self: number): boolean {
    return quorums.every((quorum) =>
      [...quorum.voters].every(
        (voter) => voter === self || quorum.weightOf(voter) === 0 || this.isHeard(voter),
      ),
    );
  }

  /**
   * Its candidate has said in this round that it has another history, or none: it has been restarted
   * since, and what it had is gone.
   */
  isRefuted(vote: Vote): boolean {
    const candidate = Number(vote.leader);
    if (this.#voteless.has(candidate)) return true;
    const own = this.#votes.get(candidate);
    if (own?.state !== 'looking' || own.leader !== vote.leader) return false;
    return compareVotes(own, vote) !== 0;
  }

  supporters(agrees: (vote: HeardVote) => boolean): Set<number> {
    return supportersIn(this.#votes, agrees);
  }

  /** The best of `own` and all that look for a leader. */
  best(own: Vote, quorum: Weights): Vote {
    let best = own;
    for (const vote of this.#votes.values()) {
      if (vote.state !== 'looking' || this.isRefuted(vote)) continue;
      if (isBetter(vote, best, quorum)) best = voteOf(vote);
    }
    return best;
  }
}
