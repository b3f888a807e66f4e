/**
 * Whom to choose: everything of this folder in one place. The pool holds the targets with what is known
 * about each, and answers `pick`. Pure as all cores: whoever owns it says what time it is and rolls the
 * dice, and tells it when a request starts and how it ended.
 *
 * The order of decisions: which level of priority (by how healthy each is), which of its targets are in
 * this client's subset, which of those are fit (all of them in panic), and then the policy.
 */
import { assert } from '../base/assert.js';
import type { PeerPosition } from './aperture.js';
import { hash32 } from './hash.js';
import { Level, type LevelRules } from './level.js';
import { loadBandDefaults, type LoadBandOptions } from './load-band.js';
import {
  OutlierDetection,
  outlierDefaults,
  type EjectionReason,
  type OutlierOptions,
} from './outlier-detection.js';
import { createPolicy, type PolicyName, type PolicyOptions } from './policies.js';
import type { PickRequest } from './policy.js';
import { priorityLoad } from './priority-load.js';
import { slowStartDefaults, slowStartStepMs, type SlowStartOptions } from './slow-start.js';
import { Target, type TargetSpec } from './target.js';

export interface TargetPoolOptions {
  readonly policy: PolicyName;
  readonly policyOptions?: PolicyOptions;
  /** False: nobody is ejected. */
  readonly outliers?: Partial<OutlierOptions> | false;
  /** Fewer healthy than this, and all are used, the sick ones too. 0: never. */
  readonly panicThresholdPercent?: number;
  /** Not given: a new target gets its whole weight at once. */
  readonly slowStart?: Partial<SlowStartOptions> & Pick<SlowStartOptions, 'windowMs'>;
  /** A deterministic subset; not given: all targets. */
  readonly subset?: Partial<LoadBandOptions>;
  /** Of the peak EWMA. */
  readonly latencyDecayMs?: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly onEjection?: (id: string, reason: EjectionReason | null) => void;
}

/** 'neutral': the request was called off, so that it says no more than how long it took at least. */
export type Outcome = 'success' | 'failure' | 'neutral';

export interface PickOptions {
  /** Requests of one key go to one target, where the policy is consistent-hash. */
  readonly key?: string;
  /** Were tried already. */
  readonly excluded?: ReadonlySet<Target>;
}

export interface TargetStatus {
  readonly id: string;
  readonly weight: number;
  readonly priority: number;
  readonly pending: number;
  readonly isHealthy: boolean;
  readonly isEjected: boolean;
  /** The policy may choose it now. */
  readonly isChosen: boolean;
  readonly share: number;
  readonly latencyMs: number;
}

export interface PoolStatus {
  readonly targets: readonly TargetStatus[];
  readonly isPanicking: boolean;
  /** So many may be chosen now. */
  readonly size: number;
}

const noOptions: PickOptions = {};
const LATENCY_DECAY_MS = 10_000;

export class TargetPool {
  readonly #options: TargetPoolOptions;
  readonly #rules: LevelRules;
  readonly #outliers: OutlierDetection | null;
  readonly #random: () => number;
  /** One for all picks: none outlives its call. */
  readonly #request: { -readonly [member in keyof PickRequest]: PickRequest[member] };
  readonly #draw: number;
  readonly #byId = new Map<string, Target>();
  #targets: readonly Target[] = [];
  #levels: readonly Level[] = [];
  #position: PeerPosition | null = null;
  #isStale = true;
  #refreshMs = 0;

