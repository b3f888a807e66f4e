/**
 * The simulated network: the port over pipes, with every fault of reliability.md section 2 (N) that a
 * TCP connection between a client and a server can show: connections refused or never answered, resets
 * in the middle of a frame, links that go silent without a word, stalls, windows that close because
 * nobody reads, and peers that die.
 *
 * Each side belongs to a host. A process is one: what its sockets have to say waits for its next
 * turn. Simulated clients are served at once.
 */
import { assert } from '../base/assert.js';
import type { SeededRandom } from '../base/random.js';
import type { ListenOptions, Listener, Network, Socket, SocketHandler } from '../ports/network.js';
import { Blocks } from './bytes.js';
import type { Timeline } from './clock.js';
import { Pipe, type LinkQuality, type PipeEnds } from './pipe.js';

/** Whoever has sockets: a process, or something that has no turns of its own. */
export interface Host {
  readonly name: string;
  /** It runs no more, whatever it may still ask for. */
  readonly isDead: boolean;
  post(task: () => void): void;
}

/** Sees what crosses a host's sockets, from outside: mutants of the host cannot hide from it. */
export interface Tap {
  onOpen(socket: SimSocket): void;
  /** The process handed these bytes to its kernel. */
  onWrite(socket: SimSocket, bytes: Uint8Array, start: number, end: number): void;
  /** So many bytes have reached its kernel. */
  onArrival(socket: SimSocket, byteCount: number): void;
  onRead(socket: SimSocket): void;
  onGone(socket: SimSocket): void;
}

export class SimSocket implements Socket {
  readonly id: number;
  readonly host: Host;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly #tap: Tap | null;
  readonly #wire: Wire;
  #handler: SocketHandler | null = null;
  #peer: SimSocket | null = null;
  #out: Pipe | null = null;
  #in: Pipe | null = null;
  #isPaused = false;
  #isReadPosted = false;
  #isClosed = false;
  #isEnding = false;
  #isForgotten = false;
  /** The connection was reset. */
  #error: Error | null = null;

  constructor(
    id: number,
    host: Host,
    local: Address,
    remote: Address,
    wire: Wire,
    tap: Tap | null,
  ) {
    this.id = id;
    this.#wire = wire;
    this.host = host;
    this.localAddress = local.host;
    this.localPort = local.port;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
    this.#tap = tap;
  }

  /** Before anything else is done with it. */
  join(peer: SimSocket, incoming: Pipe, outgoing: Pipe): void {
    this.#peer = peer;
    this.#in = incoming;
    this.#out = outgoing;
    this.#tap?.onOpen(this);
  }

  /** From here on there is somebody to tell. */
  serve(handler: SocketHandler): void {
    this.#handler = handler;
    this.#postRead();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A process has accepted it. */
  get isServed(): boolean {
    return this.#handler !== null;
  }

  /** Its process has said the last word; what still comes in is nobody's. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get pendingBytes(): number {
    return this.#out?.keptBytes ?? 0;
  }

  /** Bytes in its kernel that the process has not read. */
  get unreadBytes(): number {
    return this.#in?.receivedBytes ?? 0;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#isClosed || this.#isEnding || end <= start) return true;
    this.#tap?.onWrite(this, bytes, start, end);
    return this.#pipe(this.#out).write(bytes, start, end);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#postRead();
  }

  end(): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    const out = this.#pipe(this.#out);
    out.end();
    if (out.keptBytes === 0) this.#close(null);
  }

