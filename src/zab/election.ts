/**
 * Fast leader election, from the point of view of one server: it says whom it is for, changes to
 * whoever is better when it hears of one, and is done when a quorum says the same. Rounds keep the
 * votes of one election apart from those of another. Who is late finds an ensemble that has decided
 * and joins it.
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
import { Mandate } from './mandate.js';
import { hasOracle, type Quorum } from './quorum.js';
import type { RoleName } from './ready.js';
import {
  emptyVote,
  isBetter,
  isSameLeader,
  isSameVote,
  noHistory,
  supportersIn,
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
  readonly #finalizeWaitMs: number;
  readonly #minIntervalMs: number;
  readonly #maxIntervalMs: number;
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
  /** What servers that have decided say, in whatever round. */
  readonly #established = new Map<number, HeardVote>();
  #finalizeAtMs = Infinity;
  #repeatAtMs = Infinity;
  #intervalMs = 0;
  /** The connection to the candidate is gone: then a round without it, unless it returns. */
  #retreatAtMs = Infinity;
  /** That has happened in this election: who is connected to whom is in doubt. */
  #isDoubtful = false;

  #outcome: ElectionOutcome | null = null;
  #decision: Statement | null = null;
  /** Decided by the others alone: this voter had no history to vote with. */
  isWithoutVote = false;
  readonly #mandate = new Mandate();
  #newerConfig: { readonly version: bigint; readonly text: string } | null = null;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#finalizeWaitMs = options.finalizeWaitMs ?? 200;
    this.#minIntervalMs = options.minNotificationIntervalMs ?? 200;
    this.#maxIntervalMs = options.maxNotificationIntervalMs ?? 60_000;
    this.#said = new Announcements(() => options.configText(), this.#minIntervalMs);
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
    return Math.min(this.#finalizeAtMs, this.#repeatAtMs, this.#retreatAtMs);
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
    this.#stopTimers();
  }

  onConnected(sid: number, nowMs: number): void {
    this.#connected.add(sid);
    if (this.#phase !== 'looking') return;
    if (BigInt(sid) === this.#proposal.leader) this.#retreatAtMs = Infinity;
    // it is likely that there is news, so repeats begin with short intervals again
    this.#intervalMs = this.#minIntervalMs;
    this.#repeatAtMs = Math.min(this.#repeatAtMs, nowMs + this.#minIntervalMs);
    this.#consider(nowMs);
  }

  onDisconnected(sid: number, nowMs: number): void {
    this.#connected.delete(sid);
    this.#said.forget(sid);
    this.#askers.delete(sid);
    this.#early.delete(sid);
    this.#received.withdraw(sid);
    this.#established.delete(sid);
    this.#mandate.withdraw(sid);
    if (this.#phase !== 'looking') return;
    this.#reconsiderVoice(nowMs);
    if (BigInt(sid) === this.#proposal.leader) this.#retreatAtMs = nowMs + this.#minIntervalMs;
    this.#consider(nowMs);
  }

  tick(nowMs: number): void {
    if (this.#phase !== 'looking' || this.#newerConfig !== null) return;
    if (nowMs >= this.#retreatAtMs) {
      this.#isDoubtful = true;
      this.#beginRound(nowMs);
      return;
    }
    this.#consider(nowMs);
    if (nowMs < this.#repeatAtMs) return;
    this.#tellVoters();
    this.#intervalMs = Math.min(2 * this.#intervalMs, this.#maxIntervalMs);
    this.#repeatAtMs = nowMs + this.#intervalMs;
  }

  onNotification(from: number, notification: Notification, nowMs: number): void {
    if (this.#phase === 'idle' || from === this.#options.sid) return;
    if (this.#phase === 'looking' && this.#hasNewerConfig(notification)) return;
    if (!this.#isVoter(from)) {
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
      this.#mandate.onLooking(from, notification, outcome, (sids) => this.#isQuorum(sids));
      return;
    }
    if (notification.state === 'looking' && notification.electionEpoch < this.#round) {
      this.#answer(from, notification, nowMs);
    }
    if (notification.state === 'looking' && notification.leader === nobody) {
      this.#onUndecided(notification, nowMs);
      return;
    }
    if (!this.#isVoter(Number(notification.leader))) return;
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
    if (!this.#quorumInForce.voters.has(this.#options.sid)) return emptyVote(this.#round);
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
    this.#finalizeAtMs = Infinity;
    this.#retreatAtMs = Infinity;
    this.#intervalMs = this.#minIntervalMs;
    this.#repeatAtMs = nowMs + this.#intervalMs;
    if (this.#isVoter(sid) && !this.#isMute) {
      const version = notificationVersion;
      this.#received.cast(sid, { ...vote, state: 'looking', version });
    }
    this.#tellVoters();
  }

  /** It has no history to vote with, and not heard everybody: it neither counts nor is counted. */
  get #isMute(): boolean {
    if (this.#own.isBlank !== true || !this.#isVoter(this.#options.sid)) return false;
    return !this.#received.areComplete(this.#options.quorums(), this.#options.sid);
  }

  /** Somebody was heard who had not been, or is gone: a blank server may have a vote now, or none. */
  #reconsiderVoice(nowMs: number): void {
    const isMute = this.#isMute;
    if (isMute === (this.#proposal.zxid === noHistory)) return;
    this.#received.withdraw(this.#options.sid);
    const own = this.#ownVote();
    this.#propose(isMute ? own : this.#received.best(own, this.#quorumInForce), nowMs);
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
    this.#established.delete(from);
    if (electionEpoch < this.#round) {
      // whoever has no vote has no round of its own either: it listens in that of those who vote
      if (!this.#isMute || isVoteless || this.#received.votes.size > 0) return;
    }
    if (isOtherRound) {
      this.#enterRound(electionEpoch);
      this.#propose(this.#ownVote(), nowMs);
    }
    if (!isVoteless && this.#isPhantom(notification)) {
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
      if (isBetter(notification, this.#proposal, this.#quorumInForce)) {
        this.#propose(voteOf(notification), nowMs);
      } else if (!isOtherRound && !isSameVote(notification, this.#proposal)) {
        // perhaps it was not listening when it was told
        this.#answer(from, notification, nowMs);
      }
    }
    this.#consider(nowMs);
  }

  /** For this server, with a history that it had before it was restarted. */
  #isPhantom({ leader, zxid, peerEpoch }: Vote): boolean {
    if (leader !== BigInt(this.#options.sid)) return false;
    return zxid !== this.#own.zxid || peerEpoch !== BigInt(this.#own.peerEpoch);
  }

  get #quorumInForce(): Quorum {
    return present(this.#options.quorums()[0], 'there is a configuration');
  }

  #isVoter(sid: number): boolean {
    return this.#options.quorums().some((quorum) => quorum.voters.has(sid));
  }

  // ------------------------------------------------------------------ the decision

  /** Decides if a quorum is for the proposal and it is time. */
  #consider(nowMs: number): void {
    if (this.#phase !== 'looking' || this.#newerConfig !== null || this.#isMute) return;
    const supporters = this.#received.supporters((vote) => isSameVote(vote, this.#proposal));
    if (this.#retreatAtMs !== Infinity || !this.#isBacked(supporters)) {
      if (this.#finalizeAtMs !== Infinity) this.#repeatAtMs = nowMs + this.#intervalMs;
      this.#finalizeAtMs = Infinity;
      return;
    }
    // and nothing is repeated meanwhile: those who wait as well would wait for longer
    if (this.#finalizeAtMs === Infinity) this.#finalizeAtMs = nowMs + this.#finalizeWaitMs;
    this.#repeatAtMs = Infinity;
    if (nowMs < this.#finalizeAtMs && !this.#isEverybodyHeard(supporters)) return;
    this.#decide(this.#proposal, supporters);
  }

  #isBacked(supporters: ReadonlySet<number>): boolean {
    if (this.#isQuorum(supporters)) return true;
    // an oracle allows one server to go on alone, which can only be this one
    if (this.#proposal.leader !== BigInt(this.#options.sid)) return false;
    return this.#options
      .quorums()
      .every((quorum) =>
        hasOracle(quorum) ? quorum.containsByOracle(supporters) : quorum.contains(supporters),
      );
  }

  #isQuorum(sids: ReadonlySet<number>): boolean {
    return this.#options.quorums().every((quorum) => quorum.contains(sids));
  }

  /** No connected voter is left that could know better, the candidate spoke for itself. */
  #isEverybodyHeard(supporters: ReadonlySet<number>): boolean {
    const { sid } = this.#options;
    const candidate = Number(this.#proposal.leader);
    if (this.#isDoubtful || !supporters.has(candidate)) return false;
    if (!this.#isQuorum(supporters)) return false;
    if (candidate !== sid && !this.#connected.has(candidate)) return false;
    return [...this.#connected].every((other) => {
      if (this.#received.isHeard(other) || !this.#isVoter(other)) return true;
      return this.#received.votes.get(other)?.leader === this.#proposal.leader;
    });
  }

  /** A server that has decided: if a quorum has, and the leader says so too, it is decided here. */
  #onDecided(from: number, heard: HeardVote): void {
    const { electionEpoch } = heard;
    if (electionEpoch === this.#round) {
      this.#received.cast(from, heard);
      const supporters = this.#received.supporters((vote) =>
        vote.state === 'looking' ? isSameVote(vote, heard) : vote.leader === heard.leader,
      );
      if (this.#isQuorum(supporters) && this.#isLed(this.#received.votes, heard)) {
        this.#decide(voteOf(heard), supporters);
        return;
      }
    }
    this.#established.set(from, heard);
    const supporters = supportersIn(this.#established, (vote) => isSameLeader(vote, heard));
    const isDecided = this.#isQuorum(supporters) && this.#isLed(this.#established, heard);
    if (!isDecided && !this.#isOtherOfTwo(from, heard)) return;
    this.#round = electionEpoch;
    this.#decide(voteOf(heard), supporters);
  }

  /**
   * Servers repeat to each other that one leads which has long been dead, unless the leader's own
   * word is asked for. This server's own word is that it is in this round.
   */
  #isLed(votes: ReadonlyMap<number, HeardVote>, vote: Vote): boolean {
    if (vote.leader === BigInt(this.#options.sid)) return vote.electionEpoch === this.#round;
    const leaders = votes.get(Number(vote.leader));
    return leaders?.state === 'leading' && leaders.leader === vote.leader;
  }

  /** Of two servers with an oracle, one that leads alone is all the quorum there is. */
  #isOtherOfTwo(from: number, heard: HeardVote): boolean {
    const force = this.#quorumInForce;
    if (!hasOracle(force) || force.voters.size !== 2 || !force.voters.has(from)) return false;
    return heard.state === 'leading' && heard.leader === BigInt(from);
  }

  #decide(vote: Vote, supporters: ReadonlySet<number>): void {
    const isLeader = vote.leader === BigInt(this.#options.sid);
    this.decided(isLeader ? 'leading' : this.#options.learnerRole(), vote);
    this.#mandate.begin(supporters);
    for (const asker of this.#askers) this.#tell(asker);
  }

  #stopTimers(): void {
    this.#finalizeAtMs = this.#repeatAtMs = this.#retreatAtMs = Infinity;
  }

  /** A configuration of a higher version; what its sender votes for is then beside the point. */
  #hasNewerConfig(notification: Notification): boolean {
    const { config } = notification;
    if (config !== null && config !== '') {
      const version = this.#options.configVersionOf(config);
      const known = this.#newerConfig?.version ?? this.#quorumInForce.version;
      if (version !== null && version > known) {
        this.#newerConfig = { version, text: config };
        this.#stopTimers();
      }
    }
    return this.#newerConfig !== null;
  }

  // ------------------------------------------------------------------ what others are told

  #tellVoters(): void {
    const voters = new Set(this.#options.quorums().flatMap((quorum) => [...quorum.voters]));
    voters.delete(this.#options.sid);
    for (const sid of [...voters].sort((a, b) => a - b)) this.#tell(sid);
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
