/**
 * A real server for other people's tests: in this process, on a free port of the loopback interface,
 * its data in memory, started in milliseconds. Everything a client can see is as in production; the
 * handles below make happen what production makes rare.
 */
import { NodeDisk } from '../node/disk.js';
import { nodeWorld } from '../node/world.js';
import { silentLogger, type Logger } from '../ports/logger.js';
import { configOf } from '../server/config/config.js';
import type { SettingValues } from '../server/config/settings.js';
import { Server } from '../server/server.js';
import { SimDisk } from '../sim/disk.js';
import { TestClock } from './test-clock.js';

export interface TestServerOptions {
  /** 0 (the default): any free one. */
  readonly port?: number;
  /** A directory to keep the data in; in memory unless given. */
  readonly dataDir?: string;
  /** Settings of zoo.cfg by their names here, e.g. `tickTimeMs`. */
  readonly settings?: Partial<SettingValues>;
  readonly logger?: Logger;
  /** 'virtual': the server's time stands still until `advance`. */
  readonly time?: 'real' | 'virtual';
}

/** Small, so that a server costs little memory. */
const PRE_ALLOC_BYTES = 64 * 1024;
/** Of virtual time; servers stop sooner. */
const STOP_MS = 1000;

export class TestServer {
  readonly #server: Server;
  readonly #clock: TestClock | null;

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const world = nodeWorld(options.logger ?? silentLogger);
    const config = configOf({
      tickTimeMs: 2000,
      preAllocBytes: PRE_ALLOC_BYTES,
      maxClientCnxns: 0,
      extendedTypesEnabled: true,
      ...options.settings,
      clientPort: options.port ?? 0,
      clientPortAddress: '127.0.0.1',
      adminServerEnabled: false,
      dataDir: options.dataDir ?? '/zabra-data',
    });
    const disk = options.dataDir === undefined ? new SimDisk() : new NodeDisk();
    const clock = options.time === 'virtual' ? new TestClock() : null;
    const parts = clock === null ? { ...world, disk } : { ...world, disk, clock };
    return new TestServer(await Server.start(config, parts), clock);
  }

  private constructor(server: Server, clock: TestClock | null) {
    this.#server = server;
    this.#clock = clock;
  }

  get port(): number {
    return this.#server.address.port;
  }

  /** What to give to any ZooKeeper client. */
  get connectString(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Ids of the sessions that live. */
  get sessionIds(): bigint[] {
    return [...this.#server.sessions.all()].map((session) => session.id);
  }

  /** Ends the session as if its client had been silent for too long; false: there is none. */
  expireSession(id: bigint): boolean {
    const session = this.#server.sessions.get(BigInt.asIntN(64, id));
    if (session === undefined || session.isClosing) return false;
    this.#server.expireSession(session);
    return true;
  }

  /** Cuts every client's connection; their sessions live on. */
  dropConnections(): void {
    for (const connection of [...this.#server.port.connections()]) connection.destroy();
  }

  /**
   * So much time goes by for the server at once; what falls due in it happens in order. Whoever has
   * said nothing meanwhile has been silent for that long. Only of a server with virtual time.
   */
  async advance(byMs: number): Promise<void> {
    if (this.#clock === null) throw new TypeError("start the server with time: 'virtual'");
    await this.#clock.advance(byMs);
  }

  async stop(): Promise<void> {
    const stopping = this.#server.stop();
    // what it waits for may be due later than now
    await this.#clock?.advance(STOP_MS);
    await stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
