/**
 * How balancers know of each other: how many there are, which of them this one is, and what the one that
 * is elected has published. In an ensemble that is a few znodes; in one process (memory-registry.ts) a
 * few variables; where nobody is known, a place that the operator has stated.
 */
import type { PeerPosition } from '../../balance/aperture.js';
import type { BackendAddress } from './backend.js';

export interface PublishedSubset {
  readonly awake: readonly string[];
  /** The rule that decided, and who followed it. */
  readonly rule: string;
  readonly by: string;
}

export interface RegistryView {
  /** What follows is of now, and what is published now is heard. */
  readonly isConnected: boolean;
  /** Null: not known. It stays while the registry is away. */
  readonly position: PeerPosition | null;
  /** This one publishes. At most one of all that are connected is. */
  readonly isElected: boolean;
  /** Null: nothing was. It stays while the registry is away. */
  readonly published: PublishedSubset | null;
  /** Rises whenever another balancer has reported a write of its clients. */
  readonly foreignWrites: number;
}

export interface Registry {
  /** Balancers can agree through it. False: it knows a position and nothing else. */
  readonly canAgree: boolean;
  /** `onChange` comes with the first view and with each other one, never from inside `start`. */
  start(onChange: (view: RegistryView) => void): void;
  /** By the elected one. Lost when the registry is away: what is published then is not heard. */
  publish(subset: PublishedSubset): void;
  /** Clients of this balancer have written lately. Not called more often than once in an interval. */
  reportWrite(): void;
  /** The servers of the ensemble are these from now on: a registry that is in the ensemble finds it there. */
  follow?(servers: readonly BackendAddress[]): void;
  stop(): Promise<void>;
}

/** Nobody to agree with: the operator has said which of how many this one is. */
export class StaticRegistry implements Registry {
  readonly canAgree = false;
  readonly #position: PeerPosition | null;

  constructor(position: PeerPosition | null = null) {
    this.#position = position;
  }

  start(onChange: (view: RegistryView) => void): void {
    const position = this.#position;
    const isConnected = true;
    queueMicrotask(() => {
      onChange({ isConnected, position, isElected: false, published: null, foreignWrites: 0 });
    });
  }

  publish(): void {
    // nobody listens
  }

  reportWrite(): void {
    // nobody listens
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
