/**
 * Which servers are to carry the sessions, by what they are in the ensemble. Reads are the same
 * everywhere; the leader has every write of everybody to order, so it is spared while others can serve.
 */
import type { ServerMode } from '../../protocol/four-letter-words.js';

export const rolePreferences = ['spare-leader', 'observers-first', 'any'] as const;

export type RolePreference = (typeof rolePreferences)[number];

/** Fewer than so many fit ones in the preferred roles, and the next role serves as well. */
const PREFERRED_MIN = 2;

/** More than there are ranks. */
export const ROLE_RANKS = 4;

/** The lower, the sooner. Of one that has not said what it is yet nothing is held against it. */
export function roleRank(mode: ServerMode | null, preference: RolePreference): number {
  switch (preference) {
    case 'any':
      return 0;
    case 'spare-leader':
      return mode === 'leader' ? 1 : 0;
    case 'observers-first':
      if (mode === 'leader') return 2;
      return mode === 'follower' ? 1 : 0;
  }
}

/**
 * The rank of each by its id: 0 for those of the preferred roles, and for the next role's as well where
 * fewer than two of the preferred are fit. A session that has one server alone to go to is worse off
 * than a leader with a few more readers.
 */
export function preferredRanks(
  servers: readonly { readonly id: string; readonly mode: ServerMode | null }[],
  fit: ReadonlySet<string>,
  preference: RolePreference,
): Map<string, number> {
  const ranks = new Map(servers.map(({ id, mode }) => [id, roleRank(mode, preference)]));
  const counts = new Array<number>(ROLE_RANKS).fill(0);
  for (const [id, rank] of ranks) if (fit.has(id)) counts[rank] = (counts[rank] ?? 0) + 1;
  const wanted = Math.min(PREFERRED_MIN, fit.size);
  let preferred = 0;
  let enough = 0;
  while (preferred < ROLE_RANKS && enough < wanted) enough += counts[preferred++] ?? 0;
  for (const [id, rank] of ranks) if (rank < preferred) ranks.set(id, 0);
  return ranks;
}
