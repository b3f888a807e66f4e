/**
 * How one transaction is kept: words of 32 bits, head first, then its events, then what there is of
 * its reply's body.
 *
 * An event: its kind, whether ACLs follow, and the path's length; the path's hash; where they follow,
 * the slots of the ACLs of the znode and of its parent (both are open where they do not); the path.
 */
export const EntryAt = {
  /** All words of it. */
  length: 0,
  zxidHigh: 1,
  zxidLow: 2,
  sessionHigh: 3,
  sessionLow: 4,
  /** The number that the client gave its request. */
  cxid: 5,
  error: 6,
  /** One more than where the entry before it in its chain is; 0: there was none. */
  before: 7,
  shape: 8,
  events: 9,
} as const;

/** What the reply's body is made of. */
export const BodyForm = {
  none: 0,
  /** The path of the event. */
  path: 1,
  /** That, and the stat that follows. */
  pathAndStat: 2,
  stat: 3,
  /** Length and bytes. */
  bytes: 4,
  /** It is not known. */
  unknown: 5,
} as const;

const FORM_MASK = 7;
const HOLDS_ACLS = 8;
const COUNT_SHIFT = 4;

export function shapeOf(form: number, holdsAcls: boolean, eventCount: number): number {
  return form | (holdsAcls ? HOLDS_ACLS : 0) | (eventCount << COUNT_SHIFT);
}

export function formIn(shape: number): number {
  return shape & FORM_MASK;
}

/** Some event names ACLs by their slots. */
export function holdsAclsIn(shape: number): boolean {
  return (shape & HOLDS_ACLS) !== 0;
}

export function eventCountIn(shape: number): number {
  return shape >>> COUNT_SHIFT;
}

export const EventKind = { created: 0, deleted: 1, dataChanged: 2 } as const;

const KIND_MASK = 3;
const HAS_ACLS = 4;
const LENGTH_SHIFT = 3;

/** Words of an event before its path. */
export const OPEN_EVENT_WORDS = 2;
export const ACL_EVENT_WORDS = 4;

export function eventHead(kind: number, hasAcls: boolean, pathLength: number): number {
  return kind | (hasAcls ? HAS_ACLS : 0) | (pathLength << LENGTH_SHIFT);
}

export function kindIn(head: number): number {
  return head & KIND_MASK;
}

export function hasAclsIn(head: number): boolean {
  return (head & HAS_ACLS) !== 0;
}

export function pathLengthIn(head: number): number {
  return head >>> LENGTH_SHIFT;
}

/** Words before the path. */
export function pathAtIn(head: number): number {
  return hasAclsIn(head) ? ACL_EVENT_WORDS : OPEN_EVENT_WORDS;
}

export function eventWords(head: number): number {
  return pathAtIn(head) + wordsOf(pathLengthIn(head));
}

export function wordsOf(byteCount: number): number {
  return (byteCount + 3) >>> 2;
}
