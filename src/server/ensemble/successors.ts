/**
 * To whom a leader could hand over, and when it should by itself: to a server with a higher priority
 * that has caught up, or, where leadership rotates, to the next one after a while.
 */
import { Capability, hasCapability, type PeerExtension } from '../../protocol/peer/extension.js';
import type { LearnerLink } from '../../zab/learner-link.js';

export interface SuccessorOptions {
  readonly sid: number;
  /** Of this server. */
  readonly priority: number;
  /** Leadership goes on to the next server after so long; 0: it does not. */
  readonly rotationMs: number;
  /** Who was synchronised a moment ago may be gone in the next: so long it must have followed. */
  readonly probationMs: number;
  readonly nowMs: number;
}

/** A learner, and what it said of itself beyond Apache's protocol. */
export interface KnownLearner {
  readonly learner: LearnerLink;
  readonly extension: PeerExtension | null;
}

export class Successors {
  readonly #options: SuccessorOptions;
  /** Since when each server has followed without a break. */
  readonly #since = new Map<number, number>();

  constructor(options: SuccessorOptions) {
    this.#options = options;
  }

  /**
   * Who may lead next, the best first: by priority, then by how far it has come, then by number.
   * Empty when somebody there would not understand.
   */
  candidates(known: readonly KnownLearner[]): number[] {
    if (known.some(({ extension }) => !hasCapability(extension, Capability.handOver))) return [];
    const priorityOf = ({ extension }: KnownLearner): number => extension?.priority ?? 0;
    return known
      .filter(({ learner }) => learner.phase === 'active' && !learner.isObserver)
      .sort(
        (a, b) =>
          priorityOf(b) - priorityOf(a) ||
          b.learner.ackedLow - a.learner.ackedLow ||
          b.learner.sid - a.learner.sid,
      )
      .map(({ learner }) => learner.sid);
  }

  /** Who should lead now instead of this server; null: nobody. */
  wanted(known: readonly KnownLearner[], nowMs: number): number | null {
    const { sid, priority, rotationMs, nowMs: startedMs } = this.#options;
    this.#note(known, nowMs);
    const proven = this.candidates(known).filter((one) => this.#isProven(one, nowMs));
    const [best] = proven;
    if (best === undefined) return null;
    const isBetter = known.some(
      ({ learner, extension }) => learner.sid === best && (extension?.priority ?? 0) > priority,
    );
    if (isBetter) return best;
    if (rotationMs === 0 || nowMs - startedMs < rotationMs) return null;
    const inOrder = [...proven].sort((a, b) => a - b);
    return inOrder.find((one) => one > sid) ?? inOrder[0] ?? null;
  }

  #note(known: readonly KnownLearner[], nowMs: number): void {
    const active = new Set<number>();
    for (const { learner } of known) if (learner.phase === 'active') active.add(learner.sid);
    for (const sid of this.#since.keys()) if (!active.has(sid)) this.#since.delete(sid);
    for (const sid of active) if (!this.#since.has(sid)) this.#since.set(sid, nowMs);
  }

  #isProven(sid: number, nowMs: number): boolean {
    const since = this.#since.get(sid);
    return since !== undefined && nowMs - since >= this.#options.probationMs;
  }
}
