/**
 * Fast leader election, from the point of view of one server: it says whom it is for, changes to
 * whoever is better when it hears of one, and is done when a quorum says the same. Rounds keep the
 * votes of one election apart from those of another. Who is late finds an ensemble that has decided
 * and joins it (`established.ts`).
 *
 * As in Apache's ensembles, message for message, with these liberties, none of which they can tell:
 *
 * - When a quorum agrees and everyone who is connected has voted, nobody is left to wait for, and the
 *   finalize wait is skipped. The wait is also not begun anew by messages that change nothing.
 * - A vote lives as long as the connection that it came over; if the candidate's own breaks and does
 *   not return, a new round begins without it.
 * - An observer that has asked once is told the end of each election without asking again.
 * - A vote that comes before this server has noticed that there is no leader is not lost: of two
 *   survivors one is always the first, and it would not say it again for a long time. For the same
 *   reason a worse vote is answered with the better one.
 * - A voter without history (new, or emptied) says so, and has no vote until it has heard what every
 *   voter has to say in the round: then nobody's history can be overlooked, and it is for the best.
 *   Apache's servers ignore the vote of a server that says so.
 * - Unsolicited repeats stay as far apart as Apache's: its finalize wait begins anew with each.
 *
 * Pure: time is told, messages are taken out. To decide is not to lead: discovery comes next, and
 * whatever is wrong here costs time there, never a transaction.
 */
import { present } from '../base/assert.js';
import { notificationVersion, type Notification } from '../protocol/peer/notification.js';
import { Announcements } from './announcements.js';
import type { Statement } from './answers.js';
import { Ballots } from './ballots.js';
import type {
  ElectionMessage,
  ElectionOptions,
  ElectionOutcome,
  OwnHistory,
} from './election-options.js';
import { ElectionTimers } from './election-timers.js';
import { Electorate } from './electorate.js';
import { Established } from './established.js';
import { Mandate } from './mandate.js';
import type { RoleName } from './ready.js';
import {
  emptyVote,
  isBetter,
  isPhantom,
  isSameVote,
  noHistory,
  voteOf,
  type HeardVote,
  type Vote,
} from './vote.js';

export type { ElectionMessage, ElectionOptions, ElectionOutcome } from './election-options.js';

type Phase = 'idle' | 'looking' | 'decided';

/** Whom a server votes for that has no vote of its own and has heard of none. */
const nobody = emptyVote(0n).leader;

export class Election {
  readonly #options: ElectionOptions;
  readonly #electorate: Electorate;
  /** Between repeats of a vote. */
  readonly #minIntervalMs: number;
  readonly #timers: ElectionTimers;
  readonly #connected = new Set<number>();
  readonly #said: Announcements;
  /** Connected, no voters, and have asked: they want to hear of each decision. */
  readonly #askers = new Set<number>();
  /** Votes that voters have cast while this server was not looking: the last of each, and when. */
  readonly #early = new Map<
    number,
    { readonly notification: Notification; readonly atMs: number }
  >();

  #phase: Phase = 'idle';
  #round = 0n;
  #own: OwnHistory = { zxid: 0n, peerEpoch: 0 };
  #proposal: Vote = emptyVote(0n);
  /** Votes of this round. */
  readonly #received = new Ballots();
  readonly #established: Established;
  /** It has lost a candidate in this election: who is connected to whom is in doubt. */
  #isDoubtful = false;

  #outcome: ElectionOutcome | null = null;
  #decision: Statement | null = null;
  /** Decided by the others alone: this voter had no history to vote with. */
  isWithoutVote = false;
  readonly #mandate = new Mandate();
  #newerConfig: { readonly version: bigint; readonly text: string } | null = null;

  constructor(options: ElectionOptions) {
    this.#options = options;
    const minIntervalMs = options.minNotificationIntervalMs ?? 200;
    const maxIntervalMs = options.maxNotificationIntervalMs ?? 60_000;
    const finalizeWaitMs = options.finalizeWaitMs ?? 200;
    this.#minIntervalMs = minIntervalMs;
    this.#timers = new ElectionTimers({ finalizeWaitMs, minIntervalMs, maxIntervalMs });
    this.#electorate = new Electorate(options.sid, () => options.quorums());
    this.#established = new Established(options.sid, this.#electorate);
    this.#said = new Announcements(() => options.configText(), minIntervalMs);
  }

