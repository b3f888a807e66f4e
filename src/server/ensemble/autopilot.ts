/**
 * The autopilot's judgement, opt-in by `autopilot.deadMs`: which of the voters has been away so long
 * that the others are better off without it, and which of those it took out is to be let in again. It
 * is told what the leader sees, with the time, and answers with one step or none.
 *
 * Five voters stop with the third loss; if the first two were taken out in time, three are left, and
 * those go on after a third. A step is taken only from firm ground: one server away and all others up
 * to date, at least three voters left, no reconfiguration under way, and some time after the last one.
 * Observers decide nothing, may learn from a follower where no leader sees them, and are left alone.
 */
import { votersOf, type Members } from '../config/members.js';
import type { TakenOut } from './autopilot-record.js';

/** What the leader sees. */
export interface Sight {
  readonly members: Members;
  /** A configuration is proposed and not in force. */
  readonly isReconfiguring: boolean;
  /** Learners that are connected, by number, and whether they have what was committed a look ago. */
  readonly learners: ReadonlyMap<number, { readonly isUpToDate: boolean }>;
  /** The record; null: there is none yet. */
  readonly out: readonly TakenOut[] | null;
  readonly wallMs: number;
}

export type Step =
  /** To be written down; what else is to be done is done when it is. */
  | { readonly kind: 'record'; readonly out: readonly TakenOut[] }
  | { readonly kind: 'takeOut'; readonly server: TakenOut; readonly deadMs: number }
  | { readonly kind: 'letIn'; readonly server: TakenOut };

export interface AutopilotOptions {
  /** Of the leader. */
  readonly sid: number;
  readonly deadMs: number;
  readonly tickMs: number;
  readonly nowMs: number;
}

const VOTERS_LEFT_MIN = 3;
/** So long a server must have been up to date without a break to be relied on. */
const PROBATION_TICKS = 2;
/** Between a configuration that came into force and the next server to be taken out. */
const REST_TICKS = 4;
/** Each return doubles the probation of the next one, up to this often. */
const DOUBLINGS_MAX = 8;
/** Whoever stayed for so many times `deadMs` has its returns forgotten. */
const STEADY_FACTOR = 10;

export class Autopilot {
  readonly #options: AutopilotOptions;
  /** When each server was connected last. */
  readonly #heardMs = new Map<number, number>();
  /** Since when each has been up to date without a break. */
  readonly #soundMs = new Map<number, number>();
  /** How often each was let in again by this leader. */
  readonly #returns = new Map<number, number>();
  /** Written down by this leader, and the next to be taken out. */
  #noted: number | null = null;
  #version: bigint | null = null;
  #restUntilMs: number;
  /** What it does, or what keeps it from doing something; for people. */
  state = 'watching';

  constructor(options: AutopilotOptions) {
    this.#options = options;
    this.#restUntilMs = options.nowMs + REST_TICKS * options.tickMs;
  }

  look(sight: Sight, nowMs: number): Step | null {
    this.#observe(sight, nowMs);
    if (sight.isReconfiguring) {
      this.state = 'waits: a reconfiguration is under way';
      return null;
    }
    if (sight.out === null) return { kind: 'record', out: [] };
    const { servers } = sight.members;
    const kept = sight.out.filter(({ server: { sid } }) => {
      // noted, and not taken out: it has come back, or another leader was about to
      return !servers.has(sid) || !sight.learners.has(sid);
    });
    if (kept.length < sight.out.length) {
      this.#noted = null;
      return { kind: 'record', out: kept };
    }
    return this.#letIn(sight, nowMs) ?? this.#takeOut(sight, sight.out, nowMs);
  }

  /** The step was refused: nothing for a while. */
  refused(reason: string, nowMs: number): void {
    this.#noted = null;
    this.#restUntilMs = nowMs + REST_TICKS * this.#options.tickMs;
    this.state = `waits: ${reason}`;
  }

  /** Somebody else has decided about these servers; what is left of the record. Null: all of it. */
  decidedElsewhere(out: readonly TakenOut[], sids: ReadonlySet<number>): TakenOut[] | null {
    const kept = out.filter(({ server }) => !sids.has(server.sid));
    return kept.length === out.length ? null : kept;
  }

