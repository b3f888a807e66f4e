/**
 * How the balancer stands, as data: what `zabra balance status`, the control endpoint, the metrics and
 * the four-letter words all show, each in its own way. Plain values, ready for JSON.
 */
import type { BackendKind, BackendSet } from '../pool/backend.js';
import type { SessionState } from '../keeping/keeping-types.js';
import { metricName, PrometheusText, type Sample } from './prometheus.js';

const serverSets: readonly BackendSet[] = ['awake', 'waiting', 'ejected', 'draining'];

export interface ServerStatus {
  /** host:port */
  readonly id: string;
  readonly set: BackendSet;
  readonly isHealthy: boolean;
  /** Why it is not; null: it is. */
  readonly reason: string | null;
  readonly kind: BackendKind;
  /** As it says itself; null: it has not yet. */
  readonly role: string | null;
  readonly version: string | null;
  readonly zone: string | null;
  readonly zxid: string;
  /** Transactions behind the newest that is known; null: not comparable. */
  readonly lag: number | null;
  readonly weight: number;
  readonly sessions: number;
  /** Requests that it has not answered. */
  readonly outstanding: number | null;
  readonly latencyMs: number | null;
}

export interface SubsetStatus {
  /** As configured. */
  readonly name: string;
  /** What it does now: `auto` follows another rule. */
  readonly rule: string;
  readonly scope: 'local' | 'ensemble';
  readonly isPanicking: boolean;
}

export interface ListenerStatus {
  readonly address: string;
  readonly isTls: boolean;
  readonly isReadOnly: boolean;
}

export interface BalancerStatus {
  readonly version: string;
  readonly uptimeMs: number;
  readonly mask: string;
  readonly policy: { readonly name: string; readonly rule: string; readonly reason: string | null };
  readonly subset: SubsetStatus;
  readonly listeners: readonly ListenerStatus[];
  readonly servers: readonly ServerStatus[];
  readonly connections: number;
  readonly sessions: Readonly<Record<SessionState, number>>;
  readonly watches: number;
  readonly outstanding: number;
  readonly totals: {
    readonly requests: number;
    readonly masked: number;
    readonly moves: number;
    readonly dropped: number;
    readonly refusedRequests: number;
    readonly refusedConnections: number;
    readonly ejections: number;
  };
}

export function countSets({ servers }: BalancerStatus): Readonly<Record<BackendSet, number>> {
  const counts = { awake: 0, waiting: 0, ejected: 0, draining: 0 };
  for (const { set } of servers) counts[set]++;
  return counts;
}

/** What is at this moment, beside the counters of metrics.ts. */
export function writeStatusMetrics(
  out: PrometheusText,
  prefix: string,
  status: BalancerStatus,
): void {
  const gauge = (text: string, help: string, samples: number | readonly Sample[]): void =>
    out.family(`${prefix}_balancer_${text}`, 'gauge', help, samples);
  const { servers, subset, policy } = status;
  const ofServers = (value: (server: ServerStatus) => number | null): Sample[] =>
    servers.flatMap((server): Sample[] => {
      const one = value(server);
      return one === null ? [] : [[{ server: server.id }, one]];
    });
  gauge('uptime_seconds', 'Since it was started', Math.round(status.uptimeMs / 1000));
  gauge('connections', 'Connections of clients', status.connections);
  gauge(
    'sessions',
    'Sessions by what they are doing',
    Object.entries(status.sessions).map(([state, value]): Sample => [{ state }, value]),
  );
  gauge('watches', 'Watches of all sessions', status.watches);
  gauge('outstanding_requests', 'Requests without an answer', status.outstanding);
  gauge('subset_info', 'Which rule chooses the servers in use', [
    [{ subset: subset.name, rule: subset.rule, scope: subset.scope }, 1],
  ]);
  gauge('policy_info', 'Which policy chooses among them', [
    [{ policy: policy.name, rule: policy.rule }, 1],
  ]);
  gauge('is_panicking', 'All servers are used, the sick ones too', Number(subset.isPanicking));
  gauge(
    'servers',
    'Servers by the set that they are in',
    Object.entries(countSets(status)).map(([set, value]): Sample => [{ set }, value]),
  );
  for (const set of serverSets) {
    gauge(
      `server_${metricName(set)}`,
      `1: the server is ${set}`,
      ofServers((server) => Number(server.set === set)),
    );
  }
  gauge(
    'server_healthy',
    'Its checks pass',
    ofServers(({ isHealthy }) => Number(isHealthy)),
  );
  gauge(
    'server_sessions',
    'Sessions there',
    ofServers(({ sessions }) => sessions),
  );
  gauge(
    'server_weight',
    'As the operator set it',
    ofServers(({ weight }) => weight),
  );
  gauge(
    'server_lag',
    'Transactions behind the newest known',
    ofServers(({ lag }) => lag),
  );
  gauge(
    'server_outstanding',
    'As it says',
    ofServers(({ outstanding }) => outstanding),
  );
  gauge(
    'server_latency_ms',
    'Of its answers, lately',
    ofServers(({ latencyMs }) => latencyMs),
  );
}
