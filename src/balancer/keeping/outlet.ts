/**
 * What one client is sent. What came from its server together leaves together: frames that lie side by
 * side are copied in one go, and a read event ends with one write. The buffer is borrowed from a pool
 * for the length of the event.
 */
import type { Socket } from '../../ports/network.js';
import { Writer } from '../../protocol/writer.js';

const BUFFER_BYTES = 4096;
/** Larger ones are left to the collector: they served one big answer. */
const POOLED_BYTES_MAX = 256 * 1024;
const POOLED_COUNT_MAX = 64;

export class WriterPool {
  readonly #free: Writer[] = [];

  take(): Writer {
    return this.#free.pop() ?? new Writer(BUFFER_BYTES);
  }

  give(writer: Writer): void {
    if (writer.bytes.length > POOLED_BYTES_MAX || this.#free.length >= POOLED_COUNT_MAX) return;
    writer.reset();
    this.#free.push(writer);
  }
}

export class Outlet {
  readonly #pool: WriterPool;
  readonly #socket: Socket;
  #writer: Writer | null = null;
  /** Frames that lie side by side in an array that is lent. */
  #source: Uint8Array | null = null;
  #sourceStart = 0;
  #sourceEnd = 0;
  /** What the client had not taken when that was looked at last, and since when it is no less. */
  #blockedBytes = 0;
  #blockedSinceMs = 0;

  constructor(pool: WriterPool, socket: Socket) {
    this.#pool = pool;
    this.#socket = socket;
  }

  /** bytes[start, end) is lent until `flush`, or until `begin`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#source || start !== this.#sourceEnd) {
      if (this.#source !== null) this.#seal();
      this.#source = bytes;
      this.#sourceStart = start;
    }
    this.#sourceEnd = end;
  }

  /** To write to, behind what was added. */
  begin(): Writer {
    if (this.#source !== null) this.#seal();
    this.#writer ??= this.#pool.take();
    return this.#writer;
  }

  /** Bytes that left. */
  flush(): number {
    if (this.#source !== null) this.#seal();
    const writer = this.#writer;
    if (writer === null) return 0;
    this.#writer = null;
    const { pos } = writer;
    if (this.#socket.write(writer.bytes, 0, pos)) this.#pool.give(writer);
    return pos;
  }

  /** Asked every so often: so long the client has taken nothing of what it is sent. */
  blockedMs(nowMs: number): number {
    const { pendingBytes } = this.#socket;
    const isLess = pendingBytes === 0 || pendingBytes < this.#blockedBytes;
    if (isLess || this.#blockedBytes === 0) this.#blockedSinceMs = nowMs;
    this.#blockedBytes = pendingBytes;
    return nowMs - this.#blockedSinceMs;
  }

  #seal(): void {
    const source = this.#source!;
    this.#source = null;
    this.#writer ??= this.#pool.take();
    this.#writer.writeBytes(source, this.#sourceStart, this.#sourceEnd);
    this.#sourceEnd = 0;
  }
}
