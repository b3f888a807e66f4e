/**
 * The leading role, from the end of an election to its own end: discovery of an epoch that a quorum
 * promises, synchronisation of each learner with this server's history, broadcast. Paper: Junqueira,
 * Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems", phases 1 to 3 of the
 * leader; wire order as Apache's.
 *
 * Pure: connections and the disk are told of in method calls, what is to be done comes out as
 * Readys. The rules that keep committed transactions:
 *
 * - The own promise (acceptedEpoch) counts, and LEADERINFO leaves, only after it is durable.
 * - The own acknowledgement of a proposal counts only after its flush; others' by connection.
 * - A proposal is committed when every quorum in force has it durable, in order, without a gap.
 */
import { assert, present } from '../base/assert.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { isAbove, type CommittedLog, type TxnRange } from './committed-log.js';
import { durableOfAll } from './durability.js';
import { LearnerLink } from './learner-link.js';
import type { LinkId } from './messages.js';
import { Outbox, readyToPersist } from './outbox.js';
import type { Quorum } from './quorum.js';
import { nothingToPersist, persistBatch, type Persist, type Ready } from './ready.js';
import { SyncBarriers } from './sync-barriers.js';
import { chooseSync, type ZxidPair } from './sync-choice.js';

export interface LeaderOptions {
  readonly sid: number;
  readonly tickMs: number;
  /** In ticks. */
  readonly initLimit: number;
  readonly syncLimit: number;
  /** As they are on this server's disk. */
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** The end of the own log, all of it durable and applied. */
  readonly lastLogged: ZxidPair;
  readonly committedLog: CommittedLog;
  /** All that must agree: one, or two while a reconfiguration is under way. */
  readonly quorums: () => readonly Quorum[];
  readonly nowMs: number;
}

type Phase = 'discovery' | 'promising' | 'promised' | 'synchronisation' | 'broadcast' | 'stopped';

/** A batch of proposals that is not wholly committed. */
interface Outstanding {
  readonly batch: TxnBatch;
  /** Counter of its first record. */
  readonly firstLow: number;
  /** Records of it that are committed. */
  committed: number;
}

/** Proposals of one epoch are counted in 32 bits; the last one is never given out. */
const COUNTER_MAX = 0xffffffff;
/** What may be proposed between two looks at the counter. */
const COUNTER_RESERVE = 1 << 24;

export class Leader {
  readonly #options: LeaderOptions;
  readonly #links = new Map<LinkId, LearnerLink>();
  #phase: Phase = 'discovery';
  #epoch = 0;
  #phaseStartedMs: number;
  #lastPingMs: number;
  #nowMs: number;

  /** Counters within the epoch. */
  #proposedLow = 0;
  #durableLow = 0;
  #committedLow = 0;
  #outstanding: Outstanding[] = [];
  readonly #flushing: { readonly seq: number; readonly lastLow: number }[] = [];
  #hasOwnPromise = false;
  #hasOwnAck = false;
  readonly #syncs = new SyncBarriers();

