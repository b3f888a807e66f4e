/**
 * A znode of the model: plain fields, bigints, no cleverness. The digest is computed from the fields
 * alone, so that it can witness against the server's.
 */
import { crc32 } from '../protocol/crc32.js';
import type { ACL, Stat } from '../protocol/records.js';
import { encodeUtf8 } from '../protocol/utf8.js';
import type { Zxid } from '../protocol/zxid.js';

export interface ModelNode {
  readonly path: string;
  data: Uint8Array | null;
  acl: readonly ACL[];
  czxid: Zxid;
  mzxid: Zxid;
  pzxid: Zxid;
  ctime: bigint;
  mtime: bigint;
  version: number;
  /** As stored: raised by creations only. Clients see another number. */
  cversion: number;
  aversion: number;
  owner: bigint;
  readonly children: Set<string>;
}

export const CONTAINER_OWNER = -(1n << 63n);
const TTL_MARK = 0xff00n << 48n;

export function freshNode(path: string, data: Uint8Array | null, acl: readonly ACL[]): ModelNode {
  return {
    path,
    data,
    acl,
    czxid: 0n,
    mzxid: 0n,
    pzxid: 0n,
    ctime: 0n,
    mtime: 0n,
    version: 0,
    cversion: 0,
    aversion: 0,
    owner: 0n,
    children: new Set(),
  };
}

export function copyNode(node: ModelNode): ModelNode {
  return { ...node, children: new Set(node.children) };
}

export function ttlOwner(ttlMs: bigint): bigint {
  return BigInt.asIntN(64, TTL_MARK | ttlMs);
}

/** Null: not a TTL znode. */
export function ttlOf(node: ModelNode, extendedTypes: boolean): bigint | null {
  const owner = BigInt.asUintN(64, node.owner);
  return extendedTypes && owner >> 56n === 0xffn ? owner & 0xff_ffff_ffffn : null;
}

export function isOwnedBySession(node: ModelNode, extendedTypes: boolean): boolean {
  if (node.owner === 0n || node.owner === CONTAINER_OWNER) return false;
  return ttlOf(node, extendedTypes) === null;
}

/** As clients see it. */
export function statOf(node: ModelNode, extendedTypes: boolean): Stat {
  return {
    czxid: node.czxid,
    mzxid: node.mzxid,
    ctime: node.ctime,
    mtime: node.mtime,
    version: node.version,
    cversion: (2 * node.cversion - node.children.size) | 0,
    aversion: node.aversion,
    ephemeralOwner: isOwnedBySession(node, extendedTypes) ? node.owner : 0n,
    dataLength: node.data?.length ?? 0,
    numChildren: node.children.size,
    pzxid: node.pzxid,
  };
}

/** What the znode adds to the tree's digest. */
export function digestOfNode(node: ModelNode): bigint {
  if (node.path.startsWith('/zookeeper/')) return 0n;
  const path = node.path === '/' ? new Uint8Array(0) : encodeUtf8(node.path);
  const stat = new DataView(new ArrayBuffer(60));
  stat.setBigInt64(0, node.czxid);
  stat.setBigInt64(8, node.mzxid);
  stat.setBigInt64(16, node.pzxid);
  stat.setBigInt64(24, node.ctime);
  stat.setBigInt64(32, node.mtime);
  stat.setInt32(40, node.version);
  stat.setInt32(44, node.cversion);
  stat.setInt32(48, node.aversion);
  stat.setBigInt64(52, node.owner);
  let crc = crc32(path, 0, path.length);
  if (node.data !== null) crc = crc32(node.data, 0, node.data.length, crc);
  return BigInt(crc32(new Uint8Array(stat.buffer), 0, 60, crc) >>> 0);
}