  constructor(options: TargetPoolOptions) {
    this.#options = options;
    this.#random = options.random;
    this.#draw = options.random();
    this.#request = { nowMs: 0, random: options.random, keyHash: null, excluded: null };
    const { slowStart, subset, outliers } = options;
    this.#rules = {
      panicThresholdPercent: options.panicThresholdPercent ?? 50,
      slowStart: slowStart === undefined ? null : { ...slowStartDefaults, ...slowStart },
      subset: subset === undefined ? null : { ...loadBandDefaults, ...subset },
    };
    this.#outliers =
      outliers === false
        ? null
        : new OutlierDetection({ ...outlierDefaults, ...outliers }, (target, reason) => {
            this.#isStale = true;
            options.onEjection?.(target.id, reason);
          });
  }

  /** All there are now. What is known about those that stay is kept. */
  update(specs: readonly TargetSpec[], nowMs: number): void {
    const isFirst = this.#targets.length === 0;
    const stays = new Set(specs.map(({ id }) => id));
    assert(stays.size === specs.length, 'targets have ids of their own');
    for (const id of this.#byId.keys()) if (!stays.has(id)) this.#byId.delete(id);
    for (const spec of specs) {
      assert(spec.weight >= 0, 'a weight is not negative');
      const known = this.#byId.get(spec.id);
      if (known === undefined) {
        const target = new Target(spec, this.#options.latencyDecayMs ?? LATENCY_DECAY_MS);
        // those of the first list have been there before: only newcomers start slowly
        if (!isFirst) target.startedMs = nowMs;
        this.#byId.set(spec.id, target);
        continue;
      }
      if (known.weight === 0 && spec.weight > 0) known.startedMs = nowMs;
      known.weight = spec.weight;
      known.priority = spec.priority ?? 0;
    }
    this.#targets = [...this.#byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#layOut();
  }

  /** What the owner of the pool has found out about the health of one. */
  setHealth(id: string, isHealthy: boolean, nowMs: number): void {
    const target = this.#byId.get(id);
    if (target === undefined || target.isHealthy === isHealthy) return;
    target.isHealthy = isHealthy;
    if (isHealthy) target.startedMs = nowMs;
    this.#isStale = true;
  }

  /** Where this client stands among its peers; null: not known, its subset is drawn by lot. */
  setPosition(position: PeerPosition | null): void {
    const before = this.#position;
    if (before?.index === position?.index && before?.count === position?.count) return;
    this.#position = position;
    this.#isStale = true;
  }

  get size(): number {
    return this.#targets.length;
  }

  target(id: string): Target | null {
    return this.#byId.get(id) ?? null;
  }

  /** Null: there is none that is not excluded. Says nothing about the request starting: `start` does. */
  pick(nowMs: number, options: PickOptions = noOptions): Target | null {
    this.#catchUp(nowMs);
    const request = this.#request;
    request.nowMs = nowMs;
    request.keyHash = options.key === undefined ? null : hash32(options.key);
    request.excluded = options.excluded ?? null;
    const first = this.#levelByLot();
    const target = first?.policy.pick(request) ?? null;
    if (target !== null) return target;
    for (const level of this.#levels) {
      const other = level === first ? null : level.policy.pick(request);
      if (other !== null) return other;
    }
    return null;
  }

  /** A request goes to `target`. Exactly one `finish` follows. */
  start(target: Target): void {
    target.pending++;
    this.#levelOf(target)?.policy.onLoad(target, 1);
  }

  finish(target: Target, nowMs: number, latencyMs: number, outcome: Outcome): void {
    assert(target.pending > 0, 'what ends was started');
    target.pending--;
    this.#levelOf(target)?.policy.onLoad(target, -1);
    if (outcome === 'neutral') {
      target.latency.observeAtLeast(latencyMs, nowMs);
      return;
    }
    if (outcome === 'success') target.latency.observe(latencyMs, nowMs);
    else target.latency.observeFailure(latencyMs, nowMs);
    if (this.#byId.get(target.id) !== target) return; // it has gone meanwhile
    this.#outliers?.count(target, outcome === 'success', this.#targets, nowMs);
  }

  status(nowMs: number): PoolStatus {
    this.#catchUp(nowMs);
    const chosen = new Set(this.#levels.flatMap((level) => level.chosen));
    return {
      isPanicking: this.#levels.some(({ isPanicking }) => isPanicking),
      size: chosen.size,
      targets: this.#targets.map((target) => ({
        id: target.id,
        weight: target.weight,
        priority: target.priority,
        pending: target.pending,
        isHealthy: target.isHealthy,
        isEjected: target.record.isEjected,
        isChosen: chosen.has(target),
        share: chosen.has(target) ? target.share : 0,
        latencyMs: target.latency.costMs(nowMs),
      })),
    };
  }

  #layOut(): void {
    const priorities = [...new Set(this.#targets.map(({ priority }) => priority))].sort(
      (a, b) => a - b,
    );
    this.#levels = priorities.map((priority) => {
      const { policy, policyOptions } = this.#options;
      const level =
        this.#levels.find((known) => known.priority === priority) ??
        new Level(priority, createPolicy(policy, policyOptions), this.#rules);
      level.setTargets(this.#targets.filter((target) => target.priority === priority));
      return level;
    });
    this.#isStale = true;
  }

  #catchUp(nowMs: number): void {
    if (!this.#isStale && nowMs < this.#refreshMs) return;
    this.#outliers?.advance(this.#targets, nowMs);
    for (const level of this.#levels) level.look(nowMs);
    const load = priorityLoad(this.#levels.map(({ health }) => health));
    let refreshMs = this.#outliers?.nextMs(this.#targets) ?? Infinity;
    for (const [index, level] of this.#levels.entries()) {
      level.percent = load.percents[index] ?? 0;
      level.refresh({
        nowMs,
        position: this.#position,
        draw: this.#draw,
        mayPanic: load.isShort,
      });
      refreshMs = Math.min(refreshMs, level.nextLookMs);
      const { slowStart } = this.#rules;
      if (level.isStarting && slowStart !== null) {
        refreshMs = Math.min(refreshMs, nowMs + slowStartStepMs(slowStart));
      }
    }
    this.#refreshMs = refreshMs;
    this.#isStale = false;
  }

  #levelByLot(): Level | null {
    const [only, ...others] = this.#levels;
    if (only === undefined || others.length === 0) return only ?? null;
    let left = this.#random() * 100;
    for (const level of this.#levels) {
      left -= level.percent;
      if (left < 0) return level;
    }
    return this.#levels.findLast(({ percent }) => percent > 0) ?? only;
  }

  #levelOf(target: Target): Level | null {
    for (const level of this.#levels) if (level.priority === target.priority) return level;
    return null;
  }
}
