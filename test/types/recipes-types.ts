/**
 * The recipes' types, exactly: compiling this file is the test. What a caller is given has neither more
 * nor less than it says here, and what cannot be right does not compile.
 */
import type { Acl, Data, Stat, Transaction, TransactionResult, ZkClient } from 'zabra/client';
import {
  Barrier,
  ConfigStore,
  Counter,
  DelayQueue,
  DoubleBarrier,
  GroupMembership,
  LeaderElection,
  LeaderLatch,
  Lease,
  Lock,
  LockingQueue,
  MultiLock,
  NodeCache,
  PersistentNode,
  PriorityQueue,
  Queue,
  ReadWriteLock,
  Semaphore,
  SetPartitioner,
  SharedValue,
  TreeCache,
  TtlNode,
  type AcquireOptions,
  type CachedNode,
  type ConfigSchema,
  type ConfigVersion,
  type CounterChange,
  type DelayedItem,
  type Delivery,
  type Due,
  type ErrorPolicy,
  type GroupMember,
  type Hold,
  type Layout,
  type LeaseTerm,
  type LockSide,
  type LossReason,
  type MultiHold,
  type NodeCacheEvents,
  type NotHeldError,
  type Participant,
  type PriorityItem,
  type QueueClaim,
  type QueueItem,
  type Share,
  type StoredVersion,
  type VersionedValue,
  type WaitOptions,
  type WaitTimeoutError,
} from 'zabra/recipes';
import type { Answer, Each, Is, IsSame } from './exact.js';

interface Limits {
  readonly rate: number;
  readonly hosts: readonly string[];
}

type Handle = AsyncDisposable;

/** What is held, whatever it is. */
export type Held = [
  Is<IsSame<Hold['path'], string>>,
  Is<IsSame<Hold['fencingToken'], bigint>>,
  Is<IsSame<Hold['signal'], AbortSignal>>,
  Is<IsSame<Answer<Hold, 'guard'>, readonly TransactionResult[]>>,
  Is<IsSame<Parameters<Hold['guard']>, [fill: (transaction: Transaction) => void]>>,
  Is<IsSame<Answer<Hold, 'release'>, void>>,
  Is<Hold extends Handle ? true : false>,
  Is<IsSame<MultiHold['holds'], readonly Hold[]>>,
  Is<IsSame<MultiHold['fencingToken'], bigint>>,
  Is<IsSame<MultiHold['signal'], AbortSignal>>,
  Is<MultiHold extends Handle ? true : false>,
  Is<IsSame<LeaseTerm['fencingToken'], bigint>>,
  Is<IsSame<LeaseTerm['endMs'], number>>,
  Is<IsSame<Answer<LeaseTerm, 'guard'>, readonly TransactionResult[]>>,
  Is<LeaseTerm extends Handle ? true : false>,
  Is<IsSame<QueueClaim['data'], Buffer>>,
  Is<IsSame<QueueClaim['items'], readonly Buffer[]>>,
  Is<IsSame<QueueClaim['fencingToken'], bigint>>,
  Is<IsSame<Answer<QueueClaim, 'acknowledge'>, void>>,
  Is<QueueClaim extends Handle ? true : false>,
  Is<IsSame<ReturnType<Share['hold']>, Hold | undefined>>,
  Is<IsSame<Share['items'], readonly string[]>>,
  Is<Share extends Handle ? true : false>,
];

export type Locks = [
  Is<IsSame<Answer<Lock, 'acquire'>, Hold>>,
  Is<IsSame<Answer<Lock, 'tryAcquire'>, Hold | null>>,
  Is<IsSame<Answer<Lock, 'contenders'>, string[]>>,
  Is<IsSame<Answer<Lock, 'revoke'>, boolean>>,
  Is<IsSame<Parameters<Lock['acquire']>, [options?: AcquireOptions | undefined]>>,
  Is<IsSame<AcquireOptions['owner'], unknown>>,
  Is<IsSame<ReadWriteLock['read'], LockSide>>,
  Is<IsSame<ReadWriteLock['write'], LockSide>>,
  Is<IsSame<Answer<LockSide, 'acquire'>, Hold>>,
  Is<IsSame<Answer<LockSide, 'tryAcquire'>, Hold | null>>,
  Is<IsSame<Answer<Semaphore, 'acquire'>, Hold>>,
  Is<IsSame<Answer<Semaphore, 'tryAcquire'>, Hold | null>>,
  Is<IsSame<Answer<Semaphore, 'holders'>, string[]>>,
  Is<IsSame<Answer<MultiLock, 'acquire'>, MultiHold>>,
  Is<IsSame<Answer<MultiLock, 'tryAcquire'>, MultiHold | null>>,
  Is<IsSame<Layout, 'curator' | 'kazoo' | 'go'>>,
  Is<IsSame<ErrorPolicy, 'standard' | 'session'>>,
];

