/**
 * How a client has shown who it is, so that another server can be shown the same. Packets that its
 * server accepted are kept as they came. A login by SASL is a conversation that belongs to its
 * connection and cannot be held again without the client.
 */
import { decodeUtf8 } from '../../protocol/utf8.js';
import { int32At } from './request-facts.js';

/** What a client keeps saying is its affair, within bounds. */
const BYTES_MAX = 64 * 1024;
/** Length, xid, op, type; then the scheme. */
const SCHEME_AT = 16;

export class Credentials {
  readonly frames: Uint8Array[] = [];
  readonly schemes: string[] = [];
  #bytes = 0;
  #obstacle: string | null = null;

  /** Why they cannot be shown to another server; null: they can. */
  get obstacle(): string | null {
    return this.#obstacle;
  }

  /** An auth packet with its length, which is kept. */
  add(frame: Uint8Array): void {
    if (this.frames.some((known) => isEqual(known, frame))) return;
    if (this.#bytes + frame.length > BYTES_MAX) {
      this.#obstacle = 'it has shown too many credentials';
      return;
    }
    this.#bytes += frame.length;
    this.frames.push(frame);
    const length = frame.length < SCHEME_AT + 4 ? 0 : int32At(frame, SCHEME_AT);
    const start = SCHEME_AT + 4;
    if (length > 0 && start + length <= frame.length) {
      this.schemes.push(decodeUtf8(frame, start, start + length));
    }
  }

  noteSasl(): void {
    if (!this.schemes.includes('sasl')) this.schemes.push('sasl');
    this.#obstacle = 'it logs in by SASL';
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
