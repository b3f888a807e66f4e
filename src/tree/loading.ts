/**
 * A tree from a snapshot: its ACL lists under the ids they have there, then its znodes, each after its
 * parent, then what follows from them (quotas). Everything else (index, owners, digest) grows with
 * each znode, so that the last step is short however large the tree is.
 *
 * What cannot be a tree (a znode without its parent, a path twice) throws TreeLoadError. An ACL id that
 * the lists lack does not, yet: a fuzzy snapshot of Apache's may hold one, and the transactions that
 * are replayed after it put it right. `verifyAcls` says whether they did.
 */
import { crc32 } from '../protocol/crc32.js';
import { statPersistedBytes } from '../protocol/limits.js';
import { extendPathHash, finishPathHash, PATH_HASH_SEED } from '../protocol/paths.js';
import { Perms } from '../protocol/perms.js';
import { decodeUtf8, encodeUtf8 } from '../protocol/utf8.js';
import { compareParts } from '../protocol/zxid.js';
import { OPEN_ACL_ID, type Acl } from './acl-table.js';
import type { ChangeParts, Changes } from './changes.js';
import { utf16Length } from './bytes.js';
import { TreeLoadError } from './errors.js';
import {
  F_OWNED,
  F_PROC,
  F_SYSTEM,
  KIND_SHIFT,
  NO_NODE,
  OwnerKind,
  ROOT,
  W_ACL,
  W_CRC,
  W_CZXID,
  W_HASH,
  W_NAME,
  W_OWNER,
  type NodeId,
} from './node-store.js';
import { ownerKindOf } from './owner-lists.js';
import { setPersistedStat } from './stat-encoding.js';

const SLASH = 0x2f;

/** Where aversion lies in a persisted stat. */
const STAT_AVERSION = 40;

export class Loading {
  readonly #parts: ChangeParts;
  readonly #changes: Changes;
  /** The parent of the znode before: in a depth-first order most likely of the next one too. */
  #parent: NodeId = ROOT;
  #hasRoot = false;
  /** The highest czxid so far. */
  czxidHigh = 0;
  czxidLow = 0;

  constructor(parts: ChangeParts, changes: Changes) {
    this.#parts = parts;
    this.#changes = changes;
  }

  loadAcl(id: number | bigint, acls: readonly Acl[]): void {
    this.#parts.acls.load(safeId(id), acls);
  }

