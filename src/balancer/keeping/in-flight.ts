/**
 * A client's requests that have no answer yet, in order, as bytes that can be sent again. Those that
 * came together are copied together and written from here, so that passing a request on costs one copy
 * and no allocation. Idle sessions have none of these: they are taken from a pool when a request comes
 * and given back when the last one is answered.
 *
 * The first `sentCount` requests have been sent to the server at hand, the others wait for one.
 */
import { int32At } from './request-facts.js';

export const RequestFlag = {
  /** Becomes a transaction. */
  write: 1,
  /** A read that leaves a watch. */
  watch: 2,
  /** Its answer means something here. */
  special: 4,
  /** Answered by the balancer when its turn comes: no server sees it. */
  local: 8,
  /** Has had its answer and waits for its place at the head. */
  answered: 16,
  /** The balancer's own question: its client never hears of it. */
  own: 32,
} as const;

const FRAME_LENGTH_BYTES = 4;
const BYTES_INITIAL = 1024;
const SLOTS_INITIAL = 16;
/** Larger ones are left to the collector: they served one big request. */
const POOLED_BYTES_MAX = 64 * 1024;
const POOLED_COUNT_MAX = 256;
/** Below so many bytes a loop is faster than `set` with `subarray`. */
const LOOP_BYTES_MAX = 40;

export interface LocalAnswer {
  readonly xid: number;
  readonly op: number;
  readonly error: number;
}

export class InFlight {
  bytes = new Uint8Array(BYTES_INITIAL);
  /** Where what has been copied ends. */
  #tail = 0;
  /** Where what has been sent ends. */
  #sentTail = 0;
  /** Ring by sequence number: where the frame begins, its length in bytes, and when it came. */
  #at = new Int32Array(SLOTS_INITIAL);
  #lengths = new Int32Array(SLOTS_INITIAL);
  #flags = new Uint8Array(SLOTS_INITIAL);
  #cameMs = new Float64Array(SLOTS_INITIAL);
  #mask = SLOTS_INITIAL - 1;
  /** Sequence numbers: the oldest, the first that was not sent, and the next to come. */
  head = 0;
  #sent = 0;
  #next = 0;
  /** Frames that have been added and lie side by side in an array that is lent. */
  #source: Uint8Array | null = null;
  #sourceStart = 0;
  #sourceEnd = 0;
  /** What those that are `local` will hear, by sequence number. */
  #locals: Map<number, LocalAnswer> | null = null;
  /** Every request in flight was sent after a zxid at or above this one had been seen. */
  sinceHigh = 0;
  sinceLow = 0;
  /** The same for those from `#mark` on. */
  #mark = 0;
  #markHigh = 0;
  #markLow = 0;
  #isLent = false;

  get size(): number {
    return this.#next - this.head;
  }

  get sentCount(): number {
    return this.#sent - this.head;
  }

  /** One behind the last. */
  get next(): number {
    return this.#next;
  }

  /** The first that has not been sent. */
  get sentEnd(): number {
    return this.#sent;
  }

  get unsentCount(): number {
    return this.#next - this.#sent;
  }

  get byteLength(): number {
    return this.size === 0 ? 0 : this.#tail - this.#startOfLive() + this.#sourceBytes();
  }

  get unsentBytes(): number {
    return this.#tail - this.#sentTail + this.#sourceBytes();
  }

  /** bytes[start, end): a frame with its length, lent until `seal`. */
  add(bytes: Uint8Array, start: number, end: number, flags: number, nowMs: number): void {
    if (bytes !== this.#source || start !== this.#sourceEnd) {
      this.seal();
      this.#source = bytes;
      this.#sourceStart = start;
    }
    this.#sourceEnd = end;
    this.#push(this.#tail + (start - this.#sourceStart), end - start, flags, nowMs);
  }

  /** Answered here, with `error`, when its turn comes: it leaves no bytes to be sent. */
  addLocal(xid: number, op: number, error: number, nowMs: number): void {
    this.seal();
    this.#locals ??= new Map();
    this.#locals.set(this.#next, { xid, op, error });
    const isBehindSent = this.#sent === this.#next;
    this.#push(this.#tail, 0, RequestFlag.local, nowMs);
    if (isBehindSent) this.#sent = this.#next;
  }

  localOf(seq: number): LocalAnswer | null {
    return this.#locals?.get(seq) ?? null;
  }

  /** Copies what was added and is lent. */
  seal(): void {
    const source = this.#source;
    if (source === null) return;
    this.#source = null;
    const start = this.#sourceStart;
    this.#sourceStart = 0;
    this.#copy(source, start, this.#sourceEnd);
    this.#sourceEnd = 0;
  }

