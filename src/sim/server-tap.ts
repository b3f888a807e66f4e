/**
 * Listens at the simulated server's sockets, between the process and its kernel, and holds it to
 * "persist, then speak": no byte that shows a transaction may leave before the transaction is in the
 * durable image (S14, S15), no session may be handed out whose beginning is not. It also knows when
 * bytes of each session came in, which is what expiry is judged by (E1).
 */
import { FrameDecoder } from '../protocol/frame.js';
import { Reader } from '../protocol/reader.js';
import { ConnectResponse } from '../protocol/records.js';
import { formatZxid, type Zxid } from '../protocol/zxid.js';
import type { Timeline } from './clock.js';
import type { SimSocket, Tap } from './network.js';
import { proberAddress } from './prober.js';

interface Stream {
  readonly decoder: FrameDecoder;
  sessionId: bigint | null;
  /** It was told that the server has no quorum. */
  isReadOnly: boolean;
  lastArrivalMs: number;
  lastReadMs: number;
}

const FRAME_BYTES_MAX = 64 * 1024 * 1024;

export interface Attention {
  /** When the last bytes of the session's connections reached the kernel, and the process. */
  readonly arrivedMs: number;
  readonly readMs: number;
}

/** Who knows what would survive the power failing now. */
export interface Durability {
  readonly durableZxid: Zxid;
  hasSession(id: bigint): boolean;
  /** Of the server itself, whatever became of it elsewhere; a server alone has nothing else. */
  holds?(zxid: Zxid): boolean;
}

export class ServerTap implements Tap {
  readonly #timeline: Timeline;
  readonly #witness: Durability;
  readonly #fail: (invariant: string, message: string) => void;
  readonly #streams = new Map<SimSocket, Stream>();
  readonly #reader = new Reader();
  readonly #heard = new Map<bigint, { arrivedMs: number; readMs: number }>();
  bytesWritten = 0;

  constructor(
    timeline: Timeline,
    witness: Durability,
    fail: (invariant: string, message: string) => void,
  ) {
    this.#timeline = timeline;
    this.#witness = witness;
    this.#fail = fail;
  }

  /** What is known of the session since the process started. */
  attentionTo(sessionId: bigint): Attention | undefined {
    return this.#heard.get(sessionId);
  }

  /** The session's client does not take its answers, so the server takes none of its requests. */
  isHeldBack(sessionId: bigint): boolean {
    for (const [socket, stream] of this.#streams) {
      if (stream.sessionId === sessionId && isDeaf(socket)) return true;
    }
    return false;
  }

  sockets(): Iterable<SimSocket> {
    return this.#streams.keys();
  }

  onOpen(socket: SimSocket): void {
    // who asks four-letter words gets text
    if (socket.remoteAddress === proberAddress) return;
    this.#streams.set(socket, {
      decoder: new FrameDecoder(FRAME_BYTES_MAX),
      sessionId: null,
      isReadOnly: false,
      lastArrivalMs: 0,
      lastReadMs: 0,
    });
  }

  onWrite(socket: SimSocket, bytes: Uint8Array, start: number, end: number): void {
    this.bytesWritten += end - start;
    const stream = this.#streams.get(socket);
    if (stream === undefined) return;
    // a balancer asks them as well, and no frame is as long as a word would say
    if (stream.sessionId === null && !stream.decoder.hasPartial && bytes[start] !== 0) {
      this.#streams.delete(socket);
      return;
    }
    const status = stream.decoder.push(bytes, start, end, (frame, from, to) => {
      this.#judge(socket, stream, frame, from, to);
      return true;
    });
    if (status !== 'ok') this.#fail('frames', `the server wrote a frame that is ${status}`);
  }

  onArrival(socket: SimSocket): void {
    const stream = this.#streams.get(socket);
    if (stream === undefined || socket.isEnding || isDeaf(socket)) return;
    stream.lastArrivalMs = this.#timeline.nowMs;
    const heard = stream.sessionId === null ? undefined : this.#heard.get(stream.sessionId);
    if (heard !== undefined) heard.arrivedMs = this.#timeline.nowMs;
  }

  onRead(socket: SimSocket): void {
    const stream = this.#streams.get(socket);
    if (stream === undefined || socket.isEnding) return;
    stream.lastReadMs = this.#timeline.nowMs;
    const heard = stream.sessionId === null ? undefined : this.#heard.get(stream.sessionId);
    if (heard !== undefined) heard.readMs = this.#timeline.nowMs;
  }

  onGone(socket: SimSocket): void {
    const id = this.#streams.get(socket)?.sessionId ?? null;
    const heard = id === null ? undefined : this.#heard.get(id);
    // what its connection took to the grave nobody can have read
    if (heard !== undefined) heard.arrivedMs = Math.min(heard.arrivedMs, heard.readMs);
    this.#streams.delete(socket);
  }

  #judge(socket: SimSocket, stream: Stream, bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, start, end);
    if (stream.sessionId === null) {
      const { sessionId, timeOut, readOnly } = ConnectResponse.read(reader);
      stream.sessionId = timeOut === 0 ? 0n : sessionId;
      stream.isReadOnly = readOnly === true;
      if (timeOut === 0) return;
      if (!stream.isReadOnly && !this.#witness.hasSession(sessionId)) {
        this.#fail('S14', `connection ${socket.id} got a session that is not durable`);
      }
      const { lastArrivalMs: arrivedMs, lastReadMs: readMs } = stream;
      const before = this.#heard.get(sessionId);
      this.#heard.set(sessionId, {
        arrivedMs: Math.max(arrivedMs, before?.arrivedMs ?? 0),
        readMs: Math.max(readMs, before?.readMs ?? 0),
      });
      return;
    }
    reader.skip(4);
    const zxid = reader.readLong();
    if (stream.isReadOnly) {
      if (zxid === -1n || this.#witness.holds?.(zxid) !== false) return;
      const shown = `connection ${socket.id} was shown ${formatZxid(zxid)}`;
      this.#fail('S14', `${shown} without a quorum, which is not on the server's own disk`);
      return;
    }
    if (zxid !== -1n && zxid > this.#witness.durableZxid) {
      const durable = formatZxid(this.#witness.durableZxid);
      this.#fail(
        'S14',
        `connection ${socket.id} was shown ${formatZxid(zxid)}, durable is ${durable}`,
      );
    }
  }
}

/** What lies unread because the client itself does not read is the client's affair. */
function isDeaf(socket: SimSocket): boolean {
  return socket.isPaused && socket.pendingBytes > 0;
}
