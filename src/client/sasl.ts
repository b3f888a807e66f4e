/**
 * How a client proves by SASL who it is, whatever the mechanism: tokens go back and forth until the
 * mechanism is satisfied with the server and the server with it.
 */
import type { Crypto } from '../ports/crypto.js';
import { AuthFailedError } from './errors.js';
import { DigestMd5 } from './sasl-digest.js';
import { SaslError, type SaslMechanism, type SaslUser } from './sasl-mechanism.js';

export { SaslError, type SaslMechanism, type SaslUser } from './sasl-mechanism.js';

/** A user with a password, by DIGEST-MD5, or another mechanism: one new object for each connection. */
export type SaslOptions = SaslUser | (() => SaslMechanism);

/** No mechanism needs as many; a server that goes on asking is not one. */
const ROUNDS_MAX = 16;

export function saslMechanismOf(options: SaslOptions, crypto: Crypto): SaslMechanism {
  return typeof options === 'function' ? options() : new DigestMd5(options, crypto);
}

/** `exchange` sends a token and gives the server's answer. Rejects with what ended the login. */
export async function logIn(
  mechanism: SaslMechanism,
  host: string,
  exchange: (token: Uint8Array) => Promise<Uint8Array | null>,
): Promise<void> {
  let token = await mechanism.start(host);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const next = await mechanism.respond(await answerTo(token, mechanism, exchange));
    if (next === null) return;
    token = next;
  }
  throw new SaslError(`${mechanism.name}: the server still asks after ${ROUNDS_MAX} rounds`);
}

async function answerTo(
  token: Uint8Array,
  { name, whenRefused }: SaslMechanism,
  exchange: (token: Uint8Array) => Promise<Uint8Array | null>,
): Promise<Uint8Array | null> {
  try {
    return await exchange(token);
  } catch (error) {
    if (!(error instanceof AuthFailedError)) throw error;
    const advice = whenRefused === undefined ? '' : `: ${whenRefused}`;
    throw new SaslError(`${name}: the server refuses${advice}`, { cause: error });
  }
}
