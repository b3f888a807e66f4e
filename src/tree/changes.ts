/**
 * What a transaction does to the tree: create, delete, set data, set ACL, end a session. Whether it
 * may was decided when it was prepared; here it happens, the same way on every server, and the same
 * again when it is replayed onto a tree that has seen it: a snapshot is written while the tree
 * changes, so a replay meets znodes that exist already, and others that are gone already. Hence the
 * rules that look odd for a live tree: a create that finds its znode takes over its ACL and raises the
 * parent's cversion, a delete that finds none still raises the parent's pzxid, and neither ever goes
 * back.
 */
import { crc32 } from '../protocol/crc32.js';
import { ErrorCode } from '../protocol/errors.js';
import { extendPathHash, finishPathHash, PATH_HASH_SEED } from '../protocol/paths.js';
import { MalformedError } from '../protocol/reader.js';
import { compareParts } from '../protocol/zxid.js';
import type { AclTable } from './acl-table.js';
import { utf16Length } from './bytes.js';
import type { Contents } from './contents.js';
import { digestOfRecord, type DigestSum } from './digest.js';
import type { Graveyard } from './graveyard.js';
import {
  F_OWNED,
  F_PROC,
  F_SYSTEM,
  KIND_SHIFT,
  NO_NODE,
  OwnerKind,
  ROOT,
  W_ACL,
  W_AVERSION,
  W_CHILDREN,
  W_CRC,
  W_CTIME,
  W_CVERSION,
  W_CZXID,
  W_HASH,
  W_MTIME,
  W_MZXID,
  W_NAME,
  W_OWNER,
  W_PARENT,
  W_PZXID,
  W_VERSION,
  type NodeId,
} from './node-store.js';
import { ownerKindOf, type OwnerLists, type OwnerRules } from './owner-lists.js';
import type { Quotas } from './quotas.js';
import type { Siblings } from './siblings.js';

const SLASH = 0x2f;

/** Dead znodes to free with each one that dies: more than one, so that they get fewer. */
const RECLAIMED_PER_DELETE = 4;

/** From here on a native checksum is worth the call. */
const BIG_CRC_BYTES = 1024;

/**
 * Who is told of changes, in the order in which they are applied, each when it is complete. A deleted
 * znode can still be read (path, stat, ACL, data) during the call, and its parent still counts it;
 * it can no longer be found. The root's parent is NO_NODE. The tree must not be changed meanwhile.
 */
export interface TreeListener {
  onChange(kind: 'created' | 'deleted' | 'dataChanged', node: NodeId, parent: NodeId): void;
}

/**
 * Who keeps what each transaction did. A create or a setData that is all of a transaction is not told:
 * it is what the transaction says, about the znode that the tree has changed last. Everything else is,
 * as to a listener, with the path where somebody has it at hand: path[start, end), lent; null: the
 * tree knows it. Deletions may come outside transactions, too.
 */
export interface TxnRecorder {
  onBegin(): void;
  onChange(
    kind: 'created' | 'deleted' | 'dataChanged',
    node: NodeId,
    parent: NodeId,
    path: Uint8Array | null,
    start: number,
    end: number,
  ): void;
  /** The transaction bytes[start, end) has been applied, with this error code; lent. */
  onApplied(bytes: Uint8Array, start: number, end: number, result: number): void;
}

/** Who must know a znode's ACL before it is replaced. */
export interface AclWitness {
  beforeAclChange(id: NodeId, slot: number): void;
}

export interface ChangeParts {
  readonly contents: Contents;
  readonly siblings: Siblings;
  readonly graveyard: Graveyard;
  readonly owners: OwnerLists;
  readonly acls: AclTable;
  readonly quotas: Quotas;
  readonly digest: DigestSum;
  readonly rules: OwnerRules;
  readonly digestEnabled: boolean;
  /** CRC-32 of all of `bytes`, carrying on from `seed`; for data where a call pays off. */
  readonly bigCrc32: ((bytes: Uint8Array, seed: number) => number) | null;
}

export class Changes {
  listener: TreeListener | null = null;
  recorder: TxnRecorder | null = null;
  readonly aclWitnesses = new Set<AclWitness>();
  /** Characters of paths and bytes of data, counted as Apache's `zk_approximate_data_size`. */
  approximateDataSize = 0;
  /** The znode that the last successful create, setData or setACL was about. */
  lastNode: NodeId = NO_NODE;
  /** Of the transaction being applied. */
  zxidHigh = 0;
  zxidLow = 0;
  timeHigh = 0;
  timeLow = 0;
  readonly #parts: ChangeParts;

