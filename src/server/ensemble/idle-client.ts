/**
 * A client that comes while this server has no role. Whoever asks with a four-letter word is answered
 * what can be said now; anybody else is sent away, to another server or to come again.
 */
import type { Clock } from '../../ports/clock.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { fourLetterWordOf, type FourLetterWord } from '../commands/four-letter-words.js';

const WORD_BYTES = 4;
/** `stmk` is followed by a number. */
const ARGUMENT_BYTES = 8;

/** What is said to whoever asks. */
type Answer = (word: FourLetterWord, argument: bigint | null) => string | Iterable<string>;

/** All of them; none stays longer than connections without a session may. */
export class IdleClients {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #told: { readonly answer: Answer; onGone(): void };
  readonly #sockets = new Set<Socket>();
  #isClosed = false;

  constructor(clock: Clock, timeoutMs: number, told: { readonly answer: Answer; onGone(): void }) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#told = told;
  }

  accept(socket: Socket): SocketHandler {
    if (this.#isClosed) socket.destroy();
    else this.#sockets.add(socket);
    const timer = this.#clock.after(this.#timeoutMs, () => {
      socket.destroy();
    });
    return new IdleClient(socket, this.#told.answer, () => {
      timer.cancel();
      this.#told.onGone();
      this.#sockets.delete(socket);
    });
  }

  /** All are sent away, and whoever comes from now on. */
  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

export class IdleClient implements SocketHandler {
  readonly #socket: Socket;
  readonly #answer: Answer;
  readonly #onGone: () => void;
  readonly #first = new Uint8Array(WORD_BYTES + ARGUMENT_BYTES);
  #count = 0;
  #isAnswered = false;

  constructor(socket: Socket, answer: Answer, onGone: () => void) {
    this.#socket = socket;
    this.#answer = answer;
    this.#onGone = onGone;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isAnswered) return;
    for (let at = start; at < end && this.#count < this.#first.length; at++) {
      this.#first[this.#count++] = bytes[at] ?? 0;
    }
    if (this.#count < WORD_BYTES) return;
    const view = new DataView(this.#first.buffer);
    const word = fourLetterWordOf(view.getUint32(0));
    if (word === null) {
      this.#isAnswered = true;
      this.#socket.destroy();
      return;
    }
    if (word === 'stmk' && this.#count < this.#first.length) return;
    this.#isAnswered = true;
    const answer = this.#answer(word, word === 'stmk' ? view.getBigInt64(WORD_BYTES) : null);
    const whole = typeof answer === 'string' ? answer : [...answer].join('');
    const text = new TextEncoder().encode(whole);
    this.#socket.write(text, 0, text.length);
    this.#socket.end();
  }

  onDrain(): void {
    // one short answer is all there is
  }

  onClose(): void {
    this.#onGone();
  }
}
