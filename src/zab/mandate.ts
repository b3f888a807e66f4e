/**
 * What a decision stands on: the leader that this server is to join, or those who made this server the
 * leader. They may all think better of it, and until somebody has joined a leader, its role is then worth
 * leaving; afterwards it says nothing.
 */
import type { Notification } from '../protocol/peer/notification.js';
import type { ElectionOutcome } from './election-options.js';
import { compareVotes, noHistory } from './vote.js';

export class Mandate {
  readonly #supporters = new Set<number>();
  #isDeserted = false;

  /** No quorum is left of those who made this server the leader; or the leader looks for another. */
  get isDeserted(): boolean {
    return this.#isDeserted;
  }

  /** Nothing is decided, or in favour of another than before. */
  end(): void {
    this.#supporters.clear();
    this.#isDeserted = false;
  }

  /** Who is for what was decided. */
  begin(supporters: Iterable<number>): void {
    this.#supporters.clear();
    for (const supporter of supporters) this.#supporters.add(supporter);
  }

  /** Its connection is gone: the leader stands on one less, should others look for a leader. */
  withdraw(sid: number): void {
    this.#supporters.delete(sid);
  }

  /** A voter looks for a leader, and `outcome` is decided here. */
  onLooking(
    from: number,
    notification: Notification,
    { role, leader, vote }: ElectionOutcome,
    isQuorum: (sids: ReadonlySet<number>) => boolean,
  ): void {
    // so many are gone that there is none left without this one, which looks for a leader
    const isLeftAlone = this.#supporters.size > 0 && !isQuorum(this.#supporters);
    if (role === 'leading' && isLeftAlone) this.#isDeserted = true;
    if (notification.electionEpoch < vote.electionEpoch) return;
    const isSameRound = notification.electionEpoch === vote.electionEpoch;
    // having no vote any more (a voter without history lost sight of another) is a desertion, too
    const isVoteless = notification.zxid === noHistory;
    if (isSameRound && !isVoteless && compareVotes(notification, vote) <= 0) return;
    if (role !== 'leading') {
      if (from === leader) this.#isDeserted = true;
    } else if (this.#supporters.delete(from)) {
      this.#isDeserted ||= !isQuorum(this.#supporters);
    }
  }
}
