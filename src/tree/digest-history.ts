/**
 * The digest of the tree after each 128th transaction, the last 1024 of them: servers of an ensemble
 * are compared by it (`hash`), and one that restarted has it again as far as it replayed.
 */
import { Ring } from '../base/ring.js';
import { zxidOfParts, type Zxid } from '../protocol/zxid.js';

export interface DigestEntry {
  readonly zxid: Zxid;
  /** As a signed 64-bit number. */
  readonly digest: bigint;
}

const INTERVAL_MASK = 127;
const ENTRIES_MAX = 1024;

export class DigestHistory {
  readonly #entries = new Ring<DigestEntry>(ENTRIES_MAX);

  /** After every transaction. */
  note(zxidHigh: number, zxidLow: number, digestHigh: number, digestLow: number): void {
    if ((zxidLow & INTERVAL_MASK) !== 0) return;
    if (this.#entries.isFull) this.#entries.shift();
    const digest = (BigInt(digestHigh | 0) << 32n) | BigInt(digestLow >>> 0);
    this.#entries.push({ zxid: zxidOfParts(zxidHigh, zxidLow), digest });
  }

  /** What was noted while the tree held changes from later already says nothing about a zxid. */
  clear(): void {
    this.#entries.clear();
  }

  /** Oldest first. May be left half read, and survives going on meanwhile. */
  *entries(): Generator<DigestEntry> {
    for (let i = 0; i < this.#entries.size; i++) {
      const entry = this.#entries.at(i);
      if (entry !== undefined) yield entry;
    }
  }
}
