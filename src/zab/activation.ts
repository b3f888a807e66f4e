/**
 * How a configuration comes into force that a quorum of the old and of the new one has agreed to. It is
 * decided, and nothing that happens to a learner can change that; but the leader's own next start must
 * begin with it before anybody is told, or a crash would bring back a server that asks the wrong ones.
 * Until then nothing behind it is committed, and no learner is told of the whole history, which ends
 * with it.
 */
import { present } from '../base/assert.js';
import type { TxnRange } from './committed-log.js';
import type { LearnerLink } from './learner-link.js';
import type { LearnerLinks } from './learner-links.js';
import type { LinkId } from './messages.js';
import type { Outbox } from './outbox.js';

interface Decided {
  /** The one transaction that brings it. */
  readonly range: TxnRange;
  /** Who was told of it as a proposal, or was to be told of it as an observer. */
  readonly followers: readonly LinkId[];
  readonly observers: readonly LinkId[];
  readonly leader: number;
}

export class Activation {
  readonly #links: LearnerLinks;
  readonly #out: Outbox;
  #decided: Decided | null = null;
  /** Learners to be told of the whole history. */
  readonly #held: (() => void)[] = [];

  constructor(parts: { readonly links: LearnerLinks; readonly out: Outbox }) {
    this.#links = parts.links;
    this.#out = parts.out;
  }

  /** A configuration is decided and not in force. */
  get isUnderWay(): boolean {
    return this.#decided !== null;
  }

  /** What brings it, and is not committed as far as anybody was told; null: there is none. */
  get range(): TxnRange | null {
    return this.#decided?.range ?? null;
  }

  /** `leader` leads in it. */
  begin(range: TxnRange, leader: number): void {
    const [followers, observers] = [this.#links.forwarding(false), this.#links.forwarding(true)];
    this.#decided = { range, followers, observers, leader };
  }

  /** This server's next start would begin with it: it is told and applied. */
  persisted(): void {
    const { range, followers, observers, leader } = present(this.#decided, 'one was decided');
    this.#decided = null;
    const { batch, from } = range;
    this.#out.commit(range);
    if (followers.length > 0)
      this.#out.sayDurably({ kind: 'commitAndActivate', links: followers, ...range, leader });
    if (observers.length > 0)
      this.#out.sayDurably({ kind: 'informAndActivate', links: observers, ...range, leader });
    const [high, low] = [batch.zxidHigh(from), batch.zxidLow(from)];
    this.#out.answer({ kind: 'activated', high, low, leader });
  }

  /** Tells the learner of the history now, or at `release`; if it is there still. */
  whenTold(learner: LearnerLink, begin: () => void): void {
    if (!this.isUnderWay) {
      begin();
      return;
    }
    this.#held.push(() => {
      if (this.#links.get(learner.id) === learner) begin();
    });
  }

  /** It is in force, and what was behind it is committed. */
  release(): void {
    for (const begin of this.#held.splice(0)) begin();
  }
}
