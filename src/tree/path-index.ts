/**
 * From the hash of a path to the znodes that have it: linear hashing with chains through the records.
 * It grows by a bucket whenever it is three quarters full, splitting one chain at a time, so there is
 * never a rehash to wait for, never a second table, and never a tombstone.
 *
 * The index knows hashes only; whether a znode of the chain is the one sought, its names decide.
 */
import { NO_NODE, W_HASH, W_HASH_NEXT, type NodeId, type NodeStore } from './node-store.js';

const SEGMENT_BITS = 14;
const SEGMENT_BUCKETS = 1 << SEGMENT_BITS;
const SEGMENT_MASK = SEGMENT_BUCKETS - 1;
const INITIAL_MASK = 1023;

export class PathIndex {
  readonly #nodes: NodeStore;
  readonly #segments: Int32Array[] = [new Int32Array(SEGMENT_BUCKETS)];
  /** Buckets below #split are addressed with one more bit than the others. */
  #mask = INITIAL_MASK;
  #split = 0;
  #buckets = INITIAL_MASK + 1;
  #count = 0;

  constructor(nodes: NodeStore) {
    this.#nodes = nodes;
  }

  get count(): number {
    return this.#count;
  }

  /** First of the chain in which a znode of this hash would be; W_HASH_NEXT leads on. */
  chainOf(hash: number): NodeId {
    let bucket = hash & this.#mask;
    if (bucket < this.#split) bucket = hash & (2 * this.#mask + 1);
    return this.#segments[bucket >>> SEGMENT_BITS]![bucket & SEGMENT_MASK]!;
  }

  /** The record has its hash already. */
  add(id: NodeId): void {
    this.#push(this.#bucketOf(this.#nodes.get(id, W_HASH)), id);
    if (4 * ++this.#count > 3 * this.#buckets) this.#grow();
  }

  remove(id: NodeId): void {
    const bucket = this.#bucketOf(this.#nodes.get(id, W_HASH));
    const after = this.#nodes.get(id, W_HASH_NEXT);
    let at = this.#head(bucket);
    if (at === id) {
      this.#setHead(bucket, after);
    } else {
      let next = this.#nodes.get(at, W_HASH_NEXT);
      while (next !== id) {
        at = next;
        next = this.#nodes.get(at, W_HASH_NEXT);
      }
      this.#nodes.set(at, W_HASH_NEXT, after);
    }
    this.#count--;
  }

  #bucketOf(hash: number): number {
    const bucket = hash & this.#mask;
    return bucket < this.#split ? hash & (2 * this.#mask + 1) : bucket;
  }

  #head(bucket: number): NodeId {
    return this.#segments[bucket >>> SEGMENT_BITS]![bucket & SEGMENT_MASK]!;
  }

  #setHead(bucket: number, id: NodeId): void {
    this.#segments[bucket >>> SEGMENT_BITS]![bucket & SEGMENT_MASK] = id;
  }

  #push(bucket: number, id: NodeId): void {
    this.#nodes.set(id, W_HASH_NEXT, this.#head(bucket));
    this.#setHead(bucket, id);
  }

  /** One more bucket, into which about half of the chain of bucket #split moves. */
  #grow(): void {
    const from = this.#split;
    const to = this.#buckets++;
    if (to >>> SEGMENT_BITS >= this.#segments.length) {
      this.#segments.push(new Int32Array(SEGMENT_BUCKETS));
    }
    const bit = this.#mask + 1;
    let at = this.#head(from);
    this.#setHead(from, NO_NODE);
    this.#setHead(to, NO_NODE);
    while (at !== NO_NODE) {
      const next = this.#nodes.get(at, W_HASH_NEXT);
      this.#push((this.#nodes.get(at, W_HASH) & bit) === 0 ? from : to, at);
      at = next;
    }
    this.#split = from + 1;
    if (this.#split === bit) {
      this.#mask = 2 * this.#mask + 1;
      this.#split = 0;
    }
  }
}