export type Leaders = [
  Is<IsSame<Answer<LeaderLatch, 'untilLeader'>, Hold>>,
  Is<IsSame<LeaderLatch['hold'], Hold | null>>,
  Is<IsSame<LeaderLatch['hasLeadership'], boolean>>,
  Is<IsSame<Answer<LeaderLatch, 'participants'>, Participant[]>>,
  Is<IsSame<ReturnType<LeaderLatch['on']>, () => void>>,
  Is<LeaderLatch extends Handle ? true : false>,
  Is<IsSame<Answer<LeaderElection, 'run'>, void>>,
  Is<IsSame<Answer<LeaderElection, 'participants'>, Participant[]>>,
  Is<IsSame<Participant['isLeader'], boolean>>,
  Is<IsSame<Answer<Lease, 'obtain'>, LeaseTerm | null>>,
];

export type Values = [
  Is<IsSame<Answer<Counter, 'get'>, bigint>>,
  Is<IsSame<Answer<Counter, 'add'>, CounterChange>>,
  Is<IsSame<CounterChange['after'], bigint>>,
  Is<IsSame<Answer<SharedValue, 'get'>, VersionedValue>>,
  Is<IsSame<Answer<SharedValue, 'compareAndSet'>, VersionedValue | null>>,
  Is<IsSame<SharedValue['current'], VersionedValue | null>>,
  Is<IsSame<Each<SharedValue, 'changes'>, VersionedValue>>,
  Is<IsSame<VersionedValue['value'], Buffer>>,
  Is<IsSame<VersionedValue['zxid'], bigint>>,
  Is<IsSame<NodeCache['current'], CachedNode | null | undefined>>,
  Is<IsSame<Answer<NodeCache, 'start'>, CachedNode | null>>,
  Is<IsSame<NodeCacheEvents['change'][0], CachedNode | null>>,
  Is<IsSame<CachedNode['data'], Buffer>>,
  Is<IsSame<CachedNode['stat'], Stat>>,
  Is<IsSame<ReturnType<TreeCache['get']>, CachedNode | undefined>>,
  Is<IsSame<ReturnType<TreeCache['children']>, Map<string, CachedNode>>>,
  Is<TreeCache extends Iterable<CachedNode> ? true : false>,
  Is<IsSame<Answer<PersistentNode, 'start'>, string>>,
  Is<IsSame<PersistentNode['path'], string | null>>,
  Is<IsSame<PersistentNode['isUp'], boolean>>,
  Is<IsSame<Answer<TtlNode, 'start'>, void>>,
  Is<IsSame<TtlNode['path'], string>>,
];

export type Groups = [
  Is<IsSame<Answer<GroupMembership, 'join'>, void>>,
  Is<IsSame<Answer<GroupMembership, 'members'>, GroupMember[]>>,
  Is<IsSame<Each<GroupMembership, 'changes'>, GroupMember[]>>,
  Is<IsSame<GroupMember['data'], Buffer>>,
  Is<IsSame<Answer<SetPartitioner, 'acquire'>, Share>>,
  Is<IsSame<Answer<Barrier, 'wait'>, void>>,
  Is<IsSame<Parameters<Barrier['wait']>, [options?: WaitOptions | undefined]>>,
  Is<IsSame<Answer<DoubleBarrier, 'enter'>, void>>,
  Is<IsSame<Answer<DoubleBarrier, 'leave'>, void>>,
  Is<IsSame<DoubleBarrier['size'], number>>,
];

export type Queues = [
  Is<IsSame<Answer<Queue, 'take'>, QueueItem>>,
  Is<IsSame<Answer<Queue, 'tryTake'>, QueueItem | null>>,
  Is<IsSame<Answer<Queue, 'takeMany'>, QueueItem[]>>,
  Is<IsSame<Each<Queue, 'items'>, QueueItem>>,
  Is<IsSame<QueueItem['data'], Buffer>>,
  Is<IsSame<Answer<PriorityQueue, 'take'>, PriorityItem>>,
  Is<IsSame<PriorityItem['priority'], number>>,
  Is<IsSame<Answer<DelayQueue, 'take'>, DelayedItem>>,
  Is<IsSame<DelayedItem['dueMs'], number>>,
  Is<
    IsSame<Parameters<DelayQueue['put']>, [data: Data, due: Due, options?: WaitOptions | undefined]>
  >,
  Is<IsSame<Answer<LockingQueue, 'take'>, QueueClaim>>,
  Is<IsSame<Answer<LockingQueue, 'tryTake'>, QueueClaim | null>>,
  Is<IsSame<Each<LockingQueue, 'items'>, QueueClaim>>,
  Is<IsSame<Answer<LockingQueue, 'size'>, number>>,
  Is<IsSame<Delivery, 'at-most-once' | 'at-least-once'>>,
];

