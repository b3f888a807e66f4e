/**
 * The processes that use one service, each with an ephemeral znode of its own. Finagle's deterministic
 * aperture wants to be told how many peers there are and which of them this one is, from outside; here
 * the registry knows it: the place of the own znode among all of them, in the order of their names.
 *
 * When peers come and go, arcs move; while the registry is away, the last position stays.
 */
import type { PeerPosition } from '../balance/aperture.js';
import type { ZkClient } from '../client/types.js';
import type { Clock } from '../ports/clock.js';
import { ChildCache } from './child-cache.js';
import { joinPath } from './layout.js';
import { RegisteredNode } from './registered-node.js';
import type { Subscription } from './registry.js';

/** How long leaving may take: it is a courtesy to the others. */
const LEAVE_MS = 2_000;

export interface PeerSetOptions {
  readonly onPosition: (position: PeerPosition | null) => void;
  readonly onWarning: (text: string) => void;
}

export class PeerSet implements Subscription {
  readonly #name: string;
  readonly #options: PeerSetOptions;
  readonly #clock: Clock;
  readonly #cache: ChildCache;
  readonly #end = new AbortController();
  readonly #joining: Promise<RegisteredNode | null>;

  constructor(client: ZkClient, directory: string, options: PeerSetOptions) {
    const bytes = client.world.crypto.randomBytes(12);
    this.#name = `peer-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
    this.#options = options;
    this.#clock = client.world.clock;
    this.#cache = new ChildCache(client, directory, {
      isInNames: true,
      onChildren: (children) => {
        this.#place([...children.keys()]);
      },
      onReachable() {
        // the last position stays
      },
      onWarning: options.onWarning,
    });
    this.#joining = this.#join(client, directory);
  }

  async close(): Promise<void> {
    this.#end.abort(new Error('closed'));
    await this.#cache.close();
    const node = await this.#joining;
    if (node === null) return;
    const patience = new AbortController();
    const timer = this.#clock.after(LEAVE_MS, () => {
      patience.abort(new Error('the registry is away'));
    });
    // in vain: then the znode goes with the session
    await node.remove(patience.signal).catch(() => undefined);
    timer.cancel();
  }

  async #join(client: ZkClient, directory: string): Promise<RegisteredNode | null> {
    const path = joinPath(directory, this.#name);
    const { onWarning } = this.#options;
    try {
      const { signal } = this.#end;
      return await RegisteredNode.create(client, path, new Uint8Array(0), { signal, onWarning });
    } catch (error) {
      if (!this.#end.signal.aborted) onWarning(`${path}: ${String(error)}`);
      return null;
    }
  }

  #place(names: readonly string[]): void {
    if (this.#end.signal.aborted) return;
    const index = [...names].sort().indexOf(this.#name);
    this.#options.onPosition(index < 0 ? null : { index, count: names.length });
  }
}
