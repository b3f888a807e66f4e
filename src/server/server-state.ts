/**
 * What a server is built upon, made from its configuration: the storage, and the state that was
 * recovered from it, with sessions whose time begins now. A server that stands alone and a member of
 * an ensemble, which keeps its state from role to role, begin with the same.
 */
import { SessionTracker } from '../session/tracker.js';
import { Storage } from '../storage/storage.js';
import type { Tree, TreeOptions } from '../tree/tree.js';
import { Applier } from './applier.js';
import type { ServerConfig } from './config/config.js';
import type { RecentHistory } from './recent/recent-history.js';
import type { ServerWorld } from './server-world.js';

/** A leader that takes requests of sessions it does not know must know those that are over. */
const ENDED_KEPT = 65_536;

/** `recent` follows what is recovered. Throws StartError: one clear line. */
export function openStorage(
  config: ServerConfig,
  world: ServerWorld,
  recent: RecentHistory | null = null,
): Storage {
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
    onReplay: (tree, fuzzyTo) => recent?.follow(tree, fuzzyTo),
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
  recent: RecentHistory,
): Applier {
  const { clock } = world;
  const sessions = sessionTrackerOf(config, world, serverId);
  const nowMs = clock.monotonicMs();
  for (const [id, timeoutMs] of living) {
    sessions.track(id, timeoutMs, nowMs).isEstablished = true;
  }
  recent.follow(tree);
  return new Applier(tree, sessions, recent, () => clock.monotonicMs());
}

export function sessionTrackerOf(
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
