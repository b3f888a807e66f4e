/**
 * Who a client is: the ids that its connection proves (its address, its certificate), and those that
 * it proves by addAuth, where only the digest scheme can be shown. SASL has its own way (`sasl/`).
 */
import type { Crypto } from '../ports/crypto.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import type { Socket } from '../ports/network.js';
import { decodeUtf8 } from '../protocol/utf8.js';
import type { AclId, Caller } from '../txn/authorize.js';

export interface AuthenticationOptions {
  readonly crypto: Crypto;
  /** As Java names it; SHA1 unless configured. */
  readonly digestAlgorithm: string;
  readonly isDigestEnabled: boolean;
  /** `user:base64` of the super user, or null. */
  readonly superDigest: string | null;
  /** The subject whose certificate is allowed everything, or null. */
  readonly x509SuperUser: string | null;
  /** Null: there is nobody to log in. */
  readonly sasl: SaslLogins | null;
}

export interface SaslLogins {
  /** Passwords by user. */
  readonly users: ReadonlyMap<string, string>;
  readonly superUsers: ReadonlySet<string>;
  /** Who fails goes on as nobody. */
  readonly allowsFailed: boolean;
  readonly isRequired: boolean;
}

/** Every ACL check looks through all identities: nobody needs as many as one client could send. */
const AUTH_IDS_MAX = 1000;

/** The caller with what the AuthPacket proves added. */
export function prove(
  server: { readonly authentication: AuthenticationOptions },
  caller: Caller,
  reader: Reader,
): Caller | 'failed' | 'malformed' {
  let ids: AclId[] | null;
  try {
    ids = authenticate(server, reader);
  } catch (problem) {
    if (!(problem instanceof MalformedError)) throw problem;
    return 'malformed';
  }
  return (ids === null ? null : withIds(caller, ids)) ?? 'failed';
}

/** Null: that would be too many. */
export function withIds(caller: Caller, ids: readonly AclId[]): Caller | null {
  const known = caller.authIds;
  const fresh = ids.filter(
    (id) => !known.some(({ scheme, id: text }) => scheme === id.scheme && text === id.id),
  );
  if (known.length + fresh.length > AUTH_IDS_MAX) return null;
  return fresh.length === 0 ? caller : { authIds: [...known, ...fresh] };
}

/** As whom a new connection comes. */
export function callerOf(socket: Socket, { x509SuperUser }: AuthenticationOptions): Caller {
  const authIds: AclId[] = [{ scheme: 'ip', id: socket.remoteAddress }];
  const subject = socket.tls?.subject ?? null;
  if (subject !== null) {
    if (subject === x509SuperUser) authIds.push({ scheme: 'super', id: subject });
    authIds.push({ scheme: 'x509', id: subject });
  }
  return { authIds };
}

/** Null: unknown scheme or failed. Reads an AuthPacket. */
function authenticate(
  server: { readonly authentication: AuthenticationOptions },
  reader: Reader,
): AclId[] | null {
  const options = server.authentication;
  reader.readInt();
  const scheme = reader.readString();
  const shown = reader.readBuffer();
  if (scheme === 'ip') return [];
  if (scheme !== 'digest' || shown === null || !options.isDigestEnabled) return null;
  const hash = options.crypto.digest(options.digestAlgorithm, shown);
  if (hash === null) return null;
  const text = decodeUtf8(shown, 0, shown.length);
  const colon = text.indexOf(':');
  const id = `${colon === -1 ? text : text.slice(0, colon)}:${base64(hash)}`;
  const isSuper = options.superDigest !== null && sameText(options, id, options.superDigest);
  return isSuper
    ? [
        { scheme: 'super', id: '' },
        { scheme, id },
      ]
    : [{ scheme, id }];
}

/** What whoAmI says of an id: the user without the hash. */
export function userNameOf(id: AclId): string {
  if (id.id === null) return '';
  if (id.scheme === 'digest') return id.id.split(':')[0] ?? '';
  return id.scheme !== null && WHOLE_NAMES.has(id.scheme) ? id.id : '';
}

/** Schemes whose ids are names as they stand. */
const WHOLE_NAMES: ReadonlySet<string> = new Set(['ip', 'sasl', 'x509']);

function sameText(options: AuthenticationOptions, a: string, b: string): boolean {
  const encoder = new TextEncoder();
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  return left.length === right.length && options.crypto.equal(left, right);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const left = bytes.length - i;
    text += ALPHABET.charAt(word >> 18) + ALPHABET.charAt((word >> 12) & 63);
    text += left > 1 ? ALPHABET.charAt((word >> 6) & 63) : '=';
    text += left > 2 ? ALPHABET.charAt(word & 63) : '=';
  }
  return text;
}
