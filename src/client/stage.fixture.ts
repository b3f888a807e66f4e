/**
 * A client on stage: virtual time, a simulated network, and servers that do exactly what a test tells
 * them. A scripted server behaves as a decent one (sessions, pings, a few znodes in a map) wherever
 * the test has not put something else in its place.
 */
import { SeededRandom } from '../base/random.js';
import type { Clock } from '../ports/clock.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { ErrorCode } from '../protocol/errors.js';
import { FrameDecoder } from '../protocol/frame.js';
import { OpCode } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import { ConnectRequest, ConnectResponse } from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { inTurns } from '../sim/advance.js';
import { Timeline } from '../sim/clock.js';
import { simCrypto } from '../sim/crypto.js';
import { SimNetwork, type Host } from '../sim/network.js';
import { Client } from './client.js';
import type { ClientOptions, ServerAddress, SessionTicket } from './types.js';
import type { ClientWorld } from './world.js';

const calm = {
  latencyMs: 1,
  jitterMs: 0,
  loss: 0,
  retransmitMs: 0,
  windowBytes: 1 << 24,
  cut: 0,
  cutToBytes: 0,
  readBytesMax: 1 << 16,
};

/** Runs what is due at once, in the order in which it was posted, each with its promises. */
class StageHost implements Host {
  readonly name: string;
  readonly isDead = false;
  readonly #timeline: Timeline;
  /** While this is in the future the process does nothing: it is busy with something of its own. */
  busyUntilMs = 0;

  constructor(name: string, timeline: Timeline) {
    this.name = name;
    this.#timeline = timeline;
  }

  post(task: () => void): void {
    this.#timeline.at(Math.max(this.busyUntilMs, this.#timeline.nowMs), () => {
      this.#timeline.mustDrain = true;
      if (this.busyUntilMs > this.#timeline.nowMs) this.post(task);
      else task();
    });
  }
}

export class Stage {
  readonly timeline = new Timeline();
  readonly network: SimNetwork;
  readonly random: SeededRandom;
  readonly world: ClientWorld;
  readonly servers: ScriptedServer[] = [];
  readonly log: string[] = [];
  readonly addresses = new Map<string, readonly string[]>();
  readonly srv = new Map<string, readonly ServerAddress[]>();
  readonly asked: string[] = [];
  readonly #host: StageHost;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
    this.network = new SimNetwork(this.timeline, this.random, () => calm);
    this.#host = new StageHost('client', this.timeline);
    const host = this.#host;
    const { timeline } = this;
    const clock: Clock = {
      wallMs: () => 1_700_000_000_000 + Math.floor(timeline.nowMs),
      monotonicMs: () => timeline.nowMs,
      after(delayMs, run) {
        let isLive = true;
        timeline.at(timeline.nowMs + delayMs, () => {
          host.post(() => {
            if (isLive) run();
          });
        });
        return {
          cancel() {
            isLive = false;
          },
        };
      },
      soon: (run) => {
        host.post(run);
      },
    };
    const port = this.network.portOf(host, '10.9.9.9', null);
    this.world = {
      clock,
      network: port,
      crypto: simCrypto(this.random),
      random: () => this.random.fraction(),
      names: {
        addresses: async (name) => {
          this.asked.push(name);
          await Promise.resolve();
          return this.addresses.get(name) ?? [name];
        },
        srv: async (name) => {
          this.asked.push(name);
          await Promise.resolve();
          const found = this.srv.get(name);
          if (found === undefined) throw new Error(`ENOTFOUND ${name}`);
          return found;
        },
      },
    };
  }

  async server(host: string, port = 2181): Promise<ScriptedServer> {
    const server = new ScriptedServer(host, port, this.timeline);
    this.servers.push(server);
    const at = this.network.portOf(new StageHost(host, this.timeline), host, null);
    await at.listen({ host, port }, (socket) => server.accept(socket));
    return server;
  }

  /** With its states and sessions in the log. */
  client(connectString: string, options: ClientOptions = {}): Client {
    return this.#watched(new Client(connectString, options, this.world));
  }

  /** Of a session that was detached. */
  heir(ticket: SessionTicket): Client {
    const options = { recreateSession: false };
    return this.#watched(Client.ofTicket(ticket, options, this.world));
  }

  #watched(client: Client): Client {
    client.on('state', (state) => {
      this.log.push(`${Math.round(this.timeline.nowMs)} ${state}`);
    });
    client.on('session', ({ id, isNew, previousId, reason }) => {
      const which = isNew ? 'new' : 'same';
      this.log.push(`session ${id} ${which} ${reason} before ${previousId ?? 'none'}`);
    });
    client.on('stall', ({ lateMs }) => {
      this.log.push(`stall ${Math.round(lateMs)}`);
    });
    return client;
  }

  /** The client's process does nothing for so long. */
  stall(forMs: number): void {
    this.#host.busyUntilMs = this.timeline.nowMs + forMs;
  }

  async pass(forMs: number): Promise<void> {
    await this.until(() => false, forMs, true);
  }

  /** Lets time pass until it is so; an error when it is not within `limitMs`. */
  async until(isSo: () => boolean, limitMs = 120_000, isPassing = false): Promise<void> {
    const endMs = this.timeline.nowMs + limitMs;
    await inTurns(() => isSo() || !this.timeline.step(endMs));
    if (!isPassing && !isSo()) throw new Error(`not within ${limitMs} ms`);
  }

  /** What the promise comes to, letting time pass until then. */
  async outcome<T>(promise: Promise<T>, limitMs = 120_000): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await this.until(() => isSettled, limitMs);
    return await promise;
  }

  /** What each comes to, the errors too. */
  async outcomes(promises: readonly Promise<unknown>[], limitMs = 120_000): Promise<unknown[]> {
    const settled = await this.outcome(Promise.allSettled(promises), limitMs);
    return settled.map((one): unknown => (one.status === 'fulfilled' ? one.value : one.reason));
  }

  /** The error that it is rejected with. */
  async failure(promise: Promise<unknown>, limitMs = 120_000): Promise<Error> {
    try {
      await this.outcome(promise, limitMs);
    } catch (error) {
      return error as Error;
    }
    throw new Error('it did not fail');
  }
}