export type Config = [
  Is<IsSame<ConfigStore<Limits>['values'], Readonly<Limits>>>,
  Is<IsSame<ConfigStore<Limits>['current'], ConfigVersion<Limits> | null>>,
  Is<IsSame<ConfigVersion<Limits>['values'], Readonly<Limits>>>,
  Is<IsSame<Answer<ConfigStore<Limits>, 'publish'>, ConfigVersion<Limits>>>,
  Is<IsSame<Answer<ConfigStore<Limits>, 'rollback'>, ConfigVersion<Limits>>>,
  Is<IsSame<Answer<ConfigStore<Limits>, 'history'>, StoredVersion[]>>,
  Is<IsSame<Each<ConfigStore<Limits>, 'updates'>, ConfigVersion<Limits>>>,
];

export type Errors = [
  Is<IsSame<NotHeldError['reason'], LossReason>>,
  Is<IsSame<WaitTimeoutError['timeoutMs'], number>>,
  Is<IsSame<Required<WaitOptions>, { readonly signal: AbortSignal; readonly timeoutMs: number }>>,
];

/** What is inferred of what a caller gives. */
export function inferred(election: LeaderElection, schema: ConfigSchema<Limits>, zk: ZkClient) {
  const store = new ConfigStore(zk, '/limits', { schema });
  store.on('change', ({ values }, previous) => {
    const rates: [number, number | undefined] = [values.rate, previous?.values.rate];
    return rates;
  });
  return {
    store,
    token: election.runOnce((hold) => Promise.resolve(hold.fencingToken)),
    next: new Counter(zk, '/counter').update((value) => value + 1n),
  };
}
type Inferred = ReturnType<typeof inferred>;
export type FromCallers = [
  Is<IsSame<Inferred['store'], ConfigStore<Limits>>>,
  Is<IsSame<Inferred['token'], Promise<bigint>>>,
  Is<IsSame<Inferred['next'], Promise<CounterChange>>>,
];

/** Never called. */
export async function refused(
  zk: ZkClient,
  acl: readonly Acl[],
  schema: ConfigSchema<Limits>,
): Promise<void> {
  // @ts-expect-error a lock has a path
  new Lock(zk);
  // @ts-expect-error there is no such layout
  new Lock(zk, '/lock', { layout: 'etcd' });
  // @ts-expect-error of leases the most has to be said
  new Semaphore(zk, '/semaphore', { acl });
  // @ts-expect-error go has no read-write lock
  new ReadWriteLock(zk, '/lock', { layout: 'go' });
  // @ts-expect-error how long a lease is has to be said
  new Lease(zk, '/lease', { holder: 'a' });
  // @ts-expect-error how many begin together has to be said
  new DoubleBarrier(zk, '/barrier', {});
  // @ts-expect-error a time to live has to be said
  new TtlNode(zk, '/node', {});
  // @ts-expect-error nothing is published without a schema
  new ConfigStore<Limits>(zk, '/limits', {});
  // @ts-expect-error there is no such key
  await new ConfigStore<Limits>(zk, '/limits', { schema }).publish({ speed: 1 });
  // @ts-expect-error a priority has to be said
  await new PriorityQueue(zk, '/queue').put('a');
  // @ts-expect-error when it is due has to be said
  await new DelayQueue(zk, '/queue').put('a', {});
  // @ts-expect-error numbers are no data
  await new Queue(zk, '/queue').put(7);
  // @ts-expect-error a wait ends by a signal or a time, not by a number
  await new Barrier(zk, '/barrier').wait(1000);
  // @ts-expect-error there is no such event
  new LeaderLatch(zk, '/latch').on('elected', () => undefined);
  const hold = await new Lock(zk, '/lock').acquire();
  // @ts-expect-error the token is told, not set
  hold.fencingToken = 1n;
  // @ts-expect-error null: it is somebody else's
  await (await new Lock(zk, '/lock').tryAcquire()).release();
}
