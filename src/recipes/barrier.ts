/**
 * A barrier: whoever waits goes on when it is taken away.
 *
 * Guarantee: `wait` resolves only after a moment, later than its call, at which the barrier was not
 * there. `set` and `remove` may each be repeated, by anybody.
 * On SUSPENDED, on LOST: waiting goes on, in the new session too; the barrier belongs to no session.
 * Znode layout: `<path>`, persistent.
 * Interoperates with: Curator's DistributedBarrier, kazoo's Barrier.
 */
import { NodeExistsError, NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { Acl, ZkClient } from '../client/types.js';
import { makeDirectory, parentOf } from './parents.js';
import { acrossSessions, untilWatched, within, type WaitOptions } from './patience.js';

export class Barrier {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #acl: readonly Acl[] | undefined;

  constructor(client: ZkClient, path: string, options: { readonly acl?: readonly Acl[] } = {}) {
    this.path = path;
    this.#client = client;
    this.#acl = options.acl;
  }

  /** From now on whoever waits waits. */
  async set(options: WaitOptions = {}): Promise<void> {
    const acl = this.#acl;
    await within(this.#client, options, `setting the barrier ${this.path}`, async (signal) => {
      for (;;) {
        try {
          await acrossSessions(this.#client, signal, () =>
            this.#client.create(this.path, '', acl === undefined ? {} : { acl }),
          );
          return;
        } catch (problem) {
          if (problem instanceof NodeExistsError) return;
          if (!(problem instanceof NoNodeError) || parentOf(this.path) === '/') throw problem;
          await makeDirectory(
            this.#client,
            parentOf(this.path),
            { mode: 'container', acl },
            signal,
          );
        }
      }
    });
  }

  /** From now on, and all who wait already, go on. */
  async remove(options: WaitOptions = {}): Promise<void> {
    await within(this.#client, options, `removing the barrier ${this.path}`, async (signal) => {
      try {
        await acrossSessions(this.#client, signal, () => this.#client.delete(this.path));
      } catch (problem) {
        if (!(problem instanceof NoNodeError)) throw problem;
      }
    });
  }

  /** Resolves when there is no barrier. */
  async wait(options: WaitOptions = {}): Promise<void> {
    await within(this.#client, options, `the barrier ${this.path}`, async (signal) => {
      for (;;) {
        try {
          await untilWatched(this.#client, signal, async (watch) => {
            await this.#client.getData(this.path, { watch });
            return true;
          });
        } catch (problem) {
          if (problem instanceof NoNodeError) return;
          if (!(problem instanceof SessionExpiredError)) throw problem;
        }
      }
    });
  }
}
