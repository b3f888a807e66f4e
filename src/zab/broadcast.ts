/**
 * Broadcast: what an established leader proposes, how far it is durable, what is committed. Paper:
 * Zab, phase 3 of the leader. Proposals of one epoch are counted; all of them go the same way:
 *
 *   proposed → handed over in a batch, sent, flushed → durable on every quorum in force → committed
 *
 * One that brings a configuration is decided, as is everything behind it until then, by a quorum of
 * the old and of the new one. From that moment the new one alone counts, and its activation comes
 * before what is behind it. It may have another leader: then nothing more is committed here.
 */
import { assert, present } from '../base/assert.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import type { Activation } from './activation.js';
import type { CommittedLog, TxnRange } from './committed-log.js';
import { durableOfAll } from './durability.js';
import type { LearnerLinks } from './learner-links.js';
import type { LearnerLink } from './learner-link.js';
import type { LinkId } from './messages.js';
import type { Outbox } from './outbox.js';
import type { Quorum } from './quorum.js';
import { SyncBarriers, type SyncAsker } from './sync-barriers.js';

/** A batch of proposals that is not wholly committed. */
interface Outstanding {
  readonly batch: TxnBatch;
  /** Counter of its first record. */
  readonly firstLow: number;
  /** Records of it that are committed. */
  committed: number;
}

/** A configuration that is about to be proposed, as far as a quorum is concerned. */
export interface NextConfiguration {
  readonly quorum: Quorum;
  /** This server votes in it, and is where it was: it goes on leading. */
  readonly keepsLeader: boolean;
}

/** Proposals of one epoch are counted in 32 bits; the last one is never given out. */
const COUNTER_MAX = 0xffffffff;
/** What may be proposed between two looks at the counter. */
const COUNTER_RESERVE = 1 << 24;

export class Broadcast {
  readonly #sid: number;
  readonly #links: LearnerLinks;
  readonly #committedLog: CommittedLog;
  readonly #out: Outbox;
  readonly #activation: Activation;
  #inForce: readonly Quorum[];
  /** Proposed as number `low`. */
  #next: (NextConfiguration & { readonly low: number }) | null = null;
  readonly #syncs = new SyncBarriers();
  #epoch = 0;
  #isOpen = false;
  /** Counters within the epoch. */
  #proposedLow = 0;
  #durableLow = 0;
  #committedLow = 0;
  #outstanding: Outstanding[] = [];
  readonly #flushing: { readonly seq: number; readonly lastLow: number }[] = [];

  constructor(parts: {
    readonly sid: number;
    readonly links: LearnerLinks;
    readonly committedLog: CommittedLog;
    readonly out: Outbox;
    readonly activation: Activation;
    readonly quorums: readonly Quorum[];
  }) {
    this.#sid = parts.sid;
    this.#links = parts.links;
    this.#committedLog = parts.committedLog;
    this.#out = parts.out;
    this.#activation = parts.activation;
    this.#inForce = parts.quorums;
  }

  get proposedLow(): number {
    return this.#proposedLow;
  }

  get committedLow(): number {
    return this.#committedLow;
  }

  /** All that must agree: one, or two while a configuration is proposed or its commit is in doubt. */
  get quorums(): readonly Quorum[] {
    return this.#next === null ? this.#inForce : [...this.#inForce, this.#next.quorum];
  }

  get isReconfiguring(): boolean {
    return this.#next !== null || this.#activation.isUnderWay;
  }

  /** What it says counts, by one of those. */
  hasVoice(learner: LearnerLink): boolean {
    return this.#links.hasVoice(learner, this.quorums);
  }

  /** This server and the learners that fit are enough, by each of those. */
  isQuorum(fits: (learner: LearnerLink) => boolean): boolean {
    return this.#links.areQuorum(this.quorums, fits);
  }

  /** Between `open` and `close`; until a configuration is decided that has another leader. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Everything handed over is committed. */
  get isIdle(): boolean {
    return this.#outstanding.length === 0 && !this.isFlushing && !this.isReconfiguring;
  }

  get flushingCount(): number {
    return this.#flushing.length;
  }

  get isFlushing(): boolean {
    return this.#flushing.length > 0;
  }

  /** No more proposals fit into this epoch: the role ends before the counter does (ZOOKEEPER-1277). */
  get isExhausted(): boolean {
    return this.#proposedLow >= COUNTER_MAX - COUNTER_RESERVE;
  }

  /** The epoch is established. */
  open(epoch: number): void {
    this.#epoch = epoch;
    this.#isOpen = true;
    // a configuration that was proposed in an earlier epoch came with this one's history
    this.#inForce = this.#inForce.slice(-1);
  }

  /** The role is over: nothing is committed any more. */
  close(): void {
    this.#isOpen = false;
  }

  proposed(): void {
    this.#proposedLow++;
  }

  /** What is proposed next brings this configuration. One at a time. */
  reconfigure(next: NextConfiguration): void {
    assert(!this.isReconfiguring, 'one reconfiguration at a time');
    this.#next = { ...next, low: this.#proposedLow + 1 };
  }

  /** The batch is complete: its records are proposed. */
  handOver(batch: TxnBatch): void {
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
    const links = this.#links.forwarding(false);
    if (links.length > 0) {
      this.#out.say({ kind: 'propose', links, batch, from: 0, to: batch.count });
    }
  }

  flushBegins(seq: number, batch: TxnBatch): void {
    this.#flushing.push({ seq, lastLow: batch.zxidLow(batch.count - 1) });
  }

