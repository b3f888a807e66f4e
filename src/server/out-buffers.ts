/**
 * Replies are encoded where they are sent from: each connection that answers in a turn borrows one
 * growing buffer, all its replies and events of that turn go into it back to back, and it leaves
 * with one write. Buffers come from a pool, because at any time only the connections answering in
 * this very turn need one; a buffer that the kernel did not take whole stays with the socket and is
 * not pooled again.
 */
import { Writer } from '../protocol/writer.js';

/** Enough for a typical pipelined turn; larger ones grow. */
const BUFFER_BYTES = 4096;
/** Larger buffers go back to the garbage collector: they served one big reply. */
const POOLED_BYTES_MAX = 256 * 1024;
const POOLED_COUNT_MAX = 512;

export class OutBuffers {
  readonly #free: Writer[] = [];

  take(): Writer {
    return this.#free.pop() ?? new Writer(BUFFER_BYTES);
  }

  give(buffer: Writer): void {
    if (buffer.bytes.length > POOLED_BYTES_MAX || this.#free.length >= POOLED_COUNT_MAX) return;
    buffer.reset();
    this.#free.push(buffer);
  }
}