  #observe({ members, learners }: Sight, nowMs: number): void {
    const { tickMs, deadMs } = this.#options;
    if (this.#version !== members.version) {
      if (this.#version !== null) this.#restUntilMs = nowMs + REST_TICKS * tickMs;
      this.#version = members.version;
    }
    for (const [sid, { isUpToDate }] of learners) {
      this.#heardMs.set(sid, nowMs);
      if (!isUpToDate) this.#soundMs.delete(sid);
      else if (!this.#soundMs.has(sid)) this.#soundMs.set(sid, nowMs);
      const since = this.#soundMs.get(sid);
      if (since !== undefined && nowMs - since > STEADY_FACTOR * deadMs) this.#returns.delete(sid);
    }
    for (const sid of this.#soundMs.keys()) if (!learners.has(sid)) this.#soundMs.delete(sid);
  }

  #isSound(sid: number, forMs: number, nowMs: number): boolean {
    const since = this.#soundMs.get(sid);
    return since !== undefined && nowMs - since >= forMs;
  }

  // ------------------------------------------------------------------ back in

  #letIn({ members, out }: Sight, nowMs: number): Step | null {
    const probationMs = PROBATION_TICKS * this.#options.tickMs;
    for (const one of out ?? []) {
      const { sid } = one.server;
      if (members.servers.has(sid) || nowMs < this.#restUntilMs) continue;
      const returns = this.#returns.get(sid) ?? 0;
      // one that comes and goes must stay longer and longer before it counts
      const dueMs = probationMs * 2 ** Math.min(returns, DOUBLINGS_MAX);
      if (!this.#isSound(sid, dueMs, nowMs)) continue;
      this.#returns.set(sid, returns + 1);
      this.state = `lets server ${sid} in`;
      return { kind: 'letIn', server: one };
    }
    return null;
  }

  // ------------------------------------------------------------------ out

  #takeOut(sight: Sight, out: readonly TakenOut[], nowMs: number): Step | null {
    const { members, learners } = sight;
    const { sid: self, deadMs } = this.#options;
    const voters = votersOf(members);
    const others = voters.filter((sid) => sid !== self);
    for (const sid of others) if (!this.#heardMs.has(sid)) this.#heardMs.set(sid, nowMs);
    const away = others.filter((sid) => !learners.has(sid));
    const [dead] = away;
    const server = dead === undefined ? undefined : members.servers.get(dead);
    if (dead === undefined || server === undefined) {
      this.#noted = null;
      this.state = 'watching';
      return null;
    }
    const awayMs = nowMs - (this.#heardMs.get(dead) ?? nowMs);
    const why = this.#reasonNot(voters, others, away, awayMs, nowMs);
    if (why !== null) {
      this.state = why;
      return null;
    }
    if (this.#noted !== dead) {
      this.#noted = dead;
      const rest = out.filter((one) => one.server.sid !== dead);
      return { kind: 'record', out: [...rest, { server, sinceMs: Math.floor(sight.wallMs) }] };
    }
    const noted = out.find((one) => one.server.sid === dead);
    if (noted === undefined) return null;
    this.#noted = null;
    this.state = `takes server ${dead} out`;
    return { kind: 'takeOut', server: noted, deadMs: Math.max(awayMs, deadMs) };
  }

  #reasonNot(
    voters: readonly number[],
    others: readonly number[],
    away: readonly number[],
    awayMs: number,
    nowMs: number,
  ): string | null {
    const { deadMs, tickMs, sid: self } = this.#options;
    const dead = away.join(', ');
    if (!voters.includes(self)) return `waits: this server does not vote, and ${dead} is away`;
    if (voters.length - 1 < VOTERS_LEFT_MIN) {
      return `waits: server ${dead} is away, and without it ${voters.length - 1} would vote`;
    }
    const unsound = this.unsound(others, away, PROBATION_TICKS * tickMs, nowMs);
    if (unsound.length > 0) {
      return `waits: server ${dead} is away, and ${unsound.join(', ')} not up to date`;
    }
    if (awayMs < deadMs) return `waits: server ${dead} is away, not for long`;
    if (nowMs < this.#restUntilMs) return `waits: server ${dead} is away, and a change is recent`;
    return null;
  }

  /** Voters that cannot be relied on, when the first of those that are away is gone. */
  unsound(
    others: readonly number[],
    away: readonly number[],
    forMs: number,
    nowMs: number,
  ): number[] {
    return others.filter((sid) => sid !== away[0] && !this.#isSound(sid, forMs, nowMs));
  }
}
