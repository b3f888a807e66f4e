/**
 * Which watchers wait for what, by the path as the server knows it. The server keeps at most one
 * watch per connection, path and kind, whoever asked for it; telling it apart again is done here, and
 * so is telling a new connection what the old one watched.
 *
 * A watcher that is in several lists hears of a change once. Watchers of a handle with another root
 * are entered with that root's length, which is cut off the path of what they are told.
 */
import { ErrorCode } from '../../protocol/errors.js';
import { EventType, WatcherType } from '../../protocol/events.js';
import { setWatchesBytes } from '../../protocol/limits.js';
import { OpCode } from '../../protocol/opcodes.js';
import { validatePath } from '../../protocol/paths.js';
import type { SetWatches, SetWatches2 } from '../../protocol/records.js';
import { utf8Length } from '../../protocol/utf8.js';
import type { WatchEvent, WatchEventType, Watcher, WatchKind } from '../types.js';

/** What a list waits for. The first three are spent by the event that they waited for. */
export type WatchList = 'data' | 'exist' | 'child' | 'persistent' | 'recursive';

/** The reads that can leave a watch. */
export type WatchingRead = 'getData' | 'exists' | 'getChildren';

/** One request that sets watches again. */
export type SetWatchesPacket =
  | { readonly op: typeof OpCode.setWatches; readonly request: SetWatches }
  | { readonly op: typeof OpCode.setWatches2; readonly request: SetWatches2 };

/** Lengths of the roots to cut off; nearly always one. */
type Cuts = number | readonly number[];
type Audience = Map<Watcher, Cuts>;

const LISTS = ['data', 'exist', 'child', 'persistent', 'recursive'] as const;

const listsOfKind: Readonly<Record<WatchKind, readonly WatchList[]>> = {
  data: ['data', 'exist'],
  children: ['child'],
  any: LISTS,
  persistent: ['persistent'],
  'persistent-recursive': ['recursive'],
};

const typeOfKind: Readonly<Record<WatchKind, number>> = {
  data: WatcherType.data,
  children: WatcherType.children,
  any: WatcherType.any,
  persistent: WatcherType.persistent,
  'persistent-recursive': WatcherType.persistentRecursive,
};

const typeOfEvent = new Map<number, WatchEventType>([
  [EventType.nodeCreated, 'created'],
  [EventType.nodeDeleted, 'deleted'],
  [EventType.nodeDataChanged, 'changed'],
  [EventType.nodeChildrenChanged, 'children'],
]);

