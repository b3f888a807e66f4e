/**
 * A connection by TLS as the port that everybody else knows. What is written is copied: it is encrypted
 * into other buffers anyway, and takes longer to leave than a turn.
 */
import type { TLSSocket } from 'node:tls';
import type { Socket, SocketHandler } from '../ports/network.js';
import { plainAddress } from './network.js';

/** More than this waiting to leave holds up who writes. */
const PENDING_BYTES_MAX = 64 * 1024;

export class EncryptedSocket implements Socket {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: { readonly subject: string | null };
  readonly #socket: TLSSocket;
  #handler: SocketHandler | null = null;
  #isClosed = false;
  #error: Error | null = null;

  /** `described`: an error as who is told of it understands it. */
  constructor(
    socket: TLSSocket,
    subject: string | null,
    described: (error: Error) => Error = (error) => error,
  ) {
    this.#socket = socket;
    this.tls = { subject };
    this.remoteAddress = plainAddress(socket.remoteAddress ?? '');
    this.remotePort = socket.remotePort ?? 0;
    this.localAddress = plainAddress(socket.localAddress ?? '');
    this.localPort = socket.localPort ?? 0;
    socket.setNoDelay(true);
    socket.on('error', (error: Error) => {
      this.#error = described(error);
    });
    // the peer has finished: nobody would read our answers
    socket.on('end', () => socket.destroySoon());
    socket.on('close', () => {
      this.#isClosed = true;
      this.#handler?.onClose(this.#error);
    });
  }

  /** From here on its bytes go to this handler. */
  serve(handler: SocketHandler): void {
    this.#handler = handler;
    this.#socket.on('data', (chunk: Buffer) => {
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
      handler.onData(bytes, 0, bytes.length);
    });
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#isClosed || this.#socket.destroyed || !this.#socket.writable) return true;
    this.#socket.write(Buffer.from(bytes.subarray(start, end)), this.#onWritten);
    return this.#socket.writableLength <= PENDING_BYTES_MAX;
  }

  readonly #onWritten = (): void => {
    if (!this.#isClosed && this.#socket.writableLength === 0) this.#handler?.onDrain();
  };

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#isClosed) return;
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
