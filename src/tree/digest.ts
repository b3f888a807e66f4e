/**
 * The digest: one number that two servers compare to know whether their trees are equal. Each znode
 * contributes the CRC-32 of its path, its data and its stat, in this order; the tree's digest is the
 * sum of them, 64 bits wide. Znodes below `/zookeeper` are left out (quota statistics are not
 * replicated). The part before the stat changes rarely, so it is kept with the znode, and a change of
 * the stat costs fifteen steps.
 */
import { crc32 } from '../protocol/crc32.js';
import {
  W_AVERSION,
  W_CRC,
  W_CTIME,
  W_CVERSION,
  W_CZXID,
  W_MTIME,
  W_MZXID,
  W_OWNER,
  W_PZXID,
  W_VERSION,
} from './node-store.js';

/** Of the way to compute it; travels beside each digest on disk and between servers. */
export const DIGEST_VERSION = 2;

const POLYNOMIAL = 0xedb88320;

/** Table k, at 256 * k, advances a byte's remainder by k further bytes. */
const T = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(4 * 256);
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

/** A word as its four bytes, the highest first: the first byte meets the lowest of the register. */
function step(c: number, word: number): number {
  return (
    T[768 + ((c ^ (word >>> 24)) & 0xff)]! ^
    T[512 + (((c >>> 8) ^ (word >>> 16)) & 0xff)]! ^
    T[256 + (((c >>> 16) ^ (word >>> 8)) & 0xff)]! ^
    T[((c >>> 24) ^ word) & 0xff]!
  );
}

/**
 * The digest of the znode whose record begins at `at`, signed: what is passed around a million times a
 * second should fit into a register.
 */
export function digestOfRecord(segment: Int32Array, at: number): number {
  let c = ~segment[at + W_CRC]!;
  c = step(c, segment[at + W_CZXID]!);
  c = step(c, segment[at + W_CZXID + 1]!);
  c = step(c, segment[at + W_MZXID]!);
  c = step(c, segment[at + W_MZXID + 1]!);
  c = step(c, segment[at + W_PZXID]!);
  c = step(c, segment[at + W_PZXID + 1]!);
  c = step(c, segment[at + W_CTIME]!);
  c = step(c, segment[at + W_CTIME + 1]!);
  c = step(c, segment[at + W_MTIME]!);
  c = step(c, segment[at + W_MTIME + 1]!);
  c = step(c, segment[at + W_VERSION]!);
  c = step(c, segment[at + W_CVERSION]!);
  c = step(c, segment[at + W_AVERSION]!);
  c = step(c, segment[at + W_OWNER]!);
  c = step(c, segment[at + W_OWNER + 1]!);
  return ~c;
}

/** Where the fields of a digest lie in a persisted stat: pzxid comes third, not last. */
const STAT_HEAD_BYTES = 16;
const STAT_PZXID = 52;
const STAT_BYTES = 60;

/**
 * The digest a znode will have: for who prepares a transaction and must say the tree's digest after
 * it. `crcAfterData` is the CRC-32 of path and data; the stat is a persisted one at `pos`.
 */
export function digestOfStat(crcAfterData: number, stat: Uint8Array, pos: number): number {
  const head = crc32(stat, pos, pos + STAT_HEAD_BYTES, crcAfterData);
  const pzxid = crc32(stat, pos + STAT_PZXID, pos + STAT_BYTES, head);
  return crc32(stat, pos + STAT_HEAD_BYTES, pos + STAT_PZXID, pzxid);
}

/** A sum modulo 2^64 of unsigned 32-bit numbers, given signed or unsigned. */
export class DigestSum {
  /** Both halves unsigned. */
  high = 0;
  low = 0;

  add(value: number): void {
    const low = this.low + (value >>> 0);
    if (low > 0xffff_ffff) {
      this.low = low - 0x1_0000_0000;
      this.high = (this.high + 1) >>> 0;
    } else {
      this.low = low;
    }
  }

  subtract(value: number): void {
    const low = this.low - (value >>> 0);
    if (low < 0) {
      this.low = low + 0x1_0000_0000;
      this.high = (this.high - 1) >>> 0;
    } else {
      this.low = low;
    }
  }
}
