/**
 * The four-letter words on the balancer's own ports: they are answered for the balancer, in the layout
 * that tools have parsed for fifteen years, with the servers behind it in lines that they pass over. A
 * server's own words are asked at the server.
 */
import type { SessionView } from '../keeping/keeping-types.js';
import { countSets, type BalancerStatus, type ServerStatus } from './status.js';

export const balancerWords = [
  'conf',
  'cons',
  'crst',
  'dirs',
  'dump',
  'envi',
  'isro',
  'mntr',
  'ruok',
  'srst',
  'srvr',
  'stat',
  'wchs',
] as const;

export type BalancerWord = (typeof balancerWords)[number];

/** Without the words that name clients. */
export const openWordsDefault: readonly BalancerWord[] = [
  ...(['conf', 'dirs', 'isro', 'mntr', 'ruok', 'srvr', 'wchs'] as const),
];

export interface WordView {
  status(): BalancerStatus;
  sessions(): Iterable<SessionView>;
  /** name=value, one a line. */
  settings(): readonly string[];
  readonly figures: {
    readonly received: number;
    readonly sent: number;
    readonly latencyAvgMs: number;
    readonly latencyMaxMs: number;
  };
  resetFigures(): void;
}

const numbers = new Map<number, BalancerWord>(balancerWords.map((word) => [numberOf(word), word]));

/** `number`: the first four bytes of a connection, big-endian. */
export function balancerWordOf(number: number): BalancerWord | null {
  return numbers.get(number) ?? null;
}

function numberOf(word: string): number {
  let number = 0;
  for (let i = 0; i < word.length; i++) number = number * 256 + word.charCodeAt(i);
  return number;
}

export function answerWord(word: BalancerWord, view: WordView, open: ReadonlySet<string>): string {
  if (!open.has(word)) return `${word} is not executed because it is not in the whitelist.\n`;
  switch (word) {
    case 'ruok':
      return 'imok';
    case 'isro':
      return readiness(view.status());
    case 'conf':
      return view
        .settings()
        .map((line) => `${line}\n`)
        .join('');
    case 'envi':
      return `Environment:\nzookeeper.version=${view.status().version}\n`;
    case 'dirs':
      return 'datadir_size: 0\nlogdir_size: 0\n';
    case 'srvr':
      return `Zookeeper version: ${view.status().version}\n${figures(view)}`;
    case 'stat': {
      const clients = connectionLines(view, false);
      return `Zookeeper version: ${view.status().version}\nClients:\n${clients}\n${figures(view)}`;
    }
    case 'cons':
      return `${connectionLines(view, true)}\n`;
    case 'dump':
      return sessionLines(view);
    case 'mntr':
      return monitorLines(view);
    case 'wchs':
      return watchSummary(view);
    case 'crst':
      view.resetFigures();
      return 'Connection stats reset.\n';
    case 'srst':
      view.resetFigures();
      return 'Server stats reset.\n';
  }
}

/** As a server's: `null` where nobody is served. */
function readiness({ servers }: BalancerStatus): string {
  const usable = servers.filter(({ isHealthy }) => isHealthy);
  if (usable.length === 0) return 'null';
  return usable.every(({ role }) => role === 'read-only') ? 'ro' : 'rw';
}

function figures(view: WordView): string {
  const status = view.status();
  const { received, sent, latencyAvgMs, latencyMaxMs } = view.figures;
  const counts = countSets(status);
  const lines = [
    `Latency min/avg/max: 0/${decimals(latencyAvgMs)}/${Math.trunc(latencyMaxMs)}`,
    `Received: ${received}`,
    `Sent: ${sent}`,
    `Connections: ${status.connections}`,
    `Outstanding: ${status.outstanding}`,
    `Zxid: ${newestZxid(status)}`,
    'Mode: balancer',
    `Policy: ${status.policy.name}`,
    `Subset: ${status.subset.name} (${status.subset.rule}, ${status.subset.scope}): ` +
      `${counts.awake} awake, ${counts.waiting} waiting, ` +
      `${counts.ejected} ejected, ${counts.draining} draining`,
    ...status.servers.map(serverLine),
  ];
  return `${lines.join('\n')}\n`;
}