export class WatchBook {
  readonly #tell: (watcher: Watcher, event: WatchEvent) => void;
  readonly #lists: Readonly<Record<WatchList, Map<string, Audience>>> = {
    data: new Map(),
    exist: new Map(),
    child: new Map(),
    persistent: new Map(),
    recursive: new Map(),
  };
  /** Those that see to their removal themselves. */
  readonly #kept = new WeakSet<Watcher>();
  /** Persistent watches that a server is being asked for, by list and path. */
  readonly #expected = new Map<string, number>();
  /** Of the event that is being looked up; empty otherwise. */
  readonly #due: Audience[] = [];

  /**
   * `tell` calls the watcher; unless given, an error of its is thrown again outside of this call,
   * where it cannot keep others from being told.
   */
  constructor(tell: (watcher: Watcher, event: WatchEvent) => void = tellSafely) {
    this.#tell = tell;
  }

  /** Paths and lists with at least one watcher: what a new connection must set again. */
  get size(): number {
    let count = 0;
    for (const list of LISTS) count += this.#lists[list].size;
    return count;
  }

  get hasPersistent(): boolean {
    return this.#lists.persistent.size > 0 || this.#lists.recursive.size > 0;
  }

  add(list: WatchList, path: string, watcher: Watcher, cut = 0): void {
    const byPath = this.#lists[list];
    const audience = byPath.get(path);
    if (audience === undefined) byPath.set(path, new Map([[watcher, cut]]));
    else audience.set(watcher, withCut(audience.get(watcher), cut));
  }

  /** From now on `remove` takes this one only when it is named. */
  keep(watcher: Watcher): void {
    this.#kept.add(watcher);
  }

  /**
   * A server is asked for this watch: until the function that is returned is called, nobody may have
   * it removed there, although nobody is in the list yet.
   */
  expect(list: WatchList, path: string): () => void {
    const key = `${list} ${path}`;
    this.#expected.set(key, (this.#expected.get(key) ?? 0) + 1);
    let isDone = false;
    return () => {
      if (isDone) return;
      isDone = true;
      const count = (this.#expected.get(key) ?? 1) - 1;
      if (count === 0) this.#expected.delete(key);
      else this.#expected.set(key, count);
    };
  }

  /**
   * Enters a read's watcher as the answer tells: a read that failed leaves none, but `exists` of a
   * znode that is not there waits for it to be created. True: it was entered.
   * To be called while the answer is decoded, before any event behind it.
   */
  addByRead(read: WatchingRead, err: number, path: string, watcher: Watcher, cut = 0): boolean {
    if (err === ErrorCode.noNode && read === 'exists') this.add('exist', path, watcher, cut);
    else if (err !== ErrorCode.ok) return false;
    else this.add(read === 'getChildren' ? 'child' : 'data', path, watcher, cut);
    return true;
  }

  /**
   * Tells whoever waits for this event of the wire; `zxid` as its header has it (-1: none). Who adds
   * or removes watches meanwhile does not change who is told. Returns how many were: 0 for an event
   * that nobody here waits for, which is dropped.
   */
  dispatch(wireType: number, path: string, zxid: bigint): number {
    const type = typeOfEvent.get(wireType);
    if (type === undefined || path.charCodeAt(0) !== SLASH) return 0;
    const due = this.#due;
    if (type !== 'children') {
      this.#spend('data', path);
      this.#spend('exist', path);
    }
    if (type === 'children' || type === 'deleted') this.#spend('child', path);
    const persistent = this.#lists.persistent.get(path);
    if (persistent !== undefined) due.push(persistent);
    // servers before 3.9 tell recursive watchers of children too
    if (type !== 'children' && this.#lists.recursive.size > 0 && validatePath(path) === null) {
      this.#gatherAbove(path);
    }
    const [first, second] = due;
    if (first === undefined) return 0;
    const audience = second === undefined ? first : unionOf(due);
    due.length = 0;
    return this.#tellAll(audience, type, path, zxid);
  }

  /** Whether a watcher (or this one) of that kind is on the path. */
  has(path: string, kind: WatchKind, watcher: Watcher | null = null): boolean {
    return listsOfKind[kind].some((list) => {
      const audience = this.#lists[list].get(path);
      return audience !== undefined && (watcher === null || audience.has(watcher));
    });
  }

  /** Removes them (or this one); false when there was none. */
  remove(path: string, kind: WatchKind, watcher: Watcher | null = null): boolean {
    let isRemoved = false;
    for (const list of listsOfKind[kind]) {
      if (this.removeFromList(list, path, watcher)) isRemoved = true;
    }
    return isRemoved;
  }

  /** All that are not kept, or this one, out of one list; false when there was none. */
  removeFromList(list: WatchList, path: string, watcher: Watcher | null): boolean {
    const byPath = this.#lists[list];
    const audience = byPath.get(path);
    if (audience === undefined) return false;
    const sizeBefore = audience.size;
    if (watcher !== null) audience.delete(watcher);
    else for (const one of audience.keys()) if (!this.#kept.has(one)) audience.delete(one);
    if (audience.size === 0) byPath.delete(path);
    return audience.size < sizeBefore;
  }

  /**
   * What the server may be asked to remove so that nobody else on this path loses their watch; null
   * for nothing, because others still wait. `knowsPersistent` false: servers before 3.9 know no kinds
   * of persistent watches, there only "any" takes one off.
   */
  serverRemoval(path: string, kind: WatchKind, knowsPersistent = true): number | null {
    const isPersistent = kind === 'persistent' || kind === 'persistent-recursive';
    const asked: WatchKind = isPersistent && !knowsPersistent ? 'any' : kind;
    const isExpected = listsOfKind[asked].some((list) => this.#expected.has(`${list} ${path}`));
    return isExpected || this.has(path, asked) ? null : typeOfKind[asked];
  }

  /**
   * The requests that set everything again, each of at most 128 KiB of paths (but at least one
   * path). `relativeZxid` is the newest that the client has seen: the server tells what changed since.
   */
  registrations(relativeZxid: bigint): SetWatchesPacket[] {
    const isSecondForm = this.hasPersistent;
    const packets: SetWatchesPacket[] = [];
    let lists = emptyLists();
    let byteCount = 0;
    const flush = (): void => {
      if (byteCount === 0) return;
      packets.push(packetOf(isSecondForm, relativeZxid, lists));
      lists = emptyLists();
      byteCount = 0;
    };
    for (const list of LISTS) {
      for (const path of this.#lists[list].keys()) {
        const pathBytes = 4 + utf8Length(path);
        if (byteCount + pathBytes > setWatchesBytes) flush();
        lists[list].push(path);
        byteCount += pathBytes;
      }
    }
    flush();
    return packets;
  }

  /**
   * The session is over: every one-shot watcher is told a 'gap', once, and forgotten, so that nobody
   * waits for an event that cannot come. Persistent ones stay for the next session.
   */
  lost(): void {
    const told = new Set<Watcher>();
    for (const list of ['data', 'exist', 'child'] as const) {
      const byPath = [...this.#lists[list]];
      this.#lists[list].clear();
      for (const [path, audience] of byPath) {
        for (const [watcher, cuts] of audience) {
          if (told.has(watcher)) continue;
          told.add(watcher);
          this.#tellGap(watcher, cuts, path);
        }
      }
    }
  }

  /**
   * The server knows no persistent watches: they are taken out, each watcher told a 'gap', so that
   * setting the rest again does not fail for ever.
   */
  dropPersistent(): void {
    for (const list of ['persistent', 'recursive'] as const) {
      const byPath = [...this.#lists[list]];
      this.#lists[list].clear();
      for (const [path, audience] of byPath) {
        for (const [watcher, cuts] of audience) this.#tellGap(watcher, cuts, path);
      }
    }
  }

  /** Forgets everybody, silently: the client was closed by its owner. */
  clear(): void {
    for (const list of LISTS) this.#lists[list].clear();
  }

  #spend(list: WatchList, path: string): void {
    const audience = this.#lists[list].get(path);
    if (audience === undefined) return;
    this.#lists[list].delete(path);
    this.#due.push(audience);
  }

  /** Recursive watchers of the path and of everything above it. */
  #gatherAbove(path: string): void {
    const { recursive } = this.#lists;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const audience = recursive.get(end === path.length ? path : path.slice(0, end));
      if (audience !== undefined) this.#due.push(audience);
    }
    const atTop = path === '/' ? undefined : recursive.get('/');
    if (atTop !== undefined) this.#due.push(atTop);
  }

  #tellAll(audience: Audience, type: WatchEventType, path: string, zxid: bigint): number {
    if (audience.size === 1) {
      const only = audience.entries().next().value;
      if (only?.[1] === 0) {
        this.#tell(only[0], eventOf(type, path, zxid));
        return 1;
      }
    }
    let told = 0;
    let whole: WatchEvent | null = null;
    // of a copy, because they may come and go while they are told
    for (const [watcher, cuts] of [...audience]) {
      for (const cut of typeof cuts === 'number' ? [cuts] : cuts) {
        told++;
        if (cut === 0) this.#tell(watcher, (whole ??= eventOf(type, path, zxid)));
        else this.#tell(watcher, eventOf(type, cutPath(path, cut), zxid));
      }
    }
    return told;
  }

  #tellGap(watcher: Watcher, cuts: Cuts, path: string): void {
    for (const cut of typeof cuts === 'number' ? [cuts] : cuts) {
      this.#tell(watcher, { type: 'gap', path: cutPath(path, cut) });
    }
  }
}

