/**
 * Catching up: what was missed is found by reading every znode again, while events of the connection
 * already arrive. Answers and events come in the order in which they happened, so each answer is the
 * state of one znode at its place in that order, with the events before it contained in it and those
 * behind it not.
 *
 * So nothing is told before all is read. Then, for each znode, the state at the moment when the watch
 * was in place again (its base) is worked out: from its answer, with the effect of the events before
 * the answer taken off; or from the first event alone, where that says enough ("created": it was not
 * there before). The differences between what was told last and the bases come first, in an order
 * that can be true; then every event that was held back, in its own order.
 *
 * Of the first listing nothing is told to who reads the beginning himself. But when an earlier one was
 * cut off he may have read by then: he is told what has changed since, as far as it shows, and that
 * there is a gap where it does not.
 */
import { parentOf } from '../../protocol/paths.js';
import type { Stat, WatchEvent } from '../types.js';
import { EventBuffer } from './event-buffer.js';
import {
  hasChangedChildren,
  hasChangedData,
  isAnother,
  knownAfter,
  knownOf,
  UNKNOWN,
  type Known,
  type Ledger,
} from './ledger.js';

/** What happened to a znode before its base was found. */
interface Touch {
  changes: number;
  childChanges: number;
}

/** A znode whose base is found. */
interface Found {
  readonly base: Known | null;
  /** After all events so far. */
  now: Known | null;
}

/** A difference to tell. */
interface Arrival {
  readonly type: 'created' | 'changed' | 'children';
  readonly path: string;
  readonly known: Known;
  readonly zxid: bigint;
}

/**
 * How much of what is there is told: all that is different from what was told before, nothing (who
 * follows reads it himself), or what is newer than a zxid (he may have read it then; 0n: at some time).
 */
export type Told = 'differences' | 'nothing' | { readonly since: bigint };

/** Events that wait for the end of a listing are merged beyond this. */
const HELD_MAX = 16_384;

export class Listing {
  readonly #ledger: Ledger;
  readonly #isRecursive: boolean;
  readonly #held = new EventBuffer(HELD_MAX);
  readonly #touched = new Map<string, Touch>();
  readonly #found = new Map<string, Found>();

  constructor(ledger: Ledger, isRecursive: boolean) {
    this.#ledger = ledger;
    this.#isRecursive = isRecursive;
  }

