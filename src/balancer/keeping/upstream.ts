/**
 * One connection to a server. It belongs to whoever brings a session there, and then to the session;
 * once it is left, nothing that still comes on it is looked at.
 */
import type { Clock } from '../../ports/clock.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { FrameSplitter, type FrameSink } from './frames.js';
import type { Backend } from './keeping-types.js';

export interface UpstreamOwner {
  /** bytes[start, end) is a frame with its length, lent until `onUpstreamRead`. */
  onUpstreamFrame(bytes: Uint8Array, start: number, end: number): void;
  /** All frames of this read event have been told. */
  onUpstreamRead(upstream: Upstream): void;
  onUpstreamDrain(upstream: Upstream): void;
  /** Last of all; never after `leave`. */
  onUpstreamClosed(upstream: Upstream, error: Error): void;
}

export class Upstream implements SocketHandler, FrameSink {
  readonly backend: Backend;
  readonly socket: Socket;
  readonly #clock: Clock;
  readonly #splitter: FrameSplitter;
  owner: UpstreamOwner | null;
  /** When something came last; before that, when it was connected. */
  heardMs: number;
  /** When the session had been brought here. */
  openedMs: number;
  /** The server has granted the extension, and the session with it. */
  isZabra = false;
  /** The session is known to this server alone. */
  isLocal = false;
  /** The socket has not taken everything: it drains first. */
  isCongested = false;
  #isPaused = false;

  constructor(
    backend: Backend,
    socket: Socket,
    clock: Clock,
    replyBytesMax: number,
    owner: UpstreamOwner | null,
  ) {
    this.backend = backend;
    this.socket = socket;
    this.#clock = clock;
    this.#splitter = new FrameSplitter(replyBytesMax);
    this.owner = owner;
    this.heardMs = clock.monotonicMs();
    this.openedMs = this.heardMs;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  /** Its silence so far was our doing. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.excuse();
    this.socket.resume();
  }

  /** It was silent because nothing was asked of it, or listened to. */
  excuse(): void {
    this.heardMs = this.#clock.monotonicMs();
  }

  /** Whatever was handed over still leaves; nothing more is heard of it. */
  leave(): void {
    this.owner = null;
    this.socket.end();
  }

  /** At once. */
  destroy(): void {
    this.owner = null;
    this.socket.destroy();
  }

  /** It is of no use any more, and its owner is told so. */
  fail(error: Error): void {
    const { owner } = this;
    this.destroy();
    owner?.onUpstreamClosed(this, error);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.owner === null) return;
    this.heardMs = this.#clock.monotonicMs();
    const status = this.#splitter.push(bytes, start, end, this);
    this.#onRead();
    // what came before the nonsense was passed on all the same
    if (status !== 'ok') this.fail(new Error(`${this.backend.id} sent what is no frame`));
  }

  #onRead(): void {
    this.owner?.onUpstreamRead(this);
  }

  onFrame(bytes: Uint8Array, start: number, end: number): boolean {
    this.owner?.onUpstreamFrame(bytes, start, end);
    // it may have been left, or have got another owner
    return this.owner !== null;
  }

  onDrain(): void {
    this.isCongested = false;
    this.owner?.onUpstreamDrain(this);
  }

  onClose(error: Error | null): void {
    const { owner } = this;
    this.owner = null;
    owner?.onUpstreamClosed(this, error ?? new Error(`${this.backend.id} closed the connection`));
  }
}
