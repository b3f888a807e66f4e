/**
 * The watches that one connection holds at its server, and those that it has asked for and has no
 * answer about yet: both count against limits, or a client would pass them by asking for a thousand at
 * once. A server keeps one watch of a kind for a path and connection, however often it is set.
 */
import { EventType, WatcherType } from '../../protocol/events.js';

/** As servers keep them: one that `exists` left on what is not there is a watch for data, too. */
export const WatchKind = { data: 1, child: 2, persistent: 4, recursive: 8 } as const;

const ANY = WatchKind.data | WatchKind.child | WatchKind.persistent | WatchKind.recursive;
const LASTING = WatchKind.persistent | WatchKind.recursive;

interface Watched {
  held: number;
  /** Requests without an answer by kind, in the order of the bits; null: there is none. */
  asked: [number, number, number, number] | null;
}

export class HeldWatches {
  readonly #byPath = new Map<string, Watched>();
  readonly #onChange: (path: string, change: number) => void;
  #count = 0;

  /** `change`: so many more there are of that path, held or asked for. */
  constructor(onChange: (path: string, change: number) => void) {
    this.#onChange = onChange;
  }

  /** Pairs of path and kind, held or asked for. */
  get count(): number {
    return this.#count;
  }

  *paths(): Iterable<readonly [path: string, count: number]> {
    for (const [path, watched] of this.#byPath) yield [path, bitCount(kindsOf(watched))];
  }

  /** They were asked for: until `answered` they count as if they were held. */
  ask(path: string, kinds: number): void {
    this.#change(path, (watched) => {
      const asked = (watched.asked ??= [0, 0, 0, 0]);
      for (let i = 0; i < asked.length; i++) if ((kinds & (1 << i)) !== 0) asked[i]!++;
    });
  }

  /** The answer to as many as were asked for: `held` of them are held from now on. */
  answered(path: string, kinds: number, held: number): void {
    this.#change(path, (watched) => {
      watched.held |= held;
      const { asked } = watched;
      if (asked === null) return;
      for (let i = 0; i < asked.length; i++) if ((kinds & (1 << i)) !== 0) asked[i]!--;
      if (asked.every((count) => count <= 0)) watched.asked = null;
    });
  }

  /** These are held no more. */
  spend(path: string, kinds: number): void {
    const known = this.#byPath.get(path);
    if (known === undefined || (known.held & kinds) === 0) return;
    this.#change(path, (watched) => {
      watched.held &= ~kinds;
    });
  }

  /** The connection has ended. */
  clear(): void {
    for (const [path, watched] of this.#byPath) this.#onChange(path, -bitCount(kindsOf(watched)));
    this.#byPath.clear();
    this.#count = 0;
  }

  #change(path: string, change: (watched: Watched) => void): void {
    const watched = this.#byPath.get(path) ?? { held: 0, asked: null };
    const before = bitCount(kindsOf(watched));
    change(watched);
    const after = bitCount(kindsOf(watched));
    if (after === 0) this.#byPath.delete(path);
    else if (before === 0) this.#byPath.set(path, watched);
    if (after === before) return;
    this.#count += after - before;
    this.#onChange(path, after - before);
  }
}

/** What an event of this type has spent. */
export function kindsSpentBy(type: number): number {
  switch (type) {
    case EventType.nodeCreated:
    case EventType.nodeDataChanged:
    case EventType.dataWatchRemoved:
      return WatchKind.data;
    case EventType.nodeDeleted:
      return WatchKind.data | WatchKind.child;
    case EventType.nodeChildrenChanged:
    case EventType.childWatchRemoved:
      return WatchKind.child;
    case EventType.persistentWatchRemoved:
      return LASTING;
    default:
      return 0;
  }
}

/** What removeWatches of this type takes away. */
export function kindsRemovedBy(watcherType: number): number {
  switch (watcherType) {
    case WatcherType.children:
      return WatchKind.child;
    case WatcherType.data:
      return WatchKind.data;
    case WatcherType.any:
      return ANY;
    case WatcherType.persistent:
      return WatchKind.persistent;
    case WatcherType.persistentRecursive:
      return WatchKind.recursive;
    default:
      return 0;
  }
}

function kindsOf({ held, asked }: Watched): number {
  let kinds = held;
  if (asked !== null) {
    for (let i = 0; i < asked.length; i++) if (asked[i]! > 0) kinds |= 1 << i;
  }
  return kinds;
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
