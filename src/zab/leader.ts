/**
 * The leading role, from the end of an election to its own end, as a sequence of what has a file each:
 *
 *   discovery         an epoch that a quorum promises                       `discovery.ts`
 *   synchronisation   learners with this server's history, a quorum of them `synchronisation.ts`
 *   broadcast         proposals, until no quorum follows any more           `broadcast.ts`, `contact.ts`
 *
 * Paper: Junqueira, Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems", phases
 * 1 to 3 of the leader; wire order as Apache's.
 *
 * Pure: connections and the disk are told of in method calls, what is to be done comes out as
 * Readys. The rules that keep committed transactions:
 *
 * - The own promise (acceptedEpoch) counts, and LEADERINFO leaves, only after it is durable.
 * - A promise counts that was made to this leader, by a server that knows what it acknowledged.
 * - The own acknowledgement of a proposal counts only after its flush; others' by connection.
 * - A proposal is committed when every quorum in force has it durable, in order, without a gap.
 */
import { assert, present } from '../base/assert.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { Activation } from './activation.js';
import { Broadcast, type NextConfiguration } from './broadcast.js';
import type { TxnRange } from './committed-log.js';
import { Contact } from './contact.js';
import { Discovery } from './discovery.js';
import { HandOver } from './hand-over.js';
import type { LeaderOptions } from './leader-options.js';
import { LearnerLink, type LearnerSelf } from './learner-link.js';
import { LearnerLinks } from './learner-links.js';
import type { LinkId } from './messages.js';
import { Outbox, readyToPersist } from './outbox.js';
import type { Quorum } from './quorum.js';
import { nothingToPersist, persistBatch, type Persist, type Ready } from './ready.js';
import type { Succession } from './succession.js';
import type { ZxidPair } from './sync-choice.js';
import { Synchronisation } from './synchronisation.js';

/** Would-be leaders that nobody followed raise the epoch by one each; more is a damaged file. */
const epochsAheadMax = 1000;

type Phase = 'discovery' | 'synchronisation' | 'broadcast' | 'stopped';

export class Leader {
  readonly #options: LeaderOptions;
  readonly #links: LearnerLinks;
  readonly #discovery: Discovery;
  #synchronisation: Synchronisation | null = null;
  readonly #broadcast: Broadcast;
  readonly #activation: Activation;
  readonly #contact: Contact;
  #handOver: HandOver | null = null;
  #phase: Phase = 'discovery';
  readonly #startedMs: number;
  #nowMs: number;
  #epochFloor = 0;

