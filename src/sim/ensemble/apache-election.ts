/**
 * Fast leader election as Apache's servers hold it, for peers of a mixed ensemble that are simulated:
 * its fixed finalize wait, which begins anew with each message that changes nothing, its silence while
 * it waits, its memory of votes whose connection is gone, and a vote by whatever is on the disk, though
 * that was emptied. Where `zab/election.ts` says "as in Apache's ensembles" or "with these liberties",
 * this is what it is compared with.
 *
 * Not here: its oracle.
 */
import { notificationVersion, type Notification } from '../../protocol/peer/notification.js';
import { Election } from '../../zab/election.js';
import type {
  ElectionMessage,
  ElectionOptions,
  ElectionOutcome,
  OwnHistory,
} from '../../zab/election-options.js';
import type { Quorum } from '../../zab/quorum.js';
import type { RoleName } from '../../zab/ready.js';
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
} from '../../zab/vote.js';

const FINALIZE_WAIT_MS = 200;
const NOTIFICATION_MS_MAX = 60_000;

interface Heard {
  readonly from: number;
  readonly notification: Notification;
}

export class ApacheElection extends Election {
  readonly #options: ElectionOptions;
  readonly #outbox = new Map<number, Notification>();
  /** Heard, and not looked at. */
  #queue: Heard[] = [];
  #isLooking = false;
  #round = 0n;
  #initial: Vote = emptyVote(0n);
  #proposal: Vote = emptyVote(0n);
  readonly #received = new Map<number, HeardVote>();
  readonly #established = new Map<number, HeardVote>();
  #intervalMs = FINALIZE_WAIT_MS;
  #repeatAtMs = Infinity;
  /** A quorum agrees; Infinity: none does. */
  #finalizeAtMs = Infinity;
  #result: ElectionOutcome | null = null;
  #statement: { readonly state: RoleName; readonly vote: Vote } | null = null;
  #later: { readonly version: bigint; readonly text: string } | null = null;

  constructor(options: ElectionOptions) {
    super(options);
    this.#options = options;
  }

  override get nextRound(): bigint {
    return this.#round + 1n;
  }

  override get candidate(): number | null {
    return this.#isLooking ? Number(this.#proposal.leader) : null;
  }

  override get outcome(): ElectionOutcome | null {
    return this.#result;
  }

  /** A role that was entered waits for its limits, whatever the others do. */
  override get isDeserted(): boolean {
    return false;
  }

  override get newerConfig(): { readonly version: bigint; readonly text: string } | null {
    return this.#later;
  }

  /** What it said last, which it says again on each new connection. */
  override get word(): Notification | null {
    return this.#isLooking || this.#statement !== null ? this.#said() : null;
  }

