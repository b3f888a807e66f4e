/**
 * The watches that one `catchUp` is about: it may come as several requests, each with a part of the
 * lists, and the last one of them is answered for all.
 */
import type { WatchLists } from '../protocol/continuation.js';
import type { Zxid } from '../protocol/zxid.js';

interface Part {
  readonly since: Zxid;
  readonly lists: WatchLists;
}

export class CatchUp {
  readonly #bytesMax: number;
  #bytes = 0;
  readonly #parts: Part[] = [];
  #isRefused = false;

  /** `bytesMax`: of all requests together. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Too much, or not of one piece: none of it will be watched. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  refuse(): void {
    this.#isRefused = true;
    this.#parts.length = 0;
  }

  add(part: Part, byteCount: number): void {
    const [first = part] = this.#parts;
    this.#bytes += byteCount;
    if (part.since !== first.since || this.#bytes > this.#bytesMax) this.refuse();
    if (!this.#isRefused) this.#parts.push(part);
  }

  /** All parts as one. */
  get lists(): WatchLists {
    const all = (of: (lists: WatchLists) => readonly string[]): readonly string[] =>
      this.#parts.flatMap(({ lists }) => of(lists));
    return {
      data: all(({ data }) => data),
      exist: all(({ exist }) => exist),
      child: all(({ child }) => child),
      persistent: all(({ persistent }) => persistent),
      recursive: all(({ recursive }) => recursive),
    };
  }
}
