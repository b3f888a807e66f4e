/**
 * What a member of an ensemble counts from its start to its stop, role after role: how often and how
 * long it looked for a leader, how long its clients were not served.
 */
import type { RoleName } from '../../zab/ready.js';
import { ProcessFigures } from '../process-figures.js';

export class MemberFigures {
  readonly process = new ProcessFigures();
  /** Monotonic; null: it does not look. */
  #lookingSinceMs: number | null = null;
  #enteredMs = 0;
  /** Null: clients are served. */
  #unavailableSinceMs: number | null;

  constructor(nowMs: number) {
    this.#unavailableSinceMs = nowMs;
  }

  /** The search for a leader begins. */
  looking(nowMs: number): void {
    this.process.metrics.lookingCount.value++;
    this.#lookingSinceMs = nowMs;
    this.#unavailableSinceMs ??= nowMs;
  }

  entered(role: RoleName, nowMs: number): void {
    this.#enteredMs = nowMs;
    this.#unavailableSinceMs ??= nowMs;
    const sinceMs = this.#lookingSinceMs;
    this.#lookingSinceMs = null;
    // observers take no part in it
    if (sinceMs !== null && role !== 'observing') {
      this.process.metrics.electionTime.add(nowMs - sinceMs);
    }
  }

  /** Clients are served from now on. */
  serving(role: RoleName, nowMs: number): void {
    const { metrics } = this.process;
    const sinceMs = this.#unavailableSinceMs;
    this.#unavailableSinceMs = null;
    if (sinceMs !== null) {
      metrics.unavailableTime.add(nowMs - sinceMs);
      if (role === 'leading') metrics.leaderUnavailableTime.add(nowMs - sinceMs);
    }
    if (role === 'following') metrics.followerSyncTime.add(nowMs - this.#enteredMs);
    if (role === 'observing') metrics.observerSyncTime.add(nowMs - this.#enteredMs);
  }

  /** A client came and went while nobody was served. */
  turnedAway(): void {
    this.process.metrics.connectionClosedWithoutServerRunning.value++;
  }
}
