/**
 * Who votes, as far as this server knows: in the configuration in force and, while one is proposed, in
 * that. Both must agree to a leader, for either may turn out to be the one that counts. Asked anew each
 * time, because a configuration may come and go in the middle of an election.
 */
import { present } from '../base/assert.js';
import { hasOracle, weightsOf, type Quorum, type Weights } from './quorum.js';

export class Electorate {
  readonly #sid: number;
  readonly #quorums: () => readonly Quorum[];

  /** `sid`: this server's. `quorums`: all that must agree, the one in force first. */
  constructor(sid: number, quorums: () => readonly Quorum[]) {
    this.#sid = sid;
    this.#quorums = quorums;
  }

  get quorums(): readonly Quorum[] {
    return this.#quorums();
  }

  get inForce(): Quorum {
    return present(this.quorums[0], 'there is a configuration');
  }

  get weights(): Weights {
    return weightsOf(this.quorums);
  }

  /** This server votes in the configuration in force. */
  get isSelfInForce(): boolean {
    return this.inForce.voters.has(this.#sid);
  }

  has(sid: number): boolean {
    return this.quorums.some((quorum) => quorum.voters.has(sid));
  }

  /** All voters but this server, in ascending order. */
  get others(): number[] {
    const voters = new Set(this.quorums.flatMap((quorum) => [...quorum.voters]));
    voters.delete(this.#sid);
    return [...voters].sort((a, b) => a - b);
  }

  isQuorum(sids: ReadonlySet<number>): boolean {
    return this.quorums.every((quorum) => quorum.contains(sids));
  }

  /** A quorum is for the candidate, or an oracle allows this server to lead without one. */
  areEnoughFor(candidate: bigint, supporters: ReadonlySet<number>): boolean {
    if (this.isQuorum(supporters)) return true;
    // it allows one server to go on alone, which can only be this one
    if (candidate !== BigInt(this.#sid)) return false;
    return this.quorums.every((quorum) =>
      hasOracle(quorum) ? quorum.containsByOracle(supporters) : quorum.contains(supporters),
    );
  }
}
