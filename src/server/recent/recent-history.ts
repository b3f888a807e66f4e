/**
 * What a server remembers of the recent past: of each write what became of it, and what changed with
 * it. Who goes on here with a session that was elsewhere asks two questions: was this write of mine,
 * whose answer never came, executed, and what would my watches have told me meanwhile.
 *
 * It follows one tree, and hears of every transaction that is applied to it, whoever asked for it: by a
 * replay as well as live. Nothing is kept of transactions whose effects a snapshot may have had already
 * (it is written while the tree changes): what they did cannot be seen any more. That stretch has ended
 * when a transaction's digest is the tree's, and at the latest when a role begins to serve.
 */
import { Fate, type WatchLists, type WriteFate } from '../../protocol/continuation.js';
import { ErrorCode } from '../../protocol/errors.js';
import { statBytes } from '../../protocol/limits.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Writer } from '../../protocol/writer.js';
import {
  compareParts,
  zxidHigh as highOf,
  zxidLow as lowOf,
  zxidOfParts,
  type Zxid,
} from '../../protocol/zxid.js';
import { copyBytes } from '../../tree/bytes.js';
import { NO_NODE, type NodeId, type Tree, type TxnRecorder } from '../../tree/tree.js';
import type { Acl } from '../../txn/authorize.js';
import { CatchingUp, type Tell } from './catching-up.js';
import {
  ACL_EVENT_WORDS,
  BodyForm,
  EntryAt,
  EventKind,
  OPEN_EVENT_WORDS,
  eventCountIn,
  eventHead,
  eventWords,
  formIn,
  hasAclsIn,
  pathAtIn,
  pathLengthIn,
  shapeOf,
  wordsOf,
} from './entry.js';
import { EntryRing } from './entry-ring.js';
import { writeMultiBody } from './multi-body.js';

export type CaughtUp =
  | { readonly isCovered: false }
  /** What is to be watched from here on: all but the one-shot watches that were spent. */
  | { readonly isCovered: true; readonly left: WatchLists };

/** Offsets in a transaction. */
const SESSION_AT = 0;
const CXID_AT = 8;
const ZXID_AT = 12;
const TYPE_AT = 28;
const RECORD_AT = 32;

const STAT_WORDS = statBytes / 4;
/** Below this there is room for nothing. */
const BYTES_MIN = 1024;
const NO_BYTES = new Uint8Array(0);
/** As words are in memory here. */
const IS_LITTLE_ENDIAN = new Uint8Array(Int32Array.of(1).buffer)[0] === 1;

export class RecentHistory implements TxnRecorder {
  readonly #ring: EntryRing | null;
  readonly #catchingUp = new CatchingUp();
  readonly #body = new Writer();
  #tree: Tree | null = null;
  #isSettled = false;
  /** Not settled before this one. */
  #fuzzyHigh = 0;
  #fuzzyLow = 0;
  /** The batch that transactions come in. */
  #viewed: Uint8Array = NO_BYTES;
  #view: DataView = new DataView(NO_BYTES.buffer);
  /** Of the transaction being applied. */
  #isOpen = false;
  #isTooLong = false;
  #holdsAcls = false;
  #eventCount = 0;

