/**
 * The commands of Apache's AdminServer that need no authorisation: their names and aliases, their
 * answers' fields in Apache's order. Every answer ends with `command` and `error`. The two that do
 * need authorisation (snapshot, restore) are elsewhere (backup-commands.ts).
 *
 * Apache shows configuration and properties whole. Anyone who reaches the port reads them, so values
 * of keys that hold secrets are not shown here.
 */
import { Double } from '../metric.js';
import { fullVersion } from '../version.js';
import { notServing, interestOps, serverIdOf, wallOf } from './four-letter-answers.js';
import { JsonList, JsonObject } from './json.js';
import type { JsonValue } from './json.js';
import { monitorEntries, roundedLatency } from './monitor.js';
import { formatAddress, hex } from './text.js';
import { leader, observers, resetObservers, votingView, zabState } from './ensemble-commands.js';
import type { LeadingView } from './ensemble-view.js';
import { isServing } from './view.js';
import type { ConnectionView, ExpiryView, ProcessView, ServerView } from './view.js';

type Field = readonly [name: string, value: JsonValue];

export interface AdminAnswer {
  /** An HTTP status. */
  readonly status: number;
  readonly body: JsonObject;
}

export interface AdminRequest {
  readonly method: 'GET' | 'POST';
  readonly params: ReadonlyMap<string, string>;
  /** The header of this name; null: it did not come. */
  readonly authorization: string | null;
}

type Params = AdminRequest['params'];

interface AdminCommand {
  readonly names: readonly [primary: string, ...aliases: string[]];
  /** `server` is null while nobody is served; so is the answer of most commands then. */
  readonly run: (
    view: ProcessView,
    server: ServerView | null,
    params: Params,
  ) => Iterable<Field> | null;
}

const commands: readonly AdminCommand[] = [
  command(['configuration', 'conf', 'config'], configuration),
  command(['connection_stat_reset', 'crst'], (view) => {
    view.resetConnectionFigures();
    return [];
  }),
  command(['connections', 'cons'], (view) => [
    ['connections', listOf(view, false, fullConnection)],
    ['secure_connections', listOf(view, true, fullConnection)],
  ]),
  command(['dirs'], (view) => {
    const { dataDirBytes, dataLogDirBytes } = view.directorySizes();
    return [
      ['datadir_size', dataDirBytes],
      ['logdir_size', dataLogDirBytes],
    ];
  }),
  command(['dump'], dump),
  always(['environment', 'env', 'envi'], (view) => view.environment()),
  always(['get_trace_mask', 'gtmk'], (view) => [['tracemask', view.traceMask]]),
  command(['hash'], (view) => [
    [
      'digests',
      new JsonList(
        mapped(view.digests(), ({ zxid, digest, version }) =>
          object({ zxid, digest, digest_version: version }),
        ),
      ),
    ],
  ]),
  command(['initial_configuration', 'icfg'], (view) => [
    ['initial_configuration', withoutSecrets(view.config.initialConfig)],
  ]),
  command(['is_read_only', 'isro'], (view) => [['read_only', view.isReadOnly]]),
  command(['last_snapshot', 'lsnp'], (view) => {
    const last = view.lastSnapshot();
    return [
      ['zxid', hex(last?.zxid ?? -1n)],
      ['timestamp', last === null ? -1 : Math.trunc(last.timeMs / 1000)],
    ];
  }),
  command(['leader', 'lead'], leader),
  command(['monitor', 'mntr'], monitorEntries),
  command(['observer_connection_stat_reset', 'orst'], resetObservers),
  command(['observers', 'obsr'], observers),
  command(['ruok'], () => []),
  command(['server_stats', 'srvr'], serverStats),
  always(['set_trace_mask', 'stmk'], setTraceMask),
  command(['stat_reset', 'srst'], (view) => {
    view.resetFigures();
    return [];
  }),
  command(['stats', 'stat'], stats),
  always(['system_properties', 'sysp'], systemProperties),
  command(['voting_view'], votingView),
  command(['watch_summary', 'wchs'], (view) => {
    const { connections, paths, watches } = view.watchSummary();
    return [
      ['num_connections', connections],
      ['num_paths', paths],
      ['num_total_watches', watches],
    ];
  }),
  command(['watches', 'wchc'], (view) => [
    ['session_id_to_watched_paths', listsById(view.watchesBySession())],
  ]),
  command(['watches_by_path', 'wchp'], (view) => [
    [
      'path_to_session_ids',
      new JsonObject(
        mapped(view.watchesByPath(), ([path, ids]): Field => [path, new JsonList(ids)]),
      ),
    ],
  ]),
  { names: ['zabstate'], run: (_view, server) => zabState(server) },
];

const byName: ReadonlyMap<string, AdminCommand> = new Map(
  commands.flatMap((one) => one.names.map((name) => [name, one] as const)),
);

