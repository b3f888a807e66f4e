/**
 * What a server has to say in an election, until it is taken: to each other server the latest only. What
 * was answered a moment ago is not answered again.
 */
import { notificationVersion, type Notification } from '../protocol/peer/notification.js';
import { Answers, type Statement } from './answers.js';
import type { ElectionMessage } from './election-options.js';
import { voteOf } from './vote.js';

export class Announcements {
  readonly #configText: () => string;
  readonly #intervalMs: number;
  readonly #waiting = new Map<number, Notification>();
  readonly #answers = new Answers();

  /** `configText` goes with everything; the same answer is not given twice within `intervalMs`. */
  constructor(configText: () => string, intervalMs: number) {
    this.#configText = configText;
    this.#intervalMs = intervalMs;
  }

  tell(to: number, statement: Statement): void {
    this.#waiting.delete(to);
    this.#waiting.set(to, this.worded(statement));
  }

  worded({ state, vote }: Statement): Notification {
    return { ...voteOf(vote), state, version: notificationVersion, config: this.#configText() };
  }

  /** At once, unless it was said a moment ago. */
  answer(to: number, question: Notification, statement: Statement, nowMs: number): void {
    const isNew = this.#answers.isNew(to, question, statement, nowMs, this.#intervalMs);
    if (isNew) this.tell(to, statement);
  }

  /** It is gone: whatever it asks when it comes back is a new question. */
  forget(sid: number): void {
    this.#answers.forget(sid);
  }

  /** In the order in which they were written. */
  take(): ElectionMessage[] {
    const messages = [...this.#waiting].map(([to, notification]) => ({ to, notification }));
    this.#waiting.clear();
    return messages;
  }
}
