/**
 * The server's side of DIGEST-MD5 for one connection, as Apache's server has it of Java: a first
 * token asks for a challenge, the answer to that proves the password, and the server proves in turn
 * that it knows it. Who fails, or speaks again when all is said, has failed for this connection.
 */
import type { Crypto } from '../../ports/crypto.js';
import {
  digestProof,
  digestUri,
  hexOf,
  onlyValue,
  parseDirectives,
  saslServerName,
  SaslSyntaxError,
  type Md5,
} from '../../protocol/sasl-digest.js';

export type LoginStep =
  | { readonly kind: 'challenge'; readonly token: Uint8Array }
  | { readonly kind: 'done'; readonly token: Uint8Array; readonly user: string }
  | { readonly kind: 'failed'; readonly reason: string };

const NONCE_BYTES = 24;

export class DigestMd5Login {
  readonly #users: ReadonlyMap<string, string>;
  readonly #crypto: Crypto;
  #phase: 'begin' | 'challenged' | 'over' = 'begin';
  #nonce = '';

  constructor(users: ReadonlyMap<string, string>, crypto: Crypto) {
    this.#users = users;
    this.#crypto = crypto;
  }

  step(token: Uint8Array): LoginStep {
    switch (this.#phase) {
      case 'begin':
        // whatever it holds: Java's looks at none either
        return this.#challenge();
      case 'challenged':
        this.#phase = 'over';
        try {
          return this.#judge(token);
        } catch (error) {
          if (error instanceof SaslSyntaxError) return failed(error.message);
          throw error;
        }
      case 'over':
        return failed('this connection has had its login');
    }
  }

  #challenge(): LoginStep {
    this.#phase = 'challenged';
    this.#nonce = hexOf(this.#crypto.randomBytes(NONCE_BYTES));
    const text = `realm="${saslServerName}",nonce="${this.#nonce}",qop="auth",charset=utf-8,algorithm=md5-sess`;
    return { kind: 'challenge', token: new TextEncoder().encode(text) };
  }

  #judge(token: Uint8Array): LoginStep {
    const directives = parseDirectives(token);
    const needed = (name: string): string => {
      const value = onlyValue(directives, name);
      if (value === null) throw new SaslSyntaxError(`${name} is missing`);
      return value;
    };
    const username = needed('username');
    const nonceCount = needed('nc');
    const uri = needed('digest-uri');
    const qop = onlyValue(directives, 'qop') ?? 'auth';
    const realm = onlyValue(directives, 'realm') ?? '';
    if (needed('nonce') !== this.#nonce) return failed("the nonce is another challenge's");
    if (nonceCount !== '00000001') return failed(`nc is ${nonceCount.slice(0, 8)}, not 00000001`);
    if (qop !== 'auth') return failed('qop is not auth');
    if (realm !== saslServerName) return failed(`the realm is not ${saslServerName}`);
    if (uri.toLowerCase() !== digestUri) return failed(`the digest-uri is not ${digestUri}`);
    const password = this.#users.get(username);
    const inputs = {
      ...{ username, realm, nonce: this.#nonce, cnonce: needed('cnonce'), nonceCount, qop, uri },
      // nobody's password takes as long to be found wrong as somebody's
      password: password ?? '',
      authorizationId: onlyValue(directives, 'authzid'),
    };
    const encoder = new TextEncoder();
    const shown = encoder.encode(needed('response').toLowerCase());
    const expected = encoder.encode(digestProof(inputs, 'response', this.#md5));
    const isProven = this.#crypto.equal(shown, expected);
    if (password === undefined || !isProven) return failed('no such user, or a wrong password');
    const rspauth = `rspauth=${digestProof(inputs, 'rspauth', this.#md5)}`;
    return { kind: 'done', token: encoder.encode(rspauth), user: username };
  }

  readonly #md5: Md5 = (bytes) => {
    const hash = this.#crypto.digest('MD5', bytes);
    if (hash === null) throw new SaslSyntaxError('there is no MD5 here');
    return hash;
  };
}

function failed(reason: string): LoginStep {
  return { kind: 'failed', reason };
}
