/**
 * Hashing for simulations: not secure, but of the right form, without Node, and the same everywhere.
 */
import type { SeededRandom } from '../base/random.js';
import type { Crypto } from '../ports/crypto.js';

const DIGEST_BYTES: Readonly<Record<string, number>> = { SHA1: 20, 'SHA-256': 32 };

export function simDigest(algorithm: string, bytes: Uint8Array): Uint8Array | null {
  const length = DIGEST_BYTES[algorithm];
  if (length === undefined) return null;
  const digest = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    let state = Math.imul(i + 1, 0x9e3779b9);
    for (const byte of bytes) state = Math.imul(state ^ byte, 0x01000193);
    digest[i] = state ^ (state >>> 8) ^ (state >>> 16) ^ (state >>> 24);
  }
  return digest;
}

export function simCrypto(random: SeededRandom): Crypto {
  return {
    digest: simDigest,
    randomBytes: (length) => Uint8Array.from({ length }, () => random.below(256)),
    equal: (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]),
  };
}
