/**
 * A member of an ensemble as words, admin commands and `ZooServer` see it, with and without a role.
 * The configuration, the connections for votes and the role's own view are put together here.
 */
import type {
  HearingView,
  LearnerView,
  LeadingView,
  EnsembleView,
  PeerView,
} from '../commands/ensemble-view.js';
import type { ProcessView } from '../commands/view.js';
import type { ServerConfig } from '../config/config.js';
import type { Members } from '../config/members.js';
import type { ProcessFigures } from '../process-figures.js';
import type { ServerWorld } from '../server.js';
import type { RoleView } from './role-view.js';

/** Of the member as it is when it is asked. */
export interface ViewedMember {
  readonly sid: number;
  readonly config: ServerConfig;
  readonly figures: ProcessFigures;
  readonly world: ServerWorld;
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
    const member = this.#member;
    const sids = [...this.members.servers.keys()].sort((one, other) => one - other);
    for (const sid of sids) {
      if (sid === member.sid) continue;
      const { roleView } = member;
      const progress = roleView?.progress(sid) ?? { role: 'unknown', zxid: null, lag: null };
      const quorum = roleView?.hearing(sid) ?? null;
      yield { sid, ...progress, quorum, election: member.electionHearing(sid) };
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
