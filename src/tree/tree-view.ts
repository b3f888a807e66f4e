/**
 * Reading the tree: everything that changes nothing. Who prepares transactions or answers reads needs
 * no more than this; times, zxids and owners come as numbers or halves, so that reading makes no
 * garbage.
 */
import { encodeUtf8Into, utf8Length } from '../protocol/utf8.js';
import type { Acl, AclTable } from './acl-table.js';
import type { ChangeParts } from './changes.js';
import type { Contents } from './contents.js';
import { digestOfRecord } from './digest.js';
import {
  F_DEAD,
  F_SYSTEM,
  type OwnerKind,
  W_ACL,
  W_AVERSION,
  W_CHILDREN,
  W_CRC,
  W_CTIME,
  W_CVERSION,
  W_CZXID,
  W_DATA_LENGTH,
  W_HASH,
  W_MTIME,
  W_MZXID,
  W_OWNER,
  W_PARENT,
  W_PZXID,
  W_VERSION,
  type NodeId,
} from './node-store.js';
import { ttlOfOwner, type OwnerLists } from './owner-lists.js';
import type { Quotas } from './quotas.js';
import type { Siblings } from './siblings.js';
import { persistedStatInto, statInto, statWordsInto } from './stat-encoding.js';

export class TreeView {
  readonly acls: AclTable;
  readonly #contents: Contents;
  readonly #siblings: Siblings;
  readonly #owners: OwnerLists;
  readonly #quotas: Quotas;
  readonly #parts: ChangeParts;
  #pathBytes = new Uint8Array(1024);

  constructor(parts: ChangeParts) {
    this.#parts = parts;
    this.acls = parts.acls;
    this.#contents = parts.contents;
    this.#siblings = parts.siblings;
    this.#owners = parts.owners;
    this.#quotas = parts.quotas;
  }

  // Finding

  /** NO_NODE when there is none. "" and "/" are the root. */
  find(bytes: Uint8Array, start: number, end: number): NodeId {
    return this.#contents.find(bytes, start, end);
  }

