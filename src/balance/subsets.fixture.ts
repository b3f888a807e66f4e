/** A subset's surroundings for tests: servers that fail and return, time that goes on when told. */
import type { PeerPosition } from './aperture.js';
import { subsetDefaults, type Subset, type SubsetChange, type SubsetName } from './subset.js';
import type { SubsetOptions, SubsetView } from './subset.js';
import { createSubset } from './subsets.js';
import { dice } from './targets.fixture.js';

export const namesOf = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `s${index}`);

export class SubsetScene {
  nowMs = 0;
  pending = 0;
  position: PeerPosition | null = null;
  readonly members: Set<string>;
  readonly fit: Set<string>;
  readonly subset: Subset;
  readonly story: SubsetChange[] = [];

  constructor(
    name: SubsetName,
    count: number,
    options: Partial<SubsetOptions> = {},
    random: () => number = dice(1),
  ) {
    this.members = new Set(namesOf(count));
    this.fit = new Set(this.members);
    this.subset = createSubset(name, options, random);
  }

  get view(): SubsetView {
    const { nowMs, fit, pending, position } = this;
    const members = [...this.members].sort().map((id) => ({ id, weight: 1 }));
    return { nowMs, members, fit: new Set(fit), pending, position };
  }

  get awake(): string[] {
    return [...this.subset.awake.keys()].sort();
  }

  /** What it changes when it looks now. */
  look(): readonly SubsetChange[] {
    const changes = this.subset.look(this.view);
    this.story.push(...changes);
    return changes;
  }

  /** Goes on, and looks whenever the rule wants to. */
  advance(byMs: number): readonly SubsetChange[] {
    const endMs = this.nowMs + byMs;
    const changes: SubsetChange[] = [];
    while (this.subset.nextMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.subset.nextMs);
      changes.push(...this.look());
      if (this.subset.nextMs <= this.nowMs) break;
    }
    this.nowMs = endMs;
    changes.push(...this.look());
    return changes;
  }

  write(): readonly SubsetChange[] {
    return this.subset.onWrite(this.nowMs) ? this.look() : [];
  }

  fail(...ids: string[]): readonly SubsetChange[] {
    for (const id of ids) this.fit.delete(id);
    return this.look();
  }

  heal(...ids: string[]): readonly SubsetChange[] {
    for (const id of ids) this.fit.add(id);
    return this.look();
  }
}

export const roundMs = subsetDefaults.wakeIntervalMs;

/** In short: `+s1 write`, `-s0 quiet`, `rw-p because …`. */
export function told(changes: readonly SubsetChange[]): string[] {
  return changes.map((change) => {
    if (change.kind === 'rule') return `${change.rule} because ${change.reason}`;
    return `${change.kind === 'wake' ? '+' : '-'}${change.id} ${change.reason}`;
  });
}

/** Dice that say what they are told, in turn, and then over again. */
export function loaded(...values: number[]): () => number {
  let at = 0;
  return () => values[at++ % values.length] ?? 0;
}
