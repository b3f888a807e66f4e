/**
 * The load at which the simulator's speed is told: ten clients with 20 writes and 200 reads a second
 * between them, all settings as they are by default, a good network and a good disk. A speed says
 * nothing without what was simulated, and what a seed draws is now one silent client, now six.
 */
import { configOf, type ServerConfig } from '../server/config/config.js';
import type { ClientTraits } from './client.js';
import { goodLink, noFaults, serverAddress, type Parameters } from './parameters.js';
import { restingWeights } from './workload.js';

export const statedClients = 10;
/** Of each client, a second. */
const WRITES_PER_S = 2;
const READS_PER_S = 20;
/** What an answer takes, in the mean: so much later a client is free to ask again. */
const ANSWER_MS = 1;
const SAFETY_MS = 60_000;

/** A good disk of our days. */
export const statedDisk = { flushMs: 1, callMs: 0.5, spikeChance: 0, spikeMs: 0, errorChance: 0 };
export const statedPace = { wakeMs: 0.02, spendMs: 0 };

/** For one server: the load, and nothing goes wrong. */
export function statedLoad(drawn: Parameters): Parameters {
  return {
    ...underStatedLoad(drawn),
    config: statedConfig(serverAddress.host),
    baseZxid: 0n,
    pace: statedPace,
    link: goodLink,
    disk: statedDisk,
    faults: noFaults,
    relapse: 0,
    probeMs: Infinity,
    walkStep: 0,
    leaverCount: 0,
  };
}

/** What the seed has drawn, its faults too, with the load's clients. */
export function underStatedLoad<Drawn extends { readonly clients: readonly ClientTraits[] }>(
  drawn: Drawn,
): Drawn {
  const clients = Array.from({ length: statedClients }, () => client);
  return { ...drawn, clients, safetyMs: SAFETY_MS };
}

export function statedConfig(address: string): ServerConfig {
  return configOf({
    dataDir: '/data',
    dataLogDir: '/data',
    clientPort: serverAddress.port,
    clientPortAddress: address,
  });
}

const client: ClientTraits = {
  thinkMs: 1000 / (WRITES_PER_S + READS_PER_S) - ANSWER_MS,
  depth: 1,
  timeoutMs: 10_000,
  reconnectMs: 200,
  authChance: 0,
  mischief: { hangUp: 0, silence: 0, close: 0, deaf: 0, twice: 0, lie: 0, mangle: 0 },
  workload: {
    weights: {
      ...restingWeights,
      create: 0.4 * WRITES_PER_S,
      delete: 0.1 * WRITES_PER_S,
      setData: 0.5 * WRITES_PER_S,
      getData: 0.6 * READS_PER_S,
      exists: 0.2 * READS_PER_S,
      getChildren: 0.2 * READS_PER_S,
    },
    watchChance: 0.05,
    bigDataChance: 0,
    bigDataBytes: 0,
    ttl: false,
    ttlMs: 1000,
    aclChance: 0,
    pathCount: 10,
  },
};
