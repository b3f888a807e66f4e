/**
 * What an Apache-like peer sends and hears on the quorum port (apache-peer.ts): nothing behind the fields
 * that Apache's servers know, and acknowledgements in the order of its older releases where it has that
 * flaw.
 */
import type { Network, Socket, SocketHandler } from '../../ports/network.js';
import {
  PacketType,
  writePacket,
  writePacketWithData,
  type PacketView,
} from '../../protocol/peer/quorum-packet.js';
import { FrameDecoder } from '../../protocol/frame.js';
import { Reader } from '../../protocol/reader.js';
import { ConnectRequest } from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import { LEARNER_INFO_BYTES } from '../../server/ensemble/packets.js';
import { ForwardingSocket } from '../forwarding.js';
import type { ApacheFlaw } from './apache-peer.js';
import { balancerAt } from './balancer-parameters.js';
import { clientPort, observerMasterPort, quorumPort } from './parameters.js';
import { QuorumStream } from './quorum-stream.js';

export function apacheNetwork(inner: Network, flaws: readonly ApacheFlaw[]): Network {
  return {
    listen: (options, accept) =>
      inner.listen(options, (socket) => {
        const handler = accept(socket);
        if (isQuorumPort(options.port)) return trimming(handler, socket);
        const isBalancers = balancerAt(socket.remoteAddress) > 0 && options.port === clientPort;
        return isBalancers ? new PlainHandshake(handler) : handler;
      }),
    connect: (options, accept) => {
      if (!isQuorumPort(options.port)) return inner.connect(options, accept);
      let learner: ApacheLearner | null = null;
      return inner
        .connect(options, (socket) => {
          learner = new ApacheLearner(socket, flaws);
          return learner.hearing(accept(learner));
        })
        .then((socket) => learner ?? socket);
    },
  };
}

function isQuorumPort(port: number): boolean {
  return port === quorumPort || port === observerMasterPort;
}

/** What a balancer says behind the fields of its connect request a server of that make passes over. */
class PlainHandshake implements SocketHandler {
  readonly #inner: SocketHandler;
  readonly #decoder = new FrameDecoder(1 << 20);
  #isOver = false;

  constructor(inner: SocketHandler) {
    this.#inner = inner;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) {
      this.#inner.onData(bytes, start, end);
      return;
    }
    // a four-letter word is no length
    if (!this.#decoder.hasPartial && bytes[start] !== 0) {
      this.#isOver = true;
      this.#inner.onData(bytes, start, end);
      return;
    }
    const out = new Writer();
    this.#decoder.push(bytes, start, end, (frame, from, to) => {
      this.#isOver = true;
      out.writeInt(0);
      ConnectRequest.write(out, ConnectRequest.read(new Reader().reset(frame, from, to)));
      out.patchInt(0, out.pos - 4);
      return false;
    });
    if (out.pos === 0) return;
    const rest = this.#decoder.consumed;
    out.writeBytes(bytes, rest, end);
    this.#inner.onData(out.bytes, 0, out.pos);
  }

  onDrain(): void {
    this.#inner.onDrain();
  }

  onClose(error: Error | null): void {
    this.#inner.onClose(error);
  }
}

/** A leader of that make reads the fields that it knows. */
function trimming(handler: SocketHandler, socket: Socket): SocketHandler {
  const stream = new QuorumStream(false);
  return {
    onData: (bytes, start, end) => {
      const out = new Writer();
      if (stream.push(bytes, start, end, (packet) => copy(out, packet)) !== 'ok') socket.destroy();
      else if (out.pos > 0) handler.onData(out.bytes, 0, out.pos);
    },
    onDrain: () => {
      handler.onDrain();
    },
    onClose: (error) => {
      handler.onClose(error);
    },
  };
}

