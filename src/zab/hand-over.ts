/**
 * A planned change of the leader: this epoch ends with its successor named, so nobody has to vote.
 *
 *   draining     nothing new is proposed; what was is committed, and the successor has all of it
 *   appointing   the successor knows, and lets go of its link to prepare for learners
 *   telling      the others know, and go straight to discovery with it
 *
 * Safety does not rest on any of this. The successor must still be promised an epoch by a quorum,
 * and gives up when one of that quorum knows more than it does; whoever finds no successor within a
 * tick holds an election. What this saves is the time to find out, and the choice.
 */
import type { Broadcast } from './broadcast.js';
import type { LearnerLink } from './learner-link.js';
import type { LearnerLinks } from './learner-links.js';
import type { LinkId } from './messages.js';
import type { Outbox } from './outbox.js';
import type { Succession } from './succession.js';

type Phase = 'draining' | 'appointing' | 'telling';

export class HandOver {
  readonly to: number;
  readonly #round: bigint;
  readonly #epoch: number;
  readonly #links: LearnerLinks;
  readonly #broadcast: Broadcast;
  readonly #out: Outbox;
  readonly #limitMs: number;
  #phase: Phase = 'draining';
  #phaseStartedMs: number;
  #succession: Succession | null = null;

  constructor(parts: {
    readonly to: number;
    readonly round: bigint;
    readonly epoch: number;
    readonly links: LearnerLinks;
    readonly broadcast: Broadcast;
    readonly out: Outbox;
    /** For each phase. */
    readonly limitMs: number;
    readonly nowMs: number;
  }) {
    this.to = parts.to;
    this.#round = parts.round;
    this.#epoch = parts.epoch;
    this.#links = parts.links;
    this.#broadcast = parts.broadcast;
    this.#out = parts.out;
    this.#limitMs = parts.limitMs;
    this.#phaseStartedMs = parts.nowMs;
  }

  /** Null until the successor has been told. */
  get succession(): Succession | null {
    return this.#succession;
  }

  /**
   * Goes as far as it can now. 'cancelled': the successor is gone or does not keep up, and leading
   * goes on; 'over': so is the role, whether or not everybody has heard.
   */
  go(nowMs: number): 'waiting' | 'cancelled' | 'over' {
    const isLate = nowMs - this.#phaseStartedMs >= this.#limitMs;
    const successor = this.#successor();
    if (this.#phase === 'draining') {
      if (successor === null || isLate) return 'cancelled';
      const { committedLow, isIdle } = this.#broadcast;
      if (!isIdle || !successor.has(committedLow)) return 'waiting';
      const zxid = { high: this.#epoch, low: committedLow };
      this.#succession = { leader: this.to, round: this.#round, zxid };
      this.#tell([successor.id], this.#succession);
      this.#enter('appointing', nowMs);
      return 'waiting';
    }
    if (isLate) return 'over';
    if (this.#phase === 'appointing') {
      if (successor !== null) return 'waiting';
      const others = [...this.#links].map(({ id }) => id);
      if (others.length === 0) return 'over';
      if (this.#succession !== null) this.#tell(others, this.#succession);
      this.#enter('telling', nowMs);
      return 'waiting';
    }
    return this.#links.isEmpty ? 'over' : 'waiting';
  }

  #successor(): LearnerLink | null {
    for (const learner of this.#links) {
      if (learner.sid === this.to && !learner.isObserver && learner.phase === 'active')
        return learner;
    }
    return null;
  }

  #tell(links: readonly LinkId[], succession: Succession): void {
    this.#out.sayDurably({ kind: 'handOver', links, succession });
  }

  #enter(phase: Phase, nowMs: number): void {
    this.#phase = phase;
    this.#phaseStartedMs = nowMs;
  }
}
