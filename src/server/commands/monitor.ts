/**
 * What `mntr` and the admin command `monitor` show: version, state, gauges asked from the server
 * now, and all figures counted since the last reset. The gauges stand in the order in which Apache
 * prints them.
 */
import type { EnsembleServer } from '../config/ensemble-config.js';
import { Double } from '../metric.js';
import type { MetricEntry } from '../metric.js';
import { fullVersion } from '../version.js';
import type { EnsembleView } from './ensemble-view.js';
import { formatAddress, hex } from './text.js';
import type { ServerView } from './view.js';

/** Without the prefix that only mntr has. */
export function* monitorEntries(
  view: ServerView,
): Generator<readonly [name: string, value: MetricEntry[1] | string]> {
  yield ['version', fullVersion];
  yield ['server_state', view.serverState];
  const ensemble = ensembleOf(view);
  if (ensemble !== null) {
    yield ['peer_state', `${doing[view.serverState]} - ${servingStep}`];
    const master = ensemble.observerMasterSid;
    if (master !== null) yield ['observer_master_id', master];
  }
  if (view.config.metricsProvider === 'none') return;
  yield* gauges(view);
  yield* quotaGauges(view);
  yield* view.metrics.entries();
  if (view.ensemble === null) return;
  yield* peerFigures(view, view.ensemble);
  yield* autopilotFigures(view, view.ensemble);
}

/** The step of the protocol in which a member serves clients; in the others it answers nothing. */
export const servingStep = 'broadcast';

const doing = {
  leader: 'leading',
  follower: 'following',
  observer: 'observing',
  standalone: 'looking',
  'read-only': 'looking',
} as const;

/** Null also for one that has lost the others, and serves read-only clients by itself. */
export function ensembleOf(view: ServerView): EnsembleView | null {
  return view.serverState === 'read-only' ? null : view.ensemble;
}

/** Who hears whom, on which port and since when; Apache's has nothing of the kind. */
function* peerFigures(
  { clock }: ServerView,
  ensemble: EnsembleView,
): Generator<readonly [string, MetricEntry[1] | string]> {
  const nowMs = clock.monotonicMs();
  for (const peer of ensemble.peers()) {
    const name = `peer_${peer.sid}`;
    yield [`${name}_state`, peer.role];
    if (peer.zxid !== null) yield [`${name}_zxid`, `0x${hex(peer.zxid)}`];
    if (peer.lag !== null) yield [`${name}_lag`, peer.lag];
    for (const port of ['election', 'quorum'] as const) {
      const hearing = peer[port];
      yield [`${name}_${port}_connected`, hearing === null ? 0 : 1];
      if (hearing === null) continue;
      yield [`${name}_${port}_address`, `${formatAddress(hearing.address)}:${hearing.port}`];
      yield [`${name}_${port}_connected_ms`, Math.trunc(nowMs - hearing.sinceMs)];
      yield [`${name}_${port}_heard_ms`, Math.trunc(nowMs - hearing.heardMs)];
    }
  }
}

/** Whom the autopilot has out, and what it thinks where it leads; nothing where there is none. */
function* autopilotFigures(
  { clock }: ServerView,
  ensemble: EnsembleView,
): Generator<readonly [string, MetricEntry[1] | string]> {
  const { autopilot } = ensemble;
  if (autopilot !== null) {
    yield ['autopilot_dead_ms', autopilot.deadMs];
    yield ['autopilot_state', autopilot.state];
  }
  const out = [...ensemble.takenOut()];
  if (autopilot !== null || out.length > 0) yield ['autopilot_out_count', out.length];
  const nowMs = clock.wallMs();
  for (const { sid, line, sinceMs, peer } of out) {
    const name = `autopilot_out_${sid}`;
    yield [`${name}_ms`, Math.max(0, Math.trunc(nowMs - sinceMs))];
    yield [`${name}_line`, line];
    yield [`${name}_connected`, peer.quorum === null ? 0 : 1];
  }
}

