/**
 * Packets out of a byte stream: an int32 length, then that many bytes. TCP cuts wherever it likes, so
 * the decoder is indifferent to chunking. A frame that lies whole in the chunk is lent from it, which
 * is the usual case and copies nothing. A frame that arrives in pieces is gathered in a buffer that
 * grows with the bytes that came, never with the bytes that were promised: a thousand connections that
 * each announce a megabyte and send nothing cost nothing.
 */
import { frameLengthBytes, partialFrameBytesInitial } from './limits.js';

/** Gets a frame without its length. The bytes are lent: valid until it returns. False: stop. */
export type OnFrame = (bytes: Uint8Array, start: number, end: number) => boolean;

export type FrameStatus = 'ok' | 'tooLong' | 'negative';

const NOTHING = new Uint8Array(0);

export class FrameDecoder {
  #limitBytes: number;
  /** Of the unfinished frame: how many bytes of its length came, and what they say so far. */
  #lengthBytes = 0;
  #length = 0;
  /** Of the unfinished frame: its first `#have` bytes. */
  #partial = NOTHING;
  #have = 0;
  #consumed = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Some of a frame has come, and not all of it. */
  get hasPartial(): boolean {
    return this.#lengthBytes > 0;
  }

  /** The length that the last refused frame announced. */
  get refusedLength(): number {
    return this.#length;
  }

  /**
   * Where in its chunk the last push stopped. After `onFrame` returned false the bytes from here on
   * were not looked at: push them again to go on, or drop them.
   */
  get consumed(): number {
    return this.#consumed;
  }

  /** A peer may be granted more once it is known. Counts from the next length on. */
  setLimit(limitBytes: number): void {
    this.#limitBytes = limitBytes;
  }

  /**
   * Calls `onFrame` for each frame that is complete with these bytes. After anything but 'ok' the
   * stream has no frames any more: close the connection. `onFrame` must not push.
   */
  push(bytes: Uint8Array, start: number, end: number, onFrame: OnFrame): FrameStatus {
    let pos = start;
    let more = true;
    while (more && pos < end) {
      if (this.#lengthBytes < frameLengthBytes) {
        if (this.#lengthBytes === 0 && end - pos >= frameLengthBytes) {
          this.#length =
            (bytes[pos]! << 24) |
            (bytes[pos + 1]! << 16) |
            (bytes[pos + 2]! << 8) |
            bytes[pos + 3]!;
          pos += frameLengthBytes;
        } else {
          this.#length = (this.#length << 8) | bytes[pos++]!;
          if (++this.#lengthBytes < frameLengthBytes) continue;
        }
        this.#lengthBytes = frameLengthBytes;
        if (this.#length < 0 || this.#length > this.#limitBytes) {
          this.#consumed = pos;
          return this.#length < 0 ? 'negative' : 'tooLong';
        }
      }
      const length = this.#length;
      const wanted = length - this.#have;
      const available = end - pos;
      if (available < wanted) {
        this.#gather(bytes, pos, end);
        pos = end;
      } else if (this.#have === 0) {
        pos += length;
        this.#forget();
        more = onFrame(bytes, pos - length, pos);
      } else {
        this.#gather(bytes, pos, pos + wanted);
        pos += wanted;
        const whole = this.#partial;
        this.#forget();
        more = onFrame(whole, 0, length);
      }
    }
    this.#consumed = pos;
    return 'ok';
  }

  #forget(): void {
    this.#lengthBytes = 0;
    this.#length = 0;
    this.#have = 0;
    this.#partial = NOTHING;
  }

  #gather(bytes: Uint8Array, start: number, end: number): void {
    const have = this.#have + (end - start);
    if (have > this.#partial.length) {
      const room = Math.min(this.#length, Math.max(2 * have, partialFrameBytesInitial));
      const grown = new Uint8Array(room);
      grown.set(this.#partial.subarray(0, this.#have));
      this.#partial = grown;
    }
    this.#partial.set(bytes.subarray(start, end), this.#have);
    this.#have = have;
  }
}
