/**
 * Contact of an established leader with its learners: it pings them twice a tick, drops who has not
 * been heard for too long, and knows by who is left whether a quorum follows. Without one nothing more
 * is committed here, and somebody else may be leading by now; so it must not go on as if it led.
 */
import type { Broadcast } from './broadcast.js';
import type { LeaderOptions } from './leader-options.js';
import type { LearnerLinks } from './learner-links.js';
import type { LinkId } from './messages.js';

export class Contact {
  readonly #options: LeaderOptions;
  readonly #links: LearnerLinks;
  readonly #broadcast: Broadcast;
  #lastPingMs: number;

  constructor(
    options: LeaderOptions,
    parts: { readonly links: LearnerLinks; readonly broadcast: Broadcast },
  ) {
    this.#options = options;
    this.#links = parts.links;
    this.#broadcast = parts.broadcast;
    this.#lastPingMs = options.nowMs;
  }

  /** The epoch is established. */
  begin(nowMs: number): void {
    this.#lastPingMs = nowMs;
  }

  get nextPingMs(): number {
    return this.#lastPingMs + this.#options.tickMs / 2;
  }

  isPingDue(nowMs: number): boolean {
    return nowMs - this.#lastPingMs >= this.#options.tickMs / 2;
  }

  /** A quorum is up to date and hears of what is proposed. */
  get isFollowed(): boolean {
    return this.#broadcast.isQuorum((learner) => learner.phase === 'active');
  }

  /** Whoever is being brought up to date may be silent for longer; so may everybody, before that. */
  dropSilent(nowMs: number): void {
    const { tickMs, initLimit, syncLimit } = this.#options;
    for (const learner of [...this.#links]) {
      const limit = learner.phase === 'active' ? syncLimit : initLimit;
      if (nowMs - learner.lastHeardMs > limit * tickMs) {
        this.#links.drop(learner, 'it has not been heard for too long');
      }
    }
  }

  ping(nowMs: number): void {
    this.#lastPingMs = nowMs;
    const links: LinkId[] = [];
    for (const learner of this.#links) {
      if (!learner.isForwarding) continue;
      if (learner.phase === 'active') learner.pingsSent++;
      links.push(learner.id);
    }
    this.#broadcast.ping(links);
  }
}
