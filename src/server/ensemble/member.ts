/**
 * One server of an ensemble, from its start to its stop: it looks for a leader, enters the role that
 * the election gives it, and looks again when that is over. What outlives roles is here: the state,
 * the storage, the epoch files, the ports that peers and clients know.
 *
 * Between two roles memory follows the disk: everything logged is applied, whether or not anybody
 * said that it is committed. The next leader's history decides about it.
 */
import { assert, present } from '../../base/assert.js';
import type { Timer } from '../../ports/clock.js';
import type { Listener, Socket, SocketHandler } from '../../ports/network.js';
import { TxnBatch } from '../../protocol/txn-batch.js';
import { formatZxid, zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { EpochFiles } from '../../storage/epoch-files.js';
import { StartError, exitCodes } from '../../storage/start-error.js';
import type { Storage } from '../../storage/storage.js';
import type { Tree } from '../../tree/tree.js';
import { CommittedLog } from '../../zab/committed-log.js';
import { Election } from '../../zab/election.js';
import { quorumOf, type Quorum } from '../../zab/quorum.js';
import type { Persist, Ready, RoleName } from '../../zab/ready.js';
import type { Vote } from '../../zab/vote.js';
import type { Applier } from '../applier.js';
import type { ServerConfig } from '../config/config.js';
import { applierOf, openStorage, Server, type ServerParts, type ServerWorld } from '../server.js';
import { configText } from './config-text.js';
import { EarlyLink } from './early-link.js';
import { ElectionPort } from './election-port.js';
import { IdleClient } from './idle-client.js';
import { Leading } from './leading.js';
import { Learning } from './learning.js';
import type { Role, Surroundings } from './role.js';

const modes = { leading: 'leader', following: 'follower', observing: 'observer' } as const;

/** Connections that came before this server knew that it leads. */
const EARLY_MAX = 64;

export class Member {
  readonly config: ServerConfig;
  readonly sid: number;
  readonly #world: ServerWorld;
  readonly #storage: Storage;
  readonly #epochs: EpochFiles;
  readonly #election: Election;
  readonly #quorum: Quorum;
  readonly #configText: string;
  readonly #spare: TxnBatch[] = [];
  readonly #committedLog: CommittedLog;
  #applier: Applier;
  #received: { readonly tree: Tree; readonly sessions: Map<bigint, number> } | null = null;
  #electionPort: ElectionPort | null = null;
  #quorumListeners: Listener[] = [];
  #clientListener: Listener | null = null;
  readonly #early = new Set<EarlyLink>();
  /** Of clients that came while there is no role. */
  readonly #idle = new Set<Socket>();
  #role: Role | null = null;
  #vote: Vote | null = null;
  #lastSnapshot: Server['lastSnapshot'] = null;
  #server: Server | null = null;
  #electionTimer: Timer | null = null;
  #tickTimer: Timer | null = null;
  #lastLink = 0;
  #isStopping = false;
  /** The end of a role is being waited for. */
  #ending: Promise<void> | null = null;
  /** Told of each role entered and left. */
  onState: ((state: RoleName | 'looking') => void) | null = null;

  /** Recovers the data directory, opens all ports and begins to look for a leader. Throws StartError. */
  static async start(config: ServerConfig, world: ServerWorld): Promise<Member> {
    const sid = present(config.myid, 'a configuration of an ensemble has a myid');
    if (!config.ensemble.servers.has(sid)) {
      throw new StartError(
        `myid says ${sid}, and there is no server.${sid} in the configuration`,
        exitCodes.unexpected,
      );
    }
    const storage = openStorage(config, world);
    try {
      const recovered = await storage.recover();
      const epochs = storage.openEpochFiles();
      await epochs.recover(recovered.lastZxid);
      const applier = applierOf(config, world, sid, recovered.tree, recovered.sessions);
      const member = new Member(config, world, sid, storage, epochs, applier);
      const { snapshotZxid: zxid } = recovered;
      if (zxid !== null) member.#lastSnapshot = { zxid, timeMs: world.clock.wallMs() };
      try {
        await member.#listen();
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
    sid: number,
    storage: Storage,
    epochs: EpochFiles,
    applier: Applier,
  ) {
    this.config = config;
    this.sid = sid;
    this.#world = world;
    this.#storage = storage;
    this.#epochs = epochs;
    this.#applier = applier;
    this.#configText = configText(config.ensemble);
    this.#quorum = quorumOf(config.ensemble);
    this.#committedLog = new CommittedLog(config.commitLogCount, (batch) => {
      batch.reset();
      this.#spare.push(batch);
    });
    this.#election = new Election({
      sid,
      learnerRole: () => (this.#isObserver ? 'observing' : 'following'),
      quorums: () => [this.#quorum],
      configText: () => this.#configText,
      configVersionOf: versionOf,
    });
  }

  /** Where clients reach this server. */
  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#clientListener?.host ?? '', port: this.#clientListener?.port ?? 0 };
  }

  get state(): RoleName | 'looking' {
    return this.#role?.isServing === true ? this.#role.name : 'looking';
  }

  /** The server whose clients are served by the present role; null while there is none. */
  get server(): Server | null {
    return this.#server;
  }

  get leaderSid(): number | null {
    return this.#vote === null || this.#role === null ? null : Number(this.#vote.leader);
  }

  get #isObserver(): boolean {
    return this.config.ensemble.servers.get(this.sid)?.role === 'observer';
  }

  /** Stops serving, tells the others by closing, and lets go of the disk. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#electionTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#role?.stop('this server stops');
    await this.#ending;
    for (const early of this.#early) early.socket.destroy();
    for (const socket of this.#idle) socket.destroy();
    await Promise.all([
      this.#electionPort?.close(),
      this.#clientListener?.close(),
      ...this.#quorumListeners.map((listener) => listener.close()),
    ]);
    this.#storage.close();
  }

  // ------------------------------------------------------------------ ports

  async #listen(): Promise<void> {
    const { config, sid } = this;
    const { network, clock, logger } = this.#world;
    const { ensemble } = config;
    const own = present(ensemble.servers.get(sid), 'it is in the configuration');
    const listenHost = ensemble.quorumListenOnAllIps ? { listenHost: null } : {};
    this.#electionPort = await ElectionPort.listen(
      {
        network,
        clock,
        logger,
        mySid: sid,
        peers: () => this.#peers(),
        ...listenHost,
        connectTimeoutMs: 5000,
        useV2: false,
        isKnown: (other) => ensemble.servers.has(other),
      },
      {
        onMessage: (from, notification) => {
          this.#election.onNotification(from, notification, clock.monotonicMs());
          this.#elect();
        },
        onConnected: (other) => {
          this.#election.onConnected(other, clock.monotonicMs());
          this.#elect();
        },
        onDisconnected: (other) => {
          this.#election.onDisconnected(other, clock.monotonicMs());
          this.#elect();
        },
      },
    );
    for (const { host, quorumPort } of own.addresses) {
      const at = ensemble.quorumListenOnAllIps ? undefined : host;
      this.#quorumListeners.push(
        await network.listen({ host: at, port: quorumPort }, (socket) => this.#onLearner(socket)),
      );
    }
    this.#clientListener = await network.listen(
      { host: config.clientPortAddress ?? undefined, port: config.clientPort },
      (socket) => this.#onClient(socket),
    );
  }

  #peers(): Map<number, { electionAddresses: { host: string; port: number }[] }> {
    const peers = new Map<number, { electionAddresses: { host: string; port: number }[] }>();
    for (const { sid, addresses } of this.config.ensemble.servers.values()) {
      const electionAddresses = addresses.map(({ host, electionPort: port }) => ({ host, port }));
      peers.set(sid, { electionAddresses });
    }
    return peers;
  }

  #onClient(socket: Socket): SocketHandler {
    const server = this.#server;
    if (server !== null) return server.port.accept(socket);
    if (this.#isStopping) socket.destroy();
    else this.#idle.add(socket);
    const { sessionlessCnxnTimeoutMs } = this.config;
    const timer = this.#world.clock.after(sessionlessCnxnTimeoutMs, () => {
      socket.destroy();
    });
    return new IdleClient(
      socket,
      () => 'imok',
      () => {
        timer.cancel();
        this.#idle.delete(socket);
      },
    );
  }

  /** A learner may come before this server knows that it leads: it waits for that. */
  #onLearner(socket: Socket): SocketHandler {
    if (this.#role !== null) return this.#role.accept(socket);
    const early = new EarlyLink(socket, () => this.#early.delete(early));
    if (this.#isStopping || this.#early.size >= EARLY_MAX) socket.destroy();
    else this.#early.add(early);
    return early;
  }

  // ------------------------------------------------------------------ the election

  #look(): void {
    if (this.#isStopping) return;
    const { clock, logger } = this.#world;
    const { tree } = this.#applier;
    this.#vote = null;
    logger.info('looking for a leader', { epoch: this.#currentEpoch });
    this.onState?.('looking');
    this.#election.start(clock.monotonicMs(), {
      zxid: zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow),
      peerEpoch: this.#currentEpoch,
    });
    this.#electionPort?.connectAll();
    this.#elect();
  }

  #elect(): void {
    this.#electionTimer?.cancel();
    if (this.#isStopping) return;
    const { clock } = this.#world;
    for (const { to, notification } of this.#election.takeMessages()) {
      this.#electionPort?.send(to, notification);
    }
    const role = this.#role;
    // nobody has joined it yet, and those it stood on look for another leader
    if (role !== null && !role.isServing && this.#election.isDeserted) {
      role.stop('the others look for a leader');
    }
    const { outcome } = this.#election;
    if (outcome !== null && this.#role === null && this.#ending === null) {
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

  #enter(name: RoleName, leader: number): void {
    const given = {
      acceptedEpoch: this.#epochs.acceptedEpoch ?? 0,
      currentEpoch: this.#currentEpoch,
      nextLink: () => ++this.#lastLink,
    };
    const around = this.#surroundings();
    this.#world.logger.info(`entering the role: ${name}`, { leader });
    if (name === 'leading') {
      const role = new Leading(around, { ...given, quorums: () => [this.#quorum] });
      this.#role = role;
      role.begin();
      for (const early of [...this.#early]) early.handOver(role.accept(early.socket));
    } else {
      const addresses = present(
        this.config.ensemble.servers.get(leader),
        'a leader is in the configuration',
      ).addresses.map(({ host, quorumPort: port }) => ({ host, port }));
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
      configText: this.#configText,
      applier: () => this.#applier,
      takeBatch: () => this.#spare.pop() ?? new TxnBatch(),
      persist: (persist, rebase, done) => {
        this.#persist(persist, rebase, done);
      },
      received: (tree, sessions) => {
        this.#received = { tree, sessions };
      },
      serve: (makeReplica) => this.#serve(makeReplica),
      onEpoch: (epoch) => {
        this.#onEpoch(epoch);
      },
      onEnd: (reason) => {
        this.#ending ??= this.#leave(reason).finally(() => {
          this.#ending = null;
          this.#look();
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
    const server = new Server(this.config, this.#world, {
      storage: this.#storage,
      applier: this.#applier,
      makeReplica,
    });
    this.#server = server;
    server.listeningAt = this.address;
    server.lastSnapshot = this.#lastSnapshot;
    server.mode = modes[present(this.#role, 'a role serves').name];
    server.serve();
    return server;
  }

  #onEpoch(epoch: number): void {
    const role = present(this.#role, 'a role knows its epoch');
    const vote = present(this.#vote, 'a role comes of a vote');
    this.#election.decided(role.name, { ...vote, peerEpoch: BigInt(epoch) });
    this.onState?.(role.name);
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
    for (const range of role.takeRest()) this.#applier.apply(range, () => undefined);
    this.#committedLog.trim();
    this.#received = null;
    this.#role = null;
  }

  // ------------------------------------------------------------------ the disk

  get #currentEpoch(): number {
    return this.#epochs.currentEpoch ?? 0;
  }

  #persist(persist: Persist, rebase: Ready['rebase'], done: () => void): void {
    const { batch } = persist;
    const isPlain =
      persist.acceptedEpoch === null &&
      persist.beginEpoch === null &&
      persist.truncateTo === null &&
      !persist.install &&
      !persist.finishEpoch;
    if (isPlain && rebase === null) {
      assert(batch !== null, 'a persist has something to persist');
      const log = this.#server ?? this.#storage;
      log.append(batch);
      log.flush(done);
      return;
    }
    this.#persistSlowly(persist, rebase).then(done, (problem: unknown) => {
      const error = problem instanceof Error ? problem : new Error(String(problem));
      this.#world.onFatal(error);
    });
  }

  async #persistSlowly(persist: Persist, rebase: Ready['rebase']): Promise<void> {
    const { acceptedEpoch, beginEpoch, truncateTo, install, batch, finishEpoch } = persist;
    if (acceptedEpoch !== null) await this.#epochs.writeAcceptedEpoch(acceptedEpoch);
    if (truncateTo !== null) {
      assert(rebase === 'reload', 'memory follows what was cut off');
      if (!(await this.#truncate(zxidOfParts(truncateTo.high, truncateTo.low)))) return;
    }
    if (beginEpoch !== null) await this.#epochs.beginCurrentEpoch(beginEpoch);
    if (install) {
      const { tree, sessions } = present(this.#received, 'a snapshot was received');
      await this.#storage.installSnapshot(tree, sessions);
      this.#applier = applierOf(this.config, this.#world, this.sid, tree, sessions);
      this.#received = null;
    }
    if (batch !== null) {
      this.#storage.append(batch);
      await new Promise<void>((resolve) => {
        this.#storage.flush(resolve);
      });
    }
    if (finishEpoch) await this.#epochs.finishCurrentEpoch();
  }

  /** False: what is left is not what the leader meant, and the role is over. */
  async #truncate(to: Zxid): Promise<boolean> {
    await this.#storage.truncateLog(to);
    const { tree, sessions, lastZxid } = await this.#storage.reload();
    await this.#epochs.recover(lastZxid);
    this.#applier = applierOf(this.config, this.#world, this.sid, tree, sessions);
    if (lastZxid === to) return true;
    this.#role?.stop(`told to go back to ${formatZxid(to)}, and that is not in this history`);
    return false;
  }
}

/** Of a configuration as text; null: it is none. */
function versionOf(text: string): bigint | null {
  const found = /^version=([0-9a-fA-F]{1,16})$/m.exec(text);
  return found === null ? null : BigInt(`0x${found[1] ?? '0'}`);
}
