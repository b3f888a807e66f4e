/**
 * Bytes on their way: copied into blocks that many pieces share, because an array of its own for each
 * of the small pieces that a simulated network carries costs more than all that is done with it.
 */
const BLOCK_BYTES = 64 * 1024;
/** A longer piece has an array of its own. */
const SHARED_MAX = 4 * 1024;

export interface Piece {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Copies that nobody changes; a block is gone when its last piece is. */
export class Blocks {
  #block = new Uint8Array(BLOCK_BYTES);
  #used = 0;

  copy(bytes: Uint8Array, start: number, end: number): Piece {
    const length = end - start;
    if (length > SHARED_MAX) return { bytes: bytes.slice(start, end), start: 0, end: length };
    if (this.#used + length > BLOCK_BYTES) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#used = 0;
    }
    const block = this.#block;
    const at = this.#used;
    this.#used = at + length;
    copyInto(block, at, bytes, start, end);
    return { bytes: block, start: at, end: at + length };
  }

  /** The same as an array, for what is kept and read later. */
  view(source: Uint8Array, from: number, to: number): Uint8Array {
    const { bytes, start, end } = this.copy(source, from, to);
    return end - start === bytes.length ? bytes : bytes.subarray(start, end);
  }
}

/** Below some 60 bytes a loop is faster than a view. */
export function copyInto(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start > 60) into.set(bytes.subarray(start, end), at);
  else for (let i = start; i < end; i++) into[at++] = bytes[i]!;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
