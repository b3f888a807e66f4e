/** The types of discovery, exactly (see recipes-types.ts). */
import type { ZkClient } from 'zabra/client';
import {
  authorityOf,
  CuratorLayout,
  DubboLayout,
  FileInstanceStore,
  judgeByCode,
  LoadBalancer,
  policyNames,
  ServerSetLayout,
  StaticRegistry,
  ZkRegistry,
  type Answer as AnswerOf,
  type AttemptContext,
  type FetchFunction,
  type Health,
  type InstanceChange,
  type InstanceSpec,
  type InstanceStore,
  type Judge,
  type Layout,
  type LoadBalancerEvents,
  type LoadBalancerStatus,
  type Outcome,
  type PeerPosition,
  type Picked,
  type PolicyName,
  type Registration,
  type Registry,
  type SendFunction,
  type ServiceInstance,
  type Subscription,
  type Verdict,
} from 'zabra/discovery';
import type { Answer, Is, IsSame } from './exact.js';

export type Instances = [
  Is<IsSame<ServiceInstance['id'], string>>,
  Is<IsSame<ServiceInstance['port'], number | null>>,
  Is<IsSame<ServiceInstance['health'], Health>>,
  Is<IsSame<ServiceInstance['metadata'], Readonly<Record<string, string>>>>,
  Is<IsSame<ServiceInstance['payload'], unknown>>,
  Is<IsSame<Health, 'up' | 'starting' | 'draining' | 'down'>>,
  Is<{ service: 'web'; host: 'a' } extends InstanceSpec ? true : false>,
  Is<IsSame<'registeredMs' extends keyof InstanceSpec ? true : false, false>>,
  Is<IsSame<keyof InstanceChange, 'weight' | 'priority' | 'health' | 'metadata' | 'payload'>>,
  Is<IsSame<ReturnType<typeof authorityOf>, string | null>>,
];

export type Registries = [
  Is<ZkRegistry extends Registry ? true : false>,
  Is<StaticRegistry extends Registry ? true : false>,
  Is<IsSame<Answer<ZkRegistry, 'register'>, Registration>>,
  Is<IsSame<Answer<ZkRegistry, 'instances'>, readonly ServiceInstance[]>>,
  Is<IsSame<ReturnType<ZkRegistry['subscribe']>, Subscription>>,
  Is<IsSame<ReturnType<ZkRegistry['joinPeers']>, Subscription | null>>,
  Is<IsSame<Registration['instance'], ServiceInstance>>,
  Is<IsSame<Registration['isActive'], boolean>>,
  Is<IsSame<Answer<Registration, 'update'>, void>>,
  Is<IsSame<Answer<Registration, 'unregister'>, void>>,
  Is<Registration extends AsyncDisposable ? true : false>,
  Is<CuratorLayout extends Layout ? true : false>,
  Is<ServerSetLayout extends Layout ? true : false>,
  Is<DubboLayout extends Layout ? true : false>,
  Is<FileInstanceStore extends InstanceStore ? true : false>,
];

export type Balancing = [
  Is<IsSame<LoadBalancer['instances'], readonly ServiceInstance[]>>,
  Is<IsSame<ReturnType<LoadBalancer['status']>, LoadBalancerStatus>>,
  Is<IsSame<LoadBalancerStatus['position'], PeerPosition | null>>,
  Is<IsSame<ReturnType<LoadBalancer['pick']>, Picked | null>>,
  Is<IsSame<Parameters<Picked['end']>, [outcome: Outcome]>>,
  Is<IsSame<LoadBalancer['fetch'], FetchFunction>>,
  Is<IsSame<ReturnType<FetchFunction>, Promise<Response>>>,
  Is<IsSame<LoadBalancerEvents['instances'], [instances: readonly ServiceInstance[]]>>,
  Is<IsSame<Parameters<SendFunction<void>>, [ServiceInstance, AttemptContext]>>,
  Is<IsSame<AttemptContext['signal'], AbortSignal>>,
  Is<IsSame<Outcome, 'success' | 'failure' | 'neutral'>>,
  Is<IsSame<Verdict, 'retry' | 'fail' | 'accept'>>,
  Is<typeof judgeByCode extends Judge ? true : false>,
  Is<IsSame<(typeof policyNames)[number], PolicyName>>,
  Is<LoadBalancer extends AsyncDisposable ? true : false>,
];

/** What is inferred of what a caller sends. */
export function inferred(lb: LoadBalancer) {
  return {
    sent: lb.send({}, ({ host }) => host.length),
    hedged: lb.hedge({}, ({ host }) => Promise.resolve(host)),
    fanned: lb.fanOut({ needed: 2 }, (instance) => Promise.resolve(instance.port)),
  };
}
type Inferred = ReturnType<typeof inferred>;
export type FromCallers = [
  Is<IsSame<Inferred['sent'], Promise<number>>>,
  Is<IsSame<Inferred['hedged'], Promise<string>>>,
  Is<IsSame<Inferred['fanned'], Promise<readonly AnswerOf<number | null>[]>>>,
];

/** Never called. */
export async function refused(zk: ZkClient): Promise<void> {
  const registry = new ZkRegistry(zk);
  // @ts-expect-error an instance has a host
  await registry.register({ service: 'web' });
  // @ts-expect-error when it was registered is not for callers to say
  await registry.register({ service: 'web', host: 'a', registeredMs: 0 });
  const registration = await registry.register({ service: 'web', host: 'a' });
  // @ts-expect-error another host is another instance
  await registration.update({ host: 'b' });
  // @ts-expect-error there is no such health
  await registration.update({ health: 'sick' });
  // @ts-expect-error of which service it is has to be said
  new LoadBalancer({ registry });
  // @ts-expect-error there is no such policy
  new LoadBalancer({ registry, service: 'web', policy: 'sticky' });
  const lb = new LoadBalancer({ registry, service: 'web' });
  // @ts-expect-error there is no such event
  lb.on('gone', () => undefined);
  // @ts-expect-error nobody can be sent to without a function that sends
  await lb.send({});
  // @ts-expect-error the list is told, not set
  lb.instances = [registration.instance];
}
