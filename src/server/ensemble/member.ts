/**
 * One server of an ensemble, from its start to its stop: its parts, how they are put together, and what
 * can be asked of it.
 *
 * - `roles.ts`: what it does: it looks for a leader, leads, follows, observes, and looks again
 * - `elections.ts`: its part in elections
 * - `history.ts`: what it has, on the disk and in memory
 * - `serving.ts`: who serves its clients
 * - `member-ports.ts`: where peers and clients find it
 * - `membership.ts`, `config-keeper.ts`: who belongs to the ensemble, and that on the disk
 */
import { present } from '../../base/assert.js';
import type { Zxid } from '../../protocol/zxid.js';
import type { Restore } from '../../storage/restore.js';
import { StartError, exitCodes } from '../../storage/start-error.js';
import type { RoleName } from '../../zab/ready.js';
import type { Tree } from '../../tree/tree.js';
import type { EnsembleView, HearingView } from '../commands/ensemble-view.js';
import type { ProcessView } from '../commands/view.js';
import type { ServerConfig } from '../config/config.js';
import type { ProcessFigures } from '../process-figures.js';
import type { ServerWorld } from '../server-world.js';
import type { Server } from '../server.js';
import { ConfigKeeper } from './config-keeper.js';
import { versionInHistory } from './config-znode.js';
import { Elections } from './elections.js';
import { History, recoverHistory, type Recovered } from './history.js';
import { MemberFigures } from './member-figures.js';
import { IdleView, ViewOfMember, type ViewedMember } from './member-view.js';
import { MemberPorts } from './member-ports.js';
import { membershipOf, type Configuration, type Membership } from './membership.js';
import { oracleAt } from './oracle.js';
import { Roles } from './roles.js';
import type { RoleView } from './role-view.js';
import { Serving } from './serving.js';

export class Member implements ViewedMember {
  config: ServerConfig;
  readonly sid: number;
  readonly world: ServerWorld;
  /** Who belongs to the ensemble, as far as this server knows. */
  readonly membership: Membership;
  readonly ensembleView: EnsembleView;
  readonly #figures: MemberFigures;
  readonly #configs: ConfigKeeper;
  readonly #history: History;
  readonly #elections: Elections;
  readonly #serving: Serving;
  readonly #ports: MemberPorts;
  readonly #roles: Roles;
  #stopped: Promise<void> | null = null;
  /** Told of each role entered and left. */
  onState: ((state: RoleName | 'looking') => void) | null = null;
  /** Told of each configuration that comes into force. */
  onConfiguration: ((configuration: Configuration) => void) | null = null;

  /** Recovers the data directory, opens all ports and begins to look for a leader. Throws StartError. */
  static async start(config: ServerConfig, world: ServerWorld): Promise<Member> {
    const sid = present(config.myid, 'a configuration of an ensemble has a myid');
    const saved = (await world.configStore?.load()) ?? { inForce: null, next: null };
    const { oraclePath } = config.ensemble;
    const askOracle = oraclePath === null ? null : oracleAt(world.disk, oraclePath);
    const membership = membershipOf(config, saved, askOracle);
    if (!membership.inForce.members.servers.has(sid)) {
      throw new StartError(
        `myid says ${sid}, and there is no server.${sid} in the configuration`,
        exitCodes.unexpected,
      );
    }
    const recovered = await recoverHistory(config, world, sid);
    const member = new Member(config, world, { sid, membership, recovered });
    try {
      await member.#ports.open();
    } catch (problem) {
      await member.stop();
      throw problem;
    }
    member.#roles.look();
    return member;
  }

