/**
 * What watches missed while nobody told, from two looks at the same znodes: the paths that the client
 * knew, and what a server shows now. Data and children carry the zxid of their last change, and a znode
 * that of its creation; whatever is later than what the client has been told was missed. A znode that was
 * deleted and created again is told as both. Of several changes the last one is told, and a znode that
 * came and went in between has left no trace.
 *
 * The second look takes a while, and the server tells events meanwhile. They count from the moment at
 * which it had set the watches (`until`); what is missing is what came before, so of a znode that was
 * told about since then only what the first such event implies is used.
 */
import { EventType } from '../../protocol/events.js';
import { parentOf } from '../../protocol/paths.js';
import { eventKey } from './delivered.js';

/** When a znode was created, changed, and got or lost a child. */
export interface NodeDates {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly pzxid: bigint;
  readonly version: number;
  readonly numChildren: number;
}

/** gone: it is not there. hidden: the client may not read it. */
export type Seen = NodeDates | 'gone' | 'hidden';

export interface LiveEvent {
  readonly type: number;
  readonly zxid: bigint;
}

export interface TwoLooks {
  /** Everything up to here has been told. */
  readonly base: bigint;
  /** From here on the server tells by itself. */
  readonly until: bigint;
  /** The client knew that it was there. */
  wasThere(path: string): boolean;
  /** All that were there, and those that the server has shown besides. */
  readonly seen: ReadonlyMap<string, Seen>;
  /** By path, the first event that the server has told since it watches. */
  readonly live: ReadonlyMap<string, LiveEvent>;
  /** Children's comings and goings are told, too. */
  hearsChildren(path: string): boolean;
  /** An event behind `base` that was told already; true once for each. */
  takeTold(zxid: bigint, key: string): boolean;
}

/** Of a deletion nobody knows the zxid. */
export const UNDATED = -1n;

export interface MissedEvent {
  readonly type: number;
  readonly path: string;
  /** Of its transaction, or UNDATED. */
  readonly zxid: bigint;
}

interface Placed extends MissedEvent {
  /** It happened then, or before. */
  readonly at: bigint;
}

const { nodeCreated, nodeDeleted, nodeDataChanged, nodeChildrenChanged } = EventType;
/** Of events of one transaction: what goes, what comes, what becomes of it. */
const rankOf: Readonly<Record<number, number>> = {
  [nodeDeleted]: 0,
  [nodeCreated]: 1,
  [nodeDataChanged]: 2,
  [nodeChildrenChanged]: 3,
};

/** In the order in which it happened, as far as that can be known. */
export function missedEvents(looks: TwoLooks): MissedEvent[] {
  const events: Placed[] = [];
  for (const path of looks.seen.keys()) collect(looks, path, events);
  for (const path of looks.live.keys()) if (!looks.seen.has(path)) collect(looks, path, events);
  return events.sort(inOrder).map(({ type, path, zxid }) => ({ type, path, zxid }));
}

function collect(looks: TwoLooks, path: string, events: Placed[]): void {
  const { base } = looks;
  const wasThere = looks.wasThere(path);
  if (!isThere(looks, path)) {
    if (wasThere && looks.seen.get(path) !== 'hidden') {
      events.push({ type: nodeDeleted, path, zxid: UNDATED, at: deletedBy(looks, path) });
    }
    return;
  }
  const dates = datesOf(looks, path);
  if (dates === null) {
    // it has changed since; what it was before shows in nothing but its being there
    if (!wasThere) events.push({ type: nodeCreated, path, zxid: UNDATED, at: looks.until });
    return;
  }
  const { czxid, mzxid, pzxid, version, numChildren } = dates;
  const tell = (type: number, zxid: bigint): void => {
    events.push({ type, path, zxid, at: zxid });
  };
  // one that is older and was not known could not be read before: of that nobody tells anything
  const isTold = wasThere && looks.takeTold(czxid, eventKey(nodeCreated, path));
  const isAnew = czxid > base && !isTold;
  if (isAnew) {
    if (wasThere) {
      events.push({ type: nodeDeleted, path, zxid: UNDATED, at: deletedBy(looks, path) });
    }
    tell(nodeCreated, czxid);
  }
  const limit = limitOf(looks, path);
  const isCreation = mzxid === czxid && version === 0;
  const isChanged = !isCreation && (isAnew || mzxid > base) && mzxid <= limit;
  if (isChanged && !looks.takeTold(mzxid, eventKey(nodeDataChanged, path))) {
    tell(nodeDataChanged, mzxid);
  }
  if (!looks.hearsChildren(path)) return;
  const isBarren = pzxid === czxid && numChildren === 0;
  const isPeopled = !isBarren && (isAnew || pzxid > base) && pzxid <= limit;
  if (isPeopled && !looks.takeTold(pzxid, eventKey(nodeChildrenChanged, path))) {
    tell(nodeChildrenChanged, pzxid);
  }
}

/** When the server began to watch. */
export function isThere({ live, seen }: TwoLooks, path: string): boolean {
  const first = live.get(path);
  if (first !== undefined) return first.type !== nodeCreated;
  const found = seen.get(path);
  return found !== undefined && typeof found !== 'string';
}

/** Null: they are of a later znode of that name, or there are none. */
function datesOf(looks: TwoLooks, path: string): NodeDates | null {
  const found = looks.seen.get(path);
  if (found === undefined || typeof found === 'string') return null;
  return found.czxid <= limitOf(looks, path) ? found : null;
}

/** What is dated later is told by the server itself. */
function limitOf({ until, live }: TwoLooks, path: string): bigint {
  const first = live.get(path);
  return first === undefined || first.zxid > until || first.zxid < 0n ? until : first.zxid - 1n;
}

/** A znode that was there was deleted then or before: its parent knows, and nothing outlives its parent. */
function deletedBy(looks: TwoLooks, path: string): bigint {
  let at = datesOf(looks, path)?.czxid ?? looks.until;
  for (let above = path; above !== '/';) {
    above = parentOf(above);
    const dates = isThere(looks, above) ? datesOf(looks, above) : null;
    if (dates === null) continue;
    const { czxid, pzxid } = dates;
    const bound = czxid > looks.base ? czxid : pzxid;
    if (bound > looks.base && bound < at) at = bound;
    if (czxid <= looks.base) break;
  }
  return at;
}

function inOrder(a: Placed, b: Placed): number {
  if (a.at !== b.at) return a.at < b.at ? -1 : 1;
  const rank = (rankOf[a.type] ?? 0) - (rankOf[b.type] ?? 0);
  if (rank !== 0) return rank;
  if (a.path === b.path) return 0;
  // children go before their parents, and come after them
  return (a.path < b.path ? -1 : 1) * (a.type === nodeDeleted ? -1 : 1);
}
