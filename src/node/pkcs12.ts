/**
 * Keys and certificates out of a PKCS12 file (RFC 7292), as keytool and openssl write them. Node can
 * open such files, but takes every certificate in them for an authority that clients may be signed by,
 * and refuses those without a key, which is what trust stores are; so they are opened here.
 */
import {
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  pbkdf2Sync,
  timingSafeEqual,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { DerError, DerReader, DerTag, oidText, smallInteger } from '../server/x509/der.js';

export interface Pkcs12Contents {
  readonly keys: readonly KeyObject[];
  readonly certificates: readonly X509Certificate[];
}

/** One sentence: what is wrong with the file, or the password. */
export class Pkcs12Error extends Error {
  override readonly name = 'Pkcs12Error';
}

const Oid = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  sha1And3Des: '1.2.840.113549.1.12.1.3',
  sha1And40BitRc2: '1.2.840.113549.1.12.1.6',
} as const;

const EXPLICIT_0 = 0xa0;
const IMPLICIT_0 = 0x80;

/** Throws Pkcs12Error. */
export function openPkcs12(file: Uint8Array, password: string): Pkcs12Contents {
  try {
    return new Pkcs12File(password).open(file);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new Pkcs12Error(`it is no PKCS12 file: ${error.message}`, { cause: error });
  }
}

class Pkcs12File {
  readonly #password: string;
  readonly #keys: KeyObject[] = [];
  readonly #certificates: X509Certificate[] = [];

  constructor(password: string) {
    this.#password = password;
  }

  open(file: Uint8Array): Pkcs12Contents {
    const pfx = new DerReader(file).enter(DerTag.sequence);
    pfx.expect(DerTag.integer);
    const authSafe = pfx.enter(DerTag.sequence);
    const type = oidText(authSafe.expect(DerTag.oid).content);
    if (type !== Oid.data) throw new Pkcs12Error('it is signed instead of protected by a password');
    const content = authSafe.enter(EXPLICIT_0).expect(DerTag.octetString).content;
    if (!pfx.isAtEnd) this.#checkMac(pfx.enter(DerTag.sequence), content);
    const parts = new DerReader(content).enter(DerTag.sequence);
    while (!parts.isAtEnd) this.#readPart(parts.enter(DerTag.sequence));
    return { keys: this.#keys, certificates: this.#certificates };
  }

  #checkMac(mac: DerReader, content: Uint8Array): void {
    const info = mac.enter(DerTag.sequence);
    const hash = hashNames.get(oidText(info.enter(DerTag.sequence).expect(DerTag.oid).content));
    const expected = info.expect(DerTag.octetString).content;
    // another kind of protection: then decryption tells whether the password is right
    if (hash === undefined) return;
    const salt = mac.expect(DerTag.octetString).content;
    const iterations = mac.isAtEnd ? 1 : smallInteger(mac.expect(DerTag.integer).content);
    const key = this.#derived(hash, 3, salt, iterations, expected.length);
    const actual = createHmac(hash, key).update(content).digest();
    if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) {
      throw wrongPassword();
    }
  }

  #readPart(part: DerReader): void {
    const type = oidText(part.expect(DerTag.oid).content);
    const content = part.enter(EXPLICIT_0);
    if (type === Oid.data) {
      this.#readBags(content.expect(DerTag.octetString).content);
      return;
    }
    if (type !== Oid.encryptedData)
      throw new Pkcs12Error(`it holds what is unknown here (${type})`);
    const encrypted = content.enter(DerTag.sequence);
    encrypted.expect(DerTag.integer);
    const info = encrypted.enter(DerTag.sequence);
    info.expect(DerTag.oid);
    const algorithm = info.enter(DerTag.sequence);
    this.#readBags(this.#decrypt(algorithm, info.expect(IMPLICIT_0).content));
  }

  #readBags(content: Uint8Array): void {
    const bags = new DerReader(content).enter(DerTag.sequence);
    while (!bags.isAtEnd) {
      const bag = bags.enter(DerTag.sequence);
      const type = oidText(bag.expect(DerTag.oid).content);
      const value = bag.enter(EXPLICIT_0);
      if (type === Oid.certificateBag) this.#readCertificate(value.enter(DerTag.sequence));
      else if (type === Oid.keyBag || type === Oid.shroudedKeyBag) {
        this.#readKey(value.next().whole, type === Oid.shroudedKeyBag);
      }
    }
  }

  #readCertificate(bag: DerReader): void {
    if (oidText(bag.expect(DerTag.oid).content) !== Oid.x509Certificate) return;
    const der = bag.enter(EXPLICIT_0).expect(DerTag.octetString).content;
    this.#certificates.push(new X509Certificate(der));
  }

  #readKey(der: Uint8Array, isEncrypted: boolean): void {
    try {
      this.#keys.push(
        createPrivateKey({
          key: Buffer.from(der),
          format: 'der',
          type: 'pkcs8',
          ...(isEncrypted ? { passphrase: this.#password } : {}),
        }),
      );
    } catch (error) {
      throw new Pkcs12Error(
        `its private key cannot be decrypted: ${isUnsupported(error) ? tooOld : 'the password is wrong'}`,
        { cause: error },
      );
    }
  }

  #decrypt(algorithm: DerReader, bytes: Uint8Array): Uint8Array {
    const type = oidText(algorithm.expect(DerTag.oid).content);
    const { cipher, key, iv } = this.#cipherOf(type, algorithm.enter(DerTag.sequence));
    try {
      const decipher = createDecipheriv(cipher, key, iv);
      return Buffer.concat([decipher.update(bytes), decipher.final()]);
    } catch (error) {
      if (isUnsupported(error)) throw new Pkcs12Error(tooOld, { cause: error });
      throw wrongPassword();
    }
  }

  #cipherOf(type: string, parameters: DerReader): { cipher: string; key: Buffer; iv: Uint8Array } {
    if (type === Oid.sha1And3Des) {
      const salt = parameters.expect(DerTag.octetString).content;
      const iterations = smallInteger(parameters.expect(DerTag.integer).content);
      return {
        cipher: 'des-ede3-cbc',
        key: this.#derived('sha1', 1, salt, iterations, 24),
        iv: this.#derived('sha1', 2, salt, iterations, 8),
      };
    }
    if (type === Oid.sha1And40BitRc2) throw new Pkcs12Error(tooOld);
    if (type !== Oid.pbes2)
      throw new Pkcs12Error(`it is encrypted in a way unknown here (${type})`);
    const derivation = parameters.enter(DerTag.sequence);
    const encryption = parameters.enter(DerTag.sequence);
    const cipher = ciphers.get(oidText(encryption.expect(DerTag.oid).content));
    const isPbkdf2 = oidText(derivation.expect(DerTag.oid).content) === Oid.pbkdf2;
    if (cipher === undefined || !isPbkdf2) {
      throw new Pkcs12Error('it is encrypted in a way unknown here');
    }
    const iv = encryption.expect(DerTag.octetString).content;
    const { salt, iterations, prf } = pbkdf2Parameters(derivation.enter(DerTag.sequence));
    const key = pbkdf2Sync(this.#password, salt, iterations, cipher.keyBytes, prf);
    return { cipher: cipher.name, key, iv };
  }

  /** RFC 7292, appendix B: what `id` names (1 key, 2 initial vector, 3 key of the MAC) of a password. */
  #derived(hash: string, id: number, salt: Uint8Array, iterations: number, length: number): Buffer {
    const block = hash === 'sha384' || hash === 'sha512' ? 128 : 64;
    const password = Buffer.from(`${this.#password}\0`, 'utf16le').swap16();
    const input = Buffer.concat([filled(salt, block), filled(password, block)]);
    const parts: Buffer[] = [];
    for (let made = 0; made < length;) {
      let digest = createHash(hash).update(Buffer.alloc(block, id)).update(input).digest();
      for (let i = 1; i < iterations; i++) digest = createHash(hash).update(digest).digest();
      parts.push(digest);
      made += digest.length;
      addTo(input, filled(digest, block).subarray(0, block), block);
    }
    return Buffer.concat(parts).subarray(0, length);
  }
}

