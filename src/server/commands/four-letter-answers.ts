/**
 * What each four-letter word is answered, in Apache's words and layout: scripts, monitors and people
 * have parsed these for fifteen years. Long answers come in pieces, one to be sent per turn.
 */
import { Double, formatDouble } from '../metric.js';
import { fullVersion } from '../version.js';
import { notWhitelisted } from './four-letter-words.js';
import type { FourLetterWord } from './four-letter-words.js';
import { monitorEntries, roundedLatency } from './monitor.js';
import { formatAddress, formatTime, gathered, hex, inPieces, pause } from './text.js';
import { isServing } from './view.js';
import type { ConnectionView, ExpiryView, ProcessView, ServerView } from './view.js';

export const notServing = 'This ZooKeeper instance is not currently serving requests';

/** The answer, to be sent before the connection is closed. */
export function runFourLetterWord(
  word: FourLetterWord,
  view: ProcessView,
  /** The eight bytes behind `stmk` as a signed number; null: they did not come. */
  argument: bigint | null = null,
): string | Iterable<string> {
  if (!view.config.fourLetterWhitelist.has(word)) return notWhitelisted(word);
  return isServing(view)
    ? whileServing(word, view, argument)
    : whileNotServing(word, view, argument);
}

function whileServing(
  word: FourLetterWord,
  view: ServerView,
  argument: bigint | null,
): string | Iterable<string> {
  switch (word) {
    case 'ruok':
      return 'imok';
    case 'isro':
      return view.isReadOnly ? 'ro' : 'rw';
    case 'gtmk':
      return String(view.traceMask);
    case 'stmk':
      return setTraceMask(view, argument);
    case 'envi':
      return environment(view);
    case 'conf':
      return configuration(view);
    case 'dirs':
      return directories(view);
    case 'srvr':
      return `Zookeeper version: ${fullVersion}\n${readOnlyNote(view)}${figures(view)}`;
    case 'stat':
      return inPieces(statLines(view));
    case 'cons':
      return inPieces(connectionLines(view, describeFully));
    case 'crst':
      view.resetConnectionFigures();
      return 'Connection stats reset.\n';
    case 'srst':
      view.resetFigures();
      return 'Server stats reset.\n';
    case 'dump':
      return inPieces(dumpLines(view));
    case 'mntr':
      return inPieces(monitorLines(view));
    case 'hash':
      return inPieces(hashLines(view));
    case 'wchs': {
      const { connections, paths, watches } = view.watchSummary();
      return `${connections} connections watching ${paths} paths\nTotal watches:${watches}\n`;
    }
    case 'wchc':
      return inPieces(watchesBySession(view));
    case 'wchp':
      return inPieces(watchesByPath(view));
  }
}

function whileNotServing(word: FourLetterWord, view: ProcessView, argument: bigint | null): string {
  switch (word) {
    case 'ruok':
      return 'imok';
    case 'envi':
      return environment(view);
    case 'gtmk':
      return String(view.traceMask);
    case 'stmk':
      return setTraceMask(view, argument);
    case 'isro':
      return 'null';
    case 'hash':
      return notServing;
    case 'conf':
    case 'cons':
    case 'crst':
    case 'dirs':
    case 'dump':
    case 'mntr':
    case 'srst':
    case 'srvr':
    case 'stat':
    case 'wchc':
    case 'wchp':
    case 'wchs':
      return `${notServing}\n`;
  }
}

function setTraceMask(view: ProcessView, mask: bigint | null): string {
  view.traceMask = mask ?? view.traceMask;
  return String(view.traceMask);
}

function environment(view: ProcessView): string {
  let text = 'Environment:\n';
  for (const [name, value] of view.environment()) text += `${name}=${value}\n`;
  return text;
}

function configuration(view: ServerView): string {
  const { config } = view;
  const sizes = view.directorySizes();
  const lines = [
    `clientPort=${view.clientPort}`,
    `secureClientPort=${config.secureClientPort}`,
    `dataDir=${config.dataDir}/version-2`,
    `dataDirSize=${sizes.dataDirBytes}`,
    `dataLogDir=${config.dataLogDir}/version-2`,
    `dataLogSize=${sizes.dataLogDirBytes}`,
    `tickTime=${config.tickTimeMs}`,
    `maxClientCnxns=${config.maxClientCnxns}`,
    `minSessionTimeout=${config.minSessionTimeoutMs}`,
    `maxSessionTimeout=${config.maxSessionTimeoutMs}`,
    `clientPortListenBacklog=${config.clientPortListenBacklog}`,
    `serverId=${serverIdOf(view)}`,
  ];
  return `${lines.join('\n')}\n${membership(view)}`;
}

