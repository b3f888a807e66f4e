/**
 * Listens to a simulated balancer, between the process and its kernel, on both sides: what it says to
 * clients on its own account and where it brings their sessions. From outside, so that nothing of the
 * balancer's own notes is believed.
 *
 * - A ping that no server has answered is answered by the balancer only while the session cannot have
 *   ended: within two thirds of its timeout after a server read something of it.
 * - A session is brought to another server only for a client that was heard within a third of its
 *   timeout: nobody but the client keeps its session alive.
 * - No session is brought anywhere for a connection of its client that a later one has replaced, as
 *   long as one leader knows of both, and the servers know the extension.
 */
import type { Network, Socket, SocketHandler } from '../../ports/network.js';
import { readAttachResponse } from '../../protocol/continuation.js';
import { FrameDecoder } from '../../protocol/frame.js';
import { Reader } from '../../protocol/reader.js';
import { ConnectRequest, ConnectResponse } from '../../protocol/records.js';
import { SpecialXid } from '../../protocol/xid.js';
import type { Timeline } from '../clock.js';
import { ForwardingSocket } from '../forwarding.js';

/** Where a session's client was welcomed last, of all balancers. */
export type Sightings = Map<
  bigint,
  { readonly by: object; readonly atMs: number; readonly epochs: number }
>;

export interface BalancerTapParts {
  readonly timeline: Timeline;
  readonly name: string;
  /** When any server has read something of the session last. */
  readonly servedMs: (session: bigint) => number;
  readonly sightings: Sightings;
  /** There were so many leaders. */
  readonly epochs: () => number;
  /** Its end is committed. */
  readonly isOver: (session: bigint) => boolean;
  readonly fail: (invariant: string, message: string) => void;
}

const FRAME_BYTES_MAX = 64 * 1024 * 1024;
/** Of clocks that are read at different moments of one turn. */
const SLACK_MS = 5;

export class BalancerTap {
  readonly #parts: BalancerTapParts;
  /** By session, the client's present connection. */
  readonly #downstreams = new Map<bigint, Downstream>();
  /** Clients that have come and have no answer. */
  readonly #coming = new Set<Downstream>();
  localPings = 0;
  moves = 0;

  constructor(parts: BalancerTapParts) {
    this.#parts = parts;
  }

  networkOf(inner: Network): Network {
    return {
      listen: (options, accept) =>
        inner.listen(options, (socket) => {
          const downstream = new Downstream(socket, this, this.#parts.timeline.nowMs);
          return new Heard(accept(downstream), downstream);
        }),
      connect: async (options, accept) => {
        let wrapped: Upstream | null = null;
        const once = (socket: Socket): Upstream => (wrapped ??= new Upstream(socket, this));
        const socket = await inner.connect(options, (opened): SocketHandler => {
          const upstream = once(opened);
          return new Heard(accept(upstream), upstream);
        });
        return once(socket);
      },
    };
  }

  // ------------------------------------------------------------------ what was overheard

  get nowMs(): number {
    return this.#parts.timeline.nowMs;
  }

  onComing(downstream: Downstream): void {
    this.#coming.add(downstream);
  }

  onWelcomed(downstream: Downstream): void {
    this.#coming.delete(downstream);
    this.#downstreams.set(downstream.session, downstream);
    const sight = { by: downstream, atMs: this.nowMs, epochs: this.#parts.epochs() };
    this.#parts.sightings.set(downstream.session, sight);
  }

  onClientGone(downstream: Downstream): void {
    this.#coming.delete(downstream);
  }

  onPingAnswered(downstream: Downstream): void {
    const before = this.#downstreams.get(downstream.session);
    if (before !== downstream) return;
    if (downstream.pingsServed > 0) {
      downstream.pingsServed--;
      return;
    }
    this.localPings++;
    const { servedMs, isOver, fail, name } = this.#parts;
    const { session, timeoutMs } = downstream;
    const sinceMs = this.nowMs - servedMs(session);
    const whose = `${name} answers a ping of session ${hex(session)} by itself`;
    if (sinceMs > (timeoutMs * 2) / 3 + SLACK_MS) {
      fail('B1', `${whose} ${Math.round(sinceMs)} ms after a server heard of it, of ${timeoutMs}`);
    }
    if (isOver(session)) fail('B2', `${whose}, which has ended`);
  }

  onServerAnswersPing(session: bigint): void {
    const downstream = this.#downstreams.get(session);
    if (downstream !== undefined) downstream.pingsServed++;
  }

  /** What the server that is left has answered, and nobody has passed on, is answered here. */
  onUpstreamGone(session: bigint): void {
    const downstream = this.#downstreams.get(session);
    if (downstream !== undefined) downstream.pingsServed = 0;
  }

  /** Returns for which of the client's connections; null: for one that comes with it now. */
  onAttach(session: bigint): object | null {
    for (const { session: asked } of this.#coming) if (asked === session) return null;
    const downstream = this.#downstreams.get(session);
    if (downstream === undefined || downstream.isGone) return null;
    this.moves++;
    const silentMs = this.nowMs - downstream.heardMs;
    if (silentMs <= downstream.timeoutMs / 3 + SLACK_MS) return downstream;
    this.#parts.fail(
      'B3',
      `${this.#parts.name} brings session ${hex(session)} to another server, whose client was not ` +
        `heard for ${Math.round(silentMs)} ms, of ${downstream.timeoutMs}`,
    );
    return downstream;
  }

  /** A server took the session, as it was asked to at `sentMs`. */
  onAttached(session: bigint, mover: object, sentMs: number): void {
    const { sightings, epochs, fail, name } = this.#parts;
    const sight = sightings.get(session);
    if (sight === undefined || sight.by === mover || sight.atMs >= sentMs) return;
    if (sight.epochs !== epochs()) return;
    fail('B6', `${name} takes session ${hex(session)} from a later connection of its client`);
  }
}

interface Ears {
  hear(bytes: Uint8Array, start: number, end: number): void;
  /** The connection is gone. */
  close(): void;
}

/** The connection of a client. */
class Downstream extends ForwardingSocket implements Ears {
  readonly #tap: BalancerTap;
  readonly #decoder = new FrameDecoder(FRAME_BYTES_MAX);
  readonly #greeting = new FrameDecoder(FRAME_BYTES_MAX);
  readonly #reader = new Reader();
  #hasGreeted = false;
  #isWelcomed = false;
  session = 0n;
  timeoutMs = 0;
  heardMs: number;
  isGone = false;
  /** Pings that a server has answered, and that are to be passed on. */
  pingsServed = 0;

  constructor(inner: Socket, tap: BalancerTap, nowMs: number) {
    super(inner);
    this.#tap = tap;
    this.heardMs = nowMs;
  }

  hear(bytes: Uint8Array, start: number, end: number): void {
    this.heardMs = this.#tap.nowMs;
    if (this.#hasGreeted) return;
    this.#greeting.push(bytes, start, end, (frame, from, to) => {
      this.#hasGreeted = true;
      this.session = ConnectRequest.read(this.#reader.reset(frame, from, to)).sessionId;
      this.#tap.onComing(this);
      return false;
    });
  }

  close(): void {
    this.isGone = true;
    this.#tap.onClientGone(this);
  }

  override write(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.isGone) {
      this.#decoder.push(bytes, start, end, (frame, from, to) => {
        this.#onFrame(frame, from, to);
        return true;
      });
    }
    return super.write(bytes, start, end);
  }

  override end(): void {
    this.close();
    super.end();
  }

  override destroy(): void {
    this.close();
    super.destroy();
  }

  #onFrame(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, start, end);
    if (this.#isWelcomed) {
      if (reader.readInt() === SpecialXid.ping) this.#tap.onPingAnswered(this);
      return;
    }
    this.#isWelcomed = true;
    const { sessionId, timeOut } = ConnectResponse.read(reader);
    if (timeOut === 0) return;
    this.session = sessionId;
    this.timeoutMs = timeOut;
    this.#tap.onWelcomed(this);
  }
}

