/**
 * What a learner takes of its leader's history, on its way to the disk and from there to memory: records
 * in the order in which they came, and between them the steps of a synchronisation (a promise, a cut, a
 * snapshot, the end of the history). A step stands on all that came before it (ZOOKEEPER-4643), and
 * nothing comes after it before it is durable. To be applied, a record must be both durable and
 * committed, in whichever order it becomes that.
 */
import { assert } from '../base/assert.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { isAbove, type CommittedLog, type TxnRange } from './committed-log.js';
import { readyToPersist, type Outbox } from './outbox.js';
import { persistBatch, type Persist, type Ready } from './ready.js';
import type { ZxidPair } from './sync-choice.js';

/** Records that are logged, or about to be, and not yet applied. */
interface Logged {
  readonly batch: TxnBatch;
  /** Records of it that have been handed out to be applied. */
  applied: number;
  isDurable: boolean;
}

/** Asked of the disk. */
export interface Persisting {
  readonly seq: number;
  readonly logged: { readonly batch: TxnBatch } | null;
  /** What follows from it, when it was more than records. */
  readonly then: (() => void) | null;
}

interface Asked extends Persisting {
  readonly logged: Logged | null;
}

export interface LearnerLogOptions {
  /** The end of the own log, all of it durable and applied. */
  readonly lastLogged: ZxidPair;
  readonly committedLog: CommittedLog;
  /** An empty batch. */
  takeBatch(): TxnBatch;
}

export class LearnerLog {
  readonly #options: LearnerLogOptions;
  /** Where what is applied, and what comes into force with it, is handed out. */
  readonly #out: Outbox;
  /** Records of this turn, for the next persist. */
  #filling: TxnBatch | null = null;
  /** The last record taken, which the next one must follow. */
  #last: ZxidPair;
  #commit: ZxidPair;
  readonly #logged: Logged[] = [];
  readonly #persisting: Asked[] = [];
  /** Commits came since the last look at what can be handed out. */
  #mustAdvance = false;
  /** Committed, with who leads then, and not yet handed out. */
  #activation: { readonly zxid: ZxidPair; readonly leader: number } | null = null;
  #step: Persist | null = null;
  #stepThen: (() => void) | null = null;
  #isStepUnderWay = false;
  #rebase: Ready['rebase'] = null;

  constructor(options: LearnerLogOptions, out: Outbox) {
    this.#options = options;
    this.#out = out;
    this.#last = this.#commit = options.lastLogged;
  }

  /** The last record that was taken. */
  get last(): ZxidPair {
    return this.#last;
  }

  /** The last transaction known to be committed. */
  get committed(): ZxidPair {
    return this.#commit;
  }

  /** Take no more for now: a step must first become durable. */
  get isBusy(): boolean {
    return this.#step !== null || this.#isStepUnderWay;
  }

