/** What a leader is told when it begins: the words that it shares with its surroundings. */
import type { CommittedLog } from './committed-log.js';
import type { Quorum } from './quorum.js';
import type { ZxidPair } from './sync-choice.js';

export interface LeaderOptions {
  readonly sid: number;
  readonly tickMs: number;
  /** In ticks. */
  readonly initLimit: number;
  readonly syncLimit: number;
  /** As they are on this server's disk. */
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** The end of the own log, all of it durable and applied. */
  readonly lastLogged: ZxidPair;
  /** What is on this server's disk was whole here once. Left out: it was. */
  readonly hasHistory?: boolean;
  /** An operator says that the ensemble is new: nobody without history has lost any. */
  readonly isBeginning?: boolean;
  readonly committedLog: CommittedLog;
  /** All that must agree: one, or two while a reconfiguration is under way. */
  readonly quorums: () => readonly Quorum[];
  /** How long a quorum may take to promise the epoch; initLimit when it is left out. */
  readonly discoveryLimitMs?: number;
  /** How many batches may be on their way to the disk at once; one when it is left out. */
  readonly flushesMax?: () => number;
  readonly nowMs: number;
}
