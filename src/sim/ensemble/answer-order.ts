/**
 * In which order a leader answers what came over one learner (S27). Apache's learners keep what they have
 * forwarded in a queue and take a commit, or the answer to a sync, for their own only when it is that
 * of the oldest: one out of its place, and nothing that their clients ask from then on is answered.
 *
 * A write that is refused because its session is elsewhere may have come over another learner, while the
 * same one, asked again by a balancer that has brought the session here, waits behind others.
 */
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { PacketType, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';

interface Forwarded {
  /** Session and number; null: a sync, whose answer says nothing of whose it is. */
  readonly key: string | null;
  /** Something of that name was committed while older ones waited. It may be of another server's. */
  isPassed: boolean;
}

/** What is proposed: whose it is, and whether it is refused as one whose session is elsewhere. */
interface Proposed {
  readonly key: string;
  readonly isRefused: boolean;
}

/** One for each connection of a learner. */
export class AnswerOrder {
  readonly #asked: Forwarded[] = [];
  /** Proposed and not committed, by zxid. */
  readonly #proposed = new Map<string, Proposed>();

  onLearnerSays({ type, bytes, dataStart, dataEnd }: PacketView): void {
    if (type !== PacketType.request || dataStart < 0) return;
    const reader = new Reader().reset(bytes, dataStart, dataEnd);
    const session = reader.readLong();
    const cxid = reader.readInt();
    const isSync = reader.readInt() === OpCode.sync;
    this.#asked.push({ key: isSync ? null : keyOf(session, cxid), isPassed: false });
  }

  /** Null, or what is wrong with it. */
  onLeaderSays(packet: PacketView): string | null {
    const { type, zxidHigh, zxidLow, dataStart } = packet;
    const zxid = `${zxidHigh} ${zxidLow}`;
    switch (type) {
      case PacketType.proposal:
        this.#proposed.set(zxid, proposedIn(packet, dataStart));
        return null;
      case PacketType.commit:
      case PacketType.commitAndActivate: {
        const proposed = this.#proposed.get(zxid);
        this.#proposed.delete(zxid);
        return proposed === undefined ? null : this.#onCommit(proposed);
      }
      case PacketType.inform:
        return this.#onCommit(proposedIn(packet, dataStart));
      case PacketType.informAndActivate:
        return this.#onCommit(proposedIn(packet, dataStart + 8));
      case PacketType.sync:
        return this.#onSynced();
      default:
        return null;
    }
  }

  #onCommit({ key, isRefused }: Proposed): string | null {
    const [oldest] = this.#asked;
    if (oldest === undefined) return null;
    if (oldest.key === key) {
      this.#asked.shift();
      return null;
    }
    if (isRefused) return null;
    const passing = this.#asked.find((one) => one.key === key && !one.isPassed);
    if (passing === undefined) return null;
    if (oldest.isPassed) return `${key} is committed, and ${nameOf(oldest)} was out of its place`;
    passing.isPassed = true;
    return null;
  }

  #onSynced(): string | null {
    const oldest = this.#asked.shift();
    if (oldest?.key === null) return null;
    return `a sync is answered, and the oldest question is ${oldest === undefined ? 'none' : nameOf(oldest)}`;
  }
}

function nameOf({ key }: Forwarded): string {
  return key ?? 'a sync';
}

function proposedIn({ bytes, dataEnd }: PacketView, start: number): Proposed {
  const reader = new Reader().reset(bytes, start, dataEnd);
  const key = keyOf(reader.readLong(), reader.readInt());
  // its zxid and its time
  reader.readLong();
  reader.readLong();
  const isError = reader.readInt() === OpCode.error;
  return { key, isRefused: isError && reader.readInt() === ErrorCode.sessionMoved };
}

function keyOf(session: bigint, cxid: number): string {
  return `0x${BigInt.asUintN(64, session).toString(16)} number ${cxid}`;
}
