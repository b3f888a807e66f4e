/**
 * The watches of one connection in the model, and the events they owe for a change: which, how often
 * and in which order (reliability.md 3.2, W1 to W10).
 */
import { AddWatchMode, EventType, WatcherType } from '../protocol/events.js';
import { parentOf } from '../protocol/paths.js';
import { Perms } from '../protocol/perms.js';
import type { ACL, SetWatches, SetWatches2 } from '../protocol/records.js';
import type { AuthId } from './history.js';
import type { Change, Model } from './model.js';

export interface OwedEvent {
  readonly type: number;
  readonly path: string;
}

const STANDARD = 1;
const PERSISTENT = 2;
const RECURSIVE = 4;
const ANY = 7;

type Table = Map<string, number>;

export class ModelWatches {
  readonly #model: Model;
  readonly #data: Table = new Map();
  readonly #child: Table = new Map();
  /** One-shot watches that were spent by events which their holder may not see: it cannot know. */
  readonly #untold: { readonly data: Set<string>; readonly child: Set<string> } = {
    data: new Set(),
    child: new Set(),
  };

  constructor(model: Model) {
    this.#model = model;
  }

  get isEmpty(): boolean {
    return this.#data.size === 0 && this.#child.size === 0;
  }

  watchData(path: string): void {
    this.#untold.data.delete(path);
    raise(this.#data, path, STANDARD);
  }

  watchChildren(path: string): void {
    this.#untold.child.delete(path);
    raise(this.#child, path, STANDARD);
  }

  add(path: string, mode: number): void {
    if (mode === AddWatchMode.persistentRecursive) {
      raise(this.#data, path, RECURSIVE);
      return;
    }
    raise(this.#data, path, PERSISTENT);
    raise(this.#child, path, PERSISTENT);
  }

  holds(path: string, type: number): boolean {
    const data = this.#data.get(path) ?? 0;
    const child = this.#child.get(path) ?? 0;
    switch (type) {
      case WatcherType.children:
        return (child & STANDARD) !== 0;
      case WatcherType.data:
        return (data & STANDARD) !== 0;
      case WatcherType.persistent:
        return (data & PERSISTENT) !== 0;
      case WatcherType.persistentRecursive:
        return (data & RECURSIVE) !== 0;
      default:
        return (data | child) !== 0;
    }
  }

  /** True when there was such a watch. */
  remove(path: string, type: number): boolean {
    const isHeld = this.holds(path, type);
    switch (type) {
      case WatcherType.children:
        lower(this.#child, path, STANDARD);
        break;
      case WatcherType.data:
        lower(this.#data, path, STANDARD);
        break;
      case WatcherType.persistent:
        lower(this.#data, path, PERSISTENT);
        lower(this.#child, path, PERSISTENT);
        break;
      case WatcherType.persistentRecursive:
        lower(this.#data, path, RECURSIVE);
        break;
      default:
        lower(this.#data, path, ANY);
        lower(this.#child, path, ANY);
    }
    return isHeld;
  }

  /** Paths with one-shot watches. */
  oneShots(): { readonly data: ReadonlySet<string>; readonly child: ReadonlySet<string> } {
    return { data: oneShotsIn(this.#data), child: oneShotsIn(this.#child) };
  }

  dropOneShots(): void {
    for (const table of [this.#data, this.#child]) {
      for (const path of oneShotsIn(table)) lower(table, path, STANDARD);
    }
  }

  /** An event came that no change is known for. False: no one-shot watch would bring it. */
  spendFor({ type, path }: OwedEvent): boolean {
    const { data, child } = this.oneShots();
    const isData = type !== EventType.nodeChildrenChanged && data.has(path);
    const isChild =
      (type === EventType.nodeChildrenChanged || type === EventType.nodeDeleted) && child.has(path);
    if (isData) lower(this.#data, path, STANDARD);
    if (isChild) lower(this.#child, path, STANDARD);
    return isData || isChild;
  }

  /** Who keeps watches for the client does not know either that such a one was spent. */
  mayStillHold(path: string): boolean {
    return this.#untold.data.has(path) || this.#untold.child.has(path);
  }

  /** True: the event is one that such a watch would bring; it is spent now. */
  takeUntold({ type, path }: OwedEvent): boolean {
    const { data, child } = this.#untold;
    switch (type) {
      case EventType.nodeChildrenChanged:
        return child.delete(path);
      case EventType.nodeDeleted: {
        const isData = data.delete(path);
        return child.delete(path) || isData;
      }
      default:
        return data.delete(path);
    }
  }

  /**
   * What a client that sets its watches again is told at once of what it missed (W5). It named the
   * paths itself, so no ACL is asked.
   */
  setAgain(asked: SetWatches & Partial<SetWatches2>): OwedEvent[] {
    const owed: OwedEvent[] = [];
    const model = this.#model;
    const tell = (type: number, path: string): void => {
      owed.push({ type, path });
    };
    for (const path of paths(asked.dataWatches)) {
      const node = model.find(path);
      if (node === undefined) tell(EventType.nodeDeleted, path);
      else if (node.mzxid > asked.relativeZxid) tell(EventType.nodeDataChanged, path);
      else this.watchData(path);
    }
    for (const path of paths(asked.existWatches)) {
      if (model.find(path) !== undefined) tell(EventType.nodeCreated, path);
      else this.watchData(path);
    }
    for (const path of paths(asked.childWatches)) {
      const node = model.find(path);
      if (node === undefined) tell(EventType.nodeDeleted, path);
      else if (node.pzxid > asked.relativeZxid) tell(EventType.nodeChildrenChanged, path);
      else this.watchChildren(path);
    }
    for (const path of paths(asked.persistentWatches)) this.add(path, AddWatchMode.persistent);
    for (const path of paths(asked.persistentRecursiveWatches)) {
      this.add(path, AddWatchMode.persistentRecursive);
    }
    return owed;
  }

  /** The events owed for one change, in order; one-shot watches are spent by it. */
  fire(change: Change, caller: readonly AuthId[]): OwedEvent[] {
    const { kind, path, acl, parentAcl } = change;
    const owed: OwedEvent[] = [];
    const tell = (type: number, about: string, guardedBy: readonly ACL[]): boolean => {
      const isTold = this.#model.mayDo(guardedBy, Perms.read, caller);
      if (isTold) owed.push({ type, path: about });
      return isTold;
    };
    const parent = parentOf(path);
    const wasData = isOneShot(this.#data, path);
    const wasChild = kind === 'deleted' && isOneShot(this.#child, path);
    const wasAbove = isOneShot(this.#child, parent);
    const type =
      kind === 'created'
        ? EventType.nodeCreated
        : kind === 'deleted'
          ? EventType.nodeDeleted
          : EventType.nodeDataChanged;
    let isMine = spend(this.#data, path);
    for (let above = path; above !== '/' && !isMine;) {
      above = parentOf(above);
      isMine = ((this.#data.get(above) ?? 0) & RECURSIVE) !== 0;
    }
    // whoever watches a znode and its children hears of its deletion once
    if (kind === 'deleted' && spend(this.#child, path)) isMine = true;
    if (isMine && !tell(type, path, acl)) {
      if (wasData) this.#untold.data.add(path);
      if (wasChild) this.#untold.child.add(path);
    }
    if (kind === 'dataChanged' || !spend(this.#child, parent)) return owed;
    const isTold = tell(EventType.nodeChildrenChanged, parent, parentAcl);
    if (!isTold && wasAbove) this.#untold.child.add(parent);
    return owed;
  }
}

function paths(list: readonly (string | null)[] | null | undefined): string[] {
  return (list ?? []).map((path) => path ?? '');
}

function raise(table: Table, path: string, mode: number): void {
  table.set(path, (table.get(path) ?? 0) | mode);
}

function lower(table: Table, path: string, modes: number): void {
  const left = (table.get(path) ?? 0) & ~modes;
  if (left === 0) table.delete(path);
  else table.set(path, left);
}

function isOneShot(table: Table, path: string): boolean {
  return ((table.get(path) ?? 0) & STANDARD) !== 0;
}

function oneShotsIn(table: Table): Set<string> {
  return new Set([...table.keys()].filter((path) => isOneShot(table, path)));
}

/** True: somebody watches this path; a one-shot watch is gone by that. */
function spend(table: Table, path: string): boolean {
  const modes = table.get(path) ?? 0;
  lower(table, path, STANDARD);
  return modes !== 0;
}
