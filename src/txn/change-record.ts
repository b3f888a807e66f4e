/**
 * What a znode will be once everything proposed has been applied: the few facts that preparing the
 * next request must know. One exists per znode with an outstanding change, in the overlay
 * (`outstanding.ts`); records are pooled, because one is needed for nearly every write.
 */
import { crc32 } from '../protocol/crc32.js';
import type { Acl } from './authorize.js';

/** Offsets in the persisted form of a Stat, as it lies in snapshots and in the tree. */
export const StatAt = {
  czxid: 0,
  mzxid: 8,
  ctime: 16,
  mtime: 24,
  version: 32,
  cversion: 36,
  aversion: 40,
  ephemeralOwner: 44,
  pzxid: 52,
  end: 60,
} as const;

export class ChangeRecord {
  path = '';
  /** False: the znode does not exist (deleted by something proposed, or never created). */
  exists = false;
  readonly stat = new Uint8Array(StatAt.end);
  numChildren = 0;
  acl: readonly Acl[] = [];
  dataLength = 0;
  /** CRC32 over path and data: the digest goes on from it over the stat. */
  crcAfterData = 0;
  /** The node's contribution to the tree digest; 0 where it has none. */
  digest = 0;
  /** How many outstanding transactions changed it; it leaves the overlay with the last of them. */
  touches = 0;
  /** The transaction whose journal holds this record's earlier state (multi). */
  journaledBy = 0;
  /** The record table's: of the path, and the next record in the same bucket. */
  hash = 0;
  next: ChangeRecord | null = null;

  int(at: number): number {
    const s = this.stat;
    return (
      ((s[at] ?? 0) << 24) | ((s[at + 1] ?? 0) << 16) | ((s[at + 2] ?? 0) << 8) | (s[at + 3] ?? 0)
    );
  }

  setInt(at: number, value: number): void {
    const s = this.stat;
    s[at] = value >>> 24;
    s[at + 1] = value >>> 16;
    s[at + 2] = value >>> 8;
    s[at + 3] = value;
  }

  setLong(at: number, high: number, low: number): void {
    this.setInt(at, high);
    this.setInt(at + 4, low);
  }

  copyFrom(other: ChangeRecord): void {
    this.path = other.path;
    this.exists = other.exists;
    this.stat.set(other.stat);
    this.numChildren = other.numChildren;
    this.acl = other.acl;
    this.dataLength = other.dataLength;
    this.crcAfterData = other.crcAfterData;
    this.digest = other.digest;
  }
}

/** Znodes below /zookeeper are kept locally and have no part in the digest. */
export function hasDigest(path: string): boolean {
  return !path.startsWith('/zookeeper/');
}

/**
 * The digest of a znode, version 2: CRC32 over path, data, and the stat's fields in the order
 * czxid mzxid pzxid ctime mtime version cversion aversion ephemeralOwner, which is not the order on
 * disk. The root's path counts as empty.
 */
export function digestOf(crcAfterData: number, stat: Uint8Array): number {
  const zxids = crc32(stat, StatAt.czxid, StatAt.ctime, crcAfterData);
  const pzxid = crc32(stat, StatAt.pzxid, StatAt.end, zxids);
  return crc32(stat, StatAt.ctime, StatAt.pzxid, pzxid);
}
