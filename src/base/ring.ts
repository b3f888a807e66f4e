/**
 * A first-in first-out queue over a ring buffer: push and shift cost no allocation once grown, which
 * an Array's shift() does not promise. Its bound is given at construction; pushing past it is a
 * programmer's error, because every queue of the server has a defined answer for "full" that its
 * owner gives before pushing (see docs/limits in ARCHITECTURE.md).
 */
import { assert } from './assert.js';

export class Ring<T> {
  readonly #limit: number;
  #items: (T | undefined)[];
  #mask: number;
  #head = 0;
  #size = 0;

  constructor(limit: number) {
    assert(limit > 0, 'a ring has room for at least one item');
    this.#limit = limit;
    this.#items = new Array<T | undefined>(16).fill(undefined);
    this.#mask = 15;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.#limit;
  }

  push(item: T): void {
    assert(this.#size < this.#limit, 'ring overflow: its owner must look at isFull first');
    if (this.#size > this.#mask) this.#grow();
    this.#items[(this.#head + this.#size) & this.#mask] = item;
    this.#size++;
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head];
  }

  /** Another item in the place of the oldest. */
  replaceOldest(item: T): void {
    assert(this.#size > 0, 'there is an oldest item');
    this.#items[this.#head] = item;
  }

  /** The item at `index` from the oldest, without removing it. */
  at(index: number): T | undefined {
    return index < this.#size ? this.#items[(this.#head + index) & this.#mask] : undefined;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#size--;
    return item;
  }

  clear(): void {
    this.#items.fill(undefined);
    this.#head = 0;
    this.#size = 0;
  }

  #grow(): void {
    const grown = new Array<T | undefined>(this.#items.length * 2).fill(undefined);
    for (let i = 0; i < this.#size; i++) grown[i] = this.#items[(this.#head + i) & this.#mask];
    this.#items = grown;
    this.#mask = grown.length - 1;
    this.#head = 0;
  }
}
