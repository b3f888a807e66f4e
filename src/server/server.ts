/**
 * One server as clients meet it: the client port, sessions that expire, containers that are collected,
 * snapshots that are taken, and a stop that loses nothing acknowledged. Alone it recovers its own
 * state and leads itself; as a member of an ensemble (`ensemble/`) it exists as long as a role lasts.
 * Everything it knows of the world comes in as ports, so the same server runs in production and in
 * the simulator.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { Crypto } from '../ports/crypto.js';
import type { Compression, Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import type { Listener, Network } from '../ports/network.js';
import { OpCode } from '../protocol/opcodes.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { Writer } from '../protocol/writer.js';
import { formatZxid, zxidOfParts } from '../protocol/zxid.js';
import { formatSessionId, type Session } from '../session/session.js';
import { SessionTracker } from '../session/tracker.js';
import { Storage } from '../storage/storage.js';
import type { Tree, TreeOptions } from '../tree/tree.js';
import type { PrepareOptions } from '../txn/context.js';
import { ClientPort } from './client-port.js';
import { clientPortOptions } from './client-port-options.js';
import { Collector } from './collector.js';
import type { ServerConfig } from './config/config.js';
import { PendingWrite } from './pending.js';
import type { ServerMetrics } from './metrics.js';
import { PauseMonitor } from './pause-monitor.js';
import { PipelineFigures } from './pipeline-figures.js';
import { ProcessFigures } from './process-figures.js';
import { Applier } from './applier.js';
import { LocalSessions } from './local-sessions.js';
import type { Replica } from './replica.js';
import { standaloneReplica } from './standalone-replica.js';
import { ServerStats } from './server-stats.js';
import { ViewOfServer } from './server-view.js';
import type { EnsembleView } from './commands/ensemble-view.js';
import { runFourLetterWord } from './commands/four-letter-answers.js';
import type { ConfigStore } from './ensemble/membership.js';
import { SnapshotSchedule } from './snapshot-schedule.js';
import { Watches } from './watches.js';

export interface ServerWorld {
  readonly clock: Clock;
  readonly network: Network;
  readonly disk: Disk;
  readonly compression: Compression;
  readonly crypto: Crypto;
  readonly logger: Logger;
  /** In [0, 1): only spreads snapshots in time. */
  fraction(): number;
  /** Of the process and its machine, as `envi` shows them. */
  environment(): Iterable<readonly [name: string, value: string]>;
  /** Null where the system does not tell. */
  fileDescriptors(): { readonly open: number; readonly max: number } | null;
  /** Where an ensemble's configurations outlive the process; absent: nowhere. */
  readonly configStore?: ConfigStore | null;
  /** The disk failed under the log: nothing may be acknowledged any more. Does not return. */
  onFatal(error: Error): never;
}

const HOUR_MS = 3_600_000;

export interface ServerParts {
  readonly storage: Storage;
  readonly applier: Applier;
  /** How requests become transactions here. */
  makeReplica(server: Server): Replica;
  /** What is counted since the process began; absent: it begins with this server. */
  readonly figures?: ProcessFigures;
}

/** A leader that takes requests of sessions it does not know must know those that are over. */
const ENDED_KEPT = 65_536;
/** Whatever its myid file says: Apache's standalone server counts as 1. */
const STANDALONE_SID = 1;

