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
 * - A promise counts that was made to this leader, by a server that knows what it acknowledged.
 * - The own acknowledgement of a proposal counts only after its flush; others' by connection.
 * - A proposal is committed when every quorum in force has it durable, in order, without a gap.
 */
import { assert } from '../base/assert.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { Broadcast, type NextConfiguration } from './broadcast.js';
import { isAbove, type CommittedLog, type TxnRange } from './committed-log.js';
import { LearnerLink } from './learner-link.js';
import { LearnerLinks } from './learner-links.js';
import { HandOver } from './hand-over.js';
import type { LinkId } from './messages.js';
import { Outbox, readyToPersist } from './outbox.js';
import { hasHistory, isEverybody } from './promise.js';
import type { Quorum } from './quorum.js';
import { nothingToPersist, persistBatch, type Persist, type Ready } from './ready.js';
import type { ZxidPair } from './sync-choice.js';
import type { Succession } from './succession.js';
import { Synchronisation } from './synchronisation.js';

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
  /** What is on this server's disk was whole here once. Left out: it was. */
  readonly hasHistory?: boolean;
  /** An operator says that the ensemble is new: nobody without history has lost any. */
  readonly isBeginning?: boolean;
  readonly committedLog: CommittedLog;
  /** All that must agree: one, or two while a reconfiguration is under way. */
  readonly quorums: () => readonly Quorum[];
  /** How long a quorum may take to promise the epoch; initLimit when it is left out. */
  readonly discoveryLimitMs?: number;
  /** How many batches may be on their way to the disk at once; one when it is left out. */
  readonly flushesMax?: () => number;
  readonly nowMs: number;
}

/** Would-be leaders that nobody followed raise the epoch by one each; more is a damaged file. */
const epochsAheadMax = 1000;

type Phase = 'discovery' | 'promising' | 'promised' | 'synchronisation' | 'broadcast' | 'stopped';

export class Leader {
  readonly #options: LeaderOptions;
  readonly #links: LearnerLinks;
  readonly #broadcast: Broadcast;
  #synchronisation: Synchronisation | null = null;
  #handOver: HandOver | null = null;
  #phase: Phase = 'discovery';
  #epoch = 0;
  readonly #startedMs: number;
  #phaseStartedMs: number;
  #lastPingMs: number;
  #nowMs: number;

  #hasOwnPromise = false;
  #hasOwnAck = false;

