/**
 * The total order of transactions: 64 bits, the epoch of the leader that proposed it above a counter
 * that starts at 1 in every epoch. A number would do until epoch 2^21, which is a trap and not a
 * plan; a bigint is right everywhere and too slow where it matters, so hot code carries two halves
 * (high, low) and this file is where the forms meet.
 */

/** As on the wire: a signed 64-bit value. */
export type Zxid = bigint;

/** Wraps any integer to the signed 64 bits of the wire. */
export function zxid(value: bigint | number): Zxid {
  return BigInt.asIntN(64, BigInt(value));
}

export function makeZxid(epoch: number, counter: number): Zxid {
  return BigInt.asIntN(64, (BigInt(epoch) << 32n) | BigInt(counter >>> 0));
}

/** Halves may be signed or unsigned 32-bit numbers. */
export function zxidOfParts(high: number, low: number): Zxid {
  return (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
}

/** The upper half, unsigned. */
export function zxidHigh(value: Zxid): number {
  return Number(BigInt.asUintN(32, value >> 32n));
}

/** The lower half, unsigned. */
export function zxidLow(value: Zxid): number {
  return Number(BigInt.asUintN(32, value));
}

export function epochOf(value: Zxid): number {
  return Number(BigInt.asIntN(64, value) >> 32n);
}

export function counterOf(value: Zxid): number {
  return zxidLow(value);
}

/** Negative, zero or positive, as a comes before, with or after b. Halves signed or unsigned. */
export function compareParts(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const high = (aHigh | 0) - (bHigh | 0);
  return high !== 0 ? high : (aLow >>> 0) - (bLow >>> 0);
}

/** Unsigned hexadecimal without prefix, as in file names: `200000001`. */
export function formatHex(value: Zxid): string {
  return BigInt.asUintN(64, value).toString(16);
}

/** As people write it: `0x200000001`. */
export function formatZxid(value: Zxid): string {
  return `0x${formatHex(value)}`;
}

/** Reads what `formatHex` writes (case does not matter); null when it is anything else. */
export function parseHex(text: string): Zxid | null {
  return /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt.asIntN(64, BigInt(`0x${text}`)) : null;
}