/** Null: it was not rejected. */
export function reasonOf(settled: PromiseSettledResult<unknown> | undefined): unknown {
  return settled?.status === 'rejected' ? settled.reason : null;
}

export interface Received {
  readonly xid: number;
  readonly op: number;
  /** Of the request's body, after the header. */
  readonly reader: Reader;
}

/** What one server has in mind for one connection. */
export class ScriptedConnection implements SocketHandler {
  readonly server: ScriptedServer;
  readonly socket: Socket;
  /** As it came. */
  greeting: ConnectRequest | null = null;
  readonly received: Received[] = [];
  isClosed = false;
  readonly #decoder = new FrameDecoder(1 << 24);

  constructor(server: ScriptedServer, socket: Socket) {
    this.server = server;
    this.socket = socket;
  }

  get ops(): number[] {
    return this.received.map(({ op }) => op);
  }

  send(write: (writer: Writer) => void): void {
    const writer = new Writer();
    writer.writeInt(0);
    write(writer);
    writer.patchInt(0, writer.pos - 4);
    const bytes = writer.take();
    this.socket.write(bytes, 0, bytes.length);
  }

  sendRaw(bytes: Uint8Array): void {
    this.socket.write(bytes, 0, bytes.length);
  }

  reply(xid: number, error: number, write?: (writer: Writer) => void): void {
    this.send((writer) => {
      writer.writeInt(xid);
      writer.writeLong(xid > 0 ? ++this.server.zxid : this.server.zxid);
      writer.writeInt(error);
      write?.(writer);
    });
  }

