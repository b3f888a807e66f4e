/**
 * A whole ensemble for other people's tests: real servers that elect a leader over real sockets on the
 * loopback interface, all in this process, their data in memory. What production does to ensembles
 * (a server dies, stands still, cannot be reached by the others) happens when a test says so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeClock } from '../node/clock.js';
import { freePorts } from '../node/free-port.js';
import { nodeWorld } from '../node/world.js';
import { silentLogger, type Logger } from '../ports/logger.js';
import { formatProblem, parseConfig, writeSetting } from '../server/config/config.js';
import type { ServerConfig } from '../server/config/config.js';
import { settingNames, settings, type SettingValues } from '../server/config/settings.js';
import { Member } from '../server/ensemble/member.js';
import { SimDisk } from '../sim/disk.js';
import { MemberCell, Wires } from './member-cell.js';
import { TestClock } from './test-clock.js';

export interface TestEnsembleOptions {
  /** Settings of zoo.cfg by their names here, e.g. `tickTimeMs`, the same for every server. */
  readonly settings?: Partial<SettingValues>;
  readonly logger?: Logger;
  /** 'virtual': the servers' time stands still until `advance`; what waits for servers moves it. */
  readonly time?: 'real' | 'virtual';
  /** For everything here that waits for servers; 30 seconds unless given. */
  readonly timeoutMs?: number;
}

export interface TestEnsembleServer {
  readonly id: number;
  readonly port: number;
  /** Of this server alone. */
  readonly connectString: string;
  readonly state: 'leader' | 'follower' | 'looking' | 'paused' | 'down';
}

const host = '127.0.0.1';
const sizeMax = 9;
const defaultTimeoutMs = 30_000;
const lookIntervalMs = 5;
/** Of virtual time; a leader hands over before it goes. */
const stopMs = 5000;
/** Between elections of Zabra's servers and attempts of a busy test machine. */
const startsTried = 3;

/** Quick to see that somebody is gone, and with small logs; sessions may be as long as usual. */
const defaults: Partial<SettingValues> = {
  tickTimeMs: 500,
  maxSessionTimeoutMs: 40_000,
  preAllocBytes: 64 * 1024,
  maxClientCnxns: 0,
  extendedTypesEnabled: true,
};
const limits = ['initLimit=20', 'syncLimit=4'];

interface Seat {
  readonly id: number;
  readonly config: ServerConfig;
  disk: SimDisk;
  /** Null: down. */
  process: { readonly cell: MemberCell; readonly member: Member } | null;
}

export class TestEnsemble {
  readonly #seats: readonly Seat[];
  readonly #wires: Wires;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  readonly #clock: TestClock | null;

