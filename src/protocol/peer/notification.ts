/**
 * What servers tell each other on the election channel: who I am for, in which round, and in what
 * state. One layout is written (version 2, with the configuration behind it); two older and shorter
 * ones are read as well. Bytes after the configuration are left unread: that is where later releases
 * put what older ones need not know.
 */
import { decodeUtf8 } from '../utf8.js';
import { Reader } from '../reader.js';
import type { Writer } from '../writer.js';
import type { Zxid } from '../zxid.js';

export type PeerState = 'looking' | 'following' | 'leading' | 'observing';

export interface Notification {
  /** Of the sender. */
  readonly state: PeerState;
  /** The server it is for. */
  readonly leader: bigint;
  /** The zxid and the epoch of that server's history. */
  readonly zxid: Zxid;
  readonly peerEpoch: bigint;
  /** The round of the election. */
  readonly electionEpoch: bigint;
  /** Of the layout: 0 and 1 carry no configuration. */
  readonly version: number;
  /** The sender's configuration as text; null: it sends none. */
  readonly config: string | null;
}

export const notificationVersion = 2;

/** By their number on the wire. */
const states: readonly PeerState[] = ['looking', 'following', 'leading', 'observing'];

/** Without peer epoch and version, and without a version, in this order. */
const oldestBytes = 28;
const olderBytes = 40;

/** Appends the body. Always of the current version; a null configuration is written as an empty one. */
export function writeNotification(out: Writer, notification: Notification): void {
  out.writeInt(states.indexOf(notification.state));
  out.writeLong(notification.leader);
  out.writeLong(notification.zxid);
  out.writeLong(notification.electionEpoch);
  out.writeLong(notification.peerEpoch);
  out.writeInt(notificationVersion);
  out.writeString(notification.config ?? '');
}

/** Reads the body bytes[start, end); null: it is none. */
export function readNotification(
  bytes: Uint8Array,
  start: number,
  end: number,
): Notification | null {
  const length = end - start;
  if (length < oldestBytes) return null;
  const reader = new Reader(bytes, start, end);
  const state = states[reader.readUint32()];
  if (state === undefined) return null;
  const leader = reader.readLong();
  const zxid = reader.readLong();
  const electionEpoch = reader.readLong();
  const vote = { state, leader, zxid, electionEpoch };
  if (length === oldestBytes) {
    return { ...vote, peerEpoch: zxid >> 32n, version: 0, config: null };
  }
  if (length < olderBytes) return null;
  const peerEpoch = reader.readLong();
  // an int follows in bodies of this length too, and nobody has ever looked at it
  const version = length === olderBytes ? 0 : reader.readInt();
  if (version < 2) return { ...vote, peerEpoch, version, config: null };
  if (reader.remaining < 4) return null;
  const configBytes = reader.readInt();
  if (configBytes < 0 || configBytes > reader.remaining) return null;
  const config = decodeUtf8(bytes, reader.pos, reader.pos + configBytes);
  return { ...vote, peerEpoch, version, config };
}