/** In alphabetical order: what the page at the command URL lists. */
export const adminCommandNames: readonly string[] = [
  ...commands.map((one) => one.names[0]),
  'restore',
  'snapshot',
].sort();

export function runAdminCommand(
  name: string,
  request: AdminRequest,
  view: ProcessView,
): AdminAnswer {
  const found = byName.get(name);
  if (found === undefined) return failed(200, name, `Unknown command: ${name}`);
  const server = isServing(view) ? view : null;
  if (request.method !== 'GET') return failed(405, name, `${found.names[0]} is asked with GET`);
  const fields = found.run(view, server, request.params);
  if (fields === null) return failed(200, name, notServing);
  return { status: 200, body: new JsonObject(finished(found, fields)) };
}

/** Answered by a server that serves. */
function command(
  names: AdminCommand['names'],
  run: (view: ServerView, params: Params) => Iterable<Field>,
): AdminCommand {
  return { names, run: (_view, server, params) => (server === null ? null : run(server, params)) };
}

/** Answered also while nobody is served. */
function always(
  names: AdminCommand['names'],
  run: (view: ProcessView, params: Params) => Iterable<Field>,
): AdminCommand {
  return { names, run: (view, _server, params) => run(view, params) };
}

function failed(status: number, name: string, error: string): AdminAnswer {
  return { status, body: object({ command: name, error }) };
}

/** A command that failed has said `error` itself; it is not said twice. */
function* finished({ names }: AdminCommand, fields: Iterable<Field>): Generator<Field> {
  let hasError = false;
  for (const field of fields) {
    hasError ||= field[0] === 'error';
    yield field;
  }
  yield ['command', names[0]];
  if (!hasError) yield ['error', null];
}

function object(fields: Readonly<Record<string, JsonValue>>): JsonObject {
  return new JsonObject(Object.entries(fields));
}

function* mapped<T, R>(items: Iterable<T>, map: (item: T) => R): Generator<R> {
  for (const item of items) yield map(item);
}

function listsById(entries: Iterable<readonly [bigint, Iterable<string>]>): JsonObject {
  return new JsonObject(mapped(entries, ([id, paths]): Field => [String(id), new JsonList(paths)]));
}

function configuration(view: ServerView): Field[] {
  const { config } = view;
  return [
    ['client_port', view.clientPort],
    ['data_dir', `${config.dataDir}/version-2`],
    ['data_log_dir', `${config.dataLogDir}/version-2`],
    ['tick_time', config.tickTimeMs],
    ['max_client_cnxns', config.maxClientCnxns],
    ['min_session_timeout', config.minSessionTimeoutMs],
    ['max_session_timeout', config.maxSessionTimeoutMs],
    ['server_id', serverIdOf(view)],
    ['client_port_listen_backlog', config.clientPortListenBacklog],
  ];
}

function briefFields(connection: ConnectionView): Field[] {
  return [
    [
      'remote_socket_address',
      `${formatAddress(connection.remoteAddress)}:${connection.remotePort}`,
    ],
    ['interest_ops', interestOps(connection)],
    ['outstanding_requests', connection.outstandingRequests],
    ['packets_received', connection.packetsReceived],
    ['packets_sent', connection.packetsSent],
  ];
}

/** Of connections by TLS, or of the others. */
function listOf(
  view: ServerView,
  isSecure: boolean,
  show: (connection: ConnectionView, view: ServerView) => JsonObject,
): JsonList {
  return new JsonList(shown());
  function* shown(): Generator<JsonObject> {
    for (const one of view.connections()) if (one.isSecure === isSecure) yield show(one, view);
  }
}

function briefConnection(connection: ConnectionView): JsonObject {
  return new JsonObject(briefFields(connection));
}

function fullConnection(connection: ConnectionView, view: ServerView): JsonObject {
  return new JsonObject([
    ...briefFields(connection),
    ['session_id', connection.sessionId],
    ['last_operation', connection.lastOperation],
    ['established', wallOf(view, connection.establishedMs)],
    ['session_timeout', connection.sessionTimeoutMs],
    ['last_cxid', connection.lastCxid],
    ['last_zxid', connection.lastZxid],
    ['last_response_time', Math.trunc(connection.lastResponseMs)],
    ['last_latency', Math.trunc(connection.lastLatencyMs)],
    ['min_latency', Math.trunc(connection.minLatencyMs)],
    ['avg_latency', Math.trunc(connection.avgLatencyMs)],
    ['max_latency', Math.trunc(connection.maxLatencyMs)],
  ]);
}

