/**
 * Whether a client is read from: not while more of its requests wait for answers than may, in bytes, and
 * not while its class has its share of the servers and it waits for its turn.
 */
import type { Socket } from '../../ports/network.js';
import type { InFlight } from './in-flight.js';
import type { Keeping } from './keeping.js';
import { RequestShare, type Sharing } from './request-share.js';

export class Intake {
  readonly #socket: Socket;
  readonly #bytesMax: number;
  readonly #share: RequestShare | null;
  #isPaused = false;

  constructor(keeping: Keeping, socket: Socket, className: string, session: Sharing) {
    const { requestGate, settings, world } = keeping;
    this.#socket = socket;
    this.#bytesMax = settings.inFlightBytesMax;
    this.#share =
      requestGate === null ? null : new RequestShare(requestGate, className, session, world.clock);
  }

  /** What has not been sent may be, now. False: later. */
  admits(inFlight: InFlight): boolean {
    return this.#share === null || this.#share.admits(inFlight.unsentCount);
  }

  /** Something has come or gone. */
  adjust(inFlight: InFlight | null): void {
    const held = inFlight === null ? 0 : inFlight.byteLength;
    const isFull = held > (this.#isPaused ? this.#bytesMax / 2 : this.#bytesMax);
    const mustPause = isFull || this.#share?.isWaiting === true;
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#socket.pause();
    else this.#socket.resume();
  }

  onAnswers(inFlight: InFlight | null): void {
    this.#share?.settle(inFlight === null ? 0 : inFlight.sentCount);
    if (this.#isPaused) this.adjust(inFlight);
  }

  /** Nothing is under way any more. */
  onServerGone(inFlight: InFlight | null): void {
    this.#share?.release();
    if (this.#isPaused) this.adjust(inFlight);
  }

  /** The client has gone. */
  close(): void {
    this.#share?.release();
  }

  /** Whoever waits for longer goes on. */
  sweep(limitMs: number): void {
    this.#share?.letPass(limitMs);
  }
}