  override get deadlineMs(): number {
    return Math.min(this.#repeatAtMs, this.#finalizeAtMs);
  }

  override takeMessages(): ElectionMessage[] {
    const messages = [...this.#outbox].map(([to, notification]) => ({ to, notification }));
    this.#outbox.clear();
    return messages;
  }

  override start(nowMs: number, own: OwnHistory): void {
    const { sid } = this.#options;
    this.#isLooking = true;
    this.#result = this.#statement = this.#later = null;
    this.#queue = [];
    this.#received.clear();
    this.#established.clear();
    this.#round = BigInt.asIntN(64, this.#round + 1n);
    const { zxid, peerEpoch } = own;
    this.#initial = this.#force.voters.has(sid)
      ? { leader: BigInt(sid), zxid, peerEpoch: BigInt(peerEpoch), electionEpoch: 0n }
      : emptyVote(0n);
    this.#intervalMs = FINALIZE_WAIT_MS;
    this.#finalizeAtMs = Infinity;
    this.#propose(this.#initial);
    this.#work(nowMs);
  }

  override decided(state: RoleName, vote: Vote): void {
    if (vote.electionEpoch > this.#round) this.#round = vote.electionEpoch;
    this.#result = { role: state, leader: Number(vote.leader), vote };
    this.#leave(state, vote);
  }

  override onConnected(): void {
    // votes are sent again by whoever holds the connections
  }

  override onDisconnected(): void {
    // what was said stays said
  }

  override tick(nowMs: number): void {
    if (!this.#isLooking || this.#later !== null) return;
    if (nowMs >= this.#finalizeAtMs) {
      this.#decide(this.#proposal);
      return;
    }
    if (nowMs < this.#repeatAtMs) return;
    this.#tellVoters();
    this.#intervalMs = Math.min(2 * this.#intervalMs, NOTIFICATION_MS_MAX);
    this.#work(nowMs);
  }

  override onNotification(from: number, notification: Notification, nowMs: number): void {
    if (this.#isLooking && this.#hasNewerConfig(notification)) return;
    if (!this.#isVoter(from)) {
      this.#tell(from);
      return;
    }
    if (!this.#isLooking) {
      if (notification.state === 'looking') this.#tell(from);
      return;
    }
    this.#queue.push({ from, notification });
    if (notification.state === 'looking' && notification.electionEpoch < this.#round) {
      this.#tell(from);
    }
    this.#work(nowMs);
  }

  // ------------------------------------------------------------------ inside

  /** Looks at all that was heard, its own words among it. */
  #work(nowMs: number): void {
    for (;;) {
      const heard = this.#queue.shift();
      if (heard === undefined || !this.#isLooking) break;
      this.#repeatAtMs = Infinity;
      if (this.#finalizeAtMs !== Infinity) {
        if (!isBetter(heard.notification, this.#proposal, this.#force)) {
          this.#finalizeAtMs = nowMs + FINALIZE_WAIT_MS;
          continue;
        }
        this.#finalizeAtMs = Infinity;
      }
      this.#consider(heard, nowMs);
    }
    if (!this.#isLooking) return;
    const isWaiting = this.#finalizeAtMs !== Infinity;
    this.#repeatAtMs = isWaiting ? Infinity : nowMs + this.#intervalMs;
  }

  #consider({ from, notification }: Heard, nowMs: number): void {
    if (!this.#isVoter(Number(notification.leader))) return;
    if (notification.state === 'looking') this.#onLooking(from, notification, nowMs);
    else if (notification.state !== 'observing') this.#onDecided(from, notification);
  }

  #onLooking(from: number, notification: Notification, nowMs: number): void {
    const { electionEpoch } = notification;
    if (this.#initial.zxid === noHistory || notification.zxid === noHistory) return;
    if (electionEpoch < this.#round) return;
    if (electionEpoch > this.#round) {
      this.#round = electionEpoch;
      this.#received.clear();
      const isTheirs = isBetter(notification, this.#initial, this.#force);
      this.#propose(isTheirs ? notification : this.#initial);
    } else if (isBetter(notification, this.#proposal, this.#force)) this.#propose(notification);
    this.#received.set(from, notification);
    if (this.#isQuorum(this.#received, (vote) => isSameVote(vote, this.#proposal))) {
      this.#finalizeAtMs = nowMs + FINALIZE_WAIT_MS;
    }
  }

  #onDecided(from: number, heard: HeardVote): void {
    if (heard.electionEpoch === this.#round) {
      this.#received.set(from, heard);
      const agrees = (vote: HeardVote): boolean =>
        vote.state === 'looking' ? isSameVote(vote, heard) : vote.leader === heard.leader;
      if (this.#isQuorum(this.#received, agrees) && this.#isLed(this.#received, heard)) {
        this.#decide(heard);
        return;
      }
    }
    this.#established.set(from, heard);
    const isDecided =
      this.#isQuorum(this.#established, (vote) => isSameLeader(vote, heard)) &&
      this.#isLed(this.#established, heard);
    if (!isDecided) return;
    this.#round = heard.electionEpoch;
    this.#decide(heard);
  }

  #isLed(votes: ReadonlyMap<number, HeardVote>, { leader, electionEpoch }: Vote): boolean {
    if (leader === BigInt(this.#options.sid)) return this.#round === electionEpoch;
    return votes.get(Number(leader))?.state === 'leading';
  }

  #decide(vote: Vote): void {
    const leader = Number(vote.leader);
    const isLeader = leader === this.#options.sid;
    const role = isLeader ? 'leading' : this.#options.learnerRole();
    const final = { ...voteOf(vote), electionEpoch: isLeader ? this.#round : vote.electionEpoch };
    this.#result = { role, leader, vote: final };
    this.#leave(role, final);
  }

  #leave(state: RoleName, vote: Vote): void {
    this.#isLooking = false;
    this.#statement = { state, vote };
    this.#queue = [];
    this.#repeatAtMs = this.#finalizeAtMs = Infinity;
  }

  #propose(vote: Vote): void {
    this.#proposal = { ...voteOf(vote), electionEpoch: this.#round };
    this.#tellVoters();
  }

  get #force(): Quorum {
    return this.#options.quorums()[0]!;
  }

  #isVoter(sid: number): boolean {
    return this.#options.quorums().some((quorum) => quorum.voters.has(sid));
  }

  #isQuorum(votes: ReadonlyMap<number, HeardVote>, agrees: (vote: HeardVote) => boolean): boolean {
    const supporters = supportersIn(votes, agrees);
    return this.#options.quorums().every((quorum) => quorum.contains(supporters));
  }

  /** Itself as well, which is how its own vote comes to be counted. */
  #tellVoters(): void {
    const { sid } = this.#options;
    const voters = new Set(this.#options.quorums().flatMap((quorum) => [...quorum.voters]));
    for (const to of [...voters].sort((a, b) => a - b)) {
      if (to === sid) this.#queue.push({ from: sid, notification: this.#said() });
      else this.#tell(to);
    }
  }

  #said(): Notification {
    const { state, vote } = this.#statement ?? { state: 'looking' as const, vote: this.#proposal };
    const config = this.#options.configText();
    return { ...voteOf(vote), state, version: notificationVersion, config };
  }

  #tell(to: number): void {
    this.#outbox.delete(to);
    this.#outbox.set(to, this.#said());
  }

  #hasNewerConfig({ config }: Notification): boolean {
    if (config === null || config === '') return this.#later !== null;
    const version = this.#options.configVersionOf(config);
    if (version !== null && version > (this.#later?.version ?? this.#force.version)) {
      this.#later = { version, text: config };
      this.#repeatAtMs = this.#finalizeAtMs = Infinity;
    }
    return this.#later !== null;
  }
}
