/**
 * A learner that has come before this server knows whether it leads: what it says, which is who it is,
 * is kept until then.
 */
import type { Socket, SocketHandler } from '../../ports/network.js';

/** Connections that came before this server knew that it leads. */
const EARLY_MAX = 64;

/** A learner says who it is and waits. */
const KEPT_BYTES_MAX = 4096;

/** All of them, until a role is entered. */
export class EarlyLinks {
  readonly #links = new Set<EarlyLink>();
  #isClosed = false;

  /** A learner has come, and there is no role. */
  accept(socket: Socket): SocketHandler {
    const link = new EarlyLink(socket, () => this.#links.delete(link));
    if (this.#isClosed || this.#links.size >= EARLY_MAX) socket.destroy();
    else this.#links.add(link);
    return link;
  }

  /** A learner has come whom this server has nothing to tell any more. */
  refuse(socket: Socket): SocketHandler {
    socket.destroy();
    return new EarlyLink(socket, () => undefined);
  }

  /** There is a role now, which takes them, or turns them away. */
  handOver(accept: (socket: Socket) => SocketHandler): void {
    for (const link of [...this.#links]) link.handOver(accept(link.socket));
    this.#links.clear();
  }

  /** All are turned away, and whoever comes from now on. */
  close(): void {
    this.#isClosed = true;
    for (const { socket } of this.#links) socket.destroy();
  }
}

class EarlyLink implements SocketHandler {
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
