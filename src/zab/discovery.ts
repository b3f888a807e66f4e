/**
 * Discovery: an epoch is found that nobody of a quorum has been in, and a quorum promises to follow
 * nobody in an older one. Paper: Zab, phase 1 of the leader.
 *
 *   discovery    CEPOCH of a quorum is awaited: the new epoch is above all of theirs
 *   promising    once the own promise (acceptedEpoch) is durable, the epoch is told (LEADERINFO), and
 *                ACKEPOCH of a quorum is awaited
 *   promised     the epoch becomes the own current one, on disk; then its history can be told
 *
 * Two rules keep what was committed. A promise counts that was made to this leader, by a server that
 * knows what it acknowledged (`promise.ts` says why). And who knows more than this leader is not led
 * by it. Whoever comes after the quorum goes the same way, into the epoch that there is.
 */
import { assert, present } from '../base/assert.js';
import type { Broadcast } from './broadcast.js';
import { isAbove } from './committed-log.js';
import type { LeaderOptions } from './leader-options.js';
import type { LearnerLink } from './learner-link.js';
import type { LearnerLinks } from './learner-links.js';
import type { Outbox } from './outbox.js';
import { hasHistory, isEverybody } from './promise.js';
import { nothingToPersist, type Persist } from './ready.js';
import type { ZxidPair } from './sync-choice.js';

type Phase = 'discovery' | 'promising' | 'promised' | 'over';

export class Discovery {
  readonly #options: LeaderOptions;
  readonly #links: LearnerLinks;
  readonly #broadcast: Broadcast;
  readonly #out: Outbox;
  #phase: Phase = 'discovery';
  #phaseStartedMs: number;
  #epoch = 0;
  /** Epoch files to be written: not taken yet. */
  #persist: Persist | null = null;
  /** They are to be written, or are being: nothing that depends on them has been said. */
  #isPersisting = false;

  constructor(
    options: LeaderOptions,
    parts: { readonly links: LearnerLinks; readonly broadcast: Broadcast; readonly out: Outbox },
  ) {
    this.#options = options;
    this.#links = parts.links;
    this.#broadcast = parts.broadcast;
    this.#out = parts.out;
    this.#phaseStartedMs = options.nowMs;
    this.#tryEpoch(options.nowMs);
  }

  /** 0 until a quorum has been heard. */
  get epoch(): number {
    return this.#epoch;
  }

  /** What a quorum is waited for; 'over': the epoch is promised and current, or the role has ended. */
  get phase(): Phase {
    return this.#phase;
  }

  /** No quorum in time. */
  isLate(nowMs: number): boolean {
    const { discoveryLimitMs, initLimit, tickMs } = this.#options;
    return nowMs - this.#phaseStartedMs >= (discoveryLimitMs ?? initLimit * tickMs);
  }

  /** It has said who it is and what it has promised. */
  onLearnerInfo(learner: LearnerLink, nowMs: number): void {
    if (this.#phase === 'discovery') this.#tryEpoch(nowMs);
    else if (!this.#isPersisting) this.tellEpoch(learner);
  }

  /** The epoch is durable here. */
  tellEpoch(learner: LearnerLink): void {
    learner.phase = 'promising';
    this.#out.sayDurably({ kind: 'leaderInfo', link: learner.id, epoch: this.#epoch });
  }

  /**
   * True: it will follow. `currentEpoch` -1: it had accepted this epoch before, perhaps from another
   * leader, so its word is no promise.
   */
  onAckEpoch(
    learner: LearnerLink,
    currentEpoch: number,
    lastLogged: ZxidPair,
    nowMs: number,
  ): boolean {
    if (learner.phase !== 'promising') {
      this.#links.drop(learner, 'ACKEPOCH out of turn');
      return false;
    }
    learner.lastLogged = lastLogged;
    // once this epoch has begun its history is what counts, however far the learner's tail reaches
    const isOpen = this.#phase === 'promising';
    if (isOpen && currentEpoch !== -1 && this.#isAhead(currentEpoch, lastLogged)) {
      this.#links.drop(learner, 'it knows more than this leader');
      return false;
    }
    learner.phase = 'promised';
    learner.hasPromised = currentEpoch !== -1;
    learner.hasHistory = hasHistory(currentEpoch, lastLogged);
    if (isOpen) this.#tryPromises(nowMs);
    return true;
  }

  #isAhead(currentEpoch: number, { high, low }: ZxidPair): boolean {
    const { currentEpoch: ours, lastLogged: own } = this.#options;
    return currentEpoch > ours || (currentEpoch === ours && isAbove(high, low, own.high, own.low));
  }

  /** What a quorum is may have changed: by an oracle. */
  tryAgain(nowMs: number): void {
    if (this.#phase === 'discovery') this.#tryEpoch(nowMs);
    else if (this.#phase === 'promising') this.#tryPromises(nowMs);
  }

  /** CEPOCH of a quorum: the new epoch is above all of theirs. */
  #tryEpoch(nowMs: number): void {
    if (!this.#broadcast.isQuorum(() => true)) return;
    let epoch = this.#options.acceptedEpoch;
    for (const learner of this.#links) {
      const { acceptedEpoch } = learner;
      if (this.#broadcast.hasVoice(learner) && acceptedEpoch > epoch) epoch = acceptedEpoch;
    }
    this.#epoch = epoch + 1;
    this.#enter('promising', nowMs);
    this.#write({ ...nothingToPersist, acceptedEpoch: this.#epoch });
  }

  /** ACKEPOCH of a quorum: nobody of it will follow an older leader any more. */
  #tryPromises(nowMs: number): void {
    // its own promise is not durable
    if (this.#isPersisting) return;
    const { sid, quorums, hasHistory: knows = true, isBeginning = false } = this.#options;
    const promised = [...this.#links].filter(
      (one) => this.#broadcast.hasVoice(one) && one.hasPromised,
    );
    const known = promised.filter((one) => one.hasHistory || isBeginning);
    const isKnown =
      (knows || isBeginning) && this.#broadcast.isQuorum((one) => known.includes(one));
    if (!isKnown && !isEverybody(quorums(), [sid, ...promised.map((one) => one.sid)])) return;
    this.#enter('promised', nowMs);
    this.#write({ ...nothingToPersist, beginEpoch: this.#epoch, finishEpoch: true });
  }

  // ------------------------------------------------------------------ the disk

  #write(persist: Persist): void {
    assert(!this.#isPersisting, 'one after the other');
    this.#persist = persist;
    this.#isPersisting = true;
  }

  /** Epoch files are to be written, or are being. */
  get isPersisting(): boolean {
    return this.#isPersisting;
  }

  get mustPersist(): boolean {
    return this.#persist !== null;
  }

  /** Answered by `persisted`. */
  takePersist(): Persist {
    const persist = present(this.#persist, 'there is something to persist');
    this.#persist = null;
    return persist;
  }

  persisted(nowMs: number): void {
    this.#isPersisting = false;
    if (this.#phase === 'promising') {
      for (const learner of this.#links) if (learner.phase === 'info') this.tellEpoch(learner);
      this.#tryPromises(nowMs);
    } else if (this.#phase === 'promised') this.#phase = 'over';
  }

  /** The role is over: nobody is promised anything any more. */
  close(): void {
    this.#phase = 'over';
  }

  #enter(phase: Phase, nowMs: number): void {
    this.#phase = phase;
    this.#phaseStartedMs = nowMs;
  }
}
