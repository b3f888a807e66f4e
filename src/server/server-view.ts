/** The server as four-letter words and admin commands see it (`commands/view.ts`). */
import type { Clock } from '../ports/clock.js';
import { DiskError } from '../ports/disk.js';
import type { SessionTracker } from '../session/tracker.js';
import type { NodeId } from '../tree/tree.js';
import { parseQuota } from '../txn/quota.js';
import { zxidOfParts } from '../protocol/zxid.js';
import { Reader } from '../protocol/reader.js';
import { AuthPacket } from '../protocol/records.js';
import { decodeUtf8 } from '../protocol/utf8.js';
import { Writer } from '../protocol/writer.js';
import { NOBODY, type Caller } from '../txn/authorize.js';
import { prove } from './authenticate.js';
import type { ClientPort } from './client-port.js';
import type { EnsembleView } from './commands/ensemble-view.js';
import type {
  ConnectionView,
  DigestView,
  ExpiryView,
  GlobalSessionView,
  QuotaView,
  ServerFigures,
  ServerView,
  WatchSummaryView,
} from './commands/view.js';
import type { ServerConfig } from './config/config.js';
import type { ClientConnection } from './connection.js';
import type { ServerMetrics } from './metrics.js';
import { RestoreError, type Restore } from '../storage/restore.js';
import type { WrittenSnapshot } from '../storage/snapshot-writer.js';
import type { Server } from './server.js';

const DIGEST_VERSION = 2;
const QUOTA_ROOT = '/zookeeper/quota';

export class ViewOfServer implements ServerView {
  readonly #server: Server;
  readonly clock: Clock;
  readonly metrics: ServerMetrics;
  readonly startedMs: number;

  constructor(server: Server) {
    this.#server = server;
    this.clock = server.world.clock;
    this.metrics = server.metrics;
    this.startedMs = server.startedMs;
  }

  get serverState(): ServerView['serverState'] {
    return this.#server.mode;
  }

  get isReadOnly(): boolean {
    return this.#server.replica.isReadOnly;
  }

  get ensemble(): EnsembleView | null {
    return this.#server.ensemble;
  }

  get config(): ServerConfig {
    return this.#server.config;
  }

  get traceMask(): bigint {
    return this.#server.process.traceMask;
  }

  set traceMask(mask: bigint) {
    this.#server.process.traceMask = mask;
  }

  get isServing(): boolean {
    return this.#server.isServing;
  }

  get clientPort(): number {
    return this.#server.config.clientPort === -1 ? -1 : this.#server.address.port;
  }

  figures(): ServerFigures {
    const server = this.#server;
    const { stats, tree, port, world } = server;
    const descriptors = world.fileDescriptors();
    return {
      packetsReceived: stats.packetsReceived,
      packetsSent: stats.packetsSent,
      minLatencyMs: stats.latencyMinMs,
      avgLatencyMs: stats.latencyAvgMs,
      maxLatencyMs: stats.latencyMaxMs,
      outstandingRequests: server.replica.outstandingCount + port.parkedCount,
      connectionCount: port.connections().size,
      lastZxid: this.#lastZxid(),
      znodeCount: tree.nodeCount,
      watchCount: server.watches.size,
      ephemeralCount: tree.ephemeralCount,
      approximateDataBytes: tree.approximateDataSize(),
      sessionCount: server.sessions.size,
      localSessionCount: server.replica.localSessions?.tracker.size ?? 0,
      lastResponseBytes: stats.lastResponseBytes,
      minResponseBytes: stats.minResponseBytes,
      maxResponseBytes: stats.maxResponseBytes,
      connectionDropProbability: port.connectionDropChance,
      authFailedCount: stats.authFailedCount,
      fsyncThresholdExceedCount: server.slowFsyncCount,
      openFileDescriptorCount: descriptors?.open ?? null,
      maxFileDescriptorCount: descriptors?.max ?? null,
    };
  }

