/**
 * The files of TLS: the server's key with its certificates, and the authorities it trusts, PEM or
 * PKCS12. What is wrong with one is told in a line that names the key of zoo.cfg and the file, and
 * says what to do; passwords appear in none.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { conversion, type StoreFile } from '../server/config/tls-config.js';
import { exitCodes, StartError } from '../storage/start-error.js';
import { openPkcs12, Pkcs12Error } from './pkcs12.js';

export interface KeyMaterial {
  /** PEM. */
  readonly key: string;
  /** PEM, the server's own first, then who signed it. */
  readonly certificates: string;
  readonly validUntil: Date;
}

interface Contents {
  readonly keys: readonly KeyObject[];
  readonly certificates: readonly X509Certificate[];
}

/** Throws StartError. */
export function loadKeyStore(store: StoreFile): KeyMaterial {
  const { keys, certificates } = contentsOf(store);
  const [key] = keys;
  if (key === undefined) throw storeError(store, 'there is no private key in it');
  if (keys.length > 1) throw storeError(store, 'there is more than one private key in it');
  const own = certificates.find((certificate) => certificate.checkPrivateKey(key));
  if (own === undefined) {
    throw storeError(store, 'none of its certificates belongs to its private key');
  }
  return {
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificates: chainOf(own, certificates).map(String).join('\n'),
    validUntil: new Date(own.validTo),
  };
}

/** The authorities in PEM. Throws StartError. */
export function loadTrustStore(store: StoreFile): string[] {
  const { certificates } = contentsOf(store);
  if (certificates.length === 0) throw storeError(store, 'there is no certificate in it');
  return certificates.map(String);
}

function chainOf(own: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  const chain = [own];
  for (let last = own; chain.length <= all.length;) {
    const issuer = all.find((one) => !chain.includes(one) && last.checkIssued(one));
    if (issuer === undefined) break;
    chain.push(issuer);
    last = issuer;
  }
  return chain;
}

function contentsOf(store: StoreFile): Contents {
  const file = readOrFail(`${store.key}.location`, store.path);
  const password = passwordOf(store);
  if (store.type === 'PEM') return pemContents(store, file.toString('utf8'), password);
  if (file.length >= 4 && file.readUInt32BE(0) === JKS_MAGIC) {
    const message = `it is a JKS store, which is not read here; convert it: ${conversion(store.path)}`;
    throw storeError(store, message);
  }
  try {
    return openPkcs12(file, password ?? '');
  } catch (error) {
    if (!(error instanceof Pkcs12Error)) throw error;
    const hint = password === null ? ` (there is no ${store.key}.password)` : '';
    throw storeError(store, `${error.message}${hint}`, error);
  }
}

const JKS_MAGIC = 0xfeedfeed;

function passwordOf({ key, passwordPath, password }: StoreFile): string | null {
  if (passwordPath === null) return password;
  const text = readOrFail(`${key}.passwordPath`, passwordPath).toString('utf8');
  return text.replace(/\r?\n$/u, '');
}

function readOrFail(key: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^(\w+: [^,]*),.*$/u, '$1') : '';
    const message = `${key}: ${path} cannot be read: ${reason}`;
    throw new StartError(message, exitCodes.unexpected, { cause: error });
  }
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/gu;

function pemContents(store: StoreFile, text: string, password: string | null): Contents {
  const keys: KeyObject[] = [];
  const certificates: X509Certificate[] = [];
  for (const [pem, label = ''] of text.matchAll(block)) {
    try {
      if (label.endsWith('CERTIFICATE')) certificates.push(new X509Certificate(pem));
      else if (label.endsWith('PRIVATE KEY')) {
        keys.push(createPrivateKey({ key: pem, format: 'pem', passphrase: password ?? '' }));
      }
    } catch (error) {
      const isKey = label.endsWith('KEY');
      const isEncrypted = /ENCRYPTED/u.test(pem);
      const why = !isEncrypted
        ? 'it is damaged'
        : password === null
          ? `it is encrypted, and there is no ${store.key}.password`
          : 'the password is wrong';
      throw storeError(store, `its ${isKey ? 'private key' : 'certificate'}: ${why}`, error);
    }
  }
  if (keys.length + certificates.length === 0) {
    throw storeError(store, 'there is nothing in it between -----BEGIN and -----END');
  }
  return { keys, certificates };
}

function storeError(store: StoreFile, message: string, cause?: unknown): StartError {
  const line = `${store.key}.location: ${store.path}: ${message}`;
  return new StartError(line, exitCodes.unexpected, { cause });
}
