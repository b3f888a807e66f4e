/**
 * The learning roles, follower and observer, from the end of an election to the loss of the leader:
 * promise an epoch, take over the leader's history, acknowledge it, then log what is proposed and
 * apply what is committed. Paper: Zab, phases 1 to 3 of the follower; wire order as Apache's.
 *
 * The order that keeps committed transactions (ZOOKEEPER-3911, 4643, 4646, 4785, 2354):
 *
 *   acceptedEpoch durable → ACKEPOCH
 *   currentEpoch.tmp durable → truncation, snapshot, records of the history durable → currentEpoch
 *   → ACK of NEWLEADER → (UPTODATE) → ACKs of what was proposed meanwhile
 *
 * History is logged as it arrives, in order, so memory stays bounded; a crash in the middle leaves a
 * prefix of the leader's history, which is what the next synchronisation begins with.
 */
import { assert, present } from '../base/assert.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { isAbove, type CommittedLog, type TxnRange } from './committed-log.js';
import type { LinkId } from './messages.js';
import { Outbox, readyToPersist } from './outbox.js';
import { nothingToPersist, persistBatch, type Persist, type Ready } from './ready.js';
import type { Succession } from './succession.js';
import type { ZxidPair } from './sync-choice.js';

export interface LearnerOptions {
  readonly isObserver: boolean;
  readonly tickMs: number;
  /** In ticks. */
  readonly initLimit: number;
  readonly syncLimit: number;
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** The end of the own log, all of it durable and applied. */
  readonly lastLogged: ZxidPair;
  /** The leader's cut cannot be made: let it send everything. Left out: no. */
  readonly wantsSnapshot?: boolean;
  readonly committedLog: CommittedLog;
  /** An empty batch. */
  takeBatch(): TxnBatch;
  /** How long the leader may take to begin the synchronisation; initLimit when it is left out. */
  readonly discoveryLimitMs?: number;
  /** Of silence, after which a leader is left; syncLimit when it is left out. */
  readonly silenceLimitMs?: number;
  readonly nowMs: number;
}

/**
 * The start of an epoch that never comes: nothing to go on from, and nothing that can be cut off, so
 * leaders, Apache's as well, send a snapshot. Shown only where it counts for nothing else.
 */
const beyondEverything: ZxidPair = { high: 0x7fff_ffff, low: 0 };

type Phase =
  /** No link yet. */
  | 'connecting'
  /** FOLLOWERINFO is out. */
  | 'discovery'
  /** The leader's epoch is being made durable, or ACKEPOCH is out. */
  | 'promising'
  | 'synchronisation'
  /** All of the history is here; UPTODATE is awaited. */
  | 'synchronised'
  | 'broadcast'
  | 'stopped';

/** Records that are logged, or about to be, and not yet applied. */
interface Logged {
  readonly batch: TxnBatch;
  /** Records of it that have been handed out to be applied. */
  applied: number;
  isDurable: boolean;
}

interface Persisting {
  readonly seq: number;
  readonly logged: Logged | null;
  /** What follows from it, when it was more than records. */
  readonly then: (() => void) | null;
}

export class Learner {
  readonly #options: LearnerOptions;
  #phase: Phase = 'connecting';
  #link: LinkId | null = null;
  #succession: Succession | null = null;
  #epoch = 0;
  #hasAskedForSnapshot = false;
  #nowMs: number;
  #phaseStartedMs: number;
  #lastHeardMs: number;

  /** Records of this turn, for the next persist. */
  #filling: TxnBatch | null = null;
  /** The last record taken, which the next one must follow. */
  #last: ZxidPair;
  #commit: ZxidPair;
  readonly #logged: Logged[] = [];
  readonly #persisting: Persisting[] = [];
  /** Of this epoch, proposed before UPTODATE: counters that are durable, acknowledged after it. */
  #unacknowledgedFrom = 0;
  #unacknowledgedTo = 0;
  /** Commits came since the last look at what can be handed out. */
  #mustAdvance = false;
  /** Committed, with who leads then, and not yet handed out. */
  #activation: { readonly zxid: ZxidPair; readonly leader: number } | null = null;

