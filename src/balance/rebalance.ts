/**
 * Evening out what lasts. Requests even out by themselves; sessions stay where they are, and after a
 * rolling restart the server that came back last has none. What each should have follows from how the
 * pool would spread the same sessions if they all came now; who has more gives some up, at a bounded
 * rate, because each move costs an attach.
 *
 * Where it is nearly even nothing moves: a little unevenness costs less than moving to and fro.
 */
import type { LevelSpread, SpillOptions } from './level-set.js';

/** The sessions of clients that choose alike. */
export interface ViewLoad {
  readonly view: string;
  readonly spread: readonly LevelSpread[];
  /** How many are at each target, by id. */
  readonly sessions: ReadonlyMap<string, number>;
}

export interface Surplus {
  readonly id: string;
  readonly view: string;
  /** So many sessions of that view should leave it now. */
  readonly count: number;
}

type SpillBounds = Pick<SpillOptions, 'factor' | 'floor'>;

export interface RebalanceOptions {
  readonly movesPerSecond: number;
  /** Beyond this part more than its fair share, and at least one session more, it gives some up. */
  readonly tolerance: number;
  /** As of the pool (LevelSet); null: nothing spills by load. */
  readonly spill: SpillBounds | null;
}

export const rebalanceDefaults: RebalanceOptions = {
  movesPerSecond: 50,
  tolerance: 0.1,
  spill: null,
};

export class Rebalance {
  readonly #options: RebalanceOptions;
  #tokens = 0;
  #atMs: number | null = null;

  constructor(options: Partial<RebalanceOptions> = {}) {
    this.#options = { ...rebalanceDefaults, ...options };
  }

  /** Which sessions should move now. In the long run never more than `movesPerSecond`. */
  plan(views: readonly ViewLoad[], nowMs: number): Surplus[] {
    const { movesPerSecond, tolerance, spill } = this.#options;
    const passedMs = nowMs - (this.#atMs ?? nowMs);
    this.#atMs = nowMs;
    // of a pause, at most a second's worth is saved up
    this.#tokens = Math.min(movesPerSecond, this.#tokens + (passedMs * movesPerSecond) / 1000);
    const fair = fairShares(views, spill);
    const plan: Surplus[] = [];
    for (const [id, { has, should }] of totals(views, fair)) {
      const over = has - should;
      if (over < Math.max(1, tolerance * should)) continue;
      let left = Math.min(Math.floor(over + 1e-9), Math.floor(this.#tokens));
      for (const view of [...views].sort((a, b) => overOf(b, fair, id) - overOf(a, fair, id))) {
        const most = Math.min(view.sessions.get(id) ?? 0, Math.ceil(overOf(view, fair, id) - 1e-9));
        const count = Math.min(left, most);
        if (count <= 0) continue;
        plan.push({ id, view: view.view, count });
        left -= count;
        this.#tokens -= count;
      }
    }
    return plan;
  }
}

type Shares = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** By view and id: how many sessions of that view should be there. */
export function fairShares(views: readonly ViewLoad[], spill: SpillBounds | null): Shares {
  const shares = new Map<string, Map<string, number>>();
  for (const { view, spread, sessions } of views) {
    const count = countOf(sessions);
    const own = new Map<string, number>();
    for (const { percent, targets } of spread) {
      const whole = targets.reduce((sum, { share }) => sum + share, 0);
      for (const { id, share } of targets) own.set(id, (count * percent * share) / (100 * whole));
    }
    shares.set(view, own);
  }
  if (spill !== null) spillOver(views, shares, spill);
  return shares;
}

/** What is too much for a view's nearest group goes to its others, by their share. */
function spillOver(
  views: readonly ViewLoad[],
  shares: ReadonlyMap<string, Map<string, number>>,
  { factor, floor }: SpillBounds,
): void {
  const before = new Map<string, number>();
  for (const own of shares.values()) {
    for (const [id, count] of own) before.set(id, (before.get(id) ?? 0) + count);
  }
  const all = views.reduce((sum, { sessions }) => sum + countOf(sessions), 0);
  for (const { view, spread } of views) {
    const [first] = spread;
    const own = shares.get(view);
    if (first === undefined || own === undefined) continue;
    const targets = spread.flatMap((level) =>
      level.targets.map(({ id, share }) => ({
        id,
        share,
        isNear: level.distance === first.distance,
      })),
    );
    const near = targets.filter(({ isNear }) => isNear);
    const far = targets.filter(({ isNear }) => !isNear);
    if (far.length === 0) continue;
    const shareOf = (some: typeof targets): number =>
      some.reduce((sum, { share }) => sum + share, 0);
    const load = near.reduce((sum, { id }) => sum + (before.get(id) ?? 0), 0);
    const bound = Math.max(
      floor * shareOf(near),
      (factor * all * shareOf(near)) / shareOf(targets),
    );
    if (load <= bound) continue;
    let spilled = 0;
    for (const { id } of near) {
      const count = own.get(id) ?? 0;
      own.set(id, (count * bound) / load);
      spilled += count - (count * bound) / load;
    }
    for (const { id, share } of far) {
      own.set(id, (own.get(id) ?? 0) + (spilled * share) / shareOf(far));
    }
  }
}

function totals(
  views: readonly ViewLoad[],
  fair: Shares,
): Map<string, { has: number; should: number }> {
  const all = new Map<string, { has: number; should: number }>();
  const at = (id: string): { has: number; should: number } => {
    const known = all.get(id) ?? { has: 0, should: 0 };
    all.set(id, known);
    return known;
  };
  for (const { view, sessions } of views) {
    for (const [id, count] of sessions) at(id).has += count;
    for (const [id, count] of fair.get(view) ?? []) at(id).should += count;
  }
  return all;
}

function overOf({ view, sessions }: ViewLoad, fair: Shares, id: string): number {
  return (sessions.get(id) ?? 0) - (fair.get(view)?.get(id) ?? 0);
}

function countOf(sessions: ReadonlyMap<string, number>): number {
  let all = 0;
  for (const count of sessions.values()) all += count;
  return all;
}
