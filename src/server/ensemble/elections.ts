/**
 * A server's part in elections, from its start to its stop: what others say comes from the port for
 * votes, what this server says goes out there, and the clock drives it on. What is decided is decided
 * in `zab/election.ts`; what comes of it is for who asks, after each turn.
 *
 * An election does not end with its outcome: in a role, whoever looks for a leader is told of the
 * one that this server has.
 */
import { present } from '../../base/assert.js';
import type { Clock, Timer } from '../../ports/clock.js';
import type { Notification } from '../../protocol/peer/notification.js';
import { zxidOfParts } from '../../protocol/zxid.js';
import { Election, type ElectionOptions, type ElectionOutcome } from '../../zab/election.js';
import type { OwnHistory } from '../../zab/election-options.js';
import type { RoleName } from '../../zab/ready.js';
import type { Succession } from '../../zab/succession.js';
import type { ElectionPortEvents } from './election-port.js';

export interface ElectionsParts {
  readonly clock: Clock;
  /** Undefined: as `zab/` does it. */
  readonly make: ((options: ElectionOptions) => Election) | undefined;
  send(to: number, notification: Notification): void;
  /** There may be something new to see here; `begin` and `pump` may be called. */
  onTurn(): void;
}

export class Elections implements ElectionPortEvents {
  readonly #parts: ElectionsParts;
  readonly #election: Election;
  #timer: Timer | null = null;
  /** It has led and does no more: to say that it does would call those back who look for another. */
  #isSilent = false;
  #isClosed = false;

  constructor(options: ElectionOptions, parts: ElectionsParts) {
    this.#parts = parts;
    this.#election = parts.make?.(options) ?? new Election(options);
  }

  /** Null while a leader is looked for. It is also how this server came to the role that it has. */
  get outcome(): ElectionOutcome | null {
    return this.#election.outcome;
  }

  /** Of the outcome. */
  get round(): bigint {
    return this.outcome?.vote.electionEpoch ?? 0n;
  }

  /** Later than any that was heard of. */
  get nextRound(): bigint {
    return this.#election.nextRound;
  }

  /** Another server has a later configuration: nothing is decided until an election begins with it. */
  get newerConfig(): { readonly text: string } | null {
    return this.#election.newerConfig;
  }

  /** Those on whom the outcome stood look for another leader: worth leaving a role nobody has joined. */
  get isDeserted(): boolean {
    return this.#election.isDeserted;
  }

  /** It has lost its history, and what was decided the others decided. */
  get isWithoutVote(): boolean {
    return this.#election.isWithoutVote;
  }

  /** Whom this server votes for, or whose vote brought it its role. */
  get votedFor(): number | null {
    return this.outcome?.leader ?? this.#election.candidate;
  }

  /** Milliseconds until the election does something by itself; null: nothing is due. */
  get deadlineMs(): number | null {
    const { deadlineMs } = this.#election;
    return deadlineMs === Infinity ? null : Math.max(0, deadlineMs - this.#nowMs());
  }

  /** A leader is looked for from now on; it is said with the next turn. */
  begin(own: OwnHistory): void {
    this.#isSilent = false;
    this.#election.start(this.#nowMs(), own);
  }

  /** Without an election: the leader has named the next one. */
  succeed(name: RoleName, { leader, round, zxid }: Succession, currentEpoch: number): void {
    this.#isSilent = false;
    this.#election.decided(name, {
      leader: BigInt(leader),
      zxid: zxidOfParts(zxid.high, zxid.low),
      peerEpoch: BigInt(currentEpoch),
      electionEpoch: round,
    });
  }

  /** The leader's epoch is known: whoever looks for a leader hears of it. */
  onEpoch(epoch: number): void {
    const { role, vote } = present(this.outcome, 'a role comes of a vote');
    this.#election.decided(role, { ...vote, peerEpoch: BigInt(epoch) });
  }

  onMessage(from: number, notification: Notification): void {
    this.#election.onNotification(from, notification, this.#nowMs());
    this.pump();
  }

  word(): Notification | null {
    return this.#isSilent ? null : this.#election.word;
  }

  /** Nothing is said until this server looks for a leader, or has been named another. */
  fallSilent(): void {
    this.#isSilent = true;
  }

  onConnected(sid: number): void {
    this.#election.onConnected(sid, this.#nowMs());
    this.pump();
  }

  onDisconnected(sid: number): void {
    this.#election.onDisconnected(sid, this.#nowMs());
    this.pump();
  }

  /** One turn: says what there is to say, and lets see what came of it. */
  pump(): void {
    this.#timer?.cancel();
    if (this.#isClosed) return;
    // who is told something every millisecond sets the timer anew each time, and it would never come
    if (this.deadlineMs === 0) this.#election.tick(this.#nowMs());
    for (const { to, notification } of this.#election.takeMessages()) {
      if (!this.#isSilent) this.#parts.send(to, notification);
    }
    const delayMs = this.deadlineMs;
    if (delayMs !== null) {
      this.#timer = this.#parts.clock.after(Math.max(1, delayMs), () => {
        this.#election.tick(this.#nowMs());
        this.pump();
      });
    }
    this.#parts.onTurn();
  }

  /** Nothing is said any more, to nobody. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }
}
