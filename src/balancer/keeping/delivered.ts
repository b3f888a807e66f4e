/**
 * Up to where the client has been told what happened: by what was delivered to it, never by what the
 * balancer has received. Several events share one zxid (a multi; a deletion that tells the znode's
 * watchers and its parent's), so after an event it is not known whether that was the last of its
 * transaction: then the client is sure of everything before that transaction, and of the events that it
 * had. A reply settles it, because a server tells a change before it answers with it.
 */

export class Delivered {
  /** The newest zxid that the client has been shown, which is what it will claim to have seen. */
  high = 0;
  low = 0;
  /** Events of the transaction `high`, `low` were delivered, and there may be more. */
  #isWithin = false;
  #events: string[] | null = null;

  get zxid(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  /** Everything up to here has been told. */
  get base(): bigint {
    return this.#isWithin ? this.zxid - 1n : this.zxid;
  }

  /** What the client says when it comes. */
  start(zxid: bigint): void {
    if (zxid <= 0n) return;
    this.high = Number(zxid >> 32n);
    this.low = Number(zxid & 0xffff_ffffn);
  }

  /** Also of pings. `low` unsigned; a negative zxid says nothing. */
  onReply(high: number, low: number): void {
    if (high > this.high || (high === this.high && low >= this.low)) {
      this.high = high;
      this.low = low;
      this.#isWithin = false;
      this.#events = null;
    }
  }

  /** `key` null: no other event of this transaction can be like this one. */
  onEvent(high: number, low: number, key: string | null): void {
    if (high < 0) return;
    if (high > this.high || (high === this.high && low > this.low)) {
      this.high = high;
      this.low = low;
      this.#isWithin = true;
      this.#events = null;
    } else if (high !== this.high || low !== this.low || !this.#isWithin) return;
    if (key !== null) (this.#events ??= []).push(key);
  }

  /** For a server that tells again from `base` on: the events that it must not deliver again. */
  toSkip(): SkippedEvents | null {
    return this.#events === null ? null : new SkippedEvents(this.high, this.low, this.#events);
  }
}

/** A multiset: each event that was delivered is left out once. */
export class SkippedEvents {
  readonly #high: number;
  readonly #low: number;
  readonly #keys: string[];

  constructor(high: number, low: number, keys: readonly string[]) {
    this.#high = high;
    this.#low = low;
    this.#keys = [...keys];
  }

  takes(high: number, low: number, key: string): boolean {
    if (high !== this.#high || low !== this.#low) return false;
    const index = this.#keys.indexOf(key);
    if (index < 0) return false;
    this.#keys.splice(index, 1);
    return true;
  }
}

export function eventKey(type: number, path: string): string {
  return `${type} ${path}`;
}
