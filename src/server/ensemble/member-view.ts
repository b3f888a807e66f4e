/**
 * A member of an ensemble as words, admin commands and `ZooServer` see it, with and without a role.
 * The configuration, the connections for votes and the role's own view are put together here.
 */
import type {
  AutopilotView,
  HearingView,
  LearnerView,
  LeadingView,
  EnsembleView,
  HandOverAnswer,
  PeerView,
  TakenOutView,
} from '../commands/ensemble-view.js';
import type { ProcessView } from '../commands/view.js';
import type { ServerConfig } from '../config/config.js';
import type { Members } from '../config/members.js';
import type { ProcessFigures } from '../process-figures.js';
import type { ServerWorld } from '../server-world.js';
import type { Tree } from '../../tree/tree.js';
import type { RoleName } from '../../zab/ready.js';
import { handOverNow } from './hand-over-command.js';
import { recordIn, serverLine } from './autopilot-record.js';
import type { RoleView } from './role-view.js';

/** Of the member as it is when it is asked. */
export interface ViewedMember {
  readonly sid: number;
  readonly config: ServerConfig;
  readonly figures: ProcessFigures;
  readonly world: ServerWorld;
  readonly state: RoleName | 'looking';
  /** Why leadership cannot be handed to that server now, or to any; null: it can be tried. */
  handOverRefusal(to: number | null): string | null;
  handOver(to: number | null): Promise<boolean>;
  /** As far as it has it. */
  readonly tree: Tree;
  /** Null: it looks for a leader. */
  readonly roleView: RoleView | null;
  readonly leaderSid: number | null;
  readonly configuration: { readonly members: Members; readonly text: string };
  /** The connection for votes with that server. */
  electionHearing(sid: number): HearingView | null;
}

export class ViewOfMember implements EnsembleView {
  readonly #member: ViewedMember;

  constructor(member: ViewedMember) {
    this.#member = member;
  }

  get sid(): number {
    return this.#member.sid;
  }

  get members(): Members {
    return this.#member.configuration.members;
  }

  get configText(): string {
    return this.#member.configuration.text;
  }

  get initLimit(): number {
    return this.#member.config.ensemble.initLimit;
  }

  get syncLimit(): number {
    return this.#member.config.ensemble.syncLimit;
  }

  get leaderSid(): number | null {
    return this.#member.leaderSid;
  }

  get leading(): LeadingView | null {
    return this.#member.roleView?.leading ?? null;
  }

  observers(): Iterable<LearnerView> {
    return this.#member.roleView?.observers() ?? [];
  }

  get observerCount(): number | null {
    return this.#member.roleView?.observerCount ?? null;
  }

  resetObservers(): void {
    this.#member.roleView?.resetObservers();
  }

  get observerMasterSid(): number | null {
    return this.#member.roleView?.observerMasterSid ?? null;
  }

  *peers(): Generator<PeerView> {
    const sids = [...this.members.servers.keys()].sort((one, other) => one - other);
    for (const sid of sids) if (sid !== this.#member.sid) yield this.#peer(sid);
  }

  #peer(sid: number): PeerView {
    const { roleView } = this.#member;
    const progress = roleView?.progress(sid) ?? { role: 'unknown', zxid: null, lag: null };
    const quorum = roleView?.hearing(sid) ?? null;
    return { sid, ...progress, quorum, election: this.#member.electionHearing(sid) };
  }

  get autopilot(): AutopilotView | null {
    return this.#member.roleView?.autopilot ?? null;
  }

  handOver(to: number | null): Promise<HandOverAnswer> {
    return handOverNow(this.#member, to);
  }

  *takenOut(): Generator<TakenOutView> {
    const { tree } = this.#member;
    for (const { server, sinceMs } of recordIn(tree) ?? []) {
      const { sid } = server;
      // noted, and not taken out yet, or let in again a moment ago
      if (this.members.servers.has(sid)) continue;
      yield { sid, server, line: serverLine(server), sinceMs, peer: this.#peer(sid) };
    }
  }
}

/** What can be asked while there is nobody to serve clients. */
export class IdleView implements ProcessView {
  readonly #member: Pick<ViewedMember, 'config' | 'figures' | 'world'>;
  readonly isServing = false;

  constructor(member: Pick<ViewedMember, 'config' | 'figures' | 'world'>) {
    this.#member = member;
  }

  get config(): ServerConfig {
    return this.#member.config;
  }

  get traceMask(): bigint {
    return this.#member.figures.traceMask;
  }

  set traceMask(mask: bigint) {
    this.#member.figures.traceMask = mask;
  }

  environment(): Iterable<readonly [name: string, value: string]> {
    return this.#member.world.environment();
  }
}