  event(type: number, path: string): void {
    this.send((writer) => {
      writer.writeInt(-1);
      writer.writeLong(++this.server.zxid);
      writer.writeInt(0);
      writer.writeInt(type);
      writer.writeInt(3);
      writer.writeString(path);
    });
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.#decoder.push(bytes, start, end, (frame, from, to) => {
      this.#onFrame(new Reader(frame.slice(from, to)));
      return true;
    });
  }

  onDrain(): void {
    // scripts send little
  }

  onClose(): void {
    this.isClosed = true;
  }

  #onFrame(reader: Reader): void {
    if (this.greeting === null) {
      this.greeting = ConnectRequest.read(reader);
      this.server.onGreeting(this, this.greeting);
      return;
    }
    const received = { xid: reader.readInt(), op: reader.readInt(), reader };
    this.received.push(received);
    this.server.onRequest(this, received);
  }
}

export class ScriptedServer {
  readonly host: string;
  readonly port: number;
  readonly connections: ScriptedConnection[] = [];
  readonly sessions = new Set<bigint>();
  readonly data = new Map<string, string>([['/', '']]);
  readonly #timeline: Timeline;
  zxid = 100n;
  timeoutMs = 6000;
  nextId = 1n;
  isReadOnly = false;
  onAccept: (connection: ScriptedConnection) => void = () => undefined;
  onGreeting: (connection: ScriptedConnection, request: ConnectRequest) => void = (c, r) => {
    this.greet(c, r);
  };
  onRequest: (connection: ScriptedConnection, request: Received) => void = (c, r) => {
    this.answer(c, r);
  };

  constructor(host: string, port: number, timeline: Timeline) {
    this.host = host;
    this.port = port;
    this.#timeline = timeline;
  }

  get connection(): ScriptedConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error(`nobody came to ${this.host}`);
    return last;
  }

  get nowMs(): number {
    return this.#timeline.nowMs;
  }

  accept(socket: Socket): SocketHandler {
    const connection = new ScriptedConnection(this, socket);
    this.connections.push(connection);
    this.onAccept(connection);
    return connection;
  }

  /** As a decent server does. */
  greet(connection: ScriptedConnection, { sessionId }: ConnectRequest): void {
    let id = sessionId;
    if (id === 0n) {
      id = this.nextId++;
      this.sessions.add(id);
    }
    const isKnown = this.sessions.has(id);
    this.welcome(connection, isKnown ? id : 0n, isKnown ? this.timeoutMs : 0);
    if (!isKnown) connection.socket.end();
  }

  welcome(connection: ScriptedConnection, sessionId: bigint, timeOut: number): void {
    connection.send((writer) => {
      ConnectResponse.write(writer, {
        protocolVersion: 0,
        timeOut,
        sessionId,
        passwd: new Uint8Array(16).fill(7),
        readOnly: this.isReadOnly,
      });
    });
  }

  answer(connection: ScriptedConnection, { xid, op, reader }: Received): void {
    switch (op) {
      case OpCode.getData:
      case OpCode.exists:
      case OpCode.setData: {
        const path = reader.readString() ?? '';
        const data = op === OpCode.setData ? reader.readString() : this.data.get(path);
        if (data === undefined || data === null || !this.data.has(path)) {
          connection.reply(xid, ErrorCode.noNode);
          return;
        }
        if (op === OpCode.setData) this.data.set(path, data);
        connection.reply(xid, 0, (writer) => {
          if (op === OpCode.getData) writer.writeString(data);
          writeStat(writer, data.length);
        });
        return;
      }
      case OpCode.create2: {
        const path = reader.readString() ?? '';
        this.data.set(path, reader.readString() ?? '');
        connection.reply(xid, 0, (writer) => {
          writer.writeString(path);
          writeStat(writer, 0);
        });
        return;
      }
      case OpCode.getChildren2: {
        connection.reply(xid, 0, (writer) => {
          writer.writeInt(0);
          writeStat(writer, 0);
        });
        return;
      }
      case OpCode.closeSession: {
        connection.reply(xid, 0);
        connection.socket.end();
        return;
      }
      default:
        connection.reply(xid, 0);
    }
  }
}

export function writeStat(writer: Writer, dataLength: number): void {
  for (let i = 0; i < 4; i++) writer.writeLong(5n);
  for (let i = 0; i < 3; i++) writer.writeInt(0);
  writer.writeLong(0n);
  writer.writeInt(dataLength);
  writer.writeInt(0);
  writer.writeLong(5n);
}
