/**
 * Loops over bytes as the hot paths need them: eight bytes a turn, which is twice as fast as one, and
 * without the views that copying through the engine would make. Long copies are the engine's.
 */

/** From here on a view and `set` cost less than the loop. */
const LOOP_BYTES_MAX = 128;

export function copyBytes(
  from: Uint8Array,
  start: number,
  to: Uint8Array,
  at: number,
  length: number,
): void {
  if (length > LOOP_BYTES_MAX) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  let i = 0;
  for (const last = length - 8; i <= last; i += 8) {
    const s = start + i;
    const t = at + i;
    to[t] = from[s]!;
    to[t + 1] = from[s + 1]!;
    to[t + 2] = from[s + 2]!;
    to[t + 3] = from[s + 3]!;
    to[t + 4] = from[s + 4]!;
    to[t + 5] = from[s + 5]!;
    to[t + 6] = from[s + 6]!;
    to[t + 7] = from[s + 7]!;
  }
  for (; i < length; i++) to[at + i] = from[start + i]!;
}

export function equalBytes(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  length: number,
): boolean {
  let i = 0;
  for (const last = length - 4; i <= last; i += 4) {
    const p = aStart + i;
    const q = bStart + i;
    const first = (a[p]! ^ b[q]!) | (a[p + 1]! ^ b[q + 1]!);
    if ((first | (a[p + 2]! ^ b[q + 2]!) | (a[p + 3]! ^ b[q + 3]!)) !== 0) return false;
  }
  for (; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** How long Java says the text is: in units of UTF-16. */
export function utf16Length(bytes: Uint8Array, start: number, end: number): number {
  let bits = 0;
  let i = start;
  for (const last = end - 4; i <= last; i += 4) {
    bits |= bytes[i]! | bytes[i + 1]! | bytes[i + 2]! | bytes[i + 3]!;
  }
  for (; i < end; i++) bits |= bytes[i]!;
  if (bits < 0x80) return end - start;
  let length = 0;
  for (i = start; i < end; i++) {
    const c = bytes[i]!;
    if ((c & 0xc0) !== 0x80) length += c >= 0xf0 ? 2 : 1;
  }
  return length;
}
