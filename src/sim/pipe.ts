/**
 * One direction of a simulated TCP connection: what the sender's socket still holds, what is under
 * way, what waits in the receiver's kernel. Order and content are kept, as TCP keeps them; everything
 * else is at the mercy of the link: how bytes are cut into segments and put together again, how long
 * they take, whether they arrive at all.
 *
 * Bytes that the window has no room for are kept by reference, as a kernel that takes no more leaves
 * them to the process: a sender that writes into a buffer it no longer owns is found out, because the
 * receiver then reads nonsense.
 */
import type { SeededRandom } from '../base/random.js';
import { copyInto, type Blocks, type Piece } from './bytes.js';
import type { Timeline } from './clock.js';

export interface LinkQuality {
  /** The least time from end to end, and the mean of what comes on top of it. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** Lost segments come again after a while, and everything behind them waits. */
  readonly loss: number;
  readonly retransmitMs: number;
  /** Bytes sent and not read yet that fit between the two. */
  readonly windowBytes: number;
  /** Probability that a write is cut into several segments, and into single bytes. */
  readonly cut: number;
  readonly cutToBytes: number;
  /** The most one read hands over. */
  readonly readBytesMax: number;
}

/** Longer writes are never cut to bytes: it would be nothing but slow. */
const BYTEWISE_MAX = 200;

interface Kept {
  readonly bytes: Uint8Array;
  start: number;
  readonly end: number;
}

export interface PipeEnds {
  /** Bytes are there to be read, or the end of them. */
  onArrival(byteCount: number): void;
  /** Everything the socket had kept is on its way. */
  onDrained(): void;
}

export class Pipe {
  readonly #timeline: Timeline;
  readonly #random: SeededRandom;
  readonly #quality: LinkQuality;
  readonly #blocks: Blocks;
  readonly #ends: PipeEnds;
  readonly #kept: Kept[] = [];
  #keptBytes = 0;
  #usedBytes = 0;
  #lastArrivalMs = 0;
  #received: Piece[] = [];
  /** What has been read of the first. */
  #readBytes = 0;
  #receivedBytes = 0;
  #isPumpDue = false;
  #isEnding = false;
  #isCut = false;
  /** All bytes have arrived, and there will be no more. */
  isAtEnd = false;
  /** Nothing gets through any more, and nobody is told (N8). */
  isSilent = false;

  constructor(
    timeline: Timeline,
    random: SeededRandom,
    quality: LinkQuality,
    blocks: Blocks,
    ends: PipeEnds,
  ) {
    this.#timeline = timeline;
    this.#random = random;
    this.#quality = quality;
    this.#blocks = blocks;
    this.#ends = ends;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** True: bytes[start, end) is the caller's again. False: it is ours, and will be read later. */
  write(bytes: Uint8Array, start: number, end: number): boolean {
    let from = start;
    if (this.#kept.length === 0) {
      const room = Math.max(0, this.#quality.windowBytes - this.#usedBytes);
      const now = Math.min(end - start, room);
      if (now > 0) this.#send(bytes, start, start + now);
      from = start + now;
    }
    if (from >= end) return true;
    this.#kept.push({ bytes, start: from, end });
    this.#keptBytes += end - from;
    return false;
  }

  /** No more will be written; the other side learns it after everything has arrived. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (this.#kept.length === 0) this.#sendEnd();
  }

  /** What the sender's process still held is lost; what its kernel had is not. */
  dropKept(): void {
    this.#kept.length = 0;
    this.#keptBytes = 0;
  }

  /** What is on the wire is lost; what has arrived can still be read. */
  loseWire(): void {
    this.#isCut = true;
    this.dropKept();
  }

  /** Nothing of this pipe matters any more, not even what is on the wire. */
  cut(): void {
    this.#isCut = true;
    this.dropKept();
    this.#received = [];
    this.#readBytes = this.#receivedBytes = 0;
  }

  /** What one read hands over of what has arrived. */
  get readableBytes(): number {
    return Math.min(this.#receivedBytes, this.#quality.readBytesMax);
  }

  /** The first `readableBytes`, put at the beginning of `into`. */
  read(into: Uint8Array): void {
    const length = this.readableBytes;
    let have = 0;
    let pieces = 0;
    while (have < length) {
      const { bytes, start, end } = this.#received[pieces]!;
      const from = start + this.#readBytes;
      const to = Math.min(end, from + length - have);
      copyInto(into, have, bytes, from, to);
      have += to - from;
      this.#readBytes = to === end ? 0 : to - start;
      if (to === end) pieces++;
    }
    if (pieces === 1) this.#received.shift();
    else if (pieces > 0) this.#received.splice(0, pieces);
    this.#receivedBytes -= length;
    this.#usedBytes -= length;
    if (this.#kept.length > 0) this.#pumpLater();
  }

  #pumpLater(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    this.#timeline.after(this.#quality.latencyMs, () => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isCut || this.#kept.length === 0) return;
    for (let first = this.#kept[0]; first !== undefined; first = this.#kept[0]) {
      const room = this.#quality.windowBytes - this.#usedBytes;
      if (room <= 0) return;
      const count = Math.min(room, first.end - first.start);
      this.#send(first.bytes, first.start, first.start + count);
      first.start += count;
      this.#keptBytes -= count;
      if (first.start === first.end) this.#kept.shift();
    }
    if (this.#isEnding) this.#sendEnd();
    this.#ends.onDrained();
  }

  /** Cuts the bytes as the network does, and sends the pieces on their way in order. */
  #send(source: Uint8Array, first: number, last: number): void {
    const { bytes, start, end } = this.#blocks.copy(source, first, last);
    this.#usedBytes += end - start;
    const { cut, cutToBytes } = this.#quality;
    const random = this.#random;
    if (end - start <= BYTEWISE_MAX && cutToBytes > 0 && random.chance(cutToBytes)) {
      for (let i = start; i < end; i++) this.#sendSegment({ bytes, start: i, end: i + 1 });
      return;
    }
    let from = start;
    while (cut > 0 && end - from > 1 && random.chance(cut)) {
      const length = random.between(1, end - from - 1);
      this.#sendSegment({ bytes, start: from, end: from + length });
      from += length;
    }
    this.#sendSegment({ bytes, start: from, end });
  }

  #sendSegment(piece: Piece): void {
    this.#timeline.at(this.#arrivalMs(), () => {
      if (this.#isCut || this.isSilent) return;
      const byteCount = piece.end - piece.start;
      this.#received.push(piece);
      this.#receivedBytes += byteCount;
      this.#ends.onArrival(byteCount);
    });
  }

  #sendEnd(): void {
    this.#timeline.at(this.#arrivalMs(), () => {
      if (this.#isCut || this.isSilent) return;
      this.isAtEnd = true;
      this.#ends.onArrival(0);
    });
  }

  #arrivalMs(): number {
    const { latencyMs, jitterMs, loss, retransmitMs } = this.#quality;
    let takesMs = latencyMs;
    if (jitterMs > 0) takesMs -= jitterMs * Math.log(1 - this.#random.fraction());
    if (loss > 0 && this.#random.chance(loss))
      takesMs += retransmitMs * (1 + this.#random.below(4));
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, this.#timeline.nowMs + takesMs);
    return this.#lastArrivalMs;
  }

  /** Everything under way arrives no earlier than that: a stall. */
  stallUntil(timeMs: number): void {
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, timeMs);
  }
}
