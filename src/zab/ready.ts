/**
 * What a turn of the protocol wants done, in the order in which it must be done. Persist, then
 * speak: nothing is acknowledged, counted, advertised or applied before it is durable here, and the
 * order of the fields below is the order of execution, in one place (`server/replica.ts`).
 *
 *   stop → messages → persist → rebase → messagesAfterPersist → committed → results → start
 *
 * A standalone server has nobody to talk to, so only `persist` and `committed` carry anything; the
 * message fields come with the ensemble. Several Readys may be in flight: each is answered by
 * `persisted(seq)` when its bytes are durable.
 */
import type { TxnBatch } from '../protocol/txn-batch.js';

/** A run of transactions, both ends included, by position in the history of this process. */
export interface CommittedRange {
  /** The batch that holds them; it is this server's until `applied` was told its last one. */
  readonly batch: TxnBatch;
  /** Index of the first and one past the last of them in the batch. */
  readonly from: number;
  readonly to: number;
}

export interface Ready {
  readonly seq: number;
  /** To be appended to the log and made durable as a whole; null when there is nothing new. */
  readonly persist: TxnBatch | null;
  /** To be applied in order; never beyond what is durable here. */
  readonly committed: CommittedRange | null;
}
