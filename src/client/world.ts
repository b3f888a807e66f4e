/**
 * What the client asks of the world it runs in. In production that is Node; in the simulator it is
 * virtual time and a network that fails by seed. Nothing else of the client knows the difference.
 */
import type { Clock } from '../ports/clock.js';
import type { Crypto } from '../ports/crypto.js';
import type { Socket, SocketHandler } from '../ports/network.js';

export interface HostNames {
  /** Rejects when there are none now. */
  addresses(host: string): Promise<readonly string[]>;
  /** The targets of a DNS SRV record, the best first. */
  srv(name: string): Promise<readonly { readonly host: string; readonly port: number }[]>;
}

/** Every `Network` is one; `serverName` is for those that check certificates. */
export interface ClientNetwork {
  connect(
    options: {
      readonly host: string;
      readonly port: number;
      readonly timeoutMs: number;
      readonly serverName: string;
    },
    accept: (socket: Socket) => SocketHandler,
  ): Promise<Socket>;
}

export interface ClientWorld {
  readonly clock: Clock;
  readonly network: ClientNetwork;
  readonly names: HostNames;
  readonly crypto: Crypto;
  /** In [0, 1). */
  random(): number;
}
