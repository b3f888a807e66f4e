/**
 * Services in ZooKeeper: registers instances and tells those who subscribe about all of them. One cache
 * per service, however many subscribe.
 *
 * On SUSPENDED and on LOST: subscribers keep what they were told and hear that the registry is away;
 * when it is back, all of it is read again. Layout: Curator's unless another is given.
 */
import type { PeerPosition } from '../balance/aperture.js';
import type { Acl, ZkClient } from '../client/types.js';
import { onAbort, reasonOf } from '../recipes/patience.js';
import { ChildCache } from './child-cache.js';
import type { InstanceSpec, ServiceInstance } from './instance.js';
import { joinPath, type Layout } from './layout.js';
import { CuratorLayout } from './layouts/curator.js';
import { PeerSet } from './peer-set.js';
import { Registration } from './registration.js';
import type { RegistrationOptions } from './registered-node.js';
import type { Registry, RegistryListener, Subscription } from './registry.js';

export interface ZkRegistryOptions {
  /** Of Curator's layout, where no other is given. */
  readonly basePath?: string;
  readonly layout?: Layout;
  /** Where the users of a service have their znodes, for deterministic subsets. */
  readonly peersPath?: string;
  /** Of what is registered here, parents included; open to anyone unless given. */
  readonly acl?: readonly Acl[];
}

const BASE_PATH = '/services';
const PEERS_PATH = '/zabra/peers';

interface Feed {
  readonly cache: ChildCache;
  readonly listeners: Set<RegistryListener>;
  /** Null: not read yet. */
  instances: readonly ServiceInstance[] | null;
  isReachable: boolean | null;
}

export class ZkRegistry implements Registry {
  readonly #client: ZkClient;
  readonly #layout: Layout;
  readonly #peersPath: string;
  readonly #acl: readonly Acl[] | undefined;
  readonly #feeds = new Map<string, Feed>();

  constructor(client: ZkClient, options: ZkRegistryOptions = {}) {
    this.#client = client;
    this.#layout = options.layout ?? new CuratorLayout(options.basePath ?? BASE_PATH);
    this.#peersPath = options.peersPath ?? PEERS_PATH;
    this.#acl = options.acl;
  }

  get world(): ZkClient['world'] {
    return this.#client.world;
  }

  get settleMs(): number {
    return this.#client.sessionTimeoutMs;
  }

  /** Resolves when the instance is registered; it stays so until `unregister`. */
  async register(spec: InstanceSpec, options: RegistrationOptions = {}): Promise<Registration> {
    const withAcl = this.#acl === undefined ? {} : { acl: this.#acl };
    return await Registration.create(this.#client, this.#layout, spec, { ...withAcl, ...options });
  }

  /** Those that are registered now, as one reading of the registry finds them. */
  async instances(
    service: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly ServiceInstance[]> {
    const { signal } = options;
    return await new Promise((resolve, reject) => {
      const subscription = this.subscribe(service, {
        onInstances: (instances) => {
          done(() => {
            resolve(instances);
          });
        },
        onReachable() {
          // it is waited for
        },
        onWarning() {
          // whoever subscribes for longer hears of it
        },
      });
      let off: (() => void) | null = null;
      const done = (settle: () => void): void => {
        off?.();
        subscription.close().then(settle, reject);
      };
      if (signal !== undefined) {
        off = onAbort(signal, () => {
          done(() => {
            reject(reasonOf(signal));
          });
        });
      }
    });
  }

  subscribe(service: string, listener: RegistryListener): Subscription {
    const feed = this.#feeds.get(service) ?? this.#open(service);
    feed.listeners.add(listener);
    queueMicrotask(() => {
      if (!feed.listeners.has(listener)) return;
      if (feed.isReachable !== null) listener.onReachable(feed.isReachable);
      if (feed.instances !== null) listener.onInstances(feed.instances);
    });
    return {
      close: async () => {
        if (!feed.listeners.delete(listener) || feed.listeners.size > 0) return;
        if (this.#feeds.get(service) === feed) this.#feeds.delete(service);
        await feed.cache.close();
      },
    };
  }

  joinPeers(
    service: string,
    onPosition: (position: PeerPosition | null) => void,
  ): Subscription | null {
    return new PeerSet(this.#client, joinPath(this.#peersPath, encodeURIComponent(service)), {
      onPosition,
      onWarning: (text) => {
        for (const listener of this.#feeds.get(service)?.listeners ?? []) listener.onWarning(text);
      },
    });
  }

  #open(service: string): Feed {
    const listeners = new Set<RegistryListener>();
    const tell = (what: (listener: RegistryListener) => void): void => {
      for (const listener of [...listeners]) what(listener);
    };
    const onWarning = (text: string): void => {
      tell((listener) => {
        listener.onWarning(text);
      });
    };
    const cache = new ChildCache(this.#client, this.#layout.directoryOf(service), {
      isInNames: this.#layout.isInNames,
      onChildren: (children) => {
        const instances = this.#read(service, children, onWarning);
        feed.instances = instances;
        tell((listener) => {
          listener.onInstances(instances);
        });
      },
      onReachable: (isReachable) => {
        feed.isReachable = isReachable;
        tell((listener) => {
          listener.onReachable(isReachable);
        });
      },
      onWarning,
    });
    const feed: Feed = { cache, listeners, instances: null, isReachable: null };
    this.#feeds.set(service, feed);
    return feed;
  }

  /** One that cannot be read is left out and told; of two with one id the later one counts. */
  #read(
    service: string,
    children: ReadonlyMap<string, Uint8Array>,
    onWarning: (text: string) => void,
  ): readonly ServiceInstance[] {
    const byId = new Map<string, ServiceInstance>();
    for (const child of [...children.keys()].sort()) {
      try {
        const data = children.get(child) ?? new Uint8Array(0);
        const instance = this.#layout.read(service, child, data);
        if (instance === null) continue;
        const other = byId.get(instance.id);
        const isOlder = (instance.registeredMs ?? 0) < (other?.registeredMs ?? 0);
        if (other === undefined || !isOlder) byId.set(instance.id, instance);
      } catch (error) {
        const path = joinPath(this.#layout.directoryOf(service), child);
        onWarning(`${path} is no instance: ${error instanceof Error ? error.message : ''}`);
      }
    }
    return [...byId.values()];
  }
}