export class Server {
  config: ServerConfig;
  readonly world: ServerWorld;
  /** Told of sessions as they come and go. */
  onSession: ((id: bigint, kind: 'created' | 'closed') => void) | null = null;
  readonly stats = new ServerStats();
  /** Of the process: they go on when another server takes this one's place. */
  readonly process: ProcessFigures;
  readonly figures: PipelineFigures;
  /** Null: it stands alone. */
  ensemble: EnsembleView | null = null;
  /** As what it serves. */
  mode: 'standalone' | 'leader' | 'follower' | 'observer' | 'read-only' = 'standalone';
  /** For who listens for it; a standalone server listens itself. */
  listeningAt: { readonly host: string; readonly port: number } = { host: '', port: 0 };
  lastSnapshot: { readonly zxid: bigint; readonly timeMs: number } | null = null;
  slowFsyncCount = 0;
  readonly startedMs: number;
  readonly #storage: Storage;
  readonly #applier: Applier;
  readonly tree: Tree;
  readonly sessions: SessionTracker;
  readonly replica: Replica;
  readonly watches: Watches;
  readonly port: ClientPort;
  readonly snapshots: SnapshotSchedule;
  readonly #collector: Collector;
  readonly #pauses: PauseMonitor | null;
  readonly view: ViewOfServer;
  /** In the log, and not flushed. */
  #appended: TxnBatch[] = [];
  #listener: Listener | null = null;
  #tick: Timer | null = null;
  #tickDueMs = 0;
  #isServing = false;
  #isStopping = false;

  /** Recovers the data directory and opens the client port. Throws StartError, one clear line. */
  static async start(config: ServerConfig, world: ServerWorld): Promise<Server> {
    const storage = openStorage(config, world);
    let server: Server | null = null;
    try {
      const startMs = world.clock.monotonicMs();
      const recovered = await storage.recover();
      const tookMs = world.clock.monotonicMs() - startMs;
      const applier = applierOf(config, world, STANDALONE_SID, recovered.tree, recovered.sessions);
      server = new Server(config, world, {
        storage,
        applier,
        makeReplica: (self) =>
          standaloneReplica(applier, {
            clock: world.clock,
            log: self,
            prepare: self.prepareOptions(),
            onTurnEnd: () => {
              self.onTurnEnd();
            },
          }),
      });
      server.process.recovered(tookMs, recovered.replayed);
      if (recovered.snapshotZxid !== null) {
        server.lastSnapshot = { zxid: recovered.snapshotZxid, timeMs: world.clock.wallMs() };
      }
      await server.#listen();
      return server;
    } catch (problem) {
      await server?.stop();
      storage.close();
      throw problem;
    }
  }

