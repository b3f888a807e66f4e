/** What an election is told and what comes of it: the words that it shares with its surroundings. */
import type { Notification } from '../protocol/peer/notification.js';
import type { Zxid } from '../protocol/zxid.js';
import type { Quorum } from './quorum.js';
import type { RoleName } from './ready.js';
import type { Vote } from './vote.js';

export interface ElectionOptions {
  readonly sid: number;
  /** What this server becomes when another leads. */
  learnerRole(): 'following' | 'observing';
  /** All that must agree, the one in force first. Whoever is in none of them only listens. */
  quorums(): readonly Quorum[];
  /** Of the configuration in force: sent with each vote. */
  configText(): string;
  /** Null: this is no configuration. */
  configVersionOf(text: string): bigint | null;
  /** From the agreement of a quorum to the decision, in case somebody better speaks up. */
  readonly finalizeWaitMs?: number;
  /** Between repeats of a vote: at first, and after doubling. */
  readonly minNotificationIntervalMs?: number;
  readonly maxNotificationIntervalMs?: number;
}

export interface ElectionOutcome {
  readonly role: RoleName;
  readonly leader: number;
  readonly vote: Vote;
}

export interface ElectionMessage {
  readonly to: number;
  readonly notification: Notification;
}

/** What is on this server's disk. */
export interface OwnHistory {
  readonly zxid: Zxid;
  readonly peerEpoch: number;
  /** It may have lost what it once acknowledged: no base for a vote. Left out: it has not. */
  readonly isBlank?: boolean;
  /**
   * Until then a server that votes in the configuration that is proposed, and not in the one in force,
   * votes for itself: it has been refused because it knows more than who led. Left out: it does not.
   */
  readonly standsUntilMs?: number;
}
