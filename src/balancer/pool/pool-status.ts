/** How the pool stands, for status.ts. */
import type { PooledBackend } from './backend.js';
import type { BalancerStatus, ServerStatus, SubsetStatus } from '../telling/status.js';
import type { ZxidProgress } from './zxid-progress.js';

export interface PoolView {
  readonly servers: readonly ServerStatus[];
  readonly subset: SubsetStatus;
  readonly policy: BalancerStatus['policy'];
}

export function statusOf(backend: PooledBackend, progress: ZxidProgress): ServerStatus {
  const { id, set, health, kind, zone, weight, sessions, knownZxid } = backend;
  return {
    id,
    set: backend.isLeaving ? 'draining' : set,
    isHealthy: backend.isWell,
    reason: health.reason ?? (backend.target.record.isEjected ? backend.reason : null),
    kind,
    role: backend.isReadOnly ? 'read-only' : health.mode,
    version: health.figures?.version ?? null,
    zone,
    zxid: `0x${knownZxid.toString(16)}`,
    lag: health.figures === null ? null : progress.lag(health.figures.zxid),
    weight,
    sessions,
    outstanding: health.figures?.outstanding ?? null,
    latencyMs: backend.latencyMs,
  };
}
