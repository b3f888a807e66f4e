/**
 * The zxids of a log leave no gaps: within an epoch each is the one before plus one, and an epoch
 * begins with counter 1. A log in which that does not hold has lost transactions, whatever its
 * checksums say; Apache's servers read on over such a gap in silence.
 */
import { compareParts } from '../protocol/zxid.js';

/** Whether (nextHigh, nextLow) can be the transaction right after (high, low). */
export function follows(high: number, low: number, nextHigh: number, nextLow: number): boolean {
  if ((nextHigh | 0) === (high | 0)) return nextLow >>> 0 === (low >>> 0) + 1;
  return (nextHigh | 0) > (high | 0) && nextLow >>> 0 <= 1;
}

export function isAfter(high: number, low: number, thanHigh: number, thanLow: number): boolean {
  return compareParts(high, low, thanHigh, thanLow) > 0;
}