function copy(out: Writer, packet: PacketView): void {
  const { type, zxidHigh, zxidLow, bytes, dataStart, dataEnd, authinfo } = packet;
  const isInfo = type === PacketType.followerInfo || type === PacketType.observerInfo;
  const end = isInfo ? Math.min(dataEnd, dataStart + LEARNER_INFO_BYTES) : dataEnd;
  if (dataStart < 0) writePacket(out, type as PacketType, zxidHigh, zxidLow);
  else {
    const ids = authinfo ?? undefined;
    writePacketWithData(out, type as PacketType, zxidHigh, zxidLow, bytes, dataStart, end, ids);
  }
}

/** A learner of that make, towards its leader. */
class ApacheLearner extends ForwardingSocket {
  readonly #flaws: readonly ApacheFlaw[];
  readonly #said = new QuorumStream(false);
  readonly #heard = new QuorumStream(true);
  /** Proposed before NEWLEADER: high and low half. */
  readonly #proposed = new Map<string, readonly [number, number]>();
  /** Of them, those that are not committed. */
  readonly #outstanding = new Set<string>();
  #phase: 'synchronisation' | 'synchronised' | 'acknowledged' | 'serving' = 'synchronisation';
  #isObserver = false;
  #hasFailed = false;

  constructor(inner: Socket, flaws: readonly ApacheFlaw[]) {
    super(inner);
    this.#flaws = flaws;
  }

  override write(bytes: Uint8Array, start: number, end: number): boolean {
    const out = new Writer();
    this.#said.push(bytes, start, end, (packet) => {
      this.#say(out, packet);
    });
    return out.pos === 0 || this.inner.write(out.bytes, 0, out.pos);
  }

  hearing(handler: SocketHandler): SocketHandler {
    return {
      onData: (bytes, start, end) => {
        if (this.#hasFailed) return;
        if (this.#survives(bytes, start, end)) handler.onData(bytes, start, end);
        else {
          this.inner.destroy();
          handler.onClose(new Error('a learner of an older release fell over a COMMIT'));
        }
      },
      onDrain: () => {
        handler.onDrain();
      },
      onClose: (error) => {
        if (!this.#hasFailed) handler.onClose(error);
      },
    };
  }

  #survives(bytes: Uint8Array, start: number, end: number): boolean {
    this.#heard.push(bytes, start, end, (packet) => {
      this.#hear(packet);
    });
    return !this.#hasFailed;
  }

  #say(out: Writer, packet: PacketView): void {
    const { type, zxidHigh, zxidLow } = packet;
    if (type === PacketType.observerInfo) this.#isObserver = true;
    const isHasty = this.#flaws.includes('acksBeforeNewLeader') && !this.#isObserver;
    if (type !== PacketType.ack || !isHasty) {
      if (type === PacketType.ack && zxidLow === 0) this.#acknowledge();
      copy(out, packet);
      return;
    }
    if (this.#proposed.delete(`${zxidHigh} ${zxidLow}`)) return;
    if (zxidLow === 0 && this.#phase === 'synchronised') {
      for (const [high, low] of this.#proposed.values()) {
        writePacket(out, PacketType.ack, high, low);
      }
      this.#acknowledge();
    }
    copy(out, packet);
  }

  #acknowledge(): void {
    if (this.#phase === 'synchronised') this.#phase = 'acknowledged';
  }

  #hear({ type, zxidHigh, zxidLow }: PacketView): void {
    const key = `${zxidHigh} ${zxidLow}`;
    switch (type) {
      case PacketType.proposal:
        if (this.#phase !== 'synchronisation') return;
        this.#proposed.set(key, [zxidHigh, zxidLow]);
        this.#outstanding.add(key);
        return;
      case PacketType.commit: {
        const wasOutstanding = this.#outstanding.delete(key);
        const isFatal = this.#phase === 'acknowledged' && this.#flaws.includes('failsOnCommit');
        if (wasOutstanding && isFatal) this.#hasFailed = true;
        return;
      }
      case PacketType.newLeader:
        this.#phase = 'synchronised';
        return;
      case PacketType.upToDate:
        this.#phase = 'serving';
        return;
      default:
    }
  }
}
