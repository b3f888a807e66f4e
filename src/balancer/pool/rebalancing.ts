/**
 * Moves sessions that could stay: away from servers that are to be emptied (`vacate`), and from servers
 * that have more than their share, at a bounded rate (src/balance/rebalance.ts). A few at a time, because
 * all of them at once would be the storm that a planned move is to avoid; only when a server is down
 * there is nothing to wait for.
 *
 * A session that could not be moved without its client noticing is left alone for a while.
 */
import { present } from '../../base/assert.js';
import { Rebalance, rebalanceDefaults, type ViewLoad } from '../../balance/rebalance.js';
import type { Timer } from '../../ports/clock.js';
import { PooledBackend } from './backend.js';
import { spillDefaults } from './backend-options.js';
import type { BackendPool } from './backend-pool.js';
import type { MoveReason, SessionView } from '../keeping/keeping-types.js';
import type { BalancerWorld } from '../world.js';

export interface RebalancingOptions {
  /** 0: sessions stay where they are. */
  readonly movesPerSecond: number;
  /** A server may have this part more than its share. */
  readonly tolerance: number;
  /** As of the pool. */
  readonly spillFactor: number;
  readonly spillFloor: number;
  readonly intervalMs: number;
  /** Planned moves at one time. */
  readonly movesMax: number;
  /** A session that stayed where it was is asked again after so long, one that moved is left in peace. */
  readonly retryMs: number;
}

export const rebalancingDefaults: RebalancingOptions = {
  movesPerSecond: rebalanceDefaults.movesPerSecond,
  tolerance: rebalanceDefaults.tolerance,
  spillFactor: spillDefaults.factor,
  spillFloor: spillDefaults.floor,
  intervalMs: 1_000,
  movesMax: 8,
  retryMs: 10_000,
};

export class Rebalancing {
  readonly #world: BalancerWorld;
  readonly #pool: BackendPool;
  readonly #sessions: () => Iterable<SessionView>;
  readonly #options: RebalancingOptions;
  readonly #rebalance: Rebalance;
  /** When each was asked in vain, and when it has moved. */
  readonly #stayedMs = new WeakMap<SessionView, number>();
  readonly #movedMs = new WeakMap<SessionView, number>();
  readonly #walks = new Map<PooledBackend, Walk>();
  /** For evenness, after those; of the last look alone. */
  readonly #uneven: { readonly session: SessionView; readonly backend: PooledBackend }[] = [];
  #planned = 0;
  #timer: Timer | null = null;

  constructor(
    world: BalancerWorld,
    pool: BackendPool,
    sessions: () => Iterable<SessionView>,
    options: Partial<RebalancingOptions> = {},
  ) {
    this.#world = world;
    this.#pool = pool;
    this.#sessions = sessions;
    this.#options = { ...rebalancingDefaults, ...options };
    const { movesPerSecond, tolerance, spillFactor, spillFloor } = this.#options;
    const spill = { factor: spillFactor, floor: spillFloor };
    this.#rebalance = new Rebalance({ movesPerSecond, tolerance, spill });
  }

  /** Moves under way that could also wait. */
  get planned(): number {
    return this.#planned;
  }