  /** Later than any that was heard of. */
  get nextRound(): bigint {
    return this.#round + 1n;
  }

  /** Whom this server votes for; null while it does not look for a leader. */
  get candidate(): number | null {
    return this.#phase === 'looking' ? Number(this.#proposal.leader) : null;
  }

  /** Null until decided; then until the next `start`. */
  get outcome(): ElectionOutcome | null {
    return this.#outcome;
  }

  /**
   * Decided, but those whom the decision stood on are looking for another leader: the leader, or, if
   * this server is it, so many that no quorum is left. Worth leaving a role that nobody has joined
   * yet; means nothing once one has.
   */
  get isDeserted(): boolean {
    return this.#mandate.isDeserted;
  }

  /**
   * While looking, a server had a configuration of a higher version. Nothing is decided from then
   * on: take it over and `start` again.
   */
  get newerConfig(): { readonly version: bigint; readonly text: string } | null {
    return this.#newerConfig;
  }

  /** When `tick` is needed next; Infinity: not until something happens. */
  get deadlineMs(): number {
    return this.#timers.deadlineMs;
  }

  /** What this server would say now to anybody; null: nothing yet. */
  get word(): Notification | null {
    return this.#phase === 'idle' ? null : this.#said.worded(this.#statement());
  }

  /** In the order in which they were written; the latest of several to the same server. */
  takeMessages(): ElectionMessage[] {
    return this.#said.take();
  }

