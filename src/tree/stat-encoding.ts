/**
 * A znode's stat as bytes, in its two forms. What is stored counts creates in cversion and keeps marks
 * for containers and TTLs in ephemeralOwner; what clients see counts every change of the children
 * (each create but those still there was followed by a delete) and shows sessions alone as owners.
 */
import { statBytes } from '../protocol/limits.js';
import type { Contents } from './contents.js';
import {
  KIND_SHIFT,
  OwnerKind,
  W_AVERSION,
  W_CHILDREN,
  W_CTIME,
  W_CVERSION,
  W_CZXID,
  W_DATA_LENGTH,
  W_MTIME,
  W_MZXID,
  W_NAME,
  W_OWNER,
  W_PZXID,
  W_STAT,
  W_VERSION,
  STAT_WORDS,
  type NodeId,
} from './node-store.js';

export { statBytes } from '../protocol/limits.js';

export function putInt(out: Uint8Array, pos: number, value: number): void {
  out[pos] = value >>> 24;
  out[pos + 1] = value >>> 16;
  out[pos + 2] = value >>> 8;
  out[pos + 3] = value;
}

export function intAt(bytes: Uint8Array, pos: number): number {
  return (bytes[pos]! << 24) | (bytes[pos + 1]! << 16) | (bytes[pos + 2]! << 8) | bytes[pos + 3]!;
}

/** The 68 bytes that clients see. */
export function statInto(contents: Contents, id: NodeId, out: Uint8Array, pos: number): void {
  const segment = contents.nodes.segmentOf(id);
  const at = contents.nodes.offsetOf(id);
  const children = segment[at + W_CHILDREN]!;
  const dataLength = segment[at + W_DATA_LENGTH]!;
  const isEphemeral = ((segment[at + W_NAME]! >>> KIND_SHIFT) & 3) === OwnerKind.session;
  // touching the last byte first lets the engine drop the checks of the others
  out[pos + statBytes - 1] = 0;
  putInt(out, pos, segment[at + W_CZXID]!);
  putInt(out, pos + 4, segment[at + W_CZXID + 1]!);
  putInt(out, pos + 8, segment[at + W_MZXID]!);
  putInt(out, pos + 12, segment[at + W_MZXID + 1]!);
  putInt(out, pos + 16, segment[at + W_CTIME]!);
  putInt(out, pos + 20, segment[at + W_CTIME + 1]!);
  putInt(out, pos + 24, segment[at + W_MTIME]!);
  putInt(out, pos + 28, segment[at + W_MTIME + 1]!);
  putInt(out, pos + 32, segment[at + W_VERSION]!);
  putInt(out, pos + 36, 2 * segment[at + W_CVERSION]! - children);
  putInt(out, pos + 40, segment[at + W_AVERSION]!);
  putInt(out, pos + 44, isEphemeral ? segment[at + W_OWNER]! : 0);
  putInt(out, pos + 48, isEphemeral ? segment[at + W_OWNER + 1]! : 0);
  putInt(out, pos + 52, dataLength < 0 ? 0 : dataLength);
  putInt(out, pos + 56, children);
  putInt(out, pos + 60, segment[at + W_PZXID]!);
  putInt(out, pos + 64, segment[at + W_PZXID + 1]!);
}

/** The same as 17 words, each of which is four of the bytes. */
export function statWordsInto(contents: Contents, id: NodeId, out: Int32Array, pos: number): void {
  const segment = contents.nodes.segmentOf(id);
  const at = contents.nodes.offsetOf(id);
  const children = segment[at + W_CHILDREN]!;
  const dataLength = segment[at + W_DATA_LENGTH]!;
  const isEphemeral = ((segment[at + W_NAME]! >>> KIND_SHIFT) & 3) === OwnerKind.session;
  out[pos + 16] = segment[at + W_PZXID + 1]!;
  out[pos] = segment[at + W_CZXID]!;
  out[pos + 1] = segment[at + W_CZXID + 1]!;
  out[pos + 2] = segment[at + W_MZXID]!;
  out[pos + 3] = segment[at + W_MZXID + 1]!;
  out[pos + 4] = segment[at + W_CTIME]!;
  out[pos + 5] = segment[at + W_CTIME + 1]!;
  out[pos + 6] = segment[at + W_MTIME]!;
  out[pos + 7] = segment[at + W_MTIME + 1]!;
  out[pos + 8] = segment[at + W_VERSION]!;
  out[pos + 9] = 2 * segment[at + W_CVERSION]! - children;
  out[pos + 10] = segment[at + W_AVERSION]!;
  out[pos + 11] = isEphemeral ? segment[at + W_OWNER]! : 0;
  out[pos + 12] = isEphemeral ? segment[at + W_OWNER + 1]! : 0;
  out[pos + 13] = dataLength < 0 ? 0 : dataLength;
  out[pos + 14] = children;
  out[pos + 15] = segment[at + W_PZXID]!;
}

/** The 60 bytes that snapshots keep. */
export function persistedStatInto(
  contents: Contents,
  id: NodeId,
  out: Uint8Array,
  pos: number,
): void {
  const segment = contents.nodes.segmentOf(id);
  const at = contents.nodes.offsetOf(id) + W_STAT;
  for (let i = 0; i < STAT_WORDS; i++) putInt(out, pos + 4 * i, segment[at + i]!);
}

/** The other way round. */
export function setPersistedStat(
  contents: Contents,
  id: NodeId,
  stat: Uint8Array,
  pos: number,
): void {
  const segment = contents.nodes.segmentOf(id);
  const at = contents.nodes.offsetOf(id) + W_STAT;
  for (let i = 0; i < STAT_WORDS; i++) segment[at + i] = intAt(stat, pos + 4 * i);
}
