/**
 * A name server of a test, which knows what it is told: SRV records of services, and addresses of
 * hosts. It can also fall silent, as name servers do.
 */
import { createSocket, type Socket } from 'node:dgram';

const TYPE_A = 1;
const TYPE_SRV = 33;
const HEADER_BYTES = 12;
const ANSWERED = 0x8580;
const NO_SUCH_NAME = 0x8583;

export interface Service {
  readonly host: string;
  readonly port: number;
}

export class NameServer {
  readonly #socket: Socket;
  /** By the names of services, their places. */
  readonly services = new Map<string, readonly Service[]>();
  /** By the names of hosts, their IPv4 addresses. */
  readonly hosts = new Map<string, readonly string[]>();
  isSilent = false;

  /** On a free port of this machine. */
  static async start(): Promise<NameServer> {
    const server = new NameServer(createSocket('udp4'));
    await new Promise<void>((resolve) => server.#socket.bind(0, '127.0.0.1', resolve));
    return server;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (query, { port, address }) => {
      if (!this.isSilent) socket.send(this.#answer(query), port, address);
    });
  }

  /** host:port */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): void {
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer {
    const { name, end } = nameIn(query);
    const type = query.readUInt16BE(end);
    const records =
      type === TYPE_SRV ? this.#srv(name) : type === TYPE_A ? this.#addresses(name) : [];
    const isKnown = this.services.has(name) || this.hosts.has(name);
    const head = Buffer.from(query.subarray(0, HEADER_BYTES));
    head.writeUInt16BE(isKnown ? ANSWERED : NO_SUCH_NAME, 2);
    head.writeUInt16BE(records.length, 6);
    head.fill(0, 8, HEADER_BYTES);
    const answers = records.map((data) => {
      // the name of the question, class IN, one second to live
      const fixed = Buffer.from([0xc0, HEADER_BYTES, 0, type, 0, 1, 0, 0, 0, 1, 0, data.length]);
      return Buffer.concat([fixed, data]);
    });
    return Buffer.concat([head, query.subarray(HEADER_BYTES, end + 4), ...answers]);
  }

  #srv(name: string): Buffer[] {
    return (this.services.get(name) ?? []).map(({ host, port }) => {
      const numbers = Buffer.alloc(6);
      numbers.writeUInt16BE(port, 4);
      return Buffer.concat([numbers, labelsOf(host)]);
    });
  }

  #addresses(name: string): Buffer[] {
    return (this.hosts.get(name) ?? []).map((address) =>
      Buffer.from(address.split('.').map(Number)),
    );
  }
}

function nameIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length !== 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function labelsOf(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
