/** A client that comes while this server has no role: it is told so, or sent to another. */
import type { Socket, SocketHandler } from '../../ports/network.js';
import { fourLetterWordOf } from '../commands/four-letter-words.js';

const notServing = new TextEncoder().encode(
  'This ZooKeeper instance is not currently serving requests\n',
);

export class IdleClient implements SocketHandler {
  readonly #socket: Socket;
  readonly #answerRuok: () => string | null;
  readonly #onGone: () => void;
  #first = 0;
  #count = 0;

  constructor(socket: Socket, answerRuok: () => string | null, onGone: () => void) {
    this.#socket = socket;
    this.#answerRuok = answerRuok;
    this.#onGone = onGone;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end && this.#count < 4; at++, this.#count++) {
      this.#first = ((this.#first << 8) | (bytes[at] ?? 0)) >>> 0;
    }
    if (this.#count < 4) return;
    const word = fourLetterWordOf(this.#first);
    if (word === null) {
      this.#socket.destroy();
      return;
    }
    const alive = word === 'ruok' ? this.#answerRuok() : null;
    const answer = alive === null ? notServing : new TextEncoder().encode(alive);
    this.#socket.write(answer, 0, answer.length);
    this.#socket.end();
  }

  onDrain(): void {
    // one short answer is all there is
  }

  onClose(): void {
    this.#onGone();
  }
}