  #seq = 0;
  #epochFloor = 0;
  /** Proposals were acknowledged since the last look at what is committed. */
  #hasCounted = false;
  readonly #out = new Outbox();
  #persist: Persist | null = null;
  /** A persist of epoch files is under way: nothing that depends on it has been said. */
  #slowSeq = 0;
  /** A batch is under way with a configuration that was proposed. */
  #savingSeq = 0;
  /** A persist of a configuration; the same holds. */
  #activationSeq = 0;
  /** Learners to be told of the whole history, which ends with that configuration. */
  readonly #held: (() => void)[] = [];

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs;
    this.#startedMs = this.#phaseStartedMs = this.#lastPingMs = options.nowMs;
    const { sid, committedLog } = options;
    const quorums = options.quorums();
    this.#links = new LearnerLinks(sid, (link, reason) => {
      this.#out.say({ kind: 'close', link, reason });
    });
    const [links, out] = [this.#links, this.#out];
    this.#broadcast = new Broadcast({ sid, links, committedLog, out, quorums });
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
    return this.#broadcast.proposedLow;
  }

  get committedLow(): number {
    return this.#broadcast.committedLow;
  }

  /** Proposals that are not committed. */
  get outstandingCount(): number {
    return this.proposedLow - this.committedLow;
  }

  links(): IterableIterator<LearnerLink> {
    return this.#links[Symbol.iterator]();
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
    const learner = new LearnerLink(link, info, nowMs);
    this.#links.add(learner);
    if (this.#phase === 'broadcast' && !info.isObserver && info.acceptedEpoch > this.#epoch) {
      this.#makeWay(learner);
      return;
    }
    if (this.#phase === 'discovery') this.#tryEpoch();
    else if (this.#slowSeq === 0) this.#tellEpoch(learner);
  }

  /** It can follow in a later epoch only, and there would be none before this leader is lost. */
  #makeWay(learner: LearnerLink): void {
    const { sid, acceptedEpoch } = learner;
    if (acceptedEpoch - this.#epoch > epochsAheadMax) {
      // for a number out of nowhere the ensemble is not to be without a leader again and again
      this.#links.drop(learner, `it has promised epoch ${acceptedEpoch}, which no election led to`);
      return;
    }
    this.#epochFloor = acceptedEpoch;
    this.#end(`server ${sid} has promised epoch ${acceptedEpoch}`);
  }

  /** A voter has promised this epoch: whatever this server leads next is to be above it; 0: nobody. */
  get epochFloor(): number {
    return this.#epochFloor;
  }

  /** `currentEpoch` -1: the learner had accepted this epoch before, perhaps from another leader. */
  onAckEpoch(link: LinkId, currentEpoch: number, lastLogged: ZxidPair, nowMs: number): void {
    const learner = this.#heard(link, nowMs);
    if (learner === null) return;
    if (learner.phase !== 'promising') {
      this.#links.drop(learner, 'ACKEPOCH out of turn');
      return;
    }
    learner.lastLogged = lastLogged;
    const { currentEpoch: ours, lastLogged: own } = this.#options;
    const isAhead =
      currentEpoch > ours ||
      (currentEpoch === ours && isAbove(lastLogged.high, lastLogged.low, own.high, own.low));
    // once this epoch has begun its history is what counts, however far the learner's tail reaches
    if (currentEpoch !== -1 && isAhead && this.#phase === 'promising') {
      this.#links.drop(learner, 'it knows more than this leader');
      return;
    }
    learner.phase = 'promised';
    learner.hasPromised = currentEpoch !== -1;
    learner.hasHistory = hasHistory(currentEpoch, lastLogged);
    if (this.#phase === 'promising') this.#tryPromises();
    else if (this.#phase === 'synchronisation' || this.#phase === 'broadcast') {
      this.#whenTold(learner, () => this.#synchronisation?.begin(learner, this.#nowMs));
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
        this.#links.drop(learner, 'it acknowledges another epoch');
        return;
      }
      learner.phase = 'acknowledged';
      if (this.#phase === 'synchronisation') this.#tryEstablish();
      else if (this.#phase === 'broadcast') this.#activate(learner);
      this.#broadcast.advance();
      return;
    }
    if (low === 0) return; // of UPTODATE
    this.#count(learner, high, low);
    this.#hasCounted = true;
  }

  /** An echo of a ping. */
  onPong(link: LinkId, nowMs: number): void {
    const learner = this.#heard(link, nowMs);
    if (learner === null || learner.phase !== 'active') return;
    if (learner.pingsEchoed < learner.pingsSent) learner.pingsEchoed++;
    this.#broadcast.answerSyncs();
  }

  /** Anything else came from it. */
  onHeard(link: LinkId, nowMs: number): void {
    this.#heard(link, nowMs);
  }

  onLinkDown(link: LinkId): void {
    const was = this.#links.get(link);
    this.#links.forget(link);
    this.#goOnHandingOver();
    // a connection that ends is acted on at once: its server has ended its role, or is no more
    const isDeserted = this.#phase === 'broadcast' && was?.phase === 'active' && !this.#isFollowed;
    if (isDeserted && this.succession === null) this.#end('fewer than a quorum of servers follow');
    // an oracle may have allowed to go on without it
    else this.#broadcast.advance();
  }

  /** History up to and including the zxid has been sent: the rest is in memory, or on the disk. */
  streamed(link: LinkId, at: ZxidPair): void {
    const learner = this.#links.get(link);
    if (learner === undefined || this.#phase === 'stopped') return;
    assert(learner.phase === 'streaming', 'only a streaming learner has been streamed to');
    this.#whenTold(learner, () => this.#synchronisation?.goOn(learner, at, this.#nowMs));
  }

  // ------------------------------------------------------------------ the server

  /** The zxid of the next proposal: (epoch, counter). */
  nextZxidHigh(): number {
    return this.#epoch;
  }

  nextZxidLow(): number {
    return this.proposedLow + 1;
  }

  proposed(): void {
    this.#broadcast.proposed();
  }

  /** What is proposed next brings a configuration. Only while `isReconfiguring` is false. */
  reconfigure(next: NextConfiguration): void {
    assert(this.#phase === 'broadcast', 'only an established leader proposes');
    this.#broadcast.reconfigure(next);
  }

  /** A configuration is proposed and not in force. */
  get isReconfiguring(): boolean {
    return this.#broadcast.isReconfiguring;
  }

  /** It and learners that are up to date would be a quorum of that. */
  hasQuorumOf(quorum: Quorum): boolean {
    return this.#links.areQuorum([quorum], (learner) => learner.phase === 'active');
  }

  /**
   * Begins to hand leadership to the server of this number, which must be up to date; every learner
   * must understand HANDOVER. False: not now. It may still be given up: then leading goes on.
   */
  beginHandOver(to: number, round: bigint, nowMs: number): boolean {
    if (this.#phase !== 'broadcast' || this.#handOver !== null) return false;
    if (!this.#broadcast.quorums.every(({ voters }) => voters.has(to))) return false;
    this.#nowMs = nowMs;
    const [links, broadcast, out, epoch] = [this.#links, this.#broadcast, this.#out, this.#epoch];
    const limitMs = this.#options.tickMs / 4;
    this.#handOver = new HandOver({ to, round, epoch, links, broadcast, out, limitMs, nowMs });
    return this.#goOnHandingOver();
  }

  get isHandingOver(): boolean {
    return this.#handOver !== null;
  }

  /** Who was told to lead after this server; null: nobody was. */
  get succession(): Succession | null {
    return this.#handOver?.succession ?? null;
  }

  /** No more proposals fit into this epoch: the role ends before the counter does (ZOOKEEPER-1277). */
  get isExhausted(): boolean {
    return this.#broadcast.isExhausted;
  }

  /** Group commit: while as many as may be are flushed, the next batch fills. */
  get isAccepting(): boolean {
    if (this.#handOver !== null || !this.isServing || this.#persist !== null) return false;
    // a configuration is saved before its batch is logged: nothing may overtake that
    const isAlone = this.isReconfiguring || this.#savingSeq !== 0;
    const flushesMax = isAlone ? 1 : (this.#options.flushesMax?.() ?? 1);
    return this.#broadcast.flushingCount < flushesMax;
  }

  /** The batch is complete: its records are proposed. */
  handOver(batch: TxnBatch): void {
    assert(this.#phase === 'broadcast', 'only an established leader proposes');
    assert(this.#persist === null, 'a Ready is taken before the next batch is handed over');
    this.#broadcast.handOver(batch);
    const config = this.#broadcast.isReconfiguring ? 'seen' : null;
    this.#persist = { ...persistBatch(batch), config };
  }

  /** What is flushed here counts as this server's acknowledgement. */
  persisted(seq: number): void {
    if (seq === this.#slowSeq) {
      this.#slowSeq = 0;
      this.#persistedEpoch();
      return;
    }
    if (seq === this.#activationSeq) {
      this.#activationSeq = 0;
      this.#broadcast.activated();
      for (const begin of this.#held.splice(0)) begin();
      return;
    }
    if (seq === this.#savingSeq) this.#savingSeq = 0;
    this.#broadcast.flushEnded(seq);
    this.#goOnHandingOver();
  }

  /**
   * Answered in a Ready's results once a quorum has heard this leader after now, and all that was
   * proposed before has been committed: whoever reads then sees everything acknowledged before now.
   */
  requestSync(token: number): void {
    assert(this.#phase === 'broadcast', 'only an established leader answers a sync');
    const links = this.#broadcast.requestSync(token);
    if (links.length > 0) this.#ping(links);
    this.#broadcast.answerSyncs();
  }

  tick(nowMs: number): void {
    if (this.#phase === 'stopped') return;
    this.#nowMs = nowMs;
    const { tickMs, initLimit, syncLimit } = this.#options;
    if (this.#phase !== 'broadcast') {
      const limitMs = this.#isDiscovering ? this.#options.discoveryLimitMs : undefined;
      if (nowMs - this.#phaseStartedMs >= (limitMs ?? initLimit * tickMs)) {
        this.#end(`no quorum in time, waiting for ${this.#phase}`);
        return;
      }
    }
    this.#goOnHandingOver();
    for (const learner of [...this.#links]) {
      const limit = learner.phase === 'active' ? syncLimit : initLimit;
      if (nowMs - learner.lastHeardMs > limit * tickMs) {
        this.#links.drop(learner, 'it has not been heard for too long');
      }
    }
    if (this.#phase === 'broadcast' && nowMs - this.#lastPingMs >= tickMs / 2) {
      this.#lastPingMs = nowMs;
      if (!this.#isFollowed) {
        this.#end('fewer than a quorum of servers follow');
        return;
      }
      const links: LinkId[] = [];
      for (const learner of this.#links) {
        if (!learner.isForwarding) continue;
        if (learner.phase === 'active') learner.pingsSent++;
        links.push(learner.id);
      }
      if (links.length > 0) this.#ping(links);
      this.#broadcast.advance();
    } else if (nowMs - this.#startedMs >= tickMs) this.#tryAlone();
  }

  /** Whoever was to come had a tick to do so: from here on an oracle counts. */
  #tryAlone(): void {
    this.#links.takesPart ??= () => true;
    if (this.#phase === 'discovery') this.#tryEpoch();
    else if (this.#phase === 'promising') this.#tryPromises();
    else if (this.#phase === 'synchronisation') this.#tryEstablish();
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
    const isIdle = !this.#broadcast.isFlushing && this.#slowSeq === 0 && this.#activationSeq === 0;
    assert(isIdle, 'no flush is under way');
    return [...this.#out.takeCommitted(), ...this.#broadcast.takeRest()];
  }

  /**
   * What can be said and done now comes before what the disk must do first: nothing that is ready
   * waits for a flush that it does not depend on.
   */
  takeReady(): Ready | null {
    if (this.#hasCounted) this.#settle();
    if (this.#out.isEmpty) return this.#takePersist();
    return this.#out.take(++this.#seq);
  }

  /** Acknowledgements come many in a turn, and the last of each learner says it all. */
  #settle(): void {
    this.#hasCounted = false;
    if (this.#phase === 'stopped') return;
    this.#broadcast.advance();
    this.#goOnHandingOver();
  }

  #takePersist(): Ready | null {
    if (this.#broadcast.mustActivate && this.#activationSeq === 0) {
      this.#activationSeq = ++this.#seq;
      return readyToPersist(this.#seq, { ...nothingToPersist, config: 'inForce' }, null);
    }
    const persist = this.#persist;
    if (persist === null) return null;
    this.#persist = null;
    const seq = ++this.#seq;
    const { batch } = persist;
    if (batch === null) this.#slowSeq = seq;
    else this.#broadcast.flushBegins(seq, batch);
    if (persist.config !== null) this.#savingSeq = seq;
    return readyToPersist(seq, persist, null);
  }

  // ------------------------------------------------------------------ discovery

  /** CEPOCH of a quorum: the new epoch is above all of theirs. */
  #tryEpoch(): void {
    if (!this.#isQuorum(() => true)) return;
    let epoch = this.#options.acceptedEpoch;
    for (const learner of this.#links) {
      if (!learner.isObserver && learner.acceptedEpoch > epoch) epoch = learner.acceptedEpoch;
    }
    this.#epoch = epoch + 1;
    this.#enter('promising');
    this.#persist = { ...nothingToPersist, acceptedEpoch: this.#epoch };
    this.#slowSeq = -1;
  }

  /** Now, or when a configuration that is decided may be told. */
  #whenTold(learner: LearnerLink, begin: () => void): void {
    if (!this.#broadcast.mustActivate) {
      begin();
      return;
    }
    this.#held.push(() => {
      if (this.#links.get(learner.id) === learner) begin();
    });
  }

  #tellEpoch(learner: LearnerLink): void {
    learner.phase = 'promising';
    this.#out.sayDurably({ kind: 'leaderInfo', link: learner.id, epoch: this.#epoch });
  }

  /** ACKEPOCH of a quorum: nobody of it will follow an older leader any more. */
  #tryPromises(): void {
    if (!this.#hasOwnPromise) return;
    const { sid, quorums, hasHistory: knows = true, isBeginning = false } = this.#options;
    const promised = [...this.links()].filter((one) => !one.isObserver && one.hasPromised);
    const known = promised.filter((one) => one.hasHistory || isBeginning);
    const isKnown = (knows || isBeginning) && this.#isQuorum((one) => known.includes(one));
    if (!isKnown && !isEverybody(quorums(), [sid, ...promised.map((one) => one.sid)])) return;
    this.#enter('promised');
    this.#persist = { ...nothingToPersist, beginEpoch: this.#epoch, finishEpoch: true };
    this.#slowSeq = -1;
  }

  #persistedEpoch(): void {
    if (this.#phase === 'promising') {
      this.#hasOwnPromise = true;
      for (const learner of this.#links) {
        if (learner.phase === 'info') this.#tellEpoch(learner);
      }
      this.#tryPromises();
    } else if (this.#phase === 'promised') {
      this.#hasOwnAck = true;
      this.#enter('synchronisation');
      const { committedLog } = this.#options;
      this.#synchronisation = new Synchronisation({
        epoch: this.#epoch,
        committedLog,
        broadcast: this.#broadcast,
        out: this.#out,
        applied: () => this.#applied(),
      });
      for (const learner of this.#links) {
        if (learner.phase === 'info') this.#tellEpoch(learner);
        else if (learner.phase === 'promised') this.#synchronisation.begin(learner, this.#nowMs);
      }
      this.#tryEstablish();
    }
  }

  // ------------------------------------------------------------------ synchronisation

  /** What is committed here, which is what the tree holds or is about to. */
  #applied(): ZxidPair {
    const { committedLog, lastLogged } = this.#options;
    if (this.committedLow > 0) return { high: committedLog.lastHigh, low: committedLog.lastLow };
    // from its establishment on, the tree stands at the beginning of the epoch
    return this.#phase === 'broadcast' ? { high: this.#epoch, low: 0 } : lastLogged;
  }

  /** ACK of NEWLEADER by a quorum: this epoch's history is theirs. */
  #tryEstablish(): void {
    if (!this.#hasOwnAck) return;
    if (!this.#isQuorum((learner) => learner.phase === 'acknowledged')) return;
    this.#enter('broadcast');
    this.#links.takesPart = ({ phase }) => phase === 'active';
    this.#broadcast.open(this.#epoch);
    this.#lastPingMs = this.#nowMs;
    this.#out.start = 'leading';
    for (const learner of this.#links) {
      if (learner.phase === 'acknowledged') this.#activate(learner);
    }
  }

  #activate(learner: LearnerLink): void {
    learner.phase = 'active';
    this.#out.sayDurably({ kind: 'upToDate', link: learner.id });
  }

  // ------------------------------------------------------------------ succession

  /** False: there is none, or it is given up. */
  #goOnHandingOver(): boolean {
    const handOver = this.#handOver;
    if (handOver === null || this.#phase !== 'broadcast') return false;
    const how = handOver.go(this.#nowMs);
    if (how === 'cancelled') this.#handOver = null;
    else if (how === 'over') this.#end(`leadership is handed over to ${handOver.to}`);
    return how !== 'cancelled';
  }

  // ------------------------------------------------------------------ shared

  get #isFollowed(): boolean {
    return this.#isQuorum((learner) => learner.phase === 'active');
  }

  get #isDiscovering(): boolean {
    return this.#phase === 'discovery' || this.#phase === 'promising' || this.#phase === 'promised';
  }

  #isQuorum(fits: (learner: LearnerLink) => boolean): boolean {
    return this.#links.areQuorum(this.#broadcast.quorums, fits);
  }

  #count(learner: LearnerLink, high: number, low: number): void {
    // Apache's older releases acknowledge all that they log, history that they are sent, too
    if (high < this.#epoch) return;
    if (!this.#broadcast.count(learner, high, low)) {
      this.#links.drop(learner, 'it acknowledges what was never proposed to it');
    }
  }

  #ping(links: readonly LinkId[]): void {
    const zxid = { high: this.#epoch, low: this.proposedLow };
    this.#out.say({ kind: 'ping', links, zxid });
  }

  #heard(link: LinkId, nowMs: number): LearnerLink | null {
    if (this.#phase === 'stopped') return null;
    this.#nowMs = nowMs;
    const learner = this.#links.get(link);
    if (learner === undefined) return null;
    learner.lastHeardMs = nowMs;
    return learner;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseStartedMs = this.#nowMs;
  }

  #end(reason: string): void {
    this.#phase = 'stopped';
    this.#broadcast.close();
    this.#out.stop = reason;
    this.#links.dropAll(reason);
  }
}
