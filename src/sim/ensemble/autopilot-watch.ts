/**
 * What must hold of an autopilot, whatever goes wrong: it takes out nobody while another voter has been
 * down for longer than a leader needs to notice (A1), never itself (A2), and leaves three voters (A3).
 */
import type { LogFields } from '../../ports/logger.js';
import type { ServerConfig } from '../../server/config/config.js';
import { votersOf } from '../../server/config/members.js';
import type { Timeline } from '../clock.js';
import type { SimMember } from './sim-member.js';

interface WatchParts {
  readonly timeline: Timeline;
  readonly config: ServerConfig;
  readonly servers: readonly SimMember[];
  readonly fail: (invariant: string, message: string) => void;
}

const VOTERS_LEFT_MIN = 3;
/** To be taken for up to date, one must have been there a moment ago; a look is once a tick. */
const NOTICED_TICKS = 4;

export class AutopilotWatch {
  readonly #parts: WatchParts;
  readonly #runningMs = new Map<SimMember, number>();
  takenOut = 0;
  letIn = 0;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    if (parts.config.autopilotDeadMs > 0) this.#poll();
  }

  onMark(leader: SimMember, mark: string, fields: LogFields): void {
    if (mark === 'autopilot: lets a server in again') this.letIn++;
    if (mark !== 'autopilot: takes out a server that stayed away') return;
    this.takenOut++;
    const { timeline, servers, fail, config } = this.#parts;
    const membership = leader.member?.membership;
    if (membership === undefined) return;
    const dead = Number(fields['server']);
    if (dead === leader.sid) fail('A2', `${leader.name} takes itself out`);
    const left = votersOf(membership.inForce.members).filter((sid) => sid !== dead);
    if (left.length < VOTERS_LEFT_MIN) {
      fail('A3', `${leader.name} takes out ${dead}, and ${left.length} voters are left`);
    }
    const noticedMs = (config.ensemble.syncLimit + NOTICED_TICKS) * config.tickTimeMs;
    for (const server of servers) {
      if (!left.includes(server.sid) || server.isRunning) continue;
      const downMs = timeline.nowMs - (this.#runningMs.get(server) ?? 0);
      if (downMs <= noticedMs) continue;
      const since = `${server.name} has been down for ${Math.round(downMs)} ms`;
      fail('A1', `${leader.name} takes out ${dead}, though ${since}`);
    }
  }

  #poll(): void {
    const { timeline, servers, config } = this.#parts;
    for (const server of servers) {
      if (server.isRunning) this.#runningMs.set(server, timeline.nowMs);
    }
    timeline.after(config.tickTimeMs / 2, () => {
      this.#poll();
    });
  }
}
