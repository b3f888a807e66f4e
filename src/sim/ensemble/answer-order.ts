/**
 * In which order a leader answers what came over one learner (S27). Apache's learners keep what they have
 * forwarded in a queue and take a commit, or the answer to a sync, for their own only when it is that
 * of the oldest: one out of its place, and nothing that their clients ask from then on is answered.
 */
import { OpCode } from '../../protocol/opcodes.js';
import { PacketType, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';

interface Forwarded {
  /** Session and number; null: a sync, whose answer says nothing of whose it is. */
  readonly key: string | null;
  /** Something of that name was committed while older ones waited. It may be of another server's. */
  isPassed: boolean;
}

/** One for each connection of a learner. */
export class AnswerOrder {
  readonly #asked: Forwarded[] = [];
  /** Proposed and not committed, by zxid. */
  readonly #proposed = new Map<string, string>();

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
        this.#proposed.set(zxid, keyIn(packet, dataStart));
        return null;
      case PacketType.commit:
      case PacketType.commitAndActivate: {
        const key = this.#proposed.get(zxid);
        this.#proposed.delete(zxid);
        return key === undefined ? null : this.#onCommit(key);
      }
      case PacketType.inform:
        return this.#onCommit(keyIn(packet, dataStart));
      case PacketType.informAndActivate:
        return this.#onCommit(keyIn(packet, dataStart + 8));
      case PacketType.sync:
        return this.#onSynced();
      default:
        return null;
    }
  }

  #onCommit(key: string): string | null {
    const [oldest] = this.#asked;
    if (oldest === undefined) return null;
    if (oldest.key === key) {
      this.#asked.shift();
      return null;
    }
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

function keyIn({ bytes, dataEnd }: PacketView, start: number): string {
  const reader = new Reader().reset(bytes, start, dataEnd);
  return keyOf(reader.readLong(), reader.readInt());
}

function keyOf(session: bigint, cxid: number): string {
  return `0x${BigInt.asUintN(64, session).toString(16)} number ${cxid}`;
}
