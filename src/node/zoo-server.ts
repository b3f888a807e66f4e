/**
 * `zabra/server`: the server as an object, for programs that want one inside: alone, or a member of an
 * ensemble whose other members may run anywhere.
 */
import { EventEmitter } from 'node:events';
import { resolve } from 'node:path';
import { silentLogger, type Logger } from '../ports/logger.js';
import type { ServerConfig } from '../server/config/config.js';
import type { EnsembleServer } from '../server/config/ensemble-config.js';
import { readMembers, type Members } from '../server/config/members.js';
import type { SettingValues } from '../server/config/settings.js';
import { configText } from '../server/ensemble/config-text.js';
import type { Member } from '../server/ensemble/member.js';
import { LocalSession, type LocalRequest, type Reply } from '../server/local-session.js';
import type { Server } from '../server/server.js';
import { FileConfigStore, writeDurably } from './config-store.js';
import { freePorts } from './free-port.js';
import { MembersStore } from './members-store.js';
import { runMember, runServer, type RunningMember, type RunningServer } from './run-server.js';
import {
  apart,
  configFileText,
  configFrom,
  hasMyid,
  initLimitDefault,
  reload,
  syncLimitDefault,
  type EnsembleOptions,
} from './zoo-config.js';
import { memberConfig, membersAt, placeOf, reconfigure } from './zoo-membership.js';
import {
  configInForce,
  hostAndPort,
  replicasOf,
  stateOf,
  statusOf,
  type ReplicaInfo,
  type Running,
  type ServerState,
  type ServerStatus,
} from './zoo-status.js';

export interface ZooServerOptions extends Partial<SettingValues>, EnsembleOptions {
  /** This server's number (myid); 1 unless given. */
  readonly id?: number;
  readonly name?: string;
  /** Where to listen for clients; the loopback interface unless given. */
  readonly host?: string;
  /** 0 (the default): any free one. */
  readonly clientPort?: number;
  readonly dataDir?: string;
  readonly logger?: Logger;
}

interface ServerEvents {
  state: [state: ServerState];
  /** Null: none is known. */
  leader: [id: number | null];
  /** Of the whole ensemble, as this server hears of them. */
  session: [event: { readonly id: bigint; readonly kind: 'created' | 'closed' }];
  /** Loaded, or brought by a reconfiguration. */
  config: [config: ServerConfig];
}

const LOCAL_SESSION_TIMEOUT_MS = 30_000;
/** For the election, the history and the reconfiguration that a new member needs. */
const JOIN_TIMEOUT_MS = 30_000;

export class ZooServer extends EventEmitter<ServerEvents> {
  readonly #name: string;
  readonly #logger: Logger;
  /** What a server that joins says of itself. */
  readonly #own: EnsembleOptions;
  #config: ServerConfig;
  #running: Running | null = null;
  #starting: Promise<void> | null = null;
  #session: { readonly server: Server; readonly opened: Promise<LocalSession> } | null = null;
  /** As they were told last. */
  #state: ServerState = 'stopped';
  #leader: number | null = null;

