import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf } from './config.js';
import type { SettingValues } from './settings.js';
import { opensslName, readTlsConfig, type TlsConfig } from './tls-config.js';

const plain = configOf({ dataDir: '/data', clientPort: 0 });
const good: Partial<SettingValues> = {
  secureClientPort: 0,
  sslKeyStoreLocation: '/tls/server.pem',
  sslTrustStoreLocation: '/tls/ca.p12',
};

function read(given: Partial<SettingValues>): TlsConfig {
  const result = readTlsConfig({ ...plain, ...good, ...given });
  assert.ok('tls' in result, JSON.stringify(result));
  return result.tls;
}

function problemsOf(given: Partial<SettingValues>): string[] {
  const result = readTlsConfig({ ...plain, ...good, ...given });
  return 'problems' in result ? result.problems.map(({ message }) => message) : [];
}

test('defaults are those of Apache: TLS 1.3, and clients show certificates', () => {
  const tls = read({});
  assert.equal(tls.minVersion, 'TLSv1.3');
  assert.equal(tls.maxVersion, 'TLSv1.3');
  assert.equal(tls.clientAuth, 'need');
  assert.equal(tls.ciphers, null);
  assert.equal(tls.handshakeTimeoutMs, 5000);
  assert.equal(tls.keyStore.type, 'PEM');
  assert.equal(tls.trustStore?.type, 'PKCS12');
});

test('what is missing is named, with what to set', () => {
  assert.match(
    problemsOf({ sslKeyStoreLocation: null })[0] ?? '',
    /^secureClientPort needs ssl\.keyStore\.location: a PEM file/,
  );
  const trust = problemsOf({ sslTrustStoreLocation: null });
  assert.match(
    trust[0] ?? '',
    /ssl\.trustStore\.location none is trusted; set it, or ssl\.clientAuth=none/,
  );
  assert.deepEqual(problemsOf({ sslTrustStoreLocation: null, sslClientAuth: 'none' }), []);
  assert.deepEqual(problemsOf({ sslTrustStoreLocation: null, sslClientAuth: 'want' }), []);
});

test('the kind of a store: as its name ends, or as its key says', () => {
  assert.equal(read({ sslKeyStoreLocation: '/a.b/x.P12' }).keyStore.type, 'PKCS12');
  assert.equal(read({ sslKeyStoreLocation: '/a/x', sslKeyStoreType: 'pem' }).keyStore.type, 'PEM');
  assert.match(
    problemsOf({ sslKeyStoreLocation: '/a.pem/x' })[0] ?? '',
    /say ssl\.keyStore\.type=PEM/,
  );
  assert.match(problemsOf({ sslKeyStoreType: 'FOO' })[0] ?? '', /'FOO' is neither PEM nor PKCS12/);
  assert.match(
    problemsOf({ sslTrustStoreLocation: '/t.bcfks' })[0] ?? '',
    /keytool -importkeystore/,
  );
  // what is in a file of this name, its first bytes tell
  assert.equal(read({ sslKeyStoreLocation: '/a/x.jks' }).keyStore.type, 'PKCS12');
});

test('versions follow each other', () => {
  const versions = (sslEnabledProtocols: string): string[] => {
    const { minVersion, maxVersion } = read({ sslEnabledProtocols });
    return [minVersion, maxVersion];
  };
  assert.deepEqual(versions('TLSv1.2,TLSv1.3'), ['TLSv1.2', 'TLSv1.3']);
  assert.deepEqual(versions('TLSv1.3 , TLSv1.2'), ['TLSv1.2', 'TLSv1.3']);
  assert.deepEqual(versions('TLSv1.2'), ['TLSv1.2', 'TLSv1.2']);
  assert.equal(read({ sslProtocol: 'TLS' }).minVersion, 'TLSv1.3');
  assert.match(
    problemsOf({ sslEnabledProtocols: 'TLSv1.1,TLSv1.3' })[0] ?? '',
    /ssl\.enabledProtocols=TLSv1\.1,TLSv1\.2,TLSv1\.3/,
  );
  assert.match(problemsOf({ sslProtocol: 'SSLv3' })[0] ?? '', /^ssl\.protocol: 'SSLv3' is none of/);
});

test("ciphers by Java's names become OpenSSL's", () => {
  const pairs = [
    ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384'],
    ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
    ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256', 'ECDHE-RSA-AES128-SHA256'],
    ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
    ['TLS_DHE_RSA_WITH_AES_256_GCM_SHA384', 'DHE-RSA-AES256-GCM-SHA384'],
    ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
    ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
    ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ] as const;
  for (const [java, openssl] of pairs) assert.equal(opensslName(java), openssl);
  const bad = ['TLS_RSA_WITH_NULL_SHA', 'SSL_RSA_WITH_RC4_128_MD5', 'ALL', '!aNULL', 'x', ''];
  for (const name of bad) assert.equal(opensslName(name), null, name);
  assert.equal(
    read({ sslCipherSuites: 'TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_GCM_SHA256' }).ciphers,
    'TLS_AES_128_GCM_SHA256:AES128-GCM-SHA256',
  );
  assert.match(problemsOf({ sslCipherSuites: 'FOO' })[0] ?? '', /'FOO' is no cipher suite/);
});