  /** The record bytes[start, end), header first. False: it does not follow the one before. */
  take(bytes: Uint8Array, start: number, end: number): boolean {
    const batch = (this.#filling ??= this.#options.takeBatch());
    const writer = batch.begin();
    writer.writeBytes(bytes, start, end);
    batch.finish();
    const index = batch.count - 1;
    const next = { high: batch.zxidHigh(index), low: batch.zxidLow(index) };
    const last = this.#last;
    this.#last = next;
    // a hole would be ours to pass on one day (ZOOKEEPER-4925)
    if (next.high === last.high) return next.low === last.low + 1;
    return next.high > last.high && next.low === 1;
  }

  /** Everything up to it is committed. Null: so be it; otherwise what is wrong with that. */
  commitTo(high: number, low: number): string | null {
    if (!isAbove(high, low, this.#commit.high, this.#commit.low)) {
      return 'a commit of what was committed';
    }
    if (isAbove(high, low, this.#last.high, this.#last.low)) {
      return 'a commit of what was never proposed here';
    }
    this.#commit = { high, low };
    this.#mustAdvance = true;
    return null;
  }

  /** All that was taken is committed. */
  commitAll(): void {
    this.#commit = this.#last;
    this.#mustAdvance = true;
  }

  /** What is committed ends with a configuration, in which `leader` leads. */
  activate(leader: number): void {
    this.#activation = { zxid: this.#commit, leader };
    this.advance();
  }

  /**
   * More than records; `then` follows once it is durable, if the role still goes on. Two steps that come
   * together are one, in the order of the fields.
   */
  step(persist: Persist, then: (() => void) | null): void {
    const before = this.#stepThen;
    this.#step = this.#step === null ? persist : merged(this.#step, persist);
    this.#stepThen = (): void => {
      before?.();
      then?.();
    };
  }

  /** A step that leaves nothing behind that zxid, whose records are all committed. */
  restart(at: ZxidPair, rebase: 'reload' | 'install', persist: Persist): void {
    this.#last = this.#commit = at;
    this.#options.committedLog.clear();
    this.#rebase = rebase;
    this.step(persist, null);
  }

  /** Null: there is nothing to persist, or it is not its turn yet. */
  takeReady(seq: number): Ready | null {
    if (this.#isStepUnderWay) return null;
    if (this.#step !== null && this.#persisting.length > 0) return null;
    const persist = this.#toPersist();
    if (persist === null) return null;
    const rebase = this.#rebase;
    const { batch } = persist;
    const logged = batch === null ? null : { batch, applied: 0, isDurable: false };
    if (logged !== null) this.#logged.push(logged);
    this.#persisting.push({ seq, logged, then: this.#stepThen });
    this.#isStepUnderWay = this.#stepThen !== null;
    this.#filling = null;
    this.#step = null;
    this.#stepThen = null;
    this.#rebase = null;
    return readyToPersist(seq, persist, rebase);
  }

  /** The oldest that was asked is durable; what follows from it is the caller's to do, then `advance`. */
  persisted(seq: number): Persisting {
    const oldest = this.#persisting.shift();
    assert(oldest !== undefined && oldest.seq === seq, 'persists end in the order they began');
    const { logged, then } = oldest;
    if (logged !== null) logged.isDurable = true;
    if (then !== null) this.#isStepUnderWay = false;
    return oldest;
  }

  /** If commits came since: a whole turn's as one range of a batch. */
  maybeAdvance(): void {
    if (this.#mustAdvance) this.advance();
  }

  /** Hands out what is both committed and durable. */
  advance(): void {
    this.#mustAdvance = false;
    for (;;) {
      const oldest = this.#logged[0];
      if (oldest === undefined || !oldest.isDurable) return;
      const { batch } = oldest;
      let to = oldest.applied;
      const { high, low } = this.#commit;
      while (to < batch.count && !isAbove(batch.zxidHigh(to), batch.zxidLow(to), high, low)) to++;
      this.#handOut(oldest, to);
      if (to < batch.count) return;
      this.#logged.shift();
    }
  }

  /** At the end of the role, all of it durable: everything that was not handed out, committed or not. */
  handOutRest(): void {
    assert(this.#persisting.length === 0, 'no flush is under way');
    for (const logged of this.#logged) this.#handOut(logged, logged.batch.count);
    this.#logged.length = 0;
  }

  /** Its fields are executed in their order, so records may go with the step around them. */
  #toPersist(): Persist | null {
    const batch = this.#filling;
    if (this.#step !== null) return { ...this.#step, batch };
    return batch === null ? null : persistBatch(batch);
  }

  #handOut(logged: Logged, to: number): void {
    if (to === logged.applied) return;
    const range = { batch: logged.batch, from: logged.applied, to };
    logged.applied = to;
    this.#out.commit(range);
    this.#options.committedLog.push(range);
    this.#announce(range);
  }

  /** The configuration is in force, once its transaction is handed out. */
  #announce({ batch, to }: TxnRange): void {
    if (this.#activation === null) return;
    const { zxid, leader } = this.#activation;
    if (isAbove(zxid.high, zxid.low, batch.zxidHigh(to - 1), batch.zxidLow(to - 1))) return;
    this.#activation = null;
    this.#out.answer({ kind: 'activated', ...zxid, leader });
  }
}

function merged(first: Persist, second: Persist): Persist {
  return {
    acceptedEpoch: second.acceptedEpoch ?? first.acceptedEpoch,
    beginEpoch: second.beginEpoch ?? first.beginEpoch,
    truncateTo: second.truncateTo ?? first.truncateTo,
    install: first.install || second.install,
    batch: null,
    finishEpoch: first.finishEpoch || second.finishEpoch,
    config: second.config ?? first.config,
  };
}
