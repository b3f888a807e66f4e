/**
 * Where things lie on a ring: 32 bits from a text, the same in every process and version, because
 * clients that disagree about a place would each fill another server's cache. FNV-1a over the code
 * units, then murmur3's finaliser, without which texts that differ in their last character would lie
 * next to each other. Not for secrets.
 */
export function hash32(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return mix32(hash);
}

/** Spreads the bits of an integer over all 32. */
export function mix32(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
