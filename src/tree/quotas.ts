/**
 * Quotas: `/zookeeper/quota/<path>/zookeeper_limits` puts one on `<path>`, `zookeeper_stats` beside it
 * says how many znodes and bytes there are below `<path>`, itself included. Only the nearest quota
 * above a change counts it. The statistics are rewritten in place by whoever applies the change, on
 * each server for itself: no transaction, no new version, no part in the digest.
 *
 * A znode under a quota is found by a flag on the way up. The path of a quota may not exist yet, so a
 * new znode asks whether its path is one of them, by its hash first.
 */
import { pathHashOf } from '../protocol/paths.js';
import { decodeUtf8, encodeUtf8 } from '../protocol/utf8.js';
import type { Contents } from './contents.js';
import { F_QUOTA, F_SYSTEM, NO_NODE, ROOT, W_HASH, W_PARENT, type NodeId } from './node-store.js';
import { QuotaText } from './quota-text.js';
import type { Siblings } from './siblings.js';

export const QUOTA_PATH = '/zookeeper/quota';
const LIMITS = 'zookeeper_limits';
const STATS = 'zookeeper_stats';

export class Quotas {
  readonly #contents: Contents;
  readonly #siblings: Siblings;
  /** Paths that have a quota, whether they exist or not. */
  readonly #paths = new Set<string>();
  /** How many of them have a hash. */
  readonly #hashes = new Map<number, number>();

  constructor(contents: Contents, siblings: Siblings) {
    this.#contents = contents;
    this.#siblings = siblings;
  }

  get isEmpty(): boolean {
    return this.#paths.size === 0;
  }

  /** Paths with a quota. */
  paths(): Iterable<string> {
    return this.#paths;
  }

  /** The nearest znode, from this one up, that has a quota. */
  rootOf(id: NodeId): NodeId {
    if (this.#paths.size === 0) return NO_NODE;
    const nodes = this.#contents.nodes;
    let node = id;
    while (node !== ROOT && !nodes.hasFlag(node, F_QUOTA)) node = nodes.get(node, W_PARENT);
    return node === ROOT ? NO_NODE : node;
  }

  /** The nearest path, from this one up, that has a quota; the znodes need not exist. */
  nearest(path: string): string | null {
    if (this.#paths.size === 0) return null;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const ancestor = path.slice(0, end);
      if (this.#paths.has(ancestor)) return ancestor;
    }
    return null;
  }

  /** A znode was created: the path of a quota, perhaps, or part of one's description. */
  onCreated(id: NodeId): void {
    const { nodes } = this.#contents;
    if (this.#paths.size > 0 && this.#hashes.has(nodes.get(id, W_HASH))) {
      if (this.#paths.has(this.#contents.pathOf(id))) nodes.setFlag(id, F_QUOTA);
    }
    if (!nodes.hasFlag(id, F_SYSTEM)) return;
    const name = this.#contents.nameOf(id);
    if (name !== LIMITS && name !== STATS) return;
    const path = this.#describedBy(id);
    if (path === null) return;
    if (name === STATS) this.#recount(path);
    // a quota on the root would count everything twice over; Apache has none either
    else if (path !== '') this.#add(path);
  }

  /** Before a znode is gone. */
  onDeleted(id: NodeId): void {
    const { nodes } = this.#contents;
    if (!nodes.hasFlag(id, F_SYSTEM) || this.#contents.nameOf(id) !== LIMITS) return;
    const path = this.#describedBy(id);
    if (path !== null && path !== '') this.#remove(path);
  }

  /** Counts a change at `id`, which may just have been deleted. */
  count(id: NodeId, bytes: number, znodes: number): void {
    const root = this.rootOf(id);
    if (root === NO_NODE) return;
    const stats = this.#find(`${QUOTA_PATH}${this.#contents.pathOf(root)}/${STATS}`);
    if (stats === NO_NODE) return;
    const text = new QuotaText(this.#textOf(stats));
    text.setCount(text.count + BigInt(znodes));
    text.setBytes(text.bytes + BigInt(bytes));
    this.#setText(stats, text);
  }

  /** After loading: every description of a quota counts anew what it is about. */
  findAll(): void {
    const quota = this.#find(QUOTA_PATH);
    if (quota === NO_NODE) return;
    let id = this.#siblings.nextBelow(quota, quota);
    for (; id !== NO_NODE; id = this.#siblings.nextBelow(id, quota)) {
      const isLeaf = this.#siblings.first(id) === NO_NODE;
      if (!isLeaf || this.#contents.nameOf(id) !== LIMITS) continue;
      const path = this.#describedBy(id);
      if (path === null || path === '') continue;
      this.#recount(path);
      this.#add(path);
    }
  }

  #add(path: string): void {
    if (this.#paths.has(path)) return;
    this.#paths.add(path);
    const hash = this.#hashOf(path);
    this.#hashes.set(hash, (this.#hashes.get(hash) ?? 0) + 1);
    const root = this.#find(path);
    if (root !== NO_NODE) this.#contents.nodes.setFlag(root, F_QUOTA);
  }

  #remove(path: string): void {
    if (!this.#paths.delete(path)) return;
    const hash = this.#hashOf(path);
    const others = (this.#hashes.get(hash) ?? 1) - 1;
    if (others === 0) this.#hashes.delete(hash);
    else this.#hashes.set(hash, others);
    const root = this.#find(path);
    if (root !== NO_NODE) this.#contents.nodes.clearFlag(root, F_QUOTA);
  }

  /** Visits every znode at and below the path: the one place where a change costs what a tree costs. */
  #recount(path: string): void {
    const stats = this.#find(`${QUOTA_PATH}${path}/${STATS}`);
    if (stats === NO_NODE) return;
    let znodes = 0;
    let bytes = 0;
    const root = this.#find(path);
    for (let id = root; id !== NO_NODE; id = this.#siblings.nextBelow(id, root)) {
      znodes++;
      bytes += this.#contents.dataLengthOf(id);
    }
    const text = new QuotaText();
    text.setCount(BigInt(znodes));
    text.setBytes(BigInt(bytes));
    this.#setText(stats, text);
  }

  /** What the parent of limits or statistics stands for: "" for the root, null outside of quotas. */
  #describedBy(id: NodeId): string | null {
    const parent = this.#contents.pathOf(this.#contents.nodes.get(id, W_PARENT));
    if (parent !== QUOTA_PATH && !parent.startsWith(`${QUOTA_PATH}/`)) return null;
    return parent.slice(QUOTA_PATH.length);
  }

  #find(path: string): NodeId {
    const bytes = encodeUtf8(path);
    return this.#contents.find(bytes, 0, bytes.length);
  }

  #hashOf(path: string): number {
    return pathHashOf(path) & this.#contents.hashMask;
  }

  #textOf(id: NodeId): string {
    const bytes = new Uint8Array(this.#contents.dataLengthOf(id));
    this.#contents.dataInto(id, bytes, 0);
    return decodeUtf8(bytes, 0, bytes.length);
  }

  #setText(id: NodeId, text: QuotaText): void {
    const bytes = encodeUtf8(text.toString());
    this.#contents.setData(id, bytes, 0, bytes.length);
  }
}