function* gauges(view: ServerView): Generator<MetricEntry> {
  const figures = view.figures();
  const ensemble = ensembleOf(view);
  const leading = ensemble?.leading ?? null;
  const uptimeMs = view.clock.monotonicMs() - view.startedMs;
  yield ['ephemerals_count', figures.ephemeralCount];
  yield ['num_alive_connections', figures.connectionCount];
  yield ['avg_latency', new Double(roundedLatency(figures.avgLatencyMs))];
  if (leading !== null) yield ['min_proposal_size', leading.proposalBytes.min];
  yield ['outstanding_requests', figures.outstandingRequests];
  yield ['znode_count', figures.znodeCount];
  yield ['global_sessions', figures.sessionCount];
  yield ['non_mtls_remote_conn_count', 0];
  yield ['last_client_response_size', figures.lastResponseBytes];
  yield ['packets_sent', figures.packetsSent];
  yield ['packets_received', figures.packetsReceived];
  if (leading !== null) yield ['max_proposal_size', leading.proposalBytes.max];
  yield ['max_client_response_size', figures.maxResponseBytes];
  if (leading !== null) yield ['synced_followers', leading.followerCount];
  yield ['connection_drop_probability', new Double(figures.connectionDropProbability)];
  yield ['watch_count', figures.watchCount];
  if (leading !== null) yield ['synced_non_voting_followers', leading.nonVotingCount];
  const observerCount = ensemble?.observerCount ?? null;
  if (observerCount !== null) yield ['synced_observers', observerCount];
  yield ['auth_failed_count', figures.authFailedCount];
  yield ['min_latency', Math.trunc(figures.minLatencyMs)];
  if (figures.maxFileDescriptorCount !== null) {
    yield ['max_file_descriptor_count', figures.maxFileDescriptorCount];
  }
  yield ['approximate_data_size', figures.approximateDataBytes];
  if (figures.openFileDescriptorCount !== null) {
    yield ['open_file_descriptor_count', figures.openFileDescriptorCount];
  }
  if (leading !== null) {
    yield ['last_proposal_size', leading.proposalBytes.last];
    yield ['pending_syncs', leading.pendingSyncCount];
    yield ['leader_uptime', Math.trunc(leading.uptimeMs)];
  }
  yield ['local_sessions', figures.localSessionCount];
  yield ['uptime', Math.trunc(uptimeMs)];
  yield ['max_latency', Math.trunc(figures.maxLatencyMs)];
  yield ['outstanding_tls_handshake', 0];
  if (leading !== null) yield ['learners', leading.learnerCount];
  yield ['min_client_response_size', figures.minResponseBytes];
  yield ['non_mtls_local_conn_count', 0];
  if (ensemble !== null) yield ['quorum_size', votersOf(ensemble).length];
}

function* quotaGauges(view: ServerView): Generator<MetricEntry> {
  const quotas = [...view.quotas()];
  for (const quota of quotas) {
    yield [`${quota.namespace}_quota_bytes_limit_per_namespace`, quota.bytesLimit];
  }
  for (const quota of quotas) {
    yield [`${quota.namespace}_quota_count_usage_per_namespace`, quota.countUsage];
  }
  for (const quota of quotas) {
    yield [`${quota.namespace}_quota_count_limit_per_namespace`, quota.countLimit];
  }
  for (const quota of quotas) {
    yield [`${quota.namespace}_quota_bytes_usage_per_namespace`, quota.bytesUsage];
  }
}

/** Servers that vote, in the order of their numbers. */
export function votersOf({ members }: EnsembleView): EnsembleServer[] {
  const voters = [...members.servers.values()].filter(({ role }) => role === 'participant');
  return voters.sort((one, other) => one.sid - other.sid);
}

/** To four decimals, as Apache rounds averages. */
export function roundedLatency(ms: number): number {
  return Math.round(ms * 10_000) / 10_000;
}
