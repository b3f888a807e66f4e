/**
 * The checksum of the transaction log and of snapshots. Every byte that becomes durable passes here,
 * so the two sums stay small integers for as long as they can: 3840 bytes keep them below 2^31 even
 * if each byte is 255.
 */
const MODULUS = 65521;
const BLOCK = 3840;

/** `seed` is the checksum of what came before, 1 at the beginning. Returns an unsigned 32-bit value. */
export function adler32(bytes: Uint8Array, start: number, end: number, seed = 1): number {
  let a = seed & 0xffff;
  let b = seed >>> 16;
  let i = start;
  while (i < end) {
    const stop = end - i > BLOCK ? i + BLOCK : end;
    for (const last = stop - 8; i <= last; i += 8) {
      a = (a + bytes[i]!) | 0;
      b = (b + a) | 0;
      a = (a + bytes[i + 1]!) | 0;
      b = (b + a) | 0;
      a = (a + bytes[i + 2]!) | 0;
      b = (b + a) | 0;
      a = (a + bytes[i + 3]!) | 0;
      b = (b + a) | 0;
      a = (a + bytes[i + 4]!) | 0;
      b = (b + a) | 0;
      a = (a + bytes[i + 5]!) | 0;
      b = (b + a) | 0;
      a = (a + bytes[i + 6]!) | 0;
      b = (b + a) | 0;
      a = (a + bytes[i + 7]!) | 0;
      b = (b + a) | 0;
    }
    for (; i < stop; i++) {
      a = (a + bytes[i]!) | 0;
      b = (b + a) | 0;
    }
    a %= MODULUS;
    b %= MODULUS;
  }
  return ((b << 16) | a) >>> 0;
}