  /** Throws TypeError when the options contradict each other. */
  constructor(config: ZooServerOptions | ServerConfig) {
    super();
    if ('ensemble' in config) {
      this.#config = config;
      this.#name = '';
      this.#logger = silentLogger;
      this.#own = {};
      return;
    }
    const { id, name, host, logger, ...given } = config;
    const [own, values] = apart(given);
    this.#own = own;
    this.#config = configFrom(id ?? 1, own, {
      // where the list of servers says it for this one, that counts
      ...(own.servers?.[id ?? 1]?.includes(';') === true
        ? {}
        : { clientPort: 0, clientPortAddress: host ?? '127.0.0.1' }),
      adminServerEnabled: false,
      ...values,
      dataDir: resolve(values.dataDir ?? './zabra-data/1'),
    });
    this.#name = name ?? '';
    this.#logger = logger ?? silentLogger;
  }

  /**
   * Resolves when the server serves, or, a member of an ensemble, when its ports are open and it looks
   * for a leader. Rejects with a StartError, one clear line, when it cannot start.
   */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /**
   * What is acknowledged is durable; connections close, sessions live on until they expire. A leader
   * hands leadership over first.
   */
  async stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    const running = this.#running;
    this.#running = null;
    this.#starting = null;
    this.#session = null;
    if (running === null) return;
    if ('member' in running) running.member.onState = running.member.onConfiguration = null;
    await running.stop();
    this.#tell('stopped', null);
  }

  /** `host:port` for clients. */
  get connectString(): string {
    const running = this.#current();
    const { host, port } = 'member' in running ? running.member.address : running.server.address;
    return hostAndPort(host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host, port);
  }

  /**
   * One op through the pipeline, as a session of this server's own. Rejects while this server serves
   * nobody, and when it ceases to before there is an answer.
   */
  async submitRequest(request: LocalRequest): Promise<Reply> {
    const running = this.#current();
    const server = serverOf(running);
    if (server === null) throw new Error('nobody is served now: the server looks for a leader');
    if (this.#session?.server !== server) {
      const { clock } = server.world;
      const opened = LocalSession.open(server.port, clock, LOCAL_SESSION_TIMEOUT_MS);
      this.#session = { server, opened };
    }
    const session = await this.#session.opened;
    return session.request(request);
  }

  /** Every server of the ensemble as this one hears it, itself included. */
  replicaList(): ReplicaInfo[] {
    return replicasOf(this.#current(), this.status());
  }

  status(): ServerStatus {
    const running = this.#running;
    const own = { id: this.#id, name: this.#name };
    if (running !== null) return statusOf(running, { ...own, address: this.connectString });
    return {
      ...own,
      address: '',
      state: this.#starting === null ? 'stopped' : 'starting',
      ...{ leader: null, votedFor: null, lastHeartbeatMs: null, electionDeadlineMs: null },
      ...{ epoch: 0, zxid: 0n },
    };
  }

  /**
   * Hands leadership to the server of that number, or to the best that is up to date, and resolves
   * with the next leader's. While there is no leader: resolves with the one that is elected. Rejects
   * where this server does not lead, or the other one cannot.
   */
  async leaderElection(options: { readonly to?: number } = {}): Promise<number> {
    const { to } = options;
    const running = this.#current();
    if (!('member' in running)) {
      if (to === undefined || to === this.#id) return this.#id;
      throw new Error('this server stands alone: there is nobody to hand leadership to');
    }
    const { member } = running;
    if (member.state === 'looking') return await this.#elected();
    if (member.state !== 'leading') {
      throw new Error(`server ${member.leaderSid} leads: it alone can hand leadership over`);
    }
    if (to === this.#id) return this.#id;
    if (!(await member.handOver(to ?? null))) {
      const who = to === undefined ? 'no other server' : `server ${to} not`;
      throw new Error(`${who} able to lead now: it must vote, be up to date, and agree to it`);
    }
    await this.#until(() => member.state !== 'leading');
    return await this.#elected();
  }

  /**
   * Starts this server as a new member of the ensemble that a server at `address` (its client port; or
   * several, with commas) belongs to. What its data directory held before is replaced by what the
   * ensemble has. Resolves when it serves and counts. It is a member from then on: later starts need
   * no address.
   */
  async join(address: string): Promise<void> {
    if (this.#starting !== null) {
      throw new Error('only a server that is not running can join: stop() it first');
    }
    const before = this.#config;
    const members = await membersAt(address);
    const place = members.servers.get(this.#id) ?? (await this.#newPlace());
    const servers = new Map([...members.servers, [this.#id, place]]);
    // without a version: what the others say of the ensemble counts, and it does not know this server
    const joined = { ...members, servers, version: 0n };
    this.#config = memberConfig(before, joined, this.#limits);
    try {
      await this.start();
      await this.#elected(JOIN_TIMEOUT_MS);
      if (members.servers.has(this.#id)) return;
      const member = this.#memberNow();
      const isIn = (): boolean => {
        const { version, members: now } = member.configuration;
        return version > members.version && now.servers.has(this.#id);
      };
      const joining = `server.${this.#id}=${placeOf(place)}`;
      await reconfigure(member, { joining, leaving: null }, isIn, JOIN_TIMEOUT_MS);
    } catch (problem) {
      await this.stop();
      this.#config = before;
      throw problem;
    }
  }

  /**
   * Ceases to be a member: the others go on without it, and it stops. A leader hands leadership over
   * first.
   */
  async leave(): Promise<void> {
    const member = this.#memberNow();
    if (member.state === 'leading') await member.handOver(null);
    await this.#elected(JOIN_TIMEOUT_MS);
    const isOut = (): boolean => !member.configuration.members.servers.has(this.#id);
    const change = { joining: null, leaving: String(this.#id) };
    await reconfigure(member, change, isOut, JOIN_TIMEOUT_MS);
    await this.stop();
  }

  /** As it is in force: what was loaded, and the members after the last reconfiguration. */
  get config(): ServerConfig {
    return configInForce(this.#config, this.#member);
  }

  /**
   * Writes zoo.cfg, atomically: what differs from the defaults. Where reconfiguration is enabled the
   * members go into a dynamic file beside it. A data directory without `myid` gets one.
   */
  async saveConfig(file?: string): Promise<void> {
    const target = file ?? this.#config.configFile;
    if (target === null) {
      throw new TypeError('this server has no configuration file: name one');
    }
    const { ensemble, dataDir } = this.#config;
    const members = this.#members;
    await writeDurably(target, configFileText(this.#config, members));
    if (!ensemble.isDistributed) return;
    if (!hasMyid(dataDir)) await writeDurably(`${dataDir}/myid`, `${this.#id}\n`);
    if (!ensemble.reconfigEnabled) return;
    const hasClientAddress = (members.servers.get(this.#id)?.client ?? null) !== null;
    const store = new FileConfigStore(target, false);
    await store.commit(configText(members), members.version, hasClientAddress);
  }

  /** Takes over what a running server can; rejects, with every problem, when the file is wrong. */
  loadConfig(file: string): Promise<{ applied: string[]; needRestart: string[] }> {
    try {
      const { config, applied, needRestart } = reload(this.#config, this.#members, file);
      this.#config = config;
      const running = this.#running;
      if (running !== null && 'member' in running) running.member.reconfigure(config);
      else running?.server.reconfigure(config);
      this.emit('config', this.config);
      return Promise.resolve({ applied, needRestart });
    } catch (problem) {
      return Promise.reject(problem instanceof Error ? problem : new Error(String(problem)));
    }
  }

  get #id(): number {
    return this.#config.myid ?? 1;
  }

  get #member(): Member | null {
    const running = this.#running;
    return running !== null && 'member' in running ? running.member : null;
  }

  #memberNow(): Member {
    this.#current();
    const member = this.#member;
    if (member === null) throw new Error('this server stands alone: it is a member of nothing');
    return member;
  }

  get #limits(): { readonly initLimit: number; readonly syncLimit: number } {
    const { initLimit, syncLimit } = this.#config.ensemble;
    return {
      initLimit: this.#own.initLimit ?? (initLimit || initLimitDefault),
      syncLimit: this.#own.syncLimit ?? (syncLimit || syncLimitDefault),
    };
  }

  /** Ports that nobody has given are free ones, and stay this server's. */
  async #newPlace(): Promise<EnsembleServer> {
    const { clientPort, clientPortAddress } = this.#config;
    const host = clientPortAddress ?? '127.0.0.1';
    const [quorum = 0, election = 0, client = 0] = await freePorts(3, host);
    const { quorumPort = quorum, electionPort = election, peerType = 'participant' } = this.#own;
    return {
      sid: this.#id,
      addresses: [{ host, quorumPort, electionPort }],
      role: peerType,
      client: { host, port: clientPort === 0 ? client : clientPort },
    };
  }

  get #members(): Members {
    return this.#member?.configuration.members ?? this.#config.ensemble;
  }

  #current(): Running {
    if (this.#running === null) throw new Error('the server is not running: await start() first');
    return this.#running;
  }

  async #start(): Promise<void> {
    this.#tell('starting', null);
    const options = { logger: this.#logger };
    try {
      await this.#remember();
      if (this.#config.ensemble.isDistributed) this.#watchMember(await this.#runMember());
      else this.#watchServer(await runServer(this.#config, options));
    } catch (problem) {
      this.#starting = null;
      this.#tell('stopped', null);
      throw problem;
    }
  }

  /** A server that has joined an ensemble is a member of it until it leaves. */
  async #remember(): Promise<void> {
    const { configFile, dataDir, ensemble } = this.#config;
    if (configFile !== null || ensemble.isDistributed) return;
    const { inForce } = await new MembersStore(dataDir).load();
    const reading = inForce === null ? null : readMembers(inForce);
    if (reading?.ok !== true) return;
    this.#config = memberConfig(this.#config, reading.members, this.#limits);
  }

  #runMember(): Promise<RunningMember> {
    const { configFile, dataDir, ensemble } = this.#config;
    const store =
      configFile === null && ensemble.reconfigEnabled
        ? { configStore: new MembersStore(dataDir) }
        : {};
    return runMember(this.#config, { logger: this.#logger, ...store });
  }

  #watchServer(running: RunningServer): void {
    this.#running = running;
    this.#hear(running.server);
    this.#tell('standalone', this.#id);
  }

  #watchMember(running: RunningMember): void {
    this.#running = running;
    const { member } = running;
    const look = (): void => {
      if (this.#running !== running) return;
      if (member.server !== null) this.#hear(member.server);
      this.#tell(stateOf(running), member.state === 'looking' ? null : member.leaderSid);
    };
    // listeners may throw, and what they are told of is in the middle of its work
    member.onState = () => {
      queueMicrotask(look);
    };
    member.onConfiguration = () => {
      queueMicrotask(() => this.emit('config', this.config));
    };
    look();
  }

  #hear(server: Server): void {
    server.onSession = (id, kind) => {
      queueMicrotask(() => this.emit('session', { id, kind }));
    };
  }

  #tell(state: ServerState, leader: number | null): void {
    const [isOtherState, isOtherLeader] = [state !== this.#state, leader !== this.#leader];
    this.#state = state;
    this.#leader = leader;
    if (isOtherState) this.emit('state', state);
    if (isOtherLeader) this.emit('leader', leader);
  }

  /** The leader, once there is one. */
  async #elected(timeoutMs = Infinity): Promise<number> {
    const leader = (): number | null => {
      const member = this.#memberNow();
      return member.state === 'looking' ? null : member.leaderSid;
    };
    await this.#until(() => leader() !== null, timeoutMs);
    return leader() ?? (await this.#elected(timeoutMs));
  }

  /** Looks again with each change of the state; rejects when this server is stopped meanwhile. */
  #until(isThere: () => boolean, timeoutMs = Infinity): Promise<void> {
    return new Promise((done, failed) => {
      const end = (): void => {
        clearTimeout(timer);
        this.off('state', look);
      };
      const look = (): void => {
        if (this.#running === null) failed(new Error('the server was stopped'));
        else if (isThere()) done();
        else return;
        end();
      };
      const giveUp = (): void => {
        failed(new Error(`no leader was found in ${timeoutMs} ms`));
        end();
      };
      const timer = timeoutMs === Infinity ? undefined : setTimeout(giveUp, timeoutMs);
      this.on('state', look);
      look();
    });
  }
}

/** The one that serves, or serves as much as it can. */
function serverOf(running: Running): Server | null {
  if (!('member' in running)) return running.server;
  return running.member.server ?? running.member.readOnlyServer;
}