  destroy(): void {
    if (this.#isClosed) return;
    const out = this.#pipe(this.#out);
    out.dropKept();
    out.end();
    this.#close(null);
  }

  /** The connection is torn down from outside; what has arrived is read, nothing else comes. */
  reset(): void {
    if (this.#isClosed || this.#error !== null) return;
    this.#error = new Error('ECONNRESET: simulated');
    this.#in?.loseWire();
    this.#out?.loseWire();
    if (this.#isPaused || this.#handler === null) this.#close(this.#error);
    else this.#postRead();
  }

  /** The process is gone. What its kernel had taken still arrives, and the end behind it. */
  die(): void {
    this.vanish();
    this.#out?.end();
    this.#isForgotten = false;
  }

  /** The machine is gone: what is on the wire still arrives, and nothing ever after. */
  vanish(): void {
    this.#isClosed = true;
    this.#isForgotten = true;
    this.#handler = null;
    this.#in?.cut();
    this.#out?.dropKept();
    this.#tap?.onGone(this);
  }

  onArrival(byteCount: number): void {
    if (this.#isClosed) {
      // nobody has this connection any more: the kernel, if there is one, answers with a reset
      if (byteCount > 0 && !this.#isForgotten) this.#peer?.reset();
      return;
    }
    if (byteCount > 0) this.#tap?.onArrival(this, byteCount);
    this.#postRead();
  }

  onDrained(): void {
    if (this.#isClosed) return;
    if (this.#isEnding) {
      this.#close(null);
      return;
    }
    this.host.post(() => {
      if (!this.#isClosed) this.#handler?.onDrain();
    });
  }

  #postRead(): void {
    if (this.#isReadPosted || this.#isPaused || this.#isClosed || this.#handler === null) return;
    const incoming = this.#pipe(this.#in);
    if (incoming.receivedBytes === 0 && !incoming.isAtEnd && this.#error === null) return;
    this.#isReadPosted = true;
    this.host.post(() => {
      this.#isReadPosted = false;
      this.#read();
    });
  }

  #read(): void {
    if (this.#isClosed || this.#handler === null) return;
    const incoming = this.#pipe(this.#in);
    const length = incoming.readableBytes;
    if (length > 0) {
      const lent = this.#wire.lend(length);
      incoming.read(lent);
      this.#tap?.onRead(this);
      this.#handler.onData(lent, 0, length);
      // lent for the call: whoever kept a view of it reads this from now on
      lent.fill(0xdb, 0, length);
      this.#postRead();
    } else if (incoming.isAtEnd || this.#error !== null) {
      this.#pipe(this.#out).end();
      this.#close(this.#error);
    }
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tap?.onGone(this);
    // whoever closes a socket while accepting it has not said yet who is to be told
    this.host.post(() => {
      this.#handler?.onClose(error);
    });
  }

  #pipe(pipe: Pipe | null): Pipe {
    assert(pipe !== null, 'a socket is joined before it is used');
    return pipe;
  }
}

/** What all connections share: the bytes under way, and the buffer that reads are handed over in. */
class Wire {
  readonly blocks = new Blocks();
  #lent = new Uint8Array(0);

  lend(byteCount: number): Uint8Array {
    if (this.#lent.length < byteCount) {
      this.#lent = new Uint8Array(Math.max(byteCount, LENT_BYTES)).fill(0xdb);
    }
    return this.#lent;
  }
}

const LENT_BYTES = 64 * 1024;

export interface Address {
  readonly host: string;
  readonly port: number;
}

interface Listening {
  readonly host: Host;
  readonly accept: (socket: Socket) => SocketHandler;
  readonly tap: Tap | null;
}

/** What becomes of an attempt to connect. */
export type Reception = 'answered' | 'refused' | 'ignored';

export interface Link {
  readonly near: SimSocket;
  readonly far: SimSocket;
  readonly toFar: Pipe;
  readonly toNear: Pipe;
}

export class SimNetwork {
  readonly #timeline: Timeline;
  readonly #random: SeededRandom;
  readonly #listening = new Map<string, Listening>();
  readonly #links = new Set<Link>();
  readonly #wire = new Wire();
  #nextId = 1;
  #nextPort = 40_000;
  /** Decides about attempts to connect from an address. */
  reception: (from: string, to: Address) => Reception = () => 'answered';
  /** The quality of the next connection from an address. */
  quality: (from: string, to: Address) => LinkQuality;

  constructor(
    timeline: Timeline,
    random: SeededRandom,
    quality: (from: string, to: Address) => LinkQuality,
  ) {
    this.#timeline = timeline;
    this.#random = random;
    this.quality = quality;
  }

  /** The port for one host, whose address is `at`. */
  portOf(host: Host, at: string, tap: Tap | null): Network {
    return {
      listen: (options, accept) => this.#listen(host, at, options, accept, tap),
      connect: (options, accept) => this.#connect(host, at, options, accept),
    };
  }

  /** A process hears of what became of it in a turn of its own. */
  #connect(
    host: Host,
    at: string,
    options: Parameters<Network['connect']>[0],
    accept: (socket: Socket) => SocketHandler,
  ): Promise<Socket> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const fail = (reason: string): void => {
        if (isOver) return;
        isOver = true;
        host.post(() => {
          reject(new Error(`${reason} ${options.host}:${options.port}: simulated`));
        });
      };
      const timeout = this.#timeline.after(options.timeoutMs, () => {
        fail('ETIMEDOUT');
      });
      this.dial(host, at, options, {
        onOpen: (socket) => {
          if (isOver) {
            socket.destroy();
            return;
          }
          isOver = true;
          timeout.cancel();
          host.post(() => {
            socket.serve(accept(socket));
            resolve(socket);
          });
        },
        onRefused: () => {
          timeout.cancel();
          fail('ECONNREFUSED');
        },
      });
    });
  }

