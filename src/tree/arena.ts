/**
 * Where names and data lie: slots of some ninety sizes, cut from pages of 256 KiB. A page belongs to
 * one size as long as one of its slots is taken; emptied, it serves any size again, so that a tree
 * whose values change their length over time does not keep the memory of every length it ever had.
 *
 * A reference is the page and the offset in units of eight bytes, in 32 bits: room for 32 GiB. Nothing
 * is ever moved, and growing is one more page, never a copy.
 */
import { assert } from '../base/assert.js';

const PAGE_BITS = 18;
const PAGE_BYTES = 1 << PAGE_BITS;
const UNIT_BITS = 3;
const REF_PAGE_SHIFT = PAGE_BITS - UNIT_BITS;
const REF_UNIT_MASK = (1 << REF_PAGE_SHIFT) - 1;
const PAGES_MAX = 1 << (32 - REF_PAGE_SHIFT);

/** The largest slot: four in a page. */
export const SLOT_BYTES_MAX = PAGE_BYTES / 4;

/** Empty pages kept for the next that needs one; what is beyond goes back to the system. */
const SPARE_PAGES = 16;

const NONE = -1;
const NO_UNIT = 0xffff_ffff | 0;

/** Multiples of 8 up to 128, then eight sizes to each doubling: 12.5 % at most is padding. */
const FINE_MAX = 128;
const slotSizes = buildSizes();
const classCount = slotSizes.length;

function buildSizes(): number[] {
  const sizes: number[] = [];
  for (let size = 8; size <= FINE_MAX; size += 8) sizes.push(size);
  for (let base = FINE_MAX; base < SLOT_BYTES_MAX; base *= 2) {
    for (let step = 1; step <= 8; step++) sizes.push(base + (base / 8) * step);
  }
  return sizes;
}

/** Index into the sizes: the smallest slot that holds so many bytes. */
function classOf(byteCount: number): number {
  if (byteCount <= FINE_MAX) return byteCount === 0 ? 0 : (byteCount - 1) >>> 3;
  // the doubling it lies in, then the eighth of it
  const doubling = 24 - Math.clz32(byteCount - 1);
  const eighth = (byteCount - 1 - (FINE_MAX << doubling)) >>> (4 + doubling);
  return 16 + doubling * 8 + eighth;
}

export class Arena {
  /** By page: its bytes, and the same as words for the links inside slots. */
  readonly #bytes: Uint8Array[] = [];
  readonly #words: Int32Array[] = [];
  readonly #classOfPage: number[] = [];
  readonly #freeUnit: number[] = [];
  readonly #fresh: number[] = [];
  readonly #taken: number[] = [];
  /** Pages of one class that have a free slot, doubly linked. */
  readonly #next: number[] = [];
  readonly #prev: number[] = [];
  readonly #partial = new Int32Array(classCount).fill(NONE);
  readonly #spare: number[] = [];
  /** Page numbers without memory. */
  readonly #vacant: number[] = [];

  get pageCount(): number {
    return this.#bytes.length - this.#vacant.length;
  }

  pageOf(ref: number): Uint8Array {
    return this.#bytes[ref >>> REF_PAGE_SHIFT]!;
  }

  offsetOf(ref: number): number {
    return (ref & REF_UNIT_MASK) << UNIT_BITS;
  }

  wordsOf(ref: number): Int32Array {
    return this.#words[ref >>> REF_PAGE_SHIFT]!;
  }

  /** Of the slot's first word in `wordsOf(ref)`. */
  wordOffsetOf(ref: number): number {
    return (ref & REF_UNIT_MASK) << (UNIT_BITS - 2);
  }

  /** Whether a slot for so many bytes would be of the same size as this one. */
  fits(ref: number, byteCount: number): boolean {
    return (
      byteCount <= SLOT_BYTES_MAX &&
      this.#classOfPage[ref >>> REF_PAGE_SHIFT] === classOf(byteCount)
    );
  }

  /** Its content is whatever was there before. */
  allocate(byteCount: number): number {
    assert(byteCount <= SLOT_BYTES_MAX, 'a slot is no larger than a quarter of a page');
    const sizeClass = classOf(byteCount);
    let page = this.#partial[sizeClass]!;
    if (page === NONE) page = this.#openPage(sizeClass);
    const size = slotSizes[sizeClass]!;
    let unit = this.#freeUnit[page]!;
    if (unit !== NO_UNIT) {
      this.#freeUnit[page] = this.#words[page]![unit << (UNIT_BITS - 2)]!;
    } else {
      const at = this.#fresh[page]!;
      unit = at >>> UNIT_BITS;
      this.#fresh[page] = at + size;
    }
    this.#taken[page] = this.#taken[page]! + 1;
    if (this.#freeUnit[page] === NO_UNIT && this.#fresh[page]! + size > PAGE_BYTES) {
      this.#unlink(page, sizeClass);
    }
    return (page << REF_PAGE_SHIFT) | unit;
  }

  free(ref: number): void {
    const page = ref >>> REF_PAGE_SHIFT;
    const unit = ref & REF_UNIT_MASK;
    const sizeClass = this.#classOfPage[page]!;
    const wasFull =
      this.#freeUnit[page] === NO_UNIT && this.#fresh[page]! + slotSizes[sizeClass]! > PAGE_BYTES;
    this.#words[page]![unit << (UNIT_BITS - 2)] = this.#freeUnit[page]!;
    this.#freeUnit[page] = unit;
    const taken = this.#taken[page]! - 1;
    this.#taken[page] = taken;
    if (wasFull) this.#link(page, sizeClass);
    if (taken === 0) this.#closePage(page, sizeClass);
  }

  #openPage(sizeClass: number): number {
    let page = this.#spare.pop() ?? NONE;
    if (page === NONE) {
      const buffer = new ArrayBuffer(PAGE_BYTES);
      page = this.#vacant.pop() ?? this.#bytes.length;
      assert(page < PAGES_MAX, 'an arena holds 32 GiB');
      this.#bytes[page] = new Uint8Array(buffer);
      this.#words[page] = new Int32Array(buffer);
    }
    this.#classOfPage[page] = sizeClass;
    this.#freeUnit[page] = NO_UNIT;
    this.#fresh[page] = 0;
    this.#taken[page] = 0;
    this.#link(page, sizeClass);
    return page;
  }

  #closePage(page: number, sizeClass: number): void {
    this.#unlink(page, sizeClass);
    if (this.#spare.length < SPARE_PAGES) {
      this.#spare.push(page);
      return;
    }
    this.#bytes[page] = NO_BYTES;
    this.#words[page] = NO_WORDS;
    this.#vacant.push(page);
  }

  #link(page: number, sizeClass: number): void {
    const head = this.#partial[sizeClass]!;
    this.#next[page] = head;
    this.#prev[page] = NONE;
    if (head !== NONE) this.#prev[head] = page;
    this.#partial[sizeClass] = page;
  }

  #unlink(page: number, sizeClass: number): void {
    const next = this.#next[page]!;
    const prev = this.#prev[page]!;
    if (next !== NONE) this.#prev[next] = prev;
    if (prev !== NONE) this.#next[prev] = next;
    else this.#partial[sizeClass] = next;
  }
}

const NO_BYTES = new Uint8Array(0);
const NO_WORDS = new Int32Array(0);