/** Its own ports and the whole ensemble; it ends without a newline, as Apache's does. */
function membership({ ensemble, serverState }: ServerView): string {
  if (ensemble === null) return '';
  const { sid, members, configText, initLimit, syncLimit } = ensemble;
  const own = members.servers.get(sid);
  const ports = (port: 'electionPort' | 'quorumPort'): string =>
    (own?.addresses ?? []).map((address) => address[port]).join('|');
  const lines = [
    `initLimit=${initLimit}`,
    `syncLimit=${syncLimit}`,
    'electionAlg=3',
    `electionPort=${ports('electionPort')}`,
    `quorumPort=${ports('quorumPort')}`,
    `peerType=${own?.role === 'observer' ? 1 : 0}`,
  ];
  // without a quorum nobody can say what holds
  if (serverState === 'read-only') return `${lines.join('\n')}\n`;
  return [...lines, 'membership: ', configText].join('\n');
}

/** A standalone server has none, whatever its myid file says. */
export function serverIdOf(view: ServerView): number {
  return view.config.ensemble.isDistributed ? (view.config.myid ?? 0) : 0;
}

function directories(view: ServerView): string {
  const { dataDirBytes, dataLogDirBytes } = view.directorySizes();
  return `datadir_size: ${dataDirBytes}\nlogdir_size: ${dataLogDirBytes}\n`;
}

function readOnlyNote(view: ServerView): string {
  return view.isReadOnly ? 'READ-ONLY mode; serving only read-only clients\n' : '';
}

function figures(view: ServerView): string {
  const now = view.figures();
  const avg = formatDouble(new Double(roundedLatency(now.avgLatencyMs)));
  const [min, max] = [Math.trunc(now.minLatencyMs), Math.trunc(now.maxLatencyMs)];
  const lines = [
    `Latency min/avg/max: ${min}/${avg}/${max}`,
    `Received: ${now.packetsReceived}`,
    `Sent: ${now.packetsSent}`,
    `Connections: ${now.connectionCount}`,
    `Outstanding: ${now.outstandingRequests}`,
    `Zxid: 0x${hex(now.lastZxid)}`,
    `Mode: ${view.serverState}`,
    `Node count: ${now.znodeCount}`,
  ];
  const leading = view.ensemble?.leading ?? null;
  if (leading !== null) {
    const { last, min, max } = leading.proposalBytes;
    lines.push(`Proposal sizes last/min/max: ${last}/${min}/${max}`);
  }
  return `${lines.join('\n')}\n`;
}

function* statLines(view: ServerView): Generator<string> {
  yield `Zookeeper version: ${fullVersion}\n${readOnlyNote(view)}Clients:\n`;
  yield* connectionLines(view, describeBriefly);
  yield figures(view);
}

function* connectionLines(
  view: ServerView,
  describe: (connection: ConnectionView, view: ServerView) => string,
): Generator<string> {
  for (const connection of view.connections()) yield ` ${describe(connection, view)})\n`;
  yield '\n';
}

/** What Java's selector waits for: 1 reads, 4 writes, 0 nothing (paused, or a word's connection). */
export function interestOps(connection: ConnectionView): number {
  return (connection.isReading ? 1 : 0) + (connection.isWriting ? 4 : 0);
}

function remoteOf(connection: ConnectionView): string {
  return `/${formatAddress(connection.remoteAddress)}:${connection.remotePort}`;
}

function describeBriefly(connection: ConnectionView): string {
  const { outstandingRequests, packetsReceived, packetsSent } = connection;
  const interest = interestOps(connection).toString(16);
  return `${remoteOf(connection)}[${interest}](queued=${outstandingRequests},recved=${packetsReceived},sent=${packetsSent}`;
}

function describeFully(connection: ConnectionView, view: ServerView): string {
  const brief = describeBriefly(connection);
  if (connection.sessionId === 0n) return brief;
  const cxid = connection.lastCxid >= 0 ? `,lcxid=0x${connection.lastCxid.toString(16)}` : '';
  const parts = [
    `,sid=0x${hex(connection.sessionId)}`,
    `,lop=${connection.lastOperation}`,
    `,est=${wallOf(view, connection.establishedMs)}`,
    `,to=${connection.sessionTimeoutMs}`,
    cxid,
    `,lzxid=0x${hex(connection.lastZxid)}`,
    `,lresp=${Math.trunc(connection.lastResponseMs)}`,
    `,llat=${Math.trunc(connection.lastLatencyMs)}`,
    `,minlat=${Math.trunc(connection.minLatencyMs)}`,
    `,avglat=${Math.trunc(connection.avgLatencyMs)}`,
    `,maxlat=${Math.trunc(connection.maxLatencyMs)}`,
  ];
  return brief + parts.join('');
}

