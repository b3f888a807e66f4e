/**
 * The learners of a leader, by their connections: who counts towards a quorum, who hears of what is
 * proposed. One server has one connection; when it comes again the older one is dead.
 */
import type { LearnerLink } from './learner-link.js';
import type { LinkId } from './messages.js';
import { hasOracle, type Quorum } from './quorum.js';

export class LearnerLinks implements Iterable<LearnerLink> {
  readonly #sid: number;
  readonly #close: (link: LinkId, reason: string) => void;
  readonly #links = new Map<LinkId, LearnerLink>();
  /**
   * Who takes part beside the leader, so that an oracle is not to be asked. Null: it is too early to
   * say that nobody does.
   */
  takesPart: ((learner: LearnerLink) => boolean) | null = null;
  #isAgreeing = true;

  /** `sid`: the leader's own number. `close`: nothing more is said to a learner. */
  constructor(sid: number, close: (link: LinkId, reason: string) => void) {
    this.#sid = sid;
    this.#close = close;
  }

  [Symbol.iterator](): IterableIterator<LearnerLink> {
    return this.#links.values();
  }

  get isEmpty(): boolean {
    return this.#links.size === 0;
  }

  get(link: LinkId): LearnerLink | undefined {
    return this.#links.get(link);
  }

  add(learner: LearnerLink): void {
    for (const other of [...this.#links.values()]) {
      // the same server again: its older connection is dead, whether or not anybody noticed
      if (other.sid === learner.sid) this.drop(other, 'the same server has connected again');
    }
    this.#links.set(learner.id, learner);
  }

  /** The connection is gone; what the learner acknowledged goes with it. */
  forget(link: LinkId): void {
    this.#links.delete(link);
  }

  drop(learner: LearnerLink, reason: string): void {
    this.#links.delete(learner.id);
    this.#close(learner.id, reason);
  }

  dropAll(reason: string): void {
    for (const learner of [...this.#links.values()]) this.drop(learner, reason);
  }

  /**
   * What it says counts where it votes. So does the word of who takes itself for an observer while an
   * epoch is being agreed on: a configuration that it has not heard of may make it a voter, need it to
   * be decided, and come to it in no other way. It promises, logs and acknowledges as others do; of
   * what follows it is told as an observer, and acknowledges nothing.
   */
  hasVoice(learner: LearnerLink, quorums: readonly Quorum[]): boolean {
    if (!learner.isObserver) return true;
    return this.#isAgreeing && quorums.some(({ voters }) => voters.has(learner.sid));
  }

  /** The epoch is established. */
  agreed(): void {
    this.#isAgreeing = false;
  }

  /** The leader and the voters among the learners that fit are a quorum, by each of these. */
  areQuorum(quorums: readonly Quorum[], fits: (learner: LearnerLink) => boolean): boolean {
    const sids = new Set<number>([this.#sid]);
    for (const learner of this.#links.values()) {
      if (this.hasVoice(learner, quorums) && fits(learner)) sids.add(learner.sid);
    }
    return quorums.every((quorum) => quorum.contains(sids) || this.mayGoOnAlone(quorum));
  }

  /** No other voter takes part, and whoever must know says that the leader may do without it. */
  mayGoOnAlone(quorum: Quorum): boolean {
    if (!hasOracle(quorum) || this.takesPart === null) return false;
    for (const learner of this.#links.values()) {
      if (this.hasVoice(learner, [quorum]) && this.takesPart(learner)) return false;
    }
    return quorum.containsByOracle(new Set([this.#sid]));
  }

  /** Who hears of proposals as they are made: followers, or observers. */
  forwarding(observers: boolean): LinkId[] {
    const links: LinkId[] = [];
    for (const learner of this.#links.values()) {
      if (learner.isForwarding && learner.isObserver === observers) links.push(learner.id);
    }
    return links;
  }
}
