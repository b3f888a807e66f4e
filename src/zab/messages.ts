/**
 * What a role says to the other end of a link, as data. A message may name many links and many
 * transactions at once, so that the hot path makes one object a batch; who sends it makes packets of
 * it. Two kinds, told apart by type and not by care: those that may leave while the disk still
 * writes, and those that advertise, acknowledge or count something and therefore may not.
 */
import type { TxnBatch } from '../protocol/txn-batch.js';
import type { Succession } from './succession.js';
import type { SyncChoice, ZxidPair } from './sync-choice.js';

/** A connection on the quorum port, numbered by whoever holds the connections; never used again. */
export type LinkId = number;

export type EagerMessage =
  /** Leader to followers: records [from, to) of the batch, in order. */
  | {
      readonly kind: 'propose';
      readonly links: readonly LinkId[];
      readonly batch: TxnBatch;
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: 'ping'; readonly links: readonly LinkId[]; readonly zxid: ZxidPair }
  /** Learner to leader: as it came, with the sessions that were heard. */
  | { readonly kind: 'pong'; readonly link: LinkId; readonly zxid: ZxidPair }
  /** Nothing more is said or heard there. */
  | { readonly kind: 'close'; readonly link: LinkId; readonly reason: string };

export type AfterPersistMessage =
  // ---- learner to leader
  | {
      readonly kind: 'learnerInfo';
      readonly link: LinkId;
      readonly isObserver: boolean;
      readonly acceptedEpoch: number;
    }
  /** `currentEpoch` -1: that epoch had been accepted before, so this is no new promise. */
  | {
      readonly kind: 'ackEpoch';
      readonly link: LinkId;
      readonly currentEpoch: number;
      readonly lastLogged: ZxidPair;
    }
  /** Acknowledges (high, low): NEWLEADER and UPTODATE by (epoch, 0). */
  | { readonly kind: 'ackEpochStart'; readonly link: LinkId; readonly epoch: number }
  /** One acknowledgement for each counter, both ends included. */
  | {
      readonly kind: 'ack';
      readonly link: LinkId;
      readonly epoch: number;
      readonly fromLow: number;
      readonly toLow: number;
    }
  // ---- leader to learners
  | { readonly kind: 'leaderInfo'; readonly link: LinkId; readonly epoch: number }
  /** How the learner is brought up to date begins with this: DIFF, TRUNC or SNAP. */
  | { readonly kind: 'sync'; readonly link: LinkId; readonly choice: SyncChoice }
  /** Too far back for memory: committed history after `from` is read from the disk and sent. */
  | { readonly kind: 'stream'; readonly link: LinkId; readonly from: ZxidPair }
  /** Committed history: each record as PROPOSAL and COMMIT. */
  | {
      readonly kind: 'history';
      readonly link: LinkId;
      readonly batch: TxnBatch;
      readonly from: number;
      readonly to: number;
    }
  /** Outstanding proposals for a learner that has just come up to date. */
  | {
      readonly kind: 'outstanding';
      readonly link: LinkId;
      readonly batch: TxnBatch;
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: 'newLeader'; readonly link: LinkId; readonly epoch: number }
  | { readonly kind: 'upToDate'; readonly link: LinkId }
  /** This epoch is over, and who leads next is known. */
  | {
      readonly kind: 'handOver';
      readonly links: readonly LinkId[];
      readonly succession: Succession;
    }
  /** To followers: records [from, to) are committed, one COMMIT each. */
  | {
      readonly kind: 'commit';
      readonly links: readonly LinkId[];
      readonly batch: TxnBatch;
      readonly from: number;
      readonly to: number;
    }
  /** The oldest sync that came from there is answered: between commits, in its place. */
  | { readonly kind: 'synced'; readonly link: LinkId }
  /** To observers: the same with the records themselves. */
  | {
      readonly kind: 'inform';
      readonly links: readonly LinkId[];
      readonly batch: TxnBatch;
      readonly from: number;
      readonly to: number;
    }
  /** The one record brings a configuration, which is in force now; `leader` leads in it. */
  | {
      readonly kind: 'commitAndActivate' | 'informAndActivate';
      readonly links: readonly LinkId[];
      readonly batch: TxnBatch;
      readonly from: number;
      readonly to: number;
      readonly leader: number;
    };