const SLASH = 0x2f;

type PathLists = Readonly<Record<WatchList, string[]>>;

function emptyLists(): PathLists {
  return { data: [], exist: [], child: [], persistent: [], recursive: [] };
}

function packetOf(
  isSecondForm: boolean,
  relativeZxid: bigint,
  { data, exist, child, persistent, recursive }: PathLists,
): SetWatchesPacket {
  const oneShots = {
    relativeZxid,
    dataWatches: data,
    existWatches: exist,
    childWatches: child,
  };
  if (!isSecondForm) return { op: OpCode.setWatches, request: oneShots };
  const persistentOnes = { persistentWatches: persistent, persistentRecursiveWatches: recursive };
  return { op: OpCode.setWatches2, request: { ...oneShots, ...persistentOnes } };
}

function withCut(cuts: Cuts | undefined, cut: number): Cuts {
  if (cuts === undefined || cuts === cut) return cut;
  if (typeof cuts === 'number') return [cuts, cut];
  return cuts.includes(cut) ? cuts : [...cuts, cut];
}

/** Who is in several is told once. */
function unionOf(audiences: readonly Audience[]): Audience {
  const union: Audience = new Map();
  for (const audience of audiences) {
    for (const [watcher, cuts] of audience) {
      for (const cut of typeof cuts === 'number' ? [cuts] : cuts) {
        union.set(watcher, withCut(union.get(watcher), cut));
      }
    }
  }
  return union;
}

function cutPath(path: string, cut: number): string {
  if (cut === 0) return path;
  return path.length === cut ? '/' : path.slice(cut);
}

function eventOf(type: WatchEventType, path: string, zxid: bigint): WatchEvent {
  return zxid > 0n ? { type, path, zxid } : { type, path };
}

function tellSafely(watcher: Watcher, event: WatchEvent): void {
  try {
    watcher(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
