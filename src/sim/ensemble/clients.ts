/** The clients of an ensemble: each comes to another server at each look. */
import type { SeededRandom } from '../../base/random.js';
import { SimClient, type ClientWorld } from '../client.js';
import { addressOf } from '../faults.js';
import { clientPort, hostOf, type EnsembleParameters } from './parameters.js';

export function makeClients(
  { configs, clients }: EnsembleParameters,
  fork: () => SeededRandom,
  shared: Omit<ClientWorld, 'server'>,
): SimClient[] {
  return clients.map((traits, i) => {
    const random = fork();
    const world = {
      ...shared,
      get server() {
        return { host: hostOf(random.between(1, configs.length)), port: clientPort };
      },
    };
    return new SimClient(`c${i + 1}`, addressOf(i), world, fork(), traits);
  });
}
