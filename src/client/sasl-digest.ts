/**
 * The client's side of DIGEST-MD5 as ZooKeeper has it: the server's challenge is answered with a
 * proof of the password, and the server must prove in turn that it knows the password, too. Quality
 * of protection is `auth`: the login is protected, what follows is not, which is what TLS is for.
 */
import type { Crypto } from '../ports/crypto.js';
import {
  digestProof,
  digestUri,
  hexOf,
  onlyValue,
  parseDirectives,
  quoted,
  saslServerName,
  SaslSyntaxError,
  type DigestInputs,
} from '../protocol/sasl-digest.js';
import { SaslError, type SaslMechanism, type SaslUser } from './sasl-mechanism.js';

const CNONCE_BYTES = 20;

export class DigestMd5 implements SaslMechanism {
  readonly name = 'DIGEST-MD5';
  readonly whenRefused =
    'it does not know the user, the password is another, or it takes Kerberos only';
  readonly #user: SaslUser;
  readonly #crypto: Crypto;
  /** What the response was made of; null: none has been sent. */
  #sent: DigestInputs | null = null;

  constructor(user: SaslUser, crypto: Crypto) {
    this.#user = user;
    this.#crypto = crypto;
  }

  start(): Uint8Array {
    this.#sent = null;
    return new Uint8Array(0);
  }

  respond(token: Uint8Array | null): Uint8Array | null {
    if (token === null) {
      throw new SaslError(
        'the server has no SASL login: its file java.security.auth.login.config has no users',
      );
    }
    try {
      const directives = parseDirectives(token);
      if (this.#sent === null) return this.#answer(directives);
      this.#verify(directives, this.#sent);
      return null;
    } catch (error) {
      if (!(error instanceof SaslSyntaxError)) throw error;
      throw new SaslError(`the server's token cannot be read: ${error.message}`, { cause: error });
    }
  }

  #answer(challenge: ReadonlyMap<string, readonly string[]>): Uint8Array {
    const nonce = onlyValue(challenge, 'nonce');
    if (nonce === null || nonce === '') throw new SaslError('the challenge has no nonce');
    const algorithm = onlyValue(challenge, 'algorithm');
    if (algorithm !== 'md5-sess') {
      throw new SaslError(
        `the challenge asks for the algorithm ${algorithm ?? 'none'}, not md5-sess`,
      );
    }
    const qops = (onlyValue(challenge, 'qop') ?? 'auth').split(',').map((word) => word.trim());
    if (!qops.includes('auth')) throw new SaslError(`the challenge offers only qop ${qops.join()}`);
    const realms = challenge.get('realm') ?? [];
    this.#sent = {
      username: this.#user.username,
      password: this.#user.password,
      realm: realms.find((realm) => realm === saslServerName) ?? realms[0] ?? '',
      nonce,
      cnonce: hexOf(this.#crypto.randomBytes(CNONCE_BYTES)),
      nonceCount: '00000001',
      qop: 'auth',
      uri: digestUri,
      authorizationId: null,
    };
    const { username, realm, cnonce, nonceCount, uri } = this.#sent;
    const directives = [
      'charset=utf-8',
      `username=${quoted(username)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `nc=${nonceCount}`,
      `cnonce=${quoted(cnonce)}`,
      `digest-uri=${quoted(uri)}`,
      'maxbuf=65536',
      `response=${this.#proof(this.#sent, 'response')}`,
      'qop=auth',
    ];
    return new TextEncoder().encode(directives.join(','));
  }

  /** The server must know the password as well: anybody else could have sent the challenge. */
  #verify(directives: ReadonlyMap<string, readonly string[]>, sent: DigestInputs): void {
    const shown = onlyValue(directives, 'rspauth') ?? '';
    const encoder = new TextEncoder();
    const expected = encoder.encode(this.#proof(sent, 'rspauth'));
    if (!this.#crypto.equal(encoder.encode(shown), expected)) {
      throw new SaslError('the server did not prove that it knows the password');
    }
  }

  #proof(inputs: DigestInputs, whose: 'response' | 'rspauth'): string {
    return digestProof(inputs, whose, (bytes) => {
      const hash = this.#crypto.digest('MD5', bytes);
      if (hash === null) throw new SaslError('MD5 is not available here (FIPS mode of OpenSSL?)');
      return hash;
    });
  }
}
