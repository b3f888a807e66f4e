/**
 * What stands between a registry and those who act on its lists. A registry in trouble tells nonsense:
 * when an ensemble was away for longer than the session timeout, every session has expired, and the
 * first list after it is empty although every server runs (spring-cloud-zookeeper #295, shenyu #6526).
 *
 * - Additions count at once.
 * - A member that leaves goes at once while the registry is well. Within `limboMs` (about a session
 *   timeout) after trouble it stays in *limbo* for that long: it may only not be back yet.
 * - A list that becomes empty is not believed: the last members stay until others come.
 * - What was good in an earlier run of this process (`seed`) serves until the registry has spoken.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { ServiceInstance } from './instance.js';

export interface StableListOptions {
  readonly clock: Clock;
  readonly limboMs: () => number;
  /** Whether an empty list keeps the last members. */
  readonly keepsLast: boolean;
  readonly onChange: (instances: readonly ServiceInstance[]) => void;
}

interface Member {
  instance: ServiceInstance;
  /** When it is to go; null: it is listed. Infinity: when others have come. */
  leavesMs: number | null;
}

export class StableList {
  readonly #options: StableListOptions;
  readonly #members = new Map<string, Member>();
  #isInTrouble = false;
  #trustedFromMs = -Infinity;
  #timer: Timer | null = null;

  constructor(options: StableListOptions) {
    this.#options = options;
  }

  get instances(): readonly ServiceInstance[] {
    return [...this.#members.values()].map(({ instance }) => instance);
  }

  /** So many are no longer listed, or not yet. */
  get limboSize(): number {
    let size = 0;
    for (const { leavesMs } of this.#members.values()) if (leavesMs !== null) size++;
    return size;
  }

  /** What was known before: to be replaced by whatever the registry says. */
  seed(instances: readonly ServiceInstance[]): void {
    for (const instance of instances) {
      if (this.#members.has(instance.id)) continue;
      this.#members.set(instance.id, { instance, leavesMs: Infinity });
    }
    this.#options.onChange(this.instances);
  }

  /** The registry cannot be reached, or can be again. */
  setTrouble(isInTrouble: boolean): void {
    if (isInTrouble === this.#isInTrouble) return;
    this.#isInTrouble = isInTrouble;
    const { clock, limboMs } = this.#options;
    if (!isInTrouble) this.#trustedFromMs = clock.monotonicMs() + limboMs();
  }

  /** All that the registry lists now. */
  update(listed: readonly ServiceInstance[]): void {
    const { clock, limboMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const isDoubtful = this.#isInTrouble || nowMs < this.#trustedFromMs;
    for (const instance of listed) this.#members.set(instance.id, { instance, leavesMs: null });
    const stays = new Set(listed.map(({ id }) => id));
    for (const member of this.#members.values()) {
      if (stays.has(member.instance.id)) continue;
      if (member.leavesMs === null) member.leavesMs = isDoubtful ? nowMs + limboMs() : nowMs;
      else if (member.leavesMs === Infinity && listed.length > 0) member.leavesMs = nowMs;
    }
    this.#settle();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #settle(): void {
    const { clock, keepsLast, onChange } = this.#options;
    this.close();
    const nowMs = clock.monotonicMs();
    const members = [...this.#members.values()];
    const isEmpty = members.every(({ leavesMs }) => leavesMs !== null);
    let nextMs = Infinity;
    for (const member of members) {
      if (member.leavesMs === null) continue;
      if (isEmpty && keepsLast) continue;
      if (member.leavesMs <= nowMs) this.#members.delete(member.instance.id);
      else nextMs = Math.min(nextMs, member.leavesMs);
    }
    if (nextMs < Infinity) {
      this.#timer = clock.after(nextMs - nowMs, () => {
        this.#settle();
      });
    }
    onChange(this.instances);
  }
}
