/**
 * Listens to a simulated balancer, between the process and its kernel, on both sides: what it says to
 * clients on its own account and where it brings their sessions. From outside, so that nothing of the
 * balancer's own notes is believed.
 *
 * - A ping that no server has answered is answered by the balancer only while the session cannot have
 *   ended: within two thirds of its timeout after a server read something of it.
 * - A session is brought to a server only for a client that was heard within a third of its timeout (one
 *   that comes: of what it asks for, or a second): nobody but the client keeps its session alive.
 * - No session is brought anywhere for a connection of its client that a later one has replaced, as
 *   long as one leader knows of both, and the servers know the extension.
 *
 * Where watches are set again by a balancer's own doing, what they may have missed is noted for the
 * judgement of what the client was told (../lapse-check.ts).
 */
import type { Network, Socket, SocketHandler } from '../../ports/network.js';
import { readAttachResponse } from '../../protocol/continuation.js';
import { FrameDecoder } from '../../protocol/frame.js';
import { Reader } from '../../protocol/reader.js';
import { OpCode } from '../../protocol/opcodes.js';
import {
  ConnectRequest,
  ConnectResponse,
  RequestHeader,
  SetWatches,
} from '../../protocol/records.js';
import { SpecialXid } from '../../protocol/xid.js';
import type { Timeline } from '../clock.js';
import { ForwardingSocket } from '../forwarding.js';
import type { Lapse } from '../history.js';
import { SimSocket } from '../network.js';

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
  /** Of a client's connection; null: the balancer sets no watches. */
  readonly onLapse: ((connection: number, lapse: Lapse) => void) | null;
  readonly fail: (invariant: string, message: string) => void;
}

const FRAME_BYTES_MAX = 64 * 1024 * 1024;
/** Of clocks that are read at different moments of one turn. */
const SLACK_MS = 5;
const COMING_MS_MIN = 1000;
const REQUEST_HEADER_BYTES = 8;

export class BalancerTap {
  readonly #parts: BalancerTapParts;
  /** By session, the client's present connection. */
  readonly #downstreams = new Map<bigint, Downstream>();
  /** Sessions whose present client was given a generation. */
  readonly #fenced = new Set<bigint>();
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

