/**
 * What happened in a run, in order: hashed always, so that two runs of a seed can be compared to the
 * byte, and written out line by line when somebody wants to read it (docs/simulator.md has the
 * columns). Compressed bytes never get in here: they depend on the library's version.
 */
import type { Timeline } from './clock.js';

/** A step of a state machine, a message, the passing of time, a fault. */
export type TraceKind = 'S' | 'M' | 'T' | 'F';

const PRIME = 0x01000193;

export class Trace {
  readonly #timeline: Timeline;
  readonly #sink: ((line: string) => void) | null;
  readonly #names = new Map<string, number>();
  #low = 0x811c9dc5 | 0;
  #high = 0x9e3779b9 | 0;
  count = 0;

  constructor(timeline: Timeline, sink: ((line: string) => void) | null) {
    this.#timeline = timeline;
    this.#sink = sink;
  }

  /** Somebody reads along: detail is worth its cost. */
  get isRead(): boolean {
    return this.#sink !== null;
  }

  /** `detail` is only made when somebody reads; what counts for the hash are the numbers. */
  note(kind: TraceKind, who: string, what: string, a = 0, b = 0, detail?: () => string): void {
    this.count++;
    this.#mix(Math.round(this.#timeline.nowMs * 1000) | 0);
    this.#mix(this.#numberOf(who));
    this.#mix(this.#numberOf(what));
    this.#mix(a | 0);
    this.#mix(b | 0);
    if (this.#sink === null) return;
    const time = this.#timeline.nowMs.toFixed(3).padStart(12);
    const text = detail === undefined ? '' : ` ${detail()}`;
    this.#sink(`${time} ${kind} ${who.padEnd(6)} ${what}${text}`);
  }

  bytes(bytes: Uint8Array, start: number, end: number): void {
    let low = this.#low;
    for (let i = start; i < end; i++) low = Math.imul(low ^ bytes[i]!, PRIME);
    this.#low = low;
    this.#mix(end - start);
  }

  /** 64 bits in hexadecimal. */
  get hash(): string {
    const word = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
    return word(this.#high) + word(this.#low);
  }

  #numberOf(name: string): number {
    let number = this.#names.get(name);
    if (number === undefined) {
      number = 0;
      for (let i = 0; i < name.length; i++)
        number = (Math.imul(number, 31) + name.charCodeAt(i)) | 0;
      this.#names.set(name, number);
    }
    return number;
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, PRIME);
    this.#high = Math.imul(this.#high ^ this.#low ^ (this.#low >>> 13), 0x85ebca6b);
  }
}
