/**
 * Events on their way to somebody who may be slow. They are kept one by one up to a limit; beyond it
 * what concerns one path is merged into what it comes to, so that the buffer never holds more than
 * three events for each znode that is there or was there when the reader last looked: a slow reader
 * costs memory in proportion to the tree, not to the time it sleeps.
 *
 * Merging keeps the order that readers rely on: a znode's creation comes after its parent's, its
 * deletion before its parent's, and both before what follows them.
 */
import type { WatchEvent } from '../types.js';

/** What the events of one path come to; indices into the events, -1: none. */
interface Sum {
  readonly wasThere: boolean;
  isThere: boolean;
  deletedFirst: number;
  createdLast: number;
  changedLast: number;
  childrenLast: number;
}

export class EventBuffer {
  readonly #keptMax: number;
  #events: WatchEvent[] = [];
  #head = 0;
  #mergeAt: number;

  /** More than `keptMax` events are merged. */
  constructor(keptMax: number) {
    this.#keptMax = keptMax;
    this.#mergeAt = keptMax;
  }

  get size(): number {
    return this.#events.length - this.#head;
  }

  push(event: WatchEvent): void {
    this.#events.push(event);
    if (this.size <= this.#mergeAt) return;
    this.#events = merged(this.#events.slice(this.#head));
    this.#head = 0;
    // when little could be merged, try again only after as much again has come
    this.#mergeAt = Math.max(this.#keptMax, 2 * this.#events.length);
  }

  shift(): WatchEvent | undefined {
    const event = this.#events[this.#head];
    if (event === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#events.length) {
      this.clear();
    } else if (this.#head >= COMPACT_FROM && this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }

  clear(): void {
    this.#events = [];
    this.#head = 0;
    this.#mergeAt = this.#keptMax;
  }
}

const COMPACT_FROM = 1024;

function merged(events: readonly WatchEvent[]): WatchEvent[] {
  const sums = new Map<string, Sum>();
  let gapLast = -1;
  for (const [i, { type, path }] of events.entries()) {
    if (type === 'gap') {
      gapLast = i;
      continue;
    }
    let sum = sums.get(path);
    if (sum === undefined) {
      const wasThere = type !== 'created';
      sum = { wasThere, isThere: wasThere, ...NOTHING };
      sums.set(path, sum);
    }
    addTo(sum, type, i);
  }
  const kept = gapLast < 0 ? [] : [gapLast];
  for (const sum of sums.values()) keep(sum, kept);
  return kept.sort((a, b) => a - b).map((i) => events[i]!);
}

const NOTHING = { deletedFirst: -1, createdLast: -1, changedLast: -1, childrenLast: -1 };

function addTo(sum: Sum, type: 'created' | 'deleted' | 'changed' | 'children', at: number): void {
  switch (type) {
    case 'created':
      sum.isThere = true;
      sum.createdLast = at;
      break;
    case 'deleted':
      sum.isThere = false;
      if (sum.deletedFirst < 0) sum.deletedFirst = at;
      break;
    case 'changed':
      sum.changedLast = at;
      break;
    case 'children':
      sum.childrenLast = at;
  }
}

function keep(sum: Sum, kept: number[]): void {
  const { wasThere, isThere, createdLast } = sum;
  const isAnother = wasThere && sum.deletedFirst >= 0;
  if (isAnother) kept.push(sum.deletedFirst);
  if (!isThere) return;
  if (!wasThere || isAnother) kept.push(createdLast);
  // a change of data is part of the creation before it: who hears of that reads the data anyway
  else if (sum.changedLast >= 0) kept.push(sum.changedLast);
  if (sum.childrenLast > createdLast) kept.push(sum.childrenLast);
}
