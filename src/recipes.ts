/** `zabra/recipes`: what distributed programs need most, each with its promises written down. */
export { Barrier } from './recipes/barrier.js';
export {
  ConfigStore,
  type ConfigShelf,
  type ConfigStoreEvents,
  type ConfigStoreOptions,
  type PublishOptions,
} from './recipes/config-store.js';
export {
  ConfigConflictError,
  ConfigRefusedError,
  type ConfigSchema,
  type ConfigVersion,
  type SchemaIssue,
  type SchemaResult,
  type StoredVersion,
} from './recipes/config-version.js';
export type { Layout } from './recipes/contender-names.js';
export {
  Counter,
  type CounterChange,
  type CounterFormat,
  type CounterOptions,
} from './recipes/counter.js';
export { DelayQueue, type DelayedItem, type Due } from './recipes/delay-queue.js';
export { DoubleBarrier, type DoubleBarrierOptions } from './recipes/double-barrier.js';
export type { Delivery, EntryQueueOptions, QueueItem } from './recipes/entry-queue.js';
export { LayoutError, NotHeldError, WaitTimeoutError, type LossReason } from './recipes/errors.js';
export {
  GroupMembership,
  type GroupLayout,
  type GroupMember,
  type GroupMembershipOptions,
} from './recipes/group-membership.js';
export { LeaderElection, type LeaderElectionOptions } from './recipes/leader-election.js';
export {
  LeaderLatch,
  type LeaderLatchEvents,
  type LeaderLatchOptions,
  type Participant,
} from './recipes/leader-latch.js';
export { Lease, LeaseTerm, type LeaseOptions } from './recipes/lease.js';
export { Lock, type AcquireOptions, type LockOptions } from './recipes/lock.js';
export { LockingQueue, type LockingQueueOptions } from './recipes/locking-queue.js';
export { MultiHold, MultiLock } from './recipes/multi-lock.js';
export { NodeCache, type CachedNode, type NodeCacheEvents } from './recipes/node-cache.js';
export type { WaitOptions } from './recipes/patience.js';
export {
  PersistentNode,
  type PersistentNodeEvents,
  type PersistentNodeOptions,
} from './recipes/persistent-node.js';
export { PriorityQueue, type PriorityItem } from './recipes/priority-queue.js';
export { QueueClaim } from './recipes/queue-claim.js';
export { Queue, type PutOptions, type QueueLayout, type QueueOptions } from './recipes/queue.js';
export {
  ReadWriteLock,
  UpgradeError,
  type LockSide,
  type ReadWriteLockOptions,
  type ShareAcquireOptions,
} from './recipes/read-write-lock.js';
export { Semaphore, type SemaphoreOptions } from './recipes/semaphore.js';
export {
  divideInTurn,
  SetPartitioner,
  Share,
  type Divide,
  type SetPartitionerOptions,
} from './recipes/set-partitioner.js';
export type { ErrorPolicy, Hold } from './recipes/tenure.js';
export {
  SharedValue,
  type SharedValueOptions,
  type VersionedValue,
} from './recipes/shared-value.js';
export { TreeCache, type TreeCacheEvents, type TreeCacheOptions } from './recipes/tree-cache.js';
export { TtlNode, type TtlNodeOptions } from './recipes/ttl-node.js';
