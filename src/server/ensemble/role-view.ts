/**
 * A role as words, admin commands and `ZooServer` see it: what it knows of the other servers. It is
 * asked when somebody looks, and changes nothing but figures.
 */
import { zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { Leader } from '../../zab/leader.js';
import type { LearnerLink } from '../../zab/learner-link.js';
import type {
  AutopilotView,
  HearingView,
  LeadingView,
  LearnerView,
  PeerView,
} from '../commands/ensemble-view.js';
import type { Members } from '../config/members.js';
import type { Server } from '../server.js';
import { SizeFigures } from '../size-figures.js';
import type { ObserverMaster } from './observer-master.js';
import type { LinkFigures, QuorumFigures } from './quorum-figures.js';

/** What this server knows of how another one is getting on. */
export type Progress = Pick<PeerView, 'role' | 'zxid' | 'lag'>;

export interface RoleView {
  readonly leading: LeadingView | null;
  readonly autopilot: AutopilotView | null;
  observers(): Iterable<LearnerView>;
  readonly observerCount: number | null;
  resetObservers(): void;
  readonly observerMasterSid: number | null;
  /** The connection on the quorum port with that server. */
  hearing(sid: number): HearingView | null;
  progress(sid: number): Progress;
}

const unknown: Progress = { role: 'unknown', zxid: null, lag: null };

function hearingOf(figures: LinkFigures | null): HearingView | null {
  if (figures === null) return null;
  const { link, establishedMs, heardMs } = figures;
  const { remoteAddress, remotePort } = link.socket;
  return { address: remoteAddress, port: remotePort, sinceMs: establishedMs, heardMs };
}

interface LeadingParts {
  readonly leader: Leader;
  readonly figures: QuorumFigures;
  readonly members: () => Members;
  readonly pendingSyncCount: () => number;
  /** Null before it serves. */
  readonly server: () => Server | null;
  readonly autopilot: () => AutopilotView | null;
}

export class ViewOfLeading implements RoleView, LeadingView {
  readonly #parts: LeadingParts;
  readonly observerMasterSid = null;

  constructor(parts: LeadingParts) {
    this.#parts = parts;
  }

  get leading(): LeadingView {
    return this;
  }

  get autopilot(): AutopilotView | null {
    return this.#parts.autopilot();
  }

  get learnerCount(): number {
    return [...this.#parts.leader.links()].length;
  }

  get followerCount(): number {
    return this.#followers().length;
  }

  get nonVotingCount(): number {
    const { servers } = this.#parts.members();
    const isVoting = (sid: number): boolean => servers.get(sid)?.role === 'participant';
    return this.#followers().filter(({ sid }) => !isVoting(sid)).length;
  }

  get observerCount(): number {
    return this.#observers().length;
  }

  get pendingSyncCount(): number {
    return this.#parts.pendingSyncCount();
  }

  get uptimeMs(): number {
    const server = this.#parts.server();
    return server === null ? 0 : server.world.clock.monotonicMs() - server.startedMs;
  }

  get proposalBytes(): LeadingView['proposalBytes'] {
    return this.#parts.server()?.figures.proposalBytes ?? new SizeFigures();
  }

  *observers(): Generator<LearnerView> {
    for (const { id } of this.#observers()) {
      for (const figures of this.#parts.figures.links()) {
        if (figures.link.id === id) yield learnerView(figures);
      }
    }
  }

  resetObservers(): void {
    const ids = new Set(this.#observers().map(({ id }) => id));
    for (const figures of this.#parts.figures.links()) {
      if (ids.has(figures.link.id)) figures.reset();
    }
  }

  hearing(sid: number): HearingView | null {
    return hearingOf(this.#parts.figures.withServer(sid));
  }

  progress(sid: number): Progress {
    const { leader } = this.#parts;
    const learner = [...leader.links()].find((link) => link.sid === sid);
    if (learner === undefined) return unknown;
    const role = learner.isObserver ? 'observer' : 'follower';
    const zxid = this.#zxidOf(learner);
    // observers acknowledge nothing
    if (zxid === null || learner.isObserver) return { role, zxid: null, lag: null };
    if (!learner.isForwarding) return { role, zxid, lag: null };
    const has = Math.max(learner.ackedLow, learner.syncedLow);
    return { role, zxid, lag: Math.max(0, leader.committedLow - has) };
  }

  #zxidOf(learner: LearnerLink): Zxid | null {
    const has = Math.max(learner.ackedLow, learner.syncedLow);
    if (has > 0) return zxidOfParts(this.#parts.leader.epoch, has);
    const { high, low } = learner.lastLogged;
    return high === 0 && low === 0 ? null : zxidOfParts(high, low);
  }

  #followers(): LearnerLink[] {
    return [...this.#parts.leader.links()].filter(
      (learner) => learner.isForwarding && !learner.isObserver,
    );
  }

  #observers(): LearnerLink[] {
    return [...this.#parts.leader.links()].filter(
      (learner) => learner.isForwarding && learner.isObserver,
    );
  }
}

export function learnerView(figures: LinkFigures): LearnerView {
  const { link, establishedMs, packetsReceived, packetsSent, requests, lastZxid } = figures;
  return {
    sid: link.sid,
    remoteAddress: link.socket.remoteAddress,
    remotePort: link.socket.remotePort,
    establishedMs,
    queuedPackets: figures.queued,
    queuedBytes: link.waitingBytes,
    packetsReceived,
    packetsSent,
    requests,
    lastZxid,
  };
}

interface LearningParts {
  readonly isObserver: boolean;
  readonly leaderSid: number;
  /** The server at the other end: the leader, or, of an observer, a follower that takes observers. */
  readonly masterSid: () => number;
  /** Null: this server takes no observers itself. */
  readonly master: () => ObserverMaster | null;
  readonly figures: QuorumFigures;
  /** Of the leader, as far as it said. */
  readonly committed: () => { readonly high: number; readonly low: number };
}

export class ViewOfLearning implements RoleView {
  readonly #parts: LearningParts;
  readonly leading = null;
  readonly autopilot = null;

  constructor(parts: LearningParts) {
    this.#parts = parts;
  }

  get observerCount(): number | null {
    return this.#parts.master()?.syncedSids().length ?? null;
  }

  get observerMasterSid(): number | null {
    return this.#parts.isObserver ? this.#parts.masterSid() : null;
  }

  *observers(): Generator<LearnerView> {
    const master = this.#parts.master();
    for (const figures of master?.figures.links() ?? []) {
      if (master?.syncedSids().includes(figures.link.sid) === true) yield learnerView(figures);
    }
  }

  resetObservers(): void {
    for (const figures of this.#parts.master()?.figures.links() ?? []) figures.reset();
  }

  hearing(sid: number): HearingView | null {
    const { figures, leaderSid, masterSid, master } = this.#parts;
    if (sid === masterSid()) return hearingOf(figures.withServer(leaderSid));
    return hearingOf(master()?.figures.withServer(sid) ?? null);
  }

  progress(sid: number): Progress {
    if (this.#parts.master()?.syncedSids().includes(sid) === true) {
      return { role: 'observer', zxid: null, lag: null };
    }
    if (sid !== this.#parts.leaderSid) return unknown;
    const { high, low } = this.#parts.committed();
    return { role: 'leader', zxid: zxidOfParts(high, low), lag: 0 };
  }
}