function dump(view: ServerView): Field[] {
  const byTime = view.globalSessions() === null ? allExpiries(view) : [];
  const expiries = mapped(byTime, ({ expiresMs, sessionIds }): Field => [
    String(Math.trunc(expiresMs)),
    new JsonList(sessionIds),
  ]);
  return [
    ['expiry_time_to_session_ids', new JsonObject(expiries)],
    ['session_id_to_ephemeral_paths', listsById(view.ephemerals())],
  ];
}

/** Of every kind; at the same time local ones and others are one entry. */
function* allExpiries(view: ServerView): Generator<ExpiryView> {
  const local = [...(view.localSessionExpiries() ?? [])];
  if (local.length === 0) {
    yield* view.sessionExpiries();
    return;
  }
  const merged = new Map<number, bigint[]>();
  for (const { expiresMs, sessionIds } of [...local, ...view.sessionExpiries()]) {
    merged.set(expiresMs, [...(merged.get(expiresMs) ?? []), ...sessionIds]);
  }
  for (const [expiresMs, sessionIds] of [...merged].sort(([a], [b]) => a - b)) {
    yield { expiresMs, sessionIds };
  }
}

function serverStats(view: ServerView): Field[] {
  const now = view.figures();
  const sizes = view.directorySizes();
  const responses = {
    last_buffer_size: now.lastResponseBytes,
    min_buffer_size: now.minResponseBytes,
    max_buffer_size: now.maxResponseBytes,
  };
  const figures = object({
    packets_sent: now.packetsSent,
    packets_received: now.packetsReceived,
    fsync_threshold_exceed_count: now.fsyncThresholdExceedCount,
    client_response_stats: object(responses),
    provider_null: false,
    data_dir_size: sizes.dataDirBytes,
    log_dir_size: sizes.dataLogDirBytes,
    last_processed_zxid: now.lastZxid,
    outstanding_requests: now.outstandingRequests,
    server_state: view.serverState,
    avg_latency: new Double(roundedLatency(now.avgLatencyMs)),
    max_latency: Math.trunc(now.maxLatencyMs),
    min_latency: Math.trunc(now.minLatencyMs),
    num_alive_client_connections: now.connectionCount,
    uptime: Math.trunc(view.clock.monotonicMs() - view.startedMs),
    auth_failed_count: now.authFailedCount,
    non_mtlsremote_conn_count: 0,
    non_mtlslocal_conn_count: 0,
  });
  const leading = view.ensemble?.leading ?? null;
  return [
    ['version', fullVersion],
    ['read_only', view.isReadOnly],
    ['server_stats', figures],
    ['client_response', object(responses)],
    ...(leading === null ? [] : [proposalStats(leading)]),
    ['node_count', now.znodeCount],
  ];
}

function proposalStats({ proposalBytes: { last, min, max } }: LeadingView): Field {
  const sizes = { last_buffer_size: last, min_buffer_size: min, max_buffer_size: max };
  return ['proposal_stats', object(sizes)];
}

function stats(view: ServerView): Field[] {
  return [
    ...serverStats(view),
    ['connections', listOf(view, false, briefConnection)],
    ['secure_connections', listOf(view, true, briefConnection)],
  ];
}

function setTraceMask(view: ProcessView, params: Params): Field[] {
  const given = params.get('traceMask');
  if (given === undefined) return [['error', 'setTraceMask requires long traceMask argument']];
  const isLong =
    /^[+-]?\d{1,19}$/.test(given) && BigInt.asIntN(64, BigInt(given)) === BigInt(given);
  if (!isLong) return [['error', `setTraceMask requires long traceMask argument, got ${given}`]];
  view.traceMask = BigInt(given);
  return [['tracemask', view.traceMask]];
}

/** Sorted by name. */
function systemProperties(view: ProcessView): Field[] {
  const properties = new Map<string, string>();
  for (const [name, value] of view.environment()) {
    const isProperty = /^(?:java|os|user)\./.test(name) && value !== '<NA>';
    if (isProperty) properties.set(name, value);
  }
  for (const [name, value] of view.config.properties) {
    properties.set(name, isSecret(name) ? hidden : value);
  }
  return [...properties].sort(([a], [b]) => (a < b ? -1 : 1));
}

const hidden = '***';

function isSecret(key: string): boolean {
  return /passw|secret|superdigest|token/i.test(key);
}

/** Line by line: the value of a secret key is hidden, also where it goes on over lines. */
function withoutSecrets(text: string): string {
  let isContinuation = false;
  let isHiding = false;
  const lines = text.split('\n').map((line) => {
    const match = /^(\s*[#!]*\s*[^\s=:#!]+[\s=:]+)/.exec(line);
    if (!isContinuation) isHiding = match !== null && isSecret(match[1] ?? '');
    const shown = !isHiding ? line : isContinuation ? hidden : `${match?.[1] ?? ''}${hidden}`;
    isContinuation = /(?:^|[^\\])(?:\\\\)*\\\r?$/.test(line);
    return shown;
  });
  return lines.join('\n');
}
