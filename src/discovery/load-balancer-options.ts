/** What a load balancer can be told, and what holds where it is not. */
import type { LoadBandOptions } from '../balance/load-band.js';
import type { EjectionReason, OutlierOptions } from '../balance/outlier-detection.js';
import type { PolicyName, PolicyOptions } from '../balance/policies.js';
import type { RetryBudgetOptions } from '../balance/retry-budget.js';
import type { SlowStartOptions } from '../balance/slow-start.js';
import type { ServiceInstance } from './instance.js';
import type { InstanceStore, Registry } from './registry.js';
import type { Judge } from './verdict.js';

export interface LoadBalancerOptions {
  readonly registry: Registry;
  readonly service: string;
  /** 'p2c-ewma' unless given. */
  readonly policy?: PolicyName;
  readonly policyOptions?: PolicyOptions;
  /** 'all' unless given. A deterministic subset is this process's part of the instances. */
  readonly subset?: 'all' | 'deterministic' | Partial<LoadBandOptions>;
  /** False: nobody is ejected. */
  readonly outliers?: Partial<OutlierOptions> | false;
  /** Fewer than this healthy, and all are used. 50 unless given; 0: never. */
  readonly panicThresholdPercent?: number;
  /** Newcomers start slowly within this window; not unless given. */
  readonly slowStart?: Partial<SlowStartOptions> & Pick<SlowStartOptions, 'windowMs'>;
  /** Of one request, the first included; 3 unless given. */
  readonly attemptsMax?: number;
  /** For one attempt; none unless given. */
  readonly attemptTimeoutMs?: number;
  readonly retryBudget?: Partial<RetryBudgetOptions>;
  readonly hedge?: Partial<HedgeOptions>;
  /** What errors mean; unless given, each is the instance's fault. */
  readonly judge?: Judge;
  /** Which of the instances to use at all. */
  readonly filter?: (instance: ServiceInstance) => boolean;
  /** Where the last good list is kept across restarts of this process. */
  readonly store?: InstanceStore;
  /** How long the first list is waited for before the stored one serves; 3 seconds unless given. */
  readonly registryWaitMs?: number;
  /** Unless given, a list that becomes empty is not believed: the last members stay. */
  readonly emptyList?: 'keep' | 'accept';
}

export interface HedgeOptions {
  /** Hedged after so much of the latencies of late: 0.95. */
  readonly quantile: number;
  /** Never sooner. */
  readonly delayMinMs: number;
  /** While too little was measured. */
  readonly delayMs: number;
  /** Hedges per request, at most. */
  readonly ratio: number;
}

export const hedgeDefaults: HedgeOptions = {
  quantile: 0.95,
  delayMinMs: 1,
  delayMs: 100,
  ratio: 0.1,
};

export interface RequestOptions {
  /** Requests of one key go to one instance, where the policy is consistent-hash. */
  readonly key?: string;
  readonly signal?: AbortSignal;
  readonly attemptsMax?: number;
  readonly attemptTimeoutMs?: number;
  /**
   * False: it may not be carried out twice, so it is only sent again where it was surely not sent. True
   * unless given.
   */
  readonly isRepeatable?: boolean;
  readonly judge?: Judge;
}

export interface LoadBalancerEvents {
  /** Those that requests may go to from now on. */
  instances: [instances: readonly ServiceInstance[]];
  /** With null: it is back. */
  ejection: [event: { readonly id: string; readonly reason: EjectionReason | null }];
  registry: [event: { readonly isReachable: boolean }];
  warning: [text: string];
}
