/**
 * What servers say that have decided, in whatever round: there is an ensemble, and who is late joins it.
 * It is believed when a quorum says the same and the leader says so itself; for servers repeat to each
 * other that one leads which has long been dead.
 */
import type { Ballots } from './ballots.js';
import type { Electorate } from './electorate.js';
import { isOneOfTwo } from './quorum.js';
import { isSameLeader, isSameVote, supportersIn, type HeardVote, type Vote } from './vote.js';

export class Established {
  readonly #sid: number;
  readonly #electorate: Electorate;
  /** The last of each. */
  readonly #votes = new Map<number, HeardVote>();

  /** `sid`: this server's. */
  constructor(sid: number, electorate: Electorate) {
    this.#sid = sid;
    this.#electorate = electorate;
  }

  clear(): void {
    this.#votes.clear();
  }

  /** It has left what it had joined, or is gone. */
  withdraw(sid: number): void {
    this.#votes.delete(sid);
  }

  /**
   * A server that has decided says so, of which `ballots` are told if it is of their round, this
   * server's. Who is for its leader, if that decides the election here; null: it does not.
   */
  onDecided(
    from: number,
    heard: HeardVote,
    own: { readonly ballots: Ballots; readonly round: bigint; readonly isStanding: boolean },
  ): ReadonlySet<number> | null {
    const { ballots, round, isStanding } = own;
    const { inForce } = this.#electorate;
    // what is only proposed has no say: who leads may not know of it, and needs nobody whom it names
    // unless this server is not wanted by them
    const isQuorum = (sids: ReadonlySet<number>): boolean =>
      isStanding ? this.#electorate.isQuorum(sids) : inForce.contains(sids);
    if (heard.electionEpoch === round) {
      ballots.cast(from, heard);
      const supporters = ballots.supporters((vote) =>
        vote.state === 'looking' ? isSameVote(vote, heard) : vote.leader === heard.leader,
      );
      if (isQuorum(supporters) && this.#isLed(ballots.votes, heard, round)) return supporters;
    }
    this.#votes.set(from, heard);
    const supporters = supportersIn(this.#votes, (vote) => isSameLeader(vote, heard));
    if (isQuorum(supporters) && this.#isLed(this.#votes, heard, round)) return supporters;
    const leadsAlone = heard.state === 'leading' && heard.leader === BigInt(from);
    return leadsAlone && isOneOfTwo(inForce, from) ? supporters : null;
  }

  /** By the leader's own word. This server's is that it is in this round. */
  #isLed(votes: ReadonlyMap<number, HeardVote>, vote: Vote, round: bigint): boolean {
    if (vote.leader === BigInt(this.#sid)) return vote.electionEpoch === round;
    const leaders = votes.get(Number(vote.leader));
    return leaders?.state === 'leading' && leaders.leader === vote.leader;
  }
}
