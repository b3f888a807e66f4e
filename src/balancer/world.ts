/**
 * What the balancer needs of the world: time, sockets, dice, and somebody to tell. Towards clients the
 * sockets come from whoever listens (plain or encrypted, `SessionKeeper.accept` takes either);
 * `network` is how servers are reached.
 */
import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { Network } from '../ports/network.js';

export interface BalancerWorld {
  readonly clock: Clock;
  readonly network: Network;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}