  /** An event of the server, in its place among the answers. */
  onEvent(event: WatchEvent): void {
    const { type, path } = event;
    if (type === 'gap' || !this.#ledger.covers(path)) return;
    this.#held.push(event);
    const found = this.#found.get(path);
    if (found !== undefined) {
      found.now = knownAfter(found.now, event);
      return;
    }
    if (type === 'created' || type === 'deleted') {
      const base = type === 'created' ? null : (this.#ledger.get(path) ?? UNKNOWN);
      this.#found.set(path, { base, now: knownAfter(base, event) });
      return;
    }
    const touch = this.#touched.get(path) ?? { changes: 0, childChanges: 0 };
    if (type === 'changed') touch.changes++;
    else touch.childChanges++;
    this.#touched.set(path, touch);
  }

  /** A znode's answer, `stat` null: there is none. Returns the paths that must be read as well. */
  onRead(path: string, stat: Stat | null, children: readonly string[]): string[] {
    const now = stat === null ? null : knownOf(stat);
    const found = this.#found.get(path);
    if (found !== undefined) found.now = now;
    else this.#found.set(path, { base: this.#baseOf(path, now), now });
    // what was known below a znode that is gone goes with it
    if (!this.#isRecursive || now === null) return [];
    const prefix = path === '/' ? '/' : `${path}/`;
    const listed = new Set(children.map((name) => prefix + name));
    for (const child of this.#ledger.childrenOf(path)) {
      if (!listed.has(child)) this.#onMissing(child);
    }
    return [...listed].filter((child) => this.#isWanted(child));
  }

  /** A znode that may not be read: it is there, and what was known below it must be asked for. */
  onForbidden(path: string): string[] {
    if (!this.#found.has(path)) {
      const known = this.#ledger.get(path) ?? UNKNOWN;
      this.#found.set(path, { base: known, now: known });
    }
    return [...this.#ledger.childrenOf(path)].filter((child) => this.#isWanted(child));
  }

  /** Everything is read: tells. */
  finish(told: Told): void {
    const ledger = this.#ledger;
    ledger.isSilent = told !== 'differences';
    this.#tellDifferences();
    ledger.isSilent = false;
    if (typeof told === 'object') this.#tellSince(told.since);
    for (let event = this.#held.shift(); event !== undefined; event = this.#held.shift()) {
      ledger.apply(event);
    }
    // where the events did not add up to what was read, what was read is right
    for (const [path, { now }] of this.#found) {
      if (now === null) ledger.deleted(path, undefined);
      else if (ledger.has(path)) ledger.note(path, now);
      else ledger.created(path, now, now.czxid);
    }
  }

  #isWanted(path: string): boolean {
    const found = this.#found.get(path);
    // found by an event without a zxid: reading tells which znode it is
    return found === undefined || found.now?.czxid === 0n;
  }

  /** It is not there now: its parent has just said so. */
  #onMissing(path: string): void {
    if (this.#found.has(path)) return;
    this.#found.set(path, { base: this.#baseOf(path, null), now: null });
  }

  /** What `now` was before the events that this path has had. */
  #baseOf(path: string, now: Known | null): Known | null {
    const touch = this.#touched.get(path);
    if (touch === undefined) return now;
    if (now === null) return this.#ledger.get(path) ?? UNKNOWN;
    const { changes, childChanges } = touch;
    const version = now.version - changes;
    const cversion = now.cversion - childChanges;
    return {
      czxid: now.czxid,
      mzxid: changes === 0 ? now.mzxid : version === 0 ? now.czxid : 0n,
      pzxid: childChanges === 0 ? now.pzxid : 0n,
      version,
      cversion,
    };
  }

  #tellDifferences(): void {
    const ledger = this.#ledger;
    const gone: string[] = [];
    const assumed = new Set<string>();
    for (const [path, { base }] of this.#found) {
      const before = ledger.get(path);
      if (before === undefined) continue;
      if (base === before) assumed.add(path);
      if (base === null || isAnother(before, base)) gone.push(path);
    }
    for (const path of gone) ledger.deleted(path, undefined);
    const arrivals: Arrival[] = [];
    for (const [path, { base }] of this.#found) {
      if (base === null) continue;
      // without those that have just gone, and what went with them
      const before = ledger.get(path);
      if (before === undefined) {
        // taken to be as it was, it has gone with its parent: this one is another
        this.#addCreation(arrivals, path, assumed.has(path) ? UNKNOWN : base);
      } else this.#addChanges(arrivals, path, before, base);
    }
    this.#tellAll(arrivals);
  }

  #tellAll(arrivals: readonly Arrival[]): void {
    const ledger = this.#ledger;
    for (const { type, path, known, zxid } of inOrder(arrivals)) {
      if (type === 'created') ledger.created(path, known, zxid);
      else if (type === 'changed') ledger.changed(path, known, zxid);
      else ledger.childrenChanged(path, known, zxid);
    }
  }

  /** The bases have been entered in silence. */
  #tellSince(since: bigint): void {
    const ledger = this.#ledger;
    if (this.#mayHideSince(since)) {
      ledger.gap();
      return;
    }
    const arrivals: Arrival[] = [];
    for (const [path, { base }] of this.#found) {
      if (base === null) continue;
      const { czxid, mzxid, pzxid } = base;
      if (czxid > since) {
        ledger.isSilent = true;
        ledger.deleted(path, undefined);
        ledger.isSilent = false;
        this.#addCreation(arrivals, path, base);
        continue;
      }
      if (mzxid > since) arrivals.push({ type: 'changed', path, known: base, zxid: mzxid });
      if (this.#isRecursive || pzxid <= since) continue;
      arrivals.push({ type: 'children', path, known: base, zxid: pzxid });
    }
    this.#tellAll(arrivals);
  }

  /** Whether something may have been there at `since` of which there is no trace now. */
  #mayHideSince(since: bigint): boolean {
    const root = this.#found.get(this.#ledger.root)?.base ?? null;
    if (since === 0n || root === null) return true;
    if (!this.#isRecursive) return false;
    return [...this.#found.values()].some(({ base }) => {
      if (base === null) return false;
      const isUnknown = base.czxid === 0n;
      return isUnknown || base.czxid > since || base.pzxid > since;
    });
  }

  #addCreation(arrivals: Arrival[], path: string, known: Known): void {
    arrivals.push({ type: 'created', path, known, zxid: known.czxid });
    if (this.#isRecursive || known.cversion <= 0) return;
    arrivals.push({ type: 'children', path, known, zxid: known.pzxid });
  }

  #addChanges(arrivals: Arrival[], path: string, before: Known, known: Known): void {
    if (hasChangedData(before, known)) {
      const zxid = before.mzxid === 0n ? 0n : known.mzxid;
      arrivals.push({ type: 'changed', path, known, zxid });
    }
    if (!this.#isRecursive && hasChangedChildren(before, known)) {
      const zxid = before.pzxid === 0n ? 0n : known.pzxid;
      arrivals.push({ type: 'children', path, known, zxid });
    }
    this.#ledger.note(path, known);
  }
}

/** By zxid; a creation whose zxid is not known goes with its parent's, a change goes last. */
function inOrder(arrivals: readonly Arrival[]): Arrival[] {
  const parentsFirst = [...arrivals].sort((a, b) => a.path.length - b.path.length);
  const createdAt = new Map<string, bigint>();
  const placed = parentsFirst.map((arrival) => {
    const { type, path, zxid } = arrival;
    if (type !== 'created') {
      const at = zxid !== 0n ? zxid : (createdAt.get(path) ?? LAST);
      return { arrival, at };
    }
    const at = zxid !== 0n ? zxid : (createdAt.get(parentOf(path)) ?? 0n);
    createdAt.set(path, at);
    return { arrival, at };
  });
  // the sort is stable: at one zxid parents stay before children, creations before changes
  placed.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return placed.map(({ arrival }) => arrival);
}

const LAST = 1n << 64n;