  /** Serves nobody yet: `serve`. */
  constructor(config: ServerConfig, world: ServerWorld, parts: ServerParts) {
    const { clock, logger } = world;
    const { storage, applier } = parts;
    const { tree } = applier;
    this.config = config;
    this.world = world;
    this.#storage = storage;
    this.#applier = applier;
    this.tree = tree;
    this.startedMs = clock.monotonicMs();
    this.sessions = applier.sessions;
    this.process = parts.figures ?? new ProcessFigures();
    this.figures = new PipelineFigures(
      this.metrics,
      clock,
      config.myid ?? STANDALONE_SID,
      () => this.mode,
    );
    const events = {
      onSessionCreated: (session: Session) => this.#onSessionCreated(session),
      onSessionClosed: (id: bigint) => {
        this.port.onSessionClosed(id);
        this.onSession?.(id, 'closed');
      },
    };
    applier.events = {
      ...events,
      onDigestMismatch: (high, low) => this.#onDigestMismatch(high, low),
    };
    this.replica = parts.makeReplica(this);
    this.replica.figures = applier.figures = this.figures;
    const { isDistributed, localSessionsEnabled, localSessionsUpgradingEnabled } = config.ensemble;
    if (this.replica.isReadOnly || (isDistributed && localSessionsEnabled)) {
      const tracker = sessionTrackerOf(config, world, config.myid ?? STANDALONE_SID);
      const canUpgrade = localSessionsUpgradingEnabled && !this.replica.isReadOnly;
      this.replica.localSessions = new LocalSessions(tracker, canUpgrade, events);
    }
    this.watches = new Watches({
      metrics: this.metrics,
      tree,
      allows: (acl, perms, caller) => this.port.allows(acl, perms, caller),
      applyingZxid: () => ({ high: applier.zxidHigh, low: applier.zxidLow }),
    });
    tree.listener = this.watches;
    this.view = new ViewOfServer(this);
    this.port = new ClientPort(
      {
        options: clientPortOptions(config, world.crypto),
        clock,
        logger,
        network: world.network,
        stats: this.stats,
        metrics: this.metrics,
        figures: this.figures,
        answerWord: (word, argument) => runFourLetterWord(word, this.view, argument),
        fraction: () => world.fraction(),
      },
      this.replica,
      this.watches,
    );
    this.snapshots = new SnapshotSchedule(
      {
        snapCount: config.snapCount,
        snapLogPercent: config.snapLogPercent,
        snapSizeLimitBytes: config.snapSizeLimitBytes,
        snapshotIntervalMs: config.snapshotIntervalMs,
        purgeIntervalMs: config.autopurgePurgeIntervalHours * HOUR_MS,
      },
      {
        snapshot: () => this.takeSnapshot(),
        hurry: () => {
          storage.hurrySnapshot();
        },
        purge: () => storage.purge(),
        fraction: () => world.fraction(),
      },
      clock,
      logger,
    );
    this.#pauses = config.pauseMonitorEnabled
      ? new PauseMonitor({ clock, logger, metrics: this.metrics, settings: config })
      : null;
    this.#collector = new Collector(
      tree,
      clock,
      {
        checkIntervalMs: config.containerCheckIntervalMs,
        maxPerMinute: config.containerMaxPerMinute,
        maxNeverUsedIntervalMs: config.containerMaxNeverUsedIntervalMs,
      },
      (path) => this.#deleteContainer(path),
    );
  }

  get isServing(): boolean {
    return this.#isServing && !this.#isStopping;
  }

  get metrics(): ServerMetrics {
    return this.process.metrics;
  }

  /** Where clients reach this server. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#listener ?? this.listeningAt;
  }

  /** Stops accepting, lets what is proposed become durable, closes everything. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#tick?.cancel();
    this.#collector.stop();
    this.#pauses?.stop();
    await this.port.close();
    await this.replica.idle();
    // the log has everything: a snapshot half written is not worth waiting for
    this.#storage.abandonSnapshot();
    await this.snapshots.stop();
    this.#applier.events = this.#applier.figures = null;
    this.tree.listener = null;
    if (this.#listener !== null) this.#storage.close();
  }

  /**
   * The role is over: clients are sent away at once, and what they wait for is not waited for. The
   * state and the storage are the next role's.
   */
  async leave(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#tick?.cancel();
    this.#collector.stop();
    this.#pauses?.stop();
    this.#applier.events = this.#applier.figures = null;
    this.tree.listener = null;
    const closed = this.port.close();
    this.#storage.abandonSnapshot();
    await Promise.all([closed, this.snapshots.stop()]);
  }

  /** Takes over the settings that a running server can. */
  reconfigure(config: ServerConfig): void {
    this.config = config;
    this.port.options = clientPortOptions(config, this.world.crypto);
  }

  /** Ends the session as its expiry would. */
  expireSession(session: Session): void {
    session.isClosing = true;
    if (session.locality === 'here') {
      this.replica.localSessions?.end(session);
      return;
    }
    const pending = new PendingWrite(null, OpCode.closeSession, 0, this.world.clock.monotonicMs());
    this.replica.closeSession(session, pending, 0);
  }

  /** Accepted connections are served from here on. */
  serve(): void {
    this.#isServing = true;
    if (this.replica.ownsSessions) {
      this.#closeOrphans();
      this.#collector.start();
    }
    this.#scheduleTick(this.world.clock.monotonicMs() + this.config.tickTimeMs / 2);
    this.#pauses?.start();
    this.snapshots.start();
  }

  async #listen(): Promise<void> {
    const { config } = this;
    const host = config.clientPortAddress ?? undefined;
    this.#listener = await this.port.listen(
      host,
      config.clientPort,
      config.clientPortListenBacklog,
    );
    this.serve();
  }

  prepareOptions(): PrepareOptions {
    const { config, world } = this;
    return {
      skipAcl: config.skipAcl,
      enforceQuota: config.enforceQuota,
      extendedTypesEnabled: config.extendedTypesEnabled,
      emulate353Ttl: config.emulate353TtlNodes,
      digestEnabled: config.digestEnabled,
      closeSessionTxnEnabled: config.closeSessionTxnEnabled,
      // whoever leads others says how
      ...(config.ensemble.reconfigEnabled ? { reconfig: null } : {}),
      onQuotaExceeded: (message, refused) => {
        world.logger.warn(message);
        const [, namespace] = refused?.split('/') ?? [];
        if (namespace) this.metrics.quotaExceededErrorPerNamespace.of(namespace)?.add(1);
      },
    };
  }

  /** A batch has been applied and its replies encoded: they leave. */
  onTurnEnd(): void {
    this.port.flush();
    this.port.onRoom();
  }

  append(batch: TxnBatch): void {
    this.figures.appended(batch);
    this.#appended.push(batch);
    this.#storage.append(batch);
    this.snapshots.onLogged(batch.count, batch.length);
  }

  flush(done: () => void): void {
    const { clock } = this.world;
    const startMs = clock.monotonicMs();
    const appended = this.#appended;
    this.#appended = [];
    this.#storage.flush(() => {
      const tookMs = clock.monotonicMs() - startMs;
      this.figures.flushed(appended, tookMs);
      if (tookMs > this.config.fsyncWarningThresholdMs) this.slowFsyncCount++;
      done();
    });
  }

  get flushesMax(): number {
    return this.#storage.flushesMax;
  }

  /** The log starts a new file, so that purging can let go of what the snapshot holds. */
  async takeSnapshot(): Promise<{ readonly file: string; readonly bytes: number }> {
    this.#storage.rollLog();
    const living: [bigint, number][] = [];
    for (const session of this.sessions.all()) {
      if (session.isEstablished) living.push([session.id, session.timeoutMs]);
    }
    const startMs = this.world.clock.monotonicMs();
    const written = await this.#storage
      .takeSnapshot(this.tree, living, {})
      .catch((problem: unknown) => {
        if (!this.#isStopping) this.metrics.snapshotErrorCount.value++;
        throw problem;
      });
    this.metrics.snapshotTimeMs.add(this.world.clock.monotonicMs() - startMs);
    this.lastSnapshot = { zxid: written.zxid, timeMs: this.world.clock.wallMs() };
    return written;
  }

  #onDigestMismatch(zxidHigh: number, zxidLow: number): void {
    this.metrics.digestMismatchesCount.add(1);
    this.world.logger.error('the tree differs from what was foreseen: please report this', {
      zxid: formatZxid(zxidOfParts(zxidHigh, zxidLow)),
    });
  }

  #onSessionCreated(session: Session): void {
    this.onSession?.(session.id, 'created');
    this.world.logger.debug('session created', {
      session: formatSessionId(session.id),
      timeoutMs: session.timeoutMs,
    });
  }

  /** Half a tick: late expiry costs clients' failover time, early expiry would be wrong. */
  #scheduleTick(dueMs: number): void {
    this.#tickDueMs = dueMs;
    const { clock } = this.world;
    this.#tick = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => this.#onTick());
  }

  #onTick(): void {
    const { clock } = this.world;
    const lateMs = clock.monotonicMs() - this.#tickDueMs;
    // after a stall, what clients sent meanwhile is read before anybody is judged
    if (lateMs > this.config.tickTimeMs / 2) {
      clock.soon(() => clock.soon(() => this.#expire(lateMs)));
    } else this.#expire(0);
  }

  #expire(lateMs: number): void {
    if (this.#isStopping) return;
    const { clock } = this.world;
    const nowMs = clock.monotonicMs();
    if (this.replica.ownsSessions) this.#expireSessions(this.sessions, nowMs, lateMs);
    const local = this.replica.localSessions;
    if (local !== null) this.#expireSessions(local.tracker, nowMs, lateMs);
    this.port.closeSessionless(nowMs);
    this.#scheduleTick(nowMs + this.config.tickTimeMs / 2);
  }

  #expireSessions(sessions: SessionTracker, nowMs: number, lateMs: number): void {
    const { logger } = this.world;
    sessions.expire(nowMs, lateMs, (session) => {
      // its pings may lie unread because we do not read: that is not the client's silence
      if (this.port.connectionOf(session.id)?.isHeldBack === true) return false;
      logger.debug('session expired', {
        session: formatSessionId(session.id),
        timeoutMs: session.timeoutMs,
      });
      this.metrics.staleSessionsExpired.value++;
      this.expireSession(session);
      return true;
    });
  }

  /** Ephemerals whose session the log no longer knows go as their session's end would take them. */
  #closeOrphans(): void {
    for (const id of this.tree.sessionsWithEphemerals()) {
      if (this.sessions.get(id) !== undefined) continue;
      this.world.logger.warn('removing the ephemerals of a session that is gone', {
        session: formatSessionId(id),
      });
      const session = this.sessions.track(id, this.config.minSessionTimeoutMs, this.startedMs);
      this.expireSession(session);
    }
  }

  #deleteContainer(path: string): void {
    const { replica } = this;
    const writer = new Writer(path.length + 16);
    writer.writeString(path);
    const request = replica.request;
    request.op = OpCode.deleteContainer;
    request.cxid = 0;
    request.session = null;
    request.sessionHigh = 0;
    request.sessionLow = 0;
    request.bytes = writer.bytes;
    request.start = 0;
    request.end = writer.pos;
    replica.submit(
      new PendingWrite(null, OpCode.deleteContainer, 0, this.world.clock.monotonicMs()),
    );
  }
}

