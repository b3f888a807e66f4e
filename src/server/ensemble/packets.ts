/** Messages of a role as packets of the quorum channel, byte for byte as Apache's servers send them. */
import {
  AttachStatus,
  readAttachRequest,
  readAttachResponse,
  writeAttachRequest,
  writeAttachResponse,
} from '../../protocol/continuation.js';
import {
  readExtension,
  writeExtension,
  type PeerExtension,
} from '../../protocol/peer/extension.js';
import {
  PacketType,
  writePacket,
  writePacketWithData,
  type PacketView,
} from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';
import type { Id } from '../../protocol/records/data.js';
import type { TxnBatch } from '../../protocol/txn-batch.js';
import { Writer } from '../../protocol/writer.js';
import type { Session } from '../../session/session.js';
import type { Verdict } from '../attach.js';
import type { Succession } from '../../zab/succession.js';

/** Of the protocol between servers; the same since 3.4. */
const PROTOCOL_VERSION = 0x10000;
const NONE = 0xffff_ffff;
/** Number, version of the protocol, version of the configuration. */
export const LEARNER_INFO_BYTES = 20;
/** Version of the protocol. */
export const LEADER_INFO_BYTES = 4;
const scratch = new Writer();

export function writeLearnerInfo(
  out: Writer,
  info: {
    readonly sid: number;
    readonly isObserver: boolean;
    readonly acceptedEpoch: number;
    readonly configVersion: bigint;
    readonly extension: PeerExtension;
  },
): void {
  scratch.reset();
  scratch.writeLong(BigInt(info.sid));
  scratch.writeInt(PROTOCOL_VERSION);
  scratch.writeLong(info.configVersion);
  writeExtension(scratch, info.extension);
  const type = info.isObserver ? PacketType.observerInfo : PacketType.followerInfo;
  writePacketWithData(out, type, info.acceptedEpoch, 0, scratch.bytes, 0, scratch.pos);
}

/** What its sender is beyond Apache's protocol, behind the first bytes of its data; null: nothing. */
export function extensionOf(packet: PacketView, behind: number): PeerExtension | null {
  const { bytes, dataStart, dataEnd } = packet;
  if (dataStart < 0 || dataEnd - dataStart <= behind) return null;
  return readExtension(new Reader().reset(bytes, dataStart + behind, dataEnd));
}

/** `extension`: only to a learner that has sent one. */
export function writeLeaderInfo(out: Writer, epoch: number, extension: PeerExtension | null): void {
  scratch.reset();
  scratch.writeInt(PROTOCOL_VERSION);
  if (extension !== null) writeExtension(scratch, extension);
  writePacketWithData(out, PacketType.leaderInfo, epoch, 0, scratch.bytes, 0, scratch.pos);
}

export function writeAckEpoch(
  out: Writer,
  currentEpoch: number,
  lastLogged: { readonly high: number; readonly low: number },
): void {
  scratch.reset();
  scratch.writeInt(currentEpoch);
  const { high, low } = lastLogged;
  writePacketWithData(out, PacketType.ackEpoch, high, low, scratch.bytes, 0, scratch.pos);
}

export function writeNewLeader(out: Writer, epoch: number, configText: string): void {
  const bytes = new TextEncoder().encode(configText);
  writePacketWithData(out, PacketType.newLeader, epoch, 0, bytes, 0, bytes.length);
}

/** Zabra's own, to those who have the capability. */
export function writeHandOver(out: Writer, { leader, round, zxid }: Succession): void {
  scratch.reset();
  scratch.writeInt(leader);
  scratch.writeLong(round);
  const { bytes, pos } = scratch;
  writePacketWithData(out, PacketType.handOver, zxid.high, zxid.low, bytes, 0, pos);
}

/** Null: too short to be one. */
export function readHandOver(packet: PacketView): Succession | null {
  const { zxidHigh: high, zxidLow: low, bytes, dataStart, dataEnd } = packet;
  if (dataStart < 0 || dataEnd - dataStart < 12) return null;
  const reader = new Reader().reset(bytes, dataStart, dataEnd);
  return { leader: reader.readInt(), round: reader.readLong(), zxid: { high, low } };
}

export function writeUpToDate(out: Writer): void {
  writePacket(out, PacketType.upToDate, NONE, NONE);
}

/** PROPOSAL or INFORM for each record. */
export function writeRecords(
  out: Writer,
  type: typeof PacketType.proposal | typeof PacketType.inform,
  batch: TxnBatch,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) writeRecord(out, type, batch, i);
}

export function writeCommits(out: Writer, batch: TxnBatch, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    writePacket(out, PacketType.commit, batch.zxidHigh(i), batch.zxidLow(i));
  }
}

/** COMMIT of the record that brings a configuration, with who leads in it. */
export function writeCommitAndActivate(
  out: Writer,
  batch: TxnBatch,
  index: number,
  leader: number,
): void {
  scratch.reset();
  scratch.writeLong(BigInt(leader));
  const [high, low] = [batch.zxidHigh(index), batch.zxidLow(index)];
  const { bytes, pos } = scratch;
  writePacketWithData(out, PacketType.commitAndActivate, high, low, bytes, 0, pos);
}

