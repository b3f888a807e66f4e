/**
 * The last transactions, as many as there is room for: one array of words that is written round and
 * round, each new entry in the place of the eldest. An entry is built where it stays, so that nothing
 * is copied but its content. It lies in one piece: one that does not fit before the end of the array
 * begins at the front, and a mark says so.
 *
 * Two ways lead in. From session and number: chains through the entries, the newest first. From a
 * zxid: every 64th entry is marked, the marks are searched, and the rest is walked. Links to entries
 * that are gone are not taken back: such a link leads to a place that is no older than where it is.
 */
import { compareParts } from '../../protocol/zxid.js';
import { EntryAt, holdsAclsIn } from './entry.js';

/** Instead of a length: what comes next is at the front. */
const TURN = 0;

const NOWHERE = -1;
const ENTRIES_PER_MARK = 64;
/** What goes at once is at least this part of all: half as many steps as one by one. */
const SPARE_SHIFT = 6;
/** One chain for so many words. */
const WORDS_PER_CHAIN = 64;

export interface EntryRingOptions {
  /** In all; the memory is taken with the first entry. */
  readonly bytesMax: number;
  /** An entry that names ACLs is about to go. */
  readonly onGoing: (entry: number) => void;
}

export class EntryRing {
  /** Where the open entry begins, and where its next word goes. */
  start = 0;
  at: number = EntryAt.events;
  words = new Int32Array(0);
  /** The same memory. */
  bytes = new Uint8Array(0);
  /** Everything after this zxid is here. */
  coversHigh = 0;
  coversLow = 0;
  readonly #onGoing: (entry: number) => void;
  readonly #wordCount: number;
  #chains = new Int32Array(0);
  #chainShift = 0;
  #marks = new Int32Array(0);
  #firstMark = 0;
  #nextMark = 0;
  #untilMark = ENTRIES_PER_MARK;
  /** The eldest entry. */
  #tail = 0;
  #newest = NOWHERE;
  #count = 0;
  /** The open entry must end here. */
  #limit = 0;

  constructor({ bytesMax, onGoing }: EntryRingOptions) {
    this.#onGoing = onGoing;
    // beside the words there are chains and marks, less than a word for every 32
    this.#wordCount = Math.floor(((bytesMax / 4) * 31) / 32);
  }

  /** Entries. */
  get count(): number {
    return this.#count;
  }

  /** Words that an entry may have. */
  get wordsMax(): number {
    return this.#wordCount >>> 1;
  }

  /** An entry begins; one that was not closed is forgotten. */
  open(): void {
    if (this.words.length === 0) this.#allocate();
    this.at = this.start + EntryAt.events;
  }

  /** Makes room for so many more words at `at`, which may move with `start`. False: it is too long. */
  reserve(wordCount: number): boolean {
    return this.at + wordCount <= this.#limit || this.#makeRoom(wordCount);
  }

  /** The open entry is complete up to `at`, and there is room for it. */
  close(
    zxidHigh: number,
    zxidLow: number,
    sessionHigh: number,
    sessionLow: number,
    cxid: number,
    error: number,
    shape: number,
    isChained: boolean,
  ): void {
    const { start, words } = this;
    // touching the last word first lets the engine drop the checks of the others
    words[start + EntryAt.shape] = shape;
    words[start] = this.at - start;
    words[start + EntryAt.zxidHigh] = zxidHigh;
    words[start + EntryAt.zxidLow] = zxidLow;
    words[start + EntryAt.sessionHigh] = sessionHigh;
    words[start + EntryAt.sessionLow] = sessionLow;
    words[start + EntryAt.cxid] = cxid;
    words[start + EntryAt.error] = error;
    if (isChained) {
      const chain = hashOf(sessionHigh, sessionLow, cxid) >>> this.#chainShift;
      words[start + EntryAt.before] = this.#chains[chain]!;
      this.#chains[chain] = start + 1;
    }
    if (--this.#untilMark === 0) {
      this.#untilMark = ENTRIES_PER_MARK;
      this.#marks[this.#nextMark] = start;
      this.#nextMark = (this.#nextMark + 1) & (this.#marks.length - 1);
    }
    this.#count++;
    this.#newest = start;
    this.#beginAt(this.at === words.length ? 0 : this.at);
  }

  /** Nothing is known but what comes after this zxid. */
  clear(zxidHigh: number, zxidLow: number): void {
    // those behind the open entry, then those before it
    this.#drop(this.words.length);
    this.start = 0;
    this.#drop(this.words.length);
    this.coversHigh = zxidHigh;
    this.coversLow = zxidLow;
    this.#newest = NOWHERE;
    this.#beginAt(0);
  }