  #seq = 0;
  /** Proposals were acknowledged since the last look at what is committed. */
  #hasCounted = false;
  readonly #out = new Outbox();
  /** A batch to be logged: not taken yet. */
  #persist: Persist | null = null;
  /** Epoch files are under way: nothing that depends on them has been said. */
  #epochSeq = 0;
  /** A batch is under way with a configuration that was proposed. */
  #savingSeq = 0;
  /** A configuration that is decided is under way; what holds for epoch files holds for it. */
  #activationSeq = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#nowMs = this.#startedMs = options.nowMs;
    const { sid, committedLog } = options;
    const out = this.#out;
    const links = new LearnerLinks(sid, (link, reason) => {
      out.say({ kind: 'close', link, reason });
    });
    const activation = new Activation({ links, out });
    const quorums = options.quorums();
    const broadcast = new Broadcast({ sid, links, committedLog, out, activation, quorums });
    this.#links = links;
    this.#activation = activation;
    this.#broadcast = broadcast;
    this.#contact = new Contact(options, { links, broadcast });
    this.#discovery = new Discovery(options, { links, broadcast, out });
  }

  /** Of this leader; 0 until a quorum has been heard. */
  get epoch(): number {
    return this.#discovery.epoch;
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
  onLearnerInfo(link: LinkId, info: LearnerSelf, nowMs: number): void {
    if (this.#phase === 'stopped') return;
    this.#nowMs = nowMs;
    const learner = new LearnerLink(link, info, nowMs);
    this.#links.add(learner);
    if (this.#phase === 'broadcast' && !info.isObserver && info.acceptedEpoch > this.epoch) {
      this.#makeWay(learner);
    } else this.#discovery.onLearnerInfo(learner, nowMs);
  }

  /** It can follow in a later epoch only, and there would be none before this leader is lost. */
  #makeWay(learner: LearnerLink): void {
    const { sid, acceptedEpoch } = learner;
    if (acceptedEpoch - this.epoch > epochsAheadMax) {
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
    const follows = this.#discovery.onAckEpoch(learner, currentEpoch, lastLogged, nowMs);
    if (!follows || this.#phase === 'discovery') return;
    this.#activation.whenTold(learner, () => this.#synchronisation?.begin(learner, this.#nowMs));
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
      if (high !== this.epoch) {
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
    const isDeserted =
      this.#phase === 'broadcast' && was?.phase === 'active' && !this.#contact.isFollowed;
    if (isDeserted && this.succession === null) this.#end('fewer than a quorum of servers follow');
    // an oracle may have allowed to go on without it
    else this.#broadcast.advance();
  }

  /** History up to and including the zxid has been sent: the rest is in memory, or on the disk. */
  streamed(link: LinkId, at: ZxidPair): void {
    const learner = this.#links.get(link);
    if (learner === undefined || this.#phase === 'stopped') return;
    assert(learner.phase === 'streaming', 'only a streaming learner has been streamed to');
    this.#activation.whenTold(learner, () => this.#synchronisation?.goOn(learner, at, this.#nowMs));
  }

  // ------------------------------------------------------------------ the server

  /** The zxid of the next proposal: (epoch, counter). */
  nextZxidHigh(): number {
    return this.#discovery.epoch;
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
    const [links, broadcast, out, epoch] = [this.#links, this.#broadcast, this.#out, this.epoch];
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
    if (seq === this.#epochSeq) {
      this.#epochSeq = 0;
      this.#discovery.persisted(this.#nowMs);
      if (this.#phase === 'discovery' && this.#discovery.phase === 'over') this.#synchronise();
      return;
    }
    if (seq === this.#activationSeq) {
      this.#activationSeq = 0;
      this.#activation.persisted();
      this.#broadcast.advance();
      this.#activation.release();
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
    this.#established.requestSync({ kind: 'here', token });
  }

  /**
   * The same for a client of a learner, told with a message: between the commits of what was proposed
   * before now and of what is proposed later.
   */
  requestSyncFor(link: LinkId): void {
    this.#established.requestSync({ kind: 'there', link });
  }

  get #established(): Broadcast {
    assert(this.#phase === 'broadcast', 'only an established leader answers a sync');
    return this.#broadcast;
  }

  /** Syncs without an answer. */
  get pendingSyncCount(): number {
    return this.#broadcast.pendingSyncCount;
  }

  tick(nowMs: number): void {
    if (this.#phase === 'stopped') return;
    this.#nowMs = nowMs;
    const awaited = this.#overdue(nowMs);
    if (awaited !== null) {
      this.#end(`no quorum in time, waiting for ${awaited}`);
      return;
    }
    this.#goOnHandingOver();
    this.#contact.dropSilent(nowMs);
    if (this.#phase === 'broadcast' && this.#contact.isPingDue(nowMs)) {
      if (!this.#contact.isFollowed) {
        this.#end('fewer than a quorum of servers follow');
        return;
      }
      this.#contact.ping(nowMs);
      this.#broadcast.advance();
    } else if (nowMs - this.#startedMs >= this.#options.tickMs) this.#tryAlone();
  }

  /** What it has waited for until its time was up; null: for nothing. */
  #overdue(nowMs: number): string | null {
    if (this.#phase === 'discovery') {
      return this.#discovery.isLate(nowMs) ? this.#discovery.phase : null;
    }
    const isLate = this.#phase === 'synchronisation' && this.#synchronisation?.isLate(nowMs);
    return isLate === true ? this.#phase : null;
  }

  /** Whoever was to come had a tick to do so: from here on an oracle counts. */
  #tryAlone(): void {
    this.#links.takesPart ??= () => true;
    if (this.#phase === 'discovery') this.#discovery.tryAgain(this.#nowMs);
    else if (this.#phase === 'synchronisation') this.#tryEstablish();
  }

  /** When `tick` has something to do. */
  get deadlineMs(): number {
    if (this.#phase === 'broadcast') return this.#contact.nextPingMs;
    return this.#nowMs + this.#options.tickMs / 4;
  }

  /** Ends the role by wish of the server, or because of the disk. */
  stop(reason: string): void {
    if (this.#phase !== 'stopped') this.#end(reason);
  }

  /** Everything proposed and not committed: it is on this server's disk, so memory follows. */
  takeRest(): TxnRange[] {
    assert(this.#phase === 'stopped', 'only at the end of the role');
    assert(!this.#broadcast.isFlushing && this.#activationSeq === 0, 'no flush is under way');
    assert(!this.#discovery.isPersisting, 'nor are epoch files');
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
    if (this.#activation.isUnderWay && this.#activationSeq === 0) {
      this.#activationSeq = ++this.#seq;
      return readyToPersist(this.#seq, { ...nothingToPersist, config: 'inForce' }, null);
    }
    const persist = this.#persist;
    if (persist === null) return this.#takeEpoch();
    this.#persist = null;
    const seq = ++this.#seq;
    this.#broadcast.flushBegins(seq, present(persist.batch, 'it is a batch that is persisted'));
    if (persist.config !== null) this.#savingSeq = seq;
    return readyToPersist(seq, persist, null);
  }

  #takeEpoch(): Ready | null {
    if (!this.#discovery.mustPersist) return null;
    this.#epochSeq = ++this.#seq;
    return readyToPersist(this.#seq, this.#discovery.takePersist(), null);
  }

  // ------------------------------------------------------------------ from phase to phase

  /** The epoch is promised and current: each learner is brought to its history. */
  #synchronise(): void {
    this.#phase = 'synchronisation';
    const [epoch, broadcast, out, nowMs] = [this.epoch, this.#broadcast, this.#out, this.#nowMs];
    const synchronisation = new Synchronisation(this.#options, { epoch, broadcast, out, nowMs });
    this.#synchronisation = synchronisation;
    for (const learner of this.#links) {
      if (learner.phase === 'info') this.#discovery.tellEpoch(learner);
      else if (learner.phase === 'promised') synchronisation.begin(learner, nowMs);
    }
    this.#tryEstablish();
  }

  #tryEstablish(): void {
    if (this.#synchronisation?.isAcknowledged !== true) return;
    this.#phase = 'broadcast';
    this.#links.agreed();
    this.#links.takesPart = ({ phase }) => phase === 'active';
    this.#broadcast.open(this.epoch);
    this.#contact.begin(this.#nowMs);
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

  #count(learner: LearnerLink, high: number, low: number): void {
    // Apache's older releases acknowledge all that they log, history that they are sent, too
    if (high < this.#discovery.epoch) return;
    if (!this.#broadcast.count(learner, high, low)) {
      this.#links.drop(learner, 'it acknowledges what was never proposed to it');
    }
  }

  #heard(link: LinkId, nowMs: number): LearnerLink | null {
    if (this.#phase === 'stopped') return null;
    this.#nowMs = nowMs;
    const learner = this.#links.get(link);
    if (learner === undefined) return null;
    learner.lastHeardMs = nowMs;
    return learner;
  }

  #end(reason: string): void {
    this.#phase = 'stopped';
    this.#discovery.close();
    this.#broadcast.close();
    this.#out.stop = reason;
    this.#links.dropAll(reason);
  }
}
