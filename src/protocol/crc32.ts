/**
 * The checksum inside the tree's digest: over the path, the data and the stat of each znode, in that
 * order, on every change of one. Eight bytes a step with eight tables of 256 entries.
 */
const POLYNOMIAL = 0xedb88320;

/** Table k, at 256 * k, advances a byte's remainder by k further bytes. */
const T = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = (c & 1) !== 0 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1;
    tables[n] = c;
  }
  for (let at = 256; at < tables.length; at++) {
    const c = tables[at - 256]!;
    tables[at] = tables[c & 0xff]! ^ (c >>> 8);
  }
  return tables;
}

/** `seed` is the checksum of what came before, 0 at the beginning. Returns an unsigned 32-bit value. */
export function crc32(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  let c = ~seed;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c =
      T[1792 + (c & 0xff)]! ^
      T[1536 + ((c >>> 8) & 0xff)]! ^
      T[1280 + ((c >>> 16) & 0xff)]! ^
      T[1024 + (c >>> 24)]! ^
      T[768 + bytes[i + 4]!]! ^
      T[512 + bytes[i + 5]!]! ^
      T[256 + bytes[i + 6]!]! ^
      T[bytes[i + 7]!]!;
  }
  for (; i < end; i++) c = T[(c ^ bytes[i]!) & 0xff]! ^ (c >>> 8);
  return ~c >>> 0;
}
