/**
 * Frames that are to be passed on, so each is handed over with its length before it, and those that
 * came together lie together: whoever passes them on writes one range. Nothing but whole frames leaves
 * here. A torn one is gathered in a buffer that grows with what has come, and when its connection dies
 * the other side has not seen a byte of it.
 */
import { frameLengthBytes, partialFrameBytesInitial } from '../../protocol/limits.js';
import { int32At } from './request-facts.js';

export interface FrameSink {
  /** bytes[start, end) is a frame with its length, lent for the call. False: no more of these. */
  onFrame(bytes: Uint8Array, start: number, end: number): boolean;
}

export type SplitStatus = 'ok' | 'tooLong' | 'negative';

export class FrameSplitter {
  readonly #limitBytes: number;
  /** The first `#have` bytes of an unfinished frame, its length among them. */
  #partial: Uint8Array | null = null;
  #have = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** After anything but 'ok' the stream has no frames any more. `sink` must not push. */
  push(bytes: Uint8Array, start: number, end: number, sink: FrameSink): SplitStatus {
    let pos = start;
    if (this.#have > 0) {
      pos = this.#fillLength(bytes, start, end);
      if (this.#have < frameLengthBytes) return 'ok';
      const partial = this.#partial!;
      const length = int32At(partial, 0);
      const verdict = this.#judge(length);
      if (verdict !== 'ok') return verdict;
      const wanted = frameLengthBytes + length - this.#have;
      if (end - pos < wanted) {
        this.#gather(bytes, pos, end, frameLengthBytes + length);
        return 'ok';
      }
      this.#gather(bytes, pos, pos + wanted, frameLengthBytes + length);
      pos += wanted;
      const whole = this.#partial!;
      this.#partial = null;
      this.#have = 0;
      if (!sink.onFrame(whole, 0, frameLengthBytes + length)) return 'ok';
    }
    while (end - pos >= frameLengthBytes) {
      const length = int32At(bytes, pos);
      if (length < 0 || length > this.#limitBytes) return this.#judge(length);
      const next = pos + frameLengthBytes + length;
      if (next > end) break;
      if (!sink.onFrame(bytes, pos, next)) return 'ok';
      pos = next;
    }
    if (pos < end) this.#keep(bytes, pos, end);
    return 'ok';
  }

  #judge(length: number): SplitStatus {
    if (length < 0) return 'negative';
    return length > this.#limitBytes ? 'tooLong' : 'ok';
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start < frameLengthBytes ? 0 : int32At(bytes, start);
    this.#gather(bytes, start, end, frameLengthBytes + length);
  }

  /** Returns where in `bytes` the rest begins. */
  #fillLength(bytes: Uint8Array, start: number, end: number): number {
    if (this.#have >= frameLengthBytes) return start;
    const pos = Math.min(end, start + frameLengthBytes - this.#have);
    this.#gather(bytes, start, pos, frameLengthBytes);
    return pos;
  }

  #gather(bytes: Uint8Array, start: number, end: number, wholeBytes: number): void {
    const have = this.#have + (end - start);
    const partial = this.#partial;
    if (partial === null || have > partial.length) {
      const room = Math.min(wholeBytes, Math.max(2 * have, partialFrameBytesInitial));
      const grown = new Uint8Array(room);
      if (partial !== null) grown.set(partial.subarray(0, this.#have));
      this.#partial = grown;
    }
    this.#partial!.set(bytes.subarray(start, end), this.#have);
    this.#have = have;
  }
}
