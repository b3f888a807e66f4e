/**
 * Learners are brought to the leader's history: from memory, from the disk, with a snapshot. What a
 * learner is sent ends exactly where what is forwarded to it begins, and NEWLEADER asks it to
 * acknowledge all that. Once a quorum has, the epoch is established. Paper: Zab, phase 2 of the
 * leader, which goes on for whoever comes while the leader is broadcasting.
 */
import type { Broadcast } from './broadcast.js';
import type { LeaderOptions } from './leader-options.js';
import type { LearnerLink } from './learner-link.js';
import type { Outbox } from './outbox.js';
import { chooseSync, type SyncChoice, type ZxidPair } from './sync-choice.js';

export class Synchronisation {
  readonly #options: LeaderOptions;
  readonly #epoch: number;
  readonly #broadcast: Broadcast;
  readonly #out: Outbox;
  readonly #startedMs: number;

  /** The epoch is this server's current one, on its disk: that is its own acknowledgement. */
  constructor(
    options: LeaderOptions,
    parts: {
      readonly epoch: number;
      readonly broadcast: Broadcast;
      readonly out: Outbox;
      readonly nowMs: number;
    },
  ) {
    this.#options = options;
    this.#epoch = parts.epoch;
    this.#broadcast = parts.broadcast;
    this.#out = parts.out;
    this.#startedMs = parts.nowMs;
  }

  /** ACK of NEWLEADER by a quorum: this epoch's history is theirs. */
  get isAcknowledged(): boolean {
    return this.#broadcast.isQuorum((learner) => learner.phase === 'acknowledged');
  }

  /** It has had its time to be that. */
  isLate(nowMs: number): boolean {
    const { initLimit, tickMs } = this.#options;
    return nowMs - this.#startedMs >= initLimit * tickMs;
  }

  /** Its promise is known, and with it the end of its log. */
  begin(learner: LearnerLink, nowMs: number): void {
    // whose acknowledgement is needed gets what makes it good
    const mustBeSnap = learner.logsLate && this.#broadcast.hasVoice(learner);
    const choice: SyncChoice = mustBeSnap
      ? { kind: 'snap' }
      : chooseSync(learner.lastLogged, this.#applied, this.#options.committedLog);
    this.#out.sayDurably({ kind: 'sync', link: learner.id, choice });
    switch (choice.kind) {
      case 'diff':
        this.#finish(learner, choice.from, nowMs);
        return;
      case 'trunc':
        this.#finish(learner, choice.to, nowMs);
        return;
      case 'log':
      case 'snap':
        learner.phase = 'streaming';
    }
  }

  /** It has all up to `at`: the rest is in memory if that reaches back so far, else on the disk. */
  goOn(learner: LearnerLink, at: ZxidPair, nowMs: number): void {
    const applied = this.#applied;
    const isThere = at.high === applied.high && at.low === applied.low;
    const isInMemory = isThere || this.#options.committedLog.floor(at.high, at.low) !== null;
    if (isInMemory) this.#finish(learner, at, nowMs);
    else this.#out.sayDurably({ kind: 'stream', link: learner.id, from: at });
  }

  /** What is committed here, which is what the tree holds or is about to. */
  get #applied(): ZxidPair {
    const { committedLog, lastLogged } = this.#options;
    if (this.#broadcast.committedLow > 0) {
      return { high: committedLog.lastHigh, low: committedLog.lastLow };
    }
    // from its establishment on, the tree stands at the beginning of the epoch
    return this.#broadcast.isOpen ? { high: this.#epoch, low: 0 } : lastLogged;
  }

  /** In one step, so that nothing falls between what was sent and what will be forwarded (Z27). */
  #finish(learner: LearnerLink, from: ZxidPair, nowMs: number): void {
    this.#options.committedLog.forEachAfter(from.high, from.low, (range) => {
      this.#out.sayDurably({ kind: 'history', link: learner.id, ...range });
    });
    if (!learner.isObserver) {
      for (const range of this.#broadcast.uncommitted()) {
        this.#out.sayDurably({ kind: 'outstanding', link: learner.id, ...range });
      }
    }
    learner.lastHeardMs = nowMs;
    learner.syncedLow = this.#broadcast.committedLow;
    learner.phase = 'synchronised';
    this.#out.sayDurably({ kind: 'newLeader', link: learner.id, epoch: this.#epoch });
  }
}
