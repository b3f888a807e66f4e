/**
 * The quorum channel, where a leader and its learners talk: packets back to back, each a type, a
 * zxid, data and the identities of a client, with no length in front. Where a packet ends is known
 * only once its fields are read, and after SNAP a whole snapshot follows that is no packet at all.
 *
 * The decoder is indifferent to chunking. A packet that lies whole in its chunk is lent from it and
 * nothing is copied or allocated; one that arrives in pieces is gathered in a buffer that grows with
 * the bytes that came, never with those that were promised.
 */
import { Reader } from '../reader.js';
import type { Id } from '../records/data.js';
import { partialFrameBytesInitial } from '../limits.js';
import type { Writer } from '../writer.js';

export const PacketType = {
  request: 1,
  proposal: 2,
  ack: 3,
  commit: 4,
  ping: 5,
  revalidate: 6,
  sync: 7,
  inform: 8,
  commitAndActivate: 9,
  newLeader: 10,
  followerInfo: 11,
  upToDate: 12,
  diff: 13,
  trunc: 14,
  snap: 15,
  observerInfo: 16,
  leaderInfo: 17,
  ackEpoch: 18,
  informAndActivate: 19,
  /** Zabra's own: leadership is handed over (extension.ts). Far from where Apache may go on. */
  handOver: 0x5a01,
} as const;
export type PacketType = (typeof PacketType)[keyof typeof PacketType];

/** A packet as it lies in memory: one object, filled anew for every packet and lent for the call. */
export interface PacketView {
  /** As sent: a number that is no PacketType is for the receiver to refuse. */
  readonly type: number;
  /** Halves are unsigned. */
  readonly zxidHigh: number;
  readonly zxidLow: number;
  /** The data is bytes[dataStart, dataEnd); dataStart is -1 when it is null. */
  readonly bytes: Uint8Array;
  readonly dataStart: number;
  readonly dataEnd: number;
  /** The same array as before for the same identities. */
  readonly authinfo: readonly Id[] | null;
}

/**
 * What comes after this packet: packets, or a raw stream. 'stop': nothing more is wanted from this
 * chunk; `consumed` says where it stopped.
 */
export type AfterPacket = 'packets' | 'raw' | 'stop';
export type OnPacket = (packet: PacketView) => AfterPacket;

/**
 * Gets the raw stream's bytes, lent for the call, and says how many of them belong to it. Fewer than
 * all (also 0): it has ended there, and packets go on. Negative: it is not what it should be.
 */
export type OnRaw = (bytes: Uint8Array, start: number, end: number) => number;

export type PacketStatus = 'ok' | 'malformed';

export interface PacketLimits {
  /** Longest data; the identities of one packet together may be as long. */
  readonly dataBytesMax: number;
  /** Most identities in one packet; 64 unless told. */
  readonly authIdsMax?: number;
}

const authIdsMaxDefault = 64;

/** Type, zxid and the length of the data. */
const headBytes = 16;

/** A buffer for pieces that has grown larger is let go after its packet. */
const keptBytes = 64 * 1024;

/** Identities that take more are read each time. */
const keptIdBytes = 256;

const MALFORMED = -1;
const NOTHING: Uint8Array = new Uint8Array(0);
const NO_IDS: readonly Id[] = [];

