/**
 * The ephemeralOwner field carries four things: nothing, a session (an ephemeral znode), the mark of
 * a container, or a time to live. Which bit patterns mean a TTL depends on `extendedTypesEnabled`
 * and on the emulation of 3.5.3's encoding; without them the same bits are a session's.
 */
import type { ChangeRecord } from './change-record.js';
import { StatAt } from './change-record.js';

export type OwnerType = 'none' | 'ephemeral' | 'container' | 'ttl';

/** 40 bits of milliseconds, about 34 years. */
export const TTL_MAX_MS = 0xff_ffff_ffff;

interface OwnerOptions {
  readonly extendedTypesEnabled: boolean;
  readonly emulate353Ttl: boolean;
}

export function ownerTypeOf(stat: Uint8Array, at: number, options: OwnerOptions): OwnerType {
  const first = stat[at] ?? 0;
  let rest = 0;
  for (let i = 1; i < 8; i++) rest |= stat[at + i] ?? 0;
  if (first === 0 && rest === 0) return 'none';
  if (options.extendedTypesEnabled) {
    if (options.emulate353Ttl && (first & 0x80) !== 0 && !(first === 0x80 && rest === 0))
      return 'ttl';
    if (first === 0xff) return 'ttl';
  }
  return first === 0x80 && rest === 0 ? 'container' : 'ephemeral';
}

/** Milliseconds that a TTL znode lives without being changed. */
export function ttlOf(record: ChangeRecord): number {
  const high = record.int(StatAt.ephemeralOwner) & 0xff;
  return high * 0x1_0000_0000 + (record.int(StatAt.ephemeralOwner + 4) >>> 0);
}

export function writeTtlOwner(record: ChangeRecord, ttlMs: number): void {
  const high = 0xff000000 | Math.floor(ttlMs / 0x1_0000_0000);
  record.setLong(StatAt.ephemeralOwner, high, ttlMs >>> 0);
}