  xidOf(seq: number): number {
    return int32At(this.bytes, this.#at[seq & this.#mask]! + FRAME_LENGTH_BYTES);
  }

  opOf(seq: number): number {
    return int32At(this.bytes, this.#at[seq & this.#mask]! + FRAME_LENGTH_BYTES + 4);
  }

  flagsOf(seq: number): number {
    return this.#flags[seq & this.#mask]!;
  }

  cameMsOf(seq: number): number {
    return this.#cameMs[seq & this.#mask]!;
  }

  /** Where the frame begins in `bytes`, its length first. */
  startOf(seq: number): number {
    return this.#at[seq & this.#mask]!;
  }

  endOf(seq: number): number {
    return this.#at[seq & this.#mask]! + this.#lengths[seq & this.#mask]!;
  }

  markAnswered(seq: number): void {
    this.#flags[seq & this.#mask]! |= RequestFlag.answered;
  }

  /** The oldest is done with. */
  pop(): void {
    this.#locals?.delete(this.head);
    this.head++;
    if (this.head === this.#next) {
      if (this.#isLent) this.#replace(BYTES_INITIAL);
      this.#tail = 0;
      this.#sentTail = 0;
    }
    if (this.head > this.#sent) this.#sent = this.head;
  }

  /**
   * Everything that was not sent is now about to be: bytes[start, end) of `bytes`, given back as start
   * (the end is `tail`). The zxid is the newest that has been seen.
   */
  takeUnsent(zxidHigh: number, zxidLow: number): number {
    if (this.head === this.#sent) {
      this.sinceHigh = zxidHigh;
      this.sinceLow = zxidLow;
      this.#mark = this.#sent;
      this.#markHigh = zxidHigh;
      this.#markLow = zxidLow;
    } else if (this.head >= this.#mark) {
      this.sinceHigh = this.#markHigh;
      this.sinceLow = this.#markLow;
      this.#mark = this.#sent;
      this.#markHigh = zxidHigh;
      this.#markLow = zxidLow;
    }
    const start = this.#sentTail;
    this.#sent = this.#next;
    this.#sentTail = this.#tail;
    return start;
  }

  get tail(): number {
    return this.#tail;
  }

  /** A socket keeps a part of the bytes: they stay as they are until it has drained. */
  lend(): void {
    this.#isLent = true;
  }

  onDrained(): void {
    this.#isLent = false;
  }

  get isLent(): boolean {
    return this.#isLent;
  }

  /** Nothing counts as sent any more, and those that were answered or are `local` leave no bytes. */
  rewind(): void {
    this.seal();
    const { bytes, head } = this;
    const end = this.#next;
    const fresh = new Uint8Array(Math.max(BYTES_INITIAL, this.#tail));
    let pos = 0;
    let kept = head;
    for (let seq = head; seq < end; seq++) {
      const flags = this.flagsOf(seq);
      if ((flags & RequestFlag.answered) !== 0) continue;
      const start = this.startOf(seq);
      const length = this.endOf(seq) - start;
      fresh.set(bytes.subarray(start, start + length), pos);
      const local = this.localOf(seq);
      if (local !== null) {
        this.#locals?.delete(seq);
        this.#locals?.set(kept, local);
      }
      const slot = kept & this.#mask;
      this.#cameMs[slot] = this.cameMsOf(seq);
      this.#at[slot] = pos;
      this.#lengths[slot] = length;
      this.#flags[slot] = flags;
      pos += length;
      kept++;
    }
    this.bytes = fresh;
    this.#isLent = false;
    this.#tail = pos;
    this.#next = kept;
    this.#sent = head;
    this.#sentTail = 0;
    this.#mark = head;
  }

  /** Empty again, for the pool. */
  clear(): void {
    this.head = this.#sent = this.#next = this.#mark = 0;
    this.#tail = this.#sentTail = 0;
    this.#source = null;
    this.#locals = null;
  }

  #sourceBytes(): number {
    return this.#source === null ? 0 : this.#sourceEnd - this.#sourceStart;
  }

  #startOfLive(): number {
    return this.head === this.#next ? this.#tail : this.startOf(this.head);
  }

  #push(at: number, length: number, flags: number, nowMs: number): void {
    if (this.#next - this.head > this.#mask) this.#growSlots();
    const slot = this.#next++ & this.#mask;
    this.#at[slot] = at;
    this.#lengths[slot] = length;
    this.#flags[slot] = flags;
    this.#cameMs[slot] = nowMs;
  }

  /** Entries of what is copied have been pushed: they say where it will lie. */
  #copy(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#tail + length > this.bytes.length) this.#makeRoom(length);
    const { bytes } = this;
    let pos = this.#tail;
    this.#tail = pos + length;
    if (length > LOOP_BYTES_MAX) {
      bytes.set(source.subarray(start, end), pos);
      return;
    }
    for (let i = start; i < end; i++) bytes[pos++] = source[i]!;
  }

  #makeRoom(length: number): void {
    const start = Math.min(this.#startOfLive(), this.#tail);
    const live = this.#tail - start;
    if (!this.#isLent && start >= live && live + length <= this.bytes.length) {
      this.bytes.copyWithin(0, start, this.#tail);
    } else {
      const before = this.bytes;
      this.#replace(2 * (live + length));
      this.bytes.set(before.subarray(start, this.#tail));
    }
    this.#shift(start);
  }

  #shift(by: number): void {
    for (let seq = this.head; seq < this.#next; seq++) this.#at[seq & this.#mask]! -= by;
    this.#tail -= by;
    this.#sentTail -= by;
  }

  #replace(byteLength: number): void {
    this.bytes = new Uint8Array(byteLength);
    this.#isLent = false;
  }

  #growSlots(): void {
    const size = 2 * (this.#mask + 1);
    const at = new Int32Array(size);
    const lengths = new Int32Array(size);
    const flags = new Uint8Array(size);
    const cameMs = new Float64Array(size);
    for (let seq = this.head; seq < this.#next; seq++) {
      const from = seq & this.#mask;
      const to = seq & (size - 1);
      at[to] = this.#at[from]!;
      lengths[to] = this.#lengths[from]!;
      flags[to] = this.#flags[from]!;
      cameMs[to] = this.#cameMs[from]!;
    }
    this.#at = at;
    this.#lengths = lengths;
    this.#flags = flags;
    this.#cameMs = cameMs;
    this.#mask = size - 1;
  }
}

export class InFlightPool {
  readonly #free: InFlight[] = [];

  take(): InFlight {
    return this.#free.pop() ?? new InFlight();
  }

  give(inFlight: InFlight): void {
    if (inFlight.bytes.length > POOLED_BYTES_MAX || inFlight.isLent) return;
    if (this.#free.length >= POOLED_COUNT_MAX) return;
    inFlight.clear();
    this.#free.push(inFlight);
  }
}
