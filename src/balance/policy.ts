/**
 * What every policy is: told the targets when they change, asked for one of them per request. Which
 * targets may be asked for at all (health, subset, priority, panic) has been decided before; a policy
 * only says which of them is next.
 */
import type { Target } from './target.js';

export interface PickRequest {
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Where the request belongs on a ring; null: anywhere. */
  readonly keyHash: number | null;
  /** Those that were tried already; null: none. */
  readonly excluded: ReadonlySet<Target> | null;
}

export interface Policy {
  /** In the order of their ids. Their shares and weights are as they are to be used. */
  update(targets: readonly Target[]): void;
  /** Null: there is none that is not excluded. */
  pick(request: PickRequest): Target | null;
  /** One more or one less is pending at one of the targets, which `pending` says already. */
  onLoad(target: Target, change: 1 | -1): void;
}