  #seq = 0;
  readonly #out = new Outbox();
  #slow: Persist | null = null;
  #slowThen: (() => void) | null = null;
  #isSlowUnderWay = false;
  #rebase: 'reload' | 'install' | null = null;

  constructor(options: LearnerOptions) {
    this.#options = options;
    this.#nowMs = this.#phaseStartedMs = this.#lastHeardMs = options.nowMs;
    this.#last = this.#commit = options.lastLogged;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get isServing(): boolean {
    return this.#phase === 'broadcast';
  }

  get isStopped(): boolean {
    return this.#phase === 'stopped';
  }

  /** The last transaction known to be committed. */
  get committed(): ZxidPair {
    return this.#commit;
  }

  get link(): LinkId | null {
    return this.#link;
  }

  /** Read no more from the link for now: what came must first become durable. */
  get isBusy(): boolean {
    return this.#slow !== null || this.#isSlowUnderWay;
  }

  // ------------------------------------------------------------------ the leader speaks

  onLinkUp(link: LinkId, nowMs: number): void {
    assert(this.#phase === 'connecting', 'one link to the leader at a time');
    this.#link = link;
    this.#heard(nowMs);
    this.#enter('discovery');
    const { isObserver, acceptedEpoch } = this.#options;
    this.#out.sayDurably({ kind: 'learnerInfo', link, isObserver, acceptedEpoch });
  }

  onLinkDown(reason: string): void {
    this.#link = null;
    if (this.#phase !== 'stopped') this.#end(reason);
  }

  /** LEADERINFO */
  onLeaderInfo(epoch: number, nowMs: number): void {
    if (!this.#expects('discovery', 'LEADERINFO', nowMs)) return;
    const { acceptedEpoch, currentEpoch, lastLogged } = this.#options;
    if (epoch < acceptedEpoch) {
      this.#end(`the leader's epoch ${epoch} is older than the accepted one, ${acceptedEpoch}`);
      return;
    }
    this.#epoch = epoch;
    this.#enter('promising');
    const link = present(this.#link, 'a packet came by it');
    if (epoch === acceptedEpoch) {
      // promised before, perhaps to another leader: no new promise, so it must not be counted
      this.#hasAskedForSnapshot = this.#options.wantsSnapshot === true;
      const shown = this.#hasAskedForSnapshot ? beyondEverything : lastLogged;
      this.#out.sayDurably({ kind: 'ackEpoch', link, currentEpoch: -1, lastLogged: shown });
      return;
    }
    this.#persistSlowly({ ...nothingToPersist, acceptedEpoch: epoch }, () => {
      this.#out.sayDurably({ kind: 'ackEpoch', link, currentEpoch, lastLogged });
    });
  }

  /** DIFF: what is here stays, more follows. */
  onDiff(nowMs: number): void {
    if (!this.#expects('promising', 'DIFF', nowMs) || this.#isNotSnapshot('DIFF')) return;
    this.#enter('synchronisation');
    this.#persistSlowly({ ...nothingToPersist, beginEpoch: this.#epoch }, () => undefined);
  }

  /** TRUNC: what comes after the zxid was never committed. */
  onTrunc(to: ZxidPair, nowMs: number): void {
    if (!this.#expects('promising', 'TRUNC', nowMs) || this.#isNotSnapshot('TRUNC')) return;
    if (!isAbove(this.#last.high, this.#last.low, to.high, to.low)) {
      this.#end('told to cut off what is not there');
      return;
    }
    this.#enter('synchronisation');
    this.#last = this.#commit = to;
    this.#options.committedLog.clear();
    this.#rebase = 'reload';
    const cut = { ...nothingToPersist, beginEpoch: this.#epoch, truncateTo: to };
    this.#persistSlowly(cut, () => undefined);
  }

  /** SNAP: the stream that follows replaces everything; `onSnapReceived` when it has ended. */
  onSnap(nowMs: number): void {
    if (!this.#expects('promising', 'SNAP', nowMs)) return;
    this.#enter('synchronisation');
  }

  /** The stream was whole, and is a durable file that only needs to be taken over. */
  onSnapReceived(zxid: ZxidPair, nowMs: number): void {
    if (!this.#expects('synchronisation', 'the end of a snapshot', nowMs)) return;
    this.#last = this.#commit = zxid;
    this.#options.committedLog.clear();
    this.#rebase = 'install';
    const taken = { ...nothingToPersist, beginEpoch: this.#epoch, install: true };
    this.#persistSlowly(taken, () => undefined);
  }

  /** PROPOSAL: the record bytes[start, end), header first. */
  onProposal(bytes: Uint8Array, start: number, end: number, nowMs: number): void {
    this.#heard(nowMs);
    const isInOrder =
      this.#phase === 'synchronisation' ||
      this.#phase === 'synchronised' ||
      this.#phase === 'broadcast';
    if (!isInOrder) {
      this.#end(`a proposal while ${this.#phase}`);
      return;
    }
    this.#take(bytes, start, end);
  }

  /** The next proposal brings a configuration: that is durable before the proposal is acknowledged. */
  onConfigSeen(): void {
    this.#persistSlowly({ ...nothingToPersist, config: 'seen' }, () => undefined);
  }

  /** COMMIT, of the oldest proposal that is not committed. */
  onCommit(high: number, low: number, nowMs: number): void {
    this.#heard(nowMs);
    if (!isAbove(high, low, this.#commit.high, this.#commit.low)) {
      this.#end('a commit of what was committed');
      return;
    }
    if (isAbove(high, low, this.#last.high, this.#last.low)) {
      this.#end('a commit of what was never proposed here');
      return;
    }
    this.#commit = { high, low };
    this.#mustAdvance = true;
  }

  /** COMMITANDACTIVATE: it brings a configuration, in which `leader` leads. */
  onCommitAndActivate(high: number, low: number, leader: number, nowMs: number): void {
    this.#activation = { zxid: { high, low }, leader };
    this.onCommit(high, low, nowMs);
    this.#advance();
  }

  /** INFORM: an observer's proposal, committed already. */
  onInform(bytes: Uint8Array, start: number, end: number, nowMs: number): void {
    this.onProposal(bytes, start, end, nowMs);
    if (this.#phase === 'stopped') return;
    this.#commit = this.#last;
    this.#mustAdvance = true;
  }

  /** INFORMANDACTIVATE */
  onInformAndActivate(
    record: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
    leader: number,
    nowMs: number,
  ): void {
    const { bytes, start, end } = record;
    this.onProposal(bytes, start, end, nowMs);
    if (this.#phase === 'stopped') return;
    this.#activation = { zxid: this.#last, leader };
    this.#commit = this.#last;
    this.#advance();
  }

  /** NEWLEADER: the history so far is this epoch's. */
  onNewLeader(epoch: number, nowMs: number): void {
    if (!this.#expects('synchronisation', 'NEWLEADER', nowMs)) return;
    if (epoch !== this.#epoch) {
      this.#end(`NEWLEADER of epoch ${epoch} after LEADERINFO of ${this.#epoch}`);
      return;
    }
    this.#enter('synchronised');
    const link = present(this.#link, 'a packet came by it');
    const finished: Persist = { ...nothingToPersist, config: 'seen', finishEpoch: true };
    this.#persistSlowly(finished, () => {
      this.#out.sayDurably({ kind: 'ackEpochStart', link, epoch });
    });
  }

  /** UPTODATE: a quorum has the history; clients may be served. */
  onUpToDate(nowMs: number): void {
    if (!this.#expects('synchronised', 'UPTODATE', nowMs)) return;
    this.#enter('broadcast');
    const link = present(this.#link, 'a packet came by it');
    this.#out.sayDurably({ kind: 'ackEpochStart', link, epoch: this.#epoch });
    this.#out.start = this.#options.isObserver ? 'observing' : 'following';
    this.#acknowledgeNow(link, this.#unacknowledgedFrom, this.#unacknowledgedTo);
  }

  /** HANDOVER: this epoch is over, and who leads next is known. */
  onHandOver(succession: Succession, nowMs: number): void {
    if (!this.#expects('broadcast', 'HANDOVER', nowMs)) return;
    this.#succession = succession;
    this.#end(`leadership is handed over to ${succession.leader}`);
  }

  /** Who leads after the leader that was followed, by its own word; null: it said nothing. */
  get succession(): Succession | null {
    return this.#succession;
  }

  onPing(zxid: ZxidPair, nowMs: number): void {
    this.#heard(nowMs);
    const link = this.#link;
    if (link !== null && this.#phase !== 'stopped') {
      this.#out.say({ kind: 'pong', link, zxid });
    }
  }

  onHeard(nowMs: number): void {
    this.#heard(nowMs);
  }

  // ------------------------------------------------------------------ the server

  persisted(seq: number): void {
    const oldest = this.#persisting.shift();
    assert(oldest !== undefined && oldest.seq === seq, 'persists end in the order they began');
    const { logged, then } = oldest;
    if (logged !== null) logged.isDurable = true;
    if (then !== null) this.#isSlowUnderWay = false;
    if (this.#phase === 'stopped') return;
    if (logged !== null) this.#acknowledge(logged.batch);
    then?.();
    this.#advance();
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#phase === 'stopped') return;
    const { tickMs, syncLimit, silenceLimitMs } = this.#options;
    if (this.#phase === 'broadcast') {
      const limitMs = silenceLimitMs ?? syncLimit * tickMs;
      if (nowMs - this.#lastHeardMs > limitMs) this.#end('the leader is silent');
    } else if (nowMs - Math.max(this.#lastHeardMs, this.#phaseStartedMs) > this.#limitMs()) {
      this.#end(`nothing heard in time while ${this.#phase}`);
    }
  }

  stop(reason: string): void {
    if (this.#phase !== 'stopped') this.#end(reason);
  }

  /** Everything logged and not yet handed out, once all of it is durable: memory follows the disk. */
  takeRest(): TxnRange[] {
    assert(this.#phase === 'stopped', 'only at the end of the role');
    assert(this.#persisting.length === 0, 'no flush is under way');
    for (const logged of this.#logged) this.#handOut(logged, logged.batch.count);
    this.#logged.length = 0;
    return this.#out.takeCommitted();
  }

  takeReady(): Ready | null {
    if (this.#mustAdvance && this.#phase !== 'stopped') this.#advance();
    if (!this.#out.isEmpty) return this.#out.take(++this.#seq);
    if (this.#phase === 'stopped' || this.#isSlowUnderWay) return null;
    // a step that is more than records stands on all records before it (ZOOKEEPER-4643)
    if (this.#slow !== null && this.#persisting.length > 0) return null;
    const persist = this.#toPersist();
    if (persist === null) return null;
    const rebase = this.#rebase;
    const seq = ++this.#seq;
    this.#beginPersist(seq, persist);
    return readyToPersist(seq, persist, rebase);
  }

  // ------------------------------------------------------------------ inside

  #take(bytes: Uint8Array, start: number, end: number): void {
    const batch = (this.#filling ??= this.#options.takeBatch());
    const writer = batch.begin();
    writer.writeBytes(bytes, start, end);
    batch.finish();
    const index = batch.count - 1;
    const next = { high: batch.zxidHigh(index), low: batch.zxidLow(index) };
    const goesOn =
      next.high === this.#last.high ? next.low === this.#last.low + 1 : next.high > this.#last.high;
    const isFirstOfEpoch = next.high === this.#last.high || next.low === 1;
    if (!goesOn || !isFirstOfEpoch) {
      // a hole would be ours to pass on one day (ZOOKEEPER-4925)
      this.#end('a proposal that does not follow the one before');
      return;
    }
    this.#last = next;
  }

  /** Its fields are executed in their order, so records may go with the steps around them. */
  #toPersist(): Persist | null {
    const batch = this.#filling;
    if (this.#slow !== null) return { ...this.#slow, batch };
    return batch === null ? null : persistBatch(batch);
  }

  #beginPersist(seq: number, persist: Persist): void {
    const { batch } = persist;
    const logged = batch === null ? null : { batch, applied: 0, isDurable: false };
    if (logged !== null) this.#logged.push(logged);
    this.#persisting.push({ seq, logged, then: this.#slowThen });
    this.#isSlowUnderWay = this.#slowThen !== null;
    this.#filling = null;
    this.#slow = null;
    this.#slowThen = null;
    this.#rebase = null;
  }

  /** More than records; two of them that come together are one, in the order of the fields. */
  #persistSlowly(persist: Persist, then: () => void): void {
    const before = this.#slowThen;
    this.#slow = this.#slow === null ? persist : merged(this.#slow, persist);
    this.#slowThen = (): void => {
      before?.();
      if (this.#phase !== 'stopped') then();
    };
  }

  #acknowledge(batch: TxnBatch): void {
    if (this.#options.isObserver) return;
    // history of older epochs needs none
    let from = 0;
    while (from < batch.count && batch.zxidHigh(from) !== this.#epoch) from++;
    if (from === batch.count) return;
    const [fromLow, toLow] = [batch.zxidLow(from), batch.zxidLow(batch.count - 1)];
    const link = this.#link;
    if (this.#phase === 'broadcast') {
      if (link !== null) this.#acknowledgeNow(link, fromLow, toLow);
      return;
    }
    if (this.#unacknowledgedFrom === 0) this.#unacknowledgedFrom = fromLow;
    this.#unacknowledgedTo = toLow;
  }

  #acknowledgeNow(link: LinkId, fromLow: number, toLow: number): void {
    if (toLow > 0) this.#out.sayDurably({ kind: 'ack', link, epoch: this.#epoch, fromLow, toLow });
  }

  /** Hands out what is both committed and durable: a whole turn's commits as one range of a batch. */
  #advance(): void {
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

  #handOut(logged: Logged, to: number): void {
    if (to === logged.applied) return;
    const range = { batch: logged.batch, from: logged.applied, to };
    logged.applied = to;
    this.#out.commit(range);
    this.#options.committedLog.push(range);
    this.#activate(range);
  }

  #activate({ batch, to }: TxnRange): void {
    if (this.#activation === null) return;
    const { zxid, leader } = this.#activation;
    if (isAbove(zxid.high, zxid.low, batch.zxidHigh(to - 1), batch.zxidLow(to - 1))) return;
    this.#activation = null;
    this.#out.answer({ kind: 'activated', ...zxid, leader });
  }

  /** Of silence, before the role serves. */
  #limitMs(): number {
    const { discoveryLimitMs, initLimit, tickMs } = this.#options;
    const isSynchronising = this.#phase === 'synchronisation' || this.#phase === 'synchronised';
    return isSynchronising ? initLimit * tickMs : (discoveryLimitMs ?? initLimit * tickMs);
  }

  /** It was told a zxid that is not the end of the history here: nothing else fits. */
  #isNotSnapshot(what: string): boolean {
    if (this.#hasAskedForSnapshot) this.#end(`${what}, and a snapshot was asked for`);
    return this.#hasAskedForSnapshot;
  }

  #expects(phase: Phase, what: string, nowMs: number): boolean {
    this.#heard(nowMs);
    if (this.#phase === phase) return true;
    if (this.#phase !== 'stopped') this.#end(`${what} while ${this.#phase}`);
    return false;
  }

  #heard(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#lastHeardMs = nowMs;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseStartedMs = this.#nowMs;
  }

  #end(reason: string): void {
    this.#phase = 'stopped';
    this.#out.stop = reason;
    if (this.#link !== null) this.#out.say({ kind: 'close', link: this.#link, reason });
    this.#link = null;
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
