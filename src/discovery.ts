/** `zabra/discovery`: register a service; pick, balance and fail over between its instances. */
export type { PeerPosition } from './balance/aperture.js';
export { policyNames, type PolicyName, type PolicyOptions } from './balance/policies.js';
export type { Outcome, PoolStatus, TargetStatus } from './balance/target-pool.js';
export type { AttemptContext, SendFunction } from './discovery/attempts.js';
export { AttemptTimeoutError, FanOutError, NoInstanceError } from './discovery/errors.js';
export type { BalancedRequestInit, FetchFunction } from './discovery/fetch.js';
export {
  authorityOf,
  type Health,
  type InstanceSpec,
  type ServiceInstance,
} from './discovery/instance.js';
export type { Layout } from './discovery/layout.js';
export { CuratorLayout } from './discovery/layouts/curator.js';
export { DubboLayout } from './discovery/layouts/dubbo.js';
export { ServerSetLayout, type ServerSetOptions } from './discovery/layouts/server-set.js';
export {
  LoadBalancer,
  type Answer,
  type FanOutOptions,
  type LoadBalancerStatus,
  type Picked,
} from './discovery/load-balancer.js';
export type {
  HedgeOptions,
  LoadBalancerEvents,
  LoadBalancerOptions,
  RequestOptions,
} from './discovery/load-balancer-options.js';
export type { RegistrationOptions } from './discovery/registered-node.js';
export type { InstanceChange, Registration } from './discovery/registration.js';
export type {
  InstanceStore,
  Registry,
  RegistryListener,
  Subscription,
} from './discovery/registry.js';
export type { StaticInstance, StaticRegistryOptions } from './discovery/static-registry.js';
export { judgeByCode, type Judge, type Judged, type Verdict } from './discovery/verdict.js';
export { ZkRegistry, type ZkRegistryOptions } from './discovery/zk-registry.js';
export { StaticRegistry } from './node/discovery-static.js';
export { FileInstanceStore } from './node/discovery-store.js';
export {
  balance as undiciBalance,
  type UndiciBalanceOptions,
  type UndiciDispatch,
  type UndiciHandler,
  type UndiciOptions,
} from './node/discovery-undici.js';
