/** A server in memory, clients that speak to it frame by frame, and dice that can be thrown again. */
import type { TestContext } from 'node:test';
import { present } from '../../base/assert.js';
import { nodeClock } from '../../node/clock.js';
import { nodeWorld } from '../../node/world.js';
import { silentLogger } from '../../ports/logger.js';
import type { ListenOptions, Listener, Socket, SocketHandler } from '../../ports/network.js';
import type { WatchLists } from '../../protocol/continuation.js';
import { FrameDecoder } from '../../protocol/frame.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import {
  AuthPacket,
  ConnectRequest,
  ConnectResponse,
  requestCodecOf,
  WatcherEvent,
} from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import { SpecialXid } from '../../protocol/xid.js';
import { SimDisk } from '../../sim/disk.js';
import { configOf } from '../config/config.js';
import type { SettingValues } from '../config/settings.js';
import type { ClientConnection } from '../connection.js';
import { Server } from '../server.js';
import type { RecentHistory } from './recent-history.js';

export class Stage {
  readonly disk: SimDisk;
  readonly #test: TestContext;
  readonly #settings: Partial<SettingValues>;
  #accept: (socket: Socket) => SocketHandler = () => {
    throw new Error('nobody listens');
  };
  #server: Server | null = null;

  private constructor(test: TestContext, disk: SimDisk, settings: Partial<SettingValues>) {
    this.#test = test;
    this.disk = disk;
    this.#settings = settings;
  }

  /** Stops with the test. */
  static async start(
    test: TestContext,
    settings: Partial<SettingValues> = {},
    disk = new SimDisk(),
  ): Promise<Stage> {
    const stage = new Stage(test, disk, settings);
    test.after(() => stage.server.stop());
    const config = configOf({
      dataDir: '/data',
      clientPort: 0,
      preAllocBytes: 64 * 1024,
      maxSessionTimeoutMs: 3_600_000,
      maxClientCnxns: 0,
      adminServerEnabled: false,
      extendedTypesEnabled: true,
      ...settings,
    });
    stage.#server = await Server.start(config, {
      ...nodeWorld(silentLogger),
      disk,
      network: {
        listen: (_options: ListenOptions, accept): Promise<Listener> => {
          stage.#accept = accept;
          return Promise.resolve({ host: 'here', port: 1, close: () => Promise.resolve() });
        },
        connect: () => Promise.reject(new Error('there is nobody else')),
      },
    });
    return stage;
  }

  get server(): Server {
    return present(this.#server, 'it has started');
  }

  get recent(): RecentHistory {
    return this.server.replica.applier.recent;
  }

  /** The same data after a stop. */
  async again(): Promise<Stage> {
    await this.server.stop();
    return await Stage.start(this.#test, this.#settings, this.disk);
  }

  /** A new session. */
  async client(user: string | null = null): Promise<StageClient> {
    const client = new StageClient((socket) => this.#accept(socket));
    await client.open();
    if (user !== null) await client.authenticate(user);
    return client;
  }

  connectionOf(client: StageClient): ClientConnection {
    const { id } = client;
    return present(this.server.port.connectionOf(id), 'the session is served');
  }

  /** Watches from here on, without a question. */
  watch(client: StageClient, lists: WatchLists): void {
    const { watches } = this.server;
    const connection = this.connectionOf(client);
    for (const path of lists.data) watches.watchData(path, connection);
    for (const path of lists.exist) watches.watchData(path, connection);
    for (const path of lists.child) watches.watchChildren(path, connection);
    for (const path of lists.persistent) watches.watchAlways(path, connection, false);
    for (const path of lists.recursive) watches.watchAlways(path, connection, true);
  }
}

export interface Reply {
  readonly xid: number;
  readonly zxid: bigint;
  readonly error: number;
  readonly body: Uint8Array;
}

export class StageClient {
  id = 0n;
  xid = 0;
  /** As `type path zxid`. */
  readonly events: string[] = [];
  isClosed = false;
  readonly #handler: SocketHandler;
  readonly #decoder = new FrameDecoder(1 << 24);
  readonly #waiting: ((frame: Reader) => void)[] = [];

  constructor(accept: (socket: Socket) => SocketHandler) {
    this.#handler = accept({
      remoteAddress: '10.0.0.1',
      remotePort: 1,
      localAddress: '10.0.0.2',
      localPort: 2,
      pendingBytes: 0,
      write: (bytes, start, end) => {
        this.#decoder.push(bytes.slice(start, end), 0, end - start, (frame, from, to) => {
          this.#onFrame(new Reader(frame.slice(from, to)));
          return true;
        });
        return true;
      },
      pause: () => undefined,
      resume: () => undefined,
      end: () => this.#onEnd(),
      destroy: () => this.#onEnd(),
    });
  }

  async open(): Promise<void> {
    const response = await this.#send((out) =>
      ConnectRequest.write(out, {
        protocolVersion: 0,
        lastZxidSeen: 0n,
        timeOut: 3_600_000,
        sessionId: 0n,
        passwd: new Uint8Array(16),
        readOnly: false,
      }),
    );
    this.id = ConnectResponse.read(response).sessionId;
  }

  async authenticate(user: string): Promise<void> {
    await this.#send((out) => {
      out.writeInt(SpecialXid.auth);
      out.writeInt(OpCode.auth);
      const auth = new TextEncoder().encode(`${user}:secret`);
      AuthPacket.write(out, { type: 0, scheme: 'digest', auth });
    });
  }

  async ask(op: number, body: object | null): Promise<Reply> {
    const xid = ++this.xid;
    const reader = await this.#send((out) => {
      out.writeInt(xid);
      out.writeInt(op);
      if (body !== null) requestCodecOf(op)?.write(out, body);
    });
    const reply = { xid: reader.readInt(), zxid: reader.readLong(), error: reader.readInt() };
    return { ...reply, body: reader.bytes.slice(reader.pos) };
  }

  #send(write: (out: Writer) => unknown): Promise<Reader> {
    const out = new Writer();
    out.writeInt(0);
    write(out);
    out.patchInt(0, out.pos - 4);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#handler.onData(out.bytes, 0, out.pos);
    });
  }

  #onFrame(frame: Reader): void {
    const isReply = this.id !== 0n;
    if (isReply && new Reader(frame.bytes).readInt() === SpecialXid.notification) {
      frame.skip(4);
      const zxid = frame.readLong();
      frame.skip(4);
      const { type, path } = WatcherEvent.read(frame);
      this.events.push(`${type} ${path} ${zxid}`);
      return;
    }
    this.#waiting.shift()?.(frame);
  }

  #onEnd(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    nodeClock.soon(() => this.#handler.onClose(null));
  }
}

/** The same numbers for the same seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * bound);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(of: readonly T[]): T {
    return present(of[this.below(of.length)], 'there is something to pick');
  }

  some<T>(of: readonly T[], percent: number): T[] {
    return of.filter(() => this.chance(percent));
  }
}
