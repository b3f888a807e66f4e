/**
 * What a sync waits for, so that whoever reads after it sees everything that was acknowledged to
 * anybody before it was asked: all that was proposed is committed, and a quorum has echoed a ping that
 * was sent after the question. A leader that was deposed without knowing gets no such quorum.
 *
 * No commit of a later proposal overtakes it: a quorum that has acknowledged what was proposed after the
 * question has heard this leader since, and Apache's learners take answers for theirs by the order in
 * which they asked; out of that order, nothing that they ask later is ever answered to their clients.
 */
import { present } from '../base/assert.js';
import type { LearnerLink } from './learner-link.js';
import type { LinkId } from './messages.js';

/** A client of this server, by the token that it goes by, or one of a learner. */
export type SyncAsker =
  | { readonly kind: 'here'; readonly token: number }
  | { readonly kind: 'there'; readonly link: LinkId };

interface Barrier {
  readonly asker: SyncAsker;
  /** Counter of the last proposal before it. */
  readonly upTo: number;
  /** Per link, how many echoes must have come. */
  readonly echoes: ReadonlyMap<LinkId, number>;
}

export class SyncBarriers {
  readonly #barriers: Barrier[] = [];

  get size(): number {
    return this.#barriers.length;
  }

  /** The links to ping now. */
  request(asker: SyncAsker, upTo: number, learners: Iterable<LearnerLink>): LinkId[] {
    const echoes = new Map<LinkId, number>();
    for (const learner of learners) {
      if (learner.phase !== 'active' || learner.isObserver) continue;
      learner.pingsSent++;
      echoes.set(learner.id, learner.pingsSent);
    }
    this.#barriers.push({ asker, upTo, echoes });
    return [...echoes.keys()];
  }

  /** How much of what may be committed comes before the answer to the oldest sync. */
  stopBefore(low: number): number {
    const oldest = this.#barriers[0];
    return oldest === undefined ? low : Math.min(low, oldest.upTo);
  }

  /** Those that wait for nothing any more because something that was proposed later is to be committed. */
  overtaken(committedLow: number): SyncAsker[] {
    const askers: SyncAsker[] = [];
    for (;;) {
      const oldest = this.#barriers[0];
      if (oldest === undefined || committedLow < oldest.upTo) return askers;
      askers.push(this.#shift());
    }
  }

  /** Those that wait for nothing any more, in the order in which they asked. */
  answer(
    committedLow: number,
    isQuorum: (fits: (learner: LearnerLink) => boolean) => boolean,
  ): SyncAsker[] {
    const askers: SyncAsker[] = [];
    for (;;) {
      const oldest = this.#barriers[0];
      if (oldest === undefined || committedLow < oldest.upTo) return askers;
      const hasEchoed = (learner: LearnerLink): boolean => {
        const needed = oldest.echoes.get(learner.id);
        return needed !== undefined && learner.pingsEchoed >= needed;
      };
      if (!isQuorum(hasEchoed)) return askers;
      askers.push(this.#shift());
    }
  }

  #shift(): SyncAsker {
    return present(this.#barriers.shift(), 'it was there').asker;
  }
}
