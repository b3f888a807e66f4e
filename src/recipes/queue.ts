/**
 * A queue: what is put first is taken first, each item by one taker.
 *
 * Guarantee: an item whose `put` has resolved is given out once, to one taker; a `put` that rejected with
 * `OutcomeUnknownError` has put it once or not at all. Items are taken in the order in which they were
 * put, by all takers together (a kazoo queue: by priority, then in that order); puts of one Queue object
 * keep the order of the calls. There is one exception: when the session ends while an item is being
 * taken, nobody can know whether it was. 'at-most-once' (unless told otherwise): then it is not given
 * out, and lost if it was taken; 'at-least-once': it is, and if somebody else took it, twice. An item is
 * gone from the queue once it is taken: a process that dies with it loses it (LockingQueue does not).
 * An item whose taker gave up just when it was taken goes to the next take of the same object; `close`
 * puts it back.
 * On SUSPENDED: calls wait for the connection, and find out what became of what was under way.
 * On LOST: puts whose outcome was open reject with `OutcomeUnknownError`; takes go on, see above.
 * Znode layout: `<path>`, persistent (not a container, so that numbers never begin anew);
 * `<path>/qn-NNNNNNNNNN`, persistent, the data as they are. 'curator-framed':
 * `<path>/queue-NNNNNNNNNN`, the data framed. 'kazoo': `<path>/entry-PPP-NNNNNNNNNN`. Beside it
 * `<path>-marks/<uuid>`, ephemeral, one or two per process: what was done last.
 * Interoperates with: Curator's SimpleDistributedQueue, DistributedQueue ('curator-framed', without a
 * lock path); kazoo's Queue. (Of several items in one znode, as Curator's putMulti writes them, those
 * not asked for are kept for the next take of the object.)
 */
import type { Data, ZkClient } from '../client/types.js';
import {
  framedNames,
  kazooNames,
  simpleNames,
  type EntryName,
  type EntryNames,
} from './entry-names.js';
import { EntryQueue, type EntryQueueOptions, type QueueItem } from './entry-queue.js';
import { frame, unframe } from './item-frame.js';
import type { WaitOptions } from './patience.js';

export type QueueLayout = 'curator' | 'curator-framed' | 'kazoo';

export interface QueueOptions extends EntryQueueOptions {
  readonly layout?: QueueLayout;
}

export interface PutOptions extends WaitOptions {
  /** Kazoo's layout only: 0 to 999, the smallest first; 100 unless given. */
  readonly priority?: number;
}

const namesOf: Readonly<Record<QueueLayout, EntryNames>> = {
  curator: simpleNames,
  'curator-framed': framedNames,
  kazoo: kazooNames,
};

export class Queue extends EntryQueue<QueueItem> {
  readonly #layout: QueueLayout;

  constructor(client: ZkClient, path: string, options: QueueOptions = {}) {
    const layout = options.layout ?? 'curator';
    super(
      client,
      path,
      {
        names: namesOf[layout],
        isInOrderOfArrival: layout !== 'kazoo',
        open: (entry, data, at) => openPlain(layout === 'curator-framed', entry, data, at),
      },
      options,
    );
    this.#layout = layout;
  }

  /** Resolves when it is in the queue. */
  async put(data: Data, options: PutOptions = {}): Promise<void> {
    await this.putMany([data], options);
  }

  /** All or none, one after the other. */
  async putMany(items: readonly Data[], options: PutOptions = {}): Promise<void> {
    const priority = checkPriority(options.priority, this.#layout);
    const prefix = this.kind.names.prefix(priority);
    const letters = items.map((data) => ({ prefix, data: this.encode(data) }));
    await this.putAll(letters, options);
  }

  protected override encode(data: Data): Data {
    return this.#layout === 'curator-framed' ? framed(data) : data;
  }
}

/** 0 where there are none. */
export function checkPriority(priority: number | undefined, layout: string): number {
  if (layout !== 'kazoo') {
    if (priority === undefined) return 0;
    throw new TypeError(`the layout ${layout} has no priorities: use a PriorityQueue`);
  }
  const given = priority ?? 100;
  if (Number.isInteger(given) && given >= 0 && given <= 999) return given;
  throw new RangeError(`a priority is a whole number from 0 to 999, not ${given}`);
}

export function framed(data: Data): Uint8Array {
  return frame([typeof data === 'string' ? Buffer.from(data) : data]);
}

export function openPlain(
  isFramed: boolean,
  { name }: EntryName,
  data: Buffer,
  path: string,
): QueueItem[] {
  const items = isFramed ? unframe(data, path) : [data];
  return items.map((item) => ({ data: item, name }));
}
