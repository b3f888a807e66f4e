/** The policies by their names, as options and command lines give them. */
import { ConsistentHash, type ConsistentHashOptions } from './policies/consistent-hash.js';
import { LeastConnections } from './policies/least-connections.js';
import { P2cEwma } from './policies/p2c-ewma.js';
import { RandomPolicy } from './policies/random.js';
import { RoundRobin } from './policies/round-robin.js';
import { WeightedRoundRobin } from './policies/weighted-round-robin.js';
import type { Policy } from './policy.js';

export const policyNames = [
  'random',
  'round-robin',
  'weighted-round-robin',
  'least-connections',
  'p2c-ewma',
  'consistent-hash',
] as const;

export type PolicyName = (typeof policyNames)[number];

export interface PolicyOptions {
  readonly consistentHash?: Partial<ConsistentHashOptions>;
}

export function createPolicy(name: PolicyName, options: PolicyOptions = {}): Policy {
  switch (name) {
    case 'random':
      return new RandomPolicy();
    case 'round-robin':
      return new RoundRobin();
    case 'weighted-round-robin':
      return new WeightedRoundRobin();
    case 'least-connections':
      return new LeastConnections();
    case 'p2c-ewma':
      return new P2cEwma();
    case 'consistent-hash':
      return new ConsistentHash(options.consistentHash);
  }
}
