/**
 * Packets of the quorum channel for whoever listens between a process and its kernel: the body of a
 * snapshot, which is no packet, is passed over up to the signature that ends it.
 */
import {
  PacketType,
  QuorumPacketDecoder,
  type PacketStatus,
  type PacketView,
} from '../../protocol/peer/quorum-packet.js';
import { snapSignature } from '../../storage/snap-stream.js';

const DATA_BYTES_MAX = 256 * 1024 * 1024;

export class QuorumStream {
  readonly #decoder: QuorumPacketDecoder;
  readonly #isLeaders: boolean;
  #tail: number[] = [];
  /** An end that is the end of its chunk as well is told at the next one. */
  #isOver = false;

  /** `isLeaders`: of what a leader says, who alone sends snapshots. */
  constructor(isLeaders: boolean) {
    this.#isLeaders = isLeaders;
    this.#decoder = new QuorumPacketDecoder(
      { dataBytesMax: DATA_BYTES_MAX, authIdsMax: 4096 },
      (bytes, start, end) => this.#skip(bytes, start, end),
    );
  }

  push(
    bytes: Uint8Array,
    start: number,
    end: number,
    onPacket: (packet: PacketView) => void,
  ): PacketStatus {
    return this.#decoder.push(bytes, start, end, (packet) => {
      onPacket(packet);
      return packet.type === PacketType.snap && this.#isLeaders ? 'raw' : 'packets';
    });
  }

  #skip(bytes: Uint8Array, start: number, end: number): number {
    if (this.#isOver) {
      this.#isOver = false;
      return 0;
    }
    for (let at = start; at < end; at++) {
      this.#tail.push(bytes[at]!);
      if (this.#tail.length > snapSignature.length) this.#tail.shift();
      if (this.#isSignature) {
        this.#tail = [];
        this.#isOver = at + 1 === end;
        return at + 1 - start;
      }
    }
    return end - start;
  }

  get #isSignature(): boolean {
    const tail = this.#tail;
    return (
      tail.length === snapSignature.length && tail.every((byte, i) => byte === snapSignature[i])
    );
  }
}
