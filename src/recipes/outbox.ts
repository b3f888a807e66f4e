/**
 * What a process puts into a queue, on its way: in the order of the calls, one transaction at a time.
 * What is put while one is under way goes with the next, so a burst costs few round trips; and because
 * nothing overtakes a transaction whose answer was lost, the order holds then as well.
 */
import { NoNodeError, OutcomeUnknownError, ZkError } from '../client/errors.js';
import { TransactionError, type Transaction } from '../client/transaction.js';
import type { Acl, Data, ZkClient } from '../client/types.js';
import type { Marks } from './marks.js';
import { join, makeDirectory } from './parents.js';
import { asError, inBackground, within, type WaitOptions } from './patience.js';

/** An entry to be: its name without the number, and its data. */
export interface Letter {
  readonly prefix: string;
  readonly data: Data;
}

/** Letters that go together. */
interface Parcel {
  readonly letters: readonly Letter[];
  readonly bytes: number;
  isSent: boolean;
  settle(): void;
  fail(problem: Error): void;
}

/** Of one transaction, unless a single call has more. */
const lettersMax = 256;
const bytesMax = 256 * 1024;

export class Outbox {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #marks: Marks;
  readonly #acl: readonly Acl[] | undefined;
  #parcels: Parcel[] = [];
  #isSending = false;

  constructor(client: ZkClient, path: string, marks: Marks, acl: readonly Acl[] | undefined) {
    this.path = path;
    this.#client = client;
    this.#marks = marks;
    this.#acl = acl;
  }

  /**
   * Resolves when all of them are in the queue, side by side. Given up, they are withdrawn, or, when
   * they have been sent, it rejects with `OutcomeUnknownError`.
   */
  async put(letters: readonly Letter[], options: WaitOptions): Promise<void> {
    if (letters.length === 0) return;
    // what cannot be sent is refused here, before others go with it
    this.#fill(this.#client.transaction(), letters);
    const bytes = letters.reduce((sum, { data }) => sum + data.length, 0);
    const state: { parcel: Parcel | null } = { parcel: null };
    try {
      await within(this.#client, options, `putting into ${this.path}`, (signal) => {
        return new Promise<void>((settle, fail) => {
          const parcel: Parcel = { letters, bytes, isSent: false, settle, fail };
          state.parcel = parcel;
          this.#parcels.push(parcel);
          signal.addEventListener('abort', () => {
            if (!parcel.isSent) this.#parcels = this.#parcels.filter((one) => one !== parcel);
          });
          if (!this.#isSending) inBackground(this.#send());
        });
      });
    } catch (problem) {
      if (problem instanceof ZkError || state.parcel?.isSent !== true) throw problem;
      throw new OutcomeUnknownError(0, this.path, { cause: problem });
    }
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#parcels.length > 0) {
      const sent = this.#next();
      try {
        await this.#marks.commit((transaction) => {
          for (const { letters } of sent) this.#fill(transaction, letters);
        });
        for (const parcel of sent) parcel.settle();
      } catch (problem) {
        await this.#onFailed(sent, problem);
      }
    }
    this.#isSending = false;
  }

  #next(): Parcel[] {
    const next: Parcel[] = [];
    let letters = 0;
    let bytes = 0;
    for (const parcel of this.#parcels) {
      letters += parcel.letters.length;
      bytes += parcel.bytes;
      if (next.length > 0 && (letters > lettersMax || bytes > bytesMax)) break;
      parcel.isSent = true;
      next.push(parcel);
    }
    this.#parcels.splice(0, next.length);
    return next;
  }

  async #onFailed(sent: readonly Parcel[], problem: unknown): Promise<void> {
    if (!(problem instanceof TransactionError)) {
      for (const parcel of sent) parcel.fail(asError(problem));
      return;
    }
    // nothing of it was done: whose fault it was goes out, the others stay in front
    let again = sent;
    try {
      if (!(problem.results[problem.index] instanceof NoNodeError)) throw problem;
      // not a container: in another one the numbers would begin anew, and names with them
      await makeDirectory(this.#client, this.path, { mode: 'persistent', acl: this.#acl });
    } catch (reason) {
      const at = reason === problem ? parcelAt(sent, problem.index) : -1;
      for (const [i, parcel] of sent.entries()) {
        if (at < 0 || i === at) parcel.fail(asError(reason));
      }
      again = at < 0 ? [] : sent.filter((_, i) => i !== at);
    }
    this.#parcels.unshift(...again);
  }

  #fill(transaction: Transaction, letters: readonly Letter[]): void {
    const acl = this.#acl;
    for (const { prefix, data } of letters) {
      transaction.create(join(this.path, prefix), data, {
        mode: 'persistent-sequential',
        ...(acl === undefined ? {} : { acl }),
      });
    }
  }
}

/** In which parcel the letter of that index is. */
function parcelAt(parcels: readonly Parcel[], index: number): number {
  let first = 0;
  return parcels.findIndex(({ letters }) => index < (first += letters.length));
}
