/**
 * What happens to an ensemble as lines: who leads, who follows, who is lost and who is back. Made of
 * looks at the servers, one after another; a look at which nothing has changed says nothing.
 */
import type { Sight } from './up-sight.js';

const verbs: Readonly<Record<string, string>> = {
  leader: 'leads',
  follower: 'follows',
  observer: 'observes',
  standalone: 'serves',
};

export class UpStory {
  /** Of each server that serves. */
  readonly #roles = new Map<number, string>();
  /** Those that served once and stopped to. */
  readonly #lost = new Set<number>();
  #leader: number | null = null;

  /** The changes since the last look; the leader's first. */
  look(sights: ReadonlyMap<number, Sight>): string[] {
    const lines: string[] = [];
    for (const [sid, sight] of sights) {
      const role = sight.kind === 'serving' ? sight.role : null;
      const before = this.#roles.get(sid) ?? null;
      if (role === before) continue;
      if (role === null) {
        this.#roles.delete(sid);
        this.#lost.add(sid);
        lines.push(
          `server ${sid} ${sight.kind === 'looking' ? 'looks for a leader' : 'does not answer'}`,
        );
        continue;
      }
      this.#roles.set(sid, role);
      const back = this.#lost.delete(sid) ? 'is back and ' : '';
      lines.push(`server ${sid} ${back}${verbs[role] ?? `serves as ${role}`}`);
    }
    const leader = leaderAmong(sights);
    const hadLeader = this.#leader !== null;
    this.#leader = leader;
    lines.sort((one, other) => Number(other.endsWith('leads')) - Number(one.endsWith('leads')));
    if (leader === null && hadLeader) {
      lines.push(`nobody leads: ${this.#roles.size} of ${sights.size} servers serve`);
    }
    return lines;
  }

  /** Its process ended, before any look could show it. */
  onDeath(sid: number): void {
    this.#roles.delete(sid);
    this.#lost.add(sid);
  }
}

/** One that was paused may believe that it leads still: the newest history knows. */
export function leaderAmong(sights: ReadonlyMap<number, Sight>): number | null {
  let leader: number | null = null;
  let newest = -1n;
  for (const [sid, sight] of sights) {
    if (sight.kind !== 'serving' || sight.role !== 'leader' || sight.zxid <= newest) continue;
    leader = sid;
    newest = sight.zxid;
  }
  return leader;
}
