/** What a role has to say and hand out that waits for nothing any more, gathered until it is taken. */
import type { TxnRange } from './committed-log.js';
import type { AfterPersistMessage, EagerMessage } from './messages.js';
import type { Persist, Ready, Result, RoleName } from './ready.js';

const none: readonly never[] = [];

export class Outbox {
  stop: string | null = null;
  start: RoleName | null = null;
  #messages: EagerMessage[] = [];
  #after: AfterPersistMessage[] = [];
  #committed: TxnRange[] = [];
  #results: Result[] = [];
  /** The end of the role has been taken: nothing comes after it. */
  #isOver = false;

  get isEmpty(): boolean {
    if (this.#isOver) return true;
    return (
      this.stop === null &&
      this.start === null &&
      this.#messages.length === 0 &&
      this.#after.length === 0 &&
      this.#committed.length === 0 &&
      this.#results.length === 0
    );
  }

  /** May leave while the disk still writes. */
  say(message: EagerMessage): void {
    this.#messages.push(message);
  }

  /** What it advertises, acknowledges or counts is durable already. */
  sayDurably(message: AfterPersistMessage): void {
    this.#after.push(message);
  }

  commit(range: TxnRange): void {
    this.#committed.push(range);
  }

  answer(result: Result): void {
    this.#results.push(result);
  }

  /** What has been committed and not taken. */
  takeCommitted(): TxnRange[] {
    const committed = this.#committed;
    this.#committed = [];
    return committed;
  }

  /** With the end of the role goes nothing that is committed: that is for `takeCommitted`, at its end. */
  take(seq: number): Ready {
    this.#isOver = this.stop !== null;
    const ready: Ready = {
      seq,
      stop: this.stop,
      messages: this.#messages,
      persist: null,
      rebase: null,
      messagesAfterPersist: this.#after,
      committed: this.#isOver ? none : this.#committed,
      results: this.#results,
      start: this.start,
    };
    this.stop = null;
    this.start = null;
    this.#messages = [];
    this.#after = [];
    if (!this.#isOver) this.#committed = [];
    this.#results = [];
    return ready;
  }
}

/** A Ready that only persists. */
export function readyToPersist(seq: number, persist: Persist, rebase: Ready['rebase']): Ready {
  return {
    seq,
    stop: null,
    messages: none,
    persist,
    rebase,
    messagesAfterPersist: none,
    committed: none,
    results: none,
    start: null,
  };
}
