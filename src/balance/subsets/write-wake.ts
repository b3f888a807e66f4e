/**
 * `rw-p`: *write-driven wake*. Reads are cheap for whoever is awake; what loads an ensemble is writing,
 * so a client's write is what wakes the next server, at most one in each `wakeIntervalMs`, and when
 * nobody has written for a while they fall asleep again, the longest awake first.
 *
 * In equal turns: who waits stands in a queue, the head wakes, and who falls asleep goes to its end. As
 * long as the same servers are healthy, none has had two turns more than another.
 *
 * Never fewer than two are awake while two are healthy: the loss of one then leaves a server that is
 * warm. So a gap is filled at once, whatever the interval says.
 */
import type {
  SleepReason,
  Subset,
  SubsetChange,
  SubsetOptions,
  SubsetView,
  WakeReason,
} from '../subset.js';

export class WriteWake implements Subset {
  readonly rule = 'rw-p';
  readonly least = 2;
  readonly #options: SubsetOptions;
  readonly #random: () => number;
  /** The longest awake first. */
  readonly #awake = new Map<string, number>();
  /** The next first. */
  readonly #waiting = new Set<string>();
  #isStarted = false;
  #hasWritten = false;
  /** Of the last write, or of the last one that fell asleep since. */
  #quietSinceMs = 0;
  #sleepAfterMs: number;
  /** Writes wake nobody before. */
  #wakeMs = 0;

  constructor(options: SubsetOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#sleepAfterMs = options.sleepAfterMs;
  }

  get awake(): ReadonlyMap<string, number> {
    return this.#awake;
  }

  get nextMs(): number {
    return this.#awake.size > this.least ? this.#quietSinceMs + this.#sleepAfterMs : Infinity;
  }

  look({ nowMs, members, fit }: SubsetView): readonly SubsetChange[] {
    const changes: SubsetChange[] = [];
    this.#follow(members.map(({ id }) => id).filter((id) => fit.has(id)));
    for (const id of this.#awake.keys()) {
      if (!fit.has(id)) this.#sleep(id, 'unfit', changes);
    }
    const reason = this.#isStarted ? 'least' : 'start';
    while (this.#awake.size < this.least && this.#waiting.size > 0) this.#wakeNext(reason, changes);
    if (this.#awake.size > 0 && !this.#isStarted) {
      this.#isStarted = true;
      this.#quietSinceMs = nowMs;
    }
    if (this.#hasWritten) {
      this.#hasWritten = false;
      if (this.#waiting.size > 0) {
        this.#wakeNext('write', changes);
        this.#wakeMs = nowMs + this.#options.wakeIntervalMs;
      }
    } else if (nowMs >= this.nextMs) {
      this.#sleepLongest(nowMs, changes);
    }
    return changes;
  }

  onWrite(nowMs: number): boolean {
    this.#quietSinceMs = nowMs;
    this.#sleepAfterMs = this.#options.sleepAfterMs;
    this.#hasWritten = nowMs >= this.#wakeMs && this.#waiting.size > 0;
    return this.#hasWritten;
  }

  takeOver(awake: Iterable<string>, nowMs: number): void {
    this.#awake.clear();
    for (const id of awake) {
      this.#awake.set(id, 1);
      this.#waiting.delete(id);
    }
    this.#isStarted = true;
    this.#quietSinceMs = nowMs;
    this.#sleepAfterMs = this.#options.sleepAfterMs;
  }

  wake(id: string): boolean {
    if (!this.#waiting.delete(id)) return false;
    this.#awake.set(id, 1);
    return true;
  }

  sleep(id: string): boolean {
    if (this.#awake.size <= this.least || !this.#awake.delete(id)) return false;
    this.#waiting.add(id);
    return true;
  }

  /** Who is fit and does not stand in the queue goes to its end; at the start, in an order drawn by lot. */
  #follow(fit: readonly string[]): void {
    for (const id of this.#waiting) if (!fit.includes(id)) this.#waiting.delete(id);
    const added = fit.filter((id) => !this.#waiting.has(id) && !this.#awake.has(id));
    while (added.length > 0) {
      const at = Math.min(added.length - 1, Math.floor(this.#random() * added.length));
      for (const id of added.splice(at, 1)) this.#waiting.add(id);
    }
  }

  #wakeNext(reason: WakeReason, changes: SubsetChange[]): void {
    for (const id of this.#waiting) {
      this.#waiting.delete(id);
      this.#awake.set(id, 1);
      changes.push({ kind: 'wake', id, reason });
      return;
    }
  }

  #sleepLongest(nowMs: number, changes: SubsetChange[]): void {
    for (const id of this.#awake.keys()) {
      this.#sleep(id, 'quiet', changes);
      this.#waiting.add(id);
      break;
    }
    // one by one: each of them moves its sessions
    this.#quietSinceMs = nowMs;
    this.#sleepAfterMs = this.#options.wakeIntervalMs;
  }

  #sleep(id: string, reason: SleepReason, changes: SubsetChange[]): void {
    this.#awake.delete(id);
    changes.push({ kind: 'sleep', id, reason });
  }
}
