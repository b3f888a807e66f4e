/** What a role has to say and hand out that waits for nothing any more, gathered until it is taken. */
import type { TxnRange } from './committed-log.js';
import type { AfterPersistMessage, EagerMessage } from './messages.js';
import type { Persist, Ready, Result, RoleName } from './ready.js';

export class Outbox {
  stop: string | null = null;
  start: RoleName | null = null;
  #messages: EagerMessage[] = [];
  #after: AfterPersistMessage[] = [];
  #committed: TxnRange[] = [];
  #results: Result[] = [];

  get isEmpty(): boolean {
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

  take(seq: number): Ready {
    const ready: Ready = {
      seq,
      stop: this.stop,
      messages: this.#messages,
      persist: null,
      rebase: null,
      messagesAfterPersist: this.#after,
      committed: this.#committed,
      results: this.#results,
      start: this.start,
    };
    this.stop = null;
    this.start = null;
    this.#messages = [];
    this.#after = [];
    this.#committed = [];
    this.#results = [];
    return ready;
  }
}

const none: readonly never[] = [];

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
