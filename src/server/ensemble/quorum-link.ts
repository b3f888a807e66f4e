/**
 * One connection on the quorum port: packets in, packets out, one write a turn. Whoever reads it can
 * hold it (`hold`) while what came must first become durable: what has arrived meanwhile is kept, what
 * has not is left to the kernel, so memory stays bounded by one read.
 */
import type { PeerExtension } from '../../protocol/peer/extension.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import {
  QuorumPacketDecoder,
  type AfterPacket,
  type PacketView,
} from '../../protocol/peer/quorum-packet.js';
import { Writer } from '../../protocol/writer.js';
import type { LinkId } from '../../zab/messages.js';

export interface LinkEvents {
  onPacket(link: QuorumLink, packet: PacketView): AfterPacket;
  /** Bytes of a raw stream: how many belong to it, negative when it makes no sense. */
  onRaw(link: QuorumLink, bytes: Uint8Array, start: number, end: number): number;
  /** Everything of a read event has been told. */
  onTurn(link: QuorumLink): void;
  onDrain(link: QuorumLink): void;
  /** Once; nothing else comes after it. */
  onClose(link: QuorumLink, reason: string): void;
}

/** A proposal may be a transaction that closes a session with very many ephemerals. */
const DATA_BYTES_MAX = 256 * 1024 * 1024;
/** A client may prove very many identities; memory is bounded by the bytes. */
const AUTH_IDS_MAX = 4096;
const WRITER_BYTES = 16 * 1024;

export class QuorumLink implements SocketHandler {
  readonly id: LinkId;
  readonly socket: Socket;
  readonly #events: LinkEvents;
  readonly #decoder: QuorumPacketDecoder;
  readonly #onPacket: (packet: PacketView) => AfterPacket;
  #out: Writer | null = null;
  #spare: Writer | null = null;
  /** Arrived while it was held. */
  #kept: Uint8Array | null = null;
  #isHeld = false;
  #isClosed = false;
  /** The server at the other end, once it has said so. */
  sid = -1;

  constructor(id: LinkId, socket: Socket, events: LinkEvents) {
    this.id = id;
    this.socket = socket;
    this.#events = events;
    this.#decoder = new QuorumPacketDecoder(
      { dataBytesMax: DATA_BYTES_MAX, authIdsMax: AUTH_IDS_MAX },
      (bytes, start, end) => events.onRaw(this, bytes, start, end),
    );
    this.#onPacket = (packet) => {
      const after = events.onPacket(this, packet);
      return this.#isHeld || this.#isClosed ? 'stop' : after;
    };
  }

  /** What the server at the other end said of itself beyond Apache's protocol; null: nothing. */
  extension: PeerExtension | null = null;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bytes that have not left. */
  get waitingBytes(): number {
    return this.socket.pendingBytes + (this.#out?.pos ?? 0);
  }

  /** What is written here leaves with the next `flush`. */
  begin(): Writer {
    this.#out ??= this.#spare ?? new Writer(WRITER_BYTES);
    this.#spare = null;
    return this.#out;
  }

  flush(): void {
    const out = this.#out;
    if (out === null) return;
    this.#out = null;
    if (this.#isClosed || out.pos === 0) return;
    if (!this.socket.write(out.bytes, 0, out.pos)) return;
    out.reset();
    this.#spare = out;
  }

  /**
   * bytes[0, length), not copied, behind all that was flushed. False: not all of it has left; it is
   * not to be changed until the connection drains.
   */
  writeBlock(bytes: Uint8Array, length: number): boolean {
    return this.#isClosed || this.socket.write(bytes, 0, length);
  }

  /** No packet is told until `release`; the one being told is the last. */
  hold(): void {
    if (this.#isHeld || this.#isClosed) return;
    this.#isHeld = true;
    this.socket.pause();
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    const kept = this.#kept;
    this.#kept = null;
    if (kept !== null) this.onData(kept, 0, kept.length);
    if (this.#isReading()) this.socket.resume();
  }

  /** Nothing is told any more. What was written before leaves. */
  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    this.socket.end();
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isClosed) return;
    if (this.#isHeld) {
      this.#keep(bytes, start, end);
      return;
    }
    const status = this.#decoder.push(bytes, start, end, this.#onPacket);
    if (status === 'malformed') {
      this.#end('what came is no packet');
      return;
    }
    const { consumed } = this.#decoder;
    if (consumed < end) this.#keep(bytes, consumed, end);
    this.#events.onTurn(this);
  }

  #isReading(): boolean {
    return !this.#isHeld && !this.#isClosed;
  }

  onDrain(): void {
    if (!this.#isClosed) this.#events.onDrain(this);
  }

  onClose(error: Error | null): void {
    this.#end(error === null ? 'the connection was closed' : error.message);
  }

  #end(reason: string): void {
    this.#kept = null;
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.socket.destroy();
    this.#events.onClose(this, reason);
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const before = this.#kept;
    const kept = new Uint8Array((before?.length ?? 0) + end - start);
    if (before !== null) kept.set(before);
    kept.set(bytes.subarray(start, end), before?.length ?? 0);
    this.#kept = kept;
  }
}
