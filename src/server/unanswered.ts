/**
 * The requests of one connection that have no answer yet, oldest first, and what they count for at
 * the server: parked frames, bytes of large requests. What is to happen with the oldest is for the
 * connection to decide.
 *
 * A *barrier* is one behind which writes are not even submitted before it is answered: a sync, since
 * what is asked after it happens after it; the handshake of whoever goes on for a session's client,
 * since it may come too late and be refused. What waits to be submitted is a barrier to the rest.
 */
import { Ring } from '../base/ring.js';
import { OpCode } from '../protocol/opcodes.js';
import type { ClientPort } from './client-port.js';
import type { ParkedFrame, PendingWrite, Unanswered } from './pending.js';

/** One connection may have so many: the chunk that crossed the limit is still kept. */
const UNANSWERED_MAX = 1 << 20;

export class UnansweredRequests {
  readonly #port: ClientPort;
  readonly #entries = new Ring<Unanswered>(UNANSWERED_MAX);
  #barriers = 0;

  constructor(port: ClientPort) {
    this.#port = port;
  }

  get size(): number {
    return this.#entries.size;
  }

  peek(): Unanswered | undefined {
    return this.#entries.peek();
  }

  /** The reply to the connect request is still to come. */
  get isHandshaking(): boolean {
    const head = this.#entries.peek();
    return head?.kind === 'write' && head.op === OpCode.createSession;
  }

  /** Whether a request that is submitted must wait with that. */
  mustHold(op: number): boolean {
    if (this.#barriers === 0) return false;
    // a sync changes nothing, whoever asks for it
    return op !== OpCode.sync || this.#barriers > 1 || !this.isHandshaking;
  }

  push(pending: PendingWrite): void {
    if (pending.isBarrier) this.#barriers++;
    this.#entries.push(pending);
  }

  park(frame: ParkedFrame): void {
    if (frame.isHeld) this.#barriers++;
    this.#port.parkedCount++;
    this.#entries.push(frame);
  }

  /** The oldest, a frame that was held, is submitted now, or else answered at once. */
  letGo(): void {
    this.#barriers--;
  }

  /** It was submitted, and is waited for in its place. */
  replaceFrame(pending: PendingWrite): void {
    this.#port.parkedCount--;
    if (pending.isBarrier) this.#barriers++;
    this.#entries.replaceOldest(pending);
  }

  /** The oldest has its answer, or is about to. */
  shift(): void {
    const entry = this.#entries.shift();
    if (entry === undefined) return;
    if (entry.kind === 'frame') this.#port.parkedCount--;
    else if (entry.isBarrier) this.#barriers--;
    this.#port.admission.release(entry.weight);
  }

  /** Nobody waits for answers any more; transactions go on. */
  clear(): void {
    for (;;) {
      const entry = this.#entries.peek();
      if (entry === undefined) break;
      if (entry.kind === 'write') entry.connection = null;
      this.shift();
    }
    this.#barriers = 0;
  }
}
