/**
 * Whom the auth packets of one connection name. A name counts when the server has accepted it, so those
 * without an answer are remembered in their order.
 */
import { int32At } from '../keeping/request-facts.js';

const CLAIMS_MAX = 64;
/** Header, type, then scheme and proof, each behind its length. */
const AUTH_BODY_AT = 12;

export class IdentityClaims {
  readonly #claims: string[] = [];

  /** bytes[start, end) is an auth packet with its header. */
  note(bytes: Uint8Array, start: number, end: number): void {
    // each is answered, so each has its place
    this.#claims.push(this.#claims.length < CLAIMS_MAX ? claimIn(bytes, start, end) : '');
  }

  /** The oldest without an answer has one: "digest:bob"; empty: it named nobody. */
  answered(): string {
    return this.#claims.shift() ?? '';
  }
}

function claimIn(bytes: Uint8Array, start: number, end: number): string {
  const scheme = textAt(bytes, start + AUTH_BODY_AT, end);
  const proof = textAt(bytes, start + AUTH_BODY_AT + 4 + (scheme?.length ?? 0), end);
  if (scheme === null || proof === null) return '';
  // of a name and a password the name alone
  const [name = ''] = scheme === 'digest' ? proof.split(':', 1) : [proof];
  return `${scheme}:${name}`;
}

/** By bytes: a name is a key here, not to be shown. */
function textAt(bytes: Uint8Array, at: number, end: number): string | null {
  if (at + 4 > end) return null;
  const length = int32At(bytes, at);
  if (length < 0 || length > end - at - 4) return null;
  let text = '';
  for (let i = at + 4; i < at + 4 + length; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
