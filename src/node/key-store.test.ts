import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { StoreFile } from '../server/config/tls-config.js';
import { StartError } from '../storage/start-error.js';
import { loadKeyStore, loadTrustStore } from './key-store.js';
import { openPkcs12, Pkcs12Error } from './pkcs12.js';

const folder = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));

function store(file: string, given: Partial<StoreFile> = {}): StoreFile {
  return {
    key: 'ssl.keyStore',
    path: join(folder, file),
    type: file.endsWith('.pem') ? 'PEM' : 'PKCS12',
    password: 'secret',
    passwordPath: null,
    ...given,
  };
}

function reasonOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    assert.ok(error instanceof StartError, String(error));
    assert.equal(error.message.includes('secret'), false);
    return error.message.replace(folder, '');
  }
  return 'loaded';
}

test('one key, whatever the file is: PEM, encrypted PEM, PKCS12 of openssl and of keytool', () => {
  const expected = loadKeyStore(store('server.pem', { password: null }));
  assert.equal(expected.certificates.match(/BEGIN CERTIFICATE/gu)?.length, 2);
  for (const file of ['server-encrypted.pem', 'server.p12', 'server-3des.p12', 'server-java.p12']) {
    const { key, certificates } = loadKeyStore(store(file));
    assert.equal(key, expected.key, file);
    // the authority may stand behind
    assert.ok(certificates.startsWith(expected.certificates.trim()), file);
  }
});

test('authorities: PEM and the trust store of keytool, which has no key', () => {
  const pem = loadTrustStore(store('ca.pem', { key: 'ssl.trustStore' }));
  assert.equal(pem.length, 1);
  const named = { key: 'ssl.trustStore', type: 'PKCS12' } as const;
  assert.deepEqual(loadTrustStore(store('ca.p12', named)), pem);
  assert.deepEqual(loadTrustStore(store('ca-really-pkcs12.jks', named)), pem);
});

test('the password may come from a file, with or without a newline', () => {
  const work = mkdtempSync(join(tmpdir(), 'key-store-'));
  try {
    for (const text of ['secret', 'secret\n']) {
      const passwordPath = join(work, 'password');
      writeFileSync(passwordPath, text);
      assert.ok(loadKeyStore(store('server.p12', { password: 'wrong', passwordPath })).key !== '');
    }
    assert.match(
      reasonOf(() => loadKeyStore(store('server.p12', { passwordPath: join(work, 'none') }))),
      /^ssl\.keyStore\.passwordPath: .*none cannot be read: ENOENT/,
    );
  } finally {
    rmSync(work, { recursive: true });
  }
});

test('what is wrong is told with the key, the file and what to do', () => {
  const cases: readonly (readonly [file: string, given: Partial<StoreFile>, reason: RegExp])[] = [
    ['none.pem', {}, /^ssl\.keyStore\.location: none\.pem cannot be read: ENOENT/],
    ['ca.pem', {}, /^ssl\.keyStore\.location: ca\.pem: there is no private key in it$/],
    ['ca.p12', {}, /there is no private key in it/],
    ['names.json', { type: 'PEM' }, /there is nothing in it between -----BEGIN/],
    ['names.json', { type: 'PKCS12' }, /it is no PKCS12 file/],
    ['server.p12', { password: 'wrong' }, /the password is wrong, or the file is damaged$/],
    ['server-java.p12', { password: 'wrong' }, /the password is wrong, or the file is damaged$/],
    ['server.p12', { password: null }, /\(there is no ssl\.keyStore\.password\)/],
    [
      'server-encrypted.pem',
      { password: null },
      /it is encrypted, and there is no ssl\.keyStore\.password/,
    ],
    ['server-encrypted.pem', { password: 'wrong' }, /its private key: the password is wrong/],
    ['server.jks', {}, /a JKS store.*keytool -importkeystore .*server\.p12 -deststoretype PKCS12/],
    ['server-rc2.p12', {}, /OpenSSL does not do any more; write it anew: keytool/],
  ];
  for (const [file, given, reason] of cases) {
    assert.match(
      reasonOf(() => loadKeyStore(store(file, given))),
      reason,
      file,
    );
  }
  const trust = { key: 'ssl.trustStore', type: 'PEM' } as const;
  assert.match(
    reasonOf(() => loadTrustStore(store('make.sh', trust))),
    /^ssl\.trustStore\.location: make\.sh: there is nothing/,
  );
});

test('a PKCS12 file that is cut or damaged is refused, and nothing worse happens', () => {
  const whole = readFileSync(join(folder, 'alice.p12'));
  const refuses = (bytes: Uint8Array, what: string): void => {
    assert.throws(() => openPkcs12(bytes, 'secret'), Pkcs12Error, what);
  };
  for (let length = 0; length < whole.length; length += 13) {
    refuses(whole.subarray(0, length), `cut at ${length}`);
  }
  // what the digest covers; iterations and salts are left out, as they only cost time
  for (let at = 200; at < whole.length - 120; at += 41) {
    const damaged = Uint8Array.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    refuses(damaged, `damaged at ${at}`);
  }
});