/** As Java prints a double. */
function decimals(value: number): string {
  const rounded = Math.round(value * 10_000) / 10_000;
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
}

function newestZxid({ servers }: BalancerStatus): string {
  let newest = 0n;
  for (const { zxid } of servers) if (BigInt(zxid) > newest) newest = BigInt(zxid);
  return `0x${newest.toString(16)}`;
}

function serverLine(server: ServerStatus): string {
  const { id, set, role, sessions, isHealthy, reason } = server;
  const health = isHealthy ? '' : `, ${reason ?? 'not healthy'}`;
  return `Server ${id}: ${set}, ${role ?? 'unknown'}, sessions ${sessions}${health}`;
}

function connectionLines(view: WordView, isFull: boolean): string {
  let text = '';
  for (const session of view.sessions()) {
    const { origin, outstanding, requestCount, id, timeoutMs, backend, watches, state } = session;
    const brief = `queued=${outstanding},recved=${requestCount}`;
    const more = isFull
      ? `,sid=${hexId(id)},to=${timeoutMs},watches=${watches},state=${state},` +
        `server=${backend?.id ?? 'none'}`
      : '';
    text += ` /${origin.address}:${origin.port}[1](${brief}${more})\n`;
  }
  return text;
}

function sessionLines(view: WordView): string {
  const byServer = new Map<string, string[]>();
  for (const { id, backend } of view.sessions()) {
    const key = backend?.id ?? 'none';
    const list = byServer.get(key);
    if (list === undefined) byServer.set(key, [hexId(id)]);
    else list.push(hexId(id));
  }
  let text = 'SessionTracker dump:\n';
  for (const [server, ids] of byServer) {
    text += `${ids.length} sessions at ${server}:\n${ids.map((id) => `\t${id}\n`).join('')}`;
  }
  return text;
}

function hexId(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}

function watchSummary(view: WordView): string {
  let connections = 0;
  let watches = 0;
  for (const session of view.sessions()) {
    if (session.watches === 0) continue;
    connections++;
    watches += session.watches;
  }
  // how many paths are the same is known to servers alone
  return `${connections} connections watching at most ${watches} paths\nTotal watches:${watches}\n`;
}

function monitorLines(view: WordView): string {
  const status = view.status();
  const { received, sent, latencyAvgMs, latencyMaxMs } = view.figures;
  const counts = countSets(status);
  const { totals, sessions } = status;
  const pairs: (readonly [string, string | number])[] = [
    ['version', status.version],
    ['server_state', 'balancer'],
    ['uptime', Math.trunc(status.uptimeMs)],
    ['avg_latency', decimals(latencyAvgMs)],
    ['max_latency', Math.trunc(latencyMaxMs)],
    ['packets_received', received],
    ['packets_sent', sent],
    ['num_alive_connections', status.connections],
    ['outstanding_requests', status.outstanding],
    ['watch_count', status.watches],
    ['balancer_policy', status.policy.name],
    ['balancer_subset', status.subset.name],
    ['balancer_rule', status.subset.rule],
    ['balancer_scope', status.subset.scope],
    ...Object.entries(counts).map(([set, n]) => [`balancer_servers_${set}`, n] as const),
    ...Object.entries(sessions).map(([state, n]) => [`balancer_sessions_${state}`, n] as const),
    ['balancer_masked_failovers', totals.masked],
    ['balancer_moves', totals.moves],
    ['balancer_dropped', totals.dropped],
    ['balancer_ejections', totals.ejections],
    ['balancer_refused_requests', totals.refusedRequests],
    ['balancer_refused_connections', totals.refusedConnections],
  ];
  return pairs.map(([name, value]) => `zk_${name}\t${value}\n`).join('');
}
