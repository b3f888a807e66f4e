/**
 * A znode with a time to live that is there as long as somebody looks after it, whatever becomes of
 * sessions in between: unlike an ephemeral one it outlives short absences, and unlike a persistent one
 * it does not outlive its owners for long.
 *
 * Guarantee: from `start` to `close` the znode is there, or is made again as soon as there is a
 * connection. After `close`, or when the process dies, the servers delete it: not before `ttlMs` have
 * passed since it was touched last, and soon after twice that.
 * On SUSPENDED, on LOST: it cannot be touched; it is, or is made again, with the next connection.
 * Znode layout: `<path>` and `<path>/touch`, both persistent with that time to live; the second is
 * written every half of it.
 * Interoperates with: Curator's PersistentTtlNode.
 *
 * The servers must allow it (`extendedTypesEnabled`): else `start` rejects with `UnimplementedError`.
 */
import { NodeExistsError, NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { Acl, Data, ZkClient } from '../client/types.js';
import { join } from './parents.js';
import { acrossSessions, inBackground, isGivenUp, pause, type WaitOptions } from './patience.js';
import { PersistentNode } from './persistent-node.js';

export interface TtlNodeOptions {
  readonly ttlMs: number;
  readonly data?: Data;
  readonly acl?: readonly Acl[];
  /** Of the znode that is touched; 'touch' unless given. */
  readonly childName?: string;
}

export class TtlNode implements AsyncDisposable {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #options: TtlNodeOptions;
  readonly #node: PersistentNode;
  readonly #stop = new AbortController();
  #touching: Promise<void> | null = null;

  constructor(client: ZkClient, path: string, options: TtlNodeOptions) {
    this.path = path;
    this.#client = client;
    this.#options = options;
    this.#node = new PersistentNode(client, path, {
      data: options.data ?? '',
      mode: 'persistent-ttl',
      ttlMs: options.ttlMs,
      keep: true,
      ...(options.acl === undefined ? {} : { acl: options.acl }),
    });
  }

  /** Resolves when it is there. Given up, it goes on trying until `close`. */
  async start(options: WaitOptions = {}): Promise<void> {
    await this.#node.start(options);
    this.#touching ??= this.#touchOnAndOn(this.#stop.signal);
    inBackground(this.#touching);
  }

  async setData(data: Data, options: WaitOptions = {}): Promise<void> {
    await this.#node.setData(data, options);
  }

  /** Touches it no more, and leaves it to the servers. */
  async close(): Promise<void> {
    this.#stop.abort(new Error(`${this.path} was given up`));
    await this.#node.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #touchOnAndOn(signal: AbortSignal): Promise<void> {
    const { ttlMs } = this.#options;
    while (!isGivenUp(signal)) {
      await this.#touch(signal);
      await pause(this.#client, ttlMs / 2, signal);
    }
  }

  async #touch(signal: AbortSignal): Promise<void> {
    const { ttlMs, acl, childName = 'touch' } = this.#options;
    const client = this.#client;
    const child = join(this.path, childName);
    try {
      await acrossSessions(client, signal, () => client.setData(child, ''));
      return;
    } catch (problem) {
      if (!(problem instanceof NoNodeError)) throw problem;
    }
    try {
      await acrossSessions(client, signal, () =>
        client.create(child, '', {
          mode: 'persistent-ttl',
          ttlMs,
          ...(acl === undefined ? {} : { acl }),
        }),
      );
    } catch (problem) {
      // the znode itself is being made again; it will be touched the next time
      const isFine = problem instanceof NoNodeError || problem instanceof NodeExistsError;
      if (!isFine && !(problem instanceof SessionExpiredError)) throw problem;
    }
  }
}
