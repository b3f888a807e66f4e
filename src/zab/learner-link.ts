/**
 * What a leader knows of one learner's connection. Acknowledgements belong to the connection, not to
 * the server behind it: when it ends they end with it, because a server that comes back may have cut
 * off what it had acknowledged.
 */
import type { LinkId } from './messages.js';
import type { ZxidPair } from './sync-choice.js';

export type LearnerPhase =
  /** Has said who it is; waits for the new epoch. */
  | 'info'
  /** Has been told the epoch; its promise is awaited. */
  | 'promising'
  /** Has promised; waits for a quorum of promises. */
  | 'promised'
  /** History is on its way, from the disk or as a snapshot. */
  | 'streaming'
  /** Has all of the history up to now, and hears of everything new; NEWLEADER is unanswered. */
  | 'synchronised'
  /** Has acknowledged NEWLEADER; waits for a quorum of those. */
  | 'acknowledged'
  | 'active';

/** What a learner says of itself when it comes. */
export interface LearnerSelf {
  readonly sid: number;
  readonly isObserver: boolean;
  readonly acceptedEpoch: number;
  /** Left out: it is not. */
  readonly isApache?: boolean;
}

export class LearnerLink {
  readonly id: LinkId;
  readonly sid: number;
  /** By its own word: what it is sent, and what it says, is an observer's. */
  readonly isObserver: boolean;
  /** What it acknowledges is on its disk only if it came as a snapshot: it logs nothing before. */
  readonly logsLate: boolean;
  readonly acceptedEpoch: number;
  phase: LearnerPhase = 'info';
  /** Not to follow older leaders, on this connection and to this leader. */
  hasPromised = false;
  /** It knows what it has acknowledged: it is neither new nor was it emptied. */
  hasHistory = false;
  /** The end of its log, as it promised. */
  lastLogged: ZxidPair = { high: 0, low: 0 };
  /** Counter of the last proposal of this epoch that is durable there. */
  ackedLow = 0;
  /** What was committed of this epoch when forwarding began: its, once it has acknowledged NEWLEADER. */
  syncedLow = 0;
  lastHeardMs: number;
  /** Pings sent after it became active, and echoed. */
  pingsSent = 0;
  pingsEchoed = 0;

  constructor(id: LinkId, given: LearnerSelf, nowMs: number) {
    this.id = id;
    this.sid = given.sid;
    this.isObserver = given.isObserver;
    this.logsLate = given.isObserver && given.isApache === true;
    this.acceptedEpoch = given.acceptedEpoch;
    this.lastHeardMs = nowMs;
  }

  /** All proposals of this epoch up to there are durable on it. */
  has(low: number): boolean {
    return this.phase === 'active' && Math.max(this.ackedLow, this.syncedLow) >= low;
  }

  /** It gets proposals as they are made. */
  get isForwarding(): boolean {
    return (
      this.phase === 'synchronised' || this.phase === 'acknowledged' || this.phase === 'active'
    );
  }
}