  *connections(): Generator<ConnectionView> {
    for (const connection of this.#server.port.connections()) yield this.#viewOf(connection);
  }

  sessionExpiries(): Iterable<ExpiryView> {
    const { sessions, replica } = this.#server;
    return replica.ownsSessions ? expiriesOf(sessions) : [];
  }

  localSessionExpiries(): Iterable<ExpiryView> | null {
    const { localSessions, isReadOnly } = this.#server.replica;
    // a server without a quorum has no others; Apache shows them where sessions may be local
    const isShown = !isReadOnly || this.config.ensemble.localSessionsEnabled;
    return localSessions === null || !isShown ? null : expiriesOf(localSessions.tracker);
  }

  globalSessions(): Iterable<GlobalSessionView> | null {
    const { sessions, replica } = this.#server;
    return replica.ownsSessions ? null : sessions.all();
  }

  *ephemerals(): Generator<readonly [bigint, Iterable<string>]> {
    const { tree } = this.#server;
    for (const id of tree.sessionsWithEphemerals()) {
      const high = Number(BigInt.asUintN(32, id >> 32n));
      const low = Number(BigInt.asUintN(32, id));
      yield [id, this.#paths(tree.ephemeralsOf(high, low))];
    }
  }

  *watchesBySession(): Generator<readonly [bigint, Iterable<string>]> {
    for (const connection of this.#server.port.connections()) {
      if (connection.dataPaths.size === 0 || connection.session === null) continue;
      yield [connection.session.id, connection.dataPaths.keys()];
    }
  }

  *watchesByPath(): Generator<readonly [string, Iterable<bigint>]> {
    for (const [path, watchers] of this.#server.watches.data.byPath()) {
      yield [path, sessionsOf(watchers.keys())];
    }
  }

  watchSummary(): WatchSummaryView {
    const { data } = this.#server.watches;
    let connections = 0;
    for (const connection of this.#server.port.connections()) {
      if (connection.dataPaths.size > 0) connections++;
    }
    return { connections, paths: data.pathCount, watches: data.size };
  }

  *digests(): Generator<DigestView> {
    for (const entry of this.#server.tree.digests.entries()) {
      yield { ...entry, version: DIGEST_VERSION };
    }
  }

  *quotas(): Generator<QuotaView> {
    const { tree } = this.#server;
    const root = tree.findPath(QUOTA_ROOT);
    if (root === 0) return;
    for (let child = tree.firstChild(root); child !== 0; child = tree.nextSibling(child)) {
      const sum = { countLimit: -1, bytesLimit: -1, countUsage: -1, bytesUsage: -1 };
      this.#addQuotas(child, sum);
      yield { namespace: tree.nameOf(child), ...sum };
    }
  }

  lastSnapshot(): { readonly zxid: bigint; readonly timeMs: number } | null {
    return this.#server.lastSnapshot;
  }

  directorySizes(): { readonly dataDirBytes: number; readonly dataLogDirBytes: number } {
    const { dataDir, dataLogDir } = this.config;
    return { dataDirBytes: this.#sizeOf(dataDir), dataLogDirBytes: this.#sizeOf(dataLogDir) };
  }

  environment(): Iterable<readonly [string, string]> {
    return this.#server.world.environment();
  }

  permits(scheme: string, shown: Uint8Array, path: string, perms: number): boolean | null {
    const { port, tree } = this.#server;
    const caller = callerOf(port, scheme, shown);
    const node = tree.findPath(path);
    if (caller === null || node === 0) return null;
    const acl = tree.acls.get(tree.aclId(node));
    for (let perm = 1; perm <= perms; perm *= 2) {
      if ((perms & perm) !== 0 && !port.allows(acl, perm, caller)) return false;
    }
    return true;
  }

  takeSnapshot(): Promise<WrittenSnapshot | null> {
    return this.#server.snapshotNow();
  }

  beginRestore(): Restore {
    return this.#server.beginRestore();
  }

  restore(restore: Restore): Promise<void> {
    const { restorer } = this.#server;
    if (restorer !== null) return restorer(restore);
    return Promise.reject(new RestoreError('there is no quorum'));
  }

  resetFigures(): void {
    this.#server.stats.reset();
    this.#server.metrics.reset();
    this.#server.figures.proposalBytes.reset();
  }

  resetConnectionFigures(): void {
    for (const connection of this.#server.port.connections()) connection.figures.reset();
  }

  #lastZxid(): bigint {
    const { lastZxidHigh, lastZxidLow } = this.#server.tree;
    return (BigInt(lastZxidHigh >>> 0) << 32n) | BigInt(lastZxidLow >>> 0);
  }

  *#paths(nodes: Iterable<NodeId>): Generator<string> {
    for (const node of nodes) yield this.#server.tree.pathOf(node);
  }

  #viewOf(connection: ClientConnection): ConnectionView {
    const { session, socket, figures } = connection;
    const { sessionlessCnxnTimeoutMs } = this.config;
    return {
      remoteAddress: socket.remoteAddress,
      remotePort: socket.remotePort,
      isSecure: socket.tls !== undefined,
      isReading: connection.isReading,
      isWriting: socket.pendingBytes > 0,
      outstandingRequests: connection.outstandingCount,
      packetsReceived: figures.packetsReceived,
      packetsSent: figures.packetsSent,
      sessionId: session?.id ?? 0n,
      sessionTimeoutMs: connection.timeoutMs,
      lastOperation: figures.lastOp,
      establishedMs: connection.establishedMs,
      expiresMs: session?.bucketMs ?? connection.establishedMs + sessionlessCnxnTimeoutMs,
      lastCxid: figures.lastXid,
      lastZxid: zxidOfParts(figures.lastZxidHigh, figures.lastZxidLow),
      lastResponseMs: figures.lastResponseMs,
      lastLatencyMs: figures.lastLatencyMs,
      minLatencyMs: figures.minLatencyMs,
      avgLatencyMs: figures.avgLatencyMs,
      maxLatencyMs: figures.maxLatencyMs,
    };
  }

  #sizeOf(directory: string): number {
    const { disk } = this.#server.world;
    const inside = `${directory}/version-2`;
    let bytes = 0;
    try {
      for (const entry of disk.listNow(inside)) {
        if (!entry.isDirectory) bytes += disk.sizeNow(`${inside}/${entry.name}`);
      }
    } catch (error) {
      // a file purged meanwhile, a disk that errs: nothing an operator asks may end the server
      if (!(error instanceof DiskError)) throw error;
    }
    return bytes;
  }

