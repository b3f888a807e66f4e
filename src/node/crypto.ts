/** Hashing and randomness by OpenSSL, under the names that Java's configuration uses. */
import { createHash, getHashes, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Crypto } from '../ports/crypto.js';

export const nodeCrypto: Crypto = {
  digest(algorithm, bytes) {
    const name = algorithm.toLowerCase().replace(/^sha-(\d)/u, 'sha$1');
    if (!getHashes().some((known) => known.toLowerCase() === name)) return null;
    return createHash(name).update(bytes).digest();
  },
  randomBytes: (length) => randomBytes(length),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};
