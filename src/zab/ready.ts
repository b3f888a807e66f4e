/**
 * What a turn of the protocol wants done, in the order in which it must be done. Persist, then
 * speak: nothing is acknowledged, counted, advertised or applied before it is durable here, and the
 * order of the fields below is the order of execution, in one place.
 *
 *   stop → messages → persist → rebase → messagesAfterPersist → committed → results → start
 *
 * Several Readys may be in flight: each that persists is answered by `persisted(seq)` when all of it
 * is durable, in order. A role hands out the next one only when it needs nothing of the one before.
 */
import type { TxnBatch } from '../protocol/txn-batch.js';
import type { TxnRange } from './committed-log.js';
import type { AfterPersistMessage, EagerMessage } from './messages.js';

/** A run of transactions to be applied in order. Its batch stays as it is until `applied`. */
export type CommittedRange = TxnRange;

/** To be made durable as a whole, in the order of the fields. */
export interface Persist {
  /** Epoch files: the epoch that this server has promised. */
  readonly acceptedEpoch: number | null;
  /** The history of that epoch begins to be written: currentEpoch.tmp, so that a crash finds it. */
  readonly beginEpoch: number | null;
  /** Everything after it goes from the log, and snapshots newer than it. */
  readonly truncateTo: { readonly high: number; readonly low: number } | null;
  /** The snapshot that was received is taken over instead of all that was here. */
  readonly install: boolean;
  readonly batch: TxnBatch | null;
  /** The epoch begun is the current one. */
  readonly finishEpoch: boolean;
  /**
   * The configuration seen last, before the records: a restart knows that it was proposed. Or, after
   * everything else, the same as the one in force: a restart begins with it.
   */
  readonly config: 'seen' | 'inForce' | null;
}

export type RoleName = 'leading' | 'following' | 'observing';

/** Answers to what the server asked its role, and what it must know in their order. */
export type Result =
  /** A quorum has heard from this leader since the sync was asked for. */
  | { readonly kind: 'synced'; readonly token: number }
  /** The configuration that came with the transaction is in force, and this is who leads in it. */
  | {
      readonly kind: 'activated';
      readonly high: number;
      readonly low: number;
      readonly leader: number;
    };

export interface Ready {
  readonly seq: number;
  /** The role is over, for this reason: back to the election. Nothing else follows it. */
  readonly stop: string | null;
  /** The only kinds that may overtake the disk. */
  readonly messages: readonly EagerMessage[];
  readonly persist: Persist | null;
  /** The tree follows the disk before anything is applied. */
  readonly rebase: 'reload' | 'install' | null;
  readonly messagesAfterPersist: readonly AfterPersistMessage[];
  /** Never beyond what is durable here. */
  readonly committed: readonly CommittedRange[];
  readonly results: readonly Result[];
  /** Clients may be served from here on. */
  readonly start: RoleName | null;
}

export const nothingToPersist: Persist = {
  acceptedEpoch: null,
  beginEpoch: null,
  truncateTo: null,
  install: false,
  batch: null,
  finishEpoch: false,
  config: null,
};

/** Only records to append: what nearly every Ready that persists has. */
export function persistBatch(batch: TxnBatch): Persist {
  return { ...nothingToPersist, batch };
}
