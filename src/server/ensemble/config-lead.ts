/**
 * A leader's part in configurations: it gives the first one its version, completes the one that an
 * earlier leader proposed, turns what clients ask for into the next one, and notices when it is not
 * the leader of the one that has come into force.
 */
import { ErrorCode } from '../../protocol/errors.js';
import type { ReconfigRequest } from '../../protocol/records.js';
import { zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { ReconfigPlan, ReconfigPlanner } from '../../txn/reconfig.js';
import type { Leader } from '../../zab/leader.js';
import { isAtSamePlace, type Members } from '../config/members.js';
import { multiAddressEnabled } from './member-ports.js';
import type { Configuration } from './membership.js';
import { nextMembers } from './reconfiguration.js';
import type { Surroundings } from './role.js';

export class ConfigLead implements ReconfigPlanner {
  readonly #around: Surroundings;
  readonly #leader: Leader;
  /** Told of what was asked for, when it is proposed. */
  readonly #onProposed: (request: ReconfigRequest) => void;

  constructor(
    around: Surroundings,
    leader: Leader,
    onProposed: (request: ReconfigRequest) => void = () => undefined,
  ) {
    this.#around = around;
    this.#leader = leader;
    this.#onProposed = onProposed;
  }

  /**
   * The epoch is known and not yet told. A configuration out of a file has no version: this leader's
   * becomes the first that has one, so that it wins over that of whoever knows only a part.
   */
  onEpoch(epoch: number): void {
    const { membership } = this.#around;
    const { inForce, lastSeen } = membership;
    if (inForce.version !== 0n || lastSeen.version !== 0n) return;
    const members = { ...inForce.members, version: zxidOfParts(epoch, 0) };
    membership.see(membership.configurationOf(members));
  }

  /** A quorum has what this leader saw last: it is in force. False: another one leads in it. */
  begin(): boolean {
    const { membership, activate } = this.#around;
    const { lastSeen, inForce } = membership;
    const keepsLeader = this.#keepsLeader(inForce.members, lastSeen.members);
    activate(lastSeen);
    return keepsLeader;
  }

  /** Null: the learner may follow. */
  refusalOf(configVersion: bigint): string | null {
    const { version } = this.#around.membership.inForce;
    return configVersion > version ? 'it has a later configuration than this leader' : null;
  }

  plan(request: ReconfigRequest, zxid: Zxid): ReconfigPlan {
    const { membership, config, logger } = this.#around;
    const next = nextMembers(
      request,
      {
        lastSeen: membership.lastSeen.members,
        isPending: membership.isPending || this.#leader.isReconfiguring,
        standaloneEnabled: config.ensemble.standaloneEnabled,
        multiAddressEnabled: multiAddressEnabled(config),
        hasQuorumOf: (members) =>
          this.#leader.hasQuorumOf(membership.configurationOf(members).quorum),
      },
      zxid,
    );
    if (!next.ok) {
      logger.warn('a reconfiguration is refused', { reason: next.reason });
      return { error: next.error };
    }
    const configuration = membership.configurationOf(next.members);
    return {
      error: ErrorCode.ok,
      text: configuration.text,
      accept: () => {
        this.#propose(configuration);
        this.#onProposed(request);
      },
    };
  }

  #propose(configuration: Configuration): void {
    const { membership, logger } = this.#around;
    const { members, version, quorum } = configuration;
    const keepsLeader = this.#keepsLeader(membership.inForce.members, members);
    logger.info('a reconfiguration is proposed', { version: version.toString(16), keepsLeader });
    membership.see(configuration);
    this.#leader.reconfigure({ quorum, keepsLeader });
  }

  /** This server votes in it, and the others find it where it is. */
  #keepsLeader(now: Members, next: Members): boolean {
    const { sid } = this.#around;
    const [before, after] = [now.servers.get(sid), next.servers.get(sid)];
    if (before === undefined || after?.role !== 'participant') return false;
    return isAtSamePlace(before, after);
  }
}