export class QuorumPacketDecoder {
  readonly #dataBytesMax: number;
  readonly #authIdsMax: number;
  readonly #onRaw: OnRaw;
  readonly #reader = new Reader();
  #isRaw = false;
  /** The unfinished packet: its first `#have` bytes, and how many there must be to know more. */
  #partial = NOTHING;
  #have = 0;
  #needed = 0;
  #consumed = 0;
  /** Where the last measured packet has its identities, and how many; -1: null. */
  #authStart = 0;
  #authCount = 0;
  readonly #packet = {
    type: 0,
    zxidHigh: 0,
    zxidLow: 0,
    bytes: NOTHING,
    dataStart: -1,
    dataEnd: -1,
    authinfo: null as readonly Id[] | null,
  } satisfies PacketView;
  /** What the last packet with identities said, and its bytes: the next one mostly says the same. */
  #ids: readonly Id[] = NO_IDS;
  #idBytes = NOTHING;

  /** `onRaw` is for receivers whose `onPacket` may say 'raw'; without it a raw stream is malformed. */
  constructor(limits: PacketLimits, onRaw: OnRaw = () => MALFORMED) {
    this.#dataBytesMax = limits.dataBytesMax;
    this.#authIdsMax = limits.authIdsMax ?? authIdsMaxDefault;
    this.#onRaw = onRaw;
  }

  /** Some of a packet has come, and not all of it. */
  get hasPartial(): boolean {
    return this.#have > 0;
  }

  /** Where in its chunk the last push stopped: push again from there to go on after a 'stop'. */
  get consumed(): number {
    return this.#consumed;
  }

  /**
   * Calls `onPacket` for each packet that is complete with these bytes. After 'malformed' the stream
   * has no packets any more: close the connection. `onPacket` and `onRaw` must not push.
   */
  push(bytes: Uint8Array, start: number, end: number, onPacket: OnPacket): PacketStatus {
    let pos = start;
    let after: AfterPacket = 'packets';
    while (pos < end && after !== 'stop') {
      if (this.#isRaw) {
        const taken = this.#onRaw(bytes, pos, end);
        if (taken < 0) return this.#stopAt(pos, 'malformed');
        this.#isRaw = taken >= end - pos;
        pos += Math.min(taken, end - pos);
        continue;
      }
      let length: number;
      if (this.#have === 0) {
        length = this.#measure(bytes, pos, end);
        if (length < 0) return this.#stopAt(pos, 'malformed');
        if (length > end - pos) {
          this.#needed = length;
          this.#gather(bytes, pos, end);
          pos = end;
          break;
        }
        pos += length;
        after = this.#deliver(bytes, pos, onPacket);
      } else {
        const taken = Math.min(this.#needed - this.#have, end - pos);
        this.#gather(bytes, pos, pos + taken);
        pos += taken;
        if (this.#have < this.#needed) break;
        length = this.#measure(this.#partial, 0, this.#have);
        if (length < 0) return this.#stopAt(pos, 'malformed');
        this.#needed = length;
        if (length > this.#have) continue;
        this.#have = 0;
        after = this.#deliver(this.#partial, length, onPacket);
        if (this.#partial.length > keptBytes) this.#partial = NOTHING;
      }
      this.#isRaw = after === 'raw';
    }
    return this.#stopAt(pos, 'ok');
  }

  #stopAt(pos: number, status: PacketStatus): PacketStatus {
    this.#consumed = pos;
    return status;
  }

  /**
   * The length of the packet that begins at `start`, if all of it is there. A number larger than what
   * is there: so many bytes are needed to know more. Negative: no packet.
   */
  #measure(bytes: Uint8Array, start: number, end: number): number {
    const dataAt = start + headBytes;
    if (dataAt > end) return headBytes;
    const dataLength = intAt(bytes, dataAt - 4);
    if (dataLength < -1 || dataLength > this.#dataBytesMax) return MALFORMED;
    const dataEnd = dataAt + Math.max(0, dataLength);
    let pos = dataEnd + 4;
    if (pos > end) return pos - start;
    const count = intAt(bytes, dataEnd);
    if (count > this.#authIdsMax) return MALFORMED;
    const authLimit = pos + this.#dataBytesMax;
    // scheme and id of each; other negative counts than -1 are empty vectors, as in Java
    for (let left = 2 * count; left > 0; left--) {
      if (pos + 4 > end) return pos + 4 - start;
      const length = intAt(bytes, pos);
      pos += 4 + Math.max(0, length);
      if (length < -1 || pos > authLimit) return MALFORMED;
    }
    if (pos > end) return pos - start;
    const packet = this.#packet;
    packet.type = intAt(bytes, start);
    packet.zxidHigh = intAt(bytes, start + 4) >>> 0;
    packet.zxidLow = intAt(bytes, start + 8) >>> 0;
    packet.dataStart = dataLength < 0 ? -1 : dataAt;
    packet.dataEnd = dataLength < 0 ? -1 : dataEnd;
    this.#authStart = dataEnd + 4;
    this.#authCount = count;
    return pos - start;
  }

  #deliver(bytes: Uint8Array, end: number, onPacket: OnPacket): AfterPacket {
    const packet = this.#packet;
    packet.bytes = bytes;
    packet.authinfo = this.#authCount === -1 ? null : this.#readIds(bytes, end);
    const after = onPacket(packet);
    packet.bytes = NOTHING;
    return after;
  }

  /** The same array as for the packet before, if that had the same identities. */
  #readIds(bytes: Uint8Array, end: number): readonly Id[] {
    if (this.#authCount <= 0) return NO_IDS;
    const start = this.#authStart;
    if (isSame(bytes, start, end, this.#idBytes)) return this.#ids;
    const ids: Id[] = [];
    const reader = this.#reader.reset(bytes, start, end);
    for (let i = 0; i < this.#authCount; i++) {
      ids.push({ scheme: reader.readString(), id: reader.readString() });
    }
    reader.reset(NOTHING);
    if (end - start <= keptIdBytes) {
      this.#ids = ids;
      this.#idBytes = bytes.slice(start, end);
    }
    return ids;
  }

  #gather(bytes: Uint8Array, start: number, end: number): void {
    const have = this.#have + (end - start);
    if (have > this.#partial.length) {
      const grown = new Uint8Array(Math.max(2 * have, partialFrameBytesInitial));
      grown.set(this.#partial.subarray(0, this.#have));
      this.#partial = grown;
    }
    this.#partial.set(bytes.subarray(start, end), this.#have);
    this.#have = have;
  }
}

function isSame(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  const { length } = other;
  if (length !== end - start) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== other[i]) return false;
  return true;
}

function intAt(b: Uint8Array, at: number): number {
  return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
}

/** A packet without data and identities. Halves of the zxid may be signed or unsigned. */
export function writePacket(
  out: Writer,
  type: PacketType,
  zxidHigh: number,
  zxidLow: number,
): void {
  out.ensure(headBytes + 4);
  out.writeInt(type);
  out.writeLongParts(zxidHigh, zxidLow);
  out.writeInt(-1);
  out.writeInt(-1);
}

/** A packet whose data is bytes[start, end), which must not be the writer's own buffer. */
export function writePacketWithData(
  out: Writer,
  type: PacketType,
  zxidHigh: number,
  zxidLow: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  authinfo: readonly Readonly<Id>[] | null = null,
): void {
  out.ensure(headBytes + (end - start) + 4);
  out.writeInt(type);
  out.writeLongParts(zxidHigh, zxidLow);
  out.writeInt(end - start);
  out.writeBytes(bytes, start, end);
  if (authinfo === null) {
    out.writeInt(-1);
    return;
  }
  out.writeInt(authinfo.length);
  for (const one of authinfo) {
    out.writeString(one.scheme);
    out.writeString(one.id);
  }
}