/** The balancer's connection to a server: a session's, or a word's. */
class Upstream extends ForwardingSocket implements Ears {
  readonly #tap: BalancerTap;
  readonly #said = new FrameDecoder(FRAME_BYTES_MAX);
  readonly #heard = new FrameDecoder(FRAME_BYTES_MAX);
  readonly #reader = new Reader();
  #state: 'new' | 'text' | 'asked' | 'open' | 'over' = 'new';
  #session = 0n;
  /** For whom it was brought here; null: for a client that came. */
  #mover: object | null = null;
  #sentMs = 0;

  constructor(inner: Socket, tap: BalancerTap) {
    super(inner);
    this.#tap = tap;
  }

  override write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#state === 'new') {
      // no connect request is longer than a word says
      if (bytes[start] !== 0) this.#state = 'text';
      else {
        this.#said.push(bytes, start, end, (frame, from, to) => {
          this.#onGreeting(this.#reader.reset(frame, from, to));
          return false;
        });
      }
    }
    return super.write(bytes, start, end);
  }

  hear(bytes: Uint8Array, start: number, end: number): void {
    if (this.#state !== 'asked' && this.#state !== 'open') return;
    this.#heard.push(bytes, start, end, (frame, from, to) => {
      const reader = this.#reader.reset(frame, from, to);
      if (this.#state === 'asked') {
        this.#state = 'open';
        const { sessionId, timeOut } = ConnectResponse.read(reader);
        this.#session = sessionId;
        // servers that do not know the extension take whoever comes
        const isTold = readAttachResponse(reader) !== null;
        if (timeOut > 0 && isTold && this.#mover !== null) {
          this.#tap.onAttached(sessionId, this.#mover, this.#sentMs);
        }
      } else if (reader.readInt() === SpecialXid.ping) this.#tap.onServerAnswersPing(this.#session);
      return true;
    });
  }

  close(): void {
    if (this.#state === 'open') this.#tap.onUpstreamGone(this.#session);
    this.#state = 'over';
  }

  override end(): void {
    this.close();
    super.end();
  }

  override destroy(): void {
    this.close();
    super.destroy();
  }

  #onGreeting(reader: Reader): void {
    this.#state = 'asked';
    const { sessionId } = ConnectRequest.read(reader);
    this.#session = sessionId;
    this.#sentMs = this.#tap.nowMs;
    if (sessionId !== 0n) this.#mover = this.#tap.onAttach(sessionId);
  }
}

class Heard implements SocketHandler {
  readonly #inner: SocketHandler;
  readonly #ears: Ears;

  constructor(inner: SocketHandler, ears: Ears) {
    this.#inner = inner;
    this.#ears = ears;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.#ears.hear(bytes, start, end);
    this.#inner.onData(bytes, start, end);
  }

  onDrain(): void {
    this.#inner.onDrain();
  }

  onClose(error: Error | null): void {
    this.#ears.close();
    this.#inner.onClose(error);
  }
}

function hex(session: bigint): string {
  return `0x${BigInt.asUintN(64, session).toString(16)}`;
}