  constructor(parts: ChangeParts) {
    this.#parts = parts;
  }

  /** Path, data (length -1: null) and encoded ACL lie in `bytes`. */
  create(
    bytes: Uint8Array,
    start: number,
    end: number,
    dataStart: number,
    dataLength: number,
    aclStart: number,
    aclEnd: number,
    ownerHigh: number,
    ownerLow: number,
    parentCVersion: number,
  ): number {
    const { contents, siblings, acls, quotas } = this.#parts;
    const { nodes, hashMask } = contents;
    const slash = lastSlash(bytes, start, end);
    const state = extendPathHash(PATH_HASH_SEED, bytes, start, slash);
    const parent =
      slash === start
        ? ROOT
        : contents.findHashed(bytes, start, slash, finishPathHash(state) & hashMask);
    if (parent === NO_NODE) return ErrorCode.noNode;
    const hash = finishPathHash(extendPathHash(state, bytes, slash, end)) & hashMask;
    const existing = end - start === 1 ? ROOT : contents.findHashed(bytes, start, end, hash);
    const aclSlot = acls.intern(bytes, aclStart, aclEnd);
    this.#raiseCVersion(parent, parentCVersion);
    if (existing !== NO_NODE) {
      const before = nodes.get(existing, W_ACL);
      this.#tellWitnesses(existing, before);
      nodes.set(existing, W_ACL, aclSlot);
      acls.release(before);
      return ErrorCode.nodeExists;
    }

    const id = nodes.allocate();
    const kind = ownerKindOf(ownerHigh, ownerLow, this.#parts.rules);
    nodes.set(id, W_NAME, this.#flagsBelow(parent, bytes, slash + 1, end) | flagsOf(kind));
    nodes.set(id, W_HASH, hash);
    nodes.set(id, W_ACL, aclSlot);
    this.#writeFreshStat(id, ownerHigh, ownerLow);
    contents.place(id, bytes, slash + 1, end, bytes, dataStart, dataLength);
    siblings.append(parent, id);
    contents.index.add(id);
    if (kind !== OwnerKind.none) this.#parts.owners.add(id, kind, ownerHigh, ownerLow);
    this.#updateCrc(id, bytes, start, end, dataStart, dataLength);
    this.#addDigest(id);
    const dataBytes = dataLength < 0 ? 0 : dataLength;
    this.approximateDataSize += utf16Length(bytes, start, end) + dataBytes;
    this.lastNode = id;
    if (!quotas.isEmpty || nodes.hasFlag(id, F_SYSTEM)) {
      quotas.onCreated(id);
      quotas.count(id, dataBytes, 1);
    }
    this.listener?.onChange('created', id, parent);
    return ErrorCode.ok;
  }

  delete(bytes: Uint8Array, start: number, end: number): number {
    const { contents } = this.#parts;
    const slash = lastSlash(bytes, start, end);
    if (end - start === 1) return ErrorCode.badArguments;
    const state = extendPathHash(PATH_HASH_SEED, bytes, start, slash);
    const mask = contents.hashMask;
    const parent =
      slash === start
        ? ROOT
        : contents.findHashed(bytes, start, slash, finishPathHash(state) & mask);
    if (parent === NO_NODE) return ErrorCode.noNode;
    this.#raisePzxid(parent);
    const hash = finishPathHash(extendPathHash(state, bytes, slash, end)) & mask;
    const id = contents.findHashed(bytes, start, end, hash);
    if (id === NO_NODE) return ErrorCode.noNode;
    this.#remove(id, parent, bytes, start, end);
    return ErrorCode.ok;
  }

  setData(
    bytes: Uint8Array,
    start: number,
    end: number,
    dataStart: number,
    dataLength: number,
    version: number,
  ): number {
    const { contents, quotas } = this.#parts;
    const id = contents.find(bytes, start, end);
    if (id === NO_NODE) return ErrorCode.noNode;
    const lengthBefore = contents.dataLengthOf(id);
    this.#subtractDigest(id);
    contents.setData(id, bytes, dataStart, dataLength);
    const segment = contents.nodes.segmentOf(id);
    const at = contents.nodes.offsetOf(id);
    segment[at + W_MTIME] = this.timeHigh;
    segment[at + W_MTIME + 1] = this.timeLow;
    segment[at + W_MZXID] = this.zxidHigh;
    segment[at + W_MZXID + 1] = this.zxidLow;
    segment[at + W_VERSION] = version;
    this.#updateCrc(id, bytes, start, end, dataStart, dataLength);
    this.#addDigest(id);
    const grown = (dataLength < 0 ? 0 : dataLength) - lengthBefore;
    this.approximateDataSize += grown;
    this.lastNode = id;
    if (!quotas.isEmpty) quotas.count(id, grown, 0);
    this.listener?.onChange('dataChanged', id, contents.nodes.get(id, W_PARENT));
    return ErrorCode.ok;
  }

  setAcl(
    bytes: Uint8Array,
    start: number,
    end: number,
    aclStart: number,
    aclEnd: number,
    aversion: number,
  ): number {
    const { contents, acls } = this.#parts;
    const id = contents.find(bytes, start, end);
    if (id === NO_NODE) return ErrorCode.noNode;
    const before = contents.nodes.get(id, W_ACL);
    this.#tellWitnesses(id, before);
    acls.release(before);
    this.#subtractDigest(id);
    contents.nodes.set(id, W_AVERSION, aversion);
    contents.nodes.set(id, W_ACL, acls.intern(bytes, aclStart, aclEnd));
    this.#addDigest(id);
    this.lastNode = id;
    return ErrorCode.ok;
  }

  /**
   * Every ephemeral that the session still has, the eldest first; then its entry. One transaction, so one
   * step: 100,000 ephemerals take some 50 ms.
   */
  endSession(high: number, low: number): void {
    const { contents, owners } = this.#parts;
    for (let id = owners.firstOf(high, low); id !== NO_NODE; id = owners.firstOf(high, low)) {
      const parent = contents.nodes.get(id, W_PARENT);
      this.#raisePzxid(parent);
      this.#remove(id, parent, null, 0, 0);
    }
    owners.dropSession(high, low);
  }

  /** Of a znode that was placed without a transaction. */
  addDigest(id: NodeId): void {
    this.#addDigest(id);
  }

  /** The path is path[start, end), where it is at hand. */
  #remove(id: NodeId, parent: NodeId, path: Uint8Array | null, start: number, end: number): void {
    const { contents, siblings, graveyard, owners, acls, quotas } = this.#parts;
    const { nodes } = contents;
    if (nodes.get(id, W_CHILDREN) > 0) this.#removeBelow(id);
    this.#subtractDigest(id);
    contents.index.remove(id);
    const dataBytes = contents.dataLengthOf(id);
    const pathCharacters =
      path === null ? contents.pathCharactersOf(id) : utf16Length(path, start, end);
    this.approximateDataSize -= pathCharacters + dataBytes;
    const kind = nodes.kindOf(id);
    if (kind !== OwnerKind.none) {
      owners.remove(id, kind, nodes.get(id, W_OWNER), nodes.get(id, W_OWNER + 1));
    }
    if (!quotas.isEmpty) {
      quotas.onDeleted(id);
      quotas.count(id, -dataBytes, -1);
    }
    this.listener?.onChange('deleted', id, parent);
    this.recorder?.onChange('deleted', id, parent, path, start, end);
    acls.release(nodes.get(id, W_ACL));
    if (graveyard.isIdle) {
      siblings.remove(id);
      contents.release(id);
      nodes.free(id);
      return;
    }
    siblings.kill(id);
    graveyard.add(id);
    graveyard.reclaim(RECLAIMED_PER_DELETE);
  }

  /**
   * Only a replay deletes a znode that has children: it was deleted when it had none and created again
   * before the snapshot met it. The children come after its second creation, and again with it.
   */
  #removeBelow(top: NodeId): void {
    const { contents, siblings } = this.#parts;
    let id = siblings.first(top);
    while (id !== top) {
      const child = siblings.first(id);
      if (child !== NO_NODE) {
        id = child;
        continue;
      }
      const parent = contents.nodes.get(id, W_PARENT);
      const next = siblings.next(id);
      this.#remove(id, parent, null, 0, 0);
      id = next === NO_NODE ? parent : next;
    }
  }