/** Throws StartError: one clear line. */
export function openStorage(config: ServerConfig, world: ServerWorld): Storage {
  return Storage.open({
    disk: world.disk,
    compression: world.compression,
    clock: world.clock,
    logger: world.logger,
    snapDir: config.dataDir,
    logDir: config.dataLogDir,
    preAllocBytes: config.preAllocBytes,
    txnLogSizeLimitBytes: config.txnLogSizeLimitBytes,
    forceSync: config.forceSync,
    fsyncWarningMs: config.fsyncWarningThresholdMs,
    snapshotCompression: config.snapshotCompression,
    snapRetainCount: config.autopurgeSnapRetainCount,
    autoCreateDirectories: config.dataDirAutoCreate,
    trustEmptySnapshot: config.snapshotTrustEmpty,
    autoCreateDb: config.dbAutoCreate,
    serializeLastProcessedZxid: config.serializeLastProcessedZxidEnabled,
    treeOptions: treeOptionsOf(config),
    onFatal: (error: Error) => world.onFatal(error),
  });
}

export function treeOptionsOf(config: ServerConfig): TreeOptions {
  return {
    digestEnabled: config.digestEnabled,
    emulate353Ttl: config.emulate353TtlNodes,
    extendedTypes: config.extendedTypesEnabled,
  };
}

/** State as recovered, with every session's timeout beginning now. */
export function applierOf(
  config: ServerConfig,
  world: ServerWorld,
  serverId: number,
  tree: Tree,
  living: ReadonlyMap<bigint, number>,
): Applier {
  const { clock } = world;
  const sessions = sessionTrackerOf(config, world, serverId);
  const nowMs = clock.monotonicMs();
  for (const [id, timeoutMs] of living) {
    sessions.track(id, timeoutMs, nowMs).isEstablished = true;
  }
  return new Applier(tree, sessions, () => clock.monotonicMs());
}

function sessionTrackerOf(
  config: ServerConfig,
  world: ServerWorld,
  serverId: number,
): SessionTracker {
  return new SessionTracker({
    tickTimeMs: config.tickTimeMs,
    serverId,
    wallMs: world.clock.wallMs(),
    endedKept: config.ensemble.localSessionsEnabled ? ENDED_KEPT : 0,
  });
}
