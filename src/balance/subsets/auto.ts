/**
 * `auto`: `rw` while all is calm, as few as chance wants; `rw-p` after a failure or under a load of
 * writes, when at least two are to be warm; `all` in panic, when each one that still stands is needed.
 * Each change of the rule is told with its reason. What was awake stays so: the new rule goes on from it.
 */
import { isPanic } from '../priority-load.js';
import type { Subset, SubsetChange, SubsetOptions, SubsetView } from '../subset.js';
import { AllAwake } from './all.js';
import { RandomWake } from './random-wake.js';
import { WriteWake } from './write-wake.js';

/** Write events are averaged over so long. */
const WRITES_SMOOTH_MS = 10_000;
/** How often the load of writes is looked at. */
const LOOK_MS = 1_000;

type Rule = 'rw' | 'rw-p' | 'all';

export class AutoSubset implements Subset {
  readonly least = 1;
  readonly #options: SubsetOptions;
  readonly #rules: Readonly<Record<Rule, Subset>>;
  #rule: Rule = 'rw';
  #fit: ReadonlySet<string> = new Set();
  #failedMs = -Infinity;
  #writes = 0;
  #writesPerSecond = 0;
  #isUnderWrites = false;
  /** Null: it was not looked at yet. */
  #lookMs: number | null = null;

  constructor(options: SubsetOptions, random: () => number) {
    this.#options = options;
    this.#rules = {
      rw: new RandomWake(options, random),
      'rw-p': new WriteWake(options, random),
      all: new AllAwake(),
    };
  }

  get rule(): Rule {
    return this.#rule;
  }

  get awake(): ReadonlyMap<string, number> {
    return this.#rules[this.#rule].awake;
  }

  get nextMs(): number {
    const calmMs = this.#failedMs + this.#options.calmAfterMs;
    const lookMs = this.#lookMs === null ? 0 : this.#lookMs + LOOK_MS;
    return Math.min(
      lookMs,
      this.#rules[this.#rule].nextMs,
      this.#rule === 'rw' ? Infinity : calmMs,
    );
  }

  look(view: SubsetView): readonly SubsetChange[] {
    this.#measure(view);
    const changes: SubsetChange[] = [];
    const [rule, reason] = this.#judge(view);
    if (rule !== this.#rule) {
      this.#rules[rule].takeOver(this.awake.keys(), view.nowMs);
      this.#rule = rule;
      changes.push({ kind: 'rule', rule, reason });
    }
    changes.push(...this.#rules[this.#rule].look(view));
    return changes;
  }

  onWrite(nowMs: number): boolean {
    this.#writes++;
    return this.#rules[this.#rule].onWrite(nowMs);
  }

  takeOver(awake: Iterable<string>, nowMs: number): void {
    this.#rules[this.#rule].takeOver(awake, nowMs);
  }

  wake(id: string, nowMs: number): boolean {
    return this.#rules[this.#rule].wake(id, nowMs);
  }

  sleep(id: string, nowMs: number): boolean {
    return this.#rules[this.#rule].sleep(id, nowMs);
  }

  #measure({ nowMs, members, fit }: SubsetView): void {
    for (const id of this.#fit) {
      // who was taken out on purpose, drains or is gone, has not failed
      if (!fit.has(id) && members.some((member) => member.id === id)) this.#failedMs = nowMs;
    }
    this.#fit = fit;
    if (this.#lookMs !== null && nowMs < this.#lookMs + LOOK_MS) return;
    const passedMs = nowMs - (this.#lookMs ?? nowMs);
    this.#lookMs = nowMs;
    if (passedMs > 0) {
      const keep = Math.exp(-passedMs / WRITES_SMOOTH_MS);
      const rate = (this.#writes * 1000) / passedMs;
      this.#writesPerSecond = rate * (1 - keep) + this.#writesPerSecond * keep;
      this.#writes = 0;
    }
    const { writesPerSecond } = this.#options;
    // one threshold alone would be crossed to and fro all the time
    const bound = this.#isUnderWrites ? writesPerSecond / 2 : writesPerSecond;
    this.#isUnderWrites = this.#writesPerSecond >= bound;
  }

  #judge({ nowMs, members, fit }: SubsetView): [Rule, string] {
    if (isPanic(fit.size, members.length, this.#options.panicThresholdPercent)) {
      return ['all', `panic: ${fit.size} of ${members.length} servers are fit`];
    }
    const sinceMs = nowMs - this.#failedMs;
    if (sinceMs < this.#options.calmAfterMs) {
      return ['rw-p', `a server failed ${Math.round(sinceMs / 1000)} s ago`];
    }
    const rate = this.#writesPerSecond.toFixed(1);
    if (this.#isUnderWrites) return ['rw-p', `${rate} writes a second`];
    return ['rw', `calm: no failure lately, ${rate} writes a second`];
  }
}
