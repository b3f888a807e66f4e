/** What a pool of servers can be told, and what holds where it is not. */
import type { AutoPolicyOptions } from '../../balance/auto-policy.js';
import type { OutlierOptions } from '../../balance/outlier-detection.js';
import { policyNames, type PolicyName } from '../../balance/policies.js';
import type { SlowStartOptions } from '../../balance/slow-start.js';
import type { SubsetName, SubsetOptions } from '../../balance/subset.js';
import type { BackendSet, PooledBackend } from './backend.js';
import type { HealthOptions } from './health.js';
import type { HealthWatchOptions } from './health-watch.js';
import type { KnownAddresses } from './known-addresses.js';
import type { MoveReason } from '../keeping/keeping-types.js';
import type { Registry } from './registry.js';
import type { RolePreference } from './roles.js';

/** Sessions have no keys, so consistent hashing has nothing to go by. */
export const balancerPolicyNames = [
  ...policyNames.filter((name) => name !== 'consistent-hash'),
  'auto',
] as const;

export type BalancerPolicyName = Exclude<PolicyName, 'consistent-hash'> | 'auto';

/** Beyond these a server gets nothing new, however well it is. */
export interface CircuitLimits {
  readonly sessionsMax: number;
  /** Attaches that have not been answered. */
  readonly attachesMax: number;
}

export interface BackendPoolOptions {
  /** 'auto' unless given. */
  readonly policy?: BalancerPolicyName;
  readonly autoPolicy?: Partial<AutoPolicyOptions>;
  /** 'all' unless given. */
  readonly subset?: SubsetName;
  readonly subsetOptions?: Partial<SubsetOptions>;
  /** Unless given: `ensemble` as soon as the registry knows of two balancers, else `local`. */
  readonly scope?: 'local' | 'ensemble';
  /** None unless given: this balancer knows of no others. */
  readonly registry?: Registry;
  /** What others call this balancer. */
  readonly name?: string;
  /** 'spare-leader' unless given. */
  readonly roles?: RolePreference;
  /**
   * Clients go on to farther servers when near ones have so many times what they would have if all
   * sessions were spread over all servers; 1.5 unless given.
   */
  readonly spillFactor?: number;
  /** But so many sessions each server takes from near, whatever the others have; 100 unless given. */
  readonly spillFloor?: number;
  /** Fewer fit servers than this, and all that serve are used; 50 unless given, 0: never. */
  readonly panicThresholdPercent?: number;
  /** Who returns starts slowly, within 10 s unless given. False: at once. */
  readonly slowStart?: (Partial<SlowStartOptions> & Pick<SlowStartOptions, 'windowMs'>) | false;
  /** False: attaches that fail eject nobody. */
  readonly outliers?: Partial<OutlierOptions> | false;
  readonly circuit?: Partial<CircuitLimits>;
  /** The servers are told the clients' addresses, so their limits for one address are not for ours. */
  readonly isTransparent?: boolean;
  /** 'load': less for servers that say that they have more to do than the others. 'static' unless given. */
  readonly weights?: 'static' | 'load';
  readonly health?: Partial<HealthOptions & HealthWatchOptions & { readonly timeoutMs: number }>;
  /** Requests of this balancer that the server has not answered; as the server says unless given. */
  readonly outstandingOf?: (backend: PooledBackend) => number;
  /** Of servers that are given by name; the pool says which are wanted, and ends it. Else the network knows. */
  readonly addresses?: KnownAddresses;
  readonly hooks?: BackendPoolHooks;
}

export type VacateReason = Extract<MoveReason, 'drain' | 'sleep' | 'failure'>;

/** None of them is called from inside `choose` or any call of the data path. */
export interface BackendPoolHooks {
  /** All sessions there are to go elsewhere. Comes again and again, until they have gone. */
  onVacate?(backend: PooledBackend, reason: VacateReason): void;
  onSet?(backend: PooledBackend, set: BackendSet, before: BackendSet, reason: string): void;
  /** `auto` has decided. */
  onDecision?(of: 'policy' | 'subset', choice: string, reason: string): void;
}

export const circuitDefaults: CircuitLimits = { sessionsMax: 100_000, attachesMax: 500 };
export const spillDefaults = { factor: 1.5, floor: 100 };
export const HEALTH_TIMEOUT_MS = 1_000;
export const PANIC_THRESHOLD_PERCENT = 50;
export const SLOW_START_MS = 10_000;
