/**
 * What a sync waits for, so that whoever reads after it sees everything that was acknowledged to
 * anybody before it was asked: all that was proposed is committed, and a quorum has echoed a ping that
 * was sent after the question. A leader that was deposed without knowing gets no such quorum.
 */
import { present } from '../base/assert.js';
import type { LearnerLink } from './learner-link.js';
import type { LinkId } from './messages.js';

interface Barrier {
  readonly token: number;
  /** Counter of the last proposal before it. */
  readonly upTo: number;
  /** Per link, how many echoes must have come. */
  readonly echoes: ReadonlyMap<LinkId, number>;
}

export class SyncBarriers {
  readonly #barriers: Barrier[] = [];

  /** The links to ping now. */
  request(token: number, upTo: number, learners: Iterable<LearnerLink>): LinkId[] {
    const echoes = new Map<LinkId, number>();
    for (const learner of learners) {
      if (learner.phase !== 'active' || learner.isObserver) continue;
      learner.pingsSent++;
      echoes.set(learner.id, learner.pingsSent);
    }
    this.#barriers.push({ token, upTo, echoes });
    return [...echoes.keys()];
  }

  /** Tokens of those that wait for nothing any more, in the order in which they were asked for. */
  answer(
    committedLow: number,
    isQuorum: (fits: (learner: LearnerLink) => boolean) => boolean,
  ): number[] {
    const tokens: number[] = [];
    for (;;) {
      const oldest = this.#barriers[0];
      if (oldest === undefined || committedLow < oldest.upTo) return tokens;
      const hasEchoed = (learner: LearnerLink): boolean => {
        const needed = oldest.echoes.get(learner.id);
        return needed !== undefined && learner.pingsEchoed >= needed;
      };
      if (!isQuorum(hasEchoed)) return tokens;
      tokens.push(present(this.#barriers.shift(), 'it was there').token);
    }
  }
}
