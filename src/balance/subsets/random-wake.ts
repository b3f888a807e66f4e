/**
 * `rw`: *random wake*. In rounds, each waiting server wakes with probability one half, and each awake
 * one falls asleep with probability one half: after a round, half of them are awake on average, and
 * which half was never agreed on by anybody. Balancers that know nothing of each other so use all of the
 * servers between them, and none of them forever.
 *
 * Nothing is drawn to nobody: while a draw leaves none awake, it is drawn again.
 */
import type {
  SleepReason,
  Subset,
  SubsetChange,
  SubsetOptions,
  SubsetView,
  WakeReason,
} from '../subset.js';

/** Dice that say no so often are not fair, and one is drawn among them instead. */
const DRAWS_MAX = 64;

export class RandomWake implements Subset {
  readonly rule = 'rw';
  readonly least = 1;
  readonly #options: SubsetOptions;
  readonly #random: () => number;
  #awake = new Map<string, number>();
  #fit: ReadonlySet<string> = new Set();
  /** Null: there was no round yet. */
  #roundMs: number | null = null;

  constructor(options: SubsetOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  get awake(): ReadonlyMap<string, number> {
    return this.#awake;
  }

  get nextMs(): number {
    return this.#roundMs ?? 0;
  }

  look({ nowMs, members, fit }: SubsetView): readonly SubsetChange[] {
    this.#fit = fit;
    const changes: SubsetChange[] = [];
    for (const id of this.#awake.keys()) {
      if (!fit.has(id)) this.#sleep(id, 'unfit', changes);
    }
    const ids = members.filter(({ id }) => fit.has(id)).map(({ id }) => id);
    if (ids.length === 0) return changes;
    if (this.#roundMs === null || nowMs >= this.#roundMs) {
      const reason = this.#roundMs === null ? 'start' : 'round';
      this.#roundMs = nowMs + this.#options.wakeIntervalMs;
      this.#round(ids, reason, changes);
    } else if (this.#awake.size === 0) {
      for (const id of this.#draw(ids)) this.#wake(id, 'empty', changes);
    }
    return changes;
  }

  onWrite(): boolean {
    return false;
  }

  takeOver(awake: Iterable<string>, nowMs: number): void {
    this.#awake = new Map([...awake].map((id) => [id, 1]));
    this.#roundMs = nowMs + this.#options.wakeIntervalMs;
  }

  wake(id: string): boolean {
    if (this.#awake.has(id) || !this.#fit.has(id)) return false;
    this.#awake.set(id, 1);
    return true;
  }

  sleep(id: string): boolean {
    if (this.#awake.size <= this.least) return false;
    return this.#awake.delete(id);
  }

  /** Who wakes in a round does not fall asleep in it: both are drawn from what was before. */
  #round(ids: readonly string[], reason: 'start' | 'round', changes: SubsetChange[]): void {
    let after = new Set<string>();
    for (const id of ids) if (this.#random() < 0.5) after.add(id);
    // heads keeps an awake one awake and wakes a waiting one: one half either way
    if (after.size === 0) after = this.#draw(ids);
    for (const id of ids) {
      if (after.has(id)) this.#wake(id, reason, changes);
      else this.#sleep(id, 'round', changes);
    }
  }

  /** Each with probability one half, again and again until there is one. */
  #draw(ids: readonly string[]): Set<string> {
    for (let i = 0; i < DRAWS_MAX; i++) {
      const drawn = ids.filter(() => this.#random() < 0.5);
      if (drawn.length > 0) return new Set(drawn);
    }
    const at = Math.min(ids.length - 1, Math.floor(this.#random() * ids.length));
    return new Set(ids.slice(at, at + 1));
  }

  #wake(id: string, reason: WakeReason, changes: SubsetChange[]): void {
    if (this.#awake.has(id)) return;
    this.#awake.set(id, 1);
    changes.push({ kind: 'wake', id, reason });
  }

  #sleep(id: string, reason: SleepReason, changes: SubsetChange[]): void {
    if (this.#awake.delete(id)) changes.push({ kind: 'sleep', id, reason });
  }
}
