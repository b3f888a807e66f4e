/**
 * What the `ssl.*` keys say of the secure client port, checked as far as text can be: which files,
 * which versions of TLS, which ciphers, whether clients show certificates. Each problem names the key
 * to change and says to what. Ciphers come by the names that Java has for them and leave by OpenSSL's.
 */
import type { SettingValues } from './settings.js';

export interface StoreFile {
  /** The key of zoo.cfg that names it, for messages. */
  readonly key: 'ssl.keyStore' | 'ssl.trustStore';
  readonly path: string;
  readonly type: 'PEM' | 'PKCS12';
  readonly password: string | null;
  /** Holds the password, where given instead of the other. */
  readonly passwordPath: string | null;
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

export interface TlsConfig {
  readonly keyStore: StoreFile;
  readonly trustStore: StoreFile | null;
  readonly clientAuth: 'need' | 'want' | 'none';
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** As OpenSSL lists them; null: its own choice. */
  readonly ciphers: string | null;
  readonly handshakeTimeoutMs: number;
  /** 0 or less: no limit. */
  readonly handshakesMax: number;
}

export interface TlsProblem {
  /** Of zoo.cfg. */
  readonly key: string;
  readonly message: string;
}

/** Some port of this configuration speaks TLS. */
export function wantsTls(values: SettingValues): boolean {
  return values.secureClientPort !== -1 || values.clientPortUnification;
}

export function readTlsConfig(
  values: SettingValues,
): { readonly tls: TlsConfig } | { readonly problems: readonly TlsProblem[] } {
  const problems: TlsProblem[] = [];
  const port = values.secureClientPort === -1 ? 'client.portUnification' : 'secureClientPort';
  const keyStore = storeOf(
    'ssl.keyStore',
    {
      path: values.sslKeyStoreLocation,
      password: values.sslKeyStorePassword,
      passwordPath: values.sslKeyStorePasswordPath,
      type: values.sslKeyStoreType,
    },
    problems,
  );
  if (values.sslKeyStoreLocation === null) {
    const message = `${port} needs ssl.keyStore.location: a PEM file with the server's private key and certificates, or a PKCS12 file (.p12)`;
    problems.push({ key: port, message });
  }
  const trustStore = storeOf(
    'ssl.trustStore',
    {
      path: values.sslTrustStoreLocation,
      password: values.sslTrustStorePassword,
      passwordPath: values.sslTrustStorePasswordPath,
      type: values.sslTrustStoreType,
    },
    problems,
  );
  if (values.sslTrustStoreLocation === null && values.sslClientAuth === 'need') {
    const message = `${port}: clients must show certificates (ssl.clientAuth=need is the default), and without ssl.trustStore.location none is trusted; set it, or ssl.clientAuth=none`;
    problems.push({ key: port, message });
  }
  const versions = versionsOf(values, problems);
  const ciphers = ciphersOf(values.sslCipherSuites, problems);
  if (problems.length > 0 || keyStore === null || versions === null) return { problems };
  return {
    tls: {
      ...{ keyStore, trustStore, clientAuth: values.sslClientAuth, ...versions, ciphers },
      handshakeTimeoutMs: values.sslHandshakeTimeoutMs,
      handshakesMax: values.sslHandshakesMax,
    },
  };
}

// ------------------------------------------------------------------ stores

const suffixes: Readonly<Record<string, string>> = {
  '.pem': 'PEM',
  '.p12': 'PKCS12',
  '.pfx': 'PKCS12',
  // Java writes PKCS12 under this name, too: the file itself tells
  '.jks': 'JKS',
  '.bcfks': 'BCFKS',
};

function storeOf(
  key: StoreFile['key'],
  given: Record<'path' | 'password' | 'passwordPath' | 'type', string | null>,
  problems: TlsProblem[],
): StoreFile | null {
  const { path, password, passwordPath } = given;
  if (path === null) return null;
  const suffix = /\.[^./\\]*$/u.exec(path)?.[0].toLowerCase() ?? '';
  const type = given.type?.toUpperCase() ?? suffixes[suffix];
  switch (type) {
    case 'PEM':
    case 'PKCS12':
      return { key, path, type, password, passwordPath };
    case 'JKS':
      // what it really is, its first bytes say to whoever opens it
      return { key, path, type: 'PKCS12', password, passwordPath };
    case 'BCFKS':
      problems.push({
        key: `${key}.location`,
        message: `${key}.location: ${path}: BCFKS stores are not read here; convert it: ${conversion(path)} -srcstoretype BCFKS`,
      });
      return null;
    case undefined:
      problems.push({
        key: `${key}.location`,
        message: `${key}.location: ${path} ends in none of .pem, .p12: say ${key}.type=PEM or ${key}.type=PKCS12`,
      });
      return null;
    default:
      problems.push({
        key: `${key}.type`,
        message: `${key}.type: '${given.type ?? ''}' is neither PEM nor PKCS12`,
      });
      return null;
  }
}

/** The command that makes of a Java store one that is read here. */
export function conversion(path: string): string {
  const to = `${path.replace(/\.[^./\\]*$/u, '')}.p12`;
  return `keytool -importkeystore -srckeystore ${path} -destkeystore ${to} -deststoretype PKCS12`;
}

// ------------------------------------------------------------------ versions and ciphers

const versionNames: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

function versionsOf(
  { sslProtocol, sslEnabledProtocols }: SettingValues,
  problems: TlsProblem[],
): Pick<TlsConfig, 'minVersion' | 'maxVersion'> | null {
  const key = sslEnabledProtocols === null ? 'ssl.protocol' : 'ssl.enabledProtocols';
  const names = (sslEnabledProtocols ?? sslProtocol).split(',').map((name) => name.trim());
  // to Java, TLS is the newest that there is
  const ranks = names.map((name) =>
    versionNames.indexOf((name === 'TLS' ? 'TLSv1.3' : name) as TlsVersion),
  );
  const unknown = names.filter((_, index) => ranks[index] === -1);
  if (unknown.length > 0) {
    const message = `${key}: '${unknown.join("', '")}' is none of ${versionNames.join(', ')}`;
    problems.push({ key, message });
    return null;
  }
  const sorted = [...new Set(ranks)].sort((a, b) => a - b);
  const [low = 0] = sorted;
  const high = sorted.at(-1) ?? low;
  if (high - low + 1 !== sorted.length) {
    const between = versionNames.slice(low, high + 1).join(',');
    const message = `${key}: versions must follow each other; with those between: ${key}=${between}`;
    problems.push({ key, message });
    return null;
  }
  const [minVersion, maxVersion] = [versionNames[low], versionNames[high]];
  if (minVersion === undefined || maxVersion === undefined) return null;
  return { minVersion, maxVersion };
}

function ciphersOf(list: string | null, problems: TlsProblem[]): string | null {
  if (list === null) return null;
  const key = 'ssl.ciphersuites';
  const names: string[] = [];
  for (const name of list.split(',').map((word) => word.trim())) {
    const known = opensslName(name);
    if (known === null) {
      const message = `${key}: '${name}' is no cipher suite of TLS that is safe to use and known here`;
      problems.push({ key, message });
    } else names.push(known);
  }
  return names.join(':');
}

const suite =
  /^TLS_(?:(?<exchange>ECDHE_ECDSA|ECDHE_RSA|DHE_RSA|RSA)_WITH_)(?:AES_(?<bits>128|256)_(?<mode>GCM|CBC)|(?<chacha>CHACHA20_POLY1305))_(?<hash>SHA(?:256|384)?)$/u;

/** ECDHE-RSA-AES128-GCM-SHA256 of TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; null: none of those allowed. */
export function opensslName(name: string): string | null {
  if (/^TLS_(?:AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256)$/u.test(name)) {
    return name;
  }
  if (
    /^(?:(?:ECDHE-(?:ECDSA|RSA)|DHE-RSA)-)?(?:AES(?:128|256)(?:-GCM)?-SHA(?:256|384)?|CHACHA20-POLY1305)$/u.test(
      name,
    )
  ) {
    return name;
  }
  const { exchange, bits, mode, chacha, hash } = suite.exec(name)?.groups ?? {};
  if (exchange === undefined) return null;
  const before = exchange === 'RSA' ? '' : `${exchange.replace('_', '-')}-`;
  if (chacha !== undefined) return exchange === 'RSA' ? null : `${before}CHACHA20-POLY1305`;
  return `${before}AES${bits ?? ''}${mode === 'GCM' ? '-GCM' : ''}-${hash ?? ''}`;
}
