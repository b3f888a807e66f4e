/**
 * What `mntr` and the admin command `monitor` show: version, state, gauges asked from the server
 * now, and all figures counted since the last reset. The gauges stand in the order in which Apache
 * prints them.
 */
import { Double } from '../metric.js';
import type { MetricEntry } from '../metric.js';
import { fullVersion } from '../version.js';
import type { ServerView } from './view.js';

/** Without the prefix that only mntr has. */
export function* monitorEntries(
  view: ServerView,
): Generator<readonly [name: string, value: MetricEntry[1] | string]> {
  yield ['version', fullVersion];
  yield ['server_state', view.serverState];
  if (view.config.metricsProvider === 'none') return;
  yield* gauges(view);
  yield* quotaGauges(view);
  yield* view.metrics.entries();
}

function* gauges(view: ServerView): Generator<MetricEntry> {
  const figures = view.figures();
  const uptimeMs = view.clock.monotonicMs() - view.startedMs;
  yield ['ephemerals_count', figures.ephemeralCount];
  yield ['num_alive_connections', figures.connectionCount];
  yield ['avg_latency', new Double(roundedLatency(figures.avgLatencyMs))];
  yield ['outstanding_requests', figures.outstandingRequests];
  yield ['znode_count', figures.znodeCount];
  yield ['global_sessions', figures.sessionCount];
  yield ['non_mtls_remote_conn_count', 0];
  yield ['last_client_response_size', figures.lastResponseBytes];
  yield ['packets_sent', figures.packetsSent];
  yield ['packets_received', figures.packetsReceived];
  yield ['max_client_response_size', figures.maxResponseBytes];
  yield ['connection_drop_probability', new Double(figures.connectionDropProbability)];
  yield ['watch_count', figures.watchCount];
  yield ['auth_failed_count', figures.authFailedCount];
  yield ['min_latency', Math.trunc(figures.minLatencyMs)];
  if (figures.maxFileDescriptorCount !== null) {
    yield ['max_file_descriptor_count', figures.maxFileDescriptorCount];
  }
  yield ['approximate_data_size', figures.approximateDataBytes];
  if (figures.openFileDescriptorCount !== null) {
    yield ['open_file_descriptor_count', figures.openFileDescriptorCount];
  }
  yield ['local_sessions', 0];
  yield ['uptime', Math.trunc(uptimeMs)];
  yield ['max_latency', Math.trunc(figures.maxLatencyMs)];
  yield ['outstanding_tls_handshake', 0];
  yield ['min_client_response_size', figures.minResponseBytes];
  yield ['non_mtls_local_conn_count', 0];
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

/** To four decimals, as Apache rounds averages. */
export function roundedLatency(ms: number): number {
  return Math.round(ms * 10_000) / 10_000;
}