  /** Opens a connection; one of the two is called, or neither when nobody answers. */
  dial(
    host: Host,
    from: string,
    to: Address,
    told: { onOpen(socket: SimSocket): void; onRefused(): void },
  ): void {
    const quality = this.quality(from, to);
    const tripMs = quality.latencyMs + quality.jitterMs * this.#random.fraction();
    this.#timeline.after(tripMs, () => {
      const reception = this.reception(from, to);
      // who asked may be gone by now
      if (reception === 'ignored' || host.isDead) return;
      const key = keyOf(to.host, to.port);
      const listening = this.#listening.get(key);
      if (reception === 'refused' || listening === undefined) {
        this.#timeline.after(tripMs, () => {
          told.onRefused();
        });
        return;
      }
      const link = this.#join(host, from, listening, to, quality);
      listening.host.post(() => {
        // its kernel took the connection long before; the process hears of it now, if it still cares
        if (this.#listening.get(key) !== listening) this.reset(link);
        else if (!link.far.isClosed) link.far.serve(listening.accept(link.far));
      });
      this.#timeline.after(tripMs, () => {
        told.onOpen(link.near);
      });
    });
  }

  /** Connections that exist, the oldest first. */
  links(): Iterable<Link> {
    this.#sweep();
    return this.#links;
  }

  /** The process is gone and its kernel is not: peers hear of it. */
  closeHost(host: Host): void {
    this.#unlisten(host);
    for (const link of this.#linksOf(host)) {
      (link.near.host === host ? link.near : link.far).die();
    }
  }

  /** The machine is gone: peers hear nothing at all any more. */
  vanishHost(host: Host): void {
    this.#unlisten(host);
    for (const link of this.#linksOf(host)) {
      (link.near.host === host ? link.near : link.far).vanish();
    }
  }

  /** Sockets that a host was given and has not closed. */
  openSocketsOf(host: Host): SimSocket[] {
    return this.#linksOf(host)
      .map((link) => (link.near.host === host ? link.near : link.far))
      .filter((socket) => socket.isServed && !socket.isClosed);
  }

  reset(link: Link): void {
    link.near.reset();
    link.far.reset();
  }

  #linksOf(host: Host): Link[] {
    this.#sweep();
    return [...this.#links].filter((link) => link.near.host === host || link.far.host === host);
  }

  #sweep(): void {
    for (const link of this.#links) {
      if (link.near.isClosed && link.far.isClosed) this.#links.delete(link);
    }
  }

  #unlisten(host: Host): void {
    for (const [key, listening] of this.#listening) {
      if (listening.host === host) this.#listening.delete(key);
    }
  }

  async #listen(
    host: Host,
    at: string,
    options: ListenOptions,
    accept: (socket: Socket) => SocketHandler,
    tap: Tap | null,
  ): Promise<Listener> {
    const port = options.port === 0 ? this.#nextPort++ : options.port;
    const key = keyOf(at, port);
    await Promise.resolve();
    if (host.isDead) return await new Promise<never>(() => undefined);
    if (this.#listening.has(key)) throw new Error(`EADDRINUSE ${key}: simulated`);
    const listening: Listening = { host, accept, tap };
    this.#listening.set(key, listening);
    return {
      host: at,
      port,
      close: () => {
        if (this.#listening.get(key) === listening) this.#listening.delete(key);
        return Promise.resolve();
      },
    };
  }

  #join(host: Host, from: string, listening: Listening, to: Address, quality: LinkQuality): Link {
    const id = this.#nextId++;
    const here = { host: from, port: this.#nextPort++ };
    const near = new SimSocket(id, host, here, to, this.#wire, null);
    const far = new SimSocket(id, listening.host, to, here, this.#wire, listening.tap);
    const ends = (arrival: SimSocket, drained: SimSocket): PipeEnds => ({
      onArrival: (byteCount) => {
        arrival.onArrival(byteCount);
      },
      onDrained: () => {
        drained.onDrained();
      },
    });
    const pipe = (to: ReturnType<typeof ends>): Pipe =>
      new Pipe(this.#timeline, this.#random, quality, this.#wire.blocks, to);
    const toFar = pipe(ends(far, near));
    const toNear = pipe(ends(near, far));
    near.join(far, toNear, toFar);
    far.join(near, toFar, toNear);
    const link = { near, far, toFar, toNear };
    this.#links.add(link);
    if (this.#links.size % 64 === 0) this.#sweep();
    return link;
  }
}

function keyOf(host: string, port: number): string {
  return `${host}:${port}`;
}
