/**
 * What one connection sends: replies and watch events, encoded back to back into one buffer a turn
 * and handed to the socket with one write. While a long answer is being made (`listing.ts`), all
 * other output is held back until it has left, so that the order stays that of the requests.
 */
import type { Socket } from '../ports/network.js';
import { ErrorCode } from '../protocol/errors.js';
import { KeeperState } from '../protocol/events.js';
import { SpecialXid } from '../protocol/xid.js';
import { Writer } from '../protocol/writer.js';
import type { ClientPort } from './client-port.js';
import type { ConnectionFigures } from './connection-figures.js';
import type { Listing } from './listing.js';

/** Offsets of a reply: length, xid, zxid, error, body. */
const ERROR_AT = 16;
const BODY_AT = 20;

export class Output {
  readonly #port: ClientPort;
  readonly #socket: Socket;
  readonly #figures: ConnectionFigures;
  #buffer: Writer | null = null;
  #listing: Listing | null = null;
  #held: Writer | null = null;
  #replyStart = 0;
  #isClosed = false;
  /** In the port's list of those with output to send. */
  isDirty = false;

  constructor(port: ClientPort, socket: Socket, figures: ConnectionFigures) {
    this.#port = port;
    this.#socket = socket;
    this.#figures = figures;
  }

  /** Bytes encoded and not yet taken by the kernel. */
  get waitingBytes(): number {
    return this.#socket.pendingBytes + (this.#buffer?.pos ?? 0) + (this.#held?.pos ?? 0);
  }

  get isListing(): boolean {
    return this.#listing !== null;
  }

  /** The buffer of this turn. */
  begin(): Writer {
    if (this.#listing !== null) {
      this.#held ??= this.#port.buffers.take();
      return this.#held;
    }
    if (this.#buffer === null) {
      // before the buffer is taken: this may flush, and must not flush what is about to be written
      this.#port.markDirty(this);
      this.#buffer = this.#port.buffers.take();
    }
    return this.#buffer;
  }

  /** Writes a reply's header behind a length to be patched by `endReply`. */
  beginReply(xid: number, zxidHigh: number, zxidLow: number, error: number): Writer {
    const out = this.begin();
    this.#replyStart = out.pos;
    out.writeInt(0);
    out.writeInt(xid);
    out.writeLongParts(zxidHigh, zxidLow);
    out.writeInt(error);
    this.#figures.lastZxidHigh = zxidHigh;
    this.#figures.lastZxidLow = zxidLow;
    return out;
  }

  /** Drops what was written since `beginReply`, and says `error` instead. */
  failReply(out: Writer, error: number): void {
    out.pos = this.#replyStart + BODY_AT;
    this.patchError(out, error);
  }

  /** Says `error` in the header and keeps the body. */
  patchError(out: Writer, error: number): void {
    out.patchInt(this.#replyStart + ERROR_AT, error);
  }

  endReply(out: Writer): void {
    const length = out.pos - this.#replyStart - 4;
    out.patchInt(this.#replyStart, length);
    this.#count(length);
  }

  /** A reply without a body. */
  reply(xid: number, zxidHigh: number, zxidLow: number, error: number): void {
    this.endReply(this.beginReply(xid, zxidHigh, zxidLow, error));
  }

  event(type: number, path: string, zxidHigh: number, zxidLow: number): void {
    const out = this.beginReply(SpecialXid.notification, zxidHigh, zxidLow, ErrorCode.ok);
    out.writeInt(type);
    out.writeInt(KeeperState.syncConnected);
    out.writeString(path);
    this.#port.metrics.watchBytes.value += out.pos - this.#replyStart;
    this.endReply(out);
  }

  /** What `encode` writes here, as bytes that are not yet on their way. */
  aside(encode: () => void): Uint8Array {
    const buffer = this.#buffer;
    const held = this.#held;
    const aside = new Writer();
    if (this.#listing === null) this.#buffer = aside;
    else this.#held = aside;
    encode();
    this.#buffer = buffer;
    this.#held = held;
    return aside.take();
  }

  /** The reply just begun is not made now but by a listing, which calls `finishListing`. */
  awaitListing(listing: Listing): void {
    if (this.#buffer !== null) this.#buffer.pos = this.#replyStart;
    this.#listing = listing;
  }

  finishListing(reply: Writer): void {
    this.flush();
    this.#listing = null;
    const held = this.#held;
    this.#held = null;
    this.#count(reply.pos - 4);
    this.#socket.write(reply.bytes, 0, reply.pos);
    if (held === null) return;
    this.#port.markDirty(this);
    this.#buffer = held;
  }

  /** True: the network took everything, so no drain will be told. */
  flush(): boolean {
    const out = this.#buffer;
    if (out === null) return false;
    this.#buffer = null;
    const isFree = this.#isClosed || out.pos === 0 || this.#socket.write(out.bytes, 0, out.pos);
    if (isFree) this.#port.buffers.give(out);
    return isFree;
  }

  /** Nothing more is sent. */
  close(): void {
    this.#isClosed = true;
    this.#listing?.cancel();
    this.#listing = null;
    this.#held = null;
    if (this.#buffer !== null) this.#port.buffers.give(this.#buffer);
    this.#buffer = null;
  }

  #count(length: number): void {
    this.#figures.packetsSent++;
    this.#port.stats.onSent(length);
    this.#port.metrics.responseBytes.value += length;
  }
}
