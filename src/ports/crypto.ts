/** Hashing, equality in constant time, random bytes: the world's, so that simulations can replay. */
export interface Crypto {
  /** `algorithm` as Java names it (SHA1, SHA-256 …); null when unknown. */
  digest(algorithm: string, bytes: Uint8Array): Uint8Array | null;
  randomBytes(length: number): Uint8Array;
  equal(a: Uint8Array, b: Uint8Array): boolean;
}
