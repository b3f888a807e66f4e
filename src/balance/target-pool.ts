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
import type { LevelRules } from './level.js';
import { LevelSet, type LevelSpread, type SpillOptions } from './level-set.js';
import { loadBandDefaults, type LoadBandOptions } from './load-band.js';
import {
  OutlierDetection,
  outlierDefaults,
  type EjectionReason,
  type OutlierOptions,
} from './outlier-detection.js';
import type { PolicyName, PolicyOptions } from './policies.js';
import type { PickRequest } from './policy.js';
import { slowStartDefaults, type SlowStartOptions } from './slow-start.js';
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
  /** The priority of a target as seen by whoever picks with that view; its own unless given. */
  readonly priorityIn?: (target: Target, view: string) => number;
  /** Levels at a distance get what is too much for near ones; not unless given. */
  readonly spill?: SpillOptions;
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
  /** From where is chosen; see `priorityIn`. There should be few different ones. */
  readonly view?: string;
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
/** Views beyond these would be a leak: they see what the first one sees. */
const VIEWS_MAX = 64;

export class TargetPool {
  readonly #options: TargetPoolOptions;
  readonly #rules: LevelRules;
  readonly #outliers: OutlierDetection | null;
  /** One for all picks: none outlives its call. */
  readonly #request: { -readonly [member in keyof PickRequest]: PickRequest[member] };
  readonly #draw: number;
  readonly #byId = new Map<string, Target>();
  #targets: readonly Target[] = [];
  /** By view; the one that is always there has the empty name. */
  readonly #sets = new Map<string, LevelSet>();
  #policy: PolicyName;
  #isPanicking: boolean | null = null;
  #position: PeerPosition | null = null;
  #isStale = true;
  #refreshMs = 0;

  constructor(options: TargetPoolOptions) {
    this.#options = options;
    this.#policy = options.policy;
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
    this.#setOf('');
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
    this.layOut();
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

  /** How much of each one's weight is used; who is not named sleeps. Null: all of all. */
  setParts(parts: ReadonlyMap<string, number> | null): void {
    for (const target of this.#targets)
      target.part = parts === null ? 1 : (parts.get(target.id) ?? 0);
    this.#isStale = true;
  }

  /** True: also those are used that are sick or ejected. Null: decided here, by the threshold. */
  setPanicking(isPanicking: boolean | null): void {
    this.#isStale ||= this.#isPanicking !== isPanicking;
    this.#isPanicking = isPanicking;
  }

  get policy(): PolicyName {
    return this.#policy;
  }

  setPolicy(policy: PolicyName): void {
    if (policy === this.#policy) return;
    this.#policy = policy;
    for (const set of this.#sets.values()) set.setPolicy(policy);
    this.#isStale = true;
  }

  /** The priorities of targets have changed, in some view. */
  layOut(): void {
    for (const set of this.#sets.values()) set.layOut(this.#targets);
    this.#isStale = true;
  }

  /** What it was ejected for is known to be over. */
  pardon(id: string, nowMs: number): void {
    const target = this.#byId.get(id);
    if (target !== undefined) this.#outliers?.pardon(target, nowMs);
  }

  get size(): number {
    return this.#targets.length;
  }

  target(id: string): Target | null {
    return this.#byId.get(id) ?? null;
  }

  /** Null: there is none that is not excluded. Says nothing about the request starting: `start` does. */
  pick(nowMs: number, options: PickOptions = noOptions): Target | null {
    const set = this.#setOf(options.view ?? '');
    this.#catchUp(nowMs);
    const request = this.#request;
    request.nowMs = nowMs;
    request.keyHash = options.key === undefined ? null : hash32(options.key);
    request.excluded = options.excluded ?? null;
    return set.pick(request);
  }

  /** Lets in and out whose time has come; `pick` does it too. */
  advance(nowMs: number): void {
    this.#catchUp(nowMs);
  }

  /** How many picks with that view would be spread over the targets now. */
  spread(nowMs: number, view = ''): LevelSpread[] {
    const set = this.#setOf(view);
    this.#catchUp(nowMs);
    return set.spread();
  }

  /** A request goes to `target`. Exactly one `finish` follows. */
  start(target: Target): void {
    this.load(target, 1);
  }

  finish(target: Target, nowMs: number, latencyMs: number, outcome: Outcome): void {
    this.load(target, -1);
    this.record(target, nowMs, latencyMs, outcome);
  }

  /** One more or one less is pending there, of what has no outcome of its own: a session. */
  load(target: Target, change: 1 | -1): void {
    assert(change > 0 || target.pending > 0, 'what ends was started');
    target.pending += change;
    for (const set of this.#sets.values()) set.onLoad(target, change);
  }

  /** How something ended there that is counted as no load. Null: it says nothing about latency. */
  record(target: Target, nowMs: number, latencyMs: number | null, outcome: Outcome): void {
    if (latencyMs !== null) this.#measure(target, nowMs, latencyMs, outcome);
    if (outcome === 'neutral') return;
    if (this.#byId.get(target.id) !== target) return; // it has gone meanwhile
    this.#outliers?.count(target, outcome === 'success', this.#targets, nowMs);
  }

  status(nowMs: number): PoolStatus {
    this.#catchUp(nowMs);
    const { levels } = this.#setOf('');
    const chosen = new Set(levels.flatMap((level) => level.chosen));
    return {
      isPanicking: levels.some(({ isPanicking }) => isPanicking),
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

  #measure(target: Target, nowMs: number, latencyMs: number, outcome: Outcome): void {
    switch (outcome) {
      case 'neutral':
        target.latency.observeAtLeast(latencyMs, nowMs);
        break;
      case 'success':
        target.latency.observe(latencyMs, nowMs);
        break;
      case 'failure':
        target.latency.observeFailure(latencyMs, nowMs);
    }
  }

  #catchUp(nowMs: number): void {
    if (!this.#isStale && nowMs < this.#refreshMs) return;
    this.#outliers?.advance(this.#targets, nowMs);
    this.#refreshMs = this.#outliers?.nextMs(this.#targets) ?? Infinity;
    for (const set of this.#sets.values()) this.#refresh(set, nowMs);
    this.#isStale = false;
  }

  #refresh(set: LevelSet, nowMs: number): void {
    const isPanicking = this.#isPanicking;
    const position = this.#position;
    const nextMs = set.refresh({ nowMs, position, draw: this.#draw, isPanicking });
    this.#refreshMs = Math.min(this.#refreshMs, nextMs);
  }

  #setOf(view: string): LevelSet {
    const known = this.#sets.get(view);
    if (known !== undefined) return known;
    if (this.#sets.size >= VIEWS_MAX) return this.#setOf('');
    const { policyOptions, priorityIn, spill } = this.#options;
    const set = new LevelSet({
      policy: this.#policy,
      policyOptions,
      rules: this.#rules,
      priorityOf: (target) => priorityIn?.(target, view) ?? target.priority,
      spill: spill ?? null,
    });
    this.#sets.set(view, set);
    set.layOut(this.#targets);
    this.#isStale = true;
    return set;
  }
}