  /** The root's path is "". Data that is null is null; the stat is a persisted one at `statPos`. */
  loadNode(
    path: Uint8Array,
    start: number,
    end: number,
    data: Uint8Array | null,
    dataStart: number,
    dataEnd: number,
    aclId: number | bigint,
    stat: Uint8Array,
    statPos: number,
  ): void {
    const { contents, acls } = this.#parts;
    const dataLength = data === null ? -1 : dataEnd - dataStart;
    let id: NodeId = ROOT;
    if (start === end) {
      if (this.#hasRoot) throw new TreeLoadError('the root is there twice');
      this.#hasRoot = true;
    } else {
      id = this.#append(path, start, end);
    }
    setPersistedStat(contents, id, stat, statPos);
    const kind = this.#kindOf(id);
    if (kind !== OwnerKind.none) contents.nodes.setFlag(id, F_OWNED | (kind << KIND_SHIFT));
    contents.nodes.set(id, W_ACL, acls.retainId(safeId(aclId)));
    const nameStart = start === end ? end : lastSlash(path, start, end) + 1;
    contents.place(id, path, nameStart, end, data ?? NO_BYTES, dataStart, dataLength);
    this.#enlist(id, kind, path, start, end, data ?? NO_BYTES, dataStart, dataLength);
  }

  /** What a new server has: all stats zero, `/zookeeper/config` for reading only. */
  loadNewTree(): void {
    const stat = new Uint8Array(statPersistedBytes);
    const path = encodeUtf8('/zookeeper/config');
    const quota = encodeUtf8('/zookeeper/quota');
    this.loadAcl(1, [{ perms: Perms.read, id: { scheme: 'world', id: 'anyone' } }]);
    const load = (bytes: Uint8Array, end: number, aclId: number): void => {
      this.loadNode(bytes, 0, end, NO_BYTES, 0, 0, aclId, stat, 0);
    };
    load(path, 0, OPEN_ACL_ID);
    load(path, '/zookeeper'.length, OPEN_ACL_ID);
    load(quota, quota.length, OPEN_ACL_ID);
    stat.fill(0xff, STAT_AVERSION, STAT_AVERSION + 4);
    load(path, path.length, 1);
    this.finish();
  }

  /** After the last znode. */
  finish(): void {
    if (!this.#hasRoot) throw new TreeLoadError('the snapshot holds no root');
    this.#parts.acls.dropUnused();
    this.#parts.quotas.findAll();
  }

  #append(path: Uint8Array, start: number, end: number): NodeId {
    const { contents, siblings } = this.#parts;
    const { nodes, hashMask } = contents;
    const slash = lastSlash(path, start, end);
    if (!this.#hasRoot) throw new TreeLoadError(`before the root comes ${text(path, start, end)}`);
    const state = extendPathHash(PATH_HASH_SEED, path, start, slash);
    const parent = this.#parentAt(path, start, slash, finishPathHash(state) & hashMask);
    const hash = finishPathHash(extendPathHash(state, path, slash, end)) & hashMask;
    if (contents.findHashed(path, start, end, hash) !== NO_NODE) {
      throw new TreeLoadError(`${text(path, start, end)} is there twice`);
    }
    const id = nodes.allocate();
    let flags = 0;
    if (parent === ROOT) {
      if (text(path, slash + 1, end) === 'zookeeper') flags = F_PROC;
    } else if (nodes.hasFlag(parent, F_PROC | F_SYSTEM)) {
      flags = F_SYSTEM;
    }
    nodes.set(id, W_NAME, flags);
    nodes.set(id, W_HASH, hash);
    siblings.append(parent, id);
    return id;
  }

  #parentAt(path: Uint8Array, start: number, slash: number, hash: number): NodeId {
    if (slash === start) return ROOT;
    const { contents } = this.#parts;
    if (!contents.isPathOf(this.#parent, path, start, slash)) {
      const parent = contents.findHashed(path, start, slash, hash);
      if (parent === NO_NODE) {
        throw new TreeLoadError(`no parent ${text(path, start, slash)} for a znode`);
      }
      this.#parent = parent;
    }
    return this.#parent;
  }

  #kindOf(id: NodeId): OwnerKind {
    if (id === ROOT) return OwnerKind.none;
    const { nodes } = this.#parts.contents;
    return ownerKindOf(nodes.get(id, W_OWNER), nodes.get(id, W_OWNER + 1), this.#parts.rules);
  }

  #enlist(
    id: NodeId,
    kind: OwnerKind,
    path: Uint8Array,
    start: number,
    end: number,
    data: Uint8Array,
    dataStart: number,
    dataLength: number,
  ): void {
    const { contents, owners, digestEnabled } = this.#parts;
    const { nodes } = contents;
    if (id !== ROOT) contents.index.add(id);
    if (kind !== OwnerKind.none) {
      owners.add(id, kind, nodes.get(id, W_OWNER), nodes.get(id, W_OWNER + 1));
    }
    if (digestEnabled && !nodes.hasFlag(id, F_SYSTEM)) {
      const pathCrc = crc32(path, start, end);
      const dataEnd = dataStart + dataLength;
      const crc = dataLength > 0 ? crc32(data, dataStart, dataEnd, pathCrc) : pathCrc;
      nodes.set(id, W_CRC, crc);
    }
    this.#changes.addDigest(id);
    // the root counts once more, as "/" beside ""
    const characters = id === ROOT ? 1 : utf16Length(path, start, end);
    const copies = id === ROOT ? 2 : 1;
    this.#changes.approximateDataSize += characters + copies * Math.max(dataLength, 0);
    const high = nodes.get(id, W_CZXID);
    const low = nodes.get(id, W_CZXID + 1);
    if (compareParts(high, low, this.czxidHigh, this.czxidLow) > 0) {
      this.czxidHigh = high;
      this.czxidLow = low;
    }
  }
}

const NO_BYTES = new Uint8Array(0);

function lastSlash(path: Uint8Array, start: number, end: number): number {
  let slash = end - 1;
  while (slash >= start && path[slash] !== SLASH) slash--;
  if (slash < start || slash === end - 1 || path[start] !== SLASH) {
    throw new TreeLoadError(`no path: ${text(path, start, end)}`);
  }
  return slash;
}

function text(path: Uint8Array, start: number, end: number): string {
  return decodeUtf8(path, start, end);
}

function safeId(id: number | bigint): number {
  const number = Number(id);
  if (!Number.isSafeInteger(number)) throw new TreeLoadError(`no ACL id: ${id}`);
  return number;
}
