/** A recipe under trial: what each process does with it, and what must be true of it in the end. */
import type { SeededRandom } from '../../base/random.js';
import type { ZkClient } from '../../client/types.js';
import type { Life } from './actor.js';
import type { Court } from './court.js';

export interface CaseParts {
  readonly random: SeededRandom;
  readonly court: Court;
  readonly actorCount: number;
  readonly sessionTimeoutMs: number;
  /** No wall clock is further than that from the right time. */
  readonly clockJumpMs: number;
}

export interface RecipeTrial {
  /** Before anybody begins. */
  prepare(zk: ZkClient): Promise<void>;
  /** Again and again, until `life.stop`; tells each round that was brought to its end. */
  play(life: Life): Promise<void>;
  /** When nothing goes wrong any more; all plays have ended, their sessions live. */
  judge(zk: ZkClient): Promise<void>;
}

export interface RecipeCase {
  readonly name: string;
  try(parts: CaseParts): RecipeTrial;
}

/** Waits that were given up because the case ends; anything else is an error. */
export async function unlessStopped<T>(life: Life, work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (problem) {
    if (life.stop.aborted) return null;
    throw problem;
  }
}
