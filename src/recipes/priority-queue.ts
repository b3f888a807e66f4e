/**
 * A queue in which what matters more is taken first.
 *
 * Guarantee: as Queue's, in another order: the smallest priority first; of the same priority, what was
 * put first. A taker takes the best of what its server had told it when it last looked; it looks again
 * whenever it has been told of a change.
 * On SUSPENDED, on LOST: as Queue.
 * Znode layout: `<path>/queue-SXXXXXXXXNNNNNNNNNN`, persistent: S is 1, or 0 for negative priorities, X
 * the priority in hex; the data framed. Beside it `<path>-marks/<uuid>`, ephemeral.
 * Interoperates with: Curator's DistributedPriorityQueue (without a lock path).
 */
import type { Data, ZkClient } from '../client/types.js';
import { priorityNames } from './entry-names.js';
import { EntryQueue, type EntryQueueOptions, type QueueItem } from './entry-queue.js';
import { unframe } from './item-frame.js';
import type { WaitOptions } from './patience.js';
import { framed } from './queue.js';

export interface PriorityItem extends QueueItem {
  readonly priority: number;
}

export class PriorityQueue extends EntryQueue<PriorityItem> {
  constructor(client: ZkClient, path: string, options: EntryQueueOptions = {}) {
    super(
      client,
      path,
      {
        names: priorityNames,
        isInOrderOfArrival: false,
        open: ({ name, rank }, bytes, at) =>
          unframe(bytes, at).map((data) => ({ data, name, priority: rank })),
      },
      options,
    );
  }

  /** `priority`: a whole number of 32 bits, the smallest first. Resolves when it is in the queue. */
  async put(data: Data, priority: number, options: WaitOptions = {}): Promise<void> {
    await this.putMany([data], priority, options);
  }

  /** All or none, one after the other. */
  async putMany(
    items: readonly Data[],
    priority: number,
    options: WaitOptions = {},
  ): Promise<void> {
    if ((priority | 0) !== priority) {
      throw new RangeError(`a priority is a whole number of 32 bits, not ${priority}`);
    }
    const prefix = priorityNames.prefix(priority);
    await this.putAll(
      items.map((data) => ({ prefix, data: this.encode(data) })),
      options,
    );
  }

  protected override encode(data: Data): Uint8Array {
    return framed(data);
  }
}