/** A time of the monotonic clock on the wall clock, as it goes now. */
export function wallOf(view: ServerView, monotonicMs: number): number {
  return Math.trunc(view.clock.wallMs() + monotonicMs - view.clock.monotonicMs());
}

function* dumpLines(view: ServerView): Generator<string> {
  yield 'SessionTracker dump:\n';
  yield* sessionLines(view);
  yield 'ephemeral nodes dump:\n';
  const owners = yield* gathered(view.ephemerals());
  yield `Sessions with Ephemerals (${owners.length}):\n`;
  for (const [sessionId, paths] of owners) {
    yield `0x${hex(sessionId)}:\n`;
    for (const path of paths) yield `\t${path}\n`;
  }
  yield 'Connections dump:\n';
  const byTime = yield* connectionsByTime(view);
  const asLine = ({ connections }: ConnectionExpiry): Iterable<string> =>
    mapped(connections, (connection) => {
      const session = hex(connection.sessionId);
      return `\tip: ${remoteOf(connection)} sessionId: 0x${session}\n`;
    });
  yield* expiryLines(view, 'Connections', byTime, asLine, (expiry) => expiry.connections.length);
}

function* sessionLines(view: ServerView): Generator<string> {
  const local = view.localSessionExpiries();
  if (local !== null) {
    yield 'Local ';
    yield* sessionSets(view, local);
  }
  const others = view.globalSessions();
  if (others === null) {
    if (local !== null) yield 'Global ';
    yield* sessionSets(view, view.sessionExpiries());
    return;
  }
  const sessions = yield* gathered(others);
  yield `Global Sessions(${sessions.length}):\n`;
  sessions.sort((one, other) => (one.id < other.id ? -1 : 1));
  yield pause;
  for (const { id, timeoutMs } of sessions) yield `0x${hex(id)}\t${timeoutMs}ms\n`;
}

function* sessionSets(view: ServerView, expiries: Iterable<ExpiryView>): Generator<string> {
  const sessions = yield* gathered(expiries);
  const asName = (expiry: ExpiryView): Iterable<string> =>
    mapped(expiry.sessionIds, (id) => `\t0x${hex(id)}\n`);
  yield* expiryLines(view, 'Session', sessions, asName, (expiry) => expiry.sessionIds.length);
}

interface ConnectionExpiry {
  readonly expiresMs: number;
  readonly connections: ConnectionView[];
}

function* connectionsByTime(view: ServerView): Generator<typeof pause, ConnectionExpiry[]> {
  const byTime = new Map<number, ConnectionView[]>();
  for (const connection of yield* gathered(view.connections())) {
    const at = byTime.get(connection.expiresMs);
    if (at === undefined) byTime.set(connection.expiresMs, [connection]);
    else at.push(connection);
  }
  yield pause;
  return [...byTime]
    .map(([expiresMs, connections]) => ({ expiresMs, connections }))
    .sort((a, b) => a.expiresMs - b.expiresMs);
}

function* expiryLines<E extends { readonly expiresMs: number }>(
  view: ServerView,
  what: string,
  expiries: readonly E[],
  lines: (expiry: E) => Iterable<string>,
  countOf: (expiry: E) => number,
): Generator<string> {
  const total = expiries.reduce((sum, expiry) => sum + countOf(expiry), 0);
  yield `${what} Sets (${expiries.length})/(${total}):\n`;
  for (const expiry of expiries) {
    yield `${countOf(expiry)} expire at ${formatTime(wallOf(view, expiry.expiresMs))}:\n`;
    yield* lines(expiry);
  }
}

function* mapped<T>(items: Iterable<T>, line: (item: T) => string): Generator<string> {
  for (const item of items) yield line(item);
}

function* monitorLines(view: ServerView): Generator<string> {
  for (const [name, value] of monitorEntries(view)) {
    yield `zk_${name}\t${value instanceof Double ? formatDouble(value) : value}\n`;
  }
}

function* hashLines(view: ServerView): Generator<string> {
  for (const { zxid, digest } of view.digests()) yield `${hex(zxid)}: ${digest}\n`;
}

function* watchesBySession(view: ServerView): Generator<string> {
  for (const [sessionId, paths] of view.watchesBySession()) {
    yield `0x${hex(sessionId)}\n`;
    for (const path of paths) yield `\t${path}\n`;
  }
  yield '\n';
}

function* watchesByPath(view: ServerView): Generator<string> {
  for (const [path, sessionIds] of view.watchesByPath()) {
    yield `${path}\n`;
    for (const sessionId of sessionIds) yield `\t0x${hex(sessionId)}\n`;
  }
  yield '\n';
}
