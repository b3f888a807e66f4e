/**
 * The overlay's index: change records by path. A table of its own instead of a Map because records
 * come and go with every write: a Map allocates a new table every few dozen of them, and each dead
 * table, once old, keeps its younger successors and all their paths alive until a full collection;
 * that made every minor collection several times as long. This one is intrusive and allocates only
 * to grow.
 */
import type { ChangeRecord } from './change-record.js';

const BUCKETS_MIN = 256;

export class RecordTable {
  #buckets: (ChangeRecord | null)[] = new Array<ChangeRecord | null>(BUCKETS_MIN).fill(null);
  #mask = BUCKETS_MIN - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(path: string): ChangeRecord | null {
    const hash = hashOf(path);
    let record = this.#buckets[hash & this.#mask] ?? null;
    while (record !== null && (record.hash !== hash || record.path !== path)) record = record.next;
    return record;
  }

  /** No record of the same path may be in it. */
  add(record: ChangeRecord): void {
    if (this.#size > this.#mask) this.#grow();
    record.hash = hashOf(record.path);
    const bucket = record.hash & this.#mask;
    record.next = this.#buckets[bucket] ?? null;
    this.#buckets[bucket] = record;
    this.#size++;
  }

  /** Takes out exactly this record, if it is in. */
  remove(record: ChangeRecord): void {
    const bucket = record.hash & this.#mask;
    let before: ChangeRecord | null = null;
    let at = this.#buckets[bucket] ?? null;
    while (at !== null && at !== record) {
      before = at;
      at = at.next;
    }
    if (at === null) return;
    if (before === null) this.#buckets[bucket] = record.next;
    else before.next = record.next;
    record.next = null;
    this.#size--;
  }

  /** In no order. */
  forEach(visit: (record: ChangeRecord) => void): void {
    if (this.#size === 0) return;
    for (const head of this.#buckets) {
      for (let at = head; at !== null; at = at.next) visit(at);
    }
  }

  #grow(): void {
    const records: ChangeRecord[] = [];
    this.forEach((record) => records.push(record));
    const bucketCount = (this.#mask + 1) * 4;
    this.#buckets = new Array<ChangeRecord | null>(bucketCount).fill(null);
    this.#mask = bucketCount - 1;
    this.#size = 0;
    for (const record of records) this.add(record);
  }
}

/** FNV-1a over UTF-16 units, with its low bits mixed: paths often differ in their last digits only. */
function hashOf(path: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  return hash & 0x3fffffff;
}
