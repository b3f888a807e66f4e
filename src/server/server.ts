/**
 * One server as clients meet it: the client port, sessions that expire, containers that are collected,
 * snapshots that are taken, and a stop that loses nothing acknowledged. Alone it recovers its own
 * state and leads itself; as a member of an ensemble (`ensemble/`) it exists as long as a role lasts.
 * Everything it knows of the world comes in as ports, so the same server runs in production and in
 * the simulator.
 */
import type { Listener } from '../ports/network.js';
import { OpCode } from '../protocol/opcodes.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { formatZxid, zxidOfParts } from '../protocol/zxid.js';
import { formatSessionId, type Session } from '../session/session.js';
import type { SessionTracker } from '../session/tracker.js';
import { RestoreError, type Restore } from '../storage/restore.js';
import type { WrittenSnapshot } from '../storage/snapshot-writer.js';
import type { Storage } from '../storage/storage.js';
import type { Tree } from '../tree/tree.js';
import type { PrepareOptions } from '../txn/context.js';
import { ClientPort } from './client-port.js';
import { aclSchemesOf } from './acl-schemes.js';
import { clientListeners, clientPortOptions } from './client-port-options.js';
import { Collector } from './collector.js';
import type { ServerConfig } from './config/config.js';
import { deleteContainer } from './container-deletion.js';
import { PendingWrite } from './pending.js';
import type { ServerMetrics } from './metrics.js';
import { PauseMonitor } from './pause-monitor.js';
import { PipelineFigures } from './pipeline-figures.js';
import { ProcessFigures } from './process-figures.js';
import type { Applier } from './applier.js';
import { LocalSessions } from './local-sessions.js';
import type { Replica } from './replica.js';
import { standaloneReplica } from './standalone-replica.js';
import { RecentHistory } from './recent/recent-history.js';
import { ServerStats } from './server-stats.js';
import { applierOf, openStorage, sessionTrackerOf } from './server-state.js';
import { ViewOfServer } from './server-view.js';
import type { ServerWorld } from './server-world.js';
import { SessionExpiry } from './session-expiry.js';
import type { EnsembleView } from './commands/ensemble-view.js';
import { runFourLetterWord } from './commands/four-letter-answers.js';
import { SnapshotSchedule } from './snapshot-schedule.js';
import { Watches } from './watches.js';

const HOUR_MS = 3_600_000;

