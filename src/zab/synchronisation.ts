/**
 * Learners are brought to the leader's history: from memory, from the disk, with a snapshot. What a
 * learner is sent ends exactly where what is forwarded to it begins. Paper: Zab, phase 2 of the
 * leader, which goes on for whoever comes while the leader is broadcasting.
 */
import type { Broadcast } from './broadcast.js';
import type { CommittedLog } from './committed-log.js';
import type { LearnerLink } from './learner-link.js';
import type { Outbox } from './outbox.js';
import { chooseSync, type ZxidPair } from './sync-choice.js';

export class Synchronisation {
  readonly #epoch: number;
  readonly #committedLog: CommittedLog;
  readonly #broadcast: Broadcast;
  readonly #out: Outbox;
  /** What is committed here, which is what the tree holds or is about to. */
  readonly #applied: () => ZxidPair;

  constructor(parts: {
    readonly epoch: number;
    readonly committedLog: CommittedLog;
    readonly broadcast: Broadcast;
    readonly out: Outbox;
    readonly applied: () => ZxidPair;
  }) {
    this.#epoch = parts.epoch;
    this.#committedLog = parts.committedLog;
    this.#broadcast = parts.broadcast;
    this.#out = parts.out;
    this.#applied = parts.applied;
  }

  /** Its promise is known, and with it the end of its log. */
  begin(learner: LearnerLink, nowMs: number): void {
    const choice = chooseSync(learner.lastLogged, this.#applied(), this.#committedLog);
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
    const applied = this.#applied();
    const isThere = at.high === applied.high && at.low === applied.low;
    const isInMemory = isThere || this.#committedLog.floor(at.high, at.low) !== null;
    if (isInMemory) this.#finish(learner, at, nowMs);
    else this.#out.sayDurably({ kind: 'stream', link: learner.id, from: at });
  }

  /** In one step, so that nothing falls between what was sent and what will be forwarded (Z27). */
  #finish(learner: LearnerLink, from: ZxidPair, nowMs: number): void {
    this.#committedLog.forEachAfter(from.high, from.low, (range) => {
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
