/** The clients of an ensemble: each comes to another server, or balancer, at each look. */
import type { SeededRandom } from '../../base/random.js';
import { SimClient, type ClientWorld } from '../client.js';
import { addressOf } from '../faults.js';
import type { Address } from '../network.js';
import { clientPort, hostOf, type EnsembleParameters } from './parameters.js';

export function makeClients(
  { configs, clients }: EnsembleParameters,
  fork: () => SeededRandom,
  shared: Omit<ClientWorld, 'server'>,
  front: { address(random: SeededRandom): Address } | null,
): SimClient[] {
  return clients.map((traits, i) => {
    const random = fork();
    const world = {
      ...shared,
      get server() {
        if (front !== null) return front.address(random);
        return { host: hostOf(random.between(1, configs.length)), port: clientPort };
      },
    };
    return new SimClient(`c${i + 1}`, addressOf(i), world, fork(), traits);
  });
}
