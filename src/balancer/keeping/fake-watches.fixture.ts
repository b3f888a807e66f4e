/** The watches of one connection by the rules of a server, written without looking at the ledger. */
import { EventType } from '../../protocol/events.js';

export type FakeKind = 'data' | 'exist' | 'child' | 'persistent' | 'recursive';

export interface Happening {
  readonly type: number;
  readonly path: string;
}

export class FakeWatches {
  readonly #paths: Readonly<Record<FakeKind, Set<string>>> = {
    data: new Set(),
    exist: new Set(),
    child: new Set(),
    persistent: new Set(),
    recursive: new Set(),
  };

  add(kind: FakeKind, path: string): void {
    this.#paths[kind].add(path);
  }

  /** As removeWatches does. False: there was none. */
  remove(path: string, type: number): boolean {
    const kinds = kindsOfType[type] ?? [];
    let wasHeld = false;
    for (const kind of kinds) if (this.#paths[kind].delete(path)) wasHeld = true;
    return wasHeld;
  }

  get size(): number {
    return Object.values(this.#paths).reduce((sum, { size }) => sum + size, 0);
  }

  /** True: whoever holds these is told, once. Those that it was for are spent. */
  fire({ type, path }: Happening): boolean {
    const { data, exist, child, persistent } = this.#paths;
    const isChildren = type === EventType.nodeChildrenChanged;
    let isTold = persistent.has(path);
    if (isChildren || type === EventType.nodeDeleted) isTold = child.delete(path) || isTold;
    if (isChildren) return isTold;
    isTold = data.delete(path) || isTold;
    isTold = exist.delete(path) || isTold;
    return isTold || this.#isBelowRecursive(path);
  }

  #isBelowRecursive(path: string): boolean {
    const { recursive } = this.#paths;
    for (let at = path; ; at = parentOf(at)) {
      if (recursive.has(at)) return true;
      if (at === '/') return false;
    }
  }
}

const kindsOfType: Readonly<Record<number, readonly FakeKind[]>> = {
  1: ['child'],
  2: ['data', 'exist'],
  3: ['data', 'exist', 'child', 'persistent', 'recursive'],
  4: ['persistent'],
  5: ['recursive'],
};

export function parentOf(path: string): string {
  const at = path.lastIndexOf('/');
  return at <= 0 ? '/' : path.slice(0, at);
}