  #seq = 0;
  readonly #out = new Outbox();
  #persist: Persist | null = null;
  /** A persist of epoch files is under way: nothing that depends on it has been said. */
  #slowSeq = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs;
    this.#phaseStartedMs = this.#lastPingMs = options.nowMs;
    this.#tryEpoch();
  }

  /** Of this leader; 0 until a quorum has been heard. */
  get epoch(): number {
    return this.#epoch;
  }

  get isServing(): boolean {
    return this.#phase === 'broadcast';
  }

  get isStopped(): boolean {
    return this.#phase === 'stopped';
  }

  get proposedLow(): number {
    return this.#proposedLow;
  }

  get committedLow(): number {
    return this.#committedLow;
  }

  /** Proposals that are not committed. */
  get outstandingCount(): number {
    return this.#proposedLow - this.#committedLow;
  }

  links(): IterableIterator<LearnerLink> {
    return this.#links.values();
  }

  // ------------------------------------------------------------------ learners

  /** FOLLOWERINFO or OBSERVERINFO: the first that a link says. */
  onLearnerInfo(
    link: LinkId,
    info: { readonly sid: number; readonly isObserver: boolean; readonly acceptedEpoch: number },
    nowMs: number,
  ): void {
    if (this.#phase === 'stopped') return;
    this.#nowMs = nowMs;
    for (const other of [...this.#links.values()]) {
      // the same server again: its older connection is dead, whether or not anybody noticed
      if (other.sid === info.sid) this.#drop(other, 'the same server has connected again');
    }
    const learner = new LearnerLink(link, info, nowMs);
    this.#links.set(link, learner);
    if (this.#phase === 'discovery') this.#tryEpoch();
    else if (this.#slowSeq === 0) this.#tellEpoch(learner);
  }

  /** `currentEpoch` -1: the learner had accepted this epoch before. */
  onAckEpoch(link: LinkId, currentEpoch: number, lastLogged: ZxidPair, nowMs: number): void {
    const learner = this.#heard(link, nowMs);
    if (learner === null) return;
    if (learner.phase !== 'promising') {
      this.#drop(learner, 'ACKEPOCH out of turn');
      return;
    }
    learner.lastLogged = lastLogged;
    const { currentEpoch: ours, lastLogged: own } = this.#options;
    const isAhead =
      currentEpoch > ours ||
      (currentEpoch === ours && isAbove(lastLogged.high, lastLogged.low, own.high, own.low));
    // once this epoch has begun its history is what counts, however far the learner's tail reaches
    if (currentEpoch !== -1 && isAhead && this.#phase === 'promising') {
      this.#drop(learner, 'it knows more than this leader');
      return;
    }
    learner.phase = 'promised';
    if (this.#phase === 'promising') this.#tryPromises();
    else if (this.#phase === 'synchronisation' || this.#phase === 'broadcast') {
      this.#synchronise(learner);
    }
  }

  onAck(link: LinkId, high: number, low: number, nowMs: number): void {
    const learner = this.#heard(link, nowMs);
    if (learner === null) return;
    if (learner.phase === 'synchronised') {
      // older servers acknowledge proposals before NEWLEADER (ZOOKEEPER-4685): taken as it comes
      if (low !== 0) {
        this.#count(learner, high, low);
        return;
      }
      if (high !== this.#epoch) {
        this.#drop(learner, 'it acknowledges another epoch');
        return;
      }
      learner.phase = 'acknowledged';
      if (this.#phase === 'synchronisation') this.#tryEstablish();
      else if (this.#phase === 'broadcast') this.#activate(learner);
      this.#advance();
      return;
    }
    if (low === 0) return; // of UPTODATE
    this.#count(learner, high, low);
    this.#advance();
  }

  /** An echo of a ping. */
  onPong(link: LinkId, nowMs: number): void {
    const learner = this.#heard(link, nowMs);
    if (learner === null || learner.phase !== 'active') return;
    if (learner.pingsEchoed < learner.pingsSent) learner.pingsEchoed++;
    this.#answerSyncs();
  }

  /** Anything else came from it. */
  onHeard(link: LinkId, nowMs: number): void {
    this.#heard(link, nowMs);
  }

  onLinkDown(link: LinkId): void {
    this.#links.delete(link);
  }

  /** History up to and including the zxid has been sent: the rest is in memory, or on the disk. */
  streamed(link: LinkId, at: ZxidPair): void {
    const learner = this.#links.get(link);
    if (learner === undefined || this.#phase === 'stopped') return;
    assert(learner.phase === 'streaming', 'only a streaming learner has been streamed to');
    this.#goOn(learner, at);
  }

  // ------------------------------------------------------------------ the server

  /** The zxid of the next proposal: (epoch, counter). */
  nextZxidHigh(): number {
    return this.#epoch;
  }

  nextZxidLow(): number {
    return this.#proposedLow + 1;
  }

  proposed(): void {
    this.#proposedLow++;
  }

  /** No more proposals fit into this epoch: the role ends before the counter does (ZOOKEEPER-1277). */
  get isExhausted(): boolean {
    return this.#proposedLow >= COUNTER_MAX - COUNTER_RESERVE;
  }

  /** Group commit: one flush at a time, the next batch fills meanwhile. */
  get isAccepting(): boolean {
    return this.isServing && this.#persist === null && this.#flushing.length === 0;
  }

  /** The batch is complete: its records are proposed. */
  handOver(batch: TxnBatch): void {
    assert(this.#phase === 'broadcast', 'only an established leader proposes');
    assert(this.#persist === null, 'a Ready is taken before the next batch is handed over');
    const last = batch.count - 1;
    assert(batch.zxidHigh(last) === this.#epoch, 'a proposal is of this epoch');
    assert(batch.zxidLow(last) === this.#proposedLow, 'a batch ends with the last proposed zxid');
    const firstLow = batch.zxidLow(0);
    const before = this.#outstanding.at(-1);
    assert(
      before === undefined || before.firstLow + before.batch.count === firstLow,
      'proposals have no gap',
    );
    this.#outstanding.push({ batch, firstLow, committed: 0 });
    const links = this.#forwarding(false);
    if (links.length > 0) {
      this.#out.say({ kind: 'propose', links, batch, from: 0, to: batch.count });
    }
    this.#persist = persistBatch(batch);
  }

  /** What is flushed here counts as this server's acknowledgement. */
  persisted(seq: number): void {
    if (seq === this.#slowSeq) {
      this.#slowSeq = 0;
      this.#persistedEpoch();
      return;
    }
    const oldest = this.#flushing.shift();
    assert(oldest !== undefined && oldest.seq === seq, 'flushes end in the order they began');
    this.#durableLow = oldest.lastLow;
    this.#advance();
  }

  /**
   * Answered in a Ready's results once a quorum has heard this leader after now, and all that was
   * proposed before has been committed: whoever reads then sees everything acknowledged before now.
   */
  requestSync(token: number): void {
    assert(this.#phase === 'broadcast', 'only an established leader answers a sync');
    const links = this.#syncs.request(token, this.#proposedLow, this.#links.values());
    if (links.length > 0) this.#ping(links);
    this.#answerSyncs();
  }

  tick(nowMs: number): void {
    if (this.#phase === 'stopped') return;
    this.#nowMs = nowMs;
    const { tickMs, initLimit, syncLimit } = this.#options;
    if (this.#phase !== 'broadcast') {
      if (nowMs - this.#phaseStartedMs >= initLimit * tickMs) {
        this.#end(`no quorum within initLimit, waiting for ${this.#phase}`);
        return;
      }
    }
    for (const learner of [...this.#links.values()]) {
      const limit = learner.phase === 'active' ? syncLimit : initLimit;
      if (nowMs - learner.lastHeardMs > limit * tickMs) {
        this.#drop(learner, 'it has not been heard for too long');
      }
    }
    if (this.#phase === 'broadcast' && nowMs - this.#lastPingMs >= tickMs / 2) {
      this.#lastPingMs = nowMs;
      if (!this.#isQuorum((learner) => learner.phase === 'active')) {
        this.#end('fewer than a quorum of servers follow');
        return;
      }
      const links: LinkId[] = [];
      for (const learner of this.#links.values()) {
        if (!learner.isForwarding) continue;
        if (learner.phase === 'active') learner.pingsSent++;
        links.push(learner.id);
      }
      if (links.length > 0) this.#ping(links);
    }
  }

  /** When `tick` has something to do. */
  get deadlineMs(): number {
    const { tickMs } = this.#options;
    return this.#phase === 'broadcast' ? this.#lastPingMs + tickMs / 2 : this.#nowMs + tickMs / 4;
  }

  /** Ends the role by wish of the server, or because of the disk. */
  stop(reason: string): void {
    if (this.#phase !== 'stopped') this.#end(reason);
  }

  /** Everything proposed and not committed: it is on this server's disk, so memory follows. */
  takeRest(): TxnRange[] {
    assert(this.#phase === 'stopped', 'only at the end of the role');
    assert(this.#flushing.length === 0 && this.#slowSeq === 0, 'no flush is under way');
    const rest = this.#out.takeCommitted();
    for (const { batch, committed } of this.#outstanding) {
      const range = { batch, from: committed, to: batch.count };
      rest.push(range);
      this.#options.committedLog.push(range);
    }
    this.#outstanding = [];
    return rest;
  }

  /**
   * What can be said and done now comes before what the disk must do first: nothing that is ready
   * waits for a flush that it does not depend on.
   */
  takeReady(): Ready | null {
    if (this.#out.isEmpty) return this.#takePersist();
    return this.#out.take(++this.#seq);
  }

  #takePersist(): Ready | null {
    const persist = this.#persist;
    if (persist === null) return null;
    this.#persist = null;
    const seq = ++this.#seq;
    const { batch } = persist;
    if (batch === null) this.#slowSeq = seq;
    else this.#flushing.push({ seq, lastLow: batch.zxidLow(batch.count - 1) });
    return readyToPersist(seq, persist, null);
  }

  // ------------------------------------------------------------------ discovery

  /** CEPOCH of a quorum: the new epoch is above all of theirs. */
  #tryEpoch(): void {
    if (!this.#isQuorum(() => true)) return;
    let epoch = this.#options.acceptedEpoch;
    for (const learner of this.#links.values()) {
      if (!learner.isObserver && learner.acceptedEpoch > epoch) epoch = learner.acceptedEpoch;
    }
    this.#epoch = epoch + 1;
    this.#enter('promising');
    this.#persist = { ...nothingToPersist, acceptedEpoch: this.#epoch };
    this.#slowSeq = -1;
  }

  #tellEpoch(learner: LearnerLink): void {
    learner.phase = 'promising';
    this.#out.sayDurably({ kind: 'leaderInfo', link: learner.id, epoch: this.#epoch });
  }

  /** ACKEPOCH of a quorum: nobody of it will follow an older leader any more. */
  #tryPromises(): void {
    if (!this.#hasOwnPromise) return;
    if (!this.#isQuorum((learner) => learner.phase === 'promised')) return;
    this.#enter('promised');
    this.#persist = { ...nothingToPersist, beginEpoch: this.#epoch, finishEpoch: true };
    this.#slowSeq = -1;
  }

  #persistedEpoch(): void {
    if (this.#phase === 'promising') {
      this.#hasOwnPromise = true;
      for (const learner of this.#links.values()) {
        if (learner.phase === 'info') this.#tellEpoch(learner);
      }
      this.#tryPromises();
    } else if (this.#phase === 'promised') {
      this.#hasOwnAck = true;
      this.#enter('synchronisation');
      for (const learner of this.#links.values()) {
        if (learner.phase === 'info') this.#tellEpoch(learner);
        else if (learner.phase === 'promised') this.#synchronise(learner);
      }
      this.#tryEstablish();
    }
  }

  // ------------------------------------------------------------------ synchronisation

  #synchronise(learner: LearnerLink): void {
    const { committedLog } = this.#options;
    const choice = chooseSync(learner.lastLogged, this.#applied(), committedLog);
    this.#out.sayDurably({ kind: 'sync', link: learner.id, choice });
    switch (choice.kind) {
      case 'diff':
        this.#finishSync(learner, choice.from);
        return;
      case 'trunc':
        this.#finishSync(learner, choice.to);
        return;
      case 'log':
      case 'snap':
        learner.phase = 'streaming';
    }
  }

  /** From memory if it reaches back to `at`, else more from the disk. */
  #goOn(learner: LearnerLink, at: ZxidPair): void {
    const { committedLog } = this.#options;
    const applied = this.#applied();
    const isThere = at.high === applied.high && at.low === applied.low;
    const isInMemory = isThere || committedLog.floor(at.high, at.low) !== null;
    if (isInMemory) this.#finishSync(learner, at);
    else this.#out.sayDurably({ kind: 'stream', link: learner.id, from: at });
  }

  /** In one step, so that nothing falls between what was sent and what will be forwarded (Z27). */
  #finishSync(learner: LearnerLink, from: ZxidPair): void {
    this.#options.committedLog.forEachAfter(from.high, from.low, (range) => {
      this.#out.sayDurably({ kind: 'history', link: learner.id, ...range });
    });
    if (!learner.isObserver) {
      for (const { batch, committed } of this.#outstanding) {
        if (committed === batch.count) continue;
        const range = { batch, from: committed, to: batch.count };
        this.#out.sayDurably({ kind: 'outstanding', link: learner.id, ...range });
      }
    }
    learner.lastHeardMs = this.#nowMs;
    learner.phase = 'synchronised';
    this.#out.sayDurably({ kind: 'newLeader', link: learner.id, epoch: this.#epoch });
  }

  /** What is committed here, which is what the tree holds or is about to. */
  #applied(): ZxidPair {
    const { committedLog, lastLogged } = this.#options;
    if (this.#committedLow > 0) return { high: committedLog.lastHigh, low: committedLog.lastLow };
    // from its establishment on, the tree stands at the beginning of the epoch
    return this.#phase === 'broadcast' ? { high: this.#epoch, low: 0 } : lastLogged;
  }

  /** ACK of NEWLEADER by a quorum: this epoch's history is theirs. */
  #tryEstablish(): void {
    if (!this.#hasOwnAck) return;
    if (!this.#isQuorum((learner) => learner.phase === 'acknowledged')) return;
    this.#enter('broadcast');
    this.#lastPingMs = this.#nowMs;
    this.#out.start = 'leading';
    for (const learner of this.#links.values()) {
      if (learner.phase === 'acknowledged') this.#activate(learner);
    }
  }

  #activate(learner: LearnerLink): void {
    learner.phase = 'active';
    this.#out.sayDurably({ kind: 'upToDate', link: learner.id });
  }

  // ------------------------------------------------------------------ broadcast

  #count(learner: LearnerLink, high: number, low: number): void {
    if (high !== this.#epoch || low > this.#proposedLow) {
      this.#drop(learner, 'it acknowledges what was never proposed to it');
      return;
    }
    if (low > learner.ackedLow) learner.ackedLow = low;
  }

  /** Commits what every quorum in force has durable. */
  #advance(): void {
    if (this.#phase !== 'broadcast') return;
    const { sid, quorums } = this.#options;
    const own = { sid, durableLow: this.#durableLow, committedLow: this.#committedLow };
    let low = durableOfAll(quorums(), own, [...this.#links.values()]);
    if (low <= this.#committedLow) return;
    // what this server applies is on its own disk, whatever the others have
    low = Math.min(low, this.#durableLow);
    const followers = this.#forwarding(false);
    const observers = this.#forwarding(true);
    while (this.#committedLow < low) {
      const oldest = present(this.#outstanding[0], 'what is committed was outstanding');
      const from = oldest.committed;
      const to = Math.min(oldest.batch.count, low - oldest.firstLow + 1);
      const range: TxnRange = { batch: oldest.batch, from, to };
      oldest.committed = to;
      this.#committedLow = oldest.firstLow + to - 1;
      if (to === oldest.batch.count) this.#outstanding.shift();
      this.#out.commit(range);
      this.#options.committedLog.push(range);
      if (followers.length > 0)
        this.#out.sayDurably({ kind: 'commit', links: followers, ...range });
      if (observers.length > 0)
        this.#out.sayDurably({ kind: 'inform', links: observers, ...range });
    }
    this.#answerSyncs();
  }

  #ping(links: readonly LinkId[]): void {
    const zxid = { high: this.#epoch, low: this.#proposedLow };
    this.#out.say({ kind: 'ping', links, zxid });
  }

  #answerSyncs(): void {
    const tokens = this.#syncs.answer(this.#committedLow, (fits) => this.#isQuorum(fits));
    for (const token of tokens) this.#out.answer({ kind: 'synced', token });
  }

  // ------------------------------------------------------------------ shared

  /** This server and the voters among the learners that fit are a quorum, by each in force. */
  #isQuorum(fits: (learner: LearnerLink) => boolean): boolean {
    const sids = new Set<number>([this.#options.sid]);
    for (const learner of this.#links.values()) {
      if (!learner.isObserver && fits(learner)) sids.add(learner.sid);
    }
    return this.#options.quorums().every((quorum) => quorum.contains(sids));
  }

  #forwarding(observers: boolean): LinkId[] {
    const links: LinkId[] = [];
    for (const learner of this.#links.values()) {
      if (learner.isForwarding && learner.isObserver === observers) links.push(learner.id);
    }
    return links;
  }

  #heard(link: LinkId, nowMs: number): LearnerLink | null {
    if (this.#phase === 'stopped') return null;
    this.#nowMs = nowMs;
    const learner = this.#links.get(link);
    if (learner === undefined) return null;
    learner.lastHeardMs = nowMs;
    return learner;
  }

  #drop(learner: LearnerLink, reason: string): void {
    this.#links.delete(learner.id);
    this.#out.say({ kind: 'close', link: learner.id, reason });
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseStartedMs = this.#nowMs;
  }

  #end(reason: string): void {
    this.#phase = 'stopped';
    this.#out.stop = reason;
    for (const learner of this.#links.values()) {
      this.#out.say({ kind: 'close', link: learner.id, reason });
    }
    this.#links.clear();
  }
}