const tooOld =
  'its encryption is one that OpenSSL does not do any more; write it anew: keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12';

function wrongPassword(): Pkcs12Error {
  return new Pkcs12Error('the password is wrong, or the file is damaged');
}

function isUnsupported(error: unknown): boolean {
  return error instanceof Error && /unsupported|unknown cipher/iu.test(error.message);
}

const hashNames: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);

const prfs: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.2.7', 'sha1'],
  ['1.2.840.113549.2.8', 'sha224'],
  ['1.2.840.113549.2.9', 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
]);

const ciphers: ReadonlyMap<string, { readonly name: string; readonly keyBytes: number }> = new Map([
  ['2.16.840.1.101.3.4.1.2', { name: 'aes-128-cbc', keyBytes: 16 }],
  ['2.16.840.1.101.3.4.1.22', { name: 'aes-192-cbc', keyBytes: 24 }],
  ['2.16.840.1.101.3.4.1.42', { name: 'aes-256-cbc', keyBytes: 32 }],
  ['1.2.840.113549.3.7', { name: 'des-ede3-cbc', keyBytes: 24 }],
]);

function pbkdf2Parameters(parameters: DerReader): {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly prf: string;
} {
  const salt = parameters.expect(DerTag.octetString).content;
  const iterations = smallInteger(parameters.expect(DerTag.integer).content);
  if (parameters.nextTag === DerTag.integer) parameters.next();
  if (parameters.isAtEnd) return { salt, iterations, prf: 'sha1' };
  const prf = prfs.get(oidText(parameters.enter(DerTag.sequence).expect(DerTag.oid).content));
  if (prf === undefined) throw new Pkcs12Error('it is encrypted in a way unknown here');
  return { salt, iterations, prf };
}

/** Repeated to a whole number of blocks. */
function filled(bytes: Uint8Array, block: number): Buffer {
  const length = Math.ceil(bytes.length / block) * block;
  return length === 0 ? Buffer.alloc(0) : Buffer.alloc(length, bytes);
}

/** Each block of `input` becomes itself plus `addend` plus one, as a number. */
function addTo(input: Buffer, addend: Uint8Array, block: number): void {
  for (let start = 0; start < input.length; start += block) {
    let carry = 1;
    for (let i = block - 1; i >= 0; i--) {
      carry += (input[start + i] ?? 0) + (addend[i] ?? 0);
      input[start + i] = carry & 0xff;
      carry >>= 8;
    }
  }
}
