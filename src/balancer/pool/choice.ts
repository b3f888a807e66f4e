/**
 * Which server a session gets. First what it may not have is ruled out: those that it has tried, that
 * drain or have no room, that are read-only while there is another, whose name has not been resolved while
 * there is another, that lack what its client has seen.
 * Among the awake that remain the levels and the policy decide. Where none remains the next best is given,
 * down to one that does not seem to be well: the client would be turned away otherwise.
 */
import type { Target } from '../../balance/target.js';
import type { TargetPool } from '../../balance/target-pool.js';
import type { PooledBackend } from './backend.js';
import type { BackendNeed } from '../keeping/keeping-types.js';

export interface ChoiceHost {
  readonly pool: TargetPool;
  readonly random: () => number;
  hasRoom(backend: PooledBackend): boolean;
  /** It is known where it is: nobody would have to wait for its name. */
  hasPlace(backend: PooledBackend): boolean;
  /** As seen from a zone: the lower, the sooner. */
  priorityOf(backend: PooledBackend, zone: string): number;
}

export class Choice {
  readonly #host: ChoiceHost;
  readonly #excluded = new Set<Target>();

  constructor(host: ChoiceHost) {
    this.#host = host;
  }

  /** Of `all` there are. Null: none of them is possible. */
  choose(all: readonly PooledBackend[], need: BackendNeed, nowMs: number): PooledBackend | null {
    const hasWritable = all.some(
      (one) => !one.isReadOnly && one.isWell && !need.excluded.has(one) && !one.isDraining,
    );
    const allowed = all.filter(
      (one) =>
        !one.isDraining &&
        !need.excluded.has(one) &&
        this.#host.hasRoom(one) &&
        (!one.isReadOnly || (need.canBeReadOnly && !hasWritable)),
    );
    const placed = allowed.filter((one) => this.#host.hasPlace(one));
    const possible = placed.some(({ isWell }) => isWell) ? placed : allowed;
    const fit = possible.filter((one) => one.isWell && hasSeen(one, need.minZxid));
    return (
      this.#byPolicy(possible, all, need, nowMs) ??
      this.#leastOf(
        fit.filter(({ set, weight }) => set !== 'awake' && weight > 0),
        need,
      ) ??
      // the client is ahead of all: where most is known the chance is best that it is not refused
      mostAhead(possible.filter(({ isWell }) => isWell)) ??
      this.#leastOf(
        possible.filter(({ health }) => health.state !== 'down'),
        need,
      ) ??
      this.#leastOf(possible, need)
    );
  }

  /** Awake, and in panic not necessarily well. */
  #byPolicy(
    possible: readonly PooledBackend[],
    all: readonly PooledBackend[],
    { origin, minZxid }: BackendNeed,
    nowMs: number,
  ): PooledBackend | null {
    const awake = possible.filter((one) => one.set === 'awake' && hasSeen(one, minZxid));
    if (awake.length === 0) return null;
    this.#excluded.clear();
    for (const one of all) if (!awake.includes(one)) this.#excluded.add(one.target);
    const view = origin.zone ?? '';
    const target = this.#host.pool.pick(nowMs, { excluded: this.#excluded, view });
    return awake.find((one) => one.target === target) ?? null;
  }

  /** The nearest with the least for its weight; among equals, by lot. */
  #leastOf(some: readonly PooledBackend[], { origin }: BackendNeed): PooledBackend | null {
    const zone = origin.zone ?? '';
    let least: PooledBackend | null = null;
    let leastKey = Infinity;
    for (const backend of some) {
      const load = backend.target.pending / Math.max(backend.weight, 0.001);
      const tie = this.#host.random() * 0.5;
      const key = this.#host.priorityOf(backend, zone) * 1e9 + load + tie;
      if (key >= leastKey) continue;
      leastKey = key;
      least = backend;
    }
    return least;
  }
}

/**
 * Not known to be behind. A client has often seen more than any check: they are seconds apart. So one
 * that was not behind at its last check is taken to have what the client has seen.
 */
function hasSeen({ health, knownZxid }: PooledBackend, minZxid: bigint): boolean {
  return health.lagMs === 0 || knownZxid >= minZxid;
}

function mostAhead(some: readonly PooledBackend[]): PooledBackend | null {
  let best: PooledBackend | null = null;
  for (const backend of some) {
    if (best === null || backend.knownZxid > best.knownZxid) best = backend;
  }
  return best;
}