  findPath(path: string): NodeId {
    if (3 * path.length > this.#pathBytes.length) {
      const needed = utf8Length(path);
      if (needed > this.#pathBytes.length) this.#pathBytes = new Uint8Array(2 * needed);
    }
    const end = encodeUtf8Into(path, this.#pathBytes, 0);
    return this.#contents.find(this.#pathBytes, 0, end);
  }

  /** Whether the number is that of a living znode; numbers of deleted ones are given to new ones. */
  isLiving(id: NodeId): boolean {
    const { nodes } = this.#contents;
    return nodes.holds(id) && !nodes.hasFlag(id, F_DEAD);
  }

  pathOf(id: NodeId): string {
    return this.#contents.pathOf(id);
  }

  /** Bytes of the path; the root's is empty here and in `pathInto`. */
  pathLength(id: NodeId): number {
    return this.#contents.pathLengthOf(id);
  }

  /** `pathLength` bytes from `pos` on. */
  pathInto(id: NodeId, out: Uint8Array, pos: number, pathLength: number): void {
    this.#contents.pathInto(id, out, pos, pathLength);
  }

  /** The root's is empty. */
  nameOf(id: NodeId): string {
    return this.#contents.nameOf(id);
  }

  nameLength(id: NodeId): number {
    return this.#contents.nameLengthOf(id);
  }

  nameInto(id: NodeId, out: Uint8Array, pos: number): void {
    this.#contents.nameInto(id, out, pos);
  }

  /** `pathHash` of the path. */
  hashOf(id: NodeId): number {
    return this.#contents.nodes.get(id, W_HASH);
  }

  /** The root's is NO_NODE. */
  parentOf(id: NodeId): NodeId {
    return this.#contents.nodes.get(id, W_PARENT);
  }

  numChildren(id: NodeId): number {
    return this.#contents.nodes.get(id, W_CHILDREN);
  }

  /** The eldest child. */
  firstChild(id: NodeId): NodeId {
    return this.#siblings.first(id);
  }

  /** The next younger one, NO_NODE after the youngest. With a pin, also of one that died since. */
  nextSibling(id: NodeId): NodeId {
    return this.#siblings.next(id);
  }

  // A znode

  dataIsNull(id: NodeId): boolean {
    return this.#contents.nodes.get(id, W_DATA_LENGTH) < 0;
  }

  /** 0 for null. */
  dataLength(id: NodeId): number {
    return this.#contents.dataLengthOf(id);
  }

  dataInto(id: NodeId, out: Uint8Array, pos: number): void {
    this.#contents.dataInto(id, out, pos);
  }

  /** A copy. */
  data(id: NodeId): Uint8Array | null {
    if (this.dataIsNull(id)) return null;
    const copy = new Uint8Array(this.dataLength(id));
    this.#contents.dataInto(id, copy, 0);
    return copy;
  }

  /** The 68 bytes that clients see. */
  statInto(id: NodeId, out: Uint8Array, pos: number): void {
    statInto(this.#contents, id, out, pos);
  }

  /** The same as 17 words. */
  statWordsInto(id: NodeId, out: Int32Array, pos: number): void {
    statWordsInto(this.#contents, id, out, pos);
  }

  /** The 60 bytes that snapshots and digests are made of. */
  persistedStatInto(id: NodeId, out: Uint8Array, pos: number): void {
    persistedStatInto(this.#contents, id, out, pos);
  }

  version(id: NodeId): number {
    return this.#contents.nodes.get(id, W_VERSION);
  }

  /** As stored: creates of children. Sequential names are made of it. */
  cversion(id: NodeId): number {
    return this.#contents.nodes.get(id, W_CVERSION);
  }

  aversion(id: NodeId): number {
    return this.#contents.nodes.get(id, W_AVERSION);
  }

  czxidHigh(id: NodeId): number {
    return this.#contents.nodes.get(id, W_CZXID) >>> 0;
  }

  czxidLow(id: NodeId): number {
    return this.#contents.nodes.get(id, W_CZXID + 1) >>> 0;
  }

  mzxidHigh(id: NodeId): number {
    return this.#contents.nodes.get(id, W_MZXID) >>> 0;
  }

  mzxidLow(id: NodeId): number {
    return this.#contents.nodes.get(id, W_MZXID + 1) >>> 0;
  }

  pzxidHigh(id: NodeId): number {
    return this.#contents.nodes.get(id, W_PZXID) >>> 0;
  }

  pzxidLow(id: NodeId): number {
    return this.#contents.nodes.get(id, W_PZXID + 1) >>> 0;
  }

  ctimeMs(id: NodeId): number {
    return this.#long(id, W_CTIME);
  }

  mtimeMs(id: NodeId): number {
    return this.#long(id, W_MTIME);
  }

  /** What the stored ephemeralOwner says. */
  ownerKind(id: NodeId): OwnerKind {
    return this.#contents.nodes.kindOf(id);
  }

  /** As stored: a session's id, or the mark of a container or a TTL, or 0. */
  ownerHigh(id: NodeId): number {
    return this.#contents.nodes.get(id, W_OWNER) >>> 0;
  }

  ownerLow(id: NodeId): number {
    return this.#contents.nodes.get(id, W_OWNER + 1) >>> 0;
  }

  /** Of a znode whose owner kind is ttl. */
  ttlMs(id: NodeId): number {
    return ttlOfOwner(this.ownerHigh(id), this.ownerLow(id));
  }

  aclId(id: NodeId): number {
    return this.acls.idOf(this.#contents.nodes.get(id, W_ACL));
  }

  /** Of its list in `acls`: good as long as somebody retains it. */
  aclSlot(id: NodeId): number {
    return this.#contents.nodes.get(id, W_ACL);
  }

  aclOf(id: NodeId): readonly Acl[] {
    return this.acls.aclsIn(this.#contents.nodes.get(id, W_ACL));
  }

  // Owners

  /**
   * In the order in which they came into this tree, as the others below. The tree may change between
   * two of them. To be gone through to the end, or closed with `return`.
   */
  ephemeralsOf(sessionHigh: number, sessionLow: number): IterableIterator<NodeId> {
    return this.#owners.ephemeralsOf(sessionHigh, sessionLow);
  }

  countEphemerals(sessionHigh: number, sessionLow: number): number {
    return this.#owners.countOf(sessionHigh, sessionLow);
  }

  /** Every session that has owned an ephemeral and has not ended: signed 64-bit ids. */
  sessionsWithEphemerals(): IterableIterator<bigint> {
    return this.#owners.sessions();
  }

  containers(): IterableIterator<NodeId> {
    return this.#owners.containers();
  }

  ttls(): IterableIterator<NodeId> {
    return this.#owners.ttls();
  }

  // Quotas

  /** The nearest znode from this one up that has a quota, NO_NODE when there is none. */
  quotaRootOf(id: NodeId): NodeId {
    return this.#quotas.rootOf(id);
  }

  /** The path of the quota that a znode of this path counts or would count for; null: of none. */
  quotaPathOf(path: string): string | null {
    return this.#quotas.nearest(path);
  }

  quotaPaths(): Iterable<string> {
    return this.#quotas.paths();
  }

  // Digest and counts

  /** The sum over all znodes, modulo 2^64; both halves unsigned. */
  get digestHigh(): number {
    return this.#parts.digest.high;
  }

  get digestLow(): number {
    return this.#parts.digest.low;
  }

  /** Below `/zookeeper` nothing is. */
  isInDigest(id: NodeId): boolean {
    return this.#parts.digestEnabled && !this.#contents.nodes.hasFlag(id, F_SYSTEM);
  }

  /** What the znode adds to the digest, unsigned; 0 when it is not part of it. */
  digestOf(id: NodeId): number {
    if (!this.isInDigest(id)) return 0;
    const { nodes } = this.#contents;
    return digestOfRecord(nodes.segmentOf(id), nodes.offsetOf(id)) >>> 0;
  }

  /** CRC-32 of path and data, unsigned: what `digestOfStat` carries on from. 0 outside the digest. */
  crcAfterData(id: NodeId): number {
    return this.#contents.nodes.get(id, W_CRC) >>> 0;
  }

  /** As Apache counts, who has the root twice. */
  get nodeCount(): number {
    return this.#contents.index.count + 2;
  }

  get ephemeralCount(): number {
    return this.#owners.ephemeralCount;
  }

  /** Exact up to 2^53, which is beyond any time. */
  #long(id: NodeId, word: number): number {
    const { nodes } = this.#contents;
    return nodes.get(id, word) * 0x1_0000_0000 + (nodes.get(id, word + 1) >>> 0);
  }
}
