/**
 * A subset that follows from the view alone: nothing is drawn, nobody is woken by a write or by the
 * operator, and nothing is remembered but who is awake.
 */
import type {
  SleepReason,
  Subset,
  SubsetChange,
  SubsetName,
  SubsetView,
  WakeReason,
} from '../subset.js';

export abstract class FollowingSubset implements Subset {
  abstract readonly rule: SubsetName;
  abstract readonly least: number;
  abstract readonly nextMs: number;
  #awake: ReadonlyMap<string, number> = new Map();
  #isStarted = false;

  get awake(): ReadonlyMap<string, number> {
    return this.#awake;
  }

  abstract look(view: SubsetView): readonly SubsetChange[];

  /** These are awake from now on; the first of all wake because of the start. */
  protected follow(
    awake: ReadonlyMap<string, number>,
    wakes: WakeReason,
    sleeps: (id: string) => SleepReason,
  ): readonly SubsetChange[] {
    const before = this.#awake;
    const reason = this.#isStarted ? wakes : 'start';
    const changes: SubsetChange[] = [];
    for (const id of awake.keys()) {
      if (!before.has(id)) changes.push({ kind: 'wake', id, reason });
    }
    for (const id of before.keys()) {
      if (!awake.has(id)) changes.push({ kind: 'sleep', id, reason: sleeps(id) });
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
