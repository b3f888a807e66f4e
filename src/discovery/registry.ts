/**
 * Where the instances of services are found. A registry may be away (no connection, no quorum): then it
 * says so and tells nothing new, and whoever asked it keeps what it told before.
 */
import type { PeerPosition } from '../balance/aperture.js';
import type { Clock } from '../ports/clock.js';
import type { ServiceInstance } from './instance.js';

/** Time and dice, of the world that the registry's client runs in. */
export interface DiscoveryWorld {
  readonly clock: Clock;
  /** In [0, 1). */
  random(): number;
}

export interface RegistryListener {
  /** All instances there are now, each id once. */
  onInstances(instances: readonly ServiceInstance[]): void;
  /** False: what was told is all that is known, and may be old. */
  onReachable(isReachable: boolean): void;
  /** Something that a person should look at: an instance that cannot be read, say. */
  onWarning(text: string): void;
}

export interface Subscription {
  /** Idempotent; nothing is told after it. */
  close(): Promise<void>;
}

export interface Registry {
  readonly world: DiscoveryWorld;
  /** How long a member that has died may still be listed, and a living one be missing. */
  readonly settleMs: number;
  /** Nothing is told from inside this call. */
  subscribe(service: string, listener: RegistryListener): Subscription;
  /**
   * Joins those that use the service, so that each can use another part of it. Null: this registry
   * knows no peers.
   */
  joinPeers(
    service: string,
    onPosition: (position: PeerPosition | null) => void,
  ): Subscription | null;
}

/** Keeps the last good list across restarts of this process: in a file, wherever. */
export interface InstanceStore {
  /** Null: there is none. */
  load(service: string): Promise<readonly ServiceInstance[] | null>;
  save(service: string, instances: readonly ServiceInstance[]): Promise<void>;
}