  /**
   * Begins to look for a leader. `own` is what is on this server's disk, all of it durable.
   */
  start(nowMs: number, own: OwnHistory): void {
    this.#phase = 'looking';
    this.#own = own;
    this.#outcome = null;
    this.#decision = null;
    this.#newerConfig = null;
    this.#isDoubtful = false;
    this.#mandate.end();
    this.#established.clear();
    const { standsUntilMs = nowMs } = own;
    const mayStand = this.#electorate.has(this.#options.sid) && standsUntilMs > nowMs;
    const mustStand = mayStand && !this.#electorate.isSelfInForce;
    this.#timers.standUntil(mustStand ? standsUntilMs : Infinity);
    this.#beginRound(nowMs);
    // they have noticed sooner than this server that there is no leader, and will not say it twice
    const early = [...this.#early].filter(([, { atMs }]) => nowMs - atMs < this.#minIntervalMs);
    this.#early.clear();
    for (const [from, { notification }] of early) this.onNotification(from, notification, nowMs);
  }

  /**
   * The role is entered, or its vote has changed (its epoch is known; leadership was handed over):
   * whoever looks for a leader is answered with this vote.
   */
  decided(state: RoleName, vote: Vote): void {
    const leader = Number(vote.leader);
    if (this.#decision?.vote.leader !== vote.leader) this.#mandate.end();
    this.isWithoutVote = this.#phase === 'looking' && this.#isMute;
    this.#phase = 'decided';
    this.#outcome = { role: state, leader, vote };
    this.#decision = { state, vote };
    // a later election is in a later round than any that led to this
    if (vote.electionEpoch > this.#round) this.#round = vote.electionEpoch;
    this.#timers.stop();
  }

  onConnected(sid: number, nowMs: number): void {
    this.#connected.add(sid);
    if (this.#phase !== 'looking') return;
    if (BigInt(sid) === this.#proposal.leader) this.#timers.candidateReturned();
    this.#timers.expectNews(nowMs);
    this.#consider(nowMs);
  }

  onDisconnected(sid: number, nowMs: number): void {
    this.#connected.delete(sid);
    this.#said.forget(sid);
    this.#askers.delete(sid);
    this.#early.delete(sid);
    this.#received.withdraw(sid);
    this.#established.withdraw(sid);
    this.#mandate.withdraw(sid);
    if (this.#phase !== 'looking') return;
    this.#reconsiderVoice(nowMs);
    if (BigInt(sid) === this.#proposal.leader) this.#timers.candidateLost(nowMs);
    this.#consider(nowMs);
  }

  tick(nowMs: number): void {
    if (this.#phase !== 'looking' || this.#newerConfig !== null) return;
    if (this.#timers.mustRetreat(nowMs)) {
      this.#isDoubtful = true;
      this.#beginRound(nowMs);
      return;
    }
    if (this.#timers.mustResign(nowMs)) {
      this.#timers.standUntil(Infinity);
      this.#beginRound(nowMs);
      return;
    }
    this.#consider(nowMs);
    if (!this.#timers.mustRepeat(nowMs)) return;
    this.#tellVoters();
    this.#timers.repeated(nowMs);
  }

  onNotification(from: number, notification: Notification, nowMs: number): void {
    if (this.#phase === 'idle' || from === this.#options.sid) return;
    if (this.#phase === 'looking' && this.#hasNewerConfig(notification)) return;
    if (!this.#electorate.has(from)) {
      if (notification.state !== 'looking') return;
      this.#askers.add(from);
      this.#answer(from, notification, nowMs);
      return;
    }
    if (this.#phase === 'decided') {
      this.#early.delete(from);
      if (notification.state !== 'looking') return;
      this.#early.set(from, { notification, atMs: nowMs });
      this.#answer(from, notification, nowMs);
      const outcome = present(this.#outcome, 'decided');
      this.#mandate.onLooking(from, notification, outcome, (sids) =>
        this.#electorate.isQuorum(sids),
      );
      return;
    }
    if (notification.state === 'looking' && notification.electionEpoch < this.#round) {
      this.#answer(from, notification, nowMs);
    }
    if (notification.state === 'looking' && notification.leader === nobody) {
      this.#onUndecided(notification, nowMs);
      return;
    }
    if (!this.#electorate.has(Number(notification.leader))) return;
    if (notification.state === 'looking') this.#onLooking(from, notification, nowMs);
    else if (notification.state !== 'observing') this.#onDecided(from, notification);
  }

  // ------------------------------------------------------------------ rounds and votes

  #beginRound(nowMs: number): void {
    this.#enterRound(this.#round + 1n);
    this.#propose(this.#ownVote(), nowMs);
    this.#consider(nowMs);
  }

  #enterRound(round: bigint): void {
    this.#round = BigInt.asIntN(64, round);
    this.#received.clear();
  }

  #ownVote(): Vote {
    const mayVote = this.#timers.isStanding || this.#electorate.isSelfInForce;
    if (!mayVote) return emptyVote(this.#round);
    const { zxid, peerEpoch } = this.#own;
    return {
      leader: BigInt(this.#options.sid),
      zxid: this.#isMute ? noHistory : zxid,
      peerEpoch: this.#isMute ? 0n : BigInt(peerEpoch),
      electionEpoch: this.#round,
    };
  }

  #propose(vote: Vote, nowMs: number): void {
    const { sid } = this.#options;
    this.#proposal = vote;
    this.#timers.proposed(nowMs);
    if (this.#electorate.has(sid) && !this.#isMute) {
      const version = notificationVersion;
      this.#received.cast(sid, { ...vote, state: 'looking', version });
    }
    this.#tellVoters();
  }

  /** It has no history to vote with, and not heard everybody: it neither counts nor is counted. */
  get #isMute(): boolean {
    if (this.#own.isBlank !== true || !this.#electorate.has(this.#options.sid)) return false;
    return !this.#received.areComplete(this.#electorate.quorums, this.#options.sid);
  }

  /** Somebody was heard who had not been, or is gone: a blank server may have a vote now, or none. */
  #reconsiderVoice(nowMs: number): void {
    const isMute = this.#isMute;
    if (isMute === (this.#proposal.zxid === noHistory)) return;
    this.#received.withdraw(this.#options.sid);
    const own = this.#ownVote();
    this.#propose(isMute ? own : this.#received.best(own, this.#electorate.weights), nowMs);
  }

  /**
   * It takes itself for no voter: the configuration in which it is one has not come into force there.
   * Then it may be needed to agree to just that, and does once it hears a vote of its round.
   */
  #onUndecided(notification: Notification, nowMs: number): void {
    if (this.#isMute || notification.electionEpoch <= this.#round) return;
    this.#enterRound(notification.electionEpoch);
    this.#propose(this.#ownVote(), nowMs);
  }

  #onLooking(from: number, notification: Notification, nowMs: number): void {
    const isVoteless = notification.zxid === noHistory;
    const { electionEpoch } = notification;
    const isOtherRound = electionEpoch !== this.#round;
    // it has left what it had joined
    this.#established.withdraw(from);
    if (electionEpoch < this.#round) {
      // whoever has no vote has no round of its own either: it listens in that of those who vote
      if (!this.#isMute || isVoteless || this.#received.votes.size > 0) return;
    }
    if (isOtherRound) {
      this.#enterRound(electionEpoch);
      this.#propose(this.#ownVote(), nowMs);
    }
    if (!isVoteless && isPhantom(notification, this.#options.sid, this.#own)) {
      // whoever votes so hides what it has itself, and will think again when it hears this
      this.#received.withdraw(from);
      this.#reconsiderVoice(nowMs);
      if (!isOtherRound) this.#answer(from, notification, nowMs);
      return;
    }
    this.#received.cast(from, notification);
    this.#reconsiderVoice(nowMs);
    if (!this.#isMute && this.#received.isRefuted(this.#proposal)) {
      this.#beginRound(nowMs);
      return;
    }
    if (!isVoteless && !this.#isMute) {
      if (isBetter(notification, this.#proposal, this.#electorate.weights)) {
        this.#propose(voteOf(notification), nowMs);
      } else if (!isOtherRound && !isSameVote(notification, this.#proposal)) {
        // perhaps it was not listening when it was told
        this.#answer(from, notification, nowMs);
      }
    }
    this.#consider(nowMs);
  }

  // ------------------------------------------------------------------ the decision

  /** Decides if a quorum is for the proposal and it is time. */
  #consider(nowMs: number): void {
    if (this.#phase !== 'looking' || this.#newerConfig !== null || this.#isMute) return;
    const supporters = this.#received.supporters((vote) => isSameVote(vote, this.#proposal));
    const isLost = this.#timers.isCandidateLost;
    if (isLost || !this.#electorate.areEnoughFor(this.#proposal.leader, supporters)) {
      this.#timers.disagreed(nowMs);
      return;
    }
    const isFinal = this.#timers.agreed(nowMs);
    if (isFinal || this.#isEverybodyHeard(supporters)) this.#decide(this.#proposal, supporters);
  }

  /** No connected voter is left that could know better, the candidate spoke for itself. */
  #isEverybodyHeard(supporters: ReadonlySet<number>): boolean {
    const { sid } = this.#options;
    const candidate = Number(this.#proposal.leader);
    if (this.#isDoubtful || !supporters.has(candidate)) return false;
    if (!this.#electorate.isQuorum(supporters)) return false;
    if (candidate !== sid && !this.#connected.has(candidate)) return false;
    return [...this.#connected].every((other) => {
      if (this.#received.isHeard(other) || !this.#electorate.has(other)) return true;
      return this.#received.votes.get(other)?.leader === this.#proposal.leader;
    });
  }

  /** A server that has decided: if a quorum has, and the leader says so too, it is decided here. */
  #onDecided(from: number, heard: HeardVote): void {
    const supporters = this.#established.onDecided(from, heard, {
      ballots: this.#received,
      round: this.#round,
      isStanding: this.#timers.isStanding,
    });
    if (supporters === null) return;
    this.#round = heard.electionEpoch;
    this.#decide(voteOf(heard), supporters);
  }

  #decide(vote: Vote, supporters: ReadonlySet<number>): void {
    const isLeader = vote.leader === BigInt(this.#options.sid);
    this.decided(isLeader ? 'leading' : this.#options.learnerRole(), vote);
    this.#mandate.begin(supporters);
    for (const asker of this.#askers) this.#tell(asker);
  }

  /** A configuration of a higher version; what its sender votes for is then beside the point. */
  #hasNewerConfig(notification: Notification): boolean {
    const { config } = notification;
    if (config !== null && config !== '') {
      const version = this.#options.configVersionOf(config);
      const known = this.#newerConfig?.version ?? this.#electorate.inForce.version;
      if (version !== null && version > known) {
        this.#newerConfig = { version, text: config };
        this.#timers.stop();
      }
    }
    return this.#newerConfig !== null;
  }

  // ------------------------------------------------------------------ what others are told

  #tellVoters(): void {
    for (const sid of this.#electorate.others) this.#tell(sid);
  }

  #statement(): Statement {
    return this.#decision ?? { state: 'looking', vote: this.#proposal };
  }

  #tell(to: number): void {
    this.#said.tell(to, this.#statement());
  }

  #answer(from: number, question: Notification, nowMs: number): void {
    this.#said.answer(from, question, this.#statement(), nowMs);
  }
}
