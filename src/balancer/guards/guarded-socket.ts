/**
 * Between a client's socket and its session, where guards ask for it: what leaves for the client is
 * looked at by whoever counts its watches, and a client that is over its rate is held up. Its requests
 * are then handed over one by one, and nothing is read from it while it waits, so that it is the client
 * that notices and not the balancer's memory. Others are handed over as they came.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { frameLengthBytes } from '../../protocol/limits.js';
import type { Guarded } from './guarded.js';

const nothing = new Uint8Array(0);
/** What is read so soon after a pause had come during the pause. */
const FRESH_AFTER_MS = 20;

export class GuardedSocket implements Socket, SocketHandler {
  readonly #socket: Socket;
  readonly #guarded: Guarded;
  readonly #clock: Clock;
  readonly #paces: boolean;
  #handler: SocketHandler | null = null;
  /** Came while it had to wait. */
  #held: Uint8Array = nothing;
  #timer: Timer | null = null;
  #isPausedByOwner = false;
  #isOver = false;
  /** When what is being handed over came. */
  #cameMs = 0;
  #pausedMs = 0;
  #resumedMs = -Infinity;
  /** Of the frame that is being handed over: bytes to come, and the part of its length that is known. */
  #left = 0;
  #lengthBytes = 0;
  #length = 0;

  /** `paces` false: nothing is ever held up. */
  constructor(socket: Socket, guarded: Guarded, clock: Clock, paces: boolean) {
    this.#socket = socket;
    this.#guarded = guarded;
    this.#clock = clock;
    this.#paces = paces;
  }

  /** Where from now on everything goes that comes. */
  serve(handler: SocketHandler): this {
    this.#handler = handler;
    return this;
  }

  // ------------------------------------------------------------------ as a socket

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number {
    return this.#socket.remotePort;
  }

  get localAddress(): string {
    return this.#socket.localAddress;
  }

  get localPort(): number {
    return this.#socket.localPort;
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    this.#guarded.meter?.onOutput(bytes, start, end);
    return this.#socket.write(bytes, start, end);
  }

  pause(): void {
    this.#isPausedByOwner = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPausedByOwner = false;
    this.#readOn();
  }

  end(): void {
    this.#finish();
    this.#socket.end();
  }

  destroy(): void {
    this.#finish();
    this.#socket.destroy();
  }

  // ------------------------------------------------------------------ as a handler

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#paces) {
      this.#handler?.onData(bytes, start, end);
      return;
    }
    if (this.#isOver) return;
    if (this.#timer !== null) {
      this.#hold(bytes, start, end);
      this.#socket.pause();
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    // it may have waited since the pause began, and is taken to have
    const isFresh = nowMs > this.#resumedMs + FRESH_AFTER_MS;
    this.#cameMs = isFresh ? nowMs : this.#pausedMs;
    this.#handOver(bytes, start, end);
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  onClose(error: Error | null): void {
    this.#finish();
    this.#handler?.onClose(error);
  }

  // ------------------------------------------------------------------ parts

  /** Frame by frame, until one has to wait. */
  #handOver(bytes: Uint8Array, start: number, end: number): void {
    let from = start;
    while (from < end && !this.#isOver) {
      const to = this.#frameEnd(bytes, from, end);
      this.#guarded.waitedMs = this.#clock.monotonicMs() - this.#cameMs;
      this.#handler?.onData(bytes, from, to);
      from = to;
      const waitMs = this.#guarded.heldUntilMs - this.#clock.monotonicMs();
      if (waitMs > 0) {
        this.#hold(bytes, from, end);
        this.#wait(waitMs);
        return;
      }
    }
  }

  /** Where the frame ends that goes on at `from`, or what there is of it. */
  #frameEnd(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (this.#left === 0 && at < end) {
      this.#length = ((this.#length << 8) | (bytes[at++] ?? 0)) >>> 0;
      if (++this.#lengthBytes < frameLengthBytes) continue;
      this.#lengthBytes = 0;
      this.#left = this.#length;
      this.#length = 0;
      if (this.#left === 0) return at;
    }
    const taken = Math.min(this.#left, end - at);
    this.#left -= taken;
    return at + taken;
  }

  #wait(waitMs: number): void {
    if (this.#isOver) return;
    this.#pausedMs = this.#clock.monotonicMs();
    this.#socket.pause();
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = null;
      const held = this.#held;
      this.#held = nothing;
      this.#resumedMs = this.#clock.monotonicMs();
      this.#handOver(held, 0, held.length);
      this.#readOn();
    });
  }

  #readOn(): void {
    const mayRead = this.#timer === null && !this.#isPausedByOwner;
    if (mayRead && !this.#isOver) this.#socket.resume();
  }

  /** Lent bytes are copied. */
  #hold(bytes: Uint8Array, start: number, end: number): void {
    const joined = new Uint8Array(this.#held.length + end - start);
    joined.set(this.#held);
    joined.set(bytes.subarray(start, end), this.#held.length);
    this.#held = joined;
  }

  #finish(): void {
    this.#isOver = true;
    this.#held = nothing;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
