/**
 * A door between a client and a server: connections go through it, are cut at the test's word, and
 * find nobody while it is shut. A liar sees what the server sends before the client does.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What the client gets in place of these bytes; null: the connection is cut. */
export type Liar = (bytes: Buffer) => Buffer | null;

/** What of the client's bytes goes on, and what it is told before the door is shut on it. */
export type Doorman = (bytes: Buffer) => {
  readonly pass: Buffer;
  readonly farewell: Buffer | null;
};

const DRIP_MS = 100;
/** Until the answers to what went on before have come. */
const FAREWELL_MS = 20;

export class Gate {
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  #isShut = false;
  readonly #drips = new Set<NodeJS.Timeout>();
  /** One for each connection that comes from now on. */
  liarOf: (() => Liar) | null = null;
  doormanOf: (() => Doorman) | null = null;
  /** How many connections came, also those that were turned away. */
  arrivals = 0;

  static async before(port: number): Promise<Gate> {
    const gate = new Gate(port);
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    return gate;
  }

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => {
      this.#accept(client);
    });
  }

  get connectString(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection; new ones are let through. */
  cut(): void {
    for (const timer of this.#drips) clearInterval(timer);
    this.#drips.clear();
    this.#clients.clear();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** To every client, a byte at a time. */
  drip(bytes: Buffer): void {
    let at = 0;
    const timer = setInterval(() => {
      for (const client of this.#clients) client.write(bytes.subarray(at, at + 1));
      if (++at < bytes.length) return;
      clearInterval(timer);
      this.#drips.delete(timer);
    }, DRIP_MS);
    this.#drips.add(timer);
  }

  shut(): void {
    this.#isShut = true;
    this.cut();
  }

  open(): void {
    this.#isShut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    this.arrivals++;
    if (this.#isShut) {
      client.destroy();
      return;
    }
    const server = connect(this.#target, '127.0.0.1');
    const liar = this.liarOf?.() ?? null;
    this.#clients.add(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.setNoDelay();
      one.on('error', () => {
        // the other side is told by the close that follows
      });
      one.on('close', () => {
        this.#sockets.delete(one);
        this.#clients.delete(one);
        other.destroy();
      });
    }
    const doorman = this.doormanOf?.() ?? null;
    let isLeaving = false;
    client.on('data', (bytes) => {
      if (isLeaving) return;
      const { pass, farewell } = doorman?.(bytes) ?? { pass: bytes, farewell: null };
      server.write(pass);
      if (farewell === null) return;
      isLeaving = true;
      setTimeout(() => client.end(farewell), FAREWELL_MS);
    });
    server.on('data', (bytes) => {
      const passed = liar === null ? bytes : liar(bytes);
      if (passed === null) client.destroy();
      else client.write(passed);
    });
  }
}

/** What the server sends one frame at a time (without its length); returns what is sent instead. */
export type Lie = (frame: Buffer, index: number) => readonly Buffer[] | 'cut';

/** A liar by frames; each connection's first is the answer to its greeting. */
export function lying(lie: Lie): Liar {
  let rest: Buffer = Buffer.alloc(0);
  let index = 0;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const out: Buffer[] = [];
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      const told = lie(Buffer.from(rest.subarray(4, end)), index++);
      rest = rest.subarray(end);
      if (told === 'cut') return null;
      out.push(...told);
    }
    return Buffer.concat(out);
  };
}

/** Behind its length. */
export function framed(frame: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}
