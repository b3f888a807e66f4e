/**
 * A registry that is a list in this process: for services that are not registered anywhere, and for
 * tests. The list can be changed, and the registry can be said to be away.
 */
import type { PeerPosition } from '../balance/aperture.js';
import { instanceDefaults, type InstanceSpec, type ServiceInstance } from './instance.js';
import type { DiscoveryWorld, Registry, RegistryListener, Subscription } from './registry.js';

/** The id may be left out: then it is host and port. */
export type StaticInstance = Omit<InstanceSpec, 'service'>;

export interface StaticRegistryOptions {
  /** Where this process stands among those that use the services. */
  readonly position?: PeerPosition;
  readonly settleMs?: number;
}

export class StaticRegistry implements Registry {
  readonly world: DiscoveryWorld;
  readonly settleMs: number;
  readonly #position: PeerPosition | null;
  readonly #services = new Map<string, readonly ServiceInstance[]>();
  readonly #listeners = new Map<string, Set<RegistryListener>>();
  #isReachable = true;

  constructor(
    services: Readonly<Record<string, readonly StaticInstance[]>>,
    options: StaticRegistryOptions,
    world: DiscoveryWorld,
  ) {
    this.world = world;
    this.settleMs = options.settleMs ?? 0;
    this.#position = options.position ?? null;
    for (const [service, instances] of Object.entries(services)) this.set(service, instances);
  }

  set(service: string, instances: readonly StaticInstance[]): void {
    const whole = instances.map((instance) => ({
      ...instanceDefaults,
      id: `${instance.host}:${instance.port ?? instance.sslPort ?? ''}`,
      ...instance,
      service,
    }));
    this.#services.set(service, whole);
    for (const listener of this.#listeners.get(service) ?? []) listener.onInstances(whole);
  }

  setReachable(isReachable: boolean): void {
    this.#isReachable = isReachable;
    for (const listeners of this.#listeners.values()) {
      for (const listener of listeners) listener.onReachable(isReachable);
    }
  }

  subscribe(service: string, listener: RegistryListener): Subscription {
    const listeners = this.#listeners.get(service) ?? new Set();
    this.#listeners.set(service, listeners.add(listener));
    queueMicrotask(() => {
      if (!listeners.has(listener)) return;
      listener.onReachable(this.#isReachable);
      const instances = this.#services.get(service);
      if (this.#isReachable && instances !== undefined) listener.onInstances(instances);
    });
    return {
      close: () => {
        listeners.delete(listener);
        return Promise.resolve();
      },
    };
  }

  joinPeers(
    _service: string,
    onPosition: (position: PeerPosition | null) => void,
  ): Subscription | null {
    if (this.#position === null) return null;
    onPosition(this.#position);
    return { close: () => Promise.resolve() };
  }
}