/** The same for observers, who get the record with it. */
export function writeInformAndActivate(
  out: Writer,
  batch: TxnBatch,
  index: number,
  leader: number,
): void {
  scratch.reset();
  scratch.writeLong(BigInt(leader));
  scratch.writeBytes(batch.bytes, batch.payloadStart(index), batch.payloadEnd(index));
  const [high, low] = [batch.zxidHigh(index), batch.zxidLow(index)];
  const { bytes, pos } = scratch;
  writePacketWithData(out, PacketType.informAndActivate, high, low, bytes, 0, pos);
}

/** PROPOSAL and COMMIT for each record: history. */
export function writeHistory(out: Writer, batch: TxnBatch, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    writeRecord(out, PacketType.proposal, batch, i);
    writePacket(out, PacketType.commit, batch.zxidHigh(i), batch.zxidLow(i));
  }
}

export function writeAcks(out: Writer, epoch: number, fromLow: number, toLow: number): void {
  for (let low = fromLow; low <= toLow; low++) writePacket(out, PacketType.ack, epoch, low);
}

/** The echo of a ping, with the sessions that were heard since the last one. */
export function writePong(
  out: Writer,
  high: number,
  low: number,
  touched: Iterable<Session>,
): void {
  scratch.reset();
  for (const { idHigh, idLow, timeoutMs } of touched) {
    scratch.writeLongParts(idHigh, idLow);
    scratch.writeInt(timeoutMs);
  }
  writePacketWithData(out, PacketType.ping, high, low, scratch.bytes, 0, scratch.pos);
}

/** `shown`: the generation that the client shows, or 0n; null to a leader that knows of none. */
export function writeRevalidate(
  out: Writer,
  session: bigint,
  timeoutMs: number,
  shown: bigint | null,
): void {
  scratch.reset();
  scratch.writeLong(session);
  scratch.writeInt(timeoutMs);
  if (shown !== null) writeAttachRequest(scratch, { capabilities: 0, generation: shown });
  writePacketWithData(out, PacketType.revalidate, NONE, NONE, scratch.bytes, 0, scratch.pos);
}

export interface Revalidate {
  readonly session: bigint;
  readonly timeoutMs: number;
  readonly shown: bigint | null;
}

/** Null: too short to be one. */
export function readRevalidate(packet: PacketView): Revalidate | null {
  const { bytes, dataStart, dataEnd } = packet;
  if (dataStart < 0 || dataEnd - dataStart < 12) return null;
  const reader = new Reader().reset(bytes, dataStart, dataEnd);
  const [session, timeoutMs] = [reader.readLong(), reader.readInt()];
  return { session, timeoutMs, shown: readAttachRequest(reader)?.generation ?? null };
}

/** Of a valid session: how it was taken up is only told to a learner that has shown something. */
export function writeRevalidated(out: Writer, session: bigint, verdict: Verdict): void {
  scratch.reset();
  scratch.writeLong(session);
  scratch.writeBool(verdict.kind === 'valid');
  if (verdict.kind === 'superseded') {
    const status = AttachStatus.superseded;
    writeAttachResponse(scratch, { capabilities: 0, status, generation: 0n, zxid: 0n });
  } else if (verdict.kind === 'valid' && verdict.attached !== null) {
    writeAttachResponse(scratch, { capabilities: 0, status: AttachStatus.ok, ...verdict.attached });
  }
  writePacketWithData(out, PacketType.revalidate, NONE, NONE, scratch.bytes, 0, scratch.pos);
}

/** Null: too short to be one. */
export function readRevalidated(
  packet: PacketView,
): { readonly session: bigint; readonly verdict: Verdict } | null {
  const { bytes, dataStart, dataEnd } = packet;
  if (dataStart < 0 || dataEnd - dataStart < 9) return null;
  const reader = new Reader().reset(bytes, dataStart, dataEnd);
  const session = reader.readLong();
  const isValid = reader.readBool();
  const attached = readAttachResponse(reader);
  if (isValid) return { session, verdict: { kind: 'valid', attached } };
  const isLate = attached?.status === AttachStatus.superseded;
  return { session, verdict: { kind: isLate ? 'superseded' : 'invalid' } };
}

export interface ForwardedRequest {
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly cxid: number;
  readonly op: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export function writeRequest(
  out: Writer,
  request: ForwardedRequest,
  authinfo: readonly Readonly<Id>[],
): void {
  scratch.reset();
  scratch.writeLongParts(request.sessionHigh, request.sessionLow);
  scratch.writeInt(request.cxid);
  scratch.writeInt(request.op);
  scratch.writeBytes(request.bytes, request.start, request.end);
  const { bytes, pos } = scratch;
  writePacketWithData(out, PacketType.request, NONE, NONE, bytes, 0, pos, authinfo);
}

const requestReader = new Reader();

/** Null: too short to be one. */
export function readRequest(
  bytes: Uint8Array,
  start: number,
  end: number,
): ForwardedRequest | null {
  if (end - start < 16) return null;
  const reader = requestReader.reset(bytes, start, end);
  const sessionHigh = reader.readInt() >>> 0;
  const sessionLow = reader.readInt() >>> 0;
  const cxid = reader.readInt();
  const op = reader.readInt();
  return { sessionHigh, sessionLow, cxid, op, bytes, start: start + 16, end };
}

function writeRecord(out: Writer, type: number, batch: TxnBatch, index: number): void {
  const [start, end] = [batch.payloadStart(index), batch.payloadEnd(index)];
  const [high, low] = [batch.zxidHigh(index), batch.zxidLow(index)];
  writePacketWithData(out, type as PacketType, high, low, batch.bytes, start, end);
}
