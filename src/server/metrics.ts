/**
 * Every figure that Apache 3.9.5 keeps, by its name, in the order in which its `mntr` prints them
 * (that of a hash table: it has no meaning, but dashboards and diffs are used to it), and behind them
 * those that only Zabra has. The order of the fields below is that order. A figure of a part that
 * does not exist on this server (other servers, thread pools, TLS) stays 0, as it does on a
 * standalone Apache.
 *
 * Whoever has something to count adds to a field: `metrics.fsyncTimeMs.add(3)`,
 * `metrics.bytesReceivedCount.value += length`. Gauges are not here: they are asked from the server
 * when somebody looks (commands/monitor.ts).
 */
import {
  Counter,
  CounterFamily,
  PercentileFamily,
  PercentileSummary,
  Summary,
  SummaryFamily,
} from './metric.js';
import type { MetricEntry } from './metric.js';

/** One that Apache has not: it is shown once there is something to show. */
class OwnCounter extends Counter {
  override *entries(): Generator<MetricEntry> {
    if (this.value > 0) yield* super.entries();
  }
}

interface Metric {
  reset(): void;
  entries(): Iterable<MetricEntry>;
}

export class ServerMetrics {
  readonly #all: Metric[] = [];

  /** To clients, watch events. */
  readonly watchBytes = this.#add(new Counter('watch_bytes'));
  readonly staleRequestsDropped = this.#add(new Counter('stale_requests_dropped'));
  /** Requests answered THROTTLEDOP. */
  readonly throttledOps = this.#add(new Counter('throttled_ops'));
  readonly insecureAdminCount = this.#add(new Counter('insecure_admin_count'));
  /** Refused by the connection throttle or a limit on connections. */
  readonly connectionRejected = this.#add(new Counter('connection_rejected'));
  /** Connections that never sent a connect request. */
  readonly sessionlessConnectionsExpired = this.#add(
    new Counter('sessionless_connections_expired'),
  );
  readonly deadWatchersQueued = this.#add(new Counter('dead_watchers_queued'));
  readonly staleRequests = this.#add(new Counter('stale_requests'));
  /** Connections closed by this server or lost. */
  readonly connectionDropCount = this.#add(new Counter('connection_drop_count'));
  readonly responsePacketCacheHits = this.#add(new Counter('response_packet_cache_hits'));
  /** From clients. */
  readonly bytesReceivedCount = this.#add(new Counter('bytes_received_count'));
  readonly addDeadWatcherStallTime = this.#add(new Counter('add_dead_watcher_stall_time'));
  readonly requestThrottleWaitCount = this.#add(new Counter('request_throttle_wait_count'));
  readonly requestsNotForwardedToCommitProcessor = this.#add(
    new Counter('requests_not_forwarded_to_commit_processor'),
  );
  readonly responsePacketCacheMisses = this.#add(new Counter('response_packet_cache_misses'));
  /** Requests prepared. */
  readonly prepProcessorRequestQueued = this.#add(new Counter('prep_processor_request_queued'));
  readonly staleReplies = this.#add(new Counter('stale_replies'));
  /** To clients, replies. */
  readonly responseBytes = this.#add(new Counter('response_bytes'));
  readonly ensembleAuthFail = this.#add(new Counter('ensemble_auth_fail'));
  readonly diffCount = this.#add(new Counter('diff_count'));
  readonly connectionRevalidateCount = this.#add(new Counter('connection_revalidate_count'));
  readonly quitLeadingDueToDisloyalVoter = this.#add(
    new Counter('quit_leading_due_to_disloyal_voter'),
  );
  /** Errors that end the process. */
  readonly unrecoverableErrorCount = this.#add(new Counter('unrecoverable_error_count'));
  readonly unsuccessfulHandshake = this.#add(new Counter('unsuccessful_handshake'));
  readonly commitCount = this.#add(new Counter('commit_count'));
  /** Changes proposed and not yet applied: added, and removed. */
  readonly outstandingChangesQueued = this.#add(new Counter('outstanding_changes_queued'));
  readonly requestCommitQueued = this.#add(new Counter('request_commit_queued'));
  readonly ensembleAuthSkip = this.#add(new Counter('ensemble_auth_skip'));
  readonly skipLearnerRequestToNextProcessorCount = this.#add(
    new Counter('skip_learner_request_to_next_processor_count'),
  );
  readonly proposalCount = this.#add(new Counter('proposal_count'));
  /** Beyond largeRequestMaxBytes. */
  readonly largeRequestsRejected = this.#add(new Counter('large_requests_rejected'));
  readonly outstandingChangesRemoved = this.#add(new Counter('outstanding_changes_removed'));
  readonly restoreErrorCount = this.#add(new Counter('restore_error_count'));
  readonly connectionClosedWithoutServerRunning = this.#add(
    new Counter('cnxn_closed_without_zk_server_running'),
  );
  readonly lookingCount = this.#add(new Counter('looking_count'));
  readonly snapshotRateLimitedCount = this.#add(new Counter('snapshot_rate_limited_count'));
  readonly learnerProposalReceivedCount = this.#add(new Counter('learner_proposal_received_count'));
  /** The tree differs from what a transaction's digest says. */
  readonly digestMismatchesCount = this.#add(new Counter('digest_mismatches_count'));
  readonly deadWatchersCleared = this.#add(new Counter('dead_watchers_cleared'));
  readonly ensembleAuthSuccess = this.#add(new Counter('ensemble_auth_success'));
  readonly learnerCommitReceivedCount = this.#add(new Counter('learner_commit_received_count'));
  /** Snapshots that failed. */
  readonly snapshotErrorCount = this.#add(new Counter('snapshot_error_count'));
  /** Connect requests. */
  readonly connectionRequestCount = this.#add(new Counter('connection_request_count'));
  readonly responsePacketGetChildrenCacheMisses = this.#add(
    new Counter('response_packet_get_children_cache_misses'),
  );
  readonly snapCount = this.#add(new Counter('snap_count'));
  /** Sessions that expired. */
  readonly staleSessionsExpired = this.#add(new Counter('stale_sessions_expired'));
  readonly restoreRateLimitedCount = this.#add(new Counter('restore_rate_limited_count'));
  readonly responsePacketGetChildrenCacheHits = this.#add(
    new Counter('response_packet_get_children_cache_hits'),
  );
  /** Transactions appended to the log. */
  readonly syncProcessorRequestQueued = this.#add(new Counter('sync_processor_request_queued'));
  readonly tlsHandshakeExceeded = this.#add(new Counter('tls_handshake_exceeded'));
  readonly revalidateCount = this.#add(new Counter('revalidate_count'));

  /** Writes refused by a hard quota, by the first element of the path. */
  readonly quotaExceededErrorPerNamespace = this.#add(
    new CounterFamily('quota_exceeded_error_per_namespace'),
  );

  readonly socketClosingTime = this.#add(new Summary('socket_closing_time'));
  readonly proposalProcessTime = this.#add(new Summary('proposal_process_time'));
  readonly leaderUnavailableTime = this.#add(new Summary('leader_unavailable_time'));
  /** Watchers fired by one change, and likewise below. */
  readonly nodeCreatedWatchCount = this.#add(new Summary('node_created_watch_count'));
  readonly sessionQueuesDrained = this.#add(new Summary('session_queues_drained'));
  readonly writeCommitProcReqQueued = this.#add(new Summary('write_commit_proc_req_queued'));
  readonly connectionTokenDeficit = this.#add(new Summary('connection_token_deficit'));
  readonly readCommitProcReqQueued = this.#add(new Summary('read_commit_proc_req_queued'));
  readonly nodeDeletedWatchCount = this.#add(new Summary('node_deleted_watch_count'));
  readonly startupTxnsLoadTime = this.#add(new Summary('startup_txns_load_time'));
  readonly syncProcessorQueueSize = this.#add(new Summary('sync_processor_queue_size'));
  readonly followerSyncTime = this.#add(new Summary('follower_sync_time'));
  readonly prepProcessorQueueSize = this.#add(new Summary('prep_processor_queue_size'));
  /** One flush of the log. */
  readonly fsyncTimeMs = this.#add(new Summary('fsynctime'));
  readonly inflightSnapCount = this.#add(new Summary('inflight_snap_count'));
  readonly readsIssuedFromSessionQueue = this.#add(new Summary('reads_issued_from_session_queue'));
  readonly restoreTime = this.#add(new Summary('restore_time'));
  readonly learnerRequestProcessorQueueSize = this.#add(
    new Summary('learner_request_processor_queue_size'),
  );
  /** Writing one snapshot. */
  readonly snapshotTimeMs = this.#add(new Summary('snapshottime'));
  readonly unavailableTime = this.#add(new Summary('unavailable_time'));
  /** Transactions replayed at start. */
  readonly startupTxnsLoaded = this.#add(new Summary('startup_txns_loaded'));
  readonly readsAfterWriteInSessionQueue = this.#add(
    new Summary('reads_after_write_in_session_queue'),
  );
  readonly requestsInSessionQueue = this.#add(new Summary('requests_in_session_queue'));
  readonly writeCommitProcIssued = this.#add(new Summary('write_commit_proc_issued'));
  readonly prepProcessTime = this.#add(new Summary('prep_process_time'));
  readonly pendingSessionQueueSize = this.#add(new Summary('pending_session_queue_size'));
  readonly timeWaitingEmptyPoolInCommitProcessorReadMs = this.#add(
    new Summary('time_waiting_empty_pool_in_commit_processor_read_ms'),
  );
  readonly commitProcessTime = this.#add(new Summary('commit_process_time'));
  /** Recovery: snapshot and log. */
  readonly dbInitTimeMs = this.#add(new Summary('dbinittime'));
  readonly inflightDiffCount = this.#add(new Summary('inflight_diff_count'));
  readonly nettyQueuedBufferCapacity = this.#add(new Summary('netty_queued_buffer_capacity'));
  readonly electionTime = this.#add(new Summary('election_time'));
  readonly commitCommitProcReqQueued = this.#add(new Summary('commit_commit_proc_req_queued'));
  /** Transactions per flush of the log. */
  readonly syncProcessorBatchSize = this.#add(new Summary('sync_processor_batch_size'));
  readonly nodeChildrenWatchCount = this.#add(new Summary('node_children_watch_count'));
  readonly writeBatchTimeInCommitProcessor = this.#add(
    new Summary('write_batch_time_in_commit_processor'),
  );
  readonly readCommitProcIssued = this.#add(new Summary('read_commit_proc_issued'));
  readonly concurrentRequestProcessingInCommitProcessor = this.#add(
    new Summary('concurrent_request_processing_in_commit_processor'),
  );
  readonly observerSyncTime = this.#add(new Summary('observer_sync_time'));
  readonly nodeChangedWatchCount = this.#add(new Summary('node_changed_watch_count'));
  readonly syncProcessTime = this.#add(new Summary('sync_process_time'));
  readonly startupSnapLoadTime = this.#add(new Summary('startup_snap_load_time'));

  readonly prepProcessorQueueTimeMs = this.#add(
    new PercentileSummary('prep_processor_queue_time_ms'),
  );
  /** Pauses of the event loop, where the pause monitor is on. */
  readonly jvmPauseTimeMs = this.#add(new PercentileSummary('jvm_pause_time_ms'));
  readonly closeSessionPrepTime = this.#add(new PercentileSummary('close_session_prep_time'));
  readonly readCommitprocTimeMs = this.#add(new PercentileSummary('read_commitproc_time_ms'));
  /** From reading a write to its reply. */
  readonly updateLatencyMs = this.#add(new PercentileSummary('updatelatency'));
  readonly localWriteCommittedTimeMs = this.#add(
    new PercentileSummary('local_write_committed_time_ms'),
  );
  readonly requestThrottleQueueTimeMs = this.#add(
    new PercentileSummary('request_throttle_queue_time_ms'),
  );
  /** From reading a read to its reply. */
  readonly readLatencyMs = this.#add(new PercentileSummary('readlatency'));
  readonly quorumAckLatency = this.#add(new PercentileSummary('quorum_ack_latency'));
  readonly omCommitProcessTimeMs = this.#add(new PercentileSummary('om_commit_process_time_ms'));
  readonly readFinalProcTimeMs = this.#add(new PercentileSummary('read_final_proc_time_ms'));
  readonly commitPropagationLatency = this.#add(
    new PercentileSummary('commit_propagation_latency'),
  );
  readonly deadWatchersCleanerLatency = this.#add(
    new PercentileSummary('dead_watchers_cleaner_latency'),
  );
  readonly writeFinalProcTimeMs = this.#add(new PercentileSummary('write_final_proc_time_ms'));
  readonly proposalAckCreationLatency = this.#add(
    new PercentileSummary('proposal_ack_creation_latency'),
  );
  readonly proposalLatency = this.#add(new PercentileSummary('proposal_latency'));
  readonly omProposalProcessTimeMs = this.#add(
    new PercentileSummary('om_proposal_process_time_ms'),
  );
  readonly syncProcessorQueueAndFlushTimeMs = this.#add(
    new PercentileSummary('sync_processor_queue_and_flush_time_ms'),
  );
  /** From a write's creation time to applying it. */
  readonly propagationLatency = this.#add(new PercentileSummary('propagation_latency'));
  readonly serverWriteCommittedTimeMs = this.#add(
    new PercentileSummary('server_write_committed_time_ms'),
  );
  readonly syncProcessorQueueTimeMs = this.#add(
    new PercentileSummary('sync_processor_queue_time_ms'),
  );
  /** One flush of the log, again. */
  readonly syncProcessorQueueFlushTimeMs = this.#add(
    new PercentileSummary('sync_processor_queue_flush_time_ms'),
  );
  readonly writeCommitprocTimeMs = this.#add(new PercentileSummary('write_commitproc_time_ms'));

  /** Packets for a learner that waited to leave together, by its number. */
  readonly learnerHandlerQpSize = this.#add(new SummaryFamily('learner_handler_qp_size'));
  /** Bytes of requests and replies, by the first element of the path. */
  readonly readPerNamespace = this.#add(new SummaryFamily('read_per_namespace'));
  readonly writePerNamespace = this.#add(new SummaryFamily('write_per_namespace'));
  /** How long they waited. */
  readonly learnerHandlerQpTimeMs = this.#add(new PercentileFamily('learner_handler_qp_time_ms'));
  /** From a proposal's creation to a server's acknowledgement, by its number. */
  readonly ackLatency = this.#add(new PercentileFamily('ack_latency'));

  // Sessions that go on here unnoticed (protocol/continuation.ts); Zabra's own.

  /** Clients that came after a later one. */
  readonly attachesSuperseded = this.#add(new OwnCounter('attaches_superseded'));
  /** Writes that were asked about, by what was known of them. */
  readonly fatesExecuted = this.#add(new OwnCounter('fates_executed'));
  readonly fatesNever = this.#add(new OwnCounter('fates_never'));
  readonly fatesUnknown = this.#add(new OwnCounter('fates_unknown'));
  /** Watches taken over with everything that they missed, and those that could not be. */
  readonly catchUpsCovered = this.#add(new OwnCounter('catch_ups_covered'));
  readonly catchUpsUncovered = this.#add(new OwnCounter('catch_ups_uncovered'));

  /** All figures, in order. */
  *entries(): Generator<MetricEntry> {
    for (const metric of this.#all) yield* metric.entries();
  }

  /** What `srst` does. */
  reset(): void {
    for (const metric of this.#all) metric.reset();
  }

  #add<M extends Metric>(metric: M): M {
    this.#all.push(metric);
    return metric;
  }
}
