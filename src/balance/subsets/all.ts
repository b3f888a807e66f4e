/** Every healthy server is used, and none ever sleeps. Nothing to decide, and nothing to save. */
import type { Subset, SubsetChange, SubsetView } from '../subset.js';

export class AllAwake implements Subset {
  readonly rule = 'all';
  readonly least = Infinity;
  readonly nextMs = Infinity;
  #awake: ReadonlyMap<string, number> = new Map();
  #isStarted = false;

  get awake(): ReadonlyMap<string, number> {
    return this.#awake;
  }

  look({ members, fit }: SubsetView): readonly SubsetChange[] {
    const before = this.#awake;
    const changes: SubsetChange[] = [];
    const reason = this.#isStarted ? 'healthy' : 'start';
    const awake = new Map<string, number>();
    for (const { id } of members) {
      if (!fit.has(id)) continue;
      awake.set(id, 1);
      if (!before.has(id)) changes.push({ kind: 'wake', id, reason });
    }
    for (const id of before.keys()) {
      if (!awake.has(id)) changes.push({ kind: 'sleep', id, reason: 'unfit' });
    }
    this.#awake = awake;
    this.#isStarted ||= awake.size > 0;
    return changes;
  }

  onWrite(): boolean {
    return false;
  }

  takeOver(awake: Iterable<string>): void {
    this.#awake = new Map([...awake].map((id) => [id, 1]));
    this.#isStarted = true;
  }

  wake(): boolean {
    return false;
  }

  sleep(): boolean {
    return false;
  }
}