  /** `bytesMax`: of memory, taken when it is first needed; 0: nothing is remembered. */
  constructor(bytesMax: number) {
    this.#ring =
      bytesMax < BYTES_MIN
        ? null
        : new EntryRing({ bytesMax, onGoing: (entry) => this.#release(entry) });
  }

  /** Every transaction after this one is known; null: none is. */
  get coversFrom(): Zxid | null {
    const ring = this.#ring;
    if (ring === null || !this.#isSettled) return null;
    return zxidOfParts(ring.coversHigh, ring.coversLow);
  }

  /** Transactions that are remembered. */
  get size(): number {
    return this.#ring?.count ?? 0;
  }

  /**
   * This tree from now on, of which nothing is known until it is settled. It came out of a snapshot
   * that says it may hold what happened up to `fuzzyTo`; 0: it does not say.
   */
  follow(tree: Tree, fuzzyTo: Zxid = 0n): void {
    const ring = this.#ring;
    if (ring === null || tree === this.#tree) return;
    ring.clear(0, 0);
    if (this.#tree !== null) this.#tree.recorder = null;
    this.#tree = tree;
    tree.recorder = this;
    this.#isSettled = this.#isOpen = false;
    this.#fuzzyHigh = highOf(fuzzyTo);
    this.#fuzzyLow = lowOf(fuzzyTo);
  }

  /** The tree is what its last transaction says, and so is it after each from now on. */
  settle(): void {
    const tree = this.#tree;
    if (tree !== null && !this.#isSettled) this.#settleAt(tree.lastZxidHigh, tree.lastZxidLow);
  }

  #settleAt(zxidHigh: number, zxidLow: number): void {
    this.#ring?.clear(zxidHigh, zxidLow);
    this.#isSettled = true;
  }

  // ------------------------------------------------------------------ as transactions are applied

  onBegin(): void {
    this.#isOpen = this.#isSettled;
    if (!this.#isOpen) return;
    this.#ring?.open();
    this.#isTooLong = this.#holdsAcls = false;
    this.#eventCount = 0;
  }

  onChange(
    kind: 'created' | 'deleted' | 'dataChanged',
    node: NodeId,
    parent: NodeId,
    path: Uint8Array | null,
    start: number,
    end: number,
  ): void {
    const ring = this.#ring;
    const tree = this.#tree;
    if (!this.#isOpen || ring === null || tree === null) return;
    this.#addEvent(ring, tree, kindOf(kind), node, parent, path, start, end);
  }

  onApplied(bytes: Uint8Array, start: number, end: number, result: number): void {
    const ring = this.#ring;
    const tree = this.#tree;
    if (ring === null || tree === null) return;
    const view = this.#viewOf(bytes);
    const zxidHigh = view.getInt32(start + ZXID_AT);
    const zxidLow = view.getInt32(start + ZXID_AT + 4);
    if (!this.#isOpen) {
      const isBeyond = compareParts(zxidHigh, zxidLow, this.#fuzzyHigh, this.#fuzzyLow) >= 0;
      if (isBeyond && tree.digestVerdict === 'equal') this.#settleAt(zxidHigh, zxidLow);
      return;
    }
    this.#isOpen = false;
    const type = view.getInt32(start + TYPE_AT);
    if (type === OpCode.createSession) return;
    let error: number = ErrorCode.ok;
    let form: number = BodyForm.none;
    if (type === OpCode.error) {
      error = view.getInt32(start + RECORD_AT);
      if (error === ErrorCode.sessionMoved) return;
    } else if (type === OpCode.multi) {
      form = this.#writeMulti(ring, tree, bytes, start, end);
    } else {
      // a tree that is not what its leader foresaw: what was told then is not to be guessed
      form =
        result === ErrorCode.ok ? this.#write(ring, tree, type, bytes, start) : BodyForm.unknown;
    }
    if (this.#isTooLong || !ring.reserve(0)) {
      this.#forgetAll(ring, zxidHigh, zxidLow);
      return;
    }
    ring.close(
      zxidHigh,
      zxidLow,
      view.getInt32(start + SESSION_AT),
      view.getInt32(start + SESSION_AT + 4),
      view.getInt32(start + CXID_AT),
      error,
      shapeOf(form, this.#holdsAcls, this.#eventCount),
      type !== OpCode.deleteContainer,
    );
  }

  /** Transactions come many in a batch. */
  #viewOf(bytes: Uint8Array): DataView {
    if (bytes !== this.#viewed) {
      this.#viewed = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }

  /** What a transaction did that succeeded, and its reply's body, whose form this tells. */
  #write(ring: EntryRing, tree: Tree, type: number, bytes: Uint8Array, start: number): number {
    switch (type) {
      case OpCode.create:
        this.#addOwnEvent(ring, tree, EventKind.created, bytes, start);
        return BodyForm.path;
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        this.#addOwnEvent(ring, tree, EventKind.created, bytes, start);
        this.#writeStat(ring, tree);
        return BodyForm.pathAndStat;
      case OpCode.setData:
        this.#addOwnEvent(ring, tree, EventKind.dataChanged, bytes, start);
        this.#writeStat(ring, tree);
        return BodyForm.stat;
      case OpCode.setACL:
        this.#writeStat(ring, tree);
        return BodyForm.stat;
      case OpCode.delete:
      case OpCode.deleteContainer:
      case OpCode.closeSession:
        return BodyForm.none;
      case OpCode.reconfig:
        this.#addOwnEvent(ring, tree, EventKind.dataChanged, bytes, start);
        return BodyForm.unknown;
      default:
        return BodyForm.unknown;
    }
  }

  /** Of a transaction that says it all: its record begins with the path. */
  #addOwnEvent(ring: EntryRing, tree: Tree, kind: number, bytes: Uint8Array, start: number): void {
    const node = tree.lastChanged;
    const pathAt = start + RECORD_AT + 4;
    const pathEnd = pathAt + this.#view.getInt32(start + RECORD_AT);
    const parent = kind === EventKind.dataChanged ? NO_NODE : tree.parentOf(node);
    this.#addEvent(ring, tree, kind, node, parent, bytes, pathAt, pathEnd);
  }

  #addEvent(
    ring: EntryRing,
    tree: Tree,
    kind: number,
    node: NodeId,
    parent: NodeId,
    path: Uint8Array | null,
    start: number,
    end: number,
  ): void {
    const { acls } = tree;
    const length = path === null ? tree.pathLength(node) : end - start;
    const slot = tree.aclSlot(node);
    // of a change of data the parent's watchers hear nothing
    const parentSlot = kind === EventKind.dataChanged ? slot : tree.aclSlot(parent);
    const hasAcls = !(acls.isOpen(slot) && acls.isOpen(parentSlot));
    const before = hasAcls ? ACL_EVENT_WORDS : OPEN_EVENT_WORDS;
    const wordCount = before + wordsOf(length);
    if (this.#isTooLong || !ring.reserve(wordCount)) {
      this.#isTooLong = true;
      return;
    }
    const { at, words } = ring;
    words[at] = eventHead(kind, hasAcls, length);
    words[at + 1] = tree.hashOf(node);
    if (hasAcls) {
      words[at + 2] = slot;
      words[at + 3] = parentSlot;
      acls.retain(slot);
      acls.retain(parentSlot);
      this.#holdsAcls = true;
    }
    if (path === null) tree.pathInto(node, ring.bytes, (at + before) << 2, length);
    else this.#copyPath(ring, at + before, path, start, end);
    ring.at = at + wordCount;
    this.#eventCount++;
  }

  /** Four bytes at a time, which is all that paths cost that is worth saving. */
  #copyPath(
    { words, bytes }: EntryRing,
    at: number,
    path: Uint8Array,
    start: number,
    end: number,
  ): void {
    const view = this.#viewOf(path);
    let from = start;
    let to = at;
    for (const last = end - 4; from <= last; from += 4) {
      words[to++] = view.getInt32(from, IS_LITTLE_ENDIAN);
    }
    for (let pos = to << 2; from < end; from++) bytes[pos++] = path[from]!;
  }

  /** Of the znode that the transaction changed. */
  #writeStat(ring: EntryRing, tree: Tree): void {
    if (this.#isTooLong || !ring.reserve(STAT_WORDS)) {
      this.#isTooLong = true;
      return;
    }
    tree.statWordsInto(tree.lastChanged, ring.words, ring.at);
    ring.at += STAT_WORDS;
  }

  #writeMulti(ring: EntryRing, tree: Tree, bytes: Uint8Array, start: number, end: number): number {
    const body = this.#body;
    body.reset();
    writeMultiBody(tree, bytes, start + RECORD_AT, end, body);
    const words = 1 + wordsOf(body.pos);
    if (this.#isTooLong || !ring.reserve(words)) {
      this.#isTooLong = true;
      return BodyForm.none;
    }
    ring.words[ring.at] = body.pos;
    copyBytes(body.bytes, 0, ring.bytes, (ring.at + 1) << 2, body.pos);
    ring.at += words;
    return BodyForm.bytes;
  }

  /** The transaction does not fit in: nothing before it is known without it. */
  #forgetAll(ring: EntryRing, zxidHigh: number, zxidLow: number): void {
    this.#releaseEvents(ring, ring.start, this.#eventCount);
    ring.clear(zxidHigh, zxidLow);
  }

  #release(entry: number): void {
    const ring = this.#ring;
    if (ring === null) return;
    this.#releaseEvents(ring, entry, eventCountIn(ring.words[entry + EntryAt.shape]!));
  }

  #releaseEvents({ words }: EntryRing, entry: number, count: number): void {
    const acls = this.#tree?.acls;
    let at = entry + EntryAt.events;
    for (let left = count; left > 0; left--) {
      const head = words[at]!;
      if (hasAclsIn(head)) {
        acls?.release(words[at + 2]!);
        acls?.release(words[at + 3]!);
      }
      at += eventWords(head);
    }
  }

  // ------------------------------------------------------------------ questions

  /**
   * What became of the session's write `cxid` after `since`. A stale forward that was refused
   * (SESSIONMOVED) is no execution. Halves signed or unsigned.
   */
  fateOf(sessionHigh: number, sessionLow: number, cxid: number, since: Zxid): WriteFate {
    const ring = this.#ring;
    const { coversFrom } = this;
    if (ring === null || coversFrom === null) return { cxid, fate: Fate.unknown };
    const [high, low] = [highOf(since), lowOf(since)];
    const entry = ring.find(sessionHigh | 0, sessionLow | 0, cxid, high, low);
    if (entry < 0) return { cxid, fate: since < coversFrom ? Fate.unknown : Fate.never };
    const { words } = ring;
    if (formIn(words[entry + EntryAt.shape]!) === BodyForm.unknown) {
      return { cxid, fate: Fate.unknown };
    }
    return {
      cxid,
      fate: Fate.executed,
      zxid: zxidOfParts(words[entry + EntryAt.zxidHigh]!, words[entry + EntryAt.zxidLow]!),
      error: words[entry + EntryAt.error]!,
      body: bodyOf(ring, entry),
    };
  }

  /**
   * Tells every event after `since` that these watches of one connection would have brought, in order.
   * Nothing is told when not everything since then is known. Nothing is registered here.
   */
  catchUp(
    since: Zxid,
    lists: WatchLists,
    allows: (acl: readonly Acl[]) => boolean,
    tell: Tell,
  ): CaughtUp {
    const ring = this.#ring;
    const tree = this.#tree;
    const { coversFrom } = this;
    if (ring === null || tree === null || coversFrom === null || since < coversFrom) {
      return { isCovered: false };
    }
    const mayHear = (slot: number): boolean => allows(tree.acls.aclsIn(slot));
    const from = ring.firstAfter(highOf(since), lowOf(since));
    return { isCovered: true, left: this.#catchingUp.run(ring, from, lists, mayHear, tell) };
  }
}

function bodyOf({ words, bytes }: EntryRing, entry: number): Uint8Array {
  const shape = words[entry + EntryAt.shape]!;
  let at = entry + EntryAt.events;
  for (let left = eventCountIn(shape); left > 0; left--) at += eventWords(words[at]!);
  switch (formIn(shape)) {
    case BodyForm.path:
      return pathBody(words, bytes, entry, 0);
    case BodyForm.pathAndStat: {
      const body = pathBody(words, bytes, entry, statBytes);
      writeStat(words, at, body, body.length - statBytes);
      return body;
    }
    case BodyForm.stat: {
      const body = new Uint8Array(statBytes);
      writeStat(words, at, body, 0);
      return body;
    }
    case BodyForm.bytes: {
      const from = (at + 1) << 2;
      return bytes.slice(from, from + words[at]!);
    }
    default:
      return NO_BYTES;
  }
}

/** The path of the only event as a string of the wire, and room behind it. */
function pathBody(words: Int32Array, bytes: Uint8Array, entry: number, room: number): Uint8Array {
  const at = entry + EntryAt.events;
  const head = words[at]!;
  const length = pathLengthIn(head);
  const from = (at + pathAtIn(head)) << 2;
  const body = new Uint8Array(4 + length + room);
  new DataView(body.buffer).setInt32(0, length);
  body.set(bytes.subarray(from, from + length), 4);
  return body;
}

function writeStat(words: Int32Array, at: number, out: Uint8Array, pos: number): void {
  const view = new DataView(out.buffer);
  for (let i = 0; i < STAT_WORDS; i++) view.setInt32(pos + 4 * i, words[at + i]!);
}

function kindOf(kind: 'created' | 'deleted' | 'dataChanged'): number {
  if (kind === 'created') return EventKind.created;
  return kind === 'deleted' ? EventKind.deleted : EventKind.dataChanged;
}
