/**
 * Executes what a role of the protocol wants done, in the order that a Ready prescribes. This is the
 * only place that does, so "persist, then speak" is kept here or nowhere.
 */
import type { AfterPersistMessage, EagerMessage } from '../zab/messages.js';
import type { CommittedRange, Persist, Ready, Result, RoleName } from '../zab/ready.js';

/** A role: standalone, leader, learner. */
export interface ReadySource {
  takeReady(): Ready | null;
  persisted(seq: number): void;
}

export interface ReadyWork {
  /** Before each look for something to do: hand over what has been gathered. */
  prepare(): void;
  stop(reason: string): void;
  send(message: EagerMessage | AfterPersistMessage): void;
  /** What was sent leaves now: a flush on the loop is not to hold up the disks of the others. */
  depart(): void;
  /** Calls `done` when all of it is durable and memory follows it; never, if the disk failed. */
  persist(persist: Persist, rebase: Ready['rebase'], done: () => void): void;
  apply(range: CommittedRange): void;
  answer(result: Result): void;
  start(role: RoleName): void;
  /** Nothing is left to do for now. */
  rest(): void;
}

export class ReadyLoop {
  readonly #source: ReadySource;
  readonly #work: ReadyWork;
  #isPumping = false;
  #mustPump = false;
  #persistsUnderWay = 0;
  /** Those that ended. */
  #persistCount = 0;

  constructor(source: ReadySource, work: ReadyWork) {
    this.#source = source;
    this.#work = work;
  }

  /** The disk has not answered yet. */
  get isPersisting(): boolean {
    return this.#persistsUnderWay > 0;
  }

  /** Grows whenever the disk answers. */
  get persistCount(): number {
    return this.#persistCount;
  }

  /** Executes Readys until only the disk, the network or a client can bring something new. */
  pump(): void {
    this.#mustPump = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#mustPump) {
      this.#mustPump = false;
      for (;;) {
        const ready = this.#source.takeReady();
        if (ready !== null) {
          this.#execute(ready);
          continue;
        }
        this.#work.prepare();
        const handedOver = this.#source.takeReady();
        if (handedOver === null) break;
        this.#execute(handedOver);
      }
    }
    this.#isPumping = false;
    this.#work.rest();
  }

  #execute(ready: Ready): void {
    const work = this.#work;
    if (ready.stop !== null) {
      for (const message of ready.messages) work.send(message);
      work.stop(ready.stop);
      return;
    }
    for (const message of ready.messages) work.send(message);
    if (ready.persist !== null) {
      work.depart();
      this.#persistsUnderWay++;
      work.persist(ready.persist, ready.rebase, () => {
        this.#persistsUnderWay--;
        this.#persistCount++;
        this.#source.persisted(ready.seq);
        this.pump();
      });
    }
    // a Ready that persists has none of these: what depends on it comes in a later one
    for (const message of ready.messagesAfterPersist) work.send(message);
    for (const range of ready.committed) work.apply(range);
    for (const result of ready.results) work.answer(result);
    if (ready.start !== null) work.start(ready.start);
  }
}
