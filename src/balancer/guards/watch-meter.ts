/**
 * Counts the watches of one connection by what its client is told: an answer says whether a watch was
 * set or removed, an event has spent one. It stands where bytes leave for the client, so that it sees
 * what the client sees, whichever server the session is at. Only where there are limits of watches.
 */
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import { SpecialXid } from '../../protocol/xid.js';
import { FrameSplitter, type FrameSink } from '../keeping/frames.js';
import { int32At } from '../keeping/request-facts.js';
import { HeldWatches, kindsSpentBy } from './held-watches.js';
import type { WatchWish } from './watch-wish.js';

interface Asked {
  readonly xid: number;
  /** Null: watches have nothing to do with it. */
  readonly wish: WatchWish | null;
}

const ANSWER_BYTES_MIN = 20;
const EVENT_BYTES_MIN = 32;
/** Answered ones are forgotten when there are so many. */
const FORGET_AT = 64;

export class WatchMeter implements FrameSink {
  readonly held: HeldWatches;
  readonly #splitter = new FrameSplitter(0x7fffffff);
  /** Requests in their order; from `#head` on they have no answer. */
  readonly #asked: Asked[] = [];
  #head = 0;
  #isWelcomed = false;
  /** Requests to set watches again that are under way. */
  #settings = 0;
  /** By path, which watches fired instead of being set again. */
  readonly #fired = new Map<string, number>();

  constructor(onChange: (path: string, change: number) => void) {
    this.held = new HeldWatches(onChange);
  }

  /** What it wants counts from now on; `withdraw` follows where it is refused. */
  onRequest(op: number, xid: number, wish: WatchWish | null): void {
    // these are not answered in the order of requests
    if (op === OpCode.ping || op === OpCode.auth || op === OpCode.sasl) return;
    if (wish !== null && op !== OpCode.removeWatches) {
      for (const [path, kinds] of wish.watches) this.held.ask(path, kinds);
      if (isAgain(wish)) this.#settings++;
    }
    this.#asked.push({ xid, wish });
  }

  /** The last request is refused: it is answered in its turn, and sets nothing. */
  withdraw(): void {
    const last = this.#asked.pop();
    if (last === undefined) return;
    if (last.wish !== null) this.#settle(last.wish, false);
    this.#asked.push({ xid: last.xid, wish: null });
  }

  /** Leaves for the client. */
  onOutput(bytes: Uint8Array, start: number, end: number): void {
    this.#splitter.push(bytes, start, end, this);
  }

  onFrame(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.#isWelcomed) this.#isWelcomed = true;
    else if (end - start >= ANSWER_BYTES_MIN) {
      const xid = int32At(bytes, start + 4);
      if (xid === SpecialXid.notification) this.#onEvent(bytes, start, end);
      else this.#onAnswer(xid, int32At(bytes, start + 16));
    }
    return true;
  }

  #onEvent(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < EVENT_BYTES_MIN) return;
    const path = decodeUtf8(bytes, start + 32, end);
    const kinds = kindsSpentBy(int32At(bytes, start + 20));
    this.held.spend(path, kinds);
    // without a zxid it is told because a watch was to be set again
    if (this.#settings > 0 && int32At(bytes, start + 8) < 0) {
      this.#fired.set(path, (this.#fired.get(path) ?? 0) | kinds);
    }
  }

  #onAnswer(xid: number, error: number): void {
    const asked = this.#asked[this.#head];
    if (asked?.xid !== xid) return;
    this.#head++;
    if (this.#head === this.#asked.length || this.#head >= FORGET_AT) {
      this.#asked.splice(0, this.#head);
      this.#head = 0;
    }
    if (asked.wish === null) return;
    const isSet =
      error === ErrorCode.ok || (asked.wish.op === OpCode.exists && error === ErrorCode.noNode);
    this.#settle(asked.wish, isSet);
  }

  #settle(wish: WatchWish, isDone: boolean): void {
    const again = isAgain(wish);
    for (const [path, kinds] of wish.watches) {
      if (wish.op !== OpCode.removeWatches) {
        const fired = again ? (this.#fired.get(path) ?? 0) : 0;
        this.held.answered(path, kinds, isDone ? kinds & ~fired : 0);
      } else if (isDone) this.held.spend(path, kinds);
    }
    if (again && --this.#settings === 0) this.#fired.clear();
  }
}

function isAgain({ op }: WatchWish): boolean {
  return op === OpCode.setWatches || op === OpCode.setWatches2;
}