  /** The process is another one: nobody has come to it yet. */
  begin(): void {
    this.#downstreams.clear();
    this.#coming.clear();
    this.#fenced.clear();
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

  /** Requests are looked at, not only greetings. */
  get isCurious(): boolean {
    return this.#parts.onLapse !== null;
  }

  onLapse(downstream: Downstream, asked: SetWatches): Lapse {
    const lapse = { from: downstream.frameCount, asked, told: 0, until: null };
    this.#parts.onLapse?.(downstream.connection, lapse);
    return lapse;
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
  onAttach(session: bigint): Downstream | null {
    const coming = [...this.#coming].filter((one) => one.session === session);
    const downstream = this.#downstreams.get(session);
    const present = downstream === undefined || downstream.isGone ? [] : [downstream];
    this.#checkHeard(session, [...coming, ...present]);
    if (coming.length > 0 || downstream === undefined || downstream.isGone) return null;
    this.moves++;
    return downstream;
  }

  /** Of these connections of its client. */
  #checkHeard(session: bigint, downstreams: readonly Downstream[]): void {
    const isHeard = ({ heardMs, patienceMs }: Downstream): boolean => {
      return this.nowMs - heardMs <= patienceMs + SLACK_MS;
    };
    if (downstreams.length === 0 || downstreams.some(isHeard)) return;
    const { fail, name } = this.#parts;
    const silentMs = Math.min(...downstreams.map(({ heardMs }) => this.nowMs - heardMs));
    const whose = `${name} brings session ${hex(session)} to a server, whose client was not heard`;
    const [{ patienceMs } = { patienceMs: 0 }] = downstreams;
    fail('B3', `${whose} for ${Math.round(silentMs)} ms, of ${Math.round(patienceMs)}`);
  }

  /** A server took the session, as it was asked to at `sentMs`. `isTold`: it knows the extension. */
  onAttached(session: bigint, mover: Downstream | null, sentMs: number, isTold: boolean): void {
    // servers that do not know it take whoever comes, and who has been at no other has nothing to show
    const isFenced = isTold && this.#fenced.has(session);
    if (isTold) this.#fenced.add(session);
    else if (mover === null) this.#fenced.delete(session);
    if (mover === null || !isFenced) return;
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
  /** As it was granted; 0: it has not been. */
  timeoutMs = 0;
  #askedMs = 0;
  heardMs: number;
  isGone = false;
  /** Pings that a server has answered, and that are to be passed on. */
  pingsServed = 0;
  /** The network's number for it. */
  readonly connection: number;
  /** That have been sent to the client since it was welcomed. */
  frameCount = 0;
  /** The client's own requests to set its watches that have no answer. */
  readonly #settings: Uint8Array[] = [];

  constructor(inner: Socket, tap: BalancerTap, nowMs: number) {
    super(inner);
    this.connection = inner instanceof SimSocket ? inner.id : 0;
    this.#tap = tap;
    this.heardMs = nowMs;
  }

  hear(bytes: Uint8Array, start: number, end: number): void {
    this.heardMs = this.#tap.nowMs;
    if (this.#hasGreeted && !this.#tap.isCurious) return;
    this.#greeting.push(bytes, start, end, (frame, from, to) => {
      if (this.#hasGreeted) {
        if (isSetting(frame, from, to)) this.#settings.push(frame.slice(from, to));
        return true;
      }
      this.#hasGreeted = true;
      const { sessionId, timeOut } = ConnectRequest.read(this.#reader.reset(frame, from, to));
      this.session = sessionId;
      this.#askedMs = timeOut;
      this.#tap.onComing(this);
      return this.#tap.isCurious;
    });
  }

  /** What the client itself has asked for, word for word. */
  hasAskedFor(bytes: Uint8Array, start: number, end: number): boolean {
    const [oldest] = this.#settings;
    return oldest?.length === end - start && oldest.every((byte, i) => byte === bytes[start + i]);
  }

  /** So long it may be silent before anybody has to think that it is gone. */
  get patienceMs(): number {
    return this.#isWelcomed ? this.timeoutMs / 3 : Math.max(COMING_MS_MIN, this.#askedMs / 3);
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
      this.frameCount++;
      const xid = reader.readInt();
      if (xid === SpecialXid.ping) this.#tap.onPingAnswered(this);
      else if (xid === SpecialXid.setWatches) this.#settings.shift();
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
  #mover: Downstream | null = null;
  #sentMs = 0;
  /** Its watches are being set by the balancer. */
  #lapse: Lapse | null = null;

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
    } else if (this.#mover !== null && this.#tap.isCurious) {
      this.#said.push(bytes, start, end, (frame, from, to) => {
        this.#onRequest(frame, from, to);
        return true;
      });
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
        const isTold = readAttachResponse(reader) !== null;
        if (timeOut > 0) this.#tap.onAttached(sessionId, this.#mover, this.#sentMs, isTold);
        return true;
      }
      const xid = reader.readInt();
      if (xid === SpecialXid.ping) this.#tap.onServerAnswersPing(this.#session);
      else if (this.#lapse !== null) this.#onLapsing(this.#lapse, xid, reader.readLong());
      return true;
    });
  }

  #onRequest(bytes: Uint8Array, start: number, end: number): void {
    const mover = this.#mover;
    if (mover === null || !isSetting(bytes, start, end)) return;
    if (mover.hasAskedFor(bytes, start, end)) return;
    const reader = this.#reader.reset(bytes, start, end);
    RequestHeader.read(reader);
    this.#lapse = this.#tap.onLapse(mover, SetWatches.read(reader));
  }

  #onLapsing(lapse: Lapse, xid: number, zxid: bigint): void {
    if (xid === SpecialXid.notification && zxid === -1n) lapse.told++;
    else if (xid === SpecialXid.setWatches) {
      lapse.until = zxid;
      this.#lapse = null;
    }
  }

  close(): void {
    if (this.#state === 'open') this.#tap.onUpstreamGone(this.#session);
    this.#state = 'over';
    this.#lapse = null;
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

/** bytes[start, end): a request. */
function isSetting(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < REQUEST_HEADER_BYTES) return false;
  const { xid, type } = RequestHeader.read(new Reader().reset(bytes, start, end));
  return xid === SpecialXid.setWatches && type === OpCode.setWatches;
}

function hex(session: bigint): string {
  return `0x${BigInt.asUintN(64, session).toString(16)}`;
}
