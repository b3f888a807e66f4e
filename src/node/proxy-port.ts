/**
 * Ports behind proxies: a connection that begins with a header of the PROXY protocol is from then on a
 * connection from the address that the header names, and nobody further up knows that there is a proxy
 * in between. A header is believed by the sender's address alone, so it is read from those who are
 * trusted and from nobody else: to all others its bytes are bytes, which no server takes.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { Listener, Network, Socket, SocketHandler } from '../ports/network.js';
import { addressMatches } from '../protocol/ip-address.js';
import { readProxyHeader, type ProxiedConnection } from '../protocol/proxy-protocol.js';

export interface ProxyPortOptions {
  /** Addresses, or addresses with a number of bits: whose headers are believed. */
  readonly trustedSenders: readonly string[];
  /** Trusted senders must begin with one. Else one that does not speaks for itself. */
  readonly isRequired: boolean;
  /** For the header, or for whatever comes instead of it. */
  readonly timeoutMs: number;
}

type Accept = (socket: Socket) => SocketHandler;

interface Surroundings {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `network`, but who connects to it may be behind proxies. */
export function proxiedNetwork(
  network: Network,
  options: ProxyPortOptions,
  surroundings: Surroundings,
): Network {
  const isTrusted = (address: string): boolean =>
    options.trustedSenders.some((expression) => addressMatches(address, expression));
  return {
    listen: (at, accept): Promise<Listener> =>
      network.listen(at, (socket) =>
        isTrusted(socket.remoteAddress)
          ? new HeaderGate(socket, accept, options, surroundings)
          : accept(socket),
      ),
    connect: (at, accept) => network.connect(at, accept),
  };
}

/** Holds a connection until its first bytes have said from whom it is. */
class HeaderGate implements SocketHandler {
  readonly #socket: Socket;
  readonly #accept: Accept;
  readonly #options: ProxyPortOptions;
  readonly #logger: Logger;
  readonly #timer: Timer;
  #first: Uint8Array | null = null;
  #handler: SocketHandler | null = null;
  #isRefused = false;

  constructor(
    socket: Socket,
    accept: Accept,
    options: ProxyPortOptions,
    { clock, logger }: Surroundings,
  ) {
    this.#socket = socket;
    this.#accept = accept;
    this.#options = options;
    this.#logger = logger;
    this.#timer = clock.after(options.timeoutMs, () => socket.destroy());
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#handler !== null) this.#handler.onData(bytes, start, end);
    else if (!this.#isRefused) this.#onFirst(bytes, start, end);
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  onClose(error: Error | null): void {
    this.#timer.cancel();
    this.#handler?.onClose(error);
  }

  #onFirst(bytes: Uint8Array, start: number, end: number): void {
    const held = this.#first;
    if (held === null) this.#look(bytes, start, end);
    else {
      const both = new Uint8Array(held.length + end - start);
      both.set(held);
      both.set(bytes.subarray(start, end), held.length);
      this.#look(both, 0, both.length);
    }
  }

  #look(bytes: Uint8Array, start: number, end: number): void {
    const reading = readProxyHeader(bytes, start, end);
    switch (reading.kind) {
      case 'incomplete':
        this.#first = bytes.slice(start, end);
        return;
      case 'malformed':
        this.#refuse(reading.reason);
        return;
      case 'absent':
        if (this.#options.isRequired) this.#refuse('there is none');
        else this.#open(null, bytes, start, end);
        return;
      case 'header':
        this.#open(reading.connection, bytes, start + reading.bytesLength, end);
    }
  }

  #open(connection: ProxiedConnection | null, bytes: Uint8Array, start: number, end: number): void {
    this.#timer.cancel();
    this.#first = null;
    const socket = connection === null ? this.#socket : new ProxiedSocket(this.#socket, connection);
    this.#handler = this.#accept(socket);
    if (start < end) this.#handler.onData(bytes, start, end);
  }

  #refuse(reason: string): void {
    this.#isRefused = true;
    this.#logger.warn('closing a connection: its PROXY header cannot be used', {
      sender: this.#socket.remoteAddress,
      reason,
    });
    this.#socket.destroy();
  }
}

/** The same connection with the client's address. */
class ProxiedSocket implements Socket {
  readonly #socket: Socket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls?: { readonly subject: string | null };

  constructor(socket: Socket, connection: ProxiedConnection) {
    this.#socket = socket;
    this.remoteAddress = connection.sourceAddress;
    this.remotePort = connection.sourcePort;
    this.localAddress = connection.destinationAddress;
    this.localPort = connection.destinationPort;
    if (socket.tls !== undefined) this.tls = socket.tls;
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#socket.write(bytes, start, end);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
