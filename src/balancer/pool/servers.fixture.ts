/** Servers for tests of whoever chooses among them: they answer four-letter words, and fail as told. */
import assert from 'node:assert/strict';
import { ManualClock } from '../../discovery/clock.fixture.js';
import { SeededRandom } from '../../base/random.js';
import type { LogFields, Logger } from '../../ports/logger.js';
import type { Listener, Network, Socket, SocketHandler } from '../../ports/network.js';
import type { BackendAddress, PooledBackend } from './backend.js';
import type { BackendPoolHooks, BackendPoolOptions } from './backend-options.js';
import { BackendPool } from './backend-pool.js';
import type { Backend, BackendNeed, ClientOrigin } from '../keeping/keeping-types.js';
import type { BalancerWorld } from '../world.js';

export interface FakeServer {
  mode: string;
  zxid: bigint;
  outstanding: number;
  received: number;
  version: string;
  words: string[];
  maxClientCnxns: number;
  /** silent: connections are taken and nothing is ever said. */
  state: 'serving' | 'not-serving' | 'refusing' | 'silent' | 'hanging-up';
  /** Words that it was asked. */
  asked: string[];
}

export class Farm implements Network {
  readonly servers = new Map<string, FakeServer>();
  readonly #clock: ManualClock;
  open = 0;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  add(id: string, facts: Partial<FakeServer> = {}): FakeServer {
    const server: FakeServer = {
      ...{ mode: 'follower', zxid: 0x1_0000_0001n, outstanding: 0, received: 0 },
      ...{ version: '3.9.5', words: ['srvr'], maxClientCnxns: 60, state: 'serving', asked: [] },
      ...facts,
    };
    this.servers.set(id, server);
    return server;
  }

  listen(): Promise<Listener> {
    return Promise.reject(new Error('nobody listens here'));
  }

  connect(
    { host, port }: { readonly host: string; readonly port: number; readonly timeoutMs: number },
    accept: (socket: Socket) => SocketHandler,
  ): Promise<Socket> {
    const server = this.servers.get(`${host}:${port}`);
    if (server === undefined || server.state === 'refusing') {
      return Promise.reject(new Error(`ECONNREFUSED ${host}:${port}`));
    }
    const socket = new FakeSocket(this.#clock, server, (change) => {
      this.open += change;
    });
    socket.serve(accept(socket));
    return Promise.resolve(socket);
  }
}

class FakeSocket implements Socket {
  readonly remoteAddress = '10.0.0.1';
  readonly remotePort = 2181;
  readonly localAddress = '10.0.0.9';
  readonly localPort = 40_000;
  readonly pendingBytes = 0;
  readonly #clock: ManualClock;
  readonly #server: FakeServer;
  readonly #count: (change: number) => void;
  #handler: SocketHandler | null = null;
  #isClosed = false;

  constructor(clock: ManualClock, server: FakeServer, count: (change: number) => void) {
    this.#clock = clock;
    this.#server = server;
    this.#count = count;
    count(1);
  }

  serve(handler: SocketHandler): void {
    this.#handler = handler;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    const word = String.fromCharCode(...bytes.subarray(start, end));
    this.#server.asked.push(word);
    this.#clock.after(1, () => {
      if (this.#isClosed || this.#server.state === 'silent') return;
      if (this.#server.state !== 'hanging-up') this.#say(answer(this.#server, word));
      this.#close();
    });
    return true;
  }

  pause(): void {
    assert.fail('health checks read on');
  }

  resume(): void {
    assert.fail('health checks read on');
  }

  end(): void {
    this.#close();
  }

  destroy(): void {
    this.#close();
  }

  /** In two parts, as a network may. */
  #say(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const middle = bytes.length >> 1;
    this.#handler?.onData(bytes, 0, middle);
    this.#handler?.onData(bytes, middle, bytes.length);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#count(-1);
    this.#clock.after(0, () => this.#handler?.onClose(null));
  }
}

function answer(server: FakeServer, word: string): string {
  if (server.state === 'not-serving') {
    return 'This ZooKeeper instance is not currently serving requests\n';
  }
  if (!server.words.includes(word)) {
    return `${word} is not executed because it is not in the whitelist.\n`;
  }
  switch (word) {
    case 'isro':
      return server.mode === 'read-only' ? 'ro' : 'rw';
    case 'mntr':
      return `zk_version\t${server.version}\nzk_outstanding_requests\t${server.outstanding}\n`;
    case 'conf':
      return `clientPort=2181\nmaxClientCnxns=${server.maxClientCnxns}\n`;
    default:
      return [
        `Zookeeper version: ${server.version}, built on 2025-01-01 00:00 UTC`,
        'Latency min/avg/max: 0/0.5/12',
        `Received: ${server.received}`,
        `Sent: ${server.received}`,
        'Connections: 3',
        `Outstanding: ${server.outstanding}`,
        `Zxid: 0x${server.zxid.toString(16)}`,
        `Mode: ${server.mode}`,
        'Node count: 5',
        '',
      ].join('\n');
  }
}

