/**
 * The targets as one kind of chooser sees them: in levels of priority, the first one served first. What
 * is near for a client in one region is far for one in another, so a pool has one of these for each
 * *view*, with policies of its own; loads, health and shares are the targets' and the same in all.
 *
 * The next level gets what the first cannot take: by health (priority-load.ts), and, where levels lie at
 * different distances, by load: a near group keeps a request as long as its load is not `factor` times
 * what it would be if everything were spread over all, or is hardly a load (`floor`).
 */
import { Level, type LevelRules } from './level.js';
import type { LevelView } from './level.js';
import { createPolicy, type PolicyName, type PolicyOptions } from './policies.js';
import type { PickRequest } from './policy.js';
import { priorityLoad } from './priority-load.js';
import { slowStartStepMs } from './slow-start.js';
import type { Target } from './target.js';

export interface SpillOptions {
  readonly factor: number;
  /** And no sooner than when each near one of weight 1 has so much. */
  readonly floor: number;
  /** Levels of one distance are one group; what is over goes to the next distance. */
  readonly distanceOf: (priority: number) => number;
}

export interface LevelSetOptions {
  readonly policy: PolicyName;
  readonly policyOptions: PolicyOptions | undefined;
  readonly rules: LevelRules;
  readonly priorityOf: (target: Target) => number;
  readonly spill: SpillOptions | null;
}

/** How it would spread many requests. */
export interface LevelSpread {
  readonly distance: number;
  readonly percent: number;
  readonly targets: readonly { readonly id: string; readonly share: number }[];
}

export class LevelSet {
  readonly #options: LevelSetOptions;
  readonly #levelOf = new Map<Target, Level>();
  #policy: PolicyName;
  #levels: readonly Level[] = [];

  constructor(options: LevelSetOptions) {
    this.#options = options;
    this.#policy = options.policy;
  }

  get levels(): readonly Level[] {
    return this.#levels;
  }

  /** In the order of their ids. `refresh` is to follow. */
  layOut(targets: readonly Target[]): void {
    const { priorityOf, policyOptions, rules } = this.#options;
    const groups = new Map<number, Target[]>();
    for (const target of targets) {
      const priority = priorityOf(target);
      const group = groups.get(priority);
      if (group === undefined) groups.set(priority, [target]);
      else group.push(target);
    }
    this.#levelOf.clear();
    this.#levels = [...groups]
      .sort(([a], [b]) => a - b)
      .map(([priority, group]) => {
        const level =
          this.#levels.find((known) => known.priority === priority) ??
          new Level(priority, createPolicy(this.#policy, policyOptions), rules);
        level.setTargets(group);
        for (const target of group) this.#levelOf.set(target, level);
        return level;
      });
  }

  /** `refresh` is to follow. */
  setPolicy(policy: PolicyName): void {
    this.#policy = policy;
    for (const level of this.#levels) {
      level.policy = createPolicy(policy, this.#options.policyOptions);
    }
  }

  /** Works out who may be chosen. When it is to be done again, if nothing changes before. */
  refresh(view: Omit<LevelView, 'mayPanic'>): number {
    const { slowStart } = this.#options.rules;
    for (const level of this.#levels) level.look(view.nowMs);
    const load = priorityLoad(this.#levels.map(({ health }) => health));
    let refreshMs = Infinity;
    for (const [index, level] of this.#levels.entries()) {
      level.percent = load.percents[index] ?? 0;
      level.refresh({ ...view, mayPanic: load.isShort });
      refreshMs = Math.min(refreshMs, level.nextLookMs);
      if (level.isStarting && slowStart !== null) {
        refreshMs = Math.min(refreshMs, view.nowMs + slowStartStepMs(slowStart));
      }
    }
    return refreshMs;
  }

  pick(request: PickRequest): Target | null {
    const first = this.#levelByLot(request.random);
    const target = first?.policy.pick(request) ?? null;
    if (target !== null) return target;
    for (const level of this.#levels) {
      const other = level === first ? null : level.policy.pick(request);
      if (other !== null) return other;
    }
    return null;
  }

  onLoad(target: Target, change: 1 | -1): void {
    this.#levelOf.get(target)?.policy.onLoad(target, change);
  }

  /** Of those that may be chosen now; without what spills over by load. */
  spread(): LevelSpread[] {
    const used = this.#levels.filter(({ chosen }) => chosen.length > 0);
    const total = used.reduce((sum, { percent }) => sum + percent, 0);
    return used.map(({ priority, percent, chosen }, index) => ({
      distance: this.#distanceOf(priority),
      // where all that should get something sleep, the first of the others gets it
      percent: total > 0 ? (percent * 100) / total : index === 0 ? 100 : 0,
      targets: chosen.map(({ id, share }) => ({ id, share })),
    }));
  }

  #distanceOf(priority: number): number {
    return this.#options.spill?.distanceOf(priority) ?? 0;
  }

  #levelByLot(random: () => number): Level | null {
    const [only, ...others] = this.#levels;
    if (only === undefined || others.length === 0) return only ?? null;
    const level = this.#drawn(random) ?? only;
    return this.#options.spill === null ? level : this.#roomier(level, this.#options.spill);
  }

  #drawn(random: () => number): Level | null {
    let left = random() * 100;
    for (const level of this.#levels) {
      left -= level.percent;
      if (left < 0) return level;
    }
    return this.#levels.findLast(({ percent }) => percent > 0) ?? null;
  }

  /** `level`, or the first of the next group when that of `level` has too much. */
  #roomier(level: Level, { factor, floor }: SpillOptions): Level {
    const groups = new Map<number, { load: number; share: number; first: Level }>();
    let load = 1;
    let share = 0;
    for (const one of this.#levels) {
      if (one.chosen.length === 0) continue;
      const distance = this.#distanceOf(one.priority);
      const group = groups.get(distance) ?? { load: 1, share: 0, first: one };
      for (const target of one.chosen) {
        group.load += target.pending;
        group.share += target.share;
        load += target.pending;
        share += target.share;
      }
      groups.set(distance, group);
    }
    const from = this.#distanceOf(level.priority);
    const bound = Math.max(floor, (factor * load) / share);
    const isOver = (group: { load: number; share: number }): boolean =>
      group.load > Math.max(1, bound * group.share);
    const own = groups.get(from);
    if (own === undefined || !isOver(own)) return level;
    for (const [distance, group] of groups) {
      if (distance > from && !isOver(group)) return group.first;
    }
    return level;
  }
}