  /** Adds up every quota below a namespace: limits that are set, usage as far as counted. */
  #addQuotas(
    node: NodeId,
    sum: { countLimit: number; bytesLimit: number; countUsage: number; bytesUsage: number },
  ): void {
    const { tree } = this.#server;
    for (let child = tree.firstChild(node); child !== 0; child = tree.nextSibling(child)) {
      const name = tree.nameOf(child);
      if (name === 'zookeeper_limits') {
        const limits = this.#quotaAt(child);
        sum.countLimit = added(sum.countLimit, strictest(limits.count, limits.countHardLimit));
        sum.bytesLimit = added(sum.bytesLimit, strictest(limits.bytes, limits.byteHardLimit));
      } else if (name === 'zookeeper_stats') {
        const used = this.#quotaAt(child);
        sum.countUsage = added(sum.countUsage, used.count);
        sum.bytesUsage = added(sum.bytesUsage, used.bytes);
      } else this.#addQuotas(child, sum);
    }
  }

  #quotaAt(node: NodeId): ReturnType<typeof parseQuota> {
    const data = this.#server.tree.data(node);
    return parseQuota(data === null ? '' : decodeUtf8(data, 0, data.length));
  }
}

/** Null: it is nobody. */
function callerOf(port: ClientPort, scheme: string, shown: Uint8Array): Caller | null {
  if (scheme === 'ip') return { authIds: [{ scheme, id: decodeUtf8(shown, 0, shown.length) }] };
  const packet = new Writer(shown.length + 64);
  AuthPacket.write(packet, { type: 0, scheme, auth: shown });
  const caller = prove(port, NOBODY, new Reader().reset(packet.bytes, 0, packet.pos));
  return typeof caller === 'string' || caller.authIds.length === 0 ? null : caller;
}

function* expiriesOf(sessions: SessionTracker): Generator<ExpiryView> {
  for (const bucket of sessions.buckets()) {
    yield { expiresMs: bucket.endMs, sessionIds: bucket.sessions.map((session) => session.id) };
  }
}

function* sessionsOf(connections: Iterable<ClientConnection>): Generator<bigint> {
  for (const { session } of connections) if (session !== null) yield session.id;
}

const strictest = (soft: number, hard: number): number => (hard > -1 ? hard : soft);
const added = (sum: number, more: number): number => (more < 0 ? sum : Math.max(0, sum) + more);