export class StoryLogger implements Logger {
  readonly lines: string[] = [];

  debug(message: string, fields?: LogFields): void {
    this.#take(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#take(message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#take(message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#take(message, fields);
  }

  #take(message: string, fields: LogFields = {}): void {
    this.lines.push(`${message} ${JSON.stringify(fields)}`);
  }
}

const clientOrigin: ClientOrigin = {
  ...{ address: '10.1.1.1', port: 5000, zone: null, class: 'default', isTls: false },
  certificateSubject: null,
};

/** A pool over a farm, and what has happened. */
export class PoolScene {
  readonly clock: ManualClock;
  readonly farm: Farm;
  readonly logger = new StoryLogger();
  readonly world: BalancerWorld;
  readonly pool: BackendPool;
  /** `zk1 awake→ejected: why` and the like, in order. */
  readonly story: string[] = [];
  /** Who is to be emptied, and why. */
  readonly vacating = new Set<string>();

  /** `parts`: instead of its own; `network` is how the farm is reached. */
  constructor(
    options: BackendPoolOptions = {},
    seed = 1,
    parts: { clock?: ManualClock; farm?: Farm; network?: Network } = {},
  ) {
    this.clock = parts.clock ?? new ManualClock();
    this.farm = parts.farm ?? new Farm(this.clock);
    const random = new SeededRandom(seed);
    const hooks: BackendPoolHooks = {
      onSet: (backend, set, before, reason) => {
        this.story.push(`${backend.host} ${before}→${set}: ${reason}`);
        options.hooks?.onSet?.(backend, set, before, reason);
      },
      onVacate: (backend, reason) => {
        this.vacating.add(`${backend.host} ${reason}`);
        options.hooks?.onVacate?.(backend, reason);
      },
      onDecision: (of, choice, reason) => {
        this.story.push(`${of} ${choice}: ${reason}`);
      },
    };
    const { clock, logger } = this;
    const network = parts.network ?? this.farm;
    this.world = { clock, network, random: () => random.fraction(), logger };
    this.pool = new BackendPool(this.world, { ...options, hooks });
  }

  /** Servers zk0, zk1 …, which the pool is told of. */
  async begin(servers: readonly (Partial<FakeServer> & Partial<BackendAddress>)[]): Promise<this> {
    const addresses = servers.map(({ zone, weight, ...facts }, index) => {
      this.farm.add(`zk${index}:2181`, facts);
      const address: BackendAddress = { host: `zk${index}`, port: 2181 };
      return {
        ...address,
        ...(zone === undefined ? {} : { zone }),
        ...(weight === undefined ? {} : { weight }),
      };
    });
    this.pool.update(addresses);
    this.pool.start();
    await this.clock.advance(50);
    return this;
  }

  server(index: number): FakeServer {
    return this.farm.servers.get(`zk${index}:2181`)!;
  }

  backend(index: number): PooledBackend {
    return this.pool.backends().find(({ host }) => host === `zk${index}`)!;
  }

  choose(need: Partial<BackendNeed> & { readonly zone?: string } = {}): string | null {
    return this.pool.choose(needOf(need))?.id.split(':')[0] ?? null;
  }

  /** Clients that come, and stay. */
  attach(count = 1, need: Partial<BackendNeed> & { readonly zone?: string } = {}): Backend[] {
    const attached: Backend[] = [];
    for (let i = 0; i < count; i++) {
      const backend = this.pool.choose(needOf(need));
      if (backend === null) break;
      this.pool.onAttaching(backend);
      this.pool.onAttached(backend, { isZabra: false, isReadOnly: false, latencyMs: 1 });
      attached.push(backend);
    }
    return attached;
  }

  detach(backend: Backend): void {
    this.pool.onDetached(backend);
  }

  /** Attaches that fail. */
  refuse(index: number, count: number): void {
    for (let i = 0; i < count; i++) {
      this.pool.onAttaching(this.backend(index));
      this.pool.onAttachFailed(this.backend(index));
    }
  }

  get sessions(): number[] {
    return this.pool.backends().map(({ sessions }) => sessions);
  }

  get sets(): string[] {
    return this.pool.backends().map(({ set }) => set);
  }
}

export function needOf(need: Partial<BackendNeed> & { readonly zone?: string } = {}): BackendNeed {
  const { zone = null, ...rest } = need;
  const origin = { ...clientOrigin, zone };
  return { minZxid: 0n, canBeReadOnly: false, origin, excluded: new Set(), ...rest };
}
