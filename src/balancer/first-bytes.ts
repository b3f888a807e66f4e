/**
 * The first four bytes of a connection: a four-letter word, which the balancer answers for itself, or
 * the length of a client's connect request, and from then on every byte belongs to the session.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { fourLetterWordBytes } from '../protocol/limits.js';
import type { AttachTicket } from './guards/attach-ticket.js';
import type { GuardedConnection } from './guards/guards.js';
import { balancerWordOf, type BalancerWord } from './telling/words.js';

/** One for all connections of a listener: each of them costs memory as long as its session. */
export interface FirstBytesHost {
  readonly clock: Clock;
  readonly timeoutMs: number;
  answer(word: BalancerWord): string;
  /** From here on the connection is a session's. */
  open(socket: Socket, arrival: Arrival): SocketHandler;
  /** Of the connect request, where it came whole. */
  onConnect(isReadOnly: boolean, bytesLength: number): void;
  /** Last of all. */
  closed(socket: Socket, arrival: Arrival): void;
}

/** What is known of a client before its session is. */
export interface Arrival {
  readonly guarded: GuardedConnection;
  readonly ticket: Pick<AttachTicket, 'enter' | 'settle'>;
  readonly place: { readonly zone: string | null; readonly class: string };
}

const nothing = new Uint8Array(0);
const noNumbers: number[] = [];

/** Of the connect request with its length: where `readOnly` stands when the password has 16 bytes. */
const READ_ONLY_AT = 48;

export class FirstBytes implements SocketHandler {
  readonly #socket: Socket;
  readonly #host: FirstBytesHost;
  readonly #arrival: Arrival;
  #timer: Timer | null;
  /** The first four bytes, as far as they have come. */
  #first: number[] = [];
  #phase: 'first' | 'queued' | 'open' | 'over' = 'first';
  /** What came before it was a session's. */
  #held: Uint8Array = nothing;
  #handler: SocketHandler | null = null;

  constructor(socket: Socket, host: FirstBytesHost, arrival: Arrival) {
    this.#socket = socket;
    this.#host = host;
    this.#arrival = arrival;
    this.#timer = host.clock.after(host.timeoutMs, () => socket.destroy());
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#handler !== null) this.#handler.onData(bytes, start, end);
    else if (this.#phase === 'first') this.#onFirst(bytes, start, end);
    else if (this.#phase === 'queued') this.#hold(bytes, start, end);
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  onClose(error: Error | null): void {
    this.#forgetTimer();
    this.#phase = 'over';
    this.#handler?.onClose(error);
    this.#host.closed(this.#socket, this.#arrival);
  }

  #onFirst(bytes: Uint8Array, start: number, end: number): void {
    const first = this.#first;
    let at = start;
    while (at < end && first.length < fourLetterWordBytes) first.push(bytes[at++] ?? 0);
    if (first.length < fourLetterWordBytes) return;
    const [a = 0, b = 0, c = 0, d = 0] = first;
    const word = balancerWordOf(((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
    if (word !== null) {
      this.#phase = 'over';
      this.#answer(word);
      return;
    }
    const isWhole = at - start === fourLetterWordBytes;
    const length = (c << 8) | d;
    const isReadOnly = isWhole && end - start > READ_ONLY_AT && bytes[start + READ_ONLY_AT] === 1;
    this.#host.onConnect(isReadOnly && length > READ_ONLY_AT - fourLetterWordBytes, length);
    if (!isWhole) this.#hold(Uint8Array.from(first), 0, fourLetterWordBytes);
    this.#enter(bytes, isWhole ? start : at, end);
  }

  #enter(bytes: Uint8Array, start: number, end: number): void {
    switch (this.#arrival.ticket.enter(() => this.#goOn())) {
      case 'admitted':
        this.#open(bytes, start, end);
        return;
      case 'queued':
        this.#phase = 'queued';
        this.#hold(bytes, start, end);
        this.#socket.pause();
        return;
      case 'refused':
        this.#phase = 'over';
        this.#socket.destroy();
    }
  }

  #goOn(): void {
    if (this.#phase !== 'queued') return;
    this.#open(nothing, 0, 0);
    this.#socket.resume();
  }

  #open(bytes: Uint8Array, start: number, end: number): void {
    this.#phase = 'open';
    this.#forgetTimer();
    this.#first = noNumbers;
    const handler = this.#host.open(this.#socket, this.#arrival);
    this.#handler = handler;
    if (this.#held.length === 0) handler.onData(bytes, start, end);
    else {
      this.#hold(bytes, start, end);
      const held = this.#held;
      this.#held = nothing;
      handler.onData(held, 0, held.length);
    }
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    const joined = new Uint8Array(this.#held.length + end - start);
    joined.set(this.#held);
    joined.set(bytes.subarray(start, end), this.#held.length);
    this.#held = joined;
  }

  /** Who does not read its answer is gone when the time for the first bytes is. */
  #answer(word: BalancerWord): void {
    const answer = new TextEncoder().encode(this.#host.answer(word));
    this.#socket.write(answer, 0, answer.length);
    this.#socket.end();
  }

  #forgetTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
