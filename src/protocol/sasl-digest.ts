/**
 * DIGEST-MD5 (RFC 2831) as ZooKeeper's clients and servers speak it: the directives of a challenge and
 * of a response, and the digest that proves a password. Both ends use it, so it knows neither; the
 * hash comes from who calls. Old and weak by today's measure, and what Apache's users have.
 */
import { decodeUtf8 } from './utf8.js';

export type Md5 = (bytes: Uint8Array) => Uint8Array;

/** What ZooKeeper calls its service everywhere, whatever the server's name is. */
export const saslService = 'zookeeper';
export const saslServerName = 'zk-sasl-md5';
export const digestUri = `${saslService}/${saslServerName}`;

/** Neither end of Java's takes longer ones. */
export const saslTokenBytesMax = 4096;

export class SaslSyntaxError extends Error {
  override readonly name = 'SaslSyntaxError';
}

/** Names are lower case; one that stands twice keeps all its values. Throws SaslSyntaxError. */
export function parseDirectives(token: Uint8Array): ReadonlyMap<string, readonly string[]> {
  if (token.length > saslTokenBytesMax) throw new SaslSyntaxError('the token is too long');
  const text = decodeUtf8(token, 0, token.length);
  const directives = new Map<string, string[]>();
  const directive =
    /[\s,]*([^\s=,"]+)\s*=\s*(?:"((?:\\[^]|[^"\\])*)"|([^\s,"]*))\s*(?:,|$)|[\s,]*$/uy;
  while (directive.lastIndex < text.length) {
    const at = directive.lastIndex;
    const match = directive.exec(text);
    if (match === null) throw new SaslSyntaxError(`no directive at ${at}`);
    const [, name, quoted, plain] = match;
    if (name === undefined) break;
    const value = quoted === undefined ? (plain ?? '') : quoted.replace(/\\([^])/gu, '$1');
    const values = directives.get(name.toLowerCase());
    if (values === undefined) directives.set(name.toLowerCase(), [value]);
    else values.push(value);
  }
  return directives;
}

/** The only value of a directive; null: it is not there. Throws SaslSyntaxError where it is twice. */
export function onlyValue(
  directives: ReadonlyMap<string, readonly string[]>,
  name: string,
): string | null {
  const values = directives.get(name);
  if (values === undefined) return null;
  if (values.length > 1) throw new SaslSyntaxError(`${name} stands more than once`);
  return values[0] ?? null;
}

export function quoted(value: string): string {
  return `"${value.replace(/["\\]/gu, '\\$&')}"`;
}

export interface DigestInputs {
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly nonce: string;
  readonly cnonce: string;
  /** As it stands on the wire: 00000001. */
  readonly nonceCount: string;
  readonly qop: string;
  readonly uri: string;
  /** Null: the client asks for no other name. */
  readonly authorizationId: string | null;
}

/** `response` proves the client to the server, `rspauth` the server to the client; both in hexadecimal. */
export function digestProof(inputs: DigestInputs, whose: 'response' | 'rspauth', md5: Md5): string {
  const { username, realm, password, nonce, cnonce, nonceCount, qop, uri, authorizationId } =
    inputs;
  // each in ISO-8859-1 where that can say it, else in UTF-8
  const secret = md5(
    joined([latin1OrUtf8(username), COLON, latin1OrUtf8(realm), COLON, latin1OrUtf8(password)]),
  );
  const behind = authorizationId === null ? '' : `:${authorizationId}`;
  const a1 = md5(joined([secret, utf8(`:${nonce}:${cnonce}${behind}`)]));
  const a2 = md5(utf8(`${whose === 'response' ? 'AUTHENTICATE' : ''}:${uri}`));
  const proof = `${hexOf(a1)}:${nonce}:${nonceCount}:${cnonce}:${qop}:${hexOf(a2)}`;
  return hexOf(md5(utf8(proof)));
}

const COLON = Uint8Array.of(0x3a);

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function latin1OrUtf8(text: string): Uint8Array {
  const units = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  return units.every((unit) => unit <= 0xff) ? Uint8Array.from(units) : utf8(text);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
