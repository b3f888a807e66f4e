/**
 * Questions that were answered a moment ago. One that is asked again unchanged is no question: it is
 * the answer of a server that takes this one for a stranger, and the two would go on for ever.
 */
import type { Notification, PeerState } from '../protocol/peer/notification.js';
import { isSameVote, type Vote } from './vote.js';

/** A vote and the state it is told in. */
export interface Statement {
  readonly state: PeerState;
  readonly vote: Vote;
}

interface Answer {
  readonly question: Notification;
  readonly statement: Statement;
  readonly atMs: number;
}

export class Answers {
  readonly #last = new Map<number, Answer>();

  forget(sid: number): void {
    this.#last.delete(sid);
  }

  /** It is to be answered so, and is from now on. False: that was said within `intervalMs`. */
  isNew(
    from: number,
    question: Notification,
    statement: Statement,
    nowMs: number,
    intervalMs: number,
  ): boolean {
    const last = this.#last.get(from);
    if (
      last !== undefined &&
      nowMs - last.atMs < intervalMs &&
      isSameVote(last.question, question) &&
      last.statement.state === statement.state &&
      isSameVote(last.statement.vote, statement.vote)
    ) {
      return false;
    }
    this.#last.set(from, { question, statement, atMs: nowMs });
    return true;
  }
}
