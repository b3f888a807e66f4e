/**
 * The targets of one priority: which of them may be chosen now (health, subset, panic), with which
 * shares, and the policy that chooses. All of it is worked out when something changes; a pick is the
 * policy's alone.
 */
import { arcOf, ringOrder, sharesUnder, wider, type Arc, type PeerPosition } from './aperture.js';
import { LoadBand, type LoadBandOptions } from './load-band.js';
import type { Policy } from './policy.js';
import { isPanic } from './priority-load.js';
import { slowStartFactor, type SlowStartOptions } from './slow-start.js';
import type { Target } from './target.js';

export interface LevelRules {
  readonly panicThresholdPercent: number;
  readonly slowStart: SlowStartOptions | null;
  /** Null: all of the targets are used. */
  readonly subset: LoadBandOptions | null;
}

export interface LevelView {
  readonly nowMs: number;
  readonly position: PeerPosition | null;
  /** Where the arc begins that has no position, in [0, 1). */
  readonly draw: number;
  readonly mayPanic: boolean;
  /** The owner of the pool has decided it; null: too few healthy ones decide. */
  readonly isPanicking: boolean | null;
}

export class Level {
  readonly priority: number;
  policy: Policy;
  readonly #rules: LevelRules;
  readonly #band: LoadBand | null;
  #targets: readonly Target[] = [];
  /** Those with a weight, as they lie on the ring. */
  #ring: readonly Target[] = [];
  #chosen: readonly Target[] = [];
  #isPanicking = false;
  #isStarting = false;
  /** Percent of the requests that it is to get. */
  percent = 0;

  constructor(priority: number, policy: Policy, rules: LevelRules) {
    this.priority = priority;
    this.policy = policy;
    this.#rules = rules;
    this.#band = rules.subset === null ? null : new LoadBand(rules.subset);
  }

  /** In the order of their ids. */
  setTargets(targets: readonly Target[]): void {
    this.#targets = targets;
    this.#ring = ringOrder(targets.filter(({ weight }) => weight > 0));
  }

  /** Those that the policy chooses among. */
  get chosen(): readonly Target[] {
    return this.#chosen;
  }

  get isPanicking(): boolean {
    return this.#isPanicking;
  }

  /** The shares of some change with time. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** When the load is to be looked at again. */
  get nextLookMs(): number {
    return this.#band?.nextMs ?? Infinity;
  }

  get health(): { readonly available: number; readonly total: number } {
    let available = 0;
    for (const target of this.#ring) if (target.isAvailable) available++;
    return { available, total: this.#ring.length };
  }

  /** True: another number of targets is wanted, and `refresh` is to follow. */
  look(nowMs: number): boolean {
    if (this.#band === null) return false;
    let pending = 0;
    for (const target of this.#chosen) pending += target.pending;
    return this.#band.look(pending, this.#chosen.length, this.#ring.length, nowMs);
  }

  refresh(view: LevelView): void {
    const { available, total } = this.health;
    this.#isPanicking =
      view.isPanicking ??
      (view.mayPanic && isPanic(available, total, this.#rules.panicThresholdPercent));
    const parts = this.#parts(view);
    this.#isStarting = false;
    const chosen: Target[] = [];
    for (const target of this.#targets) {
      const part = parts.get(target) ?? 0;
      if (part <= 0 || !this.#isFit(target)) continue;
      target.share = part * this.#startFactor(target, view.nowMs);
      chosen.push(target);
    }
    this.#chosen = chosen;
    this.policy.update(chosen);
  }

  #isFit(target: Target): boolean {
    return this.#isPanicking || target.isAvailable;
  }

  #startFactor(target: Target, nowMs: number): number {
    const { slowStart } = this.#rules;
    if (slowStart === null || target.startedMs === null) return 1;
    const factor = slowStartFactor(slowStart, nowMs - target.startedMs);
    if (factor >= 1) target.startedMs = null;
    else this.#isStarting = true;
    return factor;
  }

  /** How much of each target's weight this client uses. */
  #parts(view: LevelView): ReadonlyMap<Target, number> {
    const ring = this.#ring;
    if (this.#band === null) {
      return new Map(ring.map((target) => [target, target.weight * target.part]));
    }
    const fit = ring.reduce((sum, target) => sum + (this.#isFit(target) ? 1 : 0), 0);
    const least = Math.min(fit, this.#rules.subset?.minAperture ?? 1);
    let arc: Arc = arcOf(view.position, ring.length, this.#band.wanted, view.draw);
    for (;;) {
      const shares = sharesUnder(ring, arc);
      const parts = new Map(ring.map((target, index) => [target, shares[index] ?? 0]));
      let fitUnder = 0;
      for (const [target, part] of parts) if (part > 0 && this.#isFit(target)) fitUnder++;
      // the sick ones of an arc must not leave its client with fewer than it needs
      if (fitUnder >= least || arc.width >= 1) return parts;
      arc = wider(arc);
    }
  }
}
