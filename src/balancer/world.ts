/**
 * What the balancer needs of the world: time, sockets, dice, and somebody to tell. Towards clients the
 * sockets come from whoever listens (plain or encrypted, `SessionKeeper.accept` takes either);
 * `network` is how servers are reached.
 */
import type { Clock } from '../ports/clock.js';
import type { HostNames } from '../ports/host-names.js';
import type { Logger } from '../ports/logger.js';
import type { Network, Socket, SocketHandler } from '../ports/network.js';

export interface ServerPlace {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Whom a certificate must name, where there are certificates; the host unless given. */
  readonly serverName?: string;
}

/** How servers are reached. Every `Network` is one. */
export interface ServerNetwork extends Network {
  connect(to: ServerPlace, accept: (socket: Socket) => SocketHandler): Promise<Socket>;
}

export interface BalancerWorld {
  readonly clock: Clock;
  readonly network: ServerNetwork;
  /** Not given: the network knows names by itself. */
  readonly names?: HostNames;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}
