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
import { isAbove, type TxnRange } from './committed-log.js';
import { LearnerLog, type LearnerLogOptions } from './learner-log.js';
import type { LinkId } from './messages.js';
import { Outbox } from './outbox.js';
import { nothingToPersist, type Persist, type Ready } from './ready.js';
import type { Succession } from './succession.js';
import type { ZxidPair } from './sync-choice.js';

export interface LearnerOptions extends LearnerLogOptions {
  readonly isObserver: boolean;
  readonly tickMs: number;
  /** In ticks. */
  readonly initLimit: number;
  readonly syncLimit: number;
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** The leader's cut cannot be made: let it send everything. Left out: no. */
  readonly wantsSnapshot?: boolean;
  /**
   * The others decided: this voter has lost its history, and must not be counted before it has theirs.
   * Left out: it had a vote.
   */
  readonly isWithoutVote?: boolean;
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

export class Learner {
  readonly #options: LearnerOptions;
  #phase: Phase = 'connecting';
  #link: LinkId | null = null;
  #succession: Succession | null = null;
  #epoch = 0;
  #hasAskedForSnapshot = false;
  #wasRefused = false;
  #nowMs: number;
  #phaseStartedMs: number;
  #lastHeardMs: number;

  /** Of this epoch, proposed before UPTODATE: counters that are durable, acknowledged after it. */
  #unacknowledgedFrom = 0;
  #unacknowledgedTo = 0;
  #seq = 0;
  readonly #out = new Outbox();
  readonly #log: LearnerLog;

  constructor(options: LearnerOptions) {
    this.#options = options;
    this.#nowMs = this.#phaseStartedMs = this.#lastHeardMs = options.nowMs;
    this.#log = new LearnerLog(options, this.#out);
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
    return this.#log.committed;
  }

  get link(): LinkId | null {
    return this.#link;
  }

  /** The leader has heard what history there is here, and has closed the connection, or died. */
  get wasRefused(): boolean {
    return this.#wasRefused;
  }

  /** Read no more from the link for now: what came must first become durable. */
  get isBusy(): boolean {
    return this.#log.isBusy;
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
    this.#wasRefused = this.#phase === 'promising';
    if (this.#phase !== 'stopped') this.#end(reason);
  }

  /** LEADERINFO. `isApache`: the leader counts every promise, also of who has lost its history. */
  onLeaderInfo(epoch: number, nowMs: number, isApache = false): void {
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
    // an epoch that was promised before is what an Apache leader leaves out of its count
    const isCounted = this.#options.isWithoutVote !== true || !isApache;
    const shown = isCounted ? currentEpoch : -1;
    this.#log.step({ ...nothingToPersist, acceptedEpoch: epoch }, () => {
      this.#out.sayDurably({ kind: 'ackEpoch', link, currentEpoch: shown, lastLogged });
    });
  }

  /** DIFF: what is here stays, more follows. */
  onDiff(nowMs: number): void {
    if (!this.#expects('promising', 'DIFF', nowMs) || this.#isNotSnapshot('DIFF')) return;
    this.#enter('synchronisation');
    this.#log.step({ ...nothingToPersist, beginEpoch: this.#epoch }, null);
  }

  /** TRUNC: what comes after the zxid was never committed. */
  onTrunc(to: ZxidPair, nowMs: number): void {
    if (!this.#expects('promising', 'TRUNC', nowMs) || this.#isNotSnapshot('TRUNC')) return;
    const { last } = this.#log;
    if (!isAbove(last.high, last.low, to.high, to.low)) {
      this.#end('told to cut off what is not there');
      return;
    }
    this.#enter('synchronisation');
    const cut = { ...nothingToPersist, beginEpoch: this.#epoch, truncateTo: to };
    this.#log.restart(to, 'reload', cut);
  }

  /** SNAP: the stream that follows replaces everything; `onSnapReceived` when it has ended. */
  onSnap(nowMs: number): void {
    if (!this.#expects('promising', 'SNAP', nowMs)) return;
    this.#enter('synchronisation');
  }

  /** The stream was whole, and is a durable file that only needs to be taken over. */
  onSnapReceived(zxid: ZxidPair, nowMs: number): void {
    if (!this.#expects('synchronisation', 'the end of a snapshot', nowMs)) return;
    const taken = { ...nothingToPersist, beginEpoch: this.#epoch, install: true };
    this.#log.restart(zxid, 'install', taken);
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
    if (!this.#log.take(bytes, start, end)) {
      this.#end('a proposal that does not follow the one before');
    }
  }

  /** The next proposal brings a configuration: that is durable before the proposal is acknowledged. */
  onConfigSeen(): void {
    this.#log.step({ ...nothingToPersist, config: 'seen' }, null);
  }

  /** COMMIT, of the oldest proposal that is not committed. */
  onCommit(high: number, low: number, nowMs: number): void {
    this.#heard(nowMs);
    const problem = this.#log.commitTo(high, low);
    if (problem !== null) this.#end(problem);
  }

  /** COMMITANDACTIVATE: it brings a configuration, in which `leader` leads. */
  onCommitAndActivate(high: number, low: number, leader: number, nowMs: number): void {
    this.onCommit(high, low, nowMs);
    if (this.#phase !== 'stopped') this.#log.activate(leader);
  }

  /** INFORM: an observer's proposal, committed already. */
  onInform(bytes: Uint8Array, start: number, end: number, nowMs: number): void {
    this.onProposal(bytes, start, end, nowMs);
    if (this.#phase !== 'stopped') this.#log.commitAll();
  }

  /** INFORMANDACTIVATE */
  onInformAndActivate(
    record: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
    leader: number,
    nowMs: number,
  ): void {
    this.onInform(record.bytes, record.start, record.end, nowMs);
    if (this.#phase !== 'stopped') this.#log.activate(leader);
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
    this.#log.step(finished, () => {
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
    const { logged, then } = this.#log.persisted(seq);
    if (this.#phase === 'stopped') return;
    if (logged !== null) this.#acknowledge(logged.batch);
    then?.();
    this.#log.advance();
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
    this.#log.handOutRest();
    return this.#out.takeCommitted();
  }

  takeReady(): Ready | null {
    const isOver = this.#phase === 'stopped';
    if (!isOver) this.#log.maybeAdvance();
    const seq = this.#seq + 1;
    const ready = this.#out.isEmpty ? null : this.#out.take(seq);
    const next = ready ?? (isOver ? null : this.#log.takeReady(seq));
    if (next !== null) this.#seq = seq;
    return next;
  }

  // ------------------------------------------------------------------ inside

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