export interface ServerParts {
  readonly storage: Storage;
  readonly applier: Applier;
  /** How requests become transactions here. */
  makeReplica(server: Server): Replica;
  /** What is counted since the process began; absent: it begins with this server. */
  readonly figures?: ProcessFigures;
}

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
  /** How a snapshot that has arrived takes the place of everything here; null: not here. */
  restorer: ((restore: Restore) => Promise<void>) | null = null;
  /** Told of the server that has taken this one's place. */
  onSuccessor: ((next: Server) => void) | null = null;
  /** For who listens for it; a standalone server listens itself. */
  listeningAt: { readonly host: string; readonly port: number } = { host: '', port: 0 };
  lastSnapshot: { readonly zxid: bigint; readonly timeMs: number } | null = null;
  /** The last one that this server wrote. */
  #written: WrittenSnapshot | null = null;
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
  readonly #expiry: SessionExpiry;
  readonly #pauses: PauseMonitor | null;
  readonly view: ViewOfServer;
  /** In the log, and not flushed. */
  #appended: TxnBatch[] = [];
  #listener: Listener | null = null;
  #isServing = false;
  #isStopping = false;

  /** Recovers the data directory and opens the client port. Throws StartError, one clear line. */
  static async start(config: ServerConfig, world: ServerWorld): Promise<Server> {
    const recent = new RecentHistory(config.recentHistoryBytes);
    const storage = openStorage(config, world, recent);
    let server: Server | null = null;
    try {
      const startMs = world.clock.monotonicMs();
      const recovered = await storage.recover();
      const tookMs = world.clock.monotonicMs() - startMs;
      server = Server.#alone(config, world, storage, recovered, recent);
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

  static #alone(
    config: ServerConfig,
    world: ServerWorld,
    storage: Storage,
    { tree, sessions }: { readonly tree: Tree; readonly sessions: ReadonlyMap<bigint, number> },
    recent: RecentHistory,
    figures?: ProcessFigures,
  ): Server {
    const applier = applierOf(config, world, STANDALONE_SID, tree, sessions, recent);
    recent.settle();
    const server = new Server(config, world, {
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
      ...(figures === undefined ? {} : { figures }),
    });
    server.restorer = (restore) => server.#restoreAlone(restore);
    return server;
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
    this.#expiry = new SessionExpiry({
      clock,
      logger,
      metrics: this.metrics,
      port: this.port,
      replica: this.replica,
      sessions: this.sessions,
      tickTimeMs: () => this.config.tickTimeMs,
      end: (session) => {
        this.expireSession(session);
      },
    });
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
      (path) => {
        deleteContainer(this.replica, path, clock.monotonicMs());
      },
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
    this.#stopTimers();
    await this.port.close();
    await this.replica.idle();
    // the log has everything: a snapshot half written is not worth waiting for
    this.#storage.abandonSnapshot();
    await this.snapshots.stop();
    this.#letGoOfState();
    if (this.#listener !== null) this.#storage.close();
  }

  /**
   * The role is over: clients are sent away at once, and what they wait for is not waited for. The
   * state and the storage are the next role's.
   */
  async leave(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#stopTimers();
    this.#letGoOfState();
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
    this.#expiry.start();
    this.#pauses?.start();
    this.snapshots.start();
  }

  async #listen(): Promise<void> {
    for (const { network, at } of clientListeners(this.config, this.world)) {
      const listener = await this.port.listen(network, at);
      this.#listener ??= listener;
      if (network !== this.world.secureNetwork) continue;
      this.world.logger.info('listening for clients by TLS', { port: listener.port });
    }
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
      schemes: aclSchemesOf(config.security),
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
  async takeSnapshot(): Promise<WrittenSnapshot> {
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
    this.#written = written;
    return written;
  }

  /** One that holds at least what is here now; null: the disk refused, and the log has said so. */
  async snapshotNow(): Promise<WrittenSnapshot | null> {
    const { snapshots } = this;
    // what is being written began earlier
    if (snapshots.isTaking) await snapshots.take();
    const before = this.#written;
    await snapshots.take();
    return this.#written === before ? null : this.#written;
  }

  /** Somebody's snapshot begins to arrive. Throws DiskError. */
  beginRestore(): Restore {
    return this.#storage.beginRestore();
  }

  /** Another server of this process goes on with what was restored, and with this one's port. */
  async #restoreAlone(restore: Restore): Promise<void> {
    const { config, world } = this;
    const last = (): bigint => zxidOfParts(this.tree.lastZxidHigh, this.tree.lastZxidLow);
    // nobody else gives out zxids: no znode is from a later one
    const zxid = await restore.prepare(restore.zxid > last() ? restore.zxid : last());
    if (!this.isServing || last() >= zxid) throw new RestoreError('too much was written meanwhile');
    await this.#makeRoom();
    await this.#storage.installRestore(restore);
    const { recent } = this.#applier;
    const { prepared } = restore;
    const next = Server.#alone(config, world, this.#storage, prepared, recent, this.process);
    next.lastSnapshot = { zxid, timeMs: world.clock.wallMs() };
    next.onSession = this.onSession;
    next.onSuccessor = this.onSuccessor;
    next.port.inherit(this.port);
    next.#listener = this.#listener;
    this.#listener = null;
    this.onSuccessor?.(next);
    next.serve();
  }

  /** All that was proposed is durable, and nobody is served any more; the port and the disk stay. */
  async #makeRoom(): Promise<void> {
    this.#isStopping = true;
    this.#stopTimers();
    this.port.leave();
    await this.replica.idle();
    this.#storage.abandonSnapshot();
    await this.snapshots.stop();
    this.#letGoOfState();
  }

  #stopTimers(): void {
    this.#expiry.stop();
    this.#collector.stop();
    this.#pauses?.stop();
  }

  /** The tree and the sessions are somebody else's from here on. */
  #letGoOfState(): void {
    this.#applier.events = this.#applier.figures = null;
    this.tree.listener = null;
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
}
