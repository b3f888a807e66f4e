/**
 * A learner that has come before this server knows whether it leads: what it says, which is who it is,
 * is kept until then.
 */
import type { Socket, SocketHandler } from '../../ports/network.js';

/** A learner says who it is and waits. */
const KEPT_BYTES_MAX = 4096;

export class EarlyLink implements SocketHandler {
  readonly socket: Socket;
  readonly #onGone: () => void;
  readonly #kept: Uint8Array[] = [];
  #next: SocketHandler | null = null;
  #keptBytes = 0;

  constructor(socket: Socket, onGone: () => void) {
    this.socket = socket;
    this.#onGone = onGone;
  }

  handOver(next: SocketHandler): void {
    this.#next = next;
    for (const bytes of this.#kept) next.onData(bytes, 0, bytes.length);
    this.#kept.length = 0;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#next !== null) {
      this.#next.onData(bytes, start, end);
      return;
    }
    this.#keptBytes += end - start;
    // whoever says more is no learner
    if (this.#keptBytes > KEPT_BYTES_MAX) this.socket.destroy();
    else this.#kept.push(bytes.slice(start, end));
  }

  onDrain(): void {
    this.#next?.onDrain();
  }

  onClose(error: Error | null): void {
    if (this.#next === null) this.#onGone();
    else this.#next.onClose(error);
  }
}