  private constructor(
    config: ServerConfig,
    world: ServerWorld,
    parts: {
      readonly sid: number;
      readonly membership: Membership;
      readonly recovered: Recovered;
    },
  ) {
    const { sid, membership, recovered } = parts;
    const { clock, logger, configStore = null } = world;
    this.config = config;
    this.world = world;
    this.sid = sid;
    this.membership = membership;
    this.ensembleView = new ViewOfMember(this);
    this.#figures = new MemberFigures(clock.monotonicMs());
    this.#figures.process.recovered(recovered.tookMs, recovered.replayed);
    const comesBack = config.autopilotDeadMs > 0;
    this.#configs = new ConfigKeeper(membership, configStore, sid, logger, comesBack);
    this.#history = this.#newHistory(recovered);
    this.#serving = this.#newServing(recovered.lastSnapshot);
    this.#elections = this.#newElections();
    this.#ports = new MemberPorts({
      ...{ config, sid, membership, world },
      election: this.#elections,
      onLearner: (socket) => this.#roles.accept(socket),
      onClient: (socket) => this.#serving.accept(socket),
    });
    this.#roles = this.#newRoles();
  }

  #newHistory(recovered: Recovered): History {
    const { world, sid, membership } = this;
    return new History(recovered, {
      ...{ world, sid, configs: this.#configs },
      config: () => this.config,
      told: {
        log: () => this.#serving.server ?? recovered.storage,
        onConfig: () => {
          this.#activate(membership.lastSeen);
        },
        onUncuttable: (reason) => {
          this.#roles.askForSnapshot(reason);
        },
        onMisfit: (reason) => {
          this.#roles.stop(reason);
        },
      },
    });
  }

  #newServing(lastSnapshot: Server['lastSnapshot']): Serving {
    const { world, membership, ensembleView } = this;
    const parts = {
      ...{ world, membership, ensembleView },
      history: this.#history,
      figures: this.#figures,
      idleView: new IdleView(this),
      restore: (restore: Restore) => this.restore(restore),
      config: () => this.config,
      address: () => this.address,
      isWithoutRole: () => this.#roles.isNone,
    };
    return new Serving(parts, lastSnapshot);
  }

  #newElections(): Elections {
    const { sid, membership } = this;
    const options = {
      sid,
      learnerRole: () => this.#roles.learnerRole,
      quorums: () => membership.quorums(),
      configText: () => membership.inForce.text,
      configVersionOf: (text: string) => this.#adoptableVersion(text),
    };
    return new Elections(options, {
      clock: this.world.clock,
      make: this.world.makeElection,
      send: (to, notification) => {
        this.#ports.send(to, notification);
      },
      onTurn: () => {
        this.#roles.onElection();
      },
    });
  }

  #newRoles(): Roles {
    const { sid, world, membership } = this;
    return new Roles({
      ...{ sid, world, membership },
      figures: this.#figures,
      history: this.#history,
      elections: this.#elections,
      serving: this.#serving,
      config: () => this.config,
      connectAll: () => {
        this.#ports.connectAll();
      },
      activate: (configuration) => this.#activate(configuration),
      onState: (state) => this.onState?.(state),
    });
  }

  // ------------------------------------------------------------------ what is asked of it

  /** Where clients reach this server. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#ports.clientAddress;
  }

  get state(): RoleName | 'looking' {
    const { role } = this.#roles;
    return role?.isServing === true ? role.name : 'looking';
  }

  /** The server whose clients are served by the present role; null while there is none. */
  get server(): Server | null {
    return this.#serving.server;
  }

  /** The one that serves read-only clients for want of a leader; null while there is no need. */
  get readOnlyServer(): Server | null {
    return this.#serving.readOnlyServer;
  }

  /** What is counted as long as the process lives. */
  get figures(): ProcessFigures {
    return this.#figures.process;
  }

  /** For words and admin commands, whether or not anybody is served. */
  get view(): ProcessView {
    return this.#serving.view;
  }

  get roleView(): RoleView | null {
    return this.#roles.role?.view ?? null;
  }

  get configuration(): Configuration {
    return this.membership.inForce;
  }

  electionHearing(sid: number): HearingView | null {
    return this.#ports.hearing(sid);
  }

  /** Whom this server votes for, or whose vote brought it its role. */
  get votedFor(): number | null {
    return this.#elections.votedFor;
  }

  /** Milliseconds until the election does something by itself; null: nothing is due. */
  get electionDeadlineMs(): number | null {
    return this.#elections.deadlineMs;
  }

  get leaderSid(): number | null {
    return this.#roles.leaderSid;
  }

  get epoch(): number {
    return this.#history.currentEpoch;
  }

  get tree(): Tree {
    return this.#history.tree;
  }

  /** Of the last transaction in memory. */
  get zxid(): Zxid {
    return this.#history.zxid;
  }

  /** Takes over the settings that a running server can. */
  reconfigure(config: ServerConfig): void {
    this.config = config;
    this.#serving.reconfigure(config);
  }

  /** Why leadership cannot be handed to that server now, or to any; null: it can be tried. */
  handOverRefusal(to: number | null): string | null {
    return this.#roles.handOverRefusal(to);
  }

  /**
   * Hands leadership to the server of this number, or to the best. False: this server does not lead,
   * nobody could take it, or it did not come to that and leading goes on.
   */
  handOver(to: number | null): Promise<boolean> {
    return this.#roles.handOver(to);
  }

  /**
   * What has arrived takes the place of the ensemble's whole state, as one transaction that this leader
   * has logged and that it leads the others into. Rejects with a RestoreError when it does not come to
   * that.
   */
  restore(restore: Restore): Promise<void> {
    return this.#roles.restore(restore);
  }

  /** Stops serving, tells the others by closing, and lets go of the disk. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#roles.close();
    await this.#serving.close();
    await this.#ports.close();
    await this.#configs.idle();
    this.#history.close();
  }

  // ------------------------------------------------------------------ the configuration

  /** In force from now on. Null: nothing changes. */
  #activate(configuration: Configuration): Configuration | null {
    const before = this.membership.activate(configuration);
    if (before === null) return null;
    const { version, text } = configuration;
    this.world.logger.info('a configuration is in force', { version: version.toString(16), text });
    void this.#configs.commit(configuration);
    this.onConfiguration?.(configuration);
    void this.#ports.follow().then(() => {
      this.#serving.onMoved();
    });
    return before;
  }

  /** Of a configuration that a vote carries; null: not to be taken over. */
  #adoptableVersion(text: string): bigint | null {
    if (!this.membership.isEnabled) return null;
    const version = this.membership.read(text)?.version ?? null;
    const isNews = version !== null && this.membership.isNews(version, versionInHistory(this.tree));
    return isNews ? version : null;
  }
}
