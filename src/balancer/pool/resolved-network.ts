/**
 * Reaches servers by the addresses that are known of their names (known-addresses.ts), one after the
 * other where there are several: one name is one server, which may be reached by more than one way.
 */
import type { Clock } from '../../ports/clock.js';
import type { ListenOptions, Listener, Socket, SocketHandler } from '../../ports/network.js';
import type { ServerNetwork, ServerPlace } from '../world.js';
import type { KnownAddresses } from './known-addresses.js';

/** Each address has so long at least, as far as there is time at all. */
const ATTEMPT_MS = 250;

export class ResolvedNetwork implements ServerNetwork {
  readonly #inner: ServerNetwork;
  readonly #known: KnownAddresses;
  readonly #clock: Clock;

  constructor(inner: ServerNetwork, known: KnownAddresses, clock: Clock) {
    this.#inner = inner;
    this.#known = known;
    this.#clock = clock;
  }

  listen(options: ListenOptions, accept: (socket: Socket) => SocketHandler): Promise<Listener> {
    return this.#inner.listen(options, accept);
  }

  async connect(to: ServerPlace, accept: (socket: Socket) => SocketHandler): Promise<Socket> {
    const { host, serverName = host } = to;
    const endMs = this.#clock.monotonicMs() + to.timeoutMs;
    const addresses = this.#known.of(host) ?? (await this.#known.until(host, to.timeoutMs));
    let failure: unknown = new Error(`${host}: there was no time to connect`);
    for (const [index, address] of addresses.entries()) {
      const leftMs = endMs - this.#clock.monotonicMs();
      if (leftMs <= 0) break;
      const part = Math.max(ATTEMPT_MS, leftMs / (addresses.length - index));
      const timeoutMs = Math.min(leftMs, part);
      try {
        const place = { host: address, port: to.port, timeoutMs, serverName };
        const socket = await this.#inner.connect(place, accept);
        this.#known.prefer(host, address);
        return socket;
      } catch (error) {
        // that all have refused is more than that the last has
        if (index === 0 || isRefusal(failure)) failure = error;
      }
    }
    this.#known.doubt(host);
    throw failure;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.message.includes('ECONNREFUSED');
}