  /** Resolves when all servers serve. */
  static async start(size: number, options: TestEnsembleOptions = {}): Promise<TestEnsemble> {
    if (!Number.isInteger(size) || size < 2 || size > sizeMax) {
      throw new TypeError(`an ensemble has 2 to ${sizeMax} servers here, not ${size}`);
    }
    for (let attempt = 1; ; attempt++) {
      const ensemble = new TestEnsemble(await freePorts(3 * size, host), options);
      try {
        for (const seat of ensemble.#seats) await ensemble.#launch(seat);
        await ensemble.untilServing();
        return ensemble;
      } catch (problem) {
        await ensemble.stop();
        const isPortTaken = problem instanceof Error && 'code' in problem;
        // another process was quicker
        if (!isPortTaken || problem.code !== 'EADDRINUSE' || attempt === startsTried) throw problem;
      }
    }
  }

  /** Three ports for each server. */
  private constructor(ports: readonly number[], options: TestEnsembleOptions) {
    this.#logger = options.logger ?? silentLogger;
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#clock = options.time === 'virtual' ? new TestClock() : null;
    const size = ports.length / 3;
    const sidOfPort = new Map(ports.slice(size).map((port, index) => [port, (index % size) + 1]));
    this.#wires = new Wires(sidOfPort);
    const lines = [...limits];
    for (let id = 1; id <= size; id++) {
      lines.push(`server.${id}=${host}:${ports[size + id - 1]}:${ports[2 * size + id - 1]}`);
    }
    this.#seats = ports.slice(0, size).map((clientPort, index) => ({
      id: index + 1,
      config: configOf(index + 1, lines, {
        ...defaults,
        ...options.settings,
        ...{ clientPort, clientPortAddress: host },
        ...{ adminServerEnabled: false, dataDir: '/zabra-data' },
      }),
      disk: new SimDisk(),
      process: null,
    }));
  }

  /** What to give to any ZooKeeper client: all servers, those that are down too. */
  get connectString(): string {
    return this.servers.map(({ connectString }) => connectString).join(',');
  }

  /** As they are now, in the order of their ids. */
  get servers(): TestEnsembleServer[] {
    return this.#seats.map((seat) => {
      const { clientPort: port } = seat.config;
      return { id: seat.id, port, connectString: `${host}:${port}`, state: stateOf(seat) };
    });
  }

  /** The id of the server that leads those that can serve; null: none does now. */
  get leader(): number | null {
    for (const { id, process } of this.#seats) {
      if (this.#canServe(id) && process?.member.state === 'leading') return id;
    }
    return null;
  }

  /** Resolves when every server that has a quorum in reach serves under one leader. */
  async untilServing(): Promise<void> {
    const deadlineMs = performance.now() + this.#timeoutMs;
    while (!this.#isSettled) {
      if (performance.now() > deadlineMs) {
        const states = this.servers.map(({ id, state }) => `${id} ${state}`).join(', ');
        throw new Error(`the ensemble does not serve after ${this.#timeoutMs} ms: ${states}`);
      }
      await this.#pass(lookIntervalMs);
    }
  }

  /**
   * So much time goes by for all servers at once; what falls due in it happens in order. Only of an
   * ensemble with virtual time.
   */
  async advance(byMs: number): Promise<void> {
    if (this.#clock === null) throw new TypeError("start the ensemble with time: 'virtual'");
    await this.#clock.advance(byMs);
  }

  /** Ends the server as a crash of its process would: what the disk's cache holds is all that stays. */
  async kill(id: number): Promise<void> {
    const seat = this.#seat(id);
    await nextTurn();
    const { process } = seat;
    if (process === null) return;
    seat.process = null;
    seat.disk.stop();
    await process.cell.end();
  }

  /**
   * Starts the server with the data that it has, after killing it if it runs. Resolves when it serves,
   * or, where there is no quorum for it, when it looks for one.
   */
  async restart(id: number): Promise<void> {
    const seat = this.#seat(id);
    await this.kill(id);
    seat.disk = new SimDisk({ image: seat.disk.image });
    await this.#launch(seat);
    if (this.#canServe(id)) await this.untilServing();
  }

  /**
   * Leadership goes to the server `to`, or to whichever is best, as in production when a leader is
   * stopped: without an election. Resolves with the id of the new leader when all serve.
   */
  async handOver(to?: number): Promise<number> {
    const before = this.leader;
    const member = before === null ? undefined : this.#seat(before).process?.member;
    if (member === undefined || !(await member.handOver(to ?? null))) {
      throw new Error(`leadership cannot be handed over${to === undefined ? '' : ` to ${to}`} now`);
    }
    await this.untilServing();
    const after = this.leader;
    if (after === null || after === before) throw new Error('nobody leads after the hand-over');
    return after;
  }

  /** The server stands still, with all its connections open, until `resume`. */
  async pause(id: number): Promise<void> {
    const seat = this.#seat(id);
    await nextTurn();
    seat.process?.cell.freeze();
  }

  /** It finds everything that was sent to it meanwhile. */
  async resume(id: number): Promise<void> {
    const seat = this.#seat(id);
    await nextTurn();
    seat.process?.cell.thaw();
  }

  /**
   * From now on servers reach each other only within a group; who is in none is alone. Clients reach
   * all of them. What they send each other arrives after `heal`, unless they have given up by then.
   */
  partition(...groups: readonly (readonly number[])[]): void {
    for (const id of groups.flat()) this.#seat(id);
    this.#wires.cut(groups);
    this.#deliver();
  }

  heal(): void {
    this.#wires.heal();
    this.#deliver();
  }

  /**
   * Whatever reaches these servers, from each other and from clients, arrives so much later; all
   * servers when none are named, 0 for no longer.
   */
  delay(byMs: number, ...ids: readonly number[]): void {
    for (const id of ids) this.#seat(id);
    this.#wires.delay(byMs, ids);
  }

  /** Cuts the connections of this server's clients, or of all clients; their sessions live on. */
  dropConnections(id?: number): void {
    const seats = id === undefined ? this.#seats : [this.#seat(id)];
    for (const { process } of seats) {
      for (const connection of [...(process?.member.server?.port.connections() ?? [])]) {
        connection.destroy();
      }
    }
  }

  /** Ends the session as if its client had been silent for too long; false: there is none. */
  expireSession(sessionId: bigint): boolean {
    const { leader } = this;
    const server = leader === null ? null : (this.#seat(leader).process?.member.server ?? null);
    const session = server?.sessions.get(BigInt.asIntN(64, sessionId));
    if (server === null || session === undefined || session.isClosing) return false;
    server.expireSession(session);
    return true;
  }

  async stop(): Promise<void> {
    const stopping = this.#stopAll();
    // what they wait for may be due later than now
    await this.#clock?.advance(stopMs);
    await stopping;
  }

  async #stopAll(): Promise<void> {
    await Promise.all(
      this.#seats.map(async (seat) => {
        const { process } = seat;
        if (process?.cell.state !== 'running') {
          await this.kill(seat.id);
          return;
        }
        seat.process = null;
        await process.member.stop();
        await process.cell.end();
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #pass(ms: number): Promise<void> {
    if (this.#clock === null) await sleep(ms);
    else await this.#clock.advance(ms);
  }

  #seat(id: number): Seat {
    const seat = this.#seats[id - 1];
    if (seat === undefined) throw new TypeError(`there is no server ${id}`);
    return seat;
  }

  #deliver(): void {
    for (const { process } of this.#seats) process?.cell.deliver();
  }

  async #launch(seat: Seat): Promise<void> {
    const cell = new MemberCell(seat.id, this.#wires, this.#clock ?? nodeClock);
    const world = {
      ...nodeWorld(this.#logger),
      ...{ clock: cell.clock, network: cell.network, disk: seat.disk },
      onFatal: (error: Error): never => {
        throw error;
      },
    };
    const member = await Member.start(seat.config, world);
    seat.process = { cell, member };
  }

  #isRunning(id: number): boolean {
    return this.#seat(id).process?.cell.state === 'running';
  }

  #canServe(id: number): boolean {
    if (!this.#isRunning(id)) return false;
    const inReach = this.#seats.filter(
      (other) => this.#isRunning(other.id) && !this.#wires.isCut(id, other.id),
    );
    return 2 * inReach.length > this.#seats.length;
  }

  get #isSettled(): boolean {
    const { leader } = this;
    return this.#seats.every(({ id, process }) => {
      if (process === null || !this.#canServe(id)) return true;
      const { member } = process;
      return (
        member.leaderSid === leader &&
        member.state !== 'looking' &&
        member.server?.isServing === true
      );
    });
  }
}

function stateOf({ process }: Seat): TestEnsembleServer['state'] {
  if (process === null) return 'down';
  if (process.cell.state === 'frozen') return 'paused';
  const { state } = process.member;
  return state === 'looking' ? state : state === 'leading' ? 'leader' : 'follower';
}

function configOf(
  id: number,
  lines: readonly string[],
  values: Partial<SettingValues>,
): ServerConfig {
  const properties = new Map<string, string>();
  for (const name of settingNames) {
    const value = values[name];
    if (value === undefined) continue;
    properties.set(`zookeeper.${settings[name].key}`, writeSetting(name, value));
  }
  const text = lines.join('\n');
  const result = parseConfig({ text, file: null, env: {}, properties, myid: String(id) });
  if ('config' in result) return result.config;
  throw new TypeError(result.problems.map(formatProblem).join('; '));
}

/** Nothing that a server had begun in this turn is half done in the next. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
