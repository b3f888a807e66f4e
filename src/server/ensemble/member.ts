/**
 * One server of an ensemble, from its start to its stop: it looks for a leader, enters the role that
 * the election gives it, and looks again when that is over. What outlives roles is here: the state,
 * the storage, the epoch files, the ports that peers and clients know.
 *
 * Between two roles memory follows the disk: everything logged is applied, whether or not anybody
 * said that it is committed. The next leader's history decides about it.
 */
import { present } from '../../base/assert.js';
import type { Timer } from '../../ports/clock.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { TxnBatch } from '../../protocol/txn-batch.js';
import { zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { EpochFiles } from '../../storage/epoch-files.js';
import { StartError, exitCodes } from '../../storage/start-error.js';
import type { Storage } from '../../storage/storage.js';
import { CommittedLog } from '../../zab/committed-log.js';
import { Election } from '../../zab/election.js';
import type { RoleName } from '../../zab/ready.js';
import type { Succession } from '../../zab/succession.js';
import type { Vote } from '../../zab/vote.js';
import type { Applier } from '../applier.js';
import type { EnsembleView, HearingView } from '../commands/ensemble-view.js';
import { runFourLetterWord } from '../commands/four-letter-answers.js';
import type { ProcessView } from '../commands/view.js';
import type { ServerConfig } from '../config/config.js';
import type { ProcessFigures } from '../process-figures.js';
import { ReadOnlyReplica } from '../read-only-replica.js';
import { applierOf, openStorage, Server, type ServerParts, type ServerWorld } from '../server.js';
import { Alone } from './alone.js';
import { ConfigKeeper } from './config-keeper.js';
import { showConfig, versionInHistory } from './config-znode.js';
import { EarlyLink } from './early-link.js';
import { IdleClients } from './idle-client.js';
import { MemberFigures } from './member-figures.js';
import { IdleView, ViewOfMember, type ViewedMember } from './member-view.js';
import { Leading } from './leading.js';
import { Learning } from './learning.js';
import { MemberPorts } from './member-ports.js';
import { membershipOf, type Configuration, type Membership } from './membership.js';
import { RoleStorage } from './role-storage.js';
import { observerPlaces } from './observer-places.js';
import { oracleAt } from './oracle.js';
import type { Role, Surroundings } from './role.js';
import type { RoleView } from './role-view.js';

const modes = { leading: 'leader', following: 'follower', observing: 'observer' } as const;

const withoutVote =
  'there is no history here: this server is new, or has lost its data. It votes only once every ' +
  'voter has been heard, and joins whom the others elect. If the ensemble is new and some of its ' +
  'servers are not there, create the file "initialize" in the dataLogDir of each that is, and restart';

/** Connections that came before this server knew that it leads. */
const EARLY_MAX = 64;

export class Member implements ViewedMember {
  config: ServerConfig;
  readonly sid: number;
  readonly #world: ServerWorld;
  readonly #figures: MemberFigures;
  readonly #idleView: IdleView;
  readonly #ensembleView: ViewOfMember;
  readonly #storage: Storage;
  readonly #epochs: EpochFiles;
  readonly #election: Election;
  /** Who belongs to the ensemble, as far as this server knows. */
  readonly membership: Membership;
  readonly #configs: ConfigKeeper;
  readonly #ports: MemberPorts;
  readonly #spare: TxnBatch[] = [];
  readonly #committedLog: CommittedLog;
  readonly #roleStorage: RoleStorage;
  #applier: Applier;
  readonly #early = new Set<EarlyLink>();
  /** Clients that came while there is no role. */
  readonly #idle: IdleClients;
  #role: Role | null = null;
  #vote: Vote | null = null;
  #lastSnapshot: Server['lastSnapshot'] = null;
  #server: Server | null = null;
  /** Serves read-only clients while there is no quorum, where that is wanted. */
  readonly #alone: Alone;
  #electionTimer: Timer | null = null;
  #tickTimer: Timer | null = null;
  #lastLink = 0;
  /** About to stop: no further role. */
  #isResigning = false;
  #isStopping = false;
  #stopped: Promise<void> | null = null;
  /** How the last role ended, when it named the next leader. */
  #succession: Succession | null = null;
  /** The learning role that goes on with the same leader, from a snapshot; null: none does. */
  #wantsSnapshot: RoleName | null = null;
  /** There is nothing here, and an operator vouches for it that there never was. */
  #isBeginning = false;
  /** The end of a role is being waited for. */
  #ending: Promise<void> | null = null;
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
    const storage = openStorage(config, world);
    try {
      const startMs = world.clock.monotonicMs();
      const recovered = await storage.recover();
      const tookMs = world.clock.monotonicMs() - startMs;
      const epochs = storage.openEpochFiles();
      await epochs.recover(recovered.lastZxid);
      const applier = applierOf(config, world, sid, recovered.tree, recovered.sessions);
      const member = new Member(config, world, { sid, storage, epochs, applier, membership });
      member.figures.recovered(tookMs, recovered.replayed);
      member.#isBeginning = recovered.isInitialized && !epochs.hasHistory;
      const { snapshotZxid: zxid } = recovered;
      if (zxid !== null) member.#lastSnapshot = { zxid, timeMs: world.clock.wallMs() };
      try {
        await member.#ports.open();
      } catch (problem) {
        await member.stop();
        throw problem;
      }
      member.#look();
      return member;
    } catch (problem) {
      storage.close();
      throw problem;
    }
  }

  private constructor(
    config: ServerConfig,
    world: ServerWorld,
    parts: {
      readonly sid: number;
      readonly storage: Storage;
      readonly epochs: EpochFiles;
      readonly applier: Applier;
      readonly membership: Membership;
    },
  ) {
    const { sid, storage, epochs, applier, membership } = parts;
    this.config = config;
    this.sid = sid;
    this.#world = world;
    this.#figures = new MemberFigures(world.clock.monotonicMs());
    this.#idleView = new IdleView(this);
    this.#idle = new IdleClients(world.clock, config.sessionlessCnxnTimeoutMs, {
      answer: (word, argument) => runFourLetterWord(word, this.#idleView, argument),
      onGone: () => {
        this.#figures.turnedAway();
      },
    });
    this.#ensembleView = new ViewOfMember(this);
    this.#storage = storage;
    this.#epochs = epochs;
    this.#applier = applier;
    this.membership = membership;
    this.#configs = new ConfigKeeper(membership, world.configStore ?? null, sid, world.logger);
    this.#committedLog = new CommittedLog(config.commitLogCount, (batch) => {
      batch.reset();
      this.#spare.push(batch);
    });
    this.#roleStorage = new RoleStorage({
      storage,
      epochs,
      log: () => this.#server ?? storage,
      configs: this.#configs,
      onConfig: () => {
        this.#activate(membership.lastSeen);
      },
      onRebase: (tree, sessions) => {
        this.#applier = applierOf(config, world, sid, tree, sessions);
      },
      onUncuttable: (reason) => {
        this.#wantsSnapshot = this.#role?.name ?? null;
        this.#role?.stop(`${reason}; a snapshot is asked for`);
      },
      onMisfit: (reason) => {
        this.#role?.stop(reason);
      },
      onFatal: (error) => {
        world.onFatal(error);
      },
    });
    const openAlone = config.readOnlyModeEnabled ? (): Server | null => this.#serveAlone() : null;
    this.#alone = new Alone(world.clock, config.tickTimeMs, openAlone);
    this.#election = new Election({
      sid,
      learnerRole: () => (this.#isObserver ? 'observing' : 'following'),
      quorums: () => membership.quorums(),
      configText: () => membership.inForce.text,
      configVersionOf: (text) => this.#adoptableVersion(text),
    });
    this.#ports = this.#newPorts();
  }

  /** Where clients reach this server. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#ports.clientAddress;
  }

  get state(): RoleName | 'looking' {
    return this.#role?.isServing === true ? this.#role.name : 'looking';
  }

  /** The server whose clients are served by the present role; null while there is none. */
  get server(): Server | null {
    return this.#server;
  }

  /** The one that serves read-only clients for want of a leader; null while there is no need. */
  get readOnlyServer(): Server | null {
    return this.#alone.server;
  }

  get world(): ServerWorld {
    return this.#world;
  }

  /** What is counted as long as the process lives. */
  get figures(): ProcessFigures {
    return this.#figures.process;
  }

  /** For words and admin commands, whether or not anybody is served. */
  get view(): ProcessView {
    return (this.#server ?? this.#alone.server)?.view ?? this.#idleView;
  }

  get ensembleView(): EnsembleView {
    return this.#ensembleView;
  }

  get roleView(): RoleView | null {
    return this.#role?.view ?? null;
  }

  get configuration(): Configuration {
    return this.membership.inForce;
  }

  electionHearing(sid: number): HearingView | null {
    return this.#ports.hearing(sid);
  }

  /** Whom this server votes for, or whose vote brought it its role. */
  get votedFor(): number | null {
    return this.#vote === null ? this.#election.candidate : Number(this.#vote.leader);
  }

  get epoch(): number {
    return this.#currentEpoch;
  }

  /** Of the last transaction in memory. */
  get zxid(): Zxid {
    const { tree } = this.#applier;
    return zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow);
  }

  /** Milliseconds until the election does something by itself; null: nothing is due. */
  get electionDeadlineMs(): number | null {
    const { deadlineMs } = this.#election;
    if (deadlineMs === Infinity) return null;
    return Math.max(0, deadlineMs - this.#world.clock.monotonicMs());
  }

  /** Takes over the settings that a running server can. */
  reconfigure(config: ServerConfig): void {
    this.config = config;
    this.#server?.reconfigure(config);
  }

  get leaderSid(): number | null {
    return this.#vote === null || this.#role === null ? null : Number(this.#vote.leader);
  }

  get #isObserver(): boolean {
    return this.membership.isObserver(this.sid);
  }

  /** Stops serving, tells the others by closing, and lets go of the disk. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /**
   * Hands leadership to the server of this number, or to the best. False: this server does not lead,
   * nobody could take it, or it did not come to that and leading goes on.
   */
  async handOver(to: number | null): Promise<boolean> {
    const role = this.#role;
    if (!(role instanceof Leading) || !role.handOver(to)) return false;
    while (this.#role === role && (role.isHandingOver || this.#ending !== null)) {
      await new Promise<void>((resolve) => {
        this.#world.clock.after(1, resolve);
      });
    }
    return role.succession !== null;
  }

  async #stop(): Promise<void> {
    // an ensemble that is told who leads next does without an election
    this.#isResigning = true;
    await this.handOver(null);
    this.#isStopping = true;
    this.#electionTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#role?.stop('this server stops');
    await this.#ending;
    await this.#alone.end();
    for (const early of this.#early) early.socket.destroy();
    this.#idle.close();
    await this.#ports.close();
    await this.#configs.idle();
    this.#storage.close();
  }

  // ------------------------------------------------------------------ ports

  #newPorts(): MemberPorts {
    const { config, sid, membership } = this;
    const { clock } = this.#world;
    const election = this.#election;
    return new MemberPorts({
      ...{ config, sid, membership, world: this.#world },
      election: {
        onMessage: (from, notification) => {
          election.onNotification(from, notification, clock.monotonicMs());
          this.#elect();
        },
        onConnected: (other) => {
          election.onConnected(other, clock.monotonicMs());
          this.#elect();
        },
        onDisconnected: (other) => {
          election.onDisconnected(other, clock.monotonicMs());
          this.#elect();
        },
      },
      onLearner: (socket) => this.#onLearner(socket),
      onClient: (socket) => this.#onClient(socket),
    });
  }

  #onClient(socket: Socket): SocketHandler {
    const server = this.#server;
    if (server !== null) return server.port.accept(socket);
    if (this.#alone.server !== null) return this.#alone.server.port.accept(socket);
    return this.#idle.accept(socket);
  }

  /** A learner may come before this server knows that it leads: it waits for that. */
  #onLearner(socket: Socket): SocketHandler {
    if (this.#role !== null && this.#ending === null) return this.#role.accept(socket);
    const early = new EarlyLink(socket, () => this.#early.delete(early));
    if (this.#isStopping || this.#early.size >= EARLY_MAX) socket.destroy();
    else this.#early.add(early);
    return early;
  }

  // ------------------------------------------------------------------ the election

  /** After a role: to the leader that its leader has named, or to an election. */
  #goOn(): void {
    if (this.#isResigning || this.#isStopping) return;
    const [succession, again, vote] = [this.#succession, this.#wantsSnapshot, this.#vote];
    this.#succession = this.#wantsSnapshot = null;
    if (again !== null && vote !== null) {
      // it still leads: an election would only find it again, and what cannot be cut with it
      this.onState?.('looking');
      this.#enter(again, Number(vote.leader), { wantsSnapshot: true });
      this.#elect();
      return;
    }
    if (succession === null || !this.membership.inForce.quorum.voters.has(succession.leader)) {
      this.#look();
      return;
    }
    const { leader, round, zxid } = succession;
    const name = leader === this.sid ? 'leading' : this.#isObserver ? 'observing' : 'following';
    this.#vote = {
      leader: BigInt(leader),
      zxid: zxidOfParts(zxid.high, zxid.low),
      peerEpoch: BigInt(this.#currentEpoch),
      electionEpoch: round,
    };
    this.#world.logger.info('the leader has named the next one', { leader });
    this.onState?.('looking');
    this.#election.decided(name, this.#vote);
    this.#enter(name, leader, { discoveryLimitMs: this.config.tickTimeMs });
    this.#elect();
  }

  #look(): void {
    if (this.#isStopping) return;
    const { clock, logger } = this.#world;
    const { tree } = this.#applier;
    this.#vote = null;
    logger.info('looking for a leader', { epoch: this.#currentEpoch });
    const isBlank = !this.#epochs.hasHistory && !this.#isBeginning;
    if (isBlank && !this.#isObserver) logger.warn(withoutVote);
    this.onState?.('looking');
    this.#figures.looking(clock.monotonicMs());
    this.#alone.begin();
    this.#election.start(clock.monotonicMs(), {
      zxid: zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow),
      peerEpoch: this.#currentEpoch,
      isBlank,
    });
    this.#ports.connectAll();
    this.#elect();
  }

  #elect(): void {
    this.#electionTimer?.cancel();
    if (this.#isStopping || (this.#isResigning && this.#role === null)) return;
    const { clock } = this.#world;
    for (const { to, notification } of this.#election.takeMessages()) {
      this.#ports.send(to, notification);
    }
    const role = this.#role;
    // nobody has joined it yet, and those it stood on look for another leader
    if (role !== null && !role.isServing && this.#election.isDeserted) {
      role.stop('the others look for a leader');
    }
    const { outcome, newerConfig } = this.#election;
    if (newerConfig !== null && this.#role === null && this.#ending === null) {
      this.#adopt(newerConfig.text);
      return;
    }
    if (outcome !== null && this.#role === null && this.#ending === null) {
      if (this.#alone.server !== null) {
        // read-only clients come again, to a server that can write
        this.#ending = this.#alone.end().finally(() => {
          this.#ending = null;
          this.#elect();
        });
        return;
      }
      void this.#alone.end();
      this.#vote = outcome.vote;
      this.#enter(outcome.role, outcome.leader);
      return;
    }
    const { deadlineMs } = this.#election;
    if (deadlineMs === Infinity) return;
    const delayMs = Math.max(1, deadlineMs - clock.monotonicMs());
    this.#electionTimer = clock.after(delayMs, () => {
      this.#election.tick(clock.monotonicMs());
      this.#elect();
    });
  }

  // ------------------------------------------------------------------ roles

  #enter(
    name: RoleName,
    leader: number,
    how: { readonly discoveryLimitMs?: number; readonly wantsSnapshot?: boolean } = {},
  ): void {
    const given = {
      ...how,
      acceptedEpoch: this.#epochs.acceptedEpoch ?? 0,
      currentEpoch: this.#currentEpoch,
      nextLink: () => ++this.#lastLink,
    };
    const around = this.#surroundings();
    this.#world.logger.info(`entering the role: ${name}`, { leader });
    this.#figures.entered(name, this.#world.clock.monotonicMs());
    if (name === 'leading') {
      const { hasHistory } = this.#epochs;
      const role = new Leading(around, {
        ...given,
        hasHistory,
        isBeginning: this.#isBeginning && !hasHistory,
        nextRound: () => this.#election.nextRound,
        quorums: () => this.membership.quorums(),
      });
      this.#role = role;
      role.begin();
      for (const early of [...this.#early]) early.handOver(role.accept(early.socket));
    } else {
      const { inForce, lastSeen } = this.membership;
      const place = inForce.members.servers.get(leader) ?? lastSeen.members.servers.get(leader);
      const { addresses: known } = present(place, 'who is voted for is in a configuration');
      const atLeader = known.map(({ host, quorumPort: port }) => ({ host, port }));
      const { observerMasterPort } = this.config.ensemble;
      const addresses =
        name === 'observing'
          ? observerPlaces(
              inForce.members,
              leader,
              atLeader,
              observerMasterPort,
              this.#world.fraction(),
            )
          : atLeader;
      const role = new Learning(around, {
        ...given,
        isObserver: name === 'observing',
        leader,
        addresses,
      });
      this.#role = role;
      role.begin();
      for (const early of this.#early) early.socket.destroy();
    }
    this.#early.clear();
    this.#tick();
  }

  #tick(): void {
    const { clock } = this.#world;
    this.#tickTimer?.cancel();
    const role = this.#role;
    if (role === null || this.#isStopping) return;
    this.#tickTimer = clock.after(this.config.tickTimeMs / 8, () => {
      if (this.#role !== role) return;
      role.tick(clock.monotonicMs());
      this.#tick();
    });
  }

  #surroundings(): Surroundings {
    const { clock, logger, network } = this.#world;
    return {
      config: this.config,
      sid: this.sid,
      clock,
      logger,
      network,
      storage: this.#storage,
      committedLog: this.#committedLog,
      membership: this.membership,
      figures: this.#figures,
      applier: () => this.#applier,
      takeBatch: () => this.#spare.pop() ?? new TxnBatch(),
      persist: (persist, rebase, done) => {
        this.#roleStorage.persist(persist, rebase, done);
      },
      received: (tree, sessions) => {
        this.#roleStorage.received(tree, sessions);
      },
      serve: (makeReplica) => this.#serve(makeReplica),
      activate: (configuration) => this.#activate(configuration),
      electionRound: () => this.#vote?.electionEpoch ?? 0n,
      onEpoch: (epoch) => {
        this.#onEpoch(epoch);
      },
      onEnd: (reason) => {
        this.#ending ??= this.#leave(reason).finally(() => {
          this.#ending = null;
          this.#goOn();
        });
      },
    };
  }

  #serve(makeReplica: ServerParts['makeReplica']): Server {
    const { tree, sessions } = this.#applier;
    // timeouts begin anew, and what was asked of an earlier leader and never came is forgotten
    const living = new Map<bigint, number>();
    for (const session of sessions.all()) {
      if (session.isEstablished) living.set(session.id, session.timeoutMs);
    }
    this.#applier = applierOf(this.config, this.#world, this.sid, tree, living);
    showConfig(tree, this.membership.inForce, this.#world.clock.wallMs());
    const server = new Server(this.config, this.#world, {
      storage: this.#storage,
      applier: this.#applier,
      makeReplica,
      figures: this.figures,
    });
    this.#server = server;
    server.ensemble = this.#ensembleView;
    server.listeningAt = this.address;
    server.lastSnapshot = this.#lastSnapshot;
    server.mode = modes[present(this.#role, 'a role serves').name];
    server.serve();
    return server;
  }

  #serveAlone(): Server | null {
    if (this.#role !== null || this.#ending !== null || this.#isStopping) return null;
    this.#world.logger.warn('no leader: serving what is here, to read-only clients only');
    const server = new Server(this.config, this.#world, {
      storage: this.#storage,
      applier: this.#applier,
      makeReplica: () =>
        new ReadOnlyReplica(this.#applier, this.config.ensemble.localSessionsEnabled),
      figures: this.figures,
    });
    server.ensemble = this.#ensembleView;
    server.mode = 'read-only';
    server.listeningAt = this.address;
    server.lastSnapshot = this.#lastSnapshot;
    server.serve();
    return server;
  }

  #onEpoch(epoch: number): void {
    const role = present(this.#role, 'a role knows its epoch');
    const vote = present(this.#vote, 'a role comes of a vote');
    this.#election.decided(role.name, { ...vote, peerEpoch: BigInt(epoch) });
    this.onState?.(role.name);
    this.#figures.serving(role.name, this.#world.clock.monotonicMs());
    this.#elect();
  }

  /** The role is over: nothing of it goes on, and memory is what the disk holds. */
  async #leave(reason: string): Promise<void> {
    const { clock, logger } = this.#world;
    const role = present(this.#role, 'only a role that was entered can end');
    logger.info(`the role is over: ${role.name}`, { reason });
    this.#tickTimer?.cancel();
    const server = this.#server;
    this.#server = null;
    this.#lastSnapshot = server?.lastSnapshot ?? this.#lastSnapshot;
    role.close();
    await server?.leave();
    while (role.isPersisting) {
      await new Promise<void>((resolve) => {
        clock.after(1, resolve);
      });
    }
    const rest = role.takeRest();
    if (this.#roleStorage.endRole()) this.#committedLog.clear();
    else for (const range of rest) this.#applier.apply(range, () => undefined);
    this.#committedLog.trim();
    this.#succession = role.succession;
    this.#role = null;
  }

  // ------------------------------------------------------------------ the configuration

  /** In force from now on. Null: nothing changes. */
  #activate(configuration: Configuration): Configuration | null {
    const before = this.membership.activate(configuration);
    if (before === null) return null;
    const { version, text } = configuration;
    this.#world.logger.info('a configuration is in force', { version: version.toString(16), text });
    void this.#configs.commit(configuration);
    this.onConfiguration?.(configuration);
    void this.#ports.follow().then(() => {
      if (this.#server !== null) this.#server.listeningAt = this.address;
    });
    return before;
  }

  /**
   * Of a configuration that a vote carries; null: not to be taken over. One that is older than this
   * server's own history is no news, though its files, rewritten by hand, may know of none.
   */
  #adoptableVersion(text: string): bigint | null {
    if (!this.membership.isEnabled) return null;
    const version = this.membership.read(text)?.version ?? null;
    return version === null || version < versionInHistory(this.#applier.tree) ? null : version;
  }

  /** Another server has a later one: the election begins again with that. */
  #adopt(text: string): void {
    const configuration = this.membership.read(text);
    if (configuration !== null) this.#activate(configuration);
    this.#look();
  }

  // ------------------------------------------------------------------ the disk

  get #currentEpoch(): number {
    return this.#epochs.currentEpoch ?? 0;
  }
}
