/**
 * One subset for all balancers. If each drew its own, together they would soon have everything awake,
 * and a session that comes to another balancer would find other servers there. So one of them, elected,
 * follows the rule and publishes what is awake; the others have the same awake.
 *
 * - Cut off from the registry, each keeps the last set: also the elected one, as it cannot tell the others.
 * - What is published may not be fit from here. While fewer than the rule's least are, this balancer wakes
 *   others for itself, drawn by lot, and gives them up when the published ones are back.
 * - As long as nobody has published anything, each follows the rule by itself.
 */
import type { SleepReason, Subset, SubsetChange, SubsetView, WakeReason } from './subset.js';

/** What the registry says now. */
export interface AgreementView {
  readonly isConnected: boolean;
  /** It is this balancer that decides. */
  readonly isElected: boolean;
  /** Null: nobody has said anything. */
  readonly published: readonly string[] | null;
}

export class AgreedSubset {
  readonly #rule: Subset;
  readonly #random: () => number;
  #awake: ReadonlyMap<string, number> = new Map();
  /** Of these, the ones that only this balancer has awake. */
  #own = new Set<string>();
  #mode: 'deciding' | 'following' | 'alone' = 'alone';
  /** What was published last, as far as this balancer knows. */
  #last: readonly string[] | null = null;

  constructor(rule: Subset, random: () => number) {
    this.#rule = rule;
    this.#random = random;
  }

  get awake(): ReadonlyMap<string, number> {
    return this.#awake;
  }

  /** `following`: what is awake is decided elsewhere, or was before this balancer was cut off. */
  get mode(): 'deciding' | 'following' | 'alone' {
    return this.#mode;
  }

  /** Awake here and not agreed on. */
  get own(): ReadonlySet<string> {
    return this.#own;
  }

  get nextMs(): number {
    return this.#mode === 'following' ? Infinity : this.#rule.nextMs;
  }

  /** Null: there is no agreement to be sought. */
  look(view: SubsetView, agreement: AgreementView | null): readonly SubsetChange[] {
    const mode = this.#modeUnder(agreement);
    if (agreement?.isConnected === true) this.#last = agreement.published;
    const changes: SubsetChange[] = [];
    if (mode === 'following') {
      this.#follow(view, this.#last ?? [], changes);
    } else {
      // a new decider goes on from what all have awake, so that nobody's sessions move for it
      if (mode === 'deciding' && this.#mode !== 'deciding' && this.#last !== null) {
        this.#rule.takeOver(this.#last, view.nowMs);
      } else if (this.#mode === 'following') {
        this.#rule.takeOver(this.#awake.keys(), view.nowMs);
      }
      this.#own = new Set();
      changes.push(...this.#rule.look(view));
      this.#awake = this.#rule.awake;
    }
    this.#mode = mode;
    return changes;
  }

  /** What the elected one is to publish now; null: nothing new. */
  publication(agreement: AgreementView): readonly string[] | null {
    if (this.#mode !== 'deciding' || !agreement.isConnected || this.#awake.size === 0) return null;
    const awake = [...this.#awake.keys()].sort();
    const { published } = agreement;
    const isSame =
      published?.length === awake.length && awake.every((id) => published.includes(id));
    return isSame ? null : awake;
  }

  /** As of a rule; where others decide, what comes of it is for the elected one to know. */
  onWrite(nowMs: number): boolean {
    return this.#rule.onWrite(nowMs) && this.#mode !== 'following';
  }

  wake(id: string, nowMs: number): boolean {
    if (this.#mode === 'following' || !this.#rule.wake(id, nowMs)) return false;
    this.#awake = this.#rule.awake;
    return true;
  }

  sleep(id: string, nowMs: number): boolean {
    if (this.#mode === 'following' || !this.#rule.sleep(id, nowMs)) return false;
    this.#awake = this.#rule.awake;
    return true;
  }

  #modeUnder(agreement: AgreementView | null): 'deciding' | 'following' | 'alone' {
    if (agreement === null) return 'alone';
    if (!agreement.isConnected) return this.#last === null ? 'alone' : 'following';
    if (agreement.isElected) return 'deciding';
    return agreement.published === null ? 'alone' : 'following';
  }

  #follow(
    { members, fit }: SubsetView,
    published: readonly string[],
    changes: SubsetChange[],
  ): void {
    const before = this.#awake;
    const known = new Set(members.map(({ id }) => id));
    const awake = new Map<string, number>();
    for (const id of published) if (fit.has(id)) awake.set(id, 1);
    const agreed = awake.size;
    const own = new Set<string>();
    const least = Math.min(this.#rule.least, fit.size);
    // those that this balancer woke before, first: whoever serves goes on serving
    const others = [...fit].filter((id) => known.has(id) && !awake.has(id));
    while (awake.size < least && others.length > 0) {
      const kept = others.findIndex((id) => before.has(id));
      const lot = Math.min(others.length - 1, Math.floor(this.#random() * others.length));
      for (const id of others.splice(kept >= 0 ? kept : lot, 1)) {
        awake.set(id, 1);
        own.add(id);
      }
    }
    const wakeReason: WakeReason = agreed === 0 ? 'empty' : 'least';
    for (const id of awake.keys()) {
      if (before.has(id)) continue;
      changes.push({ kind: 'wake', id, reason: own.has(id) ? wakeReason : 'agreed' });
    }
    for (const id of before.keys()) {
      if (awake.has(id)) continue;
      const reason: SleepReason = fit.has(id) ? 'agreed' : 'unfit';
      changes.push({ kind: 'sleep', id, reason });
    }
    this.#awake = awake;
    this.#own = own;
  }
}