  start(): void {
    this.#timer = this.#world.clock.after(this.#options.intervalMs, () => {
      this.#even();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /**
   * For the pool's hook of that name, which comes again as long as there are some. Where a few move at a
   * time the next goes as soon as one has arrived: each is on its way for as long as a few take, and
   * all together take no longer.
   */
  vacate(backend: PooledBackend, reason: 'drain' | 'sleep' | 'failure'): void {
    if (reason === 'failure') {
      const nowMs = this.#world.clock.monotonicMs();
      for (const session of this.#sessions()) {
        if (session.backend === backend && this.#mayMove(session, nowMs)) {
          this.#move(session, reason);
        }
      }
      return;
    }
    this.#walks.set(backend, { reason, left: this.#sessions()[Symbol.iterator]() });
    this.#walkOn();
  }

  #walkOn(): void {
    const nowMs = this.#world.clock.monotonicMs();
    for (const [backend, { reason, left }] of this.#walks) {
      // woken in the meantime
      let isOver = backend.set === 'awake';
      while (!isOver) {
        if (this.#planned >= this.#options.movesMax) return;
        const next = left.next();
        if (next.done === true) isOver = true;
        else if (next.value.backend === backend && this.#mayMove(next.value, nowMs)) {
          this.#move(next.value, reason);
        }
      }
      this.#walks.delete(backend);
    }
    while (this.#uneven.length > 0 && this.#planned < this.#options.movesMax) {
      const { session, backend } = present(this.#uneven.shift(), 'it was there');
      if (session.backend !== backend || !this.#mayMove(session, nowMs)) continue;
      this.#move(session, backend.health.state === 'sick' ? 'overload' : 'rebalance');
    }
  }

  #even(): void {
    if (this.#options.movesPerSecond <= 0) return;
    const nowMs = this.#world.clock.monotonicMs();
    this.#uneven.length = 0;
    const left = new Map<string, number>();
    for (const { id, view, count } of this.#rebalance.plan(this.#loads(), nowMs)) {
      left.set(keyOf(id, view), count);
    }
    if (left.size === 0) return;
    for (const session of this.#sessions()) {
      const { backend, origin } = session;
      if (!(backend instanceof PooledBackend)) continue;
      const key = keyOf(backend.id, origin.zone ?? '');
      const count = left.get(key) ?? 0;
      if (count <= 0 || !this.#mayMove(session, nowMs) || this.#rests(session, nowMs)) continue;
      left.set(key, count - 1);
      this.#uneven.push({ session, backend });
    }
    this.#walkOn();
  }

  /** What there is of sessions, beside how they would be spread if they all came now. */
  #loads(): ViewLoad[] {
    const counts = new Map<string, Map<string, number>>();
    for (const { backend, origin, isOpen } of this.#sessions()) {
      if (!isOpen || !(backend instanceof PooledBackend) || !countsFor(backend)) continue;
      const view = origin.zone ?? '';
      const own = counts.get(view) ?? new Map<string, number>();
      counts.set(view, own);
      own.set(backend.id, (own.get(backend.id) ?? 0) + 1);
    }
    return [...counts].map(([view, sessions]) => ({
      view,
      sessions,
      spread: this.#pool.spread(view),
    }));
  }

  #mayMove(session: SessionView, nowMs: number): boolean {
    if (session.state !== 'open' || session.obstacle !== null) return false;
    return nowMs >= (this.#stayedMs.get(session) ?? -Infinity) + this.#options.retryMs;
  }

  /** Evenness is no reason to move it again so soon. */
  #rests(session: SessionView, nowMs: number): boolean {
    return nowMs < (this.#movedMs.get(session) ?? -Infinity) + this.#options.retryMs;
  }

  #move(session: SessionView, reason: MoveReason): void {
    const isPlanned = reason !== 'failure';
    if (isPlanned) this.#planned++;
    session
      .move(reason)
      .then((outcome) => {
        const nowMs = this.#world.clock.monotonicMs();
        (outcome === 'moved' ? this.#movedMs : this.#stayedMs).set(session, nowMs);
      })
      .catch((error: unknown) => {
        this.#world.logger.error('a session could not be moved', { reason, error: String(error) });
      })
      .finally(() => {
        if (!isPlanned) return;
        this.#planned--;
        this.#walkOn();
      });
  }
}

/** Over the sessions, those of one server that is to be emptied. */
interface Walk {
  readonly reason: 'drain' | 'sleep';
  readonly left: Iterator<SessionView>;
}

/**
 * Sessions whose number is a matter of shares. Not of servers that are emptied anyway, and not of one
 * that is ejected for attaches that failed: it serves those that it has.
 */
function countsFor({ set, health }: PooledBackend): boolean {
  return set === 'awake' || health.state === 'sick';
}

function keyOf(id: string, view: string): string {
  return `${id} ${view}`;
}