  /** The newest entry of the session's request of that number after a zxid; -1: there is none. */
  find(
    sessionHigh: number,
    sessionLow: number,
    cxid: number,
    sinceHigh: number,
    sinceLow: number,
  ): number {
    if (this.#count === 0) return NOWHERE;
    const { words } = this;
    const chain = hashOf(sessionHigh, sessionLow, cxid) >>> this.#chainShift;
    let entry = this.#chains[chain]! - 1;
    let place = words.length;
    while (entry >= 0) {
      const placeNow = this.#placeOf(entry);
      if (placeNow >= place || !this.#isAfter(entry, sinceHigh, sinceLow)) return NOWHERE;
      place = placeNow;
      const isIt =
        words[entry + EntryAt.cxid] === cxid &&
        words[entry + EntryAt.sessionLow] === sessionLow &&
        words[entry + EntryAt.sessionHigh] === sessionHigh;
      if (isIt) return entry;
      entry = words[entry + EntryAt.before]! - 1;
    }
    return NOWHERE;
  }

  /** The first entry after a zxid; -1: there is none. */
  firstAfter(high: number, low: number): number {
    if (this.#count === 0 || !this.#isAfter(this.#newest, high, low)) return NOWHERE;
    const mask = this.#marks.length - 1;
    // the last mark that is not after it
    let before = -1;
    let after = (this.#nextMark - this.#firstMark) & mask;
    while (after - before > 1) {
      const middle = (before + after) >> 1;
      const entry = this.#marks[(this.#firstMark + middle) & mask]!;
      if (this.#isAfter(entry, high, low)) after = middle;
      else before = middle;
    }
    let entry = before < 0 ? this.#tail : this.#marks[(this.#firstMark + before) & mask]!;
    while (!this.#isAfter(entry, high, low)) entry = this.next(entry);
    return entry;
  }

  /** The entry after this one; -1: it is the newest. */
  next(entry: number): number {
    if (entry === this.#newest) return NOWHERE;
    return this.#behind(entry);
  }

  #behind(entry: number): number {
    const { words } = this;
    const next = entry + words[entry]!;
    return next === words.length || words[next] === TURN ? 0 : next;
  }

  #isAfter(entry: number, high: number, low: number): boolean {
    const { words } = this;
    const itsHigh = words[entry + EntryAt.zxidHigh]!;
    return compareParts(itsHigh, words[entry + EntryAt.zxidLow]!, high, low) > 0;
  }

  #eldestMark(): number {
    return this.#firstMark === this.#nextMark ? NOWHERE : this.#marks[this.#firstMark]!;
  }

  /** In the order of the entries. */
  #placeOf(entry: number): number {
    const place = entry - this.#tail;
    return place < 0 ? place + this.words.length : place;
  }

  #allocate(): void {
    this.words = new Int32Array(this.#wordCount);
    this.bytes = new Uint8Array(this.words.buffer);
    const chainBits = Math.max(1, 31 - Math.clz32(this.#wordCount / WORDS_PER_CHAIN));
    this.#chains = new Int32Array(1 << chainBits);
    this.#chainShift = 32 - chainBits;
    const marks = this.#wordCount / EntryAt.events / ENTRIES_PER_MARK + 2;
    this.#marks = new Int32Array(1 << (32 - Math.clz32(marks)));
    this.#beginAt(0);
  }

  #beginAt(start: number): void {
    this.start = start;
    this.at = start + EntryAt.events;
    if (this.#count === 0) this.#tail = start;
    this.#setLimit();
  }

  #setLimit(): void {
    this.#limit = this.#count > 0 && this.#tail >= this.start ? this.#tail : this.words.length;
  }

  #makeRoom(wordCount: number): boolean {
    const needed = this.at - this.start + wordCount;
    if (needed > this.wordsMax) return false;
    if (this.start + needed > this.words.length) this.#turn(needed);
    else this.#drop(this.start + needed + (this.words.length >>> SPARE_SHIFT));
    this.#setLimit();
    return true;
  }

  /** The open entry goes on at the front. */
  #turn(needed: number): void {
    const { words, start } = this;
    const written = this.at - start;
    // those at the end are the eldest
    this.#drop(words.length);
    this.start = 0;
    if (this.#count === 0) this.#tail = 0;
    this.#drop(needed + (words.length >>> SPARE_SHIFT));
    words.copyWithin(0, start, start + written);
    words[start] = TURN;
    this.at = written;
  }

  /** Lets go of the eldest: those that begin between the open entry and `to`. */
  #drop(to: number): void {
    const { words, start } = this;
    const chains = this.#chains;
    const shift = this.#chainShift;
    let entry = this.#tail;
    let count = this.#count;
    let mark = this.#eldestMark();
    let last = NOWHERE;
    while (count > 0 && entry >= start && entry < to) {
      last = entry;
      const session = words[entry + EntryAt.sessionHigh]!;
      const hash = hashOf(
        session,
        words[entry + EntryAt.sessionLow]!,
        words[entry + EntryAt.cxid]!,
      );
      const chain = hash >>> shift;
      if (chains[chain] === entry + 1) chains[chain] = 0;
      if (holdsAclsIn(words[entry + EntryAt.shape]!)) this.#onGoing(entry);
      if (entry === mark) {
        this.#firstMark = (this.#firstMark + 1) & (this.#marks.length - 1);
        mark = this.#eldestMark();
      }
      entry = --count === 0 ? start : this.#behind(entry);
    }
    if (last === NOWHERE) return;
    this.coversHigh = words[last + EntryAt.zxidHigh]!;
    this.coversLow = words[last + EntryAt.zxidLow]!;
    this.#tail = entry;
    this.#count = count;
  }
}

/** Clients count their requests up, sessions of a server differ in their lower half. */
function hashOf(sessionHigh: number, sessionLow: number, cxid: number): number {
  const h = Math.imul(sessionHigh ^ Math.imul(sessionLow, 0x85ebca6b), 0xc2b2ae35) ^ cxid;
  return Math.imul(h, 0x9e3779b1);
}