  /** What is flushed here counts as this server's acknowledgement. */
  flushEnded(seq: number): void {
    const oldest = this.#flushing.shift();
    assert(oldest !== undefined && oldest.seq === seq, 'flushes end in the order they began');
    this.#durableLow = oldest.lastLow;
    this.advance();
  }

  /** A learner acknowledges a proposal. False: one that was never made. */
  count(learner: LearnerLink, high: number, low: number): boolean {
    if (high !== this.#epoch || low > this.#proposedLow) return false;
    if (low > learner.ackedLow) learner.ackedLow = low;
    return true;
  }

  /** Commits what every quorum in force has durable. */
  advance(): void {
    if (!this.#isOpen || this.#activation.isUnderWay) return;
    const next = this.#next;
    const durable = this.#durableOn(this.#inForce);
    // what was proposed before the configuration is the old one's alone
    const low =
      next === null || durable < next.low
        ? durable
        : Math.min(durable, Math.max(this.#durableOn([next.quorum]), next.low - 1));
    if (low <= this.#committedLow) return;
    if (next === null || low < next.low) this.#commitUpTo(low);
    else {
      this.#commitUpTo(next.low - 1);
      this.#decide(next);
    }
    this.answerSyncs();
  }

  /** Never beyond the own disk: what this server applies is there, whatever the others have. */
  #durableOn(quorums: readonly Quorum[]): number {
    const [sid, durableLow, committedLow] = [this.#sid, this.#durableLow, this.#committedLow];
    // what an oracle allows needs no acknowledgement but the own
    const asked = quorums.filter((quorum) => !this.#links.mayGoOnAlone(quorum));
    const low = durableOfAll(asked, { sid, durableLow, committedLow }, [...this.#links]);
    return Math.min(low, durableLow);
  }

  #commitUpTo(low: number): void {
    const followers = this.#links.forwarding(false);
    const observers = this.#links.forwarding(true);
    while (this.#committedLow < low) {
      this.#answerOvertaken();
      const range = this.#commitOldest(this.#syncs.stopBefore(low));
      this.#out.commit(range);
      if (followers.length > 0)
        this.#out.sayDurably({ kind: 'commit', links: followers, ...range });
      if (observers.length > 0)
        this.#out.sayDurably({ kind: 'inform', links: observers, ...range });
    }
  }

  #commitOldest(low: number): TxnRange {
    const oldest = present(this.#outstanding[0], 'what is committed was outstanding');
    const from = oldest.committed;
    const to = Math.min(oldest.batch.count, low - oldest.firstLow + 1);
    const range: TxnRange = { batch: oldest.batch, from, to };
    oldest.committed = to;
    this.#committedLow = oldest.firstLow + to - 1;
    if (to === oldest.batch.count) this.#outstanding.shift();
    this.#committedLog.push(range);
    return range;
  }

  // ------------------------------------------------------------------ configurations

  /** Committed, and nothing that happens to a learner can change that. */
  #decide(next: NextConfiguration & { readonly low: number }): void {
    this.#answerOvertaken();
    const leader = next.keepsLeader ? this.#sid : this.#successor(next);
    this.#activation.begin(this.#commitOldest(next.low), leader);
    this.#inForce = [next.quorum];
    this.#next = null;
    if (leader !== this.#sid) this.#isOpen = false;
  }

  /** Of the new voters that have the configuration, the one that has most of what follows it. */
  #successor({ quorum, low }: NextConfiguration & { readonly low: number }): number {
    let best: LearnerLink | null = null;
    for (const learner of this.#links) {
      if (learner.isObserver || !quorum.voters.has(learner.sid) || learner.ackedLow < low) continue;
      if (best === null || learner.ackedLow > best.ackedLow) best = learner;
    }
    return present(best, 'a quorum of the new configuration has acknowledged it').sid;
  }

  /** What is proposed and not committed, in order. */
  uncommitted(): TxnRange[] {
    return this.#outstanding
      .filter(({ batch, committed }) => committed < batch.count)
      .map(({ batch, committed }) => ({ batch, from: committed, to: batch.count }));
  }

  /** The same at the end of the role: it is on this server's disk, so memory follows. */
  takeRest(): TxnRange[] {
    const rest = this.uncommitted();
    for (const range of rest) this.#committedLog.push(range);
    this.#outstanding = [];
    const { range } = this.#activation;
    return range === null ? rest : [range, ...rest];
  }

  // ------------------------------------------------------------------ syncs

  /** What was proposed before is waited for, and an echo of a quorum to the pings that leave now. */
  requestSync(asker: SyncAsker): void {
    this.ping(this.#syncs.request(asker, this.#proposedLow, this.#links));
    this.answerSyncs();
  }

  get pendingSyncCount(): number {
    return this.#syncs.size;
  }

  ping(links: readonly LinkId[]): void {
    if (links.length === 0) return;
    const zxid = { high: this.#epoch, low: this.#proposedLow };
    this.#out.say({ kind: 'ping', links, zxid });
  }

  answerSyncs(): void {
    const askers = this.#syncs.answer(this.#committedLow, (fits) => this.isQuorum(fits));
    for (const asker of askers) this.#answerSync(asker);
  }

  /** More is about to be committed. */
  #answerOvertaken(): void {
    for (const asker of this.#syncs.overtaken(this.#committedLow)) this.#answerSync(asker);
  }

  #answerSync(asker: SyncAsker): void {
    if (asker.kind === 'here') this.#out.answer({ kind: 'synced', token: asker.token });
    else this.#out.sayDurably({ kind: 'synced', link: asker.link });
  }
}
