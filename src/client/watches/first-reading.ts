/**
 * The first reading of a subtree takes a while where it is followed with one-shot watches. Somebody
 * who reads the beginning himself may meanwhile have seen what is gone when its turn comes here, and
 * is then owed more than the events of what was read. This finds out whether he may: where something
 * that a parent named was not found any more, and where the counts of a parent's changes show that it
 * has lost children before they were listed.
 */
import type { Stat } from '../types.js';

/** What is counted of a parent: every creation and every deletion of a child is one change. */
interface Counts {
  readonly cversion: number;
  readonly numChildren: number;
}

interface Parent {
  readonly czxid: bigint;
  /** As it was when the telling began, or when it was made; null: not known. */
  readonly before: Counts | null;
  isListed: boolean;
}

const NO_CHILDREN: Counts = { cversion: 0, numChildren: 0 };

export class FirstReading {
  /** He may have seen what nothing here tells of. */
  isUnsure = false;
  readonly #isRecursive: boolean;
  /** To be read; what was there had this zxid at most. */
  readonly #named = new Map<string, bigint>();
  readonly #parents = new Map<string, Parent>();

  constructor(isRecursive: boolean) {
    this.#isRecursive = isRecursive;
  }

  /** It was there when `zxid` was the newest, or may have been. */
  name(path: string, zxid: bigint): void {
    if (!this.#named.has(path)) this.#named.set(path, zxid);
  }

  /** A znode, null: it is not there. `since`: where the telling begins. */
  onRead(path: string, stat: Stat | null, since: bigint): void {
    const named = this.#named.get(path);
    this.#named.delete(path);
    if (stat === null) {
      if (named !== undefined) this.isUnsure = true;
      return;
    }
    // another one by now, and what was below the first was not looked at
    if (named !== undefined && stat.czxid > named && this.#isRecursive) this.isUnsure = true;
    this.#parentOf(path, stat, since);
  }

  onListed(path: string, stat: Stat, since: bigint): void {
    const parent = this.#parentOf(path, stat, since);
    if (parent.isListed) return;
    parent.isListed = true;
    const { before } = parent;
    const changes = stat.cversion - (before?.cversion ?? 0);
    const more = stat.numChildren - (before?.numChildren ?? 0);
    if (before === null || changes > more) this.isUnsure = true;
  }

  #parentOf(path: string, stat: Stat, since: bigint): Parent {
    const known = this.#parents.get(path);
    if (known?.czxid === stat.czxid) return known;
    const { czxid, pzxid } = stat;
    const before = czxid > since ? NO_CHILDREN : pzxid > since ? null : stat;
    const parent = { czxid, before, isListed: false };
    this.#parents.set(path, parent);
    return parent;
  }
}
