/**
 * How the shell proves to a server who it is, and the server to it, by the properties that Apache's
 * client has: stores for TLS, a login file for SASL. Loaded only where one of them is asked for.
 */
import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import type { SaslOptions } from '../../client/sasl.js';
import type { TlsOptions } from '../../client/tls.js';
import { gssapi } from '../../node/client-gssapi.js';
import { loadKeyStore, loadTrustStore } from '../../node/key-store.js';
import { JaasError, parseJaas, type JaasModule } from '../../server/config/jaas.js';
import type { StoreFile } from '../../server/config/tls-config.js';
import { StartError } from '../../storage/start-error.js';
import { UsageError } from '../arguments.js';
import { kerberosLoginOf } from './kerberos-login.js';

type Properties = ReadonlyMap<string, string>;

/** Throws UsageError where a file is not what it should be. */
export function tlsOptionsOf(properties: Properties): TlsOptions {
  const keys = storeOf(properties, 'keyStore');
  const trust = storeOf(properties, 'trustStore');
  try {
    const material = keys === null ? null : loadKeyStore(keys);
    return {
      ...(material === null ? {} : { key: material.key, cert: material.certificates }),
      ...(trust === null ? {} : { ca: loadTrustStore(trust) }),
      ...(properties.get('zookeeper.ssl.hostnameVerification') === 'false'
        ? { verifyHostname: false }
        : {}),
    };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new UsageError(`zookeeper.${error.message}`, { cause: error });
  }
}

function storeOf(properties: Properties, kind: 'keyStore' | 'trustStore'): StoreFile | null {
  const of = (name: string): string | null => {
    return properties.get(`zookeeper.ssl.${kind}.${name}`) ?? null;
  };
  const path = of('location') ?? '';
  if (path === '') return null;
  const type = (of('type') ?? (/\.pem$/i.test(path) ? 'PEM' : 'PKCS12')).toUpperCase();
  if (type === 'BCFKS') {
    throw new UsageError(`zookeeper.ssl.${kind}.type: a store is PEM or PKCS12, not ${type}`);
  }
  return {
    key: `ssl.${kind}`,
    path,
    // what it really is, its first bytes say to whoever opens it
    type: type === 'PEM' ? 'PEM' : 'PKCS12',
    password: of('password'),
    passwordPath: of('passwordPath'),
  };
}

const loginFileKey = 'java.security.auth.login.config';

/** Null: there is no login file, or it is not to be used. */
export function saslOptionsOf(properties: Properties): SaslOptions | null {
  const file = properties.get(loginFileKey) ?? '';
  if (file === '' || properties.get('zookeeper.sasl.client') === 'false') return null;
  const name = properties.get('zookeeper.sasl.clientconfig') ?? 'Client';
  const [module] = sectionIn(file, name, properties);
  if (module === undefined) return null;
  const { className, options } = module;
  if (className.endsWith('Krb5LoginModule')) {
    const login = kerberosLoginOf(options, properties, `${file}: ${name}`);
    const begin = gssapi(login.options);
    return () => {
      // the library reads them each time
      Object.assign(process.env, login.environment);
      return begin();
    };
  }
  const [username, password] = [options.get('username'), options.get('password')];
  if (username === undefined || password === undefined) {
    throw new UsageError(`${file}: ${name} names no username and password`);
  }
  return { username, password };
}

function sectionIn(file: string, name: string, properties: Properties): readonly JaasModule[] {
  try {
    const text = readFileSync(file, 'utf8');
    const sections = parseJaas(text, (key) => properties.get(key) ?? ownProperty(key));
    return sections.get(name)?.modules ?? [];
  } catch (error) {
    const where = error instanceof JaasError ? `${file}:${error.line}` : `${loginFileKey}: ${file}`;
    throw new UsageError(`${where}: ${(error as Error).message}`, { cause: error });
  }
}

/** Of those that Java has without being told. */
function ownProperty(key: string): string | null {
  if (key === 'user.home') return homedir();
  return key === 'user.name' ? userInfo().username : null;
}
