/**
 * A queue whose items are not to be taken before their time.
 *
 * Guarantee: as Queue's, but no item is taken before it is due, by the clock of who takes it; of those
 * that are due, the one that has been due for longest first, and of the same time, what was put first.
 * Clocks of processes differ, and so does what "due" means to them.
 * On SUSPENDED, on LOST: as Queue.
 * Znode layout: `<path>/queue-|T|NNNNNNNNNN`, persistent: T is the time in milliseconds since 1970, in hex;
 * the data framed. Beside it `<path>-marks/<uuid>`, ephemeral.
 * Interoperates with: Curator's DistributedDelayQueue (without a lock path).
 */
import type { Data, ZkClient } from '../client/types.js';
import { delayNames } from './entry-names.js';
import { EntryQueue, type EntryQueueOptions, type QueueItem } from './entry-queue.js';
import { unframe } from './item-frame.js';
import type { WaitOptions } from './patience.js';
import { framed } from './queue.js';

export interface DelayedItem extends QueueItem {
  /** Milliseconds since 1970. */
  readonly dueMs: number;
}

/** When it is due: so long from now, or at a time in milliseconds since 1970. */
export type Due = { readonly delayMs: number } | { readonly atMs: number };

export class DelayQueue extends EntryQueue<DelayedItem> {
  constructor(client: ZkClient, path: string, options: EntryQueueOptions = {}) {
    super(
      client,
      path,
      {
        names: delayNames,
        isInOrderOfArrival: false,
        dueMs: ({ rank }) => rank,
        open: ({ name, rank }, bytes, at) =>
          unframe(bytes, at).map((data) => ({ data, name, dueMs: rank })),
      },
      options,
    );
  }

  /** Resolves when it is in the queue. */
  async put(data: Data, due: Due, options: WaitOptions = {}): Promise<void> {
    await this.putMany([data], due, options);
  }

  /** All or none, one after the other. */
  async putMany(items: readonly Data[], due: Due, options: WaitOptions = {}): Promise<void> {
    const atMs = 'atMs' in due ? due.atMs : this.client.world.clock.wallMs() + due.delayMs;
    // a fraction of a millisecond must not make it early
    const dueMs = Math.ceil(atMs);
    if (!Number.isSafeInteger(dueMs) || dueMs <= 0) {
      throw new RangeError(`due in milliseconds since 1970, not ${atMs}`);
    }
    const prefix = delayNames.prefix(dueMs);
    await this.putAll(
      items.map((data) => ({ prefix, data: this.encode(data) })),
      options,
    );
  }

  protected override encode(data: Data): Uint8Array {
    return framed(data);
  }
}