  #raiseCVersion(parent: NodeId, parentCVersion: number): void {
    const segment = this.#parts.contents.nodes.segmentOf(parent);
    const at = this.#parts.contents.nodes.offsetOf(parent);
    const before = segment[at + W_CVERSION]!;
    // transactions of before 3.4 do not say which
    const cversion = parentCVersion === -1 ? (before + 1) | 0 : parentCVersion;
    if (cversion <= before) return;
    this.#subtractDigest(parent);
    segment[at + W_CVERSION] = cversion;
    segment[at + W_PZXID] = this.zxidHigh;
    segment[at + W_PZXID + 1] = this.zxidLow;
    this.#addDigest(parent);
  }

  #raisePzxid(parent: NodeId): void {
    const segment = this.#parts.contents.nodes.segmentOf(parent);
    const at = this.#parts.contents.nodes.offsetOf(parent);
    const high = segment[at + W_PZXID]!;
    const low = segment[at + W_PZXID + 1]!;
    if (compareParts(this.zxidHigh, this.zxidLow, high, low) <= 0) return;
    this.#subtractDigest(parent);
    segment[at + W_PZXID] = this.zxidHigh;
    segment[at + W_PZXID + 1] = this.zxidLow;
    this.#addDigest(parent);
  }

  #writeFreshStat(id: NodeId, ownerHigh: number, ownerLow: number): void {
    const segment = this.#parts.contents.nodes.segmentOf(id);
    const at = this.#parts.contents.nodes.offsetOf(id);
    const { zxidHigh, zxidLow, timeHigh, timeLow } = this;
    segment[at + W_CZXID] = zxidHigh;
    segment[at + W_CZXID + 1] = zxidLow;
    segment[at + W_MZXID] = zxidHigh;
    segment[at + W_MZXID + 1] = zxidLow;
    segment[at + W_CTIME] = timeHigh;
    segment[at + W_CTIME + 1] = timeLow;
    segment[at + W_MTIME] = timeHigh;
    segment[at + W_MTIME + 1] = timeLow;
    segment[at + W_OWNER] = ownerHigh;
    segment[at + W_OWNER + 1] = ownerLow;
    segment[at + W_PZXID] = zxidHigh;
    segment[at + W_PZXID + 1] = zxidLow;
  }

  #flagsBelow(parent: NodeId, bytes: Uint8Array, nameStart: number, nameEnd: number): number {
    if (parent === ROOT) return isZookeeper(bytes, nameStart, nameEnd) ? F_PROC : 0;
    return this.#parts.contents.nodes.hasFlag(parent, F_PROC | F_SYSTEM) ? F_SYSTEM : 0;
  }

  #updateCrc(
    id: NodeId,
    bytes: Uint8Array,
    start: number,
    end: number,
    dataStart: number,
    dataLength: number,
  ): void {
    const { contents, digestEnabled, bigCrc32 } = this.#parts;
    if (!digestEnabled || contents.nodes.hasFlag(id, F_SYSTEM)) return;
    let crc = id === ROOT ? 0 : crc32(bytes, start, end);
    const dataEnd = dataStart + dataLength;
    if (bigCrc32 !== null && dataLength >= BIG_CRC_BYTES) {
      crc = bigCrc32(bytes.subarray(dataStart, dataEnd), crc);
    } else if (dataLength > 0) {
      crc = crc32(bytes, dataStart, dataEnd, crc);
    }
    contents.nodes.set(id, W_CRC, crc);
  }

  #addDigest(id: NodeId): void {
    const { contents, digest, digestEnabled } = this.#parts;
    if (!digestEnabled || contents.nodes.hasFlag(id, F_SYSTEM)) return;
    digest.add(digestOfRecord(contents.nodes.segmentOf(id), contents.nodes.offsetOf(id)));
  }

  #subtractDigest(id: NodeId): void {
    const { contents, digest, digestEnabled } = this.#parts;
    if (!digestEnabled || contents.nodes.hasFlag(id, F_SYSTEM)) return;
    digest.subtract(digestOfRecord(contents.nodes.segmentOf(id), contents.nodes.offsetOf(id)));
  }

  #tellWitnesses(id: NodeId, slot: number): void {
    if (this.aclWitnesses.size === 0) return;
    for (const witness of this.aclWitnesses) witness.beforeAclChange(id, slot);
  }
}

function flagsOf(kind: OwnerKind): number {
  return kind === OwnerKind.none ? 0 : F_OWNED | (kind << KIND_SHIFT);
}

/** Where the last name's slash is. A path that a transaction names is absolute and ends in a name. */
function lastSlash(bytes: Uint8Array, start: number, end: number): number {
  let slash = end - 1;
  while (slash >= start && bytes[slash] !== SLASH) slash--;
  const isPath = slash >= start && bytes[start] === SLASH && (slash < end - 1 || end - start === 1);
  if (!isPath) throw new MalformedError('a transaction names something that is not a path');
  return slash;
}

const ZOOKEEPER = [0x7a, 0x6f, 0x6f, 0x6b, 0x65, 0x65, 0x70, 0x65, 0x72];

function isZookeeper(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === ZOOKEEPER.length && ZOOKEEPER.every((c, i) => bytes[start + i] === c);
}
