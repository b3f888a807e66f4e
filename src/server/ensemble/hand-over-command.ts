/**
 * A hand-over of leadership that an operator asks for: why it cannot be, in words that say what would
 * help, and how long nobody was served when it was.
 */
import type { Clock } from '../../ports/clock.js';
import { Capability, hasCapability } from '../../protocol/peer/extension.js';
import type { RoleName } from '../../zab/ready.js';
import type { HandOverAnswer } from '../commands/ensemble-view.js';
import { votersOf, type Members } from '../config/members.js';
import type { KnownLearner } from './successors.js';

interface Situation {
  /** Of the leader. */
  readonly sid: number;
  readonly members: Members;
  readonly known: readonly KnownLearner[];
}

/** Null: it can be tried. */
export function handOverRefusal(to: number | null, situation: Situation): string | null {
  const { sid, members, known } = situation;
  if (to !== null) {
    const refusal = refusalOfPlace(to, sid, members);
    if (refusal !== null) return refusal;
  }
  const strangers = known
    .filter(({ extension }) => !hasCapability(extension, Capability.handOver))
    .map(({ learner }) => learner.sid);
  if (strangers.length > 0) {
    const who =
      strangers.length === 1 ? `server ${strangers[0] ?? 0} is` : `${list(strangers)} are`;
    return `${who} not Zabra, and would not understand it: stop this leader, and the others elect one`;
  }
  const ready = known
    .filter(({ learner }) => learner.phase === 'active' && !learner.isObserver)
    .map(({ learner }) => learner.sid);
  if (to === null) return ready.length > 0 ? null : 'no other voter is connected and up to date';
  if (ready.includes(to)) return null;
  const isConnected = known.some(({ learner }) => learner.sid === to);
  const others = ready.length > 0 ? `; ${list(ready)} could take it` : '';
  const what = isConnected ? 'is being brought up to date' : 'is not connected to this leader';
  return `server ${to} ${what}${others}`;
}

function refusalOfPlace(to: number, sid: number, members: Members): string | null {
  if (to === sid) return `server ${to} leads already`;
  const voters = votersOf(members).sort((one, other) => one - other);
  const role = members.servers.get(to)?.role;
  if (role === undefined) return `there is no server ${to}: the voters are ${list(voters)}`;
  if (role === 'observer') {
    return `server ${to} is an observer, and only a voter can lead: those are ${list(voters)}`;
  }
  return null;
}

function list(sids: readonly number[]): string {
  return sids.join(', ');
}

/** The server that hands over. */
export interface HandingMember {
  readonly state: RoleName | 'looking';
  readonly leaderSid: number | null;
  readonly world: { readonly clock: Clock };
  readonly config: { readonly tickTimeMs: number };
  handOverRefusal(to: number | null): string | null;
  handOver(to: number | null): Promise<boolean>;
}

/** Longer than this it is an election's matter. */
const PATIENCE_TICKS = 20;
const LOOK_MS = 1;

export async function handOverNow(
  member: HandingMember,
  to: number | null,
): Promise<HandOverAnswer> {
  if (member.state !== 'leading') {
    const leader = leaderOf(member);
    const reason = leader === null ? 'nobody leads now' : `server ${leader} leads: ask that one`;
    return { ok: false, reason };
  }
  const refusal = member.handOverRefusal(to);
  if (refusal !== null) return { ok: false, reason: refusal };
  const { clock } = member.world;
  const startMs = clock.monotonicMs();
  if (!(await member.handOver(to))) {
    const reason = 'it did not come to that in a quarter of a tick: this server goes on leading';
    return { ok: false, reason };
  }
  const patienceMs = PATIENCE_TICKS * member.config.tickTimeMs;
  for (;;) {
    const leader = leaderOf(member);
    const gapMs = clock.monotonicMs() - startMs;
    if (leader !== null) return { ok: true, leader, gapMs };
    if (gapMs > patienceMs) {
      return { ok: false, reason: 'leadership was given up, and nobody leads yet' };
    }
    await new Promise<void>((resolve) => {
      clock.after(LOOK_MS, resolve);
    });
  }
}

/** Whom it follows, or itself, while its clients are served. */
function leaderOf({ state, leaderSid }: HandingMember): number | null {
  return state === 'looking' ? null : leaderSid;
}
